"""The article on trial: the rules that give the verdicts, the data, and that every claim is heard once."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import nbformat
import numpy as np
import pytest
from running_api import TINY

from helpers import facts, statistics
from helpers.errors import EvaluationError
from helpers.evaluate.prompts.candidates import messages
from helpers.records import Comparison
from helpers.show.charts import trial as showing
from helpers.trial import VERDICTS, Finding, Trial, amount, bench, claims, limits, sums, verdicts
from helpers.trial.finding import HOLDS, LEFT_OUT, NOT, OVERTAKEN, PARTLY, UNTESTED, mark
from helpers.trial.trial import COUNTED, MEASURED

TOP = Path(__file__).resolve().parents[1]
NOTEBOOK = TOP / "notebooks" / "extra" / "the_article_on_trial.ipynb"


def pair(a_right: int, b_right: int, rows: int = 80) -> Comparison:
    """Two candidates on the same rows, so many of them right, as unlike as can be."""
    a, b = np.arange(rows) < a_right, np.arange(rows)[::-1] < b_right
    return statistics.compare(a.astype(float), b.astype(float))


TRUE_OF_NONSENSE = ("new_facts",)
"""What holds even for a model that answers at random: it has learned no facts."""

BETTER, WORSE, CLOSE = pair(70, 20), pair(20, 70), pair(41, 39)


# --- rules -----------------------------------------------------------------------------------------------------------


def test_the_comparisons_of_this_test_say_what_they_are_called():
    assert [verdicts.told(one) for one in (BETTER, WORSE, CLOSE)] == [1, -1, 0]


@pytest.mark.parametrize(
    ("rule", "given", "verdict"),
    [
        (verdicts.by_direction, (BETTER,), HOLDS),
        (verdicts.by_direction, (WORSE,), NOT),
        (verdicts.by_direction, (CLOSE,), UNTESTED),
        (verdicts.behaviour, ([BETTER, BETTER], BETTER), HOLDS),
        (verdicts.behaviour, ([BETTER, CLOSE], BETTER), PARTLY),
        (verdicts.behaviour, ([WORSE, WORSE], CLOSE), UNTESTED),
        (verdicts.behaviour, ([WORSE, WORSE], WORSE), NOT),
        (verdicts.prompt_length, (WORSE, BETTER), HOLDS),
        (verdicts.prompt_length, (WORSE, CLOSE), UNTESTED),
        (verdicts.prompt_length, (WORSE, pair(1900, 1900, 2000)), HOLDS),
        (verdicts.prompt_length, (WORSE, WORSE), PARTLY),
        (verdicts.prompt_length, (CLOSE, BETTER), NOT),
        (verdicts.plateau, ("plateaued", BETTER), HOLDS),
        (verdicts.plateau, ("plateaued", WORSE), NOT),
        (verdicts.plateau, ("still rising", WORSE), HOLDS),
        (verdicts.plateau, ("still rising", BETTER), NOT),
        (verdicts.plateau, ("cannot tell", BETTER), UNTESTED),
        (verdicts.plateau, ("plateaued", CLOSE), UNTESTED),
        (verdicts.few_rows, (BETTER, BETTER), HOLDS),
        (verdicts.few_rows, (BETTER, CLOSE), PARTLY),
        (verdicts.few_rows, (CLOSE, BETTER), PARTLY),
        (verdicts.few_rows, (CLOSE, CLOSE), UNTESTED),
        (verdicts.few_rows, (WORSE, BETTER), NOT),
        (verdicts.hundreds, (BETTER, BETTER, pair(80, 80)), NOT),
        (verdicts.hundreds, (BETTER, BETTER, CLOSE), PARTLY),
        (verdicts.hundreds, (BETTER, BETTER, BETTER), PARTLY),
        (verdicts.hundreds, (CLOSE, BETTER, BETTER), PARTLY),
        (verdicts.hundreds, (CLOSE, CLOSE, CLOSE), UNTESTED),
        (verdicts.quality, (BETTER, BETTER), HOLDS),
        (verdicts.quality, (CLOSE, BETTER), PARTLY),
        (verdicts.quality, (WORSE, CLOSE), NOT),
        (verdicts.quality, (CLOSE, CLOSE), UNTESTED),
        (verdicts.goalposts, (0, BETTER, BETTER), HOLDS),
        (verdicts.goalposts, (0, CLOSE, BETTER), PARTLY),
        (verdicts.goalposts, (0, CLOSE, CLOSE), UNTESTED),
        (verdicts.goalposts, (3, BETTER, BETTER), NOT),
        (verdicts.new_facts, (pair(0, 0), CLOSE, BETTER), HOLDS),
        (verdicts.new_facts, (pair(2, 0, rows=6), CLOSE, BETTER), UNTESTED),
        (verdicts.new_facts, (BETTER, CLOSE, CLOSE), PARTLY),
        (verdicts.new_facts, (BETTER, BETTER, BETTER), PARTLY),
        (verdicts.new_facts, (BETTER, BETTER, CLOSE), NOT),
        (verdicts.old_facts, ([WORSE, WORSE], 70), NOT),
        (verdicts.old_facts, ([WORSE, CLOSE], 70), PARTLY),
        (verdicts.old_facts, ([BETTER, pair(80, 80)], 80), HOLDS),
        (verdicts.old_facts, ([CLOSE, CLOSE], 40), UNTESTED),
        (verdicts.old_facts, ([pair(0, 0), pair(0, 0)], 0), UNTESTED),
        (verdicts.cheap_training, (320.0, [0.01, 4.0, 60.0]), HOLDS),
        (verdicts.cheap_training, (320.0, [0.01, 100.0]), PARTLY),
        (verdicts.cheap_training, (1.0, [4.0]), NOT),
        (verdicts.hours_to_days, ([61.0, 500.0],), HOLDS),
        (verdicts.hours_to_days, ([3.0, 500.0],), PARTLY),
        (verdicts.hours_to_days, ([3.0, 59.0],), NOT),
        (verdicts.four_dollars, (4.0, "ended"), OVERTAKEN),
        (verdicts.four_dollars, (4.0, "open"), HOLDS),
        (verdicts.four_dollars, (12.0, "ended"), NOT),
        (verdicts.dearer_calls, ([1.0, 1.2],), HOLDS),
        (verdicts.dearer_calls, ([1.2, 2.0],), PARTLY),
        (verdicts.dearer_calls, ([1.5, 2.0],), NOT),
        (verdicts.shorter_saves, (1.0, 3.0, 2.0), HOLDS),
        (verdicts.shorter_saves, (2.5, 3.0, 2.0), PARTLY),
        (verdicts.shorter_saves, (4.0, 3.0, 2.0), NOT),
        (verdicts.hosts, (["existing customers", "nobody"],), OVERTAKEN),
        (verdicts.hosts, (["anyone", "nobody"],), PARTLY),
        (verdicts.hosts, (["anyone", "anyone"],), HOLDS),
    ],
)
def test_a_verdict_follows_from_what_was_measured(rule, given, verdict):
    assert rule(*given) == verdict


# --- claims ----------------------------------------------------------------------------------------------------------


def test_every_claim_has_its_experiment_and_stands_once_in_the_notebook():
    ids = [claim.id for claim in claims()]
    assert len(ids) >= 12 and [*MEASURED, *COUNTED] == ids
    assert {claim.id for claim in claims() if claim.looks_at == "models"} == set(MEASURED)
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert [line for line in code if "trial.run(" in line] == [f'show.finding(trial.run("{name}"))' for name in ids]
    assert [claim.says for claim in claims() if f"## {claim.says.rstrip('.')}\n" not in prose] == []


def test_the_first_claims_run_in_a_short_form_and_the_others_say_that_they_are_left_out(tmp_path, monkeypatch):
    monkeypatch.setenv("KIT_HOME", str(tmp_path))
    trial = Trial(client=None, first=3)
    assert trial.bench.sizes == bench.SHORT and len(trial.bench.validation) == bench.SHORT.rows
    assert trial.run("hosts").verdict == LEFT_OUT and trial.found == {}
    with pytest.raises(EvaluationError, match="no claim 'hots'"):
        trial.run("hots")
    for first in ("some", 0, -1, 99):
        with pytest.raises(EvaluationError, match="a number or 'all'"):
            Trial(client=None, first=first)


def test_a_finding_is_kept_under_its_inputs_and_not_measured_twice(tmp_path, monkeypatch):
    monkeypatch.setenv("KIT_HOME", str(tmp_path))
    calls = []

    def measured(workbench):
        calls.append(workbench)
        return Finding("behaviour", HOLDS, "because", ("a",), (mark("s", "l", 0.5),), numbers={"n": 1.0})

    monkeypatch.setitem(MEASURED, "behaviour", measured)
    first = Trial(client=None).run("behaviour")
    assert Trial(client=None).run("behaviour") == first and len(calls) == 1
    kept = list((tmp_path / "trial" / "whole" / "findings").iterdir())
    assert len(kept) == 1 and json.loads(kept[0].read_text())["verdict"] == HOLDS
    assert Trial(client=None, first=2).run("behaviour") == first and len(calls) == 2  # other sizes, another hash


# --- what is counted from the tables ---------------------------------------------------------------------------------


@dataclass
class Measured:
    """What the sums take from a trial and its workbench: rows, a model trained in so many seconds, lengths."""

    train: list

    @property
    def bench(self) -> Measured:
        return self

    def triage_model(self) -> bench.Tuned:
        return bench.Tuned("ft:x", seconds=180.0, tokens=90_000)

    def run(self, claim: str) -> Finding:
        lengths = {"short": 60.0, "long": 900.0, "question": 60.0, "answer": 25.0}
        return Finding(claim, HOLDS, numbers=lengths)


@pytest.mark.parametrize("claim", COUNTED)
def test_what_is_counted_has_a_verdict_sources_and_a_chart(claim, monkeypatch):
    monkeypatch.setenv("KIT_TODAY", "2026-11-23")
    found = COUNTED[claim](Measured(bench.triage("train")[:120]))
    assert found.claim == claim and found.verdict in VERDICTS and found.marks
    assert found.sources and all("as of 20" in source and "http" in source for source in found.sources)
    chart = showing.chart_of(found)
    assert html.unescape(chart.layout.title.text.replace("<br>", " ")) == found.because


def test_the_verdicts_of_the_tables_on_a_frozen_day(monkeypatch):
    monkeypatch.setenv("KIT_TODAY", "2026-11-23")
    found = sums.hosts()
    assert found.verdict == OVERTAKEN and "2026-05-07" in " ".join(found.details)
    assert sums.four_dollars().verdict == OVERTAKEN
    assert "2026-10-23" in sums.four_dollars().because
    assert facts.door("anthropic", date(2026, 11, 23)) == "nobody"


# --- data ------------------------------------------------------------------------------------------------------------


def test_invented_facts_can_be_answered_from_their_sentence_and_not_from_the_question():
    invented = limits.invented_facts()
    assert len(invented) >= 30 and len({fact["id"] for fact in invented}) == len(invented)
    asked = [fact[wording] for fact in invented for wording in ("asked", "asked_too", "other_words", "turned")]
    assert len(set(asked)) == len(asked)
    for fact in invented:
        assert any(word in fact["answer"] for word in fact["key"]), fact["id"]
        for wording in ("asked", "asked_too", "other_words"):
            assert not any(word.casefold() in fact[wording].casefold() for word in fact["key"]), fact["id"]
        assert not any(word.casefold() in fact["turned"].casefold() for word in fact["turned_key"]), fact["id"]


def test_the_new_category_takes_over_from_one_old_category_only():
    wrong = bench.wrong_items()
    rows = {split: bench.triage(split) for split in ("train", "validation")}
    taken = [row for some in rows.values() for row in some if row.question in wrong]
    assert len(taken) == len(wrong)
    assert {bench.labels(row)["category"] for row in taken} == {limits.TAKEN_FROM}
    after = [limits.after_the_change(row, wrong) for row in rows["validation"]]
    names = {bench.labels(row)["category"] for row in after}
    assert limits.NEW in names and "send_back" in names and "return" not in names
    prompt = bench.text("trial", "instructions_after.md")
    assert all(f"- {name}:" in prompt for name in names) and "- return:" not in prompt
    assert not wrong & {row.question for row in bench.triage("test")}


def test_spoiled_rows_differ_in_the_category_of_a_third_only():
    rows = bench.triage("train")[:60]
    spoiled = amount.spoiled(rows)
    changed = [place for place, (old, new) in enumerate(zip(rows, spoiled, strict=True)) if old.answer != new.answer]
    assert changed == list(range(0, 60, amount.WRONG_EVERY))
    for place in changed:
        old, new = bench.labels(rows[place]), bench.labels(spoiled[place])
        assert old["category"] != new["category"] and old | {"category": ""} == new | {"category": ""}


def test_the_prompt_with_few_rows_shows_them_all_and_with_many_the_nearest(tmp_path):
    workbench = bench.Bench(None, tmp_path, bench.WHOLE)
    few, many = (amount.in_the_prompt(workbench, size) for size in (10, 60))
    question = workbench.validation[0]
    assert few.system and len(messages(few, question)) == 1 + 2 * 10 + 1
    assert len(messages(many, question)) == 1 + 2 * amount.NEAREST + 1


# --- all experiments, with a model that says nonsense ----------------------------------------------------------------


@pytest.fixture(scope="module")
def workbench(local_api, tmp_path_factory) -> bench.Bench:
    """Real jobs and real answers of the randomly initialised model."""
    sizes = bench.Sizes(rows=8, draws=2, curve={10: 1, 20: 1, 24: 1})
    return bench.Bench(local_api.client(), tmp_path_factory.mktemp("trial"), sizes, base=TINY)


@pytest.mark.soak  # minutes: seven jobs, and answers held to a schema
@pytest.mark.parametrize("claim", MEASURED)
def test_every_experiment_runs_and_a_model_that_knows_nothing_confirms_nothing(claim, workbench):
    found = MEASURED[claim](workbench)
    assert found.claim == claim and found.because and found.details and found.reading
    assert found.verdict in ((HOLDS,) if claim in TRUE_OF_NONSENSE else (UNTESTED, NOT, PARTLY))
    assert showing.chart_of(found).layout.xaxis.title.text
    assert Finding.from_json(json.loads(json.dumps(found.to_json()))) == found


# --- charts ----------------------------------------------------------------------------------------------------------


def test_a_curve_and_a_row_of_marks_state_the_finding_and_escape_it():
    dots = Finding(
        "x", HOLDS, "A <b> finding", ("It's & so",), (mark("s", "l", 0.5, 0.4, 0.6), mark("s", "m", 0.2, 0.1, 0.3)),
        axis="share of rows", reading="Read it so.",
    )  # fmt: skip
    chart = showing.chart_of(dots)
    assert "&lt;b&gt;" in chart.layout.title.text and list(chart.data[0].x) == [50.0, 20.0]
    assert "&amp; so" in showing.verdict_of(dots).data and HOLDS in showing.verdict_of(dots).data
    curve = Finding("x", HOLDS, "So", (), tuple(mark("s", str(n), n / 100, x=n) for n in (10, 40)), x_axis="rows")
    chart = showing.chart_of(curve)
    assert chart.layout.xaxis.type == "log" and list(chart.data[0].x) == [10, 40]
    assert "left out" in showing.verdict_of(Finding("x", LEFT_OUT)).data


def test_hosts_are_counted_without_this_machine_and_a_name_with_a_comma_is_one():
    """The provider page of lesson 2 has a row more: the machine itself."""
    found, rows = sums.hosts(), facts.rows("providers")
    others = [row["name"] for row in rows if row["provider"] != "local"]
    assert f" of {len(others)} hosts in the table, this machine aside, let anyone tune" in found.because
    assert len(others) == len(rows) - 1
    told = next(one for one in found.details if one.startswith("Open to anyone: "))
    names = told.removeprefix("Open to anyone: ").removesuffix(".").split("; ")
    assert set(names) <= set(others) and any(", " in name for name in names)


def test_an_assumption_is_traced_to_the_lesson_by_its_number():
    said = " ".join(sums.cheap_training(Measured(bench.triage("train")[:120])).details)
    assert "the assumptions of lesson 2." in said and "cost lesson" not in said
