"""Evidence has an identity: roles are found out, measurements are kept, and only the same rows are compared."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import openai
import pytest
from decide_cases import cases, measurement
from evaluate_host import Host

from helpers import decide, evaluate, ledger
from helpers.decide import load_record
from helpers.errors import DecisionError, EvaluationError, HostError, ProjectError
from helpers.evaluate import Results, free_text, metrics
from helpers.evaluate.inference.store import Reply
from helpers.evaluate.results.scoring import score_replies
from helpers.facts.names import base_of, size_in_name
from helpers.project import Project
from helpers.providers import models
from helpers.records import Candidate, Example

TODAY = date(2026, 11, 29)
OLDER = Path(__file__).parent / "made_by_older_kits"
READY = next(case for case in cases() if case.name == "measured plateau, own people").answers


@pytest.fixture
def project(tmp_path, monkeypatch) -> Project:
    monkeypatch.setenv("KIT_HOME", str(tmp_path))
    monkeypatch.setenv("KIT_TODAY", TODAY.isoformat())
    return Project("shop")


# ------------------------------------------------------------------ what is known of a model


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("Qwen3-0.6B", 0.6), ("smollm2-135m-instruct", 0.135), ("mixtral-8x7b-instruct", 56), ("qwen3-30b-a3b", 30),
        ("glm-4-9b-chat-1m", 9), ("gpt-6-luna", None), ("meta-llama/Llama-3.1-8B-Instruct", 8), ("gemma3:270m", 0.27),
        ("qwen2.5-0.5b_q4", 0.5), ("phi-3.5-mini", None), ("long-context-1m", None), ("web3b", None), ("", None),
    ],
)  # fmt: skip
def test_a_size_is_read_off_a_name(name, billions):
    assert size_in_name(name) == (None if billions is None else pytest.approx(billions))


def test_a_tuned_model_is_known_by_its_base():
    assert base_of("ft:smollm2-135m-instruct:kit::ab12") == "smollm2-135m-instruct"
    assert (base_of("gpt-6-luna"), base_of("ft:")) == ("gpt-6-luna", "")


class Describing:
    """A server that describes its models as Ollama does at ``/api/show`` and as the local API does with its list."""

    def __init__(self, port: int = 0, parameters: int | None = None) -> None:
        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                shown = {"model_info": {"general.parameter_count": parameters}} if "/api/show" in self.path else {
                    "id": "m", "object": "model", "created": 1, "owned_by": "x", "parameters": parameters}  # fmt: skip
                data = json.dumps(shown if parameters else {"error": {"message": "no such model"}}).encode()
                self.send_response(200 if parameters else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = answer

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        address = f"http://127.0.0.1:{self.server.server_port}/v1"
        http = openai.DefaultHttpxClient(trust_env=False)
        self.client = openai.OpenAI(base_url=address, api_key="x", http_client=http)


@pytest.fixture
def describing() -> Iterator:
    made = []

    def start(**options) -> openai.OpenAI:
        made.append(Describing(**options))
        return made[-1].client

    yield start
    for one in made:
        one.server.shutdown()
        one.server.server_close()


def test_the_hosts_own_word_comes_before_the_name(describing, monkeypatch):
    client = describing(parameters=7_600_000_000)
    assert models.known(client, "tiny-0.1b").parameters == pytest.approx(7.6)
    monkeypatch.setattr(models, "OLLAMA_PORT", client.base_url.port)
    found = models.known(client, "qwen3:latest")
    assert found.parameters == pytest.approx(7.6) and found.how.startswith("its host says")


def test_without_the_hosts_word_the_name_counts_then_the_price_table(describing):
    client = describing()
    assert models.known(client, "Qwen3-0.6B").how == "its name says 0.6 billion parameters"
    for name in ("gpt-6-luna", "openai/gpt-6-luna"):
        sold = models.known(client, name)
        assert sold.parameters is None and "sold by the call" in sold.how and "http" in sold.how
    assert models.known(client, "our-own-model") == models.Known()


SMALL, LARGE = models.Known(0.135, "its name says 0.135"), models.Known(8.0, "its name says 8")
SOLD, NOTHING = models.Known(None, "sold by the call"), models.Known()


@pytest.mark.parametrize(
    ("about", "declared", "counts", "says"),
    [
        (SMALL, "", "teaching", "0.135"),
        (SMALL, "target", "teaching", "declaration “target” does not count"),
        (LARGE, "", "target", "8"),
        (LARGE, "teaching", "target", "declaration “teaching” does not count"),
        (SOLD, "", "target", "sold by the call"),
        (NOTHING, "target", "target", "declared by you"),
        (NOTHING, "teaching", "teaching", "declared by you"),
        (NOTHING, "", "teaching", "declare it"),
    ],
)
def test_a_role_follows_from_what_is_known(about, declared, counts, says):
    role, known_by = models.role(Candidate("c", "m", declared=declared), about)
    assert role == counts and says in known_by


def test_a_tuned_model_is_tuned_whoever_forgets_to_say_so():
    assert models.role(Candidate("c", "ft:m:x"), SMALL)[0] == "tuned"
    assert models.role(Candidate("c", "job-17", tuned=True), NOTHING)[0] == "tuned"
    with pytest.raises(HostError, match="cannot be declared 'best'"):
        models.role(Candidate("c", "m", declared="best"), NOTHING)


# ------------------------------------------------------------------ the ledger

ROWS = [Example(({"role": "user", "content": f"say {n}"}, {"role": "assistant", "content": str(n)})) for n in range(60)]


def answering(right: dict[str, float]):
    """A server on which each model answers this share of the questions rightly; the same rows for all."""

    def fault(body: dict, _: int):
        n = int(body["messages"][-1]["content"].removeprefix("say "))
        from evaluate_host import completion

        return 200, {}, completion(body, str(n) if n < round(60 * right[body["model"]]) else "wrong")

    return Host(fault)


def run(host: Host, model: str, name: str, rows=ROWS, split="test", **more):
    one = Candidate(name, model, **more)
    return evaluate.run(host.client(), [one], rows, [metrics.exact_match], split=split, progress=False,
                        store=Project("shop").folder / "answers.sqlite")  # fmt: skip


def test_a_comparison_with_the_teaching_model_is_none_with_a_target_of_the_same_name(project):
    """The teaching model and the target carry the same rung's name; only the target's own lead counts."""
    host = answering({"smollm2-135m-instruct": 0.1, "gpt-6-luna": 0.9, "ft:smollm2-135m-instruct:kit": 0.4})
    for model in ("smollm2-135m-instruct", "gpt-6-luna"):
        evaluate.keep(project, run(host, model, "+ 4 nearest"))
    evaluate.keep(project, run(host, "ft:smollm2-135m-instruct:kit", "tuned", tuned=True))
    host.close()
    evidence = decide.collect(project)
    verdict = decide.decide(READY, evidence, TODAY)
    assert verdict.choice == "keep_prompting" and not verdict.allows_training
    assert any("−50.0 points" in reason for reason in verdict.reasons), verdict.reasons


def test_nothing_is_overwritten_and_the_newest_is_taken(project):
    first, second = measurement("target", key="a", score=0.5), measurement("target", key="a", score=0.9)
    other = measurement("teaching", key="b")
    ledger.add(project, [ledger.Entry(first, np.ones(4)), ledger.Entry(other, np.zeros(4))])
    ledger.add(project, [ledger.Entry(second, np.array([1.0, np.nan, 0.0, 1.0]))])
    assert len(project.get("ledger")["measurements"]) == 3
    entries, _ = ledger.newest(project)
    assert [(e.measurement.candidate, e.measurement.score) for e in entries] == [("b", 0.5), ("a", 0.9)]
    assert np.isnan(entries[1].scores[1]) and entries[1].scores[3] == 1


def test_keeping_the_same_again_adds_nothing(project):
    for day in ("2026-11-28", "2026-11-29"):
        ledger.add(project, [ledger.Entry(measurement("target", key="a", day=day), np.array([0.25, np.nan]))])
    [line] = project.get("ledger")["measurements"]
    assert line["day"] == "2026-11-28"
    assert ledger.newest(project)[0][0].scores[0] == 0.25


def test_only_the_same_rows_and_metric_are_compared(project):
    def entry(role, key, rows, metric="m", unit="share"):
        one = measurement(role, key=key, rows=rows, metric=metric, unit=unit)
        return ledger.Entry(one, np.array([1.0, 0.0, 1.0, 1.0]))

    tuned = entry("tuned", "t", "test")
    rivals = [entry("target", "x", "test"), entry("target", "y", "validation"), entry("target", "z", "test", "other"),
              entry("no language model", "c", "test"), entry("tuned", "t2", "test")]  # fmt: skip
    found = {(c.a_id, c.b_id) for c in ledger.comparisons([tuned, *rivals])}
    assert ("t/test/m", "x/test/m") in found and ("t/test/m", "c/test/m") in found
    assert ("c/test/m", "x/test/m") in found and ("t2/test/m", "x/test/m") in found
    assert not any("y/" in side or "z/" in side for pair in found for side in pair)
    assert ("t/test/m", "t2/test/m") not in found
    likeness = [entry(role, role, "test", unit="likeness") for role in ("tuned", "target")]
    assert ledger.comparisons(likeness) == ()


def test_scores_by_other_rules_are_never_compared_though_their_measure_has_the_same_name(project):
    def kept(model: str, most: int, tuned: bool = False) -> Results:
        scored = free_text.measures([{"id": "short", "kind": "word_count", "min": 0, "max": most}], ROWS, facts=False)
        about = {"id": model, "model": model, "host": "h", "role": "tuned" if tuned else "target", "known_by": "",
                 "parameters": 8.0}  # fmt: skip
        replies = [Reply("five words in every answer", "", "stop", 1, 1, 1, 0.1)] * len(ROWS)
        results = score_replies(model, about, ROWS, replies, scored, split="test")
        evaluate.keep(project, results)
        return results

    target = kept("target", 3)
    tuned = kept("tuned", 9, tuned=True)
    assert ledger.comparisons(ledger.newest(project)[0]) == (), "no word of 100 points between two sets of rules"
    with pytest.raises(EvaluationError, match="different rules.*all_rules"):
        target.merge(tuned)
    again = Results.from_json(kept("target", 9).to_json())
    entries = ledger.newest(project)[0]
    told = [e.measurement.metric for e in entries if e.measurement.name == "target"]
    assert sum("all_rules" in one for one in told) == 2, "the older evidence stays, as a measure of its own"
    found = ledger.comparisons(entries)
    assert found and {one.difference for one in found} == {0} and again.versions == tuned.versions
    assert list(tuned.merge(again).candidates) == ["tuned", "target"]
    described = [{"id": "1", "kind": "word_count", "min": 0, "max": 9, "description": "at most nine words"}]
    assert free_text.measures(described, ROWS, facts=False)[0].version == tuned.versions["all_rules"]


def test_a_target_measured_first_is_there_when_everything_else_comes_later(project):
    host = answering({"gpt-6-luna": 0.9, "smollm2-135m-instruct": 0.1, "ft:smollm2-135m-instruct:kit": 0.4})
    evaluate.keep(project, run(host, "gpt-6-luna", "rules", ROWS[:30], "validation"))
    evaluate.keep(project, run(host, "smollm2-135m-instruct", "rules"))
    evaluate.keep(project, run(host, "ft:smollm2-135m-instruct:kit", "tuned", tuned=True))
    evidence = decide.collect(project)
    assert [one.role for one in evidence.measurements] == ["target", "teaching", "tuned"]
    verdict = decide.decide(READY, evidence, TODAY)
    assert verdict.choice == "measure_target" and "answered different rows" in verdict.headline
    assert (
        "cents" in verdict.next_steps[0]
        and "gpt-6-luna" in verdict.next_steps[0]
        and "60 test" in verdict.next_steps[0]
    )
    assert "(60 rows, each asked with 1 prompt of" in verdict.next_steps[0], "this prompt, and no example"
    evaluate.keep(project, run(host, "gpt-6-luna", "rules"))
    host.close()
    assert decide.decide(READY, decide.collect(project), TODAY).choice == "keep_prompting"


def test_a_plateau_test_says_whose_it_is(project):
    host = answering({"gpt-6-luna": 0.9})
    names = ["a", "b", "c", "d"]
    asked = [Candidate(name, "gpt-6-luna", system=name) for name in names]
    results = evaluate.run(
        host.client(), asked, ROWS, [metrics.exact_match], progress=False, store=project.folder / "s"
    )
    host.close()
    evaluate.keep(project, results, evaluate.plateau(results, worth=0.05))
    [test] = decide.collect(project).plateaus
    assert (test.model, test.role, test.tries, test.worth) == ("gpt-6-luna", "target", 4, 0.05)
    assert test.candidates == tuple(results.candidates[name]["id"] for name in names)
    assert test.rows == decide.collect(project).measurements[0].rows


def test_a_damaged_ledger_is_named(project):
    for damaged in ({"measurements": [{"x": 1}]}, {"plateaus": [1]}, ["list"]):
        project.set("ledger", damaged)
        with pytest.raises(ProjectError, match="'shop' cannot be read"):
            decide.collect(project)


def test_likeness_decides_nothing_and_the_verdict_says_so(project):
    rows = [Example(({"role": "user", "content": f"say {n}"}, {"role": "assistant", "content": f"a text {n}"}))
            for n in range(30)]  # fmt: skip
    host = Host()
    asked = [Candidate(name, "gpt-6-luna", system=name) for name in "abcd"]
    store = project.folder / "s.sqlite"
    results = evaluate.run(host.client(), asked, rows, metrics.default(rows), progress=False, store=store)
    host.close()
    evaluate.keep(project, results, evaluate.plateau(results))
    evidence = decide.collect(project)
    assert evidence.plateaus == () and {one.unit for one in evidence.measurements if one.headline} == {"likeness"}
    verdict = decide.decide(READY, evidence, TODAY)
    assert verdict.choice == "measure_target"
    assert any("likeness to the ideal answer only finds odd rows" in one for one in verdict.not_measured)


# ------------------------------------------------------------------ what an older kit left


def test_an_older_project_is_read_and_what_is_missing_is_named(project):
    project.folder.joinpath("project.json").write_bytes((OLDER / "project_before_measurements.json").read_bytes())
    evidence = decide.collect(project)
    assert {one.role for one in evidence.measurements} == {"teaching"}, "135 million parameters, whatever was typed"
    assert evidence.comparisons == () and evidence.data.rows == 240 and evidence.cost.probability == 0.1
    missing = " ".join(evidence.not_measured)
    for what in ("kept no hash of their rows", "joined candidates by their names", "does not say whose prompts"):
        assert what in missing
    verdict = decide.decide(project.get("checklist")["first"], evidence, TODAY)
    assert verdict.choice == "measure_target"
    assert all(any(what in one for one in verdict.not_measured) for what in ("lesson 00", "lesson 04"))
    host = answering({"gpt-6-luna": 0.9})
    evaluate.keep(project, run(host, "gpt-6-luna", "rules"))
    host.close()
    after = decide.collect(project)
    assert [one.model for one in after.measurements] == ["gpt-6-luna"] and after.not_measured == ()


def test_older_results_still_make_a_table(project):
    stored = json.loads((OLDER / "project_before_measurements.json").read_text(encoding="utf-8"))["results"]
    table = evaluate.Results.from_json(stored).table()
    assert set(table["role"]) == {"teaching", "tuned", "no language model"}


def test_an_older_record_is_read_and_shown_with_what_is_missing():
    record = load_record(OLDER / "record_before_measurements.json")
    assert record.recorded.choice == "measure_target" == record.verdict.choice
    assert any("kept no hash of their rows" in one for one in record.verdict.not_measured)
    page = record.html()
    assert "rival 3" in page and "declared by you to an older version of the kit" in page
    assert replace(record, recorded=None).markdown()


def test_a_damaged_older_record_is_refused(tmp_path):
    content = json.loads((OLDER / "record_before_measurements.json").read_text(encoding="utf-8"))
    content["evidence"]["prompt_scores"][0].pop("model")
    path = tmp_path / "record.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DecisionError, match="damaged record"):
        load_record(path)
