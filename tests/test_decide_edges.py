"""The decision room at its edges: what is supposed, how sure a verdict is, what a record says, whose word counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from decide_cases import cases, measurement, pair, plateau
from test_decide_case import CODE, TARGET, TEACHING, TUNED, case, scored
from test_decide_criteria import led

from helpers import decide, facts, proportions
from helpers.decide import Record, answers, checklist, hosts, load, questions, suppose
from helpers.decide.__main__ import main
from helpers.decide.case import is_by_rules
from helpers.decide.counterfactuals import _other_measurements, flips
from helpers.decide.record.begun import given
from helpers.decide.record.record import load_record, shown_comparisons
from helpers.decide.record.stored import NO_IDENTITY, NO_MODEL, NO_PAIRS, evidence_from
from helpers.decide.rules import criteria, other_ways, prompting, sentences, steps, tuning
from helpers.decide.rules.ruling import Ruling, ask, placed
from helpers.decide.verdict import EVIDENCE, _confidence, _not_measured
from helpers.errors import DecisionError
from helpers.records import CostForecast, DataGain, DataSummary, Evidence

TODAY = date(2026, 11, 23)
ALL_ANSWERED = load(Path(__file__).parents[1] / "data/sample/triage/checklist.json").answers
JOURNEY = next(one for one in cases() if one.name == "the sample journey")


# --- what is supposed ---


def test_a_supposed_target_is_asked_on_200_rows_where_nothing_is_said():
    [supposed] = suppose(None, 0.8).measurements
    assert (supposed.n, supposed.metric, supposed.score) == (200, "score", 0.8)
    assert (supposed.low, supposed.high) == tuple(proportions.wilson(160, 200))
    [fewer] = suppose(None, 0.75, rows=40).measurements
    assert (fewer.low, fewer.high) == tuple(proportions.wilson(30, 40))
    for score in (0, 1):
        assert suppose(None, score, rows=1).measurements[0].score == score
    for score, rows in ((-0.01, 9), (1.01, 9), (0.5, 0)):
        with pytest.raises(DecisionError, match="share of rows"):
            suppose(None, score, rows=rows)


def test_a_supposed_target_has_the_newest_share_that_runs_were_about():
    length = replace(TUNED, metric="length", unit="words", candidate="l")
    field = replace(TUNED, metric="order_id", headline=False, candidate="f")
    older = replace(TUNED, metric="category", candidate="o")
    found = suppose(Evidence((older, TUNED, length, field)), 0.8)
    assert found.measurements[-1].metric == TUNED.metric and len(found.measurements) == 5
    tests = suppose(Evidence(plateaus=(plateau(TARGET, "still rising"),)), 0.8, plateau="plateaued").plateaus
    assert [one.state for one in tests] == ["still rising", "plateaued"]


def supposed_of(found) -> dict[str, list[Evidence]]:
    by_words: dict[str, list[Evidence]] = {}
    for _, words, evidence in _other_measurements(found):
        by_words.setdefault(words, []).append(evidence)
    return by_words


def test_rivals_are_supposed_clearly_ahead_or_behind_by_hand():
    """Five points beyond the two that are worth having, known to within four, on the target's 200 rows."""
    lead = pair(TUNED, TARGET, 0.01, -0.05, 0.07)
    elsewhere = replace(CODE, candidate="c2", rows="v", split="validation", score=0.9, high=0.95)
    found = supposed_of(case(TUNED, TARGET, CODE, elsewhere, comparisons=(lead,)))
    [ahead] = found["If a tuned model beat every rival by 3 to 11 points on 200 test rows"]
    [behind] = found["If a tuned model were behind every rival by 3 to 11 points on 200 test rows"]
    [code] = found["If a rival without a language model beat the best prompt and every tuned model by 1 to 9 points"]
    for evidence, middle, rivals in ((ahead, 0.07, {TARGET.id, CODE.id}), (behind, -0.07, {TARGET.id, CODE.id})):
        assert {one.b_id for one in evidence.comparisons} == rivals and len(evidence.comparisons) == 2
        for one in evidence.comparisons:
            assert (one.a_id, one.n, one.level) == (TUNED.id, 200, 0.95)
            assert (one.difference, one.low, one.high) == pytest.approx((middle, middle - 0.04, middle + 0.04))
    assert lead in code.comparisons, "what was measured between the others stays"
    told = {(one.a_id, one.b_id): (one.difference, one.low, one.high) for one in code.comparisons if one != lead}
    assert told == {(CODE.id, TARGET.id): pytest.approx((0.05, 0.01, 0.09)),
                    (TUNED.id, CODE.id): pytest.approx((-0.05, -0.09, -0.01))}  # fmt: skip
    few = replace(TARGET, n=60)
    words = supposed_of(case(few, answers={"worth": "1"}))
    assert "If a tuned model beat every rival by 2 to 10 points on 385 test rows" in words, "as many as decide"
    [invented] = [one for one in words["If a tuned model were behind every rival by 2 to 10 points on 385 test rows"]]
    assert invented.measurements[-1].role == "tuned" and invented.measurements[-1].score == pytest.approx(0.8 - 0.06)
    [lone] = words["If a rival without a language model beat the best prompt and every tuned model by 1 to 9 points"]
    assert lone.measurements[-1].score == 0.8 and len(lone.comparisons) == 1


def test_scores_costs_and_data_are_supposed_by_hand():
    told = supposed_of(case(TARGET, data=DataSummary(rows=5, leaks=2)))
    for percent, rows in ((60, 120), (97, 194)):
        [evidence] = told[f"If the best prompt of small-frontier were right in {percent} % of the rows"]
        [moved] = evidence.measurements
        assert (moved.score, moved.low, moved.high) == (percent / 100, *proportions.wilson(rows, 200))
    for percent in (95, 5):
        [evidence] = told[f"If the cost calculation gave tuning a {percent} % chance of being cheaper"]
        assert evidence.cost.probability == percent / 100
    [clean] = told["If the data report showed no errors and no leaks"]
    assert (clean.data.errors, clean.data.leaks, clean.data.rows) == (0, 0, 5)
    words = "If the data report showed no errors and no leaks"
    assert words in supposed_of(case(data=DataSummary(errors=1))) and words not in supposed_of(case(data=DataSummary()))
    assert {state for state in ("plateaued", "still rising", "cannot tell") if f"“{state}”" in " ".join(told)} == {
        "plateaued", "still rising", "cannot tell"}  # fmt: skip
    flat = supposed_of(case(TARGET, plateaus=(plateau(TARGET, "plateaued"),)))
    assert "“plateaued”" not in " ".join(flat) and "“still rising”" in " ".join(flat)
    [asked] = supposed_of(case())["If a target model were prompted, measured, and found right in 80 % of the rows"]
    assert (asked.measurements[0].score, asked.measurements[0].n) == (0.8, 200)
    compared = case(CODE, TARGET, comparisons=(pair(CODE, TARGET, 0, -0.1, 0.1),))
    assert not any("were right in" in words for words in supposed_of(compared)), "its pairs would no longer hold"


def test_of_equal_changes_the_first_option_is_told_and_the_nearest_comes_first():
    answered = JOURNEY.answers | {"gap": None}
    found = flips(answered, JOURNEY.evidence, TODAY)
    assert [one.distance for one in found] == sorted(one.distance for one in found)
    assert {one.distance for one in found if one.input.startswith("evidence") or one.input == "gap"} == {1}
    for name in ("gap", "effort", "maintenance"):
        values, choices = questions()[name].values, {}
        here = answered.get(name)
        for at, value in enumerate(values):
            if value != here:
                steps_away = abs(at - values.index(here)) if here else 1
                choice = decide.decide({**answered, name: value}, JOURNEY.evidence, TODAY).choice
                choices.setdefault(choice, []).append((steps_away, at, value))
        for flip in (one for one in found if one.input == name):
            assert (flip.distance, flip.answers[name]) == (min(choices[flip.choice])[0], min(choices[flip.choice])[2])
    assert any(one.distance > 1 for one in found) and any(one.input == "gap" for one in found)


def test_a_verdict_shows_six_changes_and_the_nearest_way_to_training():
    verdict = decide.decide(JOURNEY.answers, JOURNEY.evidence, TODAY)
    every = [one.sentence for one in flips(JOURNEY.answers, JOURNEY.evidence, TODAY)]
    assert len(every) > 6 and len(verdict.what_would_change_it) in (6, 7)
    assert len(set(verdict.what_would_change_it) & set(every[:6])) == 6
    stuck = decide.decide({"gap": "knowledge", "good_output": "no", "rights": "no"}, None, TODAY)
    assert stuck.what_would_change_it[-1] == "No single change leads to fine-tuning from here."


# --- how sure a verdict is ---


@pytest.mark.parametrize(
    ("choice", "needs", "answered", "sure"),
    [
        ("keep_prompting", (), {}, "high"),
        ("not_enough", (), ALL_ANSWERED, "low"),
        ("improve_prompt", ("target",), ALL_ANSWERED, "high"),
        ("improve_prompt", ("target",), {}, "medium"),
        ("improve_prompt", ("target", "cost"), ALL_ANSWERED, "medium"),
        ("improve_prompt", ("target", "cost"), {}, "medium"),
        ("improve_prompt", ("target", "cost", "data"), ALL_ANSWERED, "medium"),
        ("improve_prompt", ("target", "cost", "data"), {}, "low"),
        ("improve_prompt", ("cost", "data", "curve"), ALL_ANSWERED, "low"),
        ("keep_prompting", ("target", "comparison"), ALL_ANSWERED, "medium"),
        ("keep_prompting", ("target", "comparison"), {}, "medium"),
        ("keep_prompting", ("target", "comparison", "cost"), {}, "low"),
        ("improve_prompt", ("target", "comparison"), ALL_ANSWERED, "high"),
        ("keep_prompting", ("target",), ALL_ANSWERED, "high"),
    ],
)
def test_each_missing_piece_takes_confidence_away_once(choice: str, needs: tuple, answered: dict, sure: str):
    """A tuned model was compared with a target, and the interval holds a gain worth having and none."""
    undecided = led(0.01, -0.02, 0.04, answers=dict(answered))
    assert criteria.undecided(undecided)
    assert _confidence(undecided, Ruling(choice, "", needs=needs)) == sure


def test_what_was_not_measured_is_named_and_what_was_is_not():
    bare = _not_measured(case(answers=ALL_ANSWERED))
    assert set(bare) == set(EVIDENCE.values())
    pairs = (pair(TUNED, TARGET, 0.1, 0.04, 0.16),)
    full = case(
        TUNED, TARGET, CODE, answers=ALL_ANSWERED, comparisons=pairs, plateaus=(plateau(TARGET, "plateaued"),),
        data=DataSummary(rows=9), cost=CostForecast(0.5), learning_curve=DataGain(0.01, 0, 0.02),
    )  # fmt: skip
    assert _not_measured(full) == ()
    said = _not_measured(case(TARGET, answers=ALL_ANSWERED, not_measured=("the price", EVIDENCE["cost"])))
    assert said.count(EVIDENCE["cost"]) == 1 and "the price" in said and EVIDENCE["target"] not in said


@pytest.mark.parametrize(
    ("gone", "more"), [(0, None), (1, ""), (3, ""), (4, " and 1 more that"), (6, " and 3 more that")]
)
def test_three_open_questions_are_named_and_the_rest_counted(gone: int, more: str | None):
    asked = [name for name, one in questions().items() if not one.optional]
    answered = {name: value for name, value in ALL_ANSWERED.items() if name not in asked[-gone:]} if gone else (
        ALL_ANSWERED)  # fmt: skip
    answered = {name: value for name, value in answered.items() if not questions()[name].optional}
    said = [one for one in _not_measured(case(answers=answered)) if one.startswith("unanswered")]
    if more is None:
        assert said == [], "a question that is optional may stay open"
    else:
        assert said[0].count("“") == min(gone, 3) and said[0].endswith(
            f"”{more} could change the verdict" if more else "”"
        )


def test_free_text_by_likeness_was_run_and_has_no_score_that_counts():
    likeness = replace(TARGET, unit="likeness"), replace(CODE, unit="likeness")
    said = _not_measured(case(*likeness, answers=ALL_ANSWERED))
    assert EVIDENCE["ladder"] not in said and EVIDENCE["code"] not in said and EVIDENCE["target"] in said
    assert any("likeness" in one for one in said)
    part = replace(TARGET, unit="likeness", headline=False)
    assert not any("likeness" in one for one in _not_measured(case(part, answers=ALL_ANSWERED)))


# --- rules at their edges ---


def test_an_interval_from_what_is_worth_having_on_is_decided():
    leaked = {"data": DataSummary(leaks=1)}  # no win, so that the interval alone speaks
    assert not criteria.undecided(led(0.05, 0.02, 0.08, **leaked)) and criteria.undecided(
        led(0.05, 0.01, 0.08, **leaked)
    )


def test_rows_that_show_a_gain_by_how_far_two_rivals_can_disagree():
    for difference, disagree in ((0.1, 0.3), (0.2, 0.4), (0.5, 1.0), (0.7, 1.0)):
        assert criteria.rows_to_show(difference) == proportions.rows_needed(difference, disagree=disagree)


@pytest.mark.parametrize(("low", "speaks"), [(None, False), (0.0, False), (0.001, True), (0.02, True), (-0.01, False)])
def test_a_learning_curve_that_surely_rises_asks_for_data(low: float | None, speaks: bool):
    found = led(0.01, -0.02, 0.04, learning_curve=DataGain(0.03, low, 0.05))
    assert bool(tuning.more_data_would_help(found)) == speaks
    assert tuning.more_data_would_help(led(0.01, -0.02, 0.04)) is None


@pytest.mark.parametrize(("chance", "speaks"), [(None, True), (0.79, True), (0.8, False), (1, False)])
def test_few_calls_cannot_pay_unless_the_sums_say_so(chance: float | None, speaks: bool):
    small = {"gap": "cost_or_speed", "volume": "low"}
    found = case(TARGET, answers=small, cost=None if chance is None else CostForecast(chance))
    assert bool(prompting.the_bill_is_small(found)) == speaks
    assert prompting.the_bill_is_small(case(TARGET, answers=small | {"latency": "fast"})) is None


@pytest.mark.parametrize(("low", "high", "lost"), [(-0.09, -0.001, True), (-0.09, 0.0, False), (-0.09, 0.5, False)])
def test_tuning_lost_where_the_interval_lies_below_zero(low: float, high: float, lost: bool):
    assert bool(tuning.tuning_lost(led(-0.04, low, high))) == lost


def test_the_best_rival_without_a_model_is_the_one_on_the_rows_that_decide():
    elsewhere = replace(CODE, candidate="c2", rows="v", split="validation", score=0.95, high=0.99)
    assert case(TUNED, TARGET, CODE, elsewhere).best_code == CODE
    assert case(TUNED, TARGET, elsewhere).best_code == elsewhere, "better than none"


def test_the_newest_run_is_judged_by_its_own_seeds():
    looks = ((1, 0.6), (2, 0.9), (2, 0.8), (3, 0.7), (3, 0.72), (3, 0.71))
    runs = [scored(TUNED, score, candidate=f"{at}", openings=look) for at, (look, score) in enumerate(looks)]
    assert [case(*runs[:n]).judged.score for n in (6, 3, 2)] == [0.71, 0.8, 0.9]


def test_a_change_from_measuring_first_to_prompting_reads_as_a_change():
    """Four lines of lesson 7's record led from "Keep prompting: measure …" to "Keep prompting", as if to the same."""
    answers = {"gap": "behaviour", "good_output": "roughly", "consistency": "matters", "evaluation": "fixed_set"}
    evidence = Evidence((measurement("teaching", score=0.1),), data=DataSummary(rows=600))
    assert decide.decide(answers, evidence, TODAY).choice == "measure_target"
    found = [one.sentence for one in flips(answers, evidence, TODAY) if one.choice == "keep_prompting"]
    assert found and all(one.endswith("“Keep prompting”, whatever a stronger model would score.") for one in found)


@pytest.mark.parametrize(
    ("name", "model", "called"),
    [
        ("16 examples", "small-frontier", "16 examples (small-frontier)"),
        ("16 examples, small-frontier", "small-frontier", "16 examples, small-frontier"),
        ("most frequent answer", "most frequent answer", "most frequent answer"),
    ],
)
def test_a_rivals_model_is_named_once(name: str, model: str, called: str):
    """Lesson 7 with a target said "tuned against most frequent answer (most frequent answer)"."""
    rival = replace(CODE, name=name, model=model)
    [said] = sentences.code_lead_sentence(case(TUNED, rival, comparisons=(pair(TUNED, rival, 0.2, 0.1, 0.3, 200),)))
    assert said.startswith(f"tuned against {called}, a rival without a language model: ")
    [said] = sentences.code_sentence(case(rival))
    assert said.startswith(f"{called} needs no language model, ")


def test_no_rival_gets_any_row_right_below_half_a_percent():
    for score, out in ((0.0, True), (0.004, True), (0.006, False)):
        code = replace(CODE, score=score, low=0, high=0.05)
        [said] = prompting._number_to_beat(case(code))
        assert ("no rival without a language model that was tried gets any" in said) == out
    assert prompting._number_to_beat(case()) == ()


# --- prices and sentences by hand ---


def test_prices_of_measuring_and_of_a_trial_by_hand():
    """200 rows of three prompts on GPT-6 Luna; 200 x 300 x 3 tokens at the speed and prices of the tables."""
    assert steps.price_of_measuring(200, TODAY).startswith(
        "about 3.2 cents (for example 200 rows, each asked with 3 prompts of 110 to 700 tokens and answered in 30 "
        "tokens, on"
    )
    assert steps.price_of_measuring(200, TODAY, one_prompt=True).startswith(
        "about 1.7 cents (for example 200 rows, each asked with 1 prompt of 700 tokens and answered in 30 tokens, on"
    )
    short, long = (replace(TEACHING, prompt_tokens=tokens, answer_tokens=40.0) for tokens in (100.0, 2_900.0))
    assert steps.price_of_measuring(200, TODAY, (short, long)).startswith(
        "about 6.8 cents (200 rows, each asked with 2 prompts of 100 to 2,900 tokens and answered in 40 tokens, on"
    ), "200 x (3,000 x 0.10 + 80 x 0.50) / 1M"
    for prompts in ((), (short, replace(long, prompt_tokens=None))):
        assert "(for example " in steps.price_of_measuring(200, TODAY, prompts), "one is not known"
    assert steps.price_of_measuring(20_000, TODAY).startswith("about 322 cents")
    [run] = [row for row in facts.rows("durations") if row["provider"] == "local"]
    assert (run["trained_tokens"], run["minutes"]) == (110_385, 4.0)
    said = steps.price_of_a_trial(case(data=DataSummary(rows=2_000)))
    assert "about 65 minutes for smollm2-135m-instruct on 2 CPU cores" in said, "1,800,000 / 110,385 x 4"
    cheapest = min(row["train"] for row in facts.rows("tunable") if row["provider"] == "nebius" and row["train"])
    assert f"from ${1.8 * cheapest:.2f} at Nebius" in said


def test_what_is_said_of_one_and_of_several_questions():
    assert (
        ask("gap").why == "1 deciding question is open" and ask("gap", "effort").why == "2 deciding questions are open"
    )


def test_a_lead_of_nothing_over_a_teaching_model_is_a_gain_of_nothing():
    teaching = measurement("teaching", model="smollm2-135m-instruct", score=0.3)
    [said] = sentences.teaching_sentence(case(TUNED, teaching, comparisons=(pair(TUNED, teaching, 0.0, -0.1, 0.1),)))
    assert "gained 0 points" in said or "gained +0.0 points" in said


@pytest.mark.parametrize(("difference", "low", "magical"), [(0.0, -0.1, False), (0.1, -0.02, False), (0.1, 0.0, False),
    (0.1, 0.01, True)])  # fmt: skip
def test_tuning_looks_magical_only_where_the_interval_of_its_gain_leaves_nothing_out(
    difference: float, low: float, magical: bool
):
    teaching = measurement("teaching", model="smollm2-135m-instruct", score=0.3)
    [said] = sentences.teaching_sentence(
        case(TUNED, teaching, comparisons=(pair(TUNED, teaching, difference, low, 0.3),))
    )
    assert ("hopeless" in said) == ("magical" in said) == magical and said.endswith("says nothing about real rivals")


def test_rows_opened_twice_are_told_and_validation_rows_are_not_counted():
    for times, split, told in ((0, "test", False), (1, "test", False), (2, "test", True), (2, "validation", False)):
        assert bool(sentences.openings_sentence(led(0.1, 0.04, 0.16, openings=times, split=split))) == told
    other = replace(TARGET, rows="other", candidate="o", openings=9, n=20)
    assert sentences.openings_sentence(case(TUNED, TARGET, other)) == (), "those rows decide nothing here"


def test_a_step_is_sent_to_where_it_can_be_taken():
    step = "Compare: lesson 04_evaluate."
    assert placed(step, "") == step
    assert placed(step, "shop", "labels") == 'Compare: lesson 04_evaluate with PROJECT = "shop".'
    for task in ("text", "turns", "tools"):
        assert placed(step, "shop", task) == "Compare: the section “Stop, or go on” in your_project."
        assert placed("lesson 06_decide", "shop", task) == 'lesson 06_decide with PROJECT = "shop"'
    rows = "More rows: extra/how_much_data."
    assert placed(rows, "") == rows and "half of the rows" in placed(rows, "shop", "labels")
    assert "half of the rows" in placed(rows, "", "voice") and placed(step, "", "voice") == (
        "Compare: lesson 07_a_brands_voice."
    )
    for metric, there in (("rules_and_facts (b3)", True), ("all_rules (b3)", True), ("all_fields", False)):
        assert is_by_rules(replace(TEACHING, metric=metric)) == there
    assert not is_by_rules(replace(TEACHING, metric="all_rules (b3)", headline=False))


def test_a_grader_and_a_table_in_which_no_host_takes_one(monkeypatch: pytest.MonkeyPatch):
    graded = case(answers={"grader": "yes"})
    assert "Open to newcomers as far as the table knows: Amazon Bedrock" in other_ways.other_ways(graded)[0]
    assert other_ways.other_ways(case()) == () and len(other_ways.other_ways(graded)) == 1
    monkeypatch.setattr(facts, "rows", lambda table: [])
    assert "No host in the kit's table offers it to newcomers" in other_ways.other_ways(graded)[0]


# --- hosts by the day ---


def test_a_year_is_365_days_and_a_day_that_has_come_is_past():
    """Llama at Bedrock: the last day on which it is not yet in sight, and the day itself."""
    end, model = date(2027, 3, 30), "meta.llama3-1-8b-instruct-v1:0"
    told = [hosts.dying_models("bedrock", end - timedelta(days)) for days in (366, 365, 1, 0)]
    assert [model in one for one in told] == [False, True, True, True]
    assert f"{model}, from {end}" in told[2] and f"{model}, since {end}" in told[3]
    assert "no earlier than 2027-07-21" in hosts.dying_models("vertex", date(2027, 7, 20))
    assert "perhaps since 2027-07-21" in hosts.dying_models("vertex", date(2027, 7, 21))
    days = [[day for day, _ in hosts.coming_dates("bedrock", end + timedelta(more))] for more in (0, 1)]
    assert days == [[end], []], "from today on"
    assert hosts.coming_dates("no such host", TODAY) == []


# --- the checklist and its files ---


def test_what_an_answer_speaks_for():
    for one in questions().values():
        for option in one.options:
            word = {1: "for tuning", -1: "for prompting", 0: "for neither side"}[option.leans]
            assert checklist.leaning(one.id, option.value) == f"It speaks {word}."
    assert all(option.leans == 0 for option in questions()["host"].options), "a host is no argument"
    assert [name for name, one in questions().items() if one.optional] == ["grader", "teacher"]


def test_a_file_of_answers_is_for_people_too(tmp_path: Path):
    path = decide.save(tmp_path / "a.json", {"gap": "behaviour"}, "Größe")
    assert path == tmp_path / "a.json" and load(path).name == "Größe"
    text = path.read_text(encoding="utf-8")
    assert '\n "name": "Größe",\n' in text and text.endswith("}\n")
    for letters, kept in ((200, 200), (201, 200)):
        assert len(load(decide.save(path, {}, "x" * letters)).name) == kept


def test_a_file_of_answers_may_have_a_million_bytes(tmp_path: Path):
    path = tmp_path / "a.json"
    content = json.dumps({"kind": answers.KIND, "version": checklist.version(), "answers": {}})
    path.write_text(content + " " * (1_000_000 - len(content)))
    assert load(path).answers == {}
    path.write_text(content + " " * (1_000_001 - len(content)))
    with pytest.raises(DecisionError, match="too large"):
        load(path)
    path.write_text(json.dumps({"kind": "x" * 500}))
    with pytest.raises(DecisionError) as found:
        load(path)
    assert len(found.value.got) == 200, "a foreign file's words are cut"


# --- the record ---


def record(**changes) -> Record:
    about = {"question": "Tune?", "answers": JOURNEY.answers, "evidence": JOURNEY.evidence, "decided_on": TODAY}
    return Record(**about | changes)


def lines(title: str, **changes) -> list[str]:
    return dict(record(**changes).glance())[title]


def test_the_first_box_says_little_of_each_thing():
    rests, next_ = lines("What it rests on"), lines("Who decides next, and when")
    assert len(rests) == 3 and len(record().verdict.reasons) > 2 and all(one.endswith(".") for one in rests)
    assert rests[0].startswith(f"{len(JOURNEY.answers)} of {len(questions())} questions answered, ")
    assert len(next_) == 2 and len(record().verdict.next_steps) > 1 and next_[1].startswith("Before that: ")
    assert "(" not in next_[1]
    assert lines("What it rests on", answers={}, evidence=None)[0].startswith(
        f"0 of {len(questions())} questions answered, nothing measured yet.")  # fmt: skip
    vertex = lines("What waiting costs", answers={"host": "vertex"})
    assert len(hosts.coming_dates("vertex", TODAY)) > 3 and len(vertex) == 3 + 1 and "http" not in " ".join(vertex)
    assert len(lines("What waiting costs", answers={}, evidence=None)) == 1


@pytest.mark.parametrize(("chance", "said"), [(None, "is not known"), (0.5, "Each month may cost a saving: tuning is "
    "cheaper with a probability of 50.0 %."), (0.499, "is only 49.9 %."), (1.0, "of 100.0 %.")])  # fmt: skip
def test_what_waiting_costs_by_the_chance_of_a_saving(chance: float | None, said: str):
    evidence = Evidence(cost=CostForecast(chance, None, "") if chance is not None else None)
    assert said in lines("What waiting costs", evidence=evidence)[-1]
    assert lines("What tuning would cost", evidence=evidence) == [
        "From how many calls on tuning pays was not computed: lesson 06_decide does."
    ]
    assert lines("What tuning would cost", evidence=Evidence(cost=CostForecast(0.1, None, "Much."))) == ["Much."]


def test_a_record_is_looked_at_again_when_prices_are_stale():
    assert record(answers={}).look_again() == [
        (TODAY + timedelta(90), "prices and models are 90 days older: measure again")]  # fmt: skip


def test_a_record_keeps_its_verdict_and_its_letters(tmp_path: Path):
    bare = record(question="Größe?", evidence=None)
    text = bare.json()
    assert '\n "question": "Größe?",\n' in text and text.endswith("}\n")
    path = bare.write(tmp_path)["json"]
    again = load_record(path)
    assert again.evidence is None and again.case.evidence == Evidence() and again.recorded == bare.verdict
    old = json.loads(text)
    old["verdict"]["headline"] = "As it was."
    path.write_text(json.dumps(old), encoding="utf-8")
    assert load_record(path).json().count("As it was.") == 1, "the recorded verdict is never made anew"
    full = record()
    assert load_record(full.write(tmp_path)["json"]).evidence == full.evidence and full.case.evidence is full.evidence


def test_a_chart_has_a_title_a_text_and_one_picture():
    fine = {"title": "A.", "text": "B.", "svg": "<svg/>"}
    assert "data:image/svg+xml;base64," in record(charts=(fine,)).html()
    lacking = [{k: v for k, v in fine.items() if k != gone} for gone in fine] + [fine | {"html": "<p>"}]
    for wrong in lacking:
        with pytest.raises(DecisionError, match="Chart 2 of the record"):
            record(charts=(fine, wrong)).html()


def test_a_record_shows_what_the_judged_model_was_compared_with():
    judged, other = replace(TUNED, score=0.95, high=0.99), replace(TUNED, candidate="t2", base="b", score=0.6, low=0.5)
    pairs = (pair(judged, TARGET, 0.1, 0, 0.2), pair(other, TARGET, 0, -0.1, 0.1))
    assert shown_comparisons(case(judged, other, TARGET, comparisons=pairs)) == [pairs[0]]
    assert shown_comparisons(case(judged, other, TARGET, comparisons=pairs[1:])) == [pairs[1]], "better than none"
    assert shown_comparisons(case(TARGET)) == []


def test_a_decision_that_was_begun_elsewhere_goes_on(tmp_path: Path):
    asked = {"gap": "behaviour", "host": None}
    assert given(asked) == {"gap": "behaviour"}
    assert given(decide.save(tmp_path / "a.json", asked)) == {"gap": "behaviour"}
    assert given(str(record(answers={"gap": "behaviour"}).write(tmp_path)["json"])) == {"gap": "behaviour"}
    for text in ("[]", "{", '{"kind": 5}'):
        (tmp_path / "b.json").write_text(text)
        with pytest.raises(DecisionError):
            given(tmp_path / "b.json")


def test_a_record_is_run_again_as_of_a_day(tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KIT_TODAY", "2026-12-05")
    path = record(answers={"host": "openai", "tuned_now": "yes"}, evidence=None).write(tmp_path)["json"]
    assert main([str(path)]) == 0 and "As of 2026-12-05: the same (confidence" in capsys.readouterr().out
    assert main([str(path), "--today", "2027-01-07"]) == 0
    said = capsys.readouterr().out
    assert "As of 2027-01-07: Move off a closing provider" in said and "has ended" in said, "it was announced before"
    path.write_text("{")
    assert main([str(path)]) == 2


# --- an older kit's evidence ---


def test_scores_of_an_older_kit_are_read_and_what_is_missing_is_named():
    score = {"name": "rules", "model": "smollm2-135m-instruct", "yardstick": "target", "n": 9, "score": 0.5, "low": 0.3,
             "high": 0.7}  # fmt: skip
    old = evidence_from({"prompt_scores": [score, score | {"model": "gpt-6-luna", "metric": "f1", "split": "test"}]})
    assert [(one.role, one.metric, one.split, one.rows) for one in old.measurements] == [
        ("teaching", "score", "", ""), ("target", "f1", "test", "")]  # fmt: skip
    assert old.not_measured == (NO_IDENTITY,) and old.project == old.task == ""
    roles = [evidence_from({"prompt_scores": [score | {"model": name}]}).measurements[0].role
             for name in ("x-0.9b", "x-1b", "x-7b")]  # fmt: skip
    assert roles == ["teaching", "target", "target"]
    assert evidence_from({"plateau": {"state": "plateaued"}}).not_measured == (NO_MODEL,)
    nameless = {**asdict(pair(TUNED, TARGET, 0.1, 0, 0.2)), "a_id": "", "b_id": ""}
    read = evidence_from({"comparisons": [nameless, asdict(pair(TUNED, TARGET, 0.1, 0, 0.2))], "project": "shop",
                          "task": "text", "not_measured": ["x", "x"]})  # fmt: skip
    assert len(read.comparisons) == 1 and read.not_measured == ("x", NO_PAIRS) and (read.project, read.task) == (
        "shop", "text")  # fmt: skip
    empty = dict.fromkeys(("measurements", "comparisons", "plateaus", "data", "cost", "learning_curve", "project"))
    assert evidence_from(empty) == Evidence()
    with pytest.raises(ValueError, match="unknown evidence: vibes"):
        evidence_from({"vibes": 1})


# --- which day counts ---

BY_DAY: dict[str, Callable] = {
    "decide": lambda **day: decide.decide({"host": "openai", "tuned_now": "yes"}, None, **day).headline,
    "flips": lambda **day: [one.choice for one in flips({"host": "openai", "tuned_now": "yes"}, None, **day)],
    "deciding": lambda **day: decide.deciding({}, Evidence((TARGET,)), **day),
}


@pytest.mark.parametrize("name", BY_DAY)
def test_the_day_that_is_named_counts_and_else_today(name: str, monkeypatch: pytest.MonkeyPatch):
    before, after = date(2024, 1, 1), date(2027, 1, 7)
    monkeypatch.setenv("KIT_TODAY", str(before))
    assert BY_DAY[name]() == BY_DAY[name](today=before)
    if name != "deciding":  # measurements are those of any day
        assert BY_DAY[name]() != BY_DAY[name](today=after)
    monkeypatch.setenv("KIT_TODAY", str(after))
    assert BY_DAY[name]() == BY_DAY[name](today=after)
