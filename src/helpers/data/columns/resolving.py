"""Which column is the question and which the answer: as the reader says it in ``COLUMNS``, else as it is guessed.

What is found out is written as a ``COLUMNS`` of its own, so that a reader can copy it and change it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from helpers.data.columns.given import Columns, checked
from helpers.data.columns.guessing import Guess, guess
from helpers.data.shapes.to_chat import has_own_shape, shaped
from helpers.errors import DataError


def resolved(columns: Columns | None, sample: Sequence[Any]) -> Guess:
    """The columns of these rows: the reader's own, or what is found out; none for rows that are conversations already.

    Args:
        columns: the reader's own; None where they are to be found out.
        sample: rows of the file, of any type.

    Raises:
        DataError: as ``checked`` and ``guess``.
    """
    tables = [row for row in sample if isinstance(row, Mapping) and not has_own_shape(row)]
    if columns is not None and (columns or not isinstance(columns, Mapping)):
        return Guess(checked(columns, [row for row in sample if isinstance(row, Mapping)]), "set by you")
    if 2 * len(tables) < len(sample) or not tables:
        return Guess({}, "as it is")
    try:
        return guess(tables)
    except DataError:
        if any(shaped(row) is not None for row in sample):
            return Guess({}, "as it is")  # rows of several shapes: each by its own names
        raise


def sample_of(rows: Iterable[Mapping[str, Any]], most: int = 1000) -> list[Mapping[str, Any]]:
    """Some of the rows, spread over all of them in their order: the first ones may all be alike.

    Args:
        rows: read once, one at a time.
        most: so many at least, where there are so many, and less than twice as many.
    """
    kept, step = [], 1
    for at, row in enumerate(rows):
        if at % step == 0:
            kept.append(row)
            if len(kept) >= 2 * most:
                kept, step = kept[::2], 2 * step
    return kept
