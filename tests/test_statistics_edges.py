"""The statistics at their edges: what is left to a default, few rows, missing rows, and where a sentence turns."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from helpers import proportions
from helpers import statistics as s
from helpers.errors import EvaluationError

NAN = math.nan


# --- chances ---


def test_chances_of_a_coin():
    assert [proportions.binomial(k, 2, 0.5) for k in (-1, 0, 1, 2, 3)] == pytest.approx([0, 0.25, 0.5, 0.25, 0])
    assert proportions.binomial(0, 3, 0.0) == proportions.binomial(3, 3, 1.0) == 1
    assert proportions.binomial(1, 3, 0.0) == proportions.binomial(2, 3, 1.0) == 0


@pytest.mark.parametrize(("n", "p"), [(1, 0.5), (10, 0.5), (50, 1.0), (50, 0.001), (1000, 0.3), (999, 0.9)])
def test_likely_numbers_are_all_whose_chance_is_no_less_than_one_in_a_million_million(n: int, p: float):
    likely = [k for k, chance in enumerate(stats.binom.pmf(range(n + 1), n, p)) if chance > 1e-12]
    assert proportions._likely(n, p) == (likely[0], likely[-1])


@pytest.mark.parametrize(("n", "edge"), [(1, -1), (5, -1), (6, 0), (8, 0), (9, 1), (20, 5), (100, 39)])
def test_the_most_losses_that_still_tell_two_apart(n: int, edge: int):
    """As in a table of the sign test for 5 %: of 20 rows that differ at most 5 may be lost."""
    assert proportions._edge(n, 0.025) == edge


def test_a_sum_of_chances_is_carried_from_row_to_row():
    carried = proportions._Sum(3, 10, 0.3)
    assert carried.value == pytest.approx(stats.binom.cdf(3, 10, 0.3))
    carried.one_more_row()
    assert carried.value == pytest.approx(stats.binom.cdf(3, 11, 0.3))
    assert carried.with_next() == pytest.approx(stats.binom.cdf(4, 11, 0.3))
    carried.one_further()
    assert (carried.n, carried.edge, carried.value) == (11, 4, pytest.approx(stats.binom.cdf(4, 11, 0.3)))


def test_a_level_is_told_by_how_far_it_reaches():
    assert s.normal_quantile(0.95) == pytest.approx(1.959964) and s.normal_quantile(0.8) == pytest.approx(1.281552)
    assert tuple(s.wilson(81, 263)) == pytest.approx((0.2553, 0.3662), abs=5e-5)


# --- what is left to a default ---


def test_what_is_not_said_is_95_percent_and_80_percent_power_and_rivals_that_disagree_on_three_rows_in_ten():
    usual = {"disagree": 0.3, "level": 0.95, "chance": 0.8}
    assert s.smallest_detectable(200) == s.smallest_detectable(200, **usual) == pytest.approx(0.112, abs=0.003)
    assert s.rows_needed(0.1) == s.rows_needed(0.1, **usual)
    assert s.power(100, 0.1, 0.3) == s.power(100, 0.1, 0.3, 0.95) > s.power(100, 0.1, 0.3, 0.99)
    assert s.wilson(3, 10) == s.wilson(3, 10, 0.95) and s.newcombe(3, 10, 2, 9) == s.newcombe(3, 10, 2, 9, 0.95)
    assert s.paired_difference(3, 1, 9) == s.paired_difference(3, 1, 9, 0.95)
    values = np.random.default_rng(0).random(30)
    drawn = s.paired_bootstrap(values, np.zeros(30))
    assert drawn == s.paired_bootstrap(values, np.zeros(30), level=0.95, repeats=10_000, seed=0)
    assert drawn != s.paired_bootstrap(values, np.zeros(30), seed=1) != s.paired_bootstrap(values, np.zeros(30), seed=2)
    assert s.sign_flip(values - 0.5) == s.sign_flip(values - 0.5, seed=0)
    two = (list("aabb" * 9), list("abbb" * 9))
    assert s.cohen_kappa(*two) == s.cohen_kappa(*two, 0.95)
    told = s.compare(values, np.zeros(30), unit="s")
    assert (told.difference, told.low, told.high) == drawn, "a comparison's interval is the bootstrap's, seed and all"
    assert s.compare([1.0] * 20, [0.0] * 20).level == s.compare_many({"a": [1.0] * 20, "b": [0.0] * 20}, "a")[0].level


# --- one score ---


def test_a_score_has_wilsons_interval_or_the_bootstraps():
    right = [1, 0, 1, NAN, 1]
    assert s.score_interval(right) == (0.75, *s.wilson(3, 4)) and s.score_interval(right, level=0.8)[1:] == s.wilson(
        3, 4, 0.8
    )
    lengths = np.array([3.0, 5.0, NAN, 9.0, 4.0])
    found = s.score_interval(lengths)
    assert found == s.paired_bootstrap(lengths, np.zeros(5)) and found.value == 5.25 and found.low < 5.25 < found.high
    clustered = s.score_interval([1, 1, 0, 0], clusters=["a", "a", "b", "b"])
    assert clustered == s.paired_bootstrap([1, 1, 0, 0], [0] * 4, clusters=["a", "a", "b", "b"])
    assert all(map(math.isnan, s.score_interval([NAN, NAN]))) and all(map(math.isnan, s.score_interval([])))
    alone = s.score_interval([7.0, NAN])
    assert alone.value == 7 and math.isnan(alone.low) and math.isnan(alone.high)


def test_right_or_wrong_are_zeros_and_ones_and_nothing():
    assert s.is_right_or_wrong([0, 1, NAN]) and not s.is_right_or_wrong([0, 0.5]) and not s.is_right_or_wrong([2, 1])


# --- two on the same rows ---


def test_a_coin_that_fell_one_way():
    assert (
        s.sign_test(0, 0) == 1 and s.sign_test(1, 0) == 1 and s.sign_test(2, 0) == 0.5 and s.sign_test(0, 6) == 2 / 64
    )
    for wrong in ((-1, 0), (0, -1)):
        with pytest.raises(EvaluationError):
            s.sign_test(*wrong)


def test_no_chance_is_smaller_than_one_in_the_flips_that_were_made():
    assert s.sign_flip(np.ones(60)) == 1 / 10_000 and s.sign_flip(np.zeros(5)) == 1
    assert s.sign_flip([1.0, 1.0]) == pytest.approx(0.5, abs=0.02)
    ten = s.sign_flip(np.ones(10), clusters=[0] * 5 + [1] * 5)
    assert ten == pytest.approx(0.5, abs=0.02), "two draws, however many rows they hold"


def test_intervals_stay_within_what_is_possible():
    assert s.paired_difference(5, 0, 5).high == 1 and s.paired_difference(0, 5, 5).low == -1
    assert s.wilson(0, 5).low == 0 and s.wilson(5, 5).high == 1
    assert s.paired_difference(2, 1, 3, 0.8).high < s.paired_difference(2, 1, 3).high


def test_two_rows_are_the_fewest():
    assert s.paired_bootstrap([1.0, 2.0], [0.0, 0.0]).value == 1.5
    assert s.compare([1.0, 1.0], [0.0, 1.0]).n == 2
    for call in (
        lambda: s.paired_bootstrap([1.0], [0.0]),
        lambda: s.paired_bootstrap([1.0, 2.0], [0.0, 0.0], clusters=["a", "a"]),
        lambda: s.compare([1.0, NAN], [0.0, 1.0]),
        lambda: s.paired_bootstrap([1.0, 2.0], [0.0, 0.0], clusters=["a"]),
        lambda: s.paired_bootstrap([[1.0, 2.0]], [[0.0, 0.0]]),
        lambda: s.compare_many({"a": [1.0, 0.0]}, "b"),
    ):
        with pytest.raises(EvaluationError):
            call()


# --- rows and power ---


def test_six_rows_that_disagree_are_the_fewest_that_show_anything():
    assert s.power(5, 1.0, 1.0) == 0 and s.power(6, 1.0, 1.0) == pytest.approx(1)
    assert s.power(6, 0.5, 1.0) == pytest.approx(0.75**6 + 0.25**6)
    assert s.rows_needed(1.0, disagree=1.0) == 6 and s.smallest_detectable(5, disagree=1.0) == math.inf


def test_one_row_less_than_needed_would_not_do():
    for difference in (0.04, 0.05, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3):
        rows = s.rows_needed(difference)
        assert s.power(rows, difference, 0.3) >= 0.8 > s.power(rows - 1, difference, 0.3)


def test_one_row_shows_no_difference_and_no_row_is_none():
    assert s.smallest_detectable(1) == math.inf
    with pytest.raises(EvaluationError):
        s.smallest_detectable(0)


@pytest.mark.parametrize("wrong", [(0, 0.3), (-0.1, 0.3), (0.31, 0.3), (0.5, 1.01)])
def test_differences_that_cannot_be(wrong: tuple[float, float]):
    with pytest.raises(EvaluationError):
        s.rows_needed(wrong[0], disagree=wrong[1])


def test_a_difference_that_no_practical_number_of_rows_shows():
    with pytest.raises(EvaluationError, match="No practical"):
        s.rows_needed(1e-4)
    for wrong in (0, 1.1):
        with pytest.raises(EvaluationError):
            s.smallest_detectable(50, disagree=wrong)
    assert s.smallest_detectable(50, disagree=1) < 1


@pytest.mark.parametrize("wrong", [(0, 0), (-1, 3), (4, 3)])
def test_counts_that_make_no_share(wrong: tuple[int, int]):
    with pytest.raises(EvaluationError):
        s.wilson(*wrong)
    assert s.wilson(1, 1).low > 0.2 and s.wilson(0, 1).high < 0.8


@pytest.mark.parametrize("level", [0, 1, -0.5, 95])
def test_levels_that_are_none(level: float):
    with pytest.raises(EvaluationError):
        s.wilson(1, 2, level)


# --- sentences ---


def test_a_difference_that_would_show_is_the_smallest_detectable_one():
    a, b = np.repeat([1.0, 0.0, 1.0], [12, 8, 180]), np.repeat([0.0, 1.0, 1.0], [12, 8, 180])
    least = 100 * s.smallest_detectable(200, disagree=20 / 200)
    assert f"about {least:.0f} points would show" in s.compare(a, b).sentence
    rng = np.random.default_rng(2)
    noise = rng.normal(0, 1, 400)
    said = s.compare(noise, np.zeros(400), unit="s", better="lower").sentence
    shown = float(said.split("about ")[1].split()[0])
    assert shown == pytest.approx((1.96 + 0.84) / math.sqrt(400), rel=0.1), "2.8 standard errors"


def test_several_comparisons_and_missing_rows_are_said():
    rng = np.random.default_rng(0)
    scores = {name: (rng.random(50) < share).astype(float) for name, share in (("a", 0.9), ("b", 0.5), ("c", 0.2))}
    found = s.compare_many(scores, "a")
    assert [(one.a, one.b) for one in found] == [("a", "b"), ("a", "c")]
    assert all("allows for 2 comparisons (Holm)" in one.sentence for one in found)
    raw = [s.compare(scores["a"], scores[name]).p_value for name in "bc"]
    assert [one.p_value for one in found] == pytest.approx(list(s.holm(raw)))
    [alone] = s.compare_many({"a": scores["a"], "b": scores["b"]}, "a")
    assert "Holm" not in alone.sentence and "left out" not in alone.sentence


def test_a_higher_score_is_better_where_it_is_a_share_and_more_where_it_is_not():
    slow = np.full(20, 3.0)
    worse = s.compare(slow, slow - 1, unit="s", better="lower")
    assert worse.sentence.startswith("“a” is higher (worse) than “b” by 1 s on each of the 20 rows")
    better = s.compare(slow - 1, slow, unit="s", better="lower")
    assert better.sentence.startswith("“a” is lower (better) than “b” by 1 s")
    assert (s.compare([1.0] * 20, [0.0] * 20).unit, s.compare([1.0] * 20, [0.0] * 20).better) == ("share", "higher")


# --- raters ---


def test_raters_who_never_disagree_or_always_do():
    assert s.cohen_kappa(list("ab" * 10), list("ab" * 10)).value == 1
    against = s.cohen_kappa(list("ab" * 10), list("ba" * 10))
    assert (against.value, against.low) == (-1, -1) and all(map(math.isnan, s.cohen_kappa("aa", "aa")))
    assert s.cohen_kappa("aab", "bba").low == -1 and s.cohen_kappa("aabbab", "aabbaa").high == 1, "few rows, wide ends"
    for wrong in (("a", "ab"), ("", "")):
        with pytest.raises(EvaluationError):
            s.cohen_kappa(*wrong)


# --- at the very edge ---


def test_a_chance_of_exactly_what_is_allowed_tells_nothing_apart():
    """Five wins and no loss: p = 2/32 = 0.0625, which a level of 93.75 % just does not reject."""
    a, b = np.ones(10), np.repeat([0.0, 1.0], 5)
    found, surer = s.compare(a, b, level=0.9375), s.compare(a, b, level=0.93)
    assert found.p_value == 0.0625 and found.low == 0 and "cannot tell" in found.sentence
    assert surer.low > 0 and "“a” is better than “b” by 50 points, 93 % interval" in surer.sentence
    behind = s.compare(b, a, level=0.9375)
    assert behind.high == 0 and "cannot tell" in behind.sentence


def test_a_difference_that_would_show_is_left_out_where_none_would():
    assert "would show" not in s.compare([1.0, 0.0, 1.0], [0.0, 0.0, 1.0]).sentence


def test_draws_and_flips_in_several_blocks_are_as_many_as_in_one():
    """Above 200 rows the 10,000 draws no longer fit into one block of two million."""
    rng = np.random.default_rng(3)
    values = rng.normal(0.02, 1, 700)
    found = s.paired_bootstrap(values, np.zeros(700))
    theirs = stats.ttest_1samp(values, 0)
    wanted = theirs.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), abs=0.01)
    assert s.sign_flip(values) == pytest.approx(theirs.pvalue, abs=0.02)
    shorter = s.paired_bootstrap(values, np.zeros(700), repeats=2)
    assert shorter.value == found.value and shorter.low <= shorter.high
