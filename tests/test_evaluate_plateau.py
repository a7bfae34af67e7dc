"""The plateau test and the second look by hand: which rows and prompts count, how bounds move, where answers turn."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from test_evaluate_parts import RIGHT, measured, share_right
from test_evaluate_parts import ROWS as PICKED

from helpers import evaluate, statistics
from helpers.errors import EvaluationError
from helpers.evaluate import plateau_of, second_look
from helpers.evaluate.results.plateau import _rows_for, prompted_model
from helpers.formatting import amount as points_of


def right(rows: int, *places: int) -> np.ndarray:
    """Scores of so many rows, 1 at these places."""
    scores = np.zeros(rows)
    scores[list(places)] = 1
    return scores


def share(rows: int, count: int, start: int = 0) -> np.ndarray:
    return right(rows, *range(start, start + count))


# --- which prompts and rows ---


def test_how_many_prompts_and_rows_it_takes():
    flat = {f"p{n}": share(50, 10) for n in range(4)}
    assert plateau_of(flat).gains and plateau_of(flat, last=3) == plateau_of(flat), "three is the usual"
    few = plateau_of({name: flat[name] for name in ("p0", "p1", "p2")})
    assert not few.gains and "3 prompts with answers are too few" in few.sentence and "at least 4" in few.sentence
    assert (few.tries, few.rows, few.state) == (3, 50, "cannot tell")
    one_row = plateau_of({name: scores[:1] for name, scores in flat.items()})
    assert "Fewer than two rows" in one_row.sentence and one_row.rows == 1 and not one_row.gains
    assert plateau_of({name: scores[:2] for name, scores in flat.items()}).gains, "two rows are little, and enough"
    assert len(plateau_of(flat, last=1).gains) == 1


def test_a_prompt_without_answers_is_left_out_and_a_row_that_one_did_not_answer():
    history = {"silent": np.full(40, math.nan), "best": share(40, 20), "other": share(40, 5), "new": share(40, 20)}
    history["other"][:4] = math.nan
    found = plateau_of(history, last=1)
    assert (found.incumbent, found.tries, found.rows) == ("best", 2 + 1, 36)
    assert [gain["name"] for gain in found.gains] == ["new"]


def test_the_best_of_the_earlier_prompts_is_the_one_to_beat_even_when_a_later_one_is_better():
    history = {"a": share(40, 5), "b": share(40, 20), "c": share(40, 9), "d": share(40, 40)}
    assert plateau_of(history, last=1).incumbent == "b" and plateau_of(history, last=2).incumbent == "b"


@pytest.mark.parametrize("wrong", [{"worth": 0}, {"worth": -0.1}, {"last": 0}])
def test_what_makes_no_sense(wrong: dict):
    with pytest.raises(EvaluationError):
        plateau_of({"a": share(9, 3), "b": share(9, 4)}, **wrong)


# --- bounds ---


def test_a_gain_is_a_difference_on_the_same_rows_with_its_paired_bounds():
    history = {"old": share(100, 40), "new": share(100, 40, start=5) + share(100, 2)}  # 5 won, 3 lost
    [gain] = plateau_of(history, last=1).gains
    assert gain["gain"] == pytest.approx(0.02) and gain["p"] == pytest.approx(statistics.mcnemar(5, 3))
    assert (gain["low"], gain["high"]) == pytest.approx(statistics.paired_difference(5, 3, 100))
    [surer] = plateau_of(history, last=1, level=0.99).gains
    assert (surer["low"], surer["high"]) == pytest.approx(statistics.paired_difference(5, 3, 100, 0.99))


@pytest.mark.parametrize(("earlier", "level"), [(1, 0.95), (2, 0.95), (5, 0.98), (10, 0.99)])
def test_the_upper_bound_allows_for_every_earlier_prompt(earlier: int, level: float):
    """One-sided at 5 % in all: among five, 1 % for each, which is the upper end of an interval of 98 %."""
    history = {"old": share(100, 40)} | {f"{n}": share(100, 3) for n in range(1, earlier)} | {"new": share(100, 42)}
    [gain] = plateau_of(history, last=1).gains
    assert gain["high"] == pytest.approx(statistics.paired_difference(2, 0, 100, level).high)


def test_scores_between_0_and_1_have_bounds_by_bootstrap_and_a_test_by_sign_flips():
    rng = np.random.default_rng(1)
    old = rng.random(60)
    new = old + rng.normal(0.05, 0.2, 60)
    [gain] = plateau_of({"old": old, "new": new}, last=1).gains
    bounds = statistics.paired_bootstrap(new, old)
    assert (gain["gain"], gain["low"], gain["high"]) == pytest.approx(bounds)
    assert gain["p"] == pytest.approx(statistics.sign_flip(new - old))


# --- where the answer turns ---


def test_a_plateau_is_called_where_the_bound_is_below_what_is_worth_having():
    history = {"old": share(400, 200), "new": share(400, 200)}
    bound = plateau_of(history, last=1).gains[0]["high"]
    below, above = (plateau_of(history, last=1, worth=bound * times) for times in (1.01, 0.99))
    assert (below.state, above.state) == ("plateaued", "cannot tell")
    assert plateau_of(history, last=1, worth=bound).state == "cannot tell", "as much as is worth having is possible"
    worse = history | {"new": share(400, 20)}
    assert "more than 0 points better" in plateau_of(worse, last=1).sentence, "never less than nothing"


def test_all_of_the_last_prompts_must_have_gained_nothing():
    history = {"old": share(400, 200), "same": share(400, 200), "new": share(400, 206)}
    assert plateau_of(history | {"new": share(400, 200)}, last=2).state == "plateaued"
    found = plateau_of(history, last=2)
    assert found.state == "cannot tell" and "“new”, gained 2 points over “old”" in found.sentence


def test_where_it_cannot_tell_the_bound_that_decides_is_named_with_its_prompt():
    """The best mean need not have the largest bound: a prompt that answers otherwise on many rows has a wider one."""
    nearly = share(60, 40, start=9)  # 9 lost, 1 won
    history = {"old": share(60, 48), "nearly": nearly, "erratic": share(60, 38, start=22)}  # 22 lost, 12 won
    found = plateau_of(history, last=2)
    highs = {gain["name"]: gain["high"] for gain in found.gains}
    assert found.state == "cannot tell" and highs["erratic"] > found.worth > highs["nearly"]
    assert f"“nearly”, is 13 points worse than “old”; “erratic” may be up to {points_of(highs['erratic'])} better" in (
        found.sentence
    )
    alone = plateau_of({"old": share(60, 30), "new": share(60, 33)}, last=1)
    most = points_of(alone.gains[0]["high"])
    assert f"“new”, gained 5 points over “old”; it may be up to {most} better" in alone.sentence


def test_a_rise_must_be_proved_and_worth_having():
    history = {"old": share(100, 40), "new": share(100, 47)}  # seven won and none lost: p = 0.016
    assert plateau_of(history, last=1).state == "still rising"
    assert plateau_of(history, last=1, worth=0.07).state == "still rising", "exactly what is worth having"
    assert plateau_of(history, last=1, worth=0.08).state == "cannot tell", "proved, and not worth having"
    assert plateau_of(history, last=1, level=0.99).state == "cannot tell", "worth having, and not proved"
    two = {"old": share(100, 40), "first": share(100, 47), "best": share(100, 60), "last": share(100, 41)}
    assert "rising: “best” beats “old” by 20 points on 100 rows (4 prompts tried)" in plateau_of(two).sentence


def test_the_rows_that_it_asks_for_are_the_rows_that_it_takes():
    """With as many rows of the same kind and no gain the answer is a plateau; with a good deal fewer it is not."""
    history = {"old": share(100, 40), "new": share(100, 40, start=3)}
    needed = int(re.search(r"takes about ([\d,]+) rows", plateau_of(history, last=1).sentence)[1].replace(",", ""))
    assert needed % 100 == 0 and needed > 100

    def with_rows(times: float) -> str:
        return plateau_of({name: np.tile(one, round(times)) for name, one in history.items()}, last=1).state

    assert with_rows(needed / 100 * 1.1) == "plateaued" and with_rows(needed / 100 * 0.7) == "cannot tell"
    nearly = {"old": share(400, 200), "new": share(400, 200)}
    bound = plateau_of(nearly, last=1).gains[0]["high"]
    said = plateau_of(nearly, last=1, worth=bound * 0.999).sentence
    assert "takes about 401 rows" in said or "takes about 500 rows" in said, "more than it had"


def test_the_rows_that_it_asks_for_do_not_depend_on_which_way_luck_went():
    """They are those that show no gain, and take as long where six were won and four lost as the other way round."""

    def needed(won: int) -> int:
        new = share(
            100, 30 + 2 * won, start=10 - won
        )  # ten rows in which they differ: won at the end, lost at the start
        said = plateau_of({"old": share(100, 40), "new": new}, last=1).sentence
        return int(re.search(r"takes about ([\d,]+) rows", said)[1].replace(",", ""))

    assert needed(6) == pytest.approx(needed(4), rel=0.1) == pytest.approx(needed(5), rel=0.1)


# --- results of a run ---


def test_a_plateau_of_a_run_is_of_one_model_and_of_its_prompts():
    tried = measured("a", ["?"] * 40).merge(share_right(PICKED, 20, "b")).merge(share_right(PICKED, 20, "c"))
    found = evaluate.plateau(tried, last=1)
    assert (found.incumbent, found.tries, found.rows) == ("b", 3, 40) and [g["name"] for g in found.gains] == ["c"]
    assert evaluate.plateau(tried, last=1, worth=0.5).state == "plateaued"
    assert not evaluate.plateau(tried).gains and "at least 4" in evaluate.plateau(tried).sentence
    silent = evaluate.plateau(measured("a", [None] * 40))
    assert silent.state == "cannot tell" and silent.sentence.startswith("None of the 40") and silent.rows == 0
    assert silent.tries == 0
    likeness = evaluate.plateau(tried, metric="length")
    assert (likeness.state, likeness.tries, likeness.rows) == ("cannot tell", 3, 0) and "RULES" in likeness.sentence
    with pytest.raises(EvaluationError, match="one model"):
        prompted_model(RIGHT)


def test_a_second_look_without_shared_rows_or_scores():
    with pytest.raises(EvaluationError, match="3 shared rows"):
        second_look(share_right(PICKED, 9), share_right(PICKED[:3], 2), "best")


def test_rows_that_would_do_are_at_least_one_more_than_there_are_else_whole_hundreds():
    def gains(half: float) -> tuple[dict, ...]:
        return ({"gain": 0.0, "high": half}, {"gain": -0.5, "high": -0.6})

    assert _rows_for(gains(0.02), 0.02, 200) == 201
    assert _rows_for(gains(0.04), 0.02, 200) == 800 and _rows_for(gains(0.041), 0.02, 200) == 900


def test_a_second_look_tells_the_change_from_the_first():
    looked = second_look(share_right(PICKED[:20], 10), share_right(PICKED[20:], 5), "best")
    assert looked.change.value == pytest.approx(5 / 20 - 10 / 20)


def test_a_rise_whose_chance_is_exactly_what_is_allowed_is_not_proved():
    """Five rows won and none lost: p = 2/32 = 0.0625."""
    history = {"old": share(40, 10), "new": share(40, 15)}
    assert plateau_of(history, last=1, level=0.9375).state == "cannot tell"
    assert plateau_of(history, last=1, level=0.93).state == "still rising"


def test_what_is_left_to_a_default_of_a_plateau():
    history = {f"p{n}": share(60, 20 + n) for n in range(5)}
    usual = plateau_of(history)
    assert usual == plateau_of(
        history, worth=0.02, last=3, role="teaching", level=0.95, tries=dict.fromkeys(history, 1)
    )
    assert usual.worth == 0.02 and usual.role == "teaching" and "teaching model" in usual.sentence
    assert "teaching model" not in plateau_of(history, role="target").sentence
    tried = measured("a", ["?"] * 40).merge(share_right(PICKED, 20, "b")).merge(share_right(PICKED, 20, "c"))
    many = tried.merge(share_right(PICKED, 21, "d")).merge(share_right(PICKED, 22, "e"))
    assert evaluate.plateau(many) == evaluate.plateau(many, worth=0.02, last=3, level=0.95)


def test_a_prompt_that_a_search_found_counts_for_all_that_it_tried():
    """Seven rows won and none lost: p = 0.016, which four tries (Holm) make 0.0625."""
    history = {"old": share(100, 40), "new": share(100, 47)}
    assert plateau_of(history, last=1, tries={"new": 3}).state == "still rising"
    searched = plateau_of(history, last=1, tries={"new": 4})
    assert searched.state == "cannot tell" and searched.tries == 5
    flattered = plateau_of(history, last=1, tries={"old": 9})
    assert flattered.gains[0]["high"] > plateau_of(history, last=1).gains[0]["high"] and flattered.tries == 10


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [(18, 2, "partly for its luck"), (2, 18, "fresh rows seem easier"), (10, 10, "do not show that the first score")],
)
def test_a_second_look_says_which_way_the_score_went(before: int, after: int, said: str):
    looked = second_look(share_right(PICKED[:20], before), share_right(PICKED[20:], after), "best")
    assert said in looked.sentence and "scored " + f"{5 * before} % on the 20 rows" in looked.sentence
    assert f"{5 * after} % on 20 fresh ones" in looked.sentence


def test_rows_that_would_rule_a_gain_out_are_rounded_up_to_hundreds():
    assert _rows_for(({"gain": 0.0, "high": 0.02},), worth=0.02, rows=1001) == 1100
