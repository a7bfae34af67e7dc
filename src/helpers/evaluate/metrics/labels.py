"""Metrics of labels: the right one, the right one among other words, and F1 over all of them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

import numpy as np

from helpers.evaluate.metrics.metric import DIAGNOSIS, Metric, label_of
from helpers.records import Example
from helpers.statistics import Estimate

label_accuracy = Metric("label_accuracy", lambda answer, example: float(label_of(answer) == label_of(example.answer)))
"""The answer names the right label; case, quotes and a final full stop do not count, nor does JSON around one label."""


def label_inside(labels: Iterable[str]) -> Metric:
    """The right label is the only one that the answer names, whatever else it says: "It is **refund**, since …".

    A diagnosis beside ``label_accuracy``, never evidence: where it is clearly higher, the prompt gets chatter instead
    of labels, and a label alone should be demanded (or forced by a schema). Of labels within each other the longer
    counts.
    """
    names = sorted({label_of(label) for label in labels} - {""}, key=len, reverse=True)
    found = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, names))})(?!\w)" if names else r"(?!)")

    def score(answer: str, example: Example) -> float:
        return float(set(found.findall(label_of(answer))) == {label_of(example.answer)})

    return Metric("label_inside", score, unit=DIAGNOSIS)


def macro_f1(answers: Sequence[str], wanted: Sequence[str], field: str | None = None, level: float = 0.95) -> Estimate:
    """F1 averaged over the labels that the ideal answers use, rare ones counting as much as frequent ones.

    Args:
        answers: one a row.
        wanted: the ideal answers, one a row.
        field: the field of a JSON answer that holds the label; None: the whole answer is the label.
        level: confidence of the interval.

    Returns:
        The value and its bootstrap interval (500 draws of the rows); ``nan`` without rows.
    """
    if not answers:
        return Estimate(math.nan, math.nan, math.nan)
    gold = np.array([str(label_of(text, field)) for text in wanted])
    got = np.array([str(label_of(text, field)) for text in answers])
    rng = np.random.default_rng(0)
    drawn = [_f1(gold[rows], got[rows]) for rows in rng.integers(len(gold), size=(500, len(gold)))]
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(_f1(gold, got), float(low), float(high))


def _f1(gold: np.ndarray, got: np.ndarray) -> float:
    labels = np.unique(gold)[:, None]
    hits = ((gold == labels) & (got == labels)).sum(axis=1)
    return float(np.mean(2 * hits / ((gold == labels).sum(axis=1) + (got == labels).sum(axis=1))))
