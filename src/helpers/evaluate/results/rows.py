"""The rows that were measured: a hash of each, of all of them, and the columns that an answer has."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from helpers.evaluate.prompts.candidates import digest
from helpers.records import Example

TEXTS = ("candidate", "answer", "expected", "missing", "finish_reason")
COUNTS = ("prompt_tokens", "completion_tokens", "cached_tokens", "seconds", "usd", "confidence")


def row_ids(examples: Sequence[Example]) -> list[str]:
    """A hash an example: its messages, the ideal answer among them."""
    return [digest(list(example.messages)) for example in examples]


def rows_hash(ids: Sequence[str]) -> str:
    """One hash of some rows, in whatever order they stand."""
    return digest(sorted(ids))


def typed(rows: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """One line an answer, with numbers as floats (None becomes nan) and texts as objects.

    Args:
        rows: columns :data:`TEXTS`, ``row``, one a metric, :data:`COUNTS` (``confidence`` may be absent).
        metrics: names of the columns that hold scores.
    """
    numbers, texts = [*metrics, *COUNTS], list(TEXTS)
    rows = rows if "confidence" in rows else rows.assign(confidence=math.nan)  # kept before there was such a column
    return rows.astype({**dict.fromkeys(numbers, float), **dict.fromkeys(texts, object), "row": int})
