"""Where a criterion tips: leads, intervals, rows, chances and prompts at their very edge."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from decide_cases import measurement, pair, plateau
from test_decide_case import CODE, TARGET, TUNED, case

from helpers import decide
from helpers.decide.case import Case
from helpers.decide.counterfactuals import _other_measurements
from helpers.decide.rules import criteria, sentences, steps
from helpers.records import CostForecast, DataSummary, Evidence


def led(difference: float, low: float, high: float, *, n: int = 200, chance: float | None = None,
        answers: dict | None = None, openings: int = 0, split: str = "test", **evidence) -> Case:  # fmt: skip
    """A case whose tuned model leads the target by so much."""
    tuned, target = replace(TUNED, openings=openings, split=split), replace(TARGET, split=split)
    cost = None if chance is None else CostForecast(probability=chance)
    pairs = (pair(tuned, target, difference, low, high, n),)
    return case(tuned, target, comparisons=pairs, cost=cost, answers=answers, **evidence)


# --- rows ---


def test_the_rows_that_a_decision_takes():
    """A share is known to within five times the gain worth having: 10 points for the usual 2."""
    assert criteria.enough_rows(0.02) == 97 and criteria.enough_rows(0.01) == 385
    assert criteria.enough_rows(0.05) == 50 == criteria.enough_rows(0.5), "never fewer than 50"


@pytest.mark.parametrize(("n", "split", "wins"), [(97, "test", True), (96, "test", False), (97, "validation", False)])
def test_a_lead_wins_on_enough_rows_that_nothing_was_chosen_on(n: int, split: str, wins: bool):
    found = led(0.1, 0.04, 0.16, n=n, split=split)
    assert criteria.won(found) == wins and criteria.leads_unproven(found) != wins
    assert bool(steps.more_rows(found)) != wins
    assert not criteria.leads_unproven(led(0.0, -0.1, 0.1, n=96)), "level is no lead"


# --- leads ---


def test_a_win_is_more_than_noise_and_worth_having():
    assert criteria.won(led(0.02, 0.001, 0.04)), "exactly what is worth having"
    assert not criteria.won(led(0.019, 0.001, 0.04)) and not criteria.won(led(0.1, 0.0, 0.2))
    assert not criteria.won(led(0.1, 0.04, 0.16, data=DataSummary(leaks=1)))
    assert not criteria.won(case(TUNED, TARGET)) and not criteria.won(case(TARGET))


def test_rows_that_were_opened_several_times_must_show_more():
    """Twice at 2.5 % each: the interval's lower half is 2.24 / 1.96 = 1.14 times as wide."""
    once, twice = (led(0.1, 0.008, 0.19, openings=times) for times in (1, 2))
    assert criteria.won(led(0.1, 0.008, 0.19)) and criteria.won(once) and not criteria.won(twice)
    assert criteria.won(led(0.1, 0.013, 0.19, openings=2)) and not criteria.won(led(0.1, 0.013, 0.19, openings=9))
    assert sentences.openings_sentence(once) == () and "2 times" in sentences.openings_sentence(twice)[0]


def test_a_rival_without_a_model_must_be_beaten_too():
    lead = pair(TUNED, TARGET, 0.1, 0.04, 0.16)
    beaten, even = (case(TUNED, TARGET, CODE, comparisons=(lead, pair(TUNED, CODE, *ends)))
                    for ends in ((0.2, 0.1, 0.3), (0.02, -0.04, 0.08)))  # fmt: skip
    assert criteria.won(beaten) and not criteria.won(even)
    assert "every rival" in sentences.gain(beaten) and "every rival" not in sentences.gain(led(0.1, 0.04, 0.16))


def test_undecided_is_an_interval_that_holds_both():
    assert criteria.undecided(led(0.01, -0.02, 0.02)) and not criteria.undecided(led(0.01, -0.02, 0.019))
    assert not criteria.undecided(led(0.05, 0.02, 0.08)) and criteria.undecided(led(0.019, 0.001, 0.08))


# --- as good, and its bill ---


@pytest.mark.parametrize(
    ("low", "high", "chance", "good"),
    [(-0.03, 0.01, 0.8, True), (-0.031, 0.01, 0.8, False), (-0.03, 0.0, 0.8, True), (-0.03, -0.001, 0.8, False),
     (-0.03, 0.01, 0.79, False), (-0.03, 0.01, None, False)],
)  # fmt: skip
def test_as_good_is_a_loss_of_at_most_three_points_for_less_money(low: float, high: float, chance: float, good: bool):
    assert criteria.as_good(led((low + high) / 2, low, high, chance=chance)) == good
    assert criteria.as_good(led((low + high) / 2, low, high, answers={"latency": "fast"})) == (chance != 0.8 or good)


def test_as_good_takes_enough_rows():
    assert criteria.as_good(led(0, -0.03, 0.03, n=97, chance=0.9))
    assert not criteria.as_good(led(0, -0.03, 0.03, n=96, chance=0.9))


@pytest.mark.parametrize(
    ("difference", "chance", "answers", "forbids"),
    [
        (0.05, 0.19, {}, True),
        (0.05, 0.2, {}, True),  # dearer with a probability of 80 %, not a hair less
        (0.05, 0.21, {}, False),
        (0.05, None, {}, False),
        (0.1, 0.0, {}, False),  # five times what is worth having is another product
        (0.099, 0.0, {}, True),
        (0.1, 0.0, {"consistency": "low"}, True),
        (0.05, 0.0, {"consistency": "critical"}, False),
        (0.05, 0.0, {"privacy": "stays"}, False),
        (0.05, 0.0, {"latency": "offline"}, False),
    ],
)
def test_a_bill_forbids_what_wins_too_little(difference: float, chance: float | None, answers: dict, forbids: bool):
    found = led(difference, 0.01, 0.2, chance=chance, answers=answers)
    assert criteria.bill_forbids(found) == forbids
    assert not criteria.bill_forbids(case(TARGET, cost=CostForecast(probability=0.0))), "nothing was tuned"


def test_what_pays():
    assert criteria.pays(led(0.1, 0.04, 0.16)) and not criteria.pays(led(0.0, -0.1, 0.1))
    assert criteria.pays(led(0.1, 0.04, 0.16, n=60)), "a lead that more rows may prove"
    cheap = {"gap": "cost_or_speed"}
    assert criteria.pays(case(TARGET, cost=CostForecast(probability=0.8), answers=cheap))
    assert not criteria.pays(case(TARGET, cost=CostForecast(probability=0.79), answers=cheap))
    assert criteria.pays(case(TARGET, answers=cheap | {"latency": "fast"})) and not criteria.pays(case(TARGET))
    flat = (plateau(TARGET, "plateaued"),)
    for pull in ({"consistency": "matters"}, {"prompt_length": "long"}, {"volume": "high"}, {"latency": "fast"}):
        assert criteria.pays(case(TARGET, plateaus=flat, answers=pull)) and not criteria.pays(
            case(TARGET, answers=pull)
        )
    assert not criteria.pays(case(TARGET, plateaus=flat)), "nothing pulls"


# --- room, prompts, code ---


def test_room_ends_where_wrong_labels_begin():
    full, left = (case(replace(TARGET, score=score, low=0.9, high=0.99)) for score in (0.948, 0.946))
    assert criteria.room(left) == pytest.approx(0.021) and criteria.has_room(left) and not criteria.has_room(full)
    assert "at most 2.1 points" in sentences.room_sentence(left)[0]
    exactly = case(replace(TARGET, score=0.917, low=0.9, high=0.93), answers={"worth": "5"})
    assert criteria.has_room(exactly), "1 - 0.033 - 0.917 is 5 points, though not in floating point"
    over = case(replace(TARGET, score=0.98, low=0.95, high=0.99))
    assert "at most 0.0 points" in sentences.room_sentence(over)[0]
    assert criteria.gain_that_counts(case(TARGET)) == pytest.approx((1 - 0.033 - 0.8) / 2)
    assert criteria.gain_that_counts(left) == 0.02 == criteria.gain_that_counts(case())


@pytest.mark.parametrize(("tries", "few"), [(0, False), (1, True), (2, True), (3, False)])
def test_three_prompts_are_not_few(tries: int, few: bool):
    test = replace(plateau(TARGET, "cannot tell"), tries=tries)
    assert criteria.few_prompts(case(TARGET, plateaus=(test,))) == few
    assert not criteria.few_prompts(led(-0.1, -0.2, -0.01, plateaus=(test,))), "it lost even to these"
    assert criteria.few_prompts(led(-0.1, -0.2, 0.0, plateaus=(test,))) == few
    assert not criteria.few_prompts(case(TARGET))


def test_code_suffices_where_it_loses_less_than_what_is_worth_having():
    def of(low: float, n: int = 200, **evidence) -> bool:
        return criteria.code_suffices(
            case(CODE, TARGET, comparisons=(pair(CODE, TARGET, 0.0, low, 0.1, n),), **evidence)
        )

    assert of(-0.019) and not of(-0.02) and of(-0.019, 50) and not of(-0.019, 49)
    assert not of(-0.019, data=DataSummary(leaks=1)) and not criteria.code_suffices(case(CODE, TARGET))


# --- what is said ---


def test_numbers_in_sentences_are_those_of_the_measurements():
    teaching = measurement("teaching", model="smollm2-135m-instruct", score=0.3)
    weaker = replace(teaching, candidate="weaker", score=0.28)
    pairs = (pair(TUNED, teaching, 0.6, 0.5, 0.7), pair(TUNED, weaker, 0.62, 0.5, 0.7))
    [said] = sentences.teaching_sentence(case(TUNED, teaching, weaker, comparisons=pairs))
    assert "best 30 %" in said and "+60.0 points over its best prompt" in said, "the least of the leads"
    assert (
        sentences.teaching_sentence(case(TARGET)) == () and "gained" not in sentences.teaching_sentence(case(weaker))[0]
    )
    [said] = sentences.teaching_sentence(case(TUNED, teaching, comparisons=(pair(TUNED, teaching, -0.5, -0.6, -0.4),)))
    assert "tuned it stands −50.0 points from" in said and "gained" not in said and "magical" not in said
    for told in (said, sentences.teaching_sentence(case(weaker))[0]):
        assert "hopeless" not in told and "magical" not in told
    high, code = (measurement(role, key=role, score=score) for role, score in (("teaching", 0.87), (CODE.role, 0.73)))
    [said] = sentences.teaching_sentence(case(TUNED, high, code, comparisons=(pair(TUNED, high, 0.02, -0.1, 0.1),)))
    assert "hopeless" not in said and "says nothing about real rivals" in said, "a prompt that beats the code"
    [said] = sentences.cost_sentence(case(cost=CostForecast(probability=0.35)))
    assert "35 %" in said and sentences.cost_sentence(case()) == ()
    fewer = replace(TARGET, split="validation", rows="v", n=60)
    assert "Raise ROWS to 100 (40 " in steps.more_validation_rows(case(fewer, data=DataSummary(validation=100)))
    assert steps.more_validation_rows(case(fewer)) == "Label more validation rows"


@pytest.mark.parametrize(("rows", "answer", "said"), [(300, None, 300), (None, "under_10", 10), (None, "10_49", 50),
    (None, "50_199", 200), (None, "200_999", 500), (None, "1000_plus", 1000), (None, None, 1000)])  # fmt: skip
def test_the_price_of_a_trial_is_that_of_the_rows(rows: int | None, answer: str | None, said: int):
    found = steps.price_of_a_trial(case(data=DataSummary(rows=rows), answers={"examples": answer} if answer else {}))
    assert found.startswith(f"about {said:,} rows of 300 tokens, 3 passes: about ") and "from $" in found


def test_prices_grow_with_the_rows():
    today = date(2026, 11, 23)
    cents = [float(steps.price_of_measuring(rows, today).split()[1]) for rows in (200, 400)]
    assert cents[1] == pytest.approx(2 * cents[0], rel=0.1)
    assert float(steps.price_of_measuring(200, today, one_prompt=True).split()[1]) < cents[0]
    assert criteria.rows_to_show(0.02) > criteria.rows_to_show(0.1) > 0


# --- what would change a verdict ---


def test_a_supposed_comparison_takes_the_place_of_the_measured_one_and_of_no_other():
    teaching = measurement("teaching", model="smollm2-135m-instruct", score=0.3)
    measured = (
        pair(TARGET, TUNED, -0.1, -0.16, -0.04),
        pair(CODE, TARGET, -0.1, -0.2, 0.0),
        pair(TARGET, teaching, 0.5, 0.4, 0.6),
    )
    found = case(TUNED, TARGET, CODE, teaching, comparisons=measured)
    supposed = [evidence for _, _, evidence in _other_measurements(found)]
    assert supposed
    for evidence in supposed:
        pairs = [frozenset((one.a_id, one.b_id)) for one in evidence.comparisons]
        assert len(pairs) == len(set(pairs)), "none is there twice"
        assert {frozenset((one.a_id, one.b_id)) for one in measured} <= set(pairs) and measured[
            2
        ] in evidence.comparisons
        assert len(evidence.measurements) == len({one.id for one in evidence.measurements}) >= 4


def test_what_stands_in_the_way_by_an_answer_is_said_to_be_an_answer():
    """It stood as a fact under "7 prompts were scored", and those prompts had worked examples and a schema."""
    answers = {"gap": "behaviour", "techniques": "none", "rights": "no"}
    untried = "Your answer: worked examples, structured outputs, caching and prompt optimisers are untried"
    teaching = measurement("teaching", model="smollm2-135m-instruct", score=0.3)
    for measured, said in (
        ((), f"{untried}."),
        ((TARGET,), f"{untried}."),
        ((teaching,), f"{untried} (prompts that a teaching model answered do not count)."),
    ):
        assert said in decide.decide(answers, Evidence(measured), date(2026, 11, 23)).blockers
    counted = decide.decide(answers | {"examples": "200_999"}, Evidence(data=DataSummary(rows=9)), date(2026, 11, 23))
    assert any(one.startswith("Your answer: ") and "may not" in one for one in counted.blockers)
    assert "There are under 10 good examples." in counted.blockers, "the data were counted"
