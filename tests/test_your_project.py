"""A project of one's own: parameters that mean what they say, and steps that can be taken where the reader is."""

from __future__ import annotations

import ast
import json
import random
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import nbformat
import pandas as pd
import pytest
from decide_cases import cases, rule_name
from evaluate_host import Host, completion
from job_host import JobHost
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from openai.types.fine_tuning.jobs import FineTuningJobCheckpoint, fine_tuning_job_checkpoint
from running_api import TINY, chat_rows
from test_spending import paid  # noqa: F401 (a fixture)

from helpers import assets, data, decide, deploy, evaluate, jobs, providers, show, your_project
from helpers.decide.rules.ruling import OWN_PROJECT
from helpers.errors import ConsentError, DecisionError, EvaluationError, HostError, JobError, ProjectError
from helpers.evaluate import metrics, pricing
from helpers.jobs import forecast, running
from helpers.jobs.checkpoints import callable_by_name
from helpers.project import Project, kit_home
from helpers.records import Candidate, DataSummary, Evidence, Example

JOURNEY = next(case for case in cases() if case.name == "the sample journey")
ASSETS = assets.folder()
"""The real model, from before a test has a home of its own."""
GIVEN = {"gap": "behaviour", "good_output": "clear"}
COLUMNS = {"question": "text", "answer": "label"}
SHARES = {"train": 0.5, "validation": 0.25, "test": 0.25}


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("KIT_HOME", str(tmp_path / "kit"))


def rows(*labels: str) -> list[Example]:
    asked = [{"role": "user", "content": f"Question {n}"} for n in range(len(labels))]
    return [
        Example((question, {"role": "assistant", "content": label}))
        for question, label in zip(asked, labels, strict=True)
    ]


def origin(examples: list[Example], **changed) -> dict:
    return data.origin("mine.csv", examples, **{"columns": COLUMNS, "shares": SHARES, **changed})


# --- ANSWERS in the parameters cell -----------------------------------------------------------------------------------


def test_answers_changed_in_the_cell_win_over_what_was_saved():
    project = Project("mine")
    assert show.checklist(project, given=GIVEN).answers == GIVEN
    again = show.checklist(project, given=GIVEN | {"gap": "knowledge"})
    assert again.answers["gap"] == "knowledge"
    assert Project("mine").get("checklist")["first"]["gap"] == "knowledge"


def test_what_was_chosen_in_the_panel_stays_until_the_cell_changes():
    project = Project("mine")
    panel = show.checklist(project, given=GIVEN)
    panel.choices["gap"].value = "knowledge"
    panel.choices["rights"].value = "cleared"
    again = show.checklist(project, given=GIVEN)
    assert again.answers == GIVEN | {"gap": "knowledge", "rights": "cleared"}
    changed = show.checklist(project, given=GIVEN | {"gap": "both"})
    assert changed.answers == GIVEN | {"gap": "both", "rights": "cleared"}


def test_an_answer_taken_out_of_the_cell_is_open_again_unless_the_panel_changed_it():
    project = Project("mine")
    show.checklist(project, given=GIVEN).choices["good_output"].value = "no"
    assert show.checklist(project, given={}).answers == {"good_output": "no"}


def test_the_panel_shows_which_answers_came_from_the_cell():
    panel = show.checklist(Project("mine"), given=GIVEN)
    panel.choices["rights"].value = "cleared"
    assert "From ANSWERS" in panel.notes["gap"].value and "From ANSWERS" not in panel.notes["rights"].value
    assert "2 from ANSWERS" in panel.progress.value
    panel.choices["gap"].value = "knowledge"
    assert "From ANSWERS" not in panel.notes["gap"].value, "it is the panel's answer now"
    assert "1 from ANSWERS" in panel.progress.value


def test_unknown_names_and_values_are_refused_all_at_once_with_what_there_is():
    wrong = {"gap": "behavior", "goodoutput": "clear", "volume": 3, "rights": ["yes"]}
    with pytest.raises(DecisionError) as caught:
        show.checklist(Project("mine"), given=wrong)
    said = str(caught.value)
    assert "gap" in said and all(value in said for value in decide.questions()["gap"].values)
    assert "goodoutput" in said and all(name in said for name in decide.questions())
    assert "volume" in said and "rights" in said
    assert Project("mine").get("checklist") is None, "nothing of it was saved"
    assert decide.questions()["gap"].values[0] in said


# --- the same name, other data ----------------------------------------------------------------------------------------


def test_the_same_project_with_other_data_asks_for_a_name_or_a_fresh_start():
    project = Project("mine")
    project.begin(origin(rows("a", "b")))
    project.begin(origin(rows("a", "b")))
    for changed in (origin(rows("a", "c")), origin(rows("a", "b"), shares={"train": 0.8, "test": 0.2})):
        with pytest.raises(ProjectError) as caught:
            project.begin(changed)
        assert "START_AGAIN = True" in str(caught.value) and "PROJECT" in str(caught.value)
    assert project.get("source") == origin(rows("a", "b"))


def test_what_has_changed_is_said():
    project = Project("mine")
    project.begin(origin(rows("a", "b")))
    with pytest.raises(ProjectError, match="2 rows of mine.csv.*3 rows of mine.csv"):
        project.begin(origin(rows("a", "b", "c")))
    with pytest.raises(ProjectError, match="shares"):
        project.begin(origin(rows("a", "b"), shares={"train": 0.8, "test": 0.2}))
    with pytest.raises(ProjectError, match="other contents"):
        project.begin(origin(rows("a", "c")))
    project.begin(origin(rows("a", "b"), columns=None))  # named or guessed: the same rows are the same


def test_a_fresh_start_loses_nothing_and_keeps_the_answers_that_were_paid_for():
    project = Project("mine")
    project.begin(origin(rows("a", "b")))
    project.set("ledger", {"measurements": [1]})
    (project.folder / "answers.sqlite").write_bytes(b"answers")
    said = project.begin(origin(rows("a", "c")), start_again=True)
    assert project.get("ledger") is None and project.get("source") == origin(rows("a", "c"))
    (aside,) = (one for one in project.folder.parent.iterdir() if one != project.folder)
    assert aside.name in said and aside.name.startswith("mine-until-2")
    assert json.loads((aside / "project.json").read_text())["ledger"] == {"measurements": [1]}
    assert (project.folder / "answers.sqlite").read_bytes() == b"answers" == (aside / "answers.sqlite").read_bytes()
    project.begin(origin(rows("a", "d")), start_again=True)
    assert len(list(project.folder.parent.iterdir())) == 3, "the second one is moved beside the first"


def test_a_project_of_an_older_kit_without_a_source_with_splits_asks_too():
    project = Project("mine")
    project.set("splits", {"train": {}})
    with pytest.raises(ProjectError, match="START_AGAIN"):
        project.begin(origin(rows("a", "b")))


# --- hosts that train nothing, and an address that wants a key --------------------------------------------------------


class _OnlyChat(BaseHTTPRequestHandler):
    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = answer

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def only_chat():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _OnlyChat)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()


def test_a_host_without_files_trains_nothing_and_the_file_is_not_blamed(only_chat, tmp_path):
    file = data.write(rows(*"ab" * 10), tmp_path / "train.jsonl")
    with pytest.raises(HostError) as caught:
        jobs.upload(providers.connect(only_chat), file)
    said = str(caught.value)
    assert 'TRAIN_AT = "local"' in said and only_chat.split("//")[1].split("/")[0] in said
    assert "Fix the file" not in said and "The local API refused" not in said
    assert 'TRAIN_AT = "local"' in jobs.obstacle(only_chat) and "/v1" in jobs.obstacle(only_chat)


def test_the_kits_own_api_as_an_address_says_how_to_give_its_key(local_api, tmp_path, monkeypatch):
    address = local_api.ready["base_url"]
    said = jobs.obstacle(address)
    variable = providers.key_variable_of(address)
    assert variable in said and address.split("//")[1].split("/")[0].replace(".", "_").replace(":", "_") in variable
    monkeypatch.setenv(variable, local_api.key)
    assert jobs.obstacle(address) == ""
    client = providers.connect(address)
    assert "tiny" in [model.id for model in client.models.list()]
    file = data.write(rows(*"ab" * 10), tmp_path / "train.jsonl")
    assert jobs.upload(client, file).status == "processed"


def test_the_key_of_one_address_is_never_sent_to_another(monkeypatch):
    one, other = (
        providers.key_variable_of("http://127.0.0.1:1234/v1"),
        providers.key_variable_of("https://a.example/v1"),
    )
    assert one != other != providers.key_variable_of("https://b.example/v1")
    monkeypatch.setenv(one, "secret")
    assert providers.connect("http://127.0.0.1:1235/v1").api_key != "secret"
    assert providers.connect("http://127.0.0.1:1234/v1").api_key == "secret"


# --- next steps that can be taken -------------------------------------------------------------------------------------


def own(evidence: Evidence | None, **data_) -> Evidence:
    return replace(evidence or Evidence(), project="my-first", data=DataSummary(rows=100, **data_))


def test_steps_of_a_project_of_ones_own_lead_to_its_cells_or_to_a_lesson_with_the_line_to_set():
    for case in cases():
        verdict = decide.decide(case.answers, own(case.evidence), case.today)
        for step in (*verdict.next_steps, *verdict.not_measured, *verdict.what_would_change_it):
            assert "lesson 00" not in step and "lesson 01" not in step and "lesson 03" not in step, step
            for lesson in ("lesson 02", "lesson 04", "lesson 05", "lesson 06"):
                assert lesson not in step or 'PROJECT = "my-first"' in step, step
    verdict = decide.decide(JOURNEY.answers, own(JOURNEY.evidence))
    assert any("“The prompt ladder, on your rows” in your_project" in step for step in verdict.next_steps)
    lessons = decide.decide(JOURNEY.answers, JOURNEY.evidence)
    assert any("lesson 00_should_you_fine_tune" in step for step in lessons.next_steps), (
        "the sample's own do not change"
    )


@pytest.mark.parametrize("kind, stays", [("text", True), ("turns", True), ("labels", False)])
def test_no_step_leads_free_text_to_a_lesson_that_says_to_stay_in_your_project(kind, stays, tmp_path):
    begun(rows(*"ab" * 20), kind=kind)
    evidence = decide.collect(Project("mine"))
    for case in cases():
        known = replace(case.evidence or Evidence(), project=evidence.project, task=evidence.task)
        verdict = decide.decide(case.answers, known, case.today)
        for step in (*verdict.next_steps, *verdict.not_measured, *verdict.what_would_change_it):
            assert not stays or ("lesson 04" not in step and "lesson 05" not in step), step
    where = "“Stop, or go on” in your_project" if stays else "lesson 04_evaluate"
    missing = decide.decide({}, evidence).not_measured
    assert any("tuned model against" in one and where in one for one in missing)
    record = decide.Record("?", {}, evidence, JOURNEY.today)
    record.write(tmp_path)
    assert decide.load_record(tmp_path / "record.json").evidence.task == kind


def test_the_record_gives_the_same_steps(tmp_path):
    record = decide.Record("?", JOURNEY.answers, own(JOURNEY.evidence), JOURNEY.today)
    text = record.write(tmp_path)["html"].read_text()
    assert "in the notebook “Your project”" in text and "lesson 0" not in text
    assert decide.load_record(tmp_path / "record.json").evidence.project == "my-first"


def test_no_labelling_while_validation_rows_lie_unused():
    unsure = [case for case in cases() if rule_name(case.answers, case.evidence, case.today) == "the_rows_cannot_tell"]
    assert unsure
    for case in unsure:
        used = max(one.n for one in case.evidence.measurements if one.role == "target")
        more = decide.decide(case.answers, own(case.evidence, validation=used + 240), case.today).next_steps
        assert any(f"ROWS to {used + 240}" in step for step in more) and not any("Label more" in step for step in more)
        none_left = decide.decide(case.answers, own(case.evidence, validation=used), case.today).next_steps
        assert any("Label more validation rows" in step for step in none_left)


@pytest.mark.parametrize(
    ("right", "says"),
    [(0.2, "number to beat for any model"), (0.0, "no rival without a language model that was tried gets any")],
)
def test_a_rival_that_gets_nothing_right_is_no_number_to_beat(right, says):
    prompted = JOURNEY.evidence.measurements[0]
    code = replace(
        prompted, candidate="code", name="most frequent", role="no language model", score=right, low=0, high=right
    )
    verdict = decide.decide(
        JOURNEY.answers, own(replace(JOURNEY.evidence, measurements=(prompted, code), comparisons=()))
    )
    said = " ".join(verdict.reasons)
    assert says in said and ("number to beat for any model" in said) == (right > 0)


def test_what_was_run_and_has_no_score_that_counts_is_not_called_missing():
    prompted = replace(JOURNEY.evidence.measurements[0], unit="likeness", headline=True)
    code = replace(prompted, candidate="code", name="most frequent", role="no language model")
    verdict = decide.decide(JOURNEY.answers, own(Evidence(measurements=(prompted, code))))
    said = " ".join(verdict.not_measured)
    assert "likeness" in said and "a prompt ladder" not in said and "a rival without" not in said
    nothing = " ".join(decide.decide(JOURNEY.answers, own(Evidence())).not_measured)
    assert "a prompt ladder" in nothing and "a rival without" in nothing


# --- the second half --------------------------------------------------------------------------------------------------


def read(losses: list[float | None], named: bool = True) -> jobs.Checkpoints:
    """What is made of a host's list of checkpoints, one every ten steps."""
    kind, measured = FineTuningJobCheckpoint, fine_tuning_job_checkpoint.Metrics
    listed = [
        kind.construct(
            id=f"ckpt-{n}", step_number=10 * n, metrics=measured.construct(full_valid_loss=loss),
            fine_tuned_model_checkpoint=f"ft:ckpt-{n}" if named else None,
        )
        for n, loss in enumerate(losses, 1)
    ]  # fmt: skip
    return callable_by_name("ft:final", listed, {point.id for point in listed} if named else ())


def test_without_losses_nothing_is_said_of_a_loss():
    tied = jobs.best_checkpoint(read([None, None, None]), {"step 10": 0.6, "step 20": 0.6, "step 30": 0.5})
    assert tied.name == "step 20" and "equal to 1 more, and the latest of these" in tied.sentence
    assert "loss" not in tied.sentence


@pytest.mark.parametrize("shape", ["openai", "nebius"])
def test_checkpoints_of_a_real_job_are_read_from_the_host(shape, monkeypatch, tmp_path):
    host = JobHost(shape)
    monkeypatch.setenv("REHEARSAL_KEY", host.key)
    like = f'base_url = "{host.base_url}"\nkey_variable = "REHEARSAL_KEY"\nlike = "{shape}"\n'
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit" / "hosts.toml").write_text(f"[rehearsal]\n{like}")
    client = providers.connect("rehearsal")
    file = jobs.upload(client, data.write(rows(*"ab" * 10), tmp_path / "train.jsonl"))
    job = jobs.watch(client, jobs.start(client, file.id).id, every=0.05)
    host.deployed.add(job.id)
    found = jobs.checkpoints(client, job.id)
    host.close()
    assert "lowest at step 6" in found.sentence and found.losses == {"step 3": 2.0, "step 6": 1.0}
    assert ("cannot be called" in found.sentence) == (shape == "nebius")
    assert len(found.models) == (2 if shape == "openai" else 1) and "step 6" in found.models


def test_the_step_of_the_lowest_validation_loss_is_said_and_every_checkpoint_can_be_called():
    found = read([2.0, 1.5, 1.8])
    assert "lowest at step 20 of 30 (1.500)" in found.sentence and "1.800 at the end" in found.sentence
    assert found.models == {"step 10": "ft:ckpt-1", "step 20": "ft:ckpt-2", "step 30": "ft:final"}


def test_the_best_checkpoint_is_chosen_by_validation_score_then_by_loss():
    found = read([2.0, 1.5, 1.8])
    best = jobs.best_checkpoint(found, pd.Series({"step 10": 0.5, "step 20": 0.6, "step 30": 0.7}))
    assert best.model == "ft:final" and "loss would have chosen step 20" in best.sentence
    tied = jobs.best_checkpoint(found, {"step 10": 0.6, "step 20": 0.6, "step 30": 0.5})
    assert tied.model == "ft:ckpt-2" and "equal" in tied.sentence
    missing = jobs.best_checkpoint(found, {"step 10": float("nan"), "step 20": 0.1, "step 30": float("nan")})
    assert missing.name == "step 20"
    with pytest.raises(JobError, match="step 10"):
        jobs.best_checkpoint(found, {"tuned": 0.5})
    nothing = jobs.best_checkpoint(found, dict.fromkeys(found.models, float("nan")))
    assert nothing.model == "ft:final" and "no score to choose by" in nothing.sentence
    assert jobs.best_checkpoint(found, {}) == nothing


def test_a_host_whose_checkpoints_cannot_be_called_says_so_and_the_last_model_is_used():
    found = read([2.0, 1.5, 1.8], named=False)
    assert found.models == {"step 30": "ft:final"}
    assert "2 cannot be called at this host (step 10, step 20)" in found.sentence
    assert "no validation loss" in read([None, None]).sentence
    found = read([])
    assert found.models == {"last step": "ft:final"} and "no checkpoints" in found.sentence


@pytest.mark.filterwarnings("ignore:paid, according to the dated facts")
def test_the_forecast_is_a_table_before_anything_starts(paid, tmp_path):  # noqa: F811
    path = tmp_path / "train.jsonl"
    path.write_bytes(chat_rows(200))
    client = providers.connect("rehearsal")
    file = jobs.upload(client, path, may_upload_to="paid")
    table = jobs.predict(client, path, training_file=file.id).table()
    assert list(table.index) == ["minutes", "memory, GB", "price, USD"] and list(table) == ["likely", "low", "high"]
    assert table.loc["minutes"].isna().all() and table.loc["memory, GB"].isna().all()
    assert 0 < table.loc["price, USD", "low"] < table.loc["price, USD", "high"]


def test_the_local_forecast_has_minutes_with_their_range_memory_and_no_price(local_api, tmp_path):
    path = tmp_path / "train.jsonl"
    path.write_bytes(chat_rows(12))
    client = local_api.client()
    file = jobs.upload(client, path)
    said = jobs.predict(client, path, training_file=file.id, hyperparameters={"n_epochs": 1})
    table = said.table()
    assert (
        0 < table.loc["minutes", "low"] < said.minutes == table.loc["minutes", "likely"] < table.loc["minutes", "high"]
    )
    assert 0.2 < table.loc["memory, GB", "likely"] < 16
    assert set(table.loc["price, USD"]) == {0.0}
    assert "GB of memory" in said.sentence


def test_how_to_call_the_tuned_model_can_be_pasted_and_answers(local_api, monkeypatch):
    address = local_api.ready["base_url"]
    monkeypatch.setenv(providers.key_variable_of(address), local_api.key)
    text = deploy.how_to_call(address, "tiny", "Where is parcel 7?", max_tokens=3)
    names: dict = {}
    exec(compile(text, "pasted", "exec"), names)  # what the notebook prints is what is run
    assert names["reply"].choices[0].message.role == "assistant" and names["reply"].usage.completion_tokens <= 3
    assert "sk-" not in text and local_api.key not in text
    for host in ("openai", "local", "nebius"):
        said = deploy.how_to_call(host, 'ft:"x"', "it's\n“quoted”", max_tokens=9, system="be kind")
        compile(said, host, "exec")
        assert repr(host) in said or f'"{host}"' in said


# --- lessons on a project of one's own --------------------------------------------------------------------------------

SAMPLE = Path(__file__).parents[1] / "data" / "sample" / "triage"


def begun(examples: list[Example], **about) -> Project:
    """A project as your_project leaves it."""
    project = Project("mine")
    project.begin(origin(examples))
    parts = data.split(examples, sizes=SHARES, seed=1, label=data.task(examples).label())
    project.keep_splits({name: data.write(getattr(parts, name), project.folder / f"{name}.jsonl") for name in SHARES})
    kind = data.task(examples).kind
    project.keep_task(**{"instructions": "Answer a or b.", "kind": kind, "rules": None} | about)
    return project


def test_lessons_work_on_the_projects_own_rows():
    project = begun(rows(*"ab" * 20))
    material = evaluate.material(project, SAMPLE)
    assert material.own and material.instructions == "Answer a or b." and "mine.csv" in material.note
    assert {row.answer for row in material.one_each()} == {"a", "b"} and len(material.train) == 20
    assert material.field is None and material.fields == [] and material.labelled
    assert {"question only", "instructions"} < {rung.name for rung in material.rungs("m")}
    assert material.gate({"order_id": {"at_least": 0.9}, "gain, low end": {"at_least": 0}}) == {
        "gain, low end": {"at_least": 0}
    }
    assert decide.collect(project).project == "mine"
    lacking = decide.decide({"gap": "behaviour"}, decide.collect(project)).not_measured
    assert not any("how_much_data" in one for one in lacking), "that side trip reads the sample's rows"
    assert "what more data would bring (train on half of the rows as well, and compare)" in lacking
    with pytest.raises(ProjectError, match="write over the splits of 'mine'"):
        project.only_the_sample("This lesson cleans the sample's export")


def test_lessons_on_json_rows_of_ones_own():
    answers = [json.dumps({"colour": "red" if n % 2 else "blue", "size": n}) for n in range(40)]
    material = evaluate.material(begun(rows(*answers)), SAMPLE)
    assert material.field == "colour" and len(material.one_each()) == 2 and len(material.fields) == 2
    assert material.shares[:3] == ["score", "low", "high"]


def test_the_samples_project_gets_the_sample():
    material = evaluate.material(Project("sample"), SAMPLE)
    assert not material.own and len(material.train) == 240 and len(material.one_each()) == 8
    assert material.shares == ["score", "low", "high", "category", "urgency", "order_id", "valid_json"]
    assert material.rungs("m") == [] and material.schema["type"] == "object"
    Project("sample").only_the_sample("This lesson")


def test_the_label_of_a_field_that_has_a_columns_name_is_the_metric_of_that_name():
    answers = [json.dumps({"answer": "red" if n % 2 else "blue", "size": n}) for n in range(40)]
    material = evaluate.material(begun(rows(*answers)), SAMPLE)
    assert material.field == "answer"
    assert material.part in [metric.name for metric in material.scored] and material.part != "answer"


def mostly_labels(n: int = 95) -> list[Example]:
    """Labels, and five sentences that are none: they do not fit."""
    chance = random.Random(3)
    odd = [f"I would say that this one is about {' and '.join(chance.sample(WORDS, 4))}" for _ in range(5)]
    return different([*("ab"[i % 2] for i in range(n)), *odd])


def different(answers: list[str]) -> list[Example]:
    """Rows that differ enough to be split."""
    chance = random.Random(1)
    return [
        Example(({"role": "user", "content": " ".join(chance.sample(WORDS, 8))}, {"role": "assistant", "content": one}))
        for one in answers
    ]


def test_lessons_say_that_the_reader_set_the_task_only_where_that_is_so(tmp_path):
    file = data.write(mostly_labels(), tmp_path / "mine.jsonl")
    for kind, said in ((None, "95 of 100 rows"), ("labels", "set by you")):
        as_far_as("keep_task", PROJECT=f"mine-{kind}", DATA=str(file), COLUMNS=None, TASK=kind)
        material = evaluate.material(Project(f"mine-{kind}"), SAMPLE)
        assert said in material.note and material.task.chosen == (kind is not None)
        assert set(material.task.labels) == {row.answer for row in (*material.train, *material.held_out)}


CALM = [{"id": "calm", "kind": "regex_absent", "pattern": "!"}]


@pytest.mark.parametrize("given", [{"RULES": CALM, "FACTS": True}, {"RULES": CALM}, {"FACTS": True}, {}])
def test_lessons_measure_free_text_as_your_project_does(given, tmp_path):
    names = as_far_as("free_text.for_task", DATA=str(replies(tmp_path)), COLUMNS=None, ROWS=8, **given)
    material = evaluate.material(names["project"], SAMPLE)
    assert [metric.name for metric in material.scored] == [metric.name for metric in names["scored"]]


def test_rules_in_any_documented_form_are_kept_or_refused_in_words(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('[[rule]]\nid = "calm"\nkind = "regex_absent"\npattern = "!"\n')
    names = as_far_as("keep_task", DATA=str(replies(tmp_path)), COLUMNS=None, RULES=file)
    assert [m.name for m in evaluate.material(names["project"], SAMPLE).scored][0] == "all_rules"
    for rules in (metrics.exact_match, [metrics.exact_match]):
        with pytest.raises(ProjectError, match="RULES cannot be kept.*TOML"):
            as_far_as("keep_task", DATA=str(replies(tmp_path)), COLUMNS=None, RULES=rules)


def test_the_prompt_chosen_on_validation_rows_is_the_one_that_lessons_go_on_with():
    project = begun(rows(*"ab" * 20))
    shots = tuple(rows("a", "b"))
    found = Candidate("+ 2 chosen examples", "m", system="Mine.", shots=shots, max_tokens=9, tries=7)
    project.keep_prompt(found)
    material = evaluate.material(project, SAMPLE)
    assert material.rungs("m")[-1] == found
    asked = {rung.name: rung for rung in material.rungs("other", "target")}
    assert asked[found.name] == replace(found, model="other", declared="target")
    project.keep_prompt(replace(asked["instructions"], system="Changed."))
    again = evaluate.material(project, SAMPLE)
    assert [r.system for r in again.rungs("m") if r.name == "instructions"] == ["Changed."]
    assert len(again.rungs("m")) == len(material.rungs("m")) - 1
    nearest = next(rung for rung in again.rungs("m") if rung.nearest)
    project.keep_prompt(nearest)
    assert nearest in evaluate.material(project, SAMPLE).rungs("m"), "with its pool"


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def notebooks(tmp_path, monkeypatch):
    """A folder of notebooks of the test's own."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    shutil.copy(your_project.NOTEBOOKS / your_project.TEMPLATE, folder)
    monkeypatch.setattr(your_project, "NOTEBOOKS", folder)
    return folder


WORDS = ["red", "late", "bag", "two", "card", "door", "lamp", "noon", "tea", "warm", "oak", "pen", "rug", "sky", "urn"]


def tickets(folder: Path, n: int = 40) -> Path:
    """Rows that differ enough to be split."""
    chance = random.Random(1)
    file = folder / "Support tickets 2026.csv"
    lines = [f"{('parcel', 'refund')[i % 2]} {' '.join(chance.sample(WORDS, 7))},{'ab'[i % 2]}" for i in range(n)]
    file.write_text("\n".join(["text,label", *lines]) + "\n")
    return file


def chosen(copy: Path) -> dict:
    notebook = nbformat.read(copy, as_version=4)
    (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    names: dict = {}
    exec(compile(cell.source, "parameters", "exec"), names)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    return names


def test_the_command_makes_a_copy_with_what_it_found_out(notebooks, tmp_path, capsys):
    assert your_project.main([str(tickets(tmp_path)), "--no-browser", "--answers", "gap=behaviour"]) == 0
    copy = notebooks / "my_support_tickets_2026.ipynb"
    found, said = chosen(copy), capsys.readouterr().out
    assert found["PROJECT"] == "support-tickets-2026" and found["COLUMNS"] == {"question": "text", "answer": "label"}
    assert (notebooks / found["DATA"]).resolve() == tickets(tmp_path).resolve()
    assert found["TASK"] is None and "a, b" in found["INSTRUCTIONS"] and sum(found["SHARES"].values()) == 1
    assert found["ANSWERS"] == {"gap": "behaviour"}
    assert "40 rows" in said and str(copy) in said and "jupyter lab" in said and "draft" in said
    assert nbformat.read(copy, as_version=4).cells[0].source.startswith("# Your project: support-tickets-2026")


def test_the_command_never_overwrites_a_copy_without_being_asked(notebooks, tmp_path, capsys):
    file = str(tickets(tmp_path))
    assert your_project.main([file, "--no-browser", "--project", "one"]) == 0
    copy = notebooks / "my_one.ipynb"
    copy.write_text("mine")
    assert your_project.main([file, "--no-browser", "--project", "one"]) == 2
    assert copy.read_text() == "mine" and "--overwrite" in capsys.readouterr().err
    assert your_project.main([file, "--no-browser", "--project", "one", "--overwrite"]) == 0
    assert copy.read_text() != "mine"


def test_run_on_a_copy_that_is_there_runs_it_as_it_is(notebooks, tmp_path, monkeypatch, capsys):
    """It refused, and the copy that the reader had filled in could not be run without a browser."""
    file = str(tickets(tmp_path))
    assert your_project.main([file, "--no-browser", "--project", "one"]) == 0
    copy = notebooks / "my_one.ipynb"
    copy.write_text(copy.read_text().replace("Classify the text.", "My own words."))
    before, ran = copy.read_bytes(), []
    monkeypatch.setattr(your_project, "run", lambda *what: ran.append(what) or ["Verdict"])
    assert your_project.main([file, "--project", "one", "--run"]) == 0
    assert ran == [(copy, "one")] and copy.read_bytes() == before and "run as it is" in capsys.readouterr().out
    assert your_project.main([file, "--project", "one", "--run", "--set", "ROWS=3"]) == 2
    assert len(ran) == 1 and "ROWS" in capsys.readouterr().err and copy.read_bytes() == before
    assert your_project.main([file, "--project", "one", "--run", "--overwrite"]) == 0
    assert len(ran) == 2 and b"My own words." not in copy.read_bytes()
    assert your_project.main([file, "--project", "one", "--no-browser"]) == 2 and "--run" in capsys.readouterr().err


def test_the_same_command_again_goes_on(notebooks, tmp_path, monkeypatch, capsys):
    """After an interruption it asked for ``--overwrite``, which loses what the reader had written into the copy."""
    given = ["--set", "ROWS=30", "--answers", "gap=behaviour", "--columns", "question=text,answer=label"]
    command = [str(tickets(tmp_path)), "--project", "one", *given, "--run"]
    ran = []
    monkeypatch.setattr(your_project, "run", lambda *what: ran.append(what) or ["Verdict"])
    assert your_project.main(command) == 0
    copy = notebooks / "my_one.ipynb"
    copy.write_text(copy.read_text().replace("Classify the text.", "My own words."))
    before = copy.read_bytes()
    assert your_project.main(command) == 0 and len(ran) == 2 and copy.read_bytes() == before
    assert your_project.main([*command, "--answers", "gap=knowledge"]) == 2 and len(ran) == 2
    assert "other values of ANSWERS" in capsys.readouterr().err


def test_the_command_opens_the_copy_itself(notebooks, tmp_path, monkeypatch, capsys):
    """The address that JupyterLab printed led to its launcher."""
    asked = []
    monkeypatch.setattr(subprocess, "run", lambda command, **_: asked.append(command))
    assert your_project.main([str(tickets(tmp_path)), "--project", "one"]) == 0
    assert your_project.main([str(tickets(tmp_path)), "--project", "two", "--no-browser"]) == 0
    [command] = asked
    assert str(notebooks) in command and "--LabApp.default_url=/lab/tree/my_one.ipynb" in command
    assert "--LabApp.default_url=/lab/tree/my_two.ipynb" in capsys.readouterr().out


def test_every_parameter_can_be_set_from_the_command_line(notebooks, tmp_path, capsys):
    """Several stand on one line of the cell; what is not set stays as it is there."""
    given = ["ROWS=12", "RULES=exact_match", "CASES='all'", "PRICE={'input': 1, 'output': 2}", "TRAIN_ANYWAY=True"]
    file = str(tickets(tmp_path))
    assert your_project.main([file, "--no-browser", "--project", "one", "--set", *given]) == 0
    found = chosen(notebooks / "my_one.ipynb")
    assert (found["ROWS"], found["RULES"], found["CASES"], found["FACTS"]) == (12, "exact_match", "all", False)
    assert found["PRICE"] == {"input": 1, "output": 2} and found["TUNED_PRICE"] is None
    assert found["TRAIN_ANYWAY"] is True and found["START_AGAIN"] is False and found["PROJECT"] == "one"
    assert found["HOST"] == found["TRAIN_AT"] == "local"
    assert your_project.main([file, "--no-browser", "--project", "two", "--set", "ROW=12", "RULE=x"]) == 2
    said = capsys.readouterr().err
    assert "ROW, RULE" in said and "ROWS" in said and "RULES" in said and not (notebooks / "my_two.ipynb").exists()


def test_columns_joined_in_the_terminal_are_joined_with_a_line_break(notebooks, tmp_path, capsys):
    """The parameters cell shows ``"{title}\\n\\n{body}"``; a shell hands the command a backslash and an n."""
    file = tmp_path / "copy.csv"
    file.write_text("title,body,answer\n" + "\n".join(f"Lamp {n},Oak and steel,Lamp {n} is warm" for n in range(12)))
    assert your_project.main([str(file), "--no-browser", "--columns", r"question={title}\n\n{body},answer=answer"]) == 0
    assert chosen(notebooks / "my_copy.ipynb")["COLUMNS"]["question"] == "{title}\n\n{body}"
    assert r"Lamp 6\n" not in capsys.readouterr().out


def own_notebook(folder: Path, *cells: str) -> Path:
    """A notebook of these cells; those that begin with ``##`` are prose."""
    made = [(new_markdown_cell if cell.startswith("##") else new_code_cell)(cell) for cell in cells]
    nbformat.write(new_notebook(cells=made), folder / "my_own.ipynb")
    return folder / "my_own.ipynb"


def test_a_run_says_where_it_is_and_what_a_cell_predicts_and_nothing_of_the_kernels(tmp_path, capfd):
    predicts = "forecast = 28\nprint(f'about {forecast} minutes')"
    copy = own_notebook(tmp_path, "## The ladder\n\nProse.", predicts, "print('rows')", "1 / 0")
    with pytest.raises(ProjectError, match="division by zero"):
        your_project.run(copy, "own")
    said = capfd.readouterr()
    assert said.out.splitlines() == ["The ladder", "  about 28 minutes"] and "IPKernelApp" not in said.err


@pytest.mark.parametrize("who, signal", [("os.getppid()", "SIGINT"), ("os.getpid()", "SIGKILL")])
def test_a_run_that_is_interrupted_or_killed_says_how_to_go_on(who, signal, tmp_path):
    """Control-C in the terminal, or a kernel that the system ends because memory is short: no traceback."""
    stops = f"import os, signal, time\nos.kill({who}, signal.{signal})\ntime.sleep(60)"
    copy = own_notebook(tmp_path, "print('the first cell')", stops)
    code = f"from helpers import your_project\nyour_project.run(your_project.Path({str(copy)!r}), 'own')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stderr.splitlines()[-1].startswith("helpers.errors.ProjectError: The notebook was stopped before its")
    assert "Run the same command again" in done.stderr and "DeadKernelError" not in done.stderr
    assert "the first cell" in nbformat.read(copy, as_version=4).cells[0].outputs[0].text


def copy_rows(folder: Path) -> Path:
    """Free text that no check fits."""
    chance = random.Random(2)
    lines = [f"product {n},{' '.join(chance.sample(WORDS, 12))}" for n in range(12)]
    (folder / "copy.csv").write_text("\n".join(["question,answer", *lines]))
    return folder / "copy.csv"


def test_rules_are_found_from_where_the_command_is_called_and_missing_ones_stop_it(
    notebooks, tmp_path, capsys, monkeypatch
):
    """As FILE is: the copy lies in another folder, and would look for them there, half an hour later."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ours.toml").write_text('[[rule]]\nid = "short"\nkind = "word_count"\nmin = 1\nmax = 20\n')
    file = str(copy_rows(tmp_path))
    assert your_project.main([file, "--no-browser", "--project", "one", "--set", "RULES=ours.toml"]) == 0
    rules = chosen(notebooks / "my_one.ipynb")["RULES"]
    assert (notebooks / rules).resolve() == tmp_path / "ours.toml"
    assert your_project.main([file, "--no-browser", "--project", "two", "--set", "RULES=theirs.toml"]) == 2
    assert "theirs.toml" in capsys.readouterr().err and not (notebooks / "my_two.ipynb").exists()


def test_whoever_gives_free_text_no_rules_hears_that_nothing_will_be_scored(notebooks, tmp_path, capsys):
    file = str(copy_rows(tmp_path))
    assert your_project.main([file, "--no-browser", "--project", "one"]) == 0
    assert "RULES" in capsys.readouterr().out
    for given in ("RULES=final_number", "FACTS=True"):
        assert your_project.main([file, "--no-browser", "--project", "one", "--overwrite", "--set", given]) == 0
        assert "RULES" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "more, says",
    [
        (["--columns", "question=body"], "body"),
        (["--project", "../up"], "folder name"),
        (["--answers", "gap=behavior,rights=cleared,huh=1"], "behaviour"),
    ],
)
def test_errors_of_the_command_are_one_sentence_and_status_2(notebooks, tmp_path, capsys, more, says):
    assert your_project.main([str(tickets(tmp_path)), "--no-browser", *more]) == 2
    error = capsys.readouterr().err
    assert says in error and "Traceback" not in error and not list(notebooks.glob("my_*"))


def test_a_file_that_is_not_there_or_cannot_be_read(notebooks, tmp_path, capsys):
    for file in ("nothing.csv", str(tmp_path), "https://example.org/rows.csv"):
        assert your_project.main([file, "--no-browser"]) == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_the_command_finds_the_task_out_as_the_notebook_does(notebooks, tmp_path):
    with_assets()
    file = str(data.write(mostly_labels(), tmp_path / "mostly.jsonl"))
    assert your_project.main([file, "--no-browser"]) == 0
    copy = chosen(notebooks / "my_mostly.ipynb")
    examples = data.read(file)
    assert copy["TASK"] is None and len(data.task(examples, copy["TASK"]).odd) == 5
    assert "I would say" not in copy["INSTRUCTIONS"]
    assert your_project.main([file, "--no-browser", "--overwrite", "--task", "text"]) == 0
    assert chosen(notebooks / "my_mostly.ipynb")["TASK"] == "text"


def two_shapes(folder: Path) -> Path:
    """Rows with columns, then rows of another shape."""
    lines = [f'{{"prompt": "{row.question}", "completion": "{row.answer}"}}' for row in different(["a", "b"] * 15)]
    lines += [json.dumps({"instruction": row.question, "output": row.answer}) for row in mostly_labels(30)[:10]]
    file = folder / "two.jsonl"
    file.write_text("\n".join(lines) + "\n")
    return file


def test_a_file_of_two_shapes_is_read_by_the_notebook_and_by_the_command(notebooks, tmp_path):
    file = two_shapes(tmp_path)
    assert len(data.read(file)) == 40
    assert len(as_far_as("data.read(", DATA=str(file), COLUMNS=None)["examples"]) == 40
    assert your_project.main([str(file), "--no-browser"]) == 0
    assert chosen(notebooks / "my_two.ipynb")["COLUMNS"] is None


def test_a_hash_in_a_files_name_is_no_sheet(notebooks, tmp_path):
    file = tmp_path / "C#.csv"
    tickets(tmp_path).rename(file)
    assert your_project.main([str(file), "--no-browser", "--project", "sharp"]) == 0
    assert (notebooks / chosen(notebooks / "my_sharp.ipynb")["DATA"]).resolve() == file.resolve()


def test_an_address_is_fetched_by_the_command_when_its_own_option_says_so(notebooks, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    tickets(tmp_path).rename(tmp_path / "rows.csv")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=tmp_path))
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/rows.csv"
    assert your_project.main([address, "--no-browser"]) == 2
    said = capsys.readouterr().err
    assert "--may-download" in said and "cell" not in said
    assert your_project.main([address, "--no-browser", "--may-download"]) == 0
    server.shutdown()
    copy = chosen(notebooks / "my_rows.ipynb")
    assert copy["DATA"] == address and copy["MAY_DOWNLOAD"] is True


def test_parts_of_large_files_are_no_larger_than_needed():
    assert your_project.shares(400) == {"train": 0.5, "validation": 0.25, "test": 0.25}
    large = your_project.shares(200_000)
    assert large["validation"] * 200_000 == 1_000 and sum(large.values()) == 1


# --- the notebook -----------------------------------------------------------------------------------------------------


def cell_with(text: str) -> str:
    notebook = nbformat.read(your_project.NOTEBOOKS / your_project.TEMPLATE, as_version=4)
    (cell,) = [cell for cell in notebook.cells if cell.cell_type == "code" and text in cell.source]
    return cell.source


def with_assets() -> None:
    """The real model in the test's own home, so that it is not fetched again."""
    home = kit_home()
    home.mkdir(exist_ok=True)
    if not (home / "assets").exists():
        (home / "assets").symlink_to(ASSETS)


def as_far_as(text: str, **parameters) -> dict:
    """The names that the notebook's cells have made, down to the one with ``text``, with other parameters."""
    with_assets()
    names: dict = {"display": lambda *_: None}
    for cell in nbformat.read(your_project.NOTEBOOKS / your_project.TEMPLATE, as_version=4).cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, "cell", "exec"), names)
            if "parameters" in cell.metadata.get("tags", ()):
                names |= {"PROJECT": "mine", "SHARES": SHARES, "INSTRUCTIONS": "Answer.", **parameters}
            if text in cell.source:
                return names
    raise AssertionError(f"no cell has {text}")


def test_the_parameters_cell_can_be_read_without_scrolling_and_says_what_a_name_may_be():
    """JupyterLab shows about 110 letters of a line in a window of 1280 pixels, and cuts comments off there."""
    cell = cell_with("PROJECT = ")
    assert [line for line in cell.splitlines() if len(line) > 110] == []
    assert "letters, digits, - and _" in cell


def test_the_samples_instructions_and_answers_are_those_of_the_parameters_cell():
    names: dict = {}
    exec(compile(cell_with("PROJECT = "), "parameters", "exec"), names)
    assert names["INSTRUCTIONS"] == your_project.SAMPLE_INSTRUCTIONS and names["ANSWERS"] == your_project.SAMPLE_ANSWERS
    assert (your_project.NOTEBOOKS / names["DATA"]).resolve() == your_project.SAMPLE_FILE


@pytest.mark.parametrize("make", ["tickets", "slots"])
def test_the_samples_instructions_never_measure_another_file(make, tmp_path):
    """A file of 24 diseases was asked whether its reviews are positive or negative."""
    about = {"COLUMNS": None, "INSTRUCTIONS": your_project.SAMPLE_INSTRUCTIONS}
    with pytest.raises(ProjectError, match="INSTRUCTIONS is still the sample's") as error:
        as_far_as("data.task(", DATA=str(globals()[make](tmp_path)), **about)
    pasted: dict = {}
    exec(str(error.value).splitlines()[-1].strip(), pasted)
    wanted = {"tickets": "a, b", "slots": "JSON list"}[make]
    assert wanted in pasted["INSTRUCTIONS"]
    as_far_as("data.task(", DATA=str(globals()[make](tmp_path)), COLUMNS=None, **pasted)
    same = tmp_path / "moods.jsonl"
    data.write(different(["positive", "negative"] * 20), same)
    as_far_as("data.task(", PROJECT="moods", DATA=str(same), **about)


def test_the_samples_answers_are_not_taken_for_another_file(tmp_path, capsys):
    mine = str(tickets(tmp_path))
    assert your_project.answers(your_project.SAMPLE_ANSWERS, mine) == {}
    assert "ANSWERS is still the sample's" in capsys.readouterr().out
    own = your_project.SAMPLE_ANSWERS | {"gap": "knowledge"}
    assert your_project.answers(own, mine) == own
    sample = str(your_project.SAMPLE_FILE)
    assert your_project.answers(your_project.SAMPLE_ANSWERS, sample) == your_project.SAMPLE_ANSWERS
    assert your_project.answers({}, mine) == {} and not capsys.readouterr().out
    assert as_far_as("show.checklist(", DATA=mine, COLUMNS=None)["panel"].answers == {}


def test_the_checklist_sends_nobody_to_a_lesson_for_what_comes_next_and_goes_on_with_what_was_measured(tmp_path):
    about = {"DATA": str(tickets(tmp_path, 80)), "COLUMNS": None, "ANSWERS": GIVEN | {"effort": "none"}}
    panel = as_far_as("show.checklist(", **about)["panel"]
    shown = panel.headline.value + panel.reasons.value
    assert "no prompt and no model has been measured yet" in shown and "answers alone" not in shown
    assert "The prompt ladder" in shown and "lesson 0" not in shown
    measured = next(one.evidence for one in cases() if one.name == "the sample journey").measurements
    kept = decide.collect(Project("mine"))
    again = show.checklist(Project("mine"), evidence=replace(kept, measurements=measured))
    assert "By your answers and what was measured" in again.headline.value


def test_what_the_report_calls_repair_is_said_above_it_and_works(tmp_path, monkeypatch):
    """“Keep one: repair() does”, in a notebook without any such call."""
    file = tickets(tmp_path)
    file.write_text(file.read_text() + file.read_text().splitlines()[-1] + "\n")
    names = as_far_as("report = data.check(", DATA=str(file), COLUMNS=None)
    assert "Keep one: repair() does." in set(names["report"].problems["fix"])
    notebook = nbformat.read(your_project.NOTEBOOKS / your_project.TEMPLATE, as_version=4)
    [said] = [cell.source for cell in notebook.cells if cell.cell_type == "markdown" and "repair()" in cell.source]
    call, data_line = re.search(r"`(print\(.*?\))`", said)[1], re.search(r'`DATA = "(.*?)"`', said)[1]
    monkeypatch.chdir(tmp_path)
    exec(call, names)
    assert len(as_far_as("data.read(", DATA=data_line, COLUMNS=None)["examples"]) == 40


def test_validation_rows_that_an_older_kit_kept_as_results_are_not_taken_for_test_rows():
    """Lesson 5 looked for the tuned model among them and ended in StopIteration."""
    project = begun(rows(*"ab" * 20))
    project.set("results", {"split": "validation", "candidates": {}})
    with pytest.raises(ProjectError, match="04_evaluate"):
        project.require("results")


@pytest.mark.priced
def test_lesson_4_takes_a_price_for_the_tuned_model_at_a_paid_host():
    """A flat PRICE is that of one model; the ids of the tuned ones are not known before."""
    lesson = nbformat.read(your_project.NOTEBOOKS / "04_evaluate.ipynb", as_version=4)
    (cell,) = [cell.source for cell in lesson.cells if cell.cell_type == "code" and "prompted + tuned" in cell.source]
    (chosen_here,) = [cell.source for cell in lesson.cells if "parameters" in cell.metadata.get("tags", ())]
    with_assets()
    project, host = begun(rows(*"ab" * 20)), Host(lambda body, before: (200, {}, completion(body, "a")))
    material = evaluate.material(project, SAMPLE)
    names: dict = {}
    exec(compile(chosen_here, "parameters", "exec"), names)
    names |= {
        "evaluate": evaluate, "project": project, "material": material, "train": material.train, "MODEL": "m",
        "test": material.held_out, "client": host.client(), "models": ["ft:1"], "ROWS": 4, "SPEND_LIMIT_USD": 1,
        "prompted": [Candidate("plain", "m", max_tokens=2)], "PRICE": {"input": 1, "output": 1},
        "tuned": [Candidate("tuned, seed 1", "ft:1", tuned=True, max_tokens=2)],
        "TUNED_PRICE": {"input": 2, "output": 2}, "pricing": pricing,
    }  # fmt: skip
    exec(compile(cell, "cell", "exec"), names)
    host.close()
    spent = names["asked"].table()["usd_per_1000"]
    assert spent["tuned, seed 1"] == pytest.approx(2 * spent["plain"]) and spent["plain"] > 0


def test_another_task_for_the_same_rows_is_refused_before_they_are_split_anew(tmp_path):
    about = {"DATA": str(data.write(mostly_labels(), tmp_path / "mine.jsonl")), "COLUMNS": None}
    before = as_far_as("keep_task", **about)["project"].get("splits")
    with pytest.raises(ProjectError, match="95 rows.*100 rows.*START_AGAIN"):
        as_far_as("keep_task", **about, TASK="text")
    assert Project("mine").get("splits") == before
    as_far_as("keep_task", **about)
    same = tmp_path / "same.jsonl"
    data.write(different(["a", "b"] * 20), same)
    as_far_as("keep_task", PROJECT="same", DATA=str(same), COLUMNS=None)
    with pytest.raises(ProjectError, match="TASK 'labels' before, 'text' now"):
        as_far_as("keep_task", PROJECT="same", DATA=str(same), COLUMNS=None, TASK="text")


def test_the_rows_that_are_measured_and_shown_are_drawn_from_the_whole_of_a_sorted_file(tmp_path):
    file = data.write(different(["ham"] * 60 + ["spam"] * 20), tmp_path / "sorted.jsonl")
    names = as_far_as("data.draw(", DATA=str(file), COLUMNS=None, ROWS=12)
    assert {row.answer for row in names["measured"]} == {"ham", "spam"} and len(names["measured"]) == 12
    assert "12 of 20 rows drawn (seed 1), 2 of 2 labels among them" in str(names["drawn"])
    ladder = evaluate.rungs(names["rows"], "m", "Sort.", pool=names["parts"].train, about=names["task"])
    assert {shot.answer for rung in ladder for shot in rung.shots} >= {"ham", "spam"}


def test_the_list_of_public_sets_names_origin_hash_and_parameters_that_there_are():
    listed = tomllib.loads((SAMPLE.parents[2] / "benchmarks" / "public_sets.toml").read_text())["set"]
    names = your_project._names(cell_with("PROJECT = "))
    assert len(listed) >= 14 and len({one["name"] for one in listed}) == len(listed)
    for one in listed:
        assert {"what", "repo", "path", "file"} <= set(one) and len(one["commit"]) == 40 and len(one["sha256"]) == 64
        assert {*one["set"], *one.get("train", {})} <= set(names)


def test_other_cases_of_the_same_conversations_are_refused_before_they_are_split_anew(tmp_path):
    chance = random.Random(4)
    turns = [{"role": ("user", "assistant")[n % 2], "content": " ".join(chance.sample(WORDS, 8))} for n in range(160)]
    file = data.write([Example(tuple(turns[n : n + 4])) for n in range(0, 160, 4)], tmp_path / "chats.jsonl")
    as_far_as("keep_task", DATA=str(file), COLUMNS=None)
    with pytest.raises(ProjectError, match="40 rows.*80 rows.*CASES 'last' before, 'all' now"):
        as_far_as("keep_task", DATA=str(file), COLUMNS=None, CASES="all")


def test_a_cell_that_is_run_twice_adds_no_prompt_twice_and_test_results_stay_test_results(tmp_path):
    """Cells of the notebook at a running server that always says "a"."""
    host = Host(lambda body, before: (200, {}, completion(body, "a")))
    asked = {
        "DATA": str(tickets(tmp_path, 80)), "COLUMNS": None, "HOST": host.base_url, "MODEL": "m", "DECLARED": "target",
        "TRAIN_AT": "local", "PRICE": {"input": 0, "output": 0}, "SEARCH_CALLS": 60, "ROWS": 8,
    }  # fmt: skip
    names = as_far_as("evaluate.plateau(", **asked)
    rungs, once = len(names["rungs"]), list(names["ladder"].candidates)
    assert len(once) == len(set(once)) == rungs + 2, "two searches"
    calls = len(host.calls)
    exec(cell_with("evaluate.choose_examples("), names)
    host.close()
    assert list(names["ladder"].candidates) == once and len(names["rungs"]) == rungs and len(host.calls) == calls
    project = names["project"]
    assert project.get("results") is None, "lesson 5 would take validation rows for test rows"
    assert project.get("prompt")["name"] == names["ladder"].winner()
    assert evaluate.material(project, SAMPLE).today(names["ladder"]) == names["ladder"].winner()


def test_the_tuned_model_s_texts_are_seen_and_profiled_on_the_test_rows(tmp_path):
    """A reader who had trained on product copy never saw a text of the tuned model."""
    host = Host(lambda body, before: (200, {}, completion(body, "A calm <lamp>" if body["model"] == "ft" else "Loud!")))
    asked = {"HOST": host.base_url, "MODEL": "m", "DECLARED": "target", "PRICE": {"input": 0, "output": 0}, "ROWS": 8}
    names = as_far_as("free_text.profile(", DATA=str(replies(tmp_path)), COLUMNS=None, RULES=CALM, **asked)
    every, shown = [*names["all_rungs"], Candidate("tuned", "ft", tuned=True)], []
    options = names["options"] | {"split": "test", "price": dict.fromkeys(("m", "ft"), {"input": 0, "output": 0})}
    final = evaluate.run(names["client"], every, names["parts"].test, names["scored"], **options)
    names |= {"go_on": True, "final": final, "display": shown.append}
    exec(cell_with("show.answers_seen(final"), names)
    exec(cell_with("free_text.copies(final"), names)
    host.close()
    seen, table = (view.data for view in shown)
    assert "tuned: keeps all rules (8)" in seen and "A calm &lt;lamp&gt;" in seen and "Loud!" not in seen
    winner = names["ladder"].winner()
    assert all(f">{name}</th>" in table for name in ("tuned", winner, "your answers"))
    assert table.count('scope="row"') == 3 and "8 test rows" in table
    names |= {"go_on": False, "display": pytest.fail}
    exec(cell_with("show.answers_seen(final"), names)
    exec(cell_with("free_text.copies(final"), names)


def test_no_exercise_overwrites_a_name_that_another_cell_has_made():
    made: dict[bool, set[str]] = {True: set(), False: set()}
    for cell in nbformat.read(your_project.NOTEBOOKS / your_project.TEMPLATE, as_version=4).cells:
        if cell.cell_type == "code":
            stored = {n.id for n in ast.walk(ast.parse(cell.source)) if isinstance(getattr(n, "ctx", None), ast.Store)
                      and isinstance(n, ast.Name)}  # fmt: skip
            made["exercise" in cell.metadata.get("tags", ())] |= stored
    assert made[True] and not made[True] & made[False]


@pytest.mark.priced
def test_the_tuned_models_have_a_price_of_their_own():
    base, tuned = {"input": 1, "output": 2}, {"input": 3, "output": 4}
    assert pricing.with_tuned(base, tuned, "m", ["m", "ft:1", "ft:2"]) == {"m": base, "ft:1": tuned, "ft:2": tuned}
    assert pricing.with_tuned({"m": base, "r": base}, tuned, "m", ["ft:1"]) == {"m": base, "r": base, "ft:1": tuned}
    assert pricing.with_tuned(None, tuned, "m", ["m", "ft:1"]) == {"m": tuned, "ft:1": tuned}
    assert pricing.with_tuned(None, None, "m", ["m", "ft:1"]) is None
    unnamed = providers.connect("http://127.0.0.1:9/v1")
    pricing.require(unnamed, tuned)
    with pytest.raises(EvaluationError, match="not a number"):
        pricing.require(unnamed, {"input": 1, "output": "2"})
    with pytest.raises(ConsentError, match="TUNED_PRICE.*Nothing was started"):
        pricing.require(unnamed, None)


@pytest.mark.filterwarnings("ignore:paid, according to the dated facts")
def test_a_paid_host_starts_from_the_notebook_within_the_limit_and_is_refused_with_the_estimate_above_it(
    paid,  # noqa: F811
    tmp_path,
    monkeypatch,
):
    """The notebook's own cells, at a running host that is taken for a paid one."""
    monkeypatch.setattr("helpers.providers.is_free", lambda client: False)
    train, validation = tmp_path / "train.jsonl", tmp_path / "validation.jsonl"
    train.write_bytes(chat_rows(200)), validation.write_bytes(chat_rows(20, words=3))
    names = {
        "go_on": True, "connect": providers.connect, "jobs": jobs, "show": show, "project": Project("mine"),
        "TRAIN_AT": "rehearsal", "BASE": "", "EPOCHS": 2, "MAY_UPLOAD_TO": "paid", "SPEND_LIMIT_USD": 0,
        "display": lambda *_: None, "TUNED_PRICE": {"input": 1, "output": 2}, "pricing": pricing,
        "paths": {"train": train, "validation": validation},
    }  # fmt: skip
    exec(cell_with("jobs.predict("), names)
    twice = names["forecast"].usd
    names["EPOCHS"] = None
    exec(cell_with("jobs.predict("), names)
    estimate = names["forecast"].usd
    assert twice == pytest.approx(2 / 3 * estimate), "3 passes are what that host takes by itself"
    assert estimate > 0
    with pytest.raises(ConsentError, match=rf"up to \${estimate:.2f}"):
        exec(cell_with("jobs.start("), names)
    assert not paid.jobs
    names["SPEND_LIMIT_USD"] = estimate
    names["TUNED_PRICE"] = None
    with pytest.raises(ConsentError, match="TUNED_PRICE"):
        exec(cell_with("jobs.start("), names)
    assert not paid.jobs, "what it costs to ask the tuned model is asked before the training is paid for"
    names["TUNED_PRICE"] = {"input": 1, "output": 2}
    exec(cell_with("jobs.start("), names)
    (job,) = paid.jobs.values()
    assert job["asked"]["training_file"] == names["files"]["training_file"] and names["job"].status == "succeeded"


@pytest.mark.filterwarnings("ignore:paid, according to the dated facts")
def test_a_host_whose_number_of_passes_is_not_known_says_what_to_set_and_starts_once_it_is(
    paid,  # noqa: F811
    tmp_path,
    monkeypatch,
):
    """Nebius, and any host that is added: without its own number of passes there is no price, at whatever limit."""
    far_away = forecast.host_of
    for room in (forecast, running):
        monkeypatch.setattr(room, "host_of", lambda client: replace(far_away(client), facts_name="nebius",
                                                                    priced_as="under-20b"))  # fmt: skip
    train, validation = tmp_path / "train.jsonl", tmp_path / "validation.jsonl"
    train.write_bytes(chat_rows(200)), validation.write_bytes(chat_rows(20, words=3))
    names = {
        "go_on": True, "connect": providers.connect, "jobs": jobs, "show": show, "project": Project("mine"),
        "TRAIN_AT": "rehearsal", "BASE": "", "EPOCHS": None, "MAY_UPLOAD_TO": "paid", "SPEND_LIMIT_USD": 1_000_000,
        "display": lambda *_: None, "TUNED_PRICE": {"input": 1, "output": 2}, "pricing": pricing,
        "paths": {"train": train, "validation": validation},
    }  # fmt: skip
    exec(cell_with("jobs.predict("), names)
    with pytest.raises(ConsentError, match="EPOCHS"):
        exec(cell_with("jobs.start("), names)
    assert not paid.jobs
    names["EPOCHS"] = 3
    exec(cell_with("jobs.predict("), names)
    exec(cell_with("jobs.start("), names)
    (job,) = paid.jobs.values()
    assert job["asked"]["method"]["supervised"]["hyperparameters"]["n_epochs"] == 3


def test_a_host_that_does_not_serve_the_untuned_base_still_comes_to_the_release_gate(local_api, tmp_path, capsys):
    """The notebook's own cell, after a training that may have been paid for: only the probes are not known."""
    client, some = local_api.client(), rows(*"ab" * 4)
    prompts = [Candidate("plain", TINY, max_tokens=2), Candidate("tuned", TINY, max_tokens=3, tuned=True)]
    options = {"store": tmp_path / "s.sqlite", "progress": False}
    shown = []
    exec(
        cell_with("probes.run("),
        {
            "go_on": True, "ladder": SimpleNamespace(winner=lambda: "plain"), "best": SimpleNamespace(model=TINY),
            "job": SimpleNamespace(model="not-served"), "trainer": client, "priced": options, "found": {"errors": 0},
            "final": evaluate.run(client, prompts, some, [metrics.exact_match], **options), "show": show,
            "display": shown.append, "deploy": deploy, "probes": evaluate.probes, "Candidate": Candidate,
            "HostError": HostError, "GATE": {"errors in the training data": {"at_most": 0}},
        },
    )  # fmt: skip
    assert "What tuning broke is not known" in (said := capsys.readouterr().out) and "not-served" in said
    assert "The tuned model against “plain”, the best prompt on the validation rows:" in said
    assert "errors in the training data" in shown[0].data


def test_the_exercise_on_prompts_needs_no_rung_with_examples(capsys):
    """Long articles leave no room for an example in any prompt."""
    article = {"role": "user", "content": "It goes on. " * 9_000}
    long = [Example((article, {"role": "assistant", "content": label})) for label in "ab" * 4]
    rungs = evaluate.rungs(long, "m", "Label it.", pool=long)
    assert not any(rung.shots for rung in rungs)
    exec(cell_with("mine = ...  # a string"), {"rungs": rungs, "show": show, "replace": replace})
    assert "Not answered yet" in capsys.readouterr().out


def replies(folder: Path, n: int = 32) -> Path:
    chance = random.Random(2)
    asked = [f"My {' '.join(chance.sample(WORDS, 6))} arrived broken." for _ in range(n)]
    said = [
        f"We are sorry about the {' and the '.join(chance.sample(WORDS, 5))}: a new one leaves today." for _ in asked
    ]
    rows = zip(asked, said, strict=True)
    file = folder / "replies.jsonl"
    file.write_text("".join(json.dumps({"prompt": one, "completion": other}) + "\n" for one, other in rows))
    return file


def slots(folder: Path, n: int = 32) -> Path:
    """Answers that are JSON lists: no field has a name of its own."""
    chance = random.Random(3)
    wanted = [sorted(chance.sample(WORDS, 2)) for _ in range(n)]
    rows = [{"prompt": f"Two of {' and of '.join(two)}, please.", "completion": json.dumps(two)} for two in wanted]
    file = folder / "slots.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.mark.parametrize("make, kind", [(tickets, "labels"), (replies, "text"), (slots, "fields")])
def test_from_a_file_to_a_verdict_and_its_record_without_a_browser(make, kind, tmp_path, monkeypatch, capsys):
    """The whole notebook, run for real on this machine's model, on rows that are not the sample's."""
    monkeypatch.setenv("KIT_BRIEF", "1")
    home = tmp_path / "kit"
    home.mkdir()
    (home / "assets").symlink_to(ASSETS)
    copy = your_project.NOTEBOOKS / "my_test_of_the_command.ipynb"
    answers = "gap=behaviour,good_output=clear,effort=days,evaluation=fixed_set"
    asked = ["--project", "test-of-the-command", "--run", "--overwrite", "--answers", answers]
    try:
        status = your_project.main([str(make(tmp_path)), *asked])
        outputs = [one.get("outputs", ()) for one in nbformat.read(copy, as_version=4).cells]
    finally:
        providers.local.stop()
        copy.unlink(missing_ok=True)
    said = capsys.readouterr()
    assert status == 0, said.err
    assert "Verdict: " in said.out and "in your_project" in said.out
    record = json.loads((home / "projects" / "test-of-the-command" / "record.json").read_text())
    assert record["question"] == "Prompt or fine-tune: test-of-the-command" and record["verdict"]["next_steps"]
    assert Project("test-of-the-command").get("task")["kind"] == kind
    decides = [m for m in record["evidence"]["measurements"] if m["headline"] and m["unit"] == "share"]
    assert bool(decides) == (kind != "text"), "free text without rules has no score that decides"
    assert max(map(len, outputs)) < 12, "each step of a progress bar was kept as an output: 2,000 of them"


def test_sections_that_steps_name_are_there():
    notebook = nbformat.read(your_project.NOTEBOOKS / your_project.TEMPLATE, as_version=4)
    headings = {line[3:] for cell in notebook.cells for line in cell.source.splitlines() if line.startswith("## ")}
    named = re.findall(r"“(.+?)” in your_project", " ".join(OWN_PROJECT.values()))
    assert len(named) == 3 and set(named) <= headings


def test_a_key_that_is_missing_at_an_address_is_named_when_prompts_are_asked(local_api, tmp_path):
    address = local_api.ready["base_url"]
    prompt = Candidate("plain", "tiny", max_tokens=2)
    with pytest.raises(HostError) as caught:
        evaluate.run(providers.connect(address), [prompt], rows("a", "b"), [evaluate.metrics.exact_match],
                     store=tmp_path / "s.sqlite", price={"input": 0, "output": 0})  # fmt: skip
    assert providers.key_variable_of(address) in str(caught.value)


def test_a_prompt_that_a_search_found_is_compared_in_later_lessons():
    project = Project("found")
    assert evaluate.material(project, SAMPLE).found("any") == []
    shot = Example(({"role": "user", "content": "Where is it?"}, {"role": "assistant", "content": "{}"}))
    project.keep_found(Candidate("+ 1 chosen example", "the searched model", system="Sort.", shots=(shot,), tries=9))
    [again] = evaluate.material(Project("found"), SAMPLE).found("another model", "target")
    assert again == Candidate(
        "+ 1 chosen example", "another model", system="Sort.", shots=(shot,), tries=9, declared="target"
    )
