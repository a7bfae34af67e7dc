"""Gate, alias, card, drift, export and the program that calls the model: nothing unmeasured, always a way back."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
from running_api import TINY, chat_rows

from helpers import deploy, jobs
from helpers.errors import DeployError
from helpers.project import Project
from helpers.records import Comparison, Example

TOP = Path(__file__).resolve().parents[1]

RULES = {"valid_json": {"at_least": 0.97}, "seconds": {"at_most": 2.0}}


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("KIT_HOME", str(tmp_path))
    return Project("demo")


@pytest.mark.parametrize(
    "measured, passed, failing",
    [
        ({"valid_json": 0.97, "seconds": 2.0}, True, []),
        ({"valid_json": 0.969, "seconds": 2.0}, False, ["valid_json"]),
        ({"valid_json": 1.0, "seconds": 2.1}, False, ["seconds"]),
        ({"valid_json": 1.0}, False, ["seconds"]),
        ({"valid_json": float("nan"), "seconds": None}, False, ["valid_json", "seconds"]),
    ],
)
def test_every_rule_is_held_and_what_is_unmeasured_fails(measured, passed, failing):
    answer = deploy.gate(measured, RULES)
    assert answer.passed is passed
    assert [r[2:].split(":")[0] for r in answer.reasons if r.startswith("✗")] == failing


@pytest.mark.parametrize("rules", [{}, {"a": {}}, {"a": {"about": 1.0}}])
def test_a_gate_without_usable_rules_is_refused(rules):
    with pytest.raises(DeployError):
        deploy.gate({"a": 1.0}, rules)


def test_what_a_gate_is_held_against_is_measured_or_none(tmp_path):
    from helpers.evaluate import Results
    from helpers.evaluate.results.rows import row_ids

    rows = trained(40)
    lines = [
        {"candidate": name, "row": number, "answer": "x", "expected": row.answer, "missing": "",
         "finish_reason": "stop",
         "exact": float(number % 10 < right), "valid_json": 1.0, "prompt_tokens": 9.0, "completion_tokens": 5.0,
         "cached_tokens": 0.0, "seconds": 0.5, "usd": 0.00001}
        for name, right in (("tuned", 9), ("prompt", 3))
        for number, row in enumerate(rows)
    ]  # fmt: skip
    about = {"model": "m", "role": "teaching"}
    results = Results(
        pd.DataFrame(lines), {"tuned": about, "prompt": about}, ["exact", "valid_json"], "test", row_ids(rows)
    )
    found = deploy.measured(results, "tuned", "prompt", data={"errors": 0, "leaks": 2})
    assert (found["exact"], found["valid_json"], found["seconds a call, median"]) == (0.9, 1.0, 0.5)
    assert found["USD for 1,000 calls"] == pytest.approx(0.01) and 0 < found["gain, low end"] < 0.6
    assert (found["errors in the training data"], found["leaks between splits"]) == (0, 2)
    assert found["change in probes kept"] is None
    said = deploy.gate(found, {"change in probes kept": {"at_least": -0.5}, "leaks between splits": {"at_most": 0}})
    assert not said.passed and "not measured" in str(said) and "leaks between splits: 2" in str(said)


def test_promote_rollback_and_forward_again(project):
    deploy.promote(project, "one", "local")
    deploy.promote(project, "two", "local")
    assert deploy.current(project).model == "two"
    assert deploy.rollback(project).model == "one"
    assert deploy.rollback(project).model == "two"


def test_promoting_the_same_model_twice_keeps_the_way_back(project):
    for model in ("one", "two", "two"):
        deploy.promote(project, model, "local")
    assert deploy.rollback(project).model == "one"


def test_no_alias_and_no_way_back_are_clear_errors(project):
    with pytest.raises(DeployError, match="lesson 5"):
        deploy.current(project)
    deploy.promote(project, "one", "local")
    with pytest.raises(DeployError, match="one model only"):
        deploy.rollback(project)


def test_a_reader_never_sees_half_a_switch(project):
    deploy.promote(project, "one", "host-of-one")
    deploy.promote(project, "two", "host-of-two")
    seen, stop = set(), threading.Event()

    def read():
        while not stop.is_set():
            alias = deploy.current(project)
            seen.add((alias.model, alias.host))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(60):
        deploy.rollback(project)
    stop.set()
    reader.join()
    assert seen <= {("one", "host-of-one"), ("two", "host-of-two")} and len(seen) == 2


# Export ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tuned(local_api, tmp_path_factory):
    """A model tuned for real on the session's local API, from the tiny base."""
    path = tmp_path_factory.mktemp("rows") / "train.jsonl"
    path.write_bytes(chat_rows(16))
    client = local_api.client()
    job = jobs.start(client, jobs.upload(client, path).id, model=TINY, hyperparameters={"n_epochs": 4}, seed=5)
    return jobs.watch(client, job.id, every=0.2)


IN_TRANSFORMERS = """
import json, sys, torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer
merged, adapter, base, questions = *sys.argv[1:4], json.loads(sys.argv[4])
for folder in (merged, adapter):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(merged if folder == merged else base, dtype=torch.float32)
    model = model if folder == merged else PeftModel.from_pretrained(model, adapter)
    end, answers = tokenizer.convert_tokens_to_ids("<|im_end|>"), []
    for question in questions:
        chat = [{"role": "user", "content": question}]
        ids = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        out = model.generate(**ids, max_new_tokens=12, do_sample=False, eos_token_id=end)
        answers.append(tokenizer.decode(out[0, ids["input_ids"].shape[1]:], skip_special_tokens=True))
    print(json.dumps(answers))
"""


def test_an_exported_model_answers_the_same_elsewhere(tuned, local_api, tiny_model, tmp_path):
    """Merged in transformers, and the adapter alone in PEFT, against the answers of the local API."""
    folders = [
        deploy.export(tuned.fine_tuned_model, tmp_path / kind, kind, home=local_api.home, base=tiny_model)
        for kind in ("merged", "adapter")
    ]
    questions = [f"Where is parcel {number}?" for number in range(6)]
    command = [sys.executable, "-c", IN_TRANSFORMERS, *map(str, folders), str(tiny_model), json.dumps(questions)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    here = [answer(local_api.client(), tuned.fine_tuned_model, question) for question in questions]
    assert [json.loads(line) for line in done.stdout.splitlines()[-2:]] == [here, here]
    assert here != [answer(local_api.client(), TINY, question) for question in questions], "tuning changed nothing"
    assert all("not run by us" in (folder / "README.md").read_text() for folder in folders)


def answer(client, model, question):
    said = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": question}], temperature=0, max_tokens=12
    )
    return said.choices[0].message.content


def test_what_cannot_be_exported_is_told_and_leaves_nothing(tuned, local_api, tiny_model, tmp_path):
    with pytest.raises(DeployError, match="no tuned model.*ft:tiny"):
        deploy.export("ft:nobody", tmp_path / "a", home=local_api.home)
    with pytest.raises(DeployError, match="--base"):
        deploy.export(tuned.fine_tuned_model, tmp_path / "a", home=local_api.home)
    with pytest.raises(DeployError, match="no local API"):
        deploy.export(tuned.fine_tuned_model, tmp_path / "a", home=tmp_path / "empty")
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("keep me")
    with pytest.raises(DeployError, match="not empty"):
        deploy.export(tuned.fine_tuned_model, full, home=local_api.home, base=tiny_model)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["full", "mine.txt"]


# Model card -----------------------------------------------------------------------------------------------------------

JOB = {"id": "ftjob-1", "model": "base", "fine_tuned_model": "ft:base|x", "hyperparameters": {"n_epochs": 3}, "seed": 7}
BETTER = Comparison(
    "tuned", "prompt", "exact", 200, 0.8, 0.6, 0.2, 0.1, 0.3, 0.95, 0.001, "tuned is better by 20 points."
)


def test_the_card_says_all_that_it_must(project):
    data = project.folder / "train.jsonl"
    data.write_bytes(chat_rows(12))
    project.keep_splits({"train": data})
    gate = deploy.gate({"valid_json": 0.9, "seconds": 1.0}, RULES)
    path = deploy.card(
        project, JOB, host="local", gate=gate, scores={"exact match": "80 % (74 to 85)"}, comparisons=[BETTER],
        licence="Apache-2.0; data CC0-1.0", limits=["Not for <b>medical</b> mail"],
    )  # fmt: skip
    text = path.read_text()
    for word in ("ft:base\\|x", "12 rows, sha256", "n_epochs 3", "74 to 85", "better by 20 points", "FAILED",
                 "valid_json: 0.9", "Apache-2.0", "&lt;b>medical", "not measured"):  # fmt: skip
        assert word in text, word
    assert "<b>" not in text


def test_an_incomplete_card_is_refused_with_all_that_is_missing(project):
    gate = deploy.gate({"valid_json": 1.0, "seconds": 1.0}, RULES)
    with pytest.raises(DeployError, match="scores, licence, the job's model.*splits"):
        deploy.card(project, JOB | {"fine_tuned_model": None}, host="local", gate=gate, scores={}, licence="")


# Drift ----------------------------------------------------------------------------------------------------------------


def traffic(n, seed, mix=(6, 3, 1), words=8):
    """(questions, answers) with labels drawn from a mix, and lengths around ``words``."""
    chance = random.Random(seed)
    labels = chance.choices(["delivery", "refund", "other"], weights=mix, k=n)
    questions = [" ".join(["word"] * max(1, round(chance.gauss(words, 2)))) for _ in labels]
    return questions, [json.dumps({"category": label}) for label in labels]


def trained(n=240, seed=0):
    return [
        Example(({"role": "user", "content": question}, {"role": "assistant", "content": said}))
        for question, said in zip(*traffic(n, seed), strict=True)
    ]


def alarms(found):
    return list(found.table.loc[found.table["alarm"], "check"])


def test_each_kind_of_drift_alarms_on_its_own():
    questions, answers = traffic(150, 1)
    assert alarms(deploy.drift(trained(), questions, answers)) == []
    spoiled = ["sorry, I cannot"] * 20 + answers[20:]
    assert alarms(deploy.drift(trained(), questions, spoiled)) == ["valid JSON"]
    assert alarms(deploy.drift(trained(), *traffic(150, 2, mix=(2, 3, 5)))) == ["label mix"]
    assert alarms(deploy.drift(trained(), *traffic(150, 3, words=14))) == ["input length"]


def test_a_mix_that_training_never_had_is_an_error_and_no_silence():
    """Without a single training label the distance is no number, and no alarm would ever ring."""
    texts = [
        Example(({"role": "user", "content": f"q {n}"}, {"role": "assistant", "content": "text"})) for n in range(30)
    ]
    with pytest.raises(DeployError, match="No training answer.*'category'.*field="):
        deploy.drift(texts, *traffic(40, 0))


def test_drift_is_told_in_words_and_as_numbers_for_a_chart():
    found = deploy.drift(trained(), *traffic(150, 2, mix=(2, 3, 5)))
    assert found.alarm and "most of all other: " in str(found)
    assert list(found.labels.columns) == ["label", "training", "now"] and found.labels["training"].sum() == 1.0
    unseen = [json.dumps({"category": "spam"})] * 40
    assert "Never seen in training: spam" in str(deploy.drift(trained(), ["word word"] * 40, unseen))


def test_a_sentence_of_drift_says_why_it_is_an_alarm_or_none():
    """Thirty messages of the very mix that was trained on: they differ by 12 points, and chance alone made them."""
    calm = deploy.drift(trained(), *traffic(30, 0))
    [mix] = calm.table.loc[calm.table["check"] == "label mix", "sentence"]
    assert not calm.alarm and calm.table.loc[1, "now"] > 0.1, "large enough to matter"
    assert mix.endswith("That could be chance on 30 rows: no alarm.") and " % in training, " in mix
    moved = deploy.drift(trained(), *traffic(150, 2, mix=(2, 3, 5)))
    said = {line.check: line.sentence for line in moved.table.itertuples()}
    assert said["label mix"].endswith("Alarm: that is large enough to matter, and more than chance.")
    assert said["valid JSON"] == "150 of 150 answers (100 %) are valid JSON; 97 % are wanted."
    assert "larm" not in said["input length"] and "chance" not in said["input length"], "too small to matter"


def test_the_chart_of_drift_states_its_finding_and_escapes_labels():
    from helpers import show

    calm = show.drift(deploy.drift(trained(), *traffic(150, 1)))
    assert calm.layout.title.text.startswith("No alarm")
    odd = [json.dumps({"category": "<b>spam</b>"})] * 60
    moved = show.drift(deploy.drift(trained(), traffic(60, 3, words=14)[0], odd))
    assert "label mix and input length" in moved.layout.title.text.replace("<br>", " ")
    assert "&lt;b&gt;spam" in moved.to_json() and "<b>spam" not in moved.to_json()
    assert [sum(bar.x) for bar in moved.data] == pytest.approx([100, 100], abs=0.5)


def test_false_alarms_of_drift_stay_below_the_level():
    """60 draws of the very mix that was trained on: at 5 % about 3 are significant, and size must matter too."""
    rows = trained(600)
    assert sum(deploy.drift(rows, *traffic(100, seed)).alarm for seed in range(100, 160)) <= 3


@pytest.mark.parametrize("n, m", [(10, 10), (40, 39)])
def test_too_little_traffic_is_no_drift(n, m):
    with pytest.raises(DeployError, match="Too little"):
        deploy.drift(trained(), ["x"] * n, ["{}"] * m)


# The program that uses the model --------------------------------------------------------------------------------------


@pytest.fixture
def production(local_api, tmp_path, monkeypatch):
    """A home whose local API is the session's, with the alias on the real base model."""
    monkeypatch.setenv("KIT_HOME", str(tmp_path))
    (tmp_path / "local_api").symlink_to(local_api.home)
    project = Project("sample")
    deploy.promote(project, "smollm2-135m-instruct", "local")
    return project


def run_triage(*arguments, text=""):
    command = [sys.executable, str(TOP / "examples" / "triage.py"), *map(str, arguments)]
    return subprocess.run(command, input=text, capture_output=True, text=True)


SCHEMA = ("--schema", TOP / "data" / "sample" / "triage" / "schema.json")


def test_the_triage_tool_sorts_lines_from_files_and_from_standard_input(production, tmp_path):
    mail = tmp_path / "mail.txt"
    mail.write_text("Where is my order BM-48213?\n\n  The kettle arrived broken.  \n")
    from_file, from_stdin = run_triage(*SCHEMA, mail), run_triage(*SCHEMA, text=mail.read_text())
    assert (from_file.returncode, from_file.stderr) == (0, "") and from_file.stdout == from_stdin.stdout
    lines = [json.loads(line) for line in from_file.stdout.splitlines()]
    assert len(lines) == 2
    for line in lines:
        assert set(line) == {"category", "urgency", "order_id", "model"} and line["model"] == "smollm2-135m-instruct"


def test_the_triage_tool_says_what_it_could_not_sort(production):
    deploy.promote(production, TINY, "local")  # a random model answers no JSON
    done = run_triage(text="hello\n")
    assert done.returncode == 1 and "not the JSON object" in json.loads(done.stdout)["error"]
    deploy.promote(production, "ft:gone", "local")
    done = run_triage(text="hello\n")
    assert done.returncode == 1 and "NotFoundError" in json.loads(done.stdout)["error"]


@pytest.mark.parametrize(
    "arguments, words",
    [
        (("--alias", "canary"), "no model called 'canary'"),
        (("no-such-file.txt",), "No such file"),
        (("--what",), "usage"),
    ],
)
def test_the_triage_tool_with_nothing_to_do_ends_with_2(production, arguments, words):
    done = run_triage(*arguments)
    assert done.returncode == 2 and words in done.stderr and "Traceback" not in done.stderr


def test_the_triage_tool_explains_itself():
    done = run_triage("--help")
    assert done.returncode == 0 and "production" in done.stdout and "Exit status" in done.stdout


@pytest.mark.soak
def test_switching_the_alias_under_load_fails_no_request(production, tuned, local_api):
    """2 requests a second for a minute on real models, the alias moved 5 times; each answer is of one version."""
    from helpers.providers import connect

    versions = ["smollm2-135m-instruct", tuned.fine_tuned_model]
    expected = {model: answer(local_api.client(), model, "Where is parcel 1?") for model in versions}
    assert len(set(expected.values())) == 2
    client, seen = connect("local"), []

    def one(_):
        alias = deploy.current(production)
        seen.append((alias.model, answer(client, alias.model, "Where is parcel 1?")))

    with ThreadPoolExecutor(8) as pool:
        futures = []
        for number in range(120):
            if number % 20 == 10:
                deploy.promote(production, versions[(number // 20 + 1) % 2], "local")
            futures.append(pool.submit(one, number))
            time.sleep(0.5)
        [future.result() for future in futures]
    assert len(seen) == 120 and {model for model, _ in seen} == set(versions)
    assert all(said == expected[model] for model, said in seen)


# Leaving a model ------------------------------------------------------------------------------------------------------


def recorded(answers):
    """Results as evaluate.run gives them for one candidate, and the rows that were asked."""
    from helpers.evaluate import Results
    from helpers.evaluate.results.rows import row_ids

    rows = trained(len(answers))
    table = [
        {"candidate": "old", "row": number, "answer": said, "expected": row.answer}
        for number, (row, said) in enumerate(zip(rows, answers, strict=True))
    ]
    return Results(pd.DataFrame(table), {"old": {}}, ["exact"], "validation", row_ids(rows)), rows


def test_frozen_answers_are_the_old_models_own_and_stay(tmp_path):
    results, rows = recorded(["a", None, "c"])
    path = deploy.freeze(results, "old", rows, tmp_path / "frozen.jsonl")
    kept = [json.loads(line)["messages"] for line in path.read_text().splitlines()]
    assert [messages[-1]["content"] for messages in kept] == ["a", "c"]
    assert [messages[0]["content"] for messages in kept] == [rows[0].question, rows[2].question]
    before = path.read_bytes()
    assert hashlib.sha256(before).hexdigest() in (tmp_path / "frozen.jsonl.sha256").read_text()
    assert deploy.freeze(results, "old", rows, path) == path
    others, _ = recorded(["a", "b", "c"])
    with pytest.raises(DeployError, match="other frozen answers"):
        deploy.freeze(others, "old", rows, path)
    assert path.read_bytes() == before and sorted(p.name for p in tmp_path.iterdir()) == [
        "frozen.jsonl",
        "frozen.jsonl.sha256",
    ]
    with pytest.raises(DeployError, match="none of 1"):
        deploy.freeze(*(lambda r, e: (r, "old", e))(*recorded([None])), tmp_path / "x.jsonl")
