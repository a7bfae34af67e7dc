"""Is it chance? p-values of paired tests, their correction for many tests, and what so many rows can show at all."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from scipy.optimize import brentq

from helpers.errors import EvaluationError
from helpers.proportions import check_count, power
from helpers.statistics.rows import cluster_sums


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


def sign_flip(difference: ArrayLike, *, clusters: Sequence[Hashable] | None = None, seed: int = 0) -> float:
    """Two-sided p-value of the paired randomisation test: how often chance alone, flipping the sign of whole rows (or
    clusters), makes a mean at least as far from zero. 10,000 flips, the observed one counted.

    Args:
        difference: one a row, without ``nan``.
        clusters: a label a row; the signs of rows with one label are flipped together.
        seed: the same one flips the same signs.
    """
    sums, _ = cluster_sums(np.asarray(difference, dtype=float), None if clusters is None else np.asarray(clusters))
    repeats, rng = 10_000, np.random.default_rng(seed)
    observed, extreme = abs(sums.sum()) - 1e-12 * np.abs(sums).sum(), 1
    step = max(1, 2_000_000 // len(sums))
    for start in range(0, repeats - 1, step):
        signs = rng.integers(2, size=(min(step, repeats - 1 - start), len(sums)), dtype=np.int8) * 2 - 1
        extreme += int((np.abs(signs @ sums) >= observed).sum())
    return extreme / repeats


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Holm's adjusted p-values, in the order given: still honest when several comparisons are made at once."""
    values = np.asarray(p_values, dtype=float)  # by hand: statsmodels' multipletests collects garbage at every call
    order = np.argsort(values)
    adjusted = np.empty_like(values)
    adjusted[order] = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1)).clip(max=1)
    return adjusted


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
