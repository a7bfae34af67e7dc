"""Two candidates on the same rows, in numbers and in a sentence that says no more than the numbers do."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from helpers.errors import EvaluationError
from helpers.formatting import amount, number, percent
from helpers.proportions import Interval, normal_quantile
from helpers.records import Better, Comparison
from helpers.statistics.intervals import bootstrap_mean, paired_difference
from helpers.statistics.rows import is_right_or_wrong, paired_rows
from helpers.statistics.significance import holm, mcnemar, sign_flip, smallest_detectable


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
    difference, labels, kept = paired_rows(a_scores, b_scores, clusters)
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
        _, low, high = bootstrap_mean(difference, labels, level, 10_000, 0)
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
    told = f"“{a}” is {_word(scale, difference > 0)} than “{b}” by {scale.said(abs(difference))}"
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
        return f"“{a}” and “{b}” scored the same on each of the {paired.rows} rows: these rows cannot tell them apart."
    share = scale.share
    text = (
        f"These {paired.rows} rows cannot tell “{a}” from “{b}”: the difference is "
        f"{scale.said(paired.score_a - paired.score_b)}, {percent(level, None)} interval "
        f"{number(interval.low, share)} to {number(interval.high, share)}."
    )
    if math.isfinite(paired.detectable):
        text += f" Only a difference of about {scale.said(paired.detectable)} would show 4 times in 5."
    return text
