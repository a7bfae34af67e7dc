"""Shares of right rows with the standard library alone: an interval, and how many rows show a difference.

``statistics`` builds on these; so does ``decide``, which also runs where neither NumPy nor SciPy is (in a browser).
Wilson (1927) for one share; the exact McNemar test for two candidates on the same rows.
"""

from __future__ import annotations

import math
from itertools import accumulate, count, takewhile
from statistics import NormalDist
from typing import NamedTuple

from helpers.errors import EvaluationError

_NEGLIGIBLE = 1e-12
"""A chance below this adds nothing to a sum that is read to a few digits."""


class Interval(NamedTuple):
    """Two ends of an interval."""

    low: float
    high: float


def normal_quantile(level: float) -> float:
    """How many standard errors an interval of this level reaches to either side: 1.96 for 0.95."""
    return NormalDist().inv_cdf(0.5 + checked_level(level) / 2)


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """Wilson's score interval for a share, between 0 and 1.

    Args:
        successes: rows that are right.
        n: all rows, at least 1.
        level: the interval's confidence, between 0 and 1.

    Raises:
        EvaluationError: no rows, or more successes than rows.
    """
    check_count(successes, n)
    z, share = normal_quantile(level), successes / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return Interval(max(0.0, middle - half), min(1.0, middle + half))


def power(n: int, difference: float, disagree: float, level: float = 0.95) -> float:
    """Chance that the exact McNemar test on ``n`` rows finds a true ``difference`` of shares.

    Args:
        n: rows that both candidates answer.
        difference: the true difference of their shares, above 0.
        disagree: share of rows that exactly one of the two candidates gets right; at least ``difference``.
        level: 1 minus the test's significance level.

    Walks over the number of rows on which the two may disagree. From one number to the next the test's edge moves by at
    most one row and each sum of chances by one term, so that the walk takes a few operations a step.
    """
    only_a, tail = (1 + difference / disagree) / 2, (1 - checked_level(level)) / 2
    first, last = _likely(n, disagree)
    edge = _edge(first, tail)
    under_null = _Sum(edge, first, 0.5)
    few_losses, few_wins = _Sum(edge, first, only_a), _Sum(edge, first, 1 - only_a)
    found = 0.0
    for disagreeing in range(first, last + 1):
        if disagreeing > first:
            for total in (under_null, few_losses, few_wins):
                total.one_more_row()
            if under_null.with_next() <= tail:
                for total in (under_null, few_losses, few_wins):
                    total.one_further()
        if under_null.edge >= 0:
            found += binomial(disagreeing, n, disagree) * (few_losses.value + few_wins.value)
    return found


def rows_needed(difference: float, *, disagree: float = 0.3, level: float = 0.95, chance: float = 0.8) -> int:
    """How many paired rows let the exact McNemar test find a true ``difference`` with probability ``chance``.

    Args:
        difference: the true difference of shares, above 0.
        disagree: share of rows that exactly one of the two gets right; at least ``difference``.
        level: 1 minus the test's significance level.
        chance: the power that is wanted, between 0 and 1.

    Raises:
        EvaluationError: the two shares do not fit together, or more than four million rows would be needed.
    """
    if not 0 < difference <= disagree <= 1:
        raise EvaluationError(
            "The difference must be above 0 and at most the share of rows that the two candidates disagree on.",
            got=f"difference {difference}, disagree {disagree}",
        )
    high = 8
    while power(high, difference, disagree, level) < chance:
        high *= 2
        if high > 4_000_000:
            raise EvaluationError("No practical number of rows shows so small a difference.", got=str(difference))
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(middle, difference, disagree, level) >= chance else (middle, high)
    return high


def binomial(k: int, n: int, p: float) -> float:
    """Binomial probability of exactly ``k`` successes in ``n`` trials.

    Args:
        k: successes; outside 0 to ``n`` the probability is 0.
        n: trials.
        p: chance of one success.
    """
    if k < 0 or k > n:
        return 0.0
    if p in (0.0, 1.0):
        return float(k == n * p)
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(ways + k * math.log(p) + (n - k) * math.log1p(-p))


class _Sum:
    """The chance of at most ``edge`` successes in ``n`` trials, carried from one ``n`` and ``edge`` to the next."""

    def __init__(self, edge: int, n: int, p: float) -> None:
        self.edge, self.n, self.p = edge, n, p
        self.value = math.fsum(binomial(k, n, p) for k in range(edge + 1))

    def one_more_row(self) -> None:
        """One more trial: of those that had ``edge`` successes, a share ``p`` now has one more."""
        self.value -= self.p * binomial(self.edge, self.n, self.p)
        self.n += 1

    def with_next(self) -> float:
        """The sum with one more success allowed."""
        return self.value + binomial(self.edge + 1, self.n, self.p)

    def one_further(self) -> None:
        self.value, self.edge = self.with_next(), self.edge + 1


def _likely(n: int, p: float) -> tuple[int, int]:
    """The numbers of successes, from the least to the greatest, whose chance is not negligible."""
    first = last = min(n, int((n + 1) * p))
    while first > 0 and binomial(first - 1, n, p) > _NEGLIGIBLE:
        first -= 1
    while last < n and binomial(last + 1, n, p) > _NEGLIGIBLE:
        last += 1
    return first, last


def _edge(n: int, tail: float) -> int:
    """The greatest number of successes of a fair coin whose lower tail is at most ``tail``; -1 where none is."""
    sums = accumulate(binomial(k, n, 0.5) for k in count())
    return sum(1 for _ in takewhile(lambda total: total <= tail, sums)) - 1


def check_count(count: int, n: int) -> None:
    """Pass when ``count`` of ``n`` is a share; ``EvaluationError`` otherwise.

    Args:
        count: successes.
        n: trials.

    Raises:
        EvaluationError: no trial, or a count outside 0 to ``n``.
    """
    if n < 1 or not 0 <= count <= n:
        raise EvaluationError("A share needs rows, and no more successes than rows.", got=f"{count} of {n}")


def checked_level(level: float) -> float:
    """A confidence level, between 0 and 1; ``EvaluationError`` otherwise.

    Raises:
        EvaluationError: it is not.
    """
    if not 0 < level < 1:
        raise EvaluationError("A confidence level lies between 0 and 1.", got=str(level), fix="Use 0.95.")
    return level
