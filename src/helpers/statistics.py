"""Is it better, or is it noise? Intervals, paired tests and sentences: numbers in, numbers out, nothing else touched.

A score is one number a row: 1 or 0 for right or wrong, or any real number. ``nan`` means that the row has no answer:
it is left out of every sum, never counted as a zero. Two candidates are always compared on the rows that both answered.

* one share: Wilson (1927). Two independent shares: Newcombe (1998a, method 10).
* two candidates, right/wrong, same rows: exact McNemar test and the Bonett-Price (2012) interval.
* two candidates, any other score, or rows that belong together: paired (cluster) bootstrap with the expanded percentile
  interval of Hesterberg (2015), and a sign-flip test.
* several candidates: Holm (1979).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from scipy.optimize import brentq
from statsmodels.stats.inter_rater import cohens_kappa, to_table
from statsmodels.stats.proportion import confint_proportions_2indep

from helpers.errors import EvaluationError
from helpers.formatting import amount, number, percent
from helpers.proportions import Interval, check_count, checked_level, normal_quantile, power, rows_needed, wilson
from helpers.records import Better, Comparison

__all__ = [
    "SHARES",
    "Estimate",
    "Interval",
    "cohen_kappa",
    "compare",
    "compare_many",
    "holm",
    "is_right_or_wrong",
    "mcnemar",
    "newcombe",
    "normal_quantile",
    "paired_bootstrap",
    "paired_difference",
    "power",
    "rows_needed",
    "score_interval",
    "sign_flip",
    "sign_test",
    "smallest_detectable",
    "wilson",
]


class Estimate(NamedTuple):
    """A value and its interval."""

    value: float
    low: float
    high: float


# --- two independent shares (one share: ``proportions.wilson``) ------------------------------------------------------


def newcombe(successes_a: int, n_a: int, successes_b: int, n_b: int, level: float = 0.95) -> Interval:
    """Newcombe's interval for share *a* minus share *b* on two **different** sets of rows.

    For two candidates on the same rows use :func:`paired_difference`, which is much sharper.

    Args:
        successes_a: rows of the first set that are right.
        n_a: all rows of the first set.
        successes_b: the same of the second set.
        n_b: all rows of the second set.
        level: the interval's confidence, between 0 and 1.
    """
    check_count(successes_a, n_a)
    check_count(successes_b, n_b)
    alpha = 1 - checked_level(level)
    low, high = confint_proportions_2indep(
        successes_a, n_a, successes_b, n_b, method="newcomb", compare="diff", alpha=alpha
    )
    return Interval(float(low), float(high))


# --- right or wrong, on the same rows --------------------------------------------------------------------------------


def sign_test(wins: int, losses: int) -> float:
    """Two-sided p-value of an exact sign test; ties are left out. 1.0 when there is neither win nor loss.

    Args:
        wins: rows on which the first is better.
        losses: rows on which the second is.

    Raises:
        EvaluationError: a count below 0.
    """
    if wins < 0 or losses < 0:
        raise EvaluationError("Wins and losses are counts.", got=f"{wins} and {losses}")
    return float(stats.binomtest(wins, wins + losses, 0.5).pvalue) if wins + losses else 1.0


def mcnemar(b: int, c: int) -> float:
    """Two-sided p-value of the exact McNemar test.

    Args:
        b: rows that only the first candidate got right.
        c: rows that only the second one got right.
    """
    return sign_test(b, c)


def paired_difference(b: int, c: int, n: int, level: float = 0.95) -> Interval:
    """Interval for the difference of two shares on the same ``n`` rows (``b`` and ``c`` as in :func:`mcnemar`).

    Wald's interval with the Laplace adjustment of Bonett and Price (2012), which Fagerland, Lydersen and Laake (2014,
    doi:10.1002/sim.6148) recommend.

    Args:
        b: rows that only the first candidate got right.
        c: rows that only the second one got right.
        n: all rows that both answered.
        level: the interval's confidence, between 0 and 1.
    """
    check_count(b + c, n)
    only_a, only_b = (b + 1) / (n + 2), (c + 1) / (n + 2)
    middle = only_a - only_b
    half = normal_quantile(level) * math.sqrt((only_a + only_b - middle**2) / (n + 2))
    return Interval(max(-1.0, middle - half), min(1.0, middle + half))


# --- any score -------------------------------------------------------------------------------------------------------


def paired_bootstrap(
    a: ArrayLike,
    b: ArrayLike,
    *,
    clusters: Sequence[Hashable] | None = None,
    level: float = 0.95,
    repeats: int = 10_000,
    seed: int = 0,
) -> Estimate:
    """Mean of ``a - b`` over the rows, with a bootstrap interval.

    Args:
        a: the first candidate's score of each row, ``nan`` where there is none.
        b: the second's of the same rows, in the same order.
        clusters: a label a row; rows with one label (one customer, one document) are drawn together.
        level: the interval's confidence, between 0 and 1.
        repeats: how often rows (or clusters) are drawn.
        seed: the same one draws the same rows.

    Raises:
        EvaluationError: different lengths, or fewer than two rows (or clusters) with both scores.
    """
    difference, labels, _ = _pair(a, b, clusters)
    return _bootstrap_mean(difference, labels, level, repeats, seed)


def score_interval(scores: ArrayLike, *, clusters: Sequence[Hashable] | None = None, level: float = 0.95) -> Estimate:
    """The mean score with its interval: Wilson for right/wrong rows, bootstrap otherwise or when rows are clustered.

    ``nan`` in all three places when no row has a score; no interval (``nan``) for a single real-valued row.

    Args:
        scores: one a row, ``nan`` where there is none.
        clusters: a label a row; rows with one label are drawn together.
        level: the interval's confidence, between 0 and 1.
    """
    values = np.asarray(scores, dtype=float)
    kept = ~np.isnan(values)
    if not kept.any():
        return Estimate(math.nan, math.nan, math.nan)
    value = float(values[kept].mean())
    if clusters is None and is_right_or_wrong(values):
        return Estimate(value, *wilson(int(values[kept].sum()), int(kept.sum()), level))
    try:
        return paired_bootstrap(values, np.zeros_like(values), clusters=clusters, level=level)
    except EvaluationError:
        return Estimate(value, math.nan, math.nan)


def _bootstrap_mean(values: np.ndarray, labels: np.ndarray | None, level: float, repeats: int, seed: int) -> Estimate:
    sums, sizes = _cluster_sums(values, labels)
    groups = len(sums)
    if groups < 2:
        raise EvaluationError(
            "A bootstrap needs at least two rows (or clusters) that have both scores.",
            got=str(groups),
            fix="Measure more rows.",
        )
    rng = np.random.default_rng(seed)
    means = np.empty(repeats)
    step = max(1, 2_000_000 // groups)
    for start in range(0, repeats, step):
        drawn = rng.integers(groups, size=(min(step, repeats - start), groups))
        means[start : start + step] = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    # A plain percentile interval is too short on few rows; Hesterberg (2015, doi:10.1080/00031305.2015.1089789) widens
    # its quantiles so that it matches Student's t.
    tail = stats.norm.cdf(-math.sqrt(groups / (groups - 1)) * stats.t.ppf(0.5 + checked_level(level) / 2, groups - 1))
    low, high = np.quantile(means, [tail, 1 - tail])
    return Estimate(float(values.mean()), float(low), float(high))


def sign_flip(difference: ArrayLike, *, clusters: Sequence[Hashable] | None = None, seed: int = 0) -> float:
    """Two-sided p-value of the paired randomisation test: how often chance alone, flipping the sign of whole rows (or
    clusters), makes a mean at least as far from zero. 10,000 flips, the observed one counted.

    Args:
        difference: one a row, without ``nan``.
        clusters: a label a row; the signs of rows with one label are flipped together.
        seed: the same one flips the same signs.
    """
    sums, _ = _cluster_sums(np.asarray(difference, dtype=float), None if clusters is None else np.asarray(clusters))
    repeats, rng = 10_000, np.random.default_rng(seed)
    observed, extreme = abs(sums.sum()) - 1e-12 * np.abs(sums).sum(), 1
    step = max(1, 2_000_000 // len(sums))
    for start in range(0, repeats - 1, step):
        signs = rng.integers(2, size=(min(step, repeats - 1 - start), len(sums)), dtype=np.int8) * 2 - 1
        extreme += int((np.abs(signs @ sums) >= observed).sum())
    return extreme / repeats


# --- before the run: what can this many rows show? -------------------------------------------------------------------


def smallest_detectable(n: int, *, disagree: float = 0.3, level: float = 0.95, chance: float = 0.8) -> float:
    """The smallest true difference of shares that ``n`` paired rows find with probability ``chance``.

    ``inf`` when even the largest possible difference would be missed too often.

    Args:
        n: rows that both candidates answer.
        disagree: the share of rows that exactly one of the two gets right: close prompts disagree on about a tenth of
            the rows, unlike rivals on a third or more.
        level: 1 minus the test's significance level.
        chance: the power that is wanted, between 0 and 1.

    Raises:
        EvaluationError: no rows, or ``disagree`` outside (0, 1].
    """
    check_count(0, n)
    if not 0 < disagree <= 1:
        raise EvaluationError("The share of rows that two candidates disagree on lies in (0, 1].", got=str(disagree))
    if power(n, disagree, disagree, level) < chance:
        return math.inf
    return float(brentq(lambda difference: power(n, difference, disagree, level) - chance, 0.0, disagree, xtol=1e-7))


# --- several candidates, several raters ------------------------------------------------------------------------------


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Holm's adjusted p-values, in the order given: still honest when several comparisons are made at once."""
    values = np.asarray(p_values, dtype=float)  # by hand: statsmodels' multipletests collects garbage at every call
    order = np.argsort(values)
    adjusted = np.empty_like(values)
    adjusted[order] = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1)).clip(max=1)
    return adjusted


def cohen_kappa(first: Sequence[Hashable], second: Sequence[Hashable], level: float = 0.95) -> Estimate:
    """Agreement of two raters beyond chance: 1 is perfect, 0 is what chance gives.

    ``nan`` when both used one and the same label throughout: agreement beyond chance is then undefined.

    Args:
        first: one rater's label of each row.
        second: the other's, in the same order.
        level: the interval's confidence, between 0 and 1.

    Raises:
        EvaluationError: no rows, or not as many labels of one as of the other.
    """
    if len(first) != len(second) or not len(first):
        raise EvaluationError("Two raters must rate the same rows.", got=f"{len(first)} and {len(second)} ratings")
    codes = {label: code for code, label in enumerate(dict.fromkeys([*first, *second]))}
    if len(codes) == 1:
        return Estimate(math.nan, math.nan, math.nan)
    pairs = np.array([[codes[x], codes[y]] for x, y in zip(first, second, strict=True)])
    with np.errstate(invalid="ignore", divide="ignore"):  # a rater who always says the same has no z value
        result = cohens_kappa(to_table(pairs, bins=np.arange(len(codes) + 1) - 0.5)[0])
    half = normal_quantile(level) * float(result.std_kappa)
    return Estimate(float(result.kappa), max(-1.0, float(result.kappa) - half), min(1.0, float(result.kappa) + half))


# --- comparisons with their sentence ---------------------------------------------------------------------------------


def compare(
    a_scores: ArrayLike,
    b_scores: ArrayLike,
    *,
    a: str = "a",
    b: str = "b",
    metric: str = "score",
    unit: str = "",
    better: Better = "higher",
    clusters: Sequence[Hashable] | None = None,
    level: float = 0.95,
) -> Comparison:
    """Compare two candidates on the same rows, in numbers and in a sentence.

    Args:
        a_scores: the first candidate's score of each row, ``nan`` where there is none.
        b_scores: the second's of the same rows, in the same order.
        a: what the sentence calls the first.
        b: what it calls the second.
        metric: what it calls the score.
        unit: "share" for scores from 0 to 1 (differences are then told in points), else the unit of the numbers, such
            as "s". Right-or-wrong scores are shares by themselves; other numbers without a unit have no direction.
        better: which direction is better, for a metric with a unit.
        clusters: a label a row; rows with one label (one customer, one document) count as one draw.
        level: the interval's confidence; 1 minus the test's significance level.

    "Better" is said only when the test's p-value is below ``1 - level`` *and* the interval leaves out zero. Where the
    test does not reject, the interval is widened to reach zero, so that number, chart and sentence never disagree.

    Raises:
        EvaluationError: different lengths, or fewer than two rows that both answered.
    """
    paired = _paired_test(a_scores, b_scores, clusters, level)
    scale = _scale(unit, better, a_scores, b_scores)
    return _comparison(paired, a, b, metric, scale, level, paired.p_value, 1)


def compare_many(
    scores: Mapping[str, ArrayLike],
    reference: str,
    *,
    metric: str = "score",
    unit: str = "",
    better: Better = "higher",
    clusters: Sequence[Hashable] | None = None,
    level: float = 0.95,
) -> list[Comparison]:
    """``reference`` against every other candidate, each p-value adjusted by Holm's method for their number.

    Args:
        scores: candidate's name → one score a row, ``nan`` where there is none; all on the same rows.
        reference: the name that all others are compared with.
        metric: what the sentences call the score.
        unit: as for :func:`compare`.
        better: which direction is better, for a metric with a unit.
        clusters: a label a row, as for :func:`compare`.
        level: the intervals' confidence.

    Raises:
        EvaluationError: no such reference, or as :func:`compare`.
    """
    if reference not in scores:
        raise EvaluationError(f"There is no candidate {reference!r}.", got=", ".join(scores))
    rivals = [name for name in scores if name != reference]
    tests = [_paired_test(scores[reference], scores[name], clusters, level) for name in rivals]
    adjusted = holm([test.p_value for test in tests])
    scale = _scale(unit, better, *scores.values())
    return [
        _comparison(test, reference, name, metric, scale, level, float(p_value), len(rivals))
        for test, name, p_value in zip(tests, rivals, adjusted, strict=True)
    ]


@dataclass(frozen=True)
class _Paired:
    """What the two score lists say, before it is put in words."""

    rows: int
    missing: int
    score_a: float
    score_b: float
    low: float
    high: float
    p_value: float
    detectable: float
    same: bool


class _Scale(NamedTuple):
    """What a metric's numbers are, and which direction of them is better."""

    unit: str
    better: Better

    @property
    def share(self) -> bool:
        return self.unit in SHARES

    def said(self, value: float) -> str:
        """A difference with its unit."""
        text = amount(value, self.share)
        return text if self.share or not self.unit else f"{text} {self.unit}"


SHARES = ("share", "likeness")
"""Units whose scores lie between 0 and 1: their differences are told in points."""


def _scale(unit: str, better: Better, *scores: ArrayLike) -> _Scale:
    if unit:
        return _Scale(unit, better)
    return _Scale("share", better) if all(map(is_right_or_wrong, scores)) else _Scale("", "neither")


def _paired_test(
    a_scores: ArrayLike, b_scores: ArrayLike, clusters: Sequence[Hashable] | None, level: float
) -> _Paired:
    difference, labels, kept = _pair(a_scores, b_scores, clusters)
    rows = len(difference)
    if rows < 2:
        raise EvaluationError("Fewer than two rows were answered by both candidates.", fix="Measure more rows.")
    first, second = np.asarray(a_scores, dtype=float)[kept], np.asarray(b_scores, dtype=float)[kept]
    if labels is None and is_right_or_wrong(np.concatenate([first, second])):
        wins, losses = int((difference > 0).sum()), int((difference < 0).sum())
        low, high = paired_difference(wins, losses, rows, level)
        p_value = mcnemar(wins, losses)
        detectable = smallest_detectable(rows, disagree=max(wins + losses, 1) / rows, level=level)
    else:
        _, low, high = _bootstrap_mean(difference, labels, level, 10_000, 0)
        p_value = sign_flip(difference, clusters=labels)
        error = (high - low) / 2 / normal_quantile(level)
        detectable = (normal_quantile(level) + normal_quantile(0.6)) * error  # 0.6 in the middle: 0.8 on one side
    score_a, score_b = float(first.mean()), float(second.mean())
    same = not difference.any()
    return _Paired(rows, len(kept) - rows, score_a, score_b, low, high, p_value, detectable, same)


def _comparison(
    paired: _Paired, a: str, b: str, metric: str, scale: _Scale, level: float, p_value: float, comparisons: int
) -> Comparison:
    low, high = paired.low, paired.high
    if p_value >= 1 - level:
        low, high = min(low, 0.0), max(high, 0.0)
    if p_value < 1 - level and (low > 0 or high < 0):
        sentence = _told_apart(paired, a, b, scale, Interval(low, high), level)
    else:
        sentence = _cannot_tell(paired, a, b, scale, Interval(low, high), level)
    if comparisons > 1:
        sentence += f" The test allows for {comparisons} comparisons (Holm)."
    if paired.missing:
        sentence += f" Rows without an answer from both ({paired.missing}) were left out."
    return Comparison(
        a=a, b=b, metric=metric, n=paired.rows, score_a=paired.score_a, score_b=paired.score_b,
        difference=paired.score_a - paired.score_b, low=low, high=high, level=level, p_value=p_value, sentence=sentence,
        unit=scale.unit, better=scale.better,
    )  # fmt: skip


def _told_apart(paired: _Paired, a: str, b: str, scale: _Scale, interval: Interval, level: float) -> str:
    """Shares are better or worse; seconds and tokens are higher or lower, and better or worse by their direction."""
    difference = paired.score_a - paired.score_b
    low, high = interval if difference > 0 else (-interval.high, -interval.low)
    told = f"{a} is {_word(scale, difference > 0)} than {b} by {scale.said(abs(difference))}"
    if math.isclose(low, high):
        return f"{told} on each of the {paired.rows} rows."
    ends = f"{number(low, scale.share)} to {number(high, scale.share)}"
    return f"{told}, {percent(level, None)} interval {ends} ({paired.rows} rows)."


def _word(scale: _Scale, higher: bool) -> str:
    if scale.better == "neither":
        return "higher" if higher else "lower"
    judged = "better" if higher == (scale.better == "higher") else "worse"
    return judged if scale.share else f"{'higher' if higher else 'lower'} ({judged})"


def _cannot_tell(paired: _Paired, a: str, b: str, scale: _Scale, interval: Interval, level: float) -> str:
    if paired.same:
        return f"{a} and {b} scored the same on each of the {paired.rows} rows: these rows cannot tell them apart."
    share = scale.share
    text = (
        f"These {paired.rows} rows cannot tell {a} from {b}: the difference is "
        f"{scale.said(paired.score_a - paired.score_b)}, {percent(level, None)} interval "
        f"{number(interval.low, share)} to {number(interval.high, share)}."
    )
    if math.isfinite(paired.detectable):
        text += f" Only a difference of about {scale.said(paired.detectable)} would show 4 times in 5."
    return text


# --- small parts -----------------------------------------------------------------------------------------------------


def is_right_or_wrong(scores: ArrayLike) -> bool:
    """Whether every score that is there is 0 or 1."""
    values = np.asarray(scores, dtype=float)
    return bool(np.isin(values[~np.isnan(values)], (0.0, 1.0)).all())


def _pair(
    a: ArrayLike, b: ArrayLike, clusters: Sequence[Hashable] | None
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Differences and cluster labels of the rows that have both scores, and the mask of those rows."""
    first, second = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if first.shape != second.shape or first.ndim != 1:
        raise EvaluationError(
            "Paired scores must be two lists over the same rows.",
            got=f"shapes {first.shape} and {second.shape}",
            fix="Measure both candidates on the same examples.",
        )
    if clusters is not None and len(clusters) != len(first):
        raise EvaluationError("There must be one cluster label a row.", got=f"{len(clusters)} for {len(first)} rows")
    kept = ~(np.isnan(first) | np.isnan(second))
    labels = None
    if clusters is not None:
        codes = {label: code for code, label in enumerate(dict.fromkeys(clusters))}
        labels = np.array([codes[label] for label in clusters])[kept]
    return (first - second)[kept], labels, kept


def _cluster_sums(values: np.ndarray, labels: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Sum and size of each cluster; without labels every row is one."""
    if labels is None:
        return values, np.ones_like(values)
    _, codes = np.unique(labels, return_inverse=True)
    return np.bincount(codes, weights=values), np.bincount(codes).astype(float)
