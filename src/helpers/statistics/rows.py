"""Scores as arrays, one number a row: which rows count, and which belong together."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from helpers.errors import EvaluationError


def is_right_or_wrong(scores: ArrayLike) -> bool:
    """Whether every score that is there is 0 or 1."""
    values = np.asarray(scores, dtype=float)
    return bool(np.isin(values[~np.isnan(values)], (0.0, 1.0)).all())


def paired_rows(
    a: ArrayLike, b: ArrayLike, clusters: Sequence[Hashable] | None
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Differences of the rows that have both scores.

    Args:
        a: the first candidate's score of each row, ``nan`` where there is none.
        b: the second's of the same rows, in the same order.
        clusters: a label a row, if rows belong together.

    Returns:
        the differences ``a - b`` of the k rows that have both scores; a whole number a row that stands for its label
        (k of them; None without labels); and a mask over all rows that says which these are.

    Raises:
        EvaluationError: lists of different lengths, or not one label a row.
    """
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


def cluster_sums(values: np.ndarray, labels: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Sum and size of each cluster; without labels every row is one.

    Args:
        values: one number a row.
        labels: what stands for its cluster, a row each; None: no clusters.
    """
    if labels is None:
        return values, np.ones_like(values)
    _, codes = np.unique(labels, return_inverse=True)
    return np.bincount(codes, weights=values), np.bincount(codes).astype(float)
