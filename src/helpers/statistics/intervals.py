"""How sure is a number? Intervals of one share, of differences, of means and of two raters' agreement."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from statsmodels.stats.inter_rater import cohens_kappa, to_table
from statsmodels.stats.proportion import confint_proportions_2indep

from helpers.errors import EvaluationError
from helpers.proportions import Interval, check_count, checked_level, normal_quantile, wilson
from helpers.statistics.rows import cluster_sums, is_right_or_wrong, paired_rows


class Estimate(NamedTuple):
    """A value and its interval."""

    value: float
    low: float
    high: float


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


def paired_difference(b: int, c: int, n: int, level: float = 0.95) -> Interval:
    """Interval for the difference of two shares on the same ``n`` rows.

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
    difference, labels, _ = paired_rows(a, b, clusters)
    return bootstrap_mean(difference, labels, level, repeats, seed)


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


def bootstrap_mean(values: np.ndarray, labels: np.ndarray | None, level: float, repeats: int, seed: int) -> Estimate:
    """The mean of one number a row, with its bootstrap interval.

    Args:
        values: the numbers, without ``nan``.
        labels: rows with one label are drawn together; None: each row alone.
        level: the interval's confidence, between 0 and 1.
        repeats: how often rows (or clusters) are drawn.
        seed: the same one draws the same rows.

    Raises:
        EvaluationError: fewer than two rows (or clusters).
    """
    sums, sizes = cluster_sums(values, labels)
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
