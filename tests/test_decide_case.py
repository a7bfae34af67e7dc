"""What a case is, from answers and evidence: which measurement counts, on which rows, and where a count tips."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from decide_cases import measurement, pair, plateau

from helpers import decide
from helpers.decide.case import Case
from helpers.decide.counterfactuals import _other_rivals
from helpers.decide.evidence import checked_evidence
from helpers.decide.record.record import shown_comparisons
from helpers.decide.record.stored import evidence_from
from helpers.decide.verdict import deciding
from helpers.errors import DecisionError
from helpers.records import CostForecast, DataSummary, Evidence, Measurement

TODAY = date(2026, 11, 23)
TARGET = measurement("target", model="small-frontier", score=0.8)
TUNED = measurement("tuned", model="ft:x", score=0.9)
TEACHING = measurement("teaching", model="smollm2-135m-instruct", score=0.3)
CODE = measurement("no language model", score=0.7)


def case(*measured: Measurement, answers: dict | None = None, **evidence) -> Case:
    return Case(answers or {}, checked_evidence(Evidence(measured, **evidence)), TODAY)


def scored(one: Measurement, score: float, **changes) -> Measurement:
    """The same with another score, and an interval around it."""
    return replace(one, score=score, low=score - 0.05, high=score + 0.05, **changes)


# --- counts ---


@pytest.mark.parametrize(
    ("rows", "option"),
    [(0, "under_10"), (9, "under_10"), (10, "10_49"), (49, "10_49"), (50, "50_199"), (199, "50_199"),
     (200, "200_999"), (999, "200_999"), (1000, "1000_plus")],
)  # fmt: skip
def test_the_number_of_rows_answers_the_question_on_examples(rows: int, option: str):
    found = case(data=DataSummary(rows=rows), answers={"examples": "1000_plus"})
    assert found.effective["examples"] == option and f"{rows:,} good training rows" in found.measured["examples"][1]
    one_step_less = "200_999"  # the rest may stand in the splits that nothing is trained on
    assert bool(found.disagreements) == (option not in ("1000_plus", one_step_less))
    assert "examples" not in case(data=DataSummary()).measured


def test_errors_of_the_data_answer_the_question_on_quality():
    assert case(data=DataSummary(rows=5, errors=1)).effective["quality"] == "mixed"
    assert "quality" not in case(data=DataSummary(rows=5)).effective


def test_a_gain_worth_having_is_two_points_unless_another_is_named():
    assert case().worth == 0.02 and case(answers={"worth": "5"}).worth == 0.05


def test_another_rows_text_that_keeps_every_rule_is_no_rival():
    """Free text by rules alone: "nearest neighbour" is another product's copy word for word, and keeps them all."""
    copied = measurement("no language model", key="nearest neighbour", model="nearest neighbour", score=1.0)
    target = measurement("target", score=0.9)
    by_rules, with_facts = (
        [replace(one, metric=metric) for one in (copied, target)] for metric in ("all_rules", "rules_and_facts")
    )
    assert case(*by_rules).best_code is None and case(*with_facts).best_code is not None
    answers = {"gap": "behaviour", "good_output": "clear", "evaluation": "fixed_set", "effort": "plateau"}
    alone, together = (
        decide.decide(answers, Evidence(measurements=tuple(m), comparisons=(pair(*m, 0.1, 0.05, 0.15),)))
        for m in (by_rules, with_facts)
    )
    assert together.choice == "no_language_model" and alone.choice != together.choice
    assert not any("nearest neighbour" in one for one in alone.reasons)
    assert not any("language model" in one for one in alone.not_measured), "it was measured, and decides nothing"


def test_scored_prompts_answer_for_the_effort_only_where_nobody_has():
    assert case(TARGET).effective["effort"] == "days" and case(TARGET).effective["evaluation"] == "fixed_set"
    assert "effort" not in case(TARGET, answers={"effort": "weeks"}).measured
    assert case(TARGET, answers={"effort": "none"}).measured["effort"] == ("days", "1 prompt was scored")
    again, other = replace(TARGET, split="validation", rows="v"), replace(TARGET, candidate="another")
    said = case(TARGET, again, other, answers={"effort": "none"}).measured["effort"][1]
    assert said == "2 prompts were scored", "the same prompt on other rows is no other prompt"
    assert not case(TARGET, answers={"effort": "none"}).disagreements, "prompts were scored since"
    assert case(TARGET, plateaus=(plateau(TARGET, "plateaued"),)).effective["effort"] == "plateau"
    assert case(TARGET, plateaus=(plateau(TARGET, "cannot tell"),)).effective["effort"] == "days"
    assert not {"effort", "evaluation", "models_tried"} & set(case(TUNED).measured), "no prompt was scored"


def test_rows_that_were_measured_and_rows_that_were_not_asked():
    assert case().rows_measured == 200 and case(replace(TARGET, n=120)).rows_measured == 120
    to_choose_by, to_judge_by = replace(TEACHING, n=12, split="validation"), replace(TEACHING, n=30, split="test")
    assert case(to_choose_by, to_judge_by).rows_to_choose_by == 12 and case(to_judge_by).rows_to_choose_by == 30
    fewer = replace(TARGET, n=60, split="validation", rows="v")
    assert case(fewer, TARGET).rows_measured == 200
    assert case(fewer, data=DataSummary(validation=100)).unused_rows == 40
    assert case(TARGET, data=DataSummary(validation=100)).unused_rows == 100, "test rows are others"
    assert case(fewer, data=DataSummary(validation=50)).unused_rows == case(fewer).unused_rows == 0


def test_the_ladder_is_one_models_prompts_on_the_rows_that_prompts_are_chosen_on():
    first = replace(TEACHING, n=60, split="validation", rows="v", candidate="one")
    second, third = replace(first, candidate="two"), replace(first, candidate="three")
    again, others = replace(first, n=90, rows="fresh"), replace(first, model="another", n=90)
    judged = [replace(one, split="test", rows="t", n=90) for one in (first, second, third)]
    assert case(again, first, others, second, third, *judged).ladder == (first, second, third)
    assert case(first, again).ladder == (again,) and case(again, first).ladder == (again,), "the one on more rows"
    assert case(TUNED, CODE).ladder == ()


# --- what counts, and as what ---


def test_under_a_billion_parameters_a_prompted_model_teaches_unless_the_device_holds_no_more():
    small, one = (replace(TARGET, parameters=billions) for billions in (0.999, 1.0))
    assert (case().counts_as(small), case().counts_as(one)) == ("teaching", "target")
    assert case().counts_as(replace(TARGET, parameters=None)) == "target"
    tiny = case(answers={"latency": "tiny_device"})
    assert tiny.device_holds == 0.999 and tiny.counts_as(small) == tiny.counts_as(TEACHING) == "target"
    assert tiny.counts_as(one) == tiny.counts_as(replace(TARGET, parameters=None)) == ""
    assert tiny.counts_as(CODE) == "no language model"
    assert tiny.counts_as(replace(TUNED, parameters=0.1)) == "tuned"
    assert case().device_holds is None


def test_the_metric_that_decides_is_one_that_targets_and_tuned_models_share():
    by_field = replace(TARGET, metric="category", candidate="t2")
    assert {one.metric for one in case(by_field, TARGET, TUNED).deciding} == {"all_fields"}
    assert {one.metric for one in case(TARGET, TUNED, by_field).deciding} == {"all_fields"}, "though it is older"
    assert {one.metric for one in case(TARGET, by_field).deciding} == {"category"}, "else the newest of a target"
    newer = replace(TUNED, metric="category", candidate="t3")
    assert {one.metric for one in case(TARGET, newer).deciding} == {"all_fields"}, "a target's before a tuned model's"
    for odd in (replace(TARGET, unit="words"), replace(TARGET, better="lower"), replace(TARGET, headline=False)):
        assert not case(odd).deciding


def test_rows_that_decide_are_those_that_both_answered_then_test_rows_then_the_most_then_the_newest():
    def of(one: Measurement, rows: str, n: int = 200, split: str = "test") -> Measurement:
        return replace(one, rows=rows, n=n, split=split, candidate=f"{one.candidate} {rows}")

    both = (of(TARGET, "a", 50, "validation"), of(TUNED, "a", 50, "validation"), of(TARGET, "b", 900))
    assert case(*both).rows == "a"
    assert case(of(TARGET, "a", 900, "validation"), of(TARGET, "b", 50)).rows == "b"
    assert case(of(TARGET, "a", 90), of(TARGET, "b", 50)).rows == "a"
    assert case(of(TARGET, "a", 50), of(TARGET, "b", 50)).rows == "b"
    assert case(of(TARGET, "a", 50), of(TEACHING, "b", 900)).rows == "a"
    assert case(of(TEACHING, "a", 50), of(CODE, "b", 900)).rows == "a"
    assert case(of(CODE, "a", 50)).rows == "a" and case().rows is None


def test_of_several_seeds_the_middle_one_is_judged_and_of_several_bases_the_best():
    seeds = [scored(TUNED, score, candidate=f"s{at}") for at, score in enumerate((0.9, 0.7, 0.8))]
    assert case(*seeds).judged.score == 0.8
    assert case(*seeds[:2]).judged.score == 0.7, "of two the lower one"
    later = scored(TUNED, 0.75, candidate="later", openings=2)
    assert case(*seeds, later).judged.candidate == "later", "another version, looked at later"
    other = scored(TUNED, 0.85, candidate="other", base="another")
    assert case(*seeds, other).judged.candidate == "other" and case(other, *seeds).judged.candidate == "other"
    assert case(TARGET).judged is None


def test_a_lead_is_read_from_either_side():
    there = case(TUNED, TARGET, comparisons=(pair(TUNED, TARGET, 0.1, 0.04, 0.16),))
    back = case(TUNED, TARGET, comparisons=(pair(TARGET, TUNED, -0.1, -0.16, -0.04),))
    for found in (there.lead, back.lead):
        assert (found.difference, found.low, found.high, found.n) == (0.1, 0.04, 0.16, 200)
    assert case(TUNED, TARGET).lead is None and case(TARGET).lead is None


def test_the_lead_that_counts_is_the_least_one():
    strong = scored(TARGET, 0.85, candidate="strong")
    pairs = (pair(TUNED, TARGET, 0.1, 0.04, 0.16), pair(TUNED, strong, 0.05, -0.01, 0.11))
    found = case(TUNED, TARGET, strong, comparisons=pairs)
    assert found.lead.over == strong == found.best_target
    code = case(TUNED, CODE, TARGET, comparisons=(pair(TUNED, CODE, 0.2, 0.1, 0.3), pair(CODE, TARGET, -0.1, -0.2, 0)))
    assert code.lead is None and code.lead_over_code.difference == 0.2 and code.best_code == CODE
    assert code.code_against_target.difference == -0.1
    assert case(CODE).code_against_target is None and case(TARGET).code_against_target is None


def test_a_tuned_model_on_other_rows_and_a_rival_elsewhere():
    elsewhere = replace(TUNED, rows="v", split="validation", n=90)
    assert case(TARGET, elsewhere).on_other_rows == elsewhere and case(TARGET, TUNED).on_other_rows is None
    assert case(elsewhere).on_other_rows is None, "no target to be beside"
    more = replace(elsewhere, n=91, candidate="more")
    assert case(TARGET, more, elsewhere).on_other_rows == more
    rival = replace(TARGET, model="big-frontier", candidate="big", rows="v", split="validation", low=0.8, high=0.95)
    pairs = (pair(TUNED, TARGET, 0.1, 0.04, 0.16),)
    assert case(TUNED, TARGET, rival, comparisons=pairs).rival_elsewhere == rival
    assert case(TUNED, TARGET, replace(rival, high=0.9), comparisons=pairs).rival_elsewhere, "as good as it is possible"
    assert case(TUNED, TARGET, replace(rival, high=0.89), comparisons=pairs).rival_elsewhere is None
    assert case(TUNED, TARGET, replace(rival, model=TARGET.model), comparisons=pairs).rival_elsewhere is None
    lost = (pair(TUNED, TARGET, -0.1, -0.16, -0.04),)
    assert case(TUNED, TARGET, rival, comparisons=lost).rival_elsewhere is None
    even = (pair(TUNED, TARGET, -0.1, -0.2, 0.0),)
    assert case(TUNED, TARGET, rival, comparisons=even).rival_elsewhere == rival, "it has not lost yet"


def test_fields_in_which_code_beats_the_best_target():
    field = replace(TARGET, metric="order_id", headline=False)
    code = replace(CODE, metric="order_id", headline=False)
    won, even = (pair(code, field, 0.1, low, 0.2) for low in (0.01, 0.0))
    assert [one.difference for one in case(TARGET, CODE, field, code, comparisons=(won,)).parts_for_code] == [0.1]
    assert not case(TARGET, CODE, field, code, comparisons=(even,)).parts_for_code
    assert not case(CODE, code, comparisons=()).parts_for_code


def test_the_newest_plateau_test_of_the_best_targets_prompts():
    tests = (plateau(TARGET, "still rising"), plateau(TARGET, "plateaued"), plateau(TEACHING, "still rising"))
    assert case(TARGET, TEACHING, plateaus=tests).plateau == "plateaued"
    assert case(TEACHING, plateaus=tests).plateau == "" == case(TARGET).plateau
    assert case(TARGET, plateaus=(replace(tests[0], metric="other"),)).plateau == ""


def test_what_a_record_shows_of_each_measurement():
    shown = dict(case(TARGET, TEACHING, CODE, replace(TUNED, headline=False)).shown())
    assert shown == {TARGET: "target", TEACHING: "teaching only", CODE: "no language model"}
    device = dict(case(TARGET, TEACHING, answers={"latency": "tiny_device"}).shown())
    assert device[TEACHING] == "target for that device" and device[TARGET].startswith("no part")
    pairs = (pair(TUNED, TARGET, 0.1, 0, 0.2), pair(TARGET, TEACHING, 0.5, 0.4, 0.6))
    assert shown_comparisons(case(TUNED, TARGET, TEACHING, comparisons=pairs)) == [pairs[0]]
    copied = replace(CODE, metric="all_rules (b3889780)")
    assert dict(case(TUNED, copied).shown())[copied].startswith("no part: it repeats a training text")


def test_a_records_chart_compares_one_candidate_with_its_rivals():
    """A title such as "better than 3 of its 4 rivals" is about one candidate only."""
    tuned, code = measurement("tuned", model="ft:x"), measurement("no language model", score=0.4)
    target = measurement("target", model="large", score=0.6)
    pairs = (
        pair(tuned, target, 0.1, 0.02, 0.18),
        pair(tuned, code, 0.2, 0.1, 0.3),
        pair(code, target, -0.2, -0.3, -0.1),
    )
    here, shown = deciding({}, Evidence(measurements=(tuned, code, target), comparisons=pairs))
    assert len(here) == 3 and {one.a_id for one in shown} == {tuned.id} and len(shown) == 2
    _, without = deciding({}, Evidence(measurements=(code, target), comparisons=pairs[2:]))
    assert {one.a_id for one in without} == {code.id}


# --- evidence that cannot be ---


def test_a_share_has_its_ends_in_order_between_0_and_1_but_for_rounding():
    for fine in ({"score": 0, "low": 0}, {"score": 1, "high": 1}, {"high": 1 + 1e-10}, {"n": 1}):
        case(replace(TARGET, **{"low": 0.2, "high": 1.0} | fine))
    for odd in ({"low": 0.81}, {"high": 0.79}, {"high": 1.01}, {"low": -0.01}, {"n": 0}):
        with pytest.raises(DecisionError, match=r"measurements\[1\] scores"):
            case(TUNED, replace(TARGET, **odd))
    case(replace(TARGET, unit="words", score=120, low=100, high=140))


def test_counts_chances_and_states_that_make_no_sense():
    for chance in (0, 0.5, 1, None):
        assert case(cost=CostForecast(probability=chance)).cheaper == chance
    for evidence in (
        {"cost": CostForecast(probability=1.01)},
        {"cost": CostForecast(probability=-0.01)},
        {"data": DataSummary(rows=-1)},
        {"data": DataSummary(rows=1.5)},
        {"plateaus": (replace(plateau(TARGET, "plateaued"), state="maybe"),)},
        {"comparisons": (pair(TUNED, TARGET, 0, 0, 0),)},
    ):
        with pytest.raises(DecisionError, match="cannot be read"):
            case(**evidence)
    case(data=DataSummary(rows=0, errors=0))
    assert checked_evidence(None) == Evidence()


def test_what_was_not_measured_is_kept_when_a_record_is_read():
    assert evidence_from({"not_measured": ["the price"]}).not_measured == ("the price",)
    assert evidence_from({}).not_measured == evidence_from({"not_measured": None}).not_measured == ()


def test_what_is_supposed_could_have_been_measured():
    """Scores within 0 and 1, and a comparison with a p-value: a flip must not rest on what cannot be."""
    nearly = scored(TARGET, 0.98)
    supposed = [evidence for _, _, evidence in _other_rivals(case(replace(nearly, high=1.0)))]
    assert supposed
    for evidence in supposed:
        assert all(0 <= one.score <= 1 for one in evidence.measurements)
        assert all(0 < pair.p_value < 0.05 for pair in evidence.comparisons)
