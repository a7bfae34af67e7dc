"""The statistics against published tables, against other people's code, and against simulated truth."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.contingency_tables import mcnemar as their_mcnemar
from statsmodels.stats.multitest import multipletests

from helpers import statistics as s
from helpers.errors import EvaluationError

# --- published values: equal to the printed digits -------------------------------------------------------------------

# Newcombe (1998), Statistics in Medicine 17:857-872, Table I, method 3; the fifth from Fagerland, Lydersen and Laake,
# "Statistical Analysis of Contingency Tables" (2017), chapter 2 (Ligarden 2010).
WILSON = [
    (81, 263, 0.2553, 0.3662),
    (15, 148, 0.0624, 0.1605),
    (0, 20, 0.0000, 0.1611),
    (1, 29, 0.0061, 0.1718),
    (13, 16, 0.5699, 0.9341),
]


@pytest.mark.parametrize(("successes", "n", "low", "high"), WILSON)
def test_wilson_published(successes, n, low, high):
    assert [round(x, 4) for x in s.wilson(successes, n)] == [low, high]


# Newcombe (1998), Statistics in Medicine 17:873-890, Table II, method 10; the last from Fagerland et al., chapter 4.
NEWCOMBE = [
    (56, 70, 48, 80, 0.0524, 0.3339),
    (9, 10, 3, 10, 0.1705, 0.8090),
    (6, 7, 2, 7, 0.0582, 0.8062),
    (5, 56, 0, 29, -0.0381, 0.1926),
    (0, 10, 0, 20, -0.1611, 0.2775),
    (0, 10, 0, 10, -0.2775, 0.2775),
    (10, 10, 0, 20, 0.6791, 1.0000),
    (10, 10, 0, 10, 0.6075, 1.0000),
    (7, 34, 1, 34, 0.0189, 0.3404),
]


@pytest.mark.parametrize(("successes_a", "n_a", "successes_b", "n_b", "low", "high"), NEWCOMBE)
def test_newcombe_published(successes_a, n_a, successes_b, n_b, low, high):
    assert [round(x, 4) for x in s.newcombe(successes_a, n_a, successes_b, n_b)] == [low, high]


def test_paired_tests_published():
    """Cavo (2012) in Fagerland et al., chapter 8: 6 and 16 discordant of 161 pairs."""
    assert [round(x, 4) for x in s.paired_difference(6, 16, 161)] == [-0.1195, -0.0032]
    assert round(s.mcnemar(6, 16), 6) == 0.052479
    # The shares' own 2x2 tables: exact binomial test of 13 in 16 (chapter 2).
    assert round(s.sign_test(13, 3), 5) == 0.02127


def test_holm_published():
    """Holm (1979) by hand: 4 x 0.005, 3 x 0.01, 2 x 0.03, then never below the one before."""
    assert s.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02], abs=1e-12)
    assert s.holm([0.6, 0.9]) == pytest.approx([1.0, 1.0])
    assert len(s.holm([])) == 0


@pytest.mark.parametrize("seed", range(3))
def test_holm_is_statsmodels(seed):
    p_values = np.random.default_rng(seed).random(7) ** 3
    assert s.holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1], abs=1e-12)


def test_kappa_published():
    """The textbook table of 20, 5, 10, 15 has kappa 0.4; its standard error by Fleiss, Cohen and Everitt (1969)."""
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    kappa = s.cohen_kappa(first, second)
    assert kappa.value == pytest.approx(0.4, abs=1e-12)
    # By hand from the formula: a = 0.32288, b = 0.0441 ..., checked with the delta method on the four cells.
    assert (kappa.high - kappa.low) / 2 / 1.959964 == pytest.approx(_kappa_error([[20, 5], [10, 15]]), rel=1e-5)


def _kappa_error(table: list[list[int]]) -> float:
    """Standard error of kappa by a numerical delta method: independent of the formula under test."""
    cells = np.array(table, dtype=float).ravel()
    n = cells.sum()

    def kappa(p: np.ndarray) -> float:
        grid = p.reshape(2, 2)
        chance = (grid.sum(0) * grid.sum(1)).sum()
        return (np.trace(grid) - chance) / (1 - chance)

    p, step = cells / n, 1e-6
    slope = np.array([(kappa(p + step * e) - kappa(p - step * e)) / (2 * step) for e in np.eye(4)])
    return math.sqrt((slope**2 @ p - (slope @ p) ** 2) / n)


# --- other people's code: equal to 1e-6 ------------------------------------------------------------------------------


@pytest.mark.parametrize("successes", [0, 1, 7, 50, 99, 100])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_wilson_is_scipys(successes, level):
    theirs = stats.binomtest(successes, 100).proportion_ci(level, method="wilson")
    assert s.wilson(successes, 100, level) == pytest.approx((theirs.low, theirs.high), abs=1e-6)


@pytest.mark.parametrize(("b", "c"), [(0, 0), (0, 1), (5, 0), (6, 0), (3, 9), (20, 20), (61, 40), (1000, 1100)])
def test_mcnemar_is_statsmodels(b, c):
    theirs = their_mcnemar([[10, b], [c, 10]], exact=True).pvalue if b + c else 1.0
    assert s.mcnemar(b, c) == pytest.approx(theirs, abs=1e-6)
    assert s.mcnemar(b, c) == s.mcnemar(c, b)


@pytest.mark.parametrize(("b", "c", "n"), [(0, 0, 20), (6, 16, 161), (30, 10, 200), (5, 0, 5)])
def test_paired_difference_is_bonett_and_prices_formula(b, c, n):
    """Written out from the paper with the two Laplace-adjusted shares."""
    p12, p21 = (b + 1) / (n + 2), (c + 1) / (n + 2)
    half = stats.norm.ppf(0.975) * math.sqrt((p12 + p21 - (p12 - p21) ** 2) / (n + 2))
    wanted = max(-1, p12 - p21 - half), min(1, p12 - p21 + half)
    assert s.paired_difference(b, c, n) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_kappa_is_scikit_learns(seed):
    rng = np.random.default_rng(seed)
    first = rng.integers(3, size=60)
    second = np.where(rng.random(60) < 0.6, first, rng.integers(3, size=60))
    assert s.cohen_kappa(first, second).value == pytest.approx(cohen_kappa_score(first, second), abs=1e-9)


def test_kappa_of_perfect_and_of_constant_raters():
    assert s.cohen_kappa([1, 2, 1], [1, 2, 1]).value == 1
    assert math.isnan(s.cohen_kappa([1, 1], [1, 1]).value)


@pytest.mark.parametrize("n", [8, 12])
def test_sign_flip_is_the_permutation_test_of_scipy(n):
    difference = np.random.default_rng(n).normal(0.6, 1, n)
    theirs = stats.permutation_test(
        (difference,), np.sum, permutation_type="samples", n_resamples=math.inf
    ).pvalue  # all 2**n sign flips
    assert s.sign_flip(difference) == pytest.approx(theirs, abs=4 * math.sqrt(theirs * (1 - theirs) / 10_000))


def test_bootstrap_is_students_t_on_well_behaved_rows():
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.7, 0.2, 60), rng.normal(0.6, 0.2, 60)
    theirs = stats.ttest_rel(a, b).confidence_interval(0.95)
    ours = s.paired_bootstrap(a, b)
    assert ours.value == pytest.approx((a - b).mean(), abs=1e-12)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.004)


def test_clusters_of_one_row_change_nothing_and_copied_rows_add_no_certainty():
    rng = np.random.default_rng(2)
    a, b = rng.random(40), rng.random(40)
    alone = s.paired_bootstrap(a, b)
    assert s.paired_bootstrap(a, b, clusters=[f"row {i}" for i in range(40)]) == alone
    copied = s.paired_bootstrap(np.repeat(a, 5), np.repeat(b, 5), clusters=np.repeat(np.arange(40), 5).tolist())
    assert copied == pytest.approx(alone, abs=1e-12)
    unaware = s.paired_bootstrap(np.repeat(a, 5), np.repeat(b, 5))
    assert unaware.high - unaware.low < 0.5 * (copied.high - copied.low)


@pytest.mark.parametrize(("n", "difference", "disagree"), [(12, 0.3, 0.5), (30, 0.2, 0.3), (40, 0.0, 0.25)])
def test_power_is_the_sum_over_all_outcomes(n, difference, disagree):
    """Every possible pair of discordant counts, weighed by its multinomial probability."""
    p_b, p_c = (disagree + difference) / 2, (disagree - difference) / 2
    total = sum(
        stats.multinomial.pmf([b, c, n - b - c], n, [p_b, p_c, 1 - disagree])
        for b in range(n + 1)
        for c in range(n + 1 - b)
        if b + c and stats.binomtest(b, b + c, 0.5).pvalue <= 0.05
    )
    assert s.power(n, difference, disagree) == pytest.approx(total, abs=1e-9)


def test_rows_needed_is_near_connors_formula():
    """Connor (1987), the usual approximation for McNemar's test; the exact test needs a few rows more."""
    for difference, disagree in [(0.05, 0.1), (0.1, 0.3), (0.1, 0.2), (0.03, 0.3)]:
        z, power = 1.959964, 0.841621
        connor = (z * math.sqrt(disagree) + power * math.sqrt(disagree - difference**2)) ** 2 / difference**2
        assert connor < s.rows_needed(difference, disagree=disagree) < 1.12 * connor + 5


@pytest.mark.parametrize("disagree", [0.1, 0.3])
def test_smallest_detectable_and_rows_needed_answer_each_other(disagree):
    difference = s.smallest_detectable(300, disagree=disagree)
    assert s.power(300, difference, disagree) == pytest.approx(0.8, abs=1e-5)
    assert abs(s.rows_needed(difference, disagree=disagree) - 300) <= 12  # power rises in small saw-teeth


def test_too_few_rows_detect_nothing():
    assert s.smallest_detectable(10, disagree=0.3) == math.inf


# --- comparisons -----------------------------------------------------------------------------------------------------


def scores(b: int, c: int, both: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    """Right/wrong rows: b only the first has right, c only the second."""
    a = np.repeat([1.0, 0.0, 1.0, 0.0], [b, c, both, neither])
    return a, np.repeat([0.0, 1.0, 1.0, 0.0], [b, c, both, neither])


def test_better_in_a_sentence():
    found = s.compare(*scores(36, 12, 120, 32), a="tuned", b="few-shot", metric="category")
    assert found.sentence == "“tuned” is better than “few-shot” by 12 points, 95 % interval 5 to 19 (200 rows)."
    assert (found.n, found.score_a, found.score_b, found.metric) == (200, 0.78, 0.66, "category")
    assert found.difference == pytest.approx(0.12) and found.p_value == s.mcnemar(36, 12)


def test_worse_in_a_sentence():
    found = s.compare(*scores(12, 36, 120, 32), a="few-shot", b="tuned")
    assert found.sentence == "“few-shot” is worse than “tuned” by 12 points, 95 % interval 5 to 19 (200 rows)."
    assert found.high < 0


def test_rows_that_cannot_tell_in_a_sentence():
    found = s.compare(*scores(12, 8, 140, 40), a="tuned", b="few-shot")
    assert found.sentence.startswith(
        "These 200 rows cannot tell “tuned” from “few-shot”: the difference is 2 points, 95 % interval −3 to 7. "
        "Only a difference of about "
    )
    assert found.low < 0 < found.high


def test_same_scores_in_a_sentence():
    found = s.compare(*scores(0, 0, 5, 5))
    assert found.sentence == "“a” and “b” scored the same on each of the 10 rows: these rows cannot tell them apart."
    assert found.p_value == 1 and found.low < 0 < found.high


def test_the_same_difference_on_each_row_in_a_sentence():
    short, long = np.array([61.3, 70.9, 64.1] * 4), np.array([884.3, 893.9, 887.1] * 4)
    found = s.compare(short, long, a="tuned", b="8 examples", metric="prompt tokens")
    assert found.sentence == "“tuned” is lower than “8 examples” by 823 on each of the 12 rows."


def test_interval_and_sentence_never_disagree():
    """Cavo's table: the interval alone leaves out zero, the exact test does not reject (p = 0.052)."""
    found = s.compare(*scores(6, 16, 59, 80))
    assert "cannot tell" in found.sentence and found.high == 0.0 and found.low == pytest.approx(-0.1195, abs=1e-4)


@settings(max_examples=300, deadline=None)
@given(b=st.integers(0, 60), c=st.integers(0, 60), rest=st.integers(0, 200))
def test_words_numbers_and_test_agree(b, c, rest):
    if b + c + rest < 2:
        return
    found = s.compare(*scores(b, c, rest, 0))
    told_apart = "better" in found.sentence or "worse" in found.sentence
    assert told_apart == (found.low > 0 or found.high < 0)
    assert told_apart == (found.p_value < 0.05)
    assert found.low <= found.difference <= found.high


def test_lengths_are_higher_or_lower_never_better():
    rng = np.random.default_rng(0)
    found = s.compare(rng.normal(30, 4, 50), rng.normal(20, 4, 50), a="base", b="tuned", metric="length")
    assert found.sentence.startswith("“base” is higher than “tuned” by ") and "points" not in found.sentence


@pytest.mark.parametrize(
    ("unit", "better", "says"),
    [("s", "lower", "higher (worse) than “quick” by 0.3 s"), ("words", "neither", "higher than “quick” by 0.3 words"),
     ("", "higher", "higher than “quick” by 0.3"), ("share", "higher", "better than “quick” by 30 points"),
     ("share", "lower", "worse than “quick” by 30 points"), ("likeness", "higher", "better than “quick” by 30 points")],
)  # fmt: skip
def test_a_metric_has_a_unit_and_a_direction(unit, better, says):
    """Seconds below one are no shares, and more of them is not better."""
    quick = 0.1 + 0.01 * np.random.default_rng(0).random(50)
    found = s.compare(quick + 0.3, quick, a="slow", b="quick", metric="seconds", unit=unit, better=better)
    assert found.sentence.startswith(f"“slow” is {says}")
    assert found.unit == unit and found.better == (better if unit else "neither")
    [many] = s.compare_many({"slow": quick + 0.3, "quick": quick}, "slow", unit=unit, better=better)
    assert many.sentence.startswith(f"“slow” is {says}")


def test_rows_without_an_answer_are_left_out_and_said():
    a, b = scores(36, 12, 120, 32)
    a, b = np.append(a, [math.nan, 1]), np.append(b, [1, math.nan])
    found = s.compare(a, b)
    assert found.n == 200 and found.sentence.endswith("Rows without an answer from both (2) were left out.")


def test_clusters_widen_the_interval():
    a, b = scores(9, 3, 30, 8)
    a, b = np.repeat(a, 10), np.repeat(b, 10)
    alone, together = s.compare(a, b), s.compare(a, b, clusters=np.repeat(np.arange(50), 10).tolist())
    assert "better" in alone.sentence and "cannot tell" in together.sentence


def test_where_the_test_says_yes_and_the_interval_holds_0_nothing_is_told_apart():
    """Sign-flip test and bootstrap are two ways of counting; on few rows they can differ, and then neither wins."""
    better = [1.8, -0.9, -2.8, -1.4, 0.1, -0.4, -1.6, -1.6, -1.5, -1.3]
    for sign in (1, -1):
        found = s.compare([sign * one for one in better], [0.0] * len(better))
        assert found.p_value < 0.05 and found.low < 0 < found.high
        assert "cannot tell" in found.sentence


def test_few_rows_that_all_agree_prove_nothing():
    found = s.compare([3.0, 4.0, 5.0], [2.0, 3.0, 4.0])
    assert found.p_value >= 0.25 - 0.02 and "cannot tell" in found.sentence


def test_holm_makes_a_lone_win_among_many_harder():
    a, b = scores(16, 5, 60, 19)
    assert "better" in s.compare(a, b).sentence
    rivals = {"tuned": a, "one": b} | {f"same {i}": a for i in range(5)}
    found = {c.b: c for c in s.compare_many(rivals, "tuned")}
    assert found["one"].p_value == pytest.approx(6 * s.mcnemar(16, 5))
    assert "cannot tell" in found["one"].sentence and found["one"].low == 0.0
    assert found["one"].sentence.endswith("The test allows for 6 comparisons (Holm).")


@pytest.mark.parametrize(
    "call",
    [
        lambda: s.wilson(5, 4),
        lambda: s.wilson(0, 0),
        lambda: s.wilson(1, 2, level=95),
        lambda: s.sign_test(-1, 2),
        lambda: s.paired_difference(3, 3, 5),
        lambda: s.paired_bootstrap([1, 2], [1, 2, 3]),
        lambda: s.paired_bootstrap([1.0], [0.5]),
        lambda: s.paired_bootstrap([1.0, 2.0], [0.5, 1.0], clusters=["x", "x"]),
        lambda: s.paired_bootstrap([1.0, 2.0], [0.5, 1.0], clusters=["x"]),
        lambda: s.compare([1, math.nan], [1, 1]),
        lambda: s.compare_many({"a": [1, 0]}, "b"),
        lambda: s.cohen_kappa([1], [1, 2]),
        lambda: s.cohen_kappa([], []),
        lambda: s.smallest_detectable(100, disagree=0),
        lambda: s.rows_needed(0.4, disagree=0.3),
        lambda: s.rows_needed(0.0),
    ],
)
def test_what_makes_no_sense_is_refused(call):
    with pytest.raises(EvaluationError):
        call()


# --- simulated truth -------------------------------------------------------------------------------------------------

COMPARISONS = 2000
ERROR = 3 * math.sqrt(0.05 * 0.95 / COMPARISONS)  # three standard errors of a simulated 5 %


@cache
def outcome(b: int, c: int, n: int) -> tuple[float, float, bool]:
    found = s.compare(*scores(b, c, n - b - c, 0))
    return found.low, found.high, "better" in found.sentence or "worse" in found.sentence


def simulate(n: int, disagree: float, difference: float) -> tuple[float, float]:
    """Share of 2,000 comparisons that told the two apart, and share whose interval holds the true difference."""
    rng = np.random.default_rng([n, round(disagree * 100), round(difference * 100)])
    only_a, only_b = (disagree + difference) / 2, (disagree - difference) / 2
    drawn = rng.multinomial(n, [only_a, only_b, 1 - disagree], size=COMPARISONS)
    found = np.array([outcome(int(b), int(c), n) for b, c, _ in drawn])
    covered = (found[:, 0] <= difference + 1e-12) & (found[:, 1] >= difference - 1e-12)
    return float(found[:, 2].mean()), float(covered.mean())


def check_grid(sizes: list[int]) -> None:
    """False "better" at most 5 % at every point; coverage at least 93 % on average."""
    coverages = []
    for n in sizes:
        for disagree in (0.05, 0.1, 0.3, 0.5):
            for difference in (0.0, 0.02, 0.05, 0.1, 0.25):
                if difference > disagree:
                    continue
                told_apart, covered = simulate(n, disagree, difference)
                coverages.append(covered)
                if difference == 0:
                    assert told_apart <= 0.05 + ERROR, (n, disagree)
    print(f"{len(coverages)} points: mean coverage {np.mean(coverages):.3f}, lowest {min(coverages):.3f}")
    assert np.mean(coverages) >= 0.93 and min(coverages) >= 0.90


def test_simulated_truth_on_a_few_points():
    check_grid([30, 200])


@pytest.mark.soak
def test_simulated_truth_on_the_whole_grid():
    check_grid([20, 30, 50, 100, 200, 500, 1000])


@pytest.mark.parametrize("kind", ["even", "skewed", "clustered"])
@pytest.mark.parametrize("n", [30, pytest.param(200, marks=pytest.mark.soak)])
def test_simulated_truth_of_the_bootstrap(kind, n):
    """Real-valued scores: 500 comparisons (2,000 in the soak), no true difference."""
    repeats = 500 if n < 100 else COMPARISONS
    rng = np.random.default_rng(7)
    apart = covered = 0
    for _ in range(repeats):
        draw = rng.random if kind == "even" else (lambda size: rng.exponential(0.2, size))
        a, b, clusters = draw(n), draw(n), None
        if kind == "clustered":
            a, b = (np.repeat(draw(n), 4) + 0.1 * rng.random(4 * n) for _ in range(2))
            clusters = np.repeat(np.arange(n), 4).tolist()
        found = s.compare(a, b, clusters=clusters)
        apart += found.low > 0 or found.high < 0
        covered += found.low <= 0 <= found.high
    error = 3 * math.sqrt(0.05 * 0.95 / repeats)
    assert apart / repeats <= 0.05 + error and covered / repeats >= 0.93 - error
