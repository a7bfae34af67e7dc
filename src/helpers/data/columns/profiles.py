"""What a column holds: its kind, how much of it is filled, how varied it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import orjson

from helpers.data.shapes.cells import cell_text
from helpers.data.shapes.turns import is_conversation

MOST = 0.8
LABEL_LENGTH = 80

DATE = re.compile(r"\d{1,4}([-./])\d{1,2}\1\d{1,4}")
"""How dates begin, whatever their order; an amount has at most one such mark."""


class Profile(NamedTuple):
    """What a column holds: ``kind`` is "turns", "empty", "constant", "json", "date", "number", "id", "label" or "text";
    which share of it is filled, how many different values and words it has, and its cells as text."""

    name: str
    kind: str
    filled: float
    different: int
    words: float
    cells: tuple[str, ...]

    @property
    def values(self) -> list[str]:
        """Its first different values."""
        return sorted({cell for cell in self.cells if cell})[:5]


def profile(name: str, sample: Sequence[Mapping[str, Any]]) -> Profile:
    """What a column holds.

    Args:
        name: the column's.
        sample: rows of the table.
    """
    cells = [row.get(name) for row in sample]
    texts = [text.strip() for text in map(cell_text, cells)]
    filled = [text for text in texts if text]
    different = len(set(filled))
    words = sum(len(text.split()) for text in filled) / max(len(filled), 1)
    kind = _kind([cell for cell, text in zip(cells, texts, strict=True) if text], filled, different, len(sample), words)
    return Profile(name, kind, len(filled) / max(len(sample), 1), different, words, tuple(texts))


def _kind(cells: list, filled: list[str], different: int, rows: int, words: float) -> str:
    if not filled:
        return "empty"
    if sum(map(is_conversation, cells)) >= MOST * len(cells):
        return "turns"
    if different == 1 and rows >= 5:
        return "constant"
    if sum(map(_is_json, filled)) > 0.5 * len(filled):
        return "json"
    dates = sum(isinstance(cell, date) or bool(DATE.match(text)) for cell, text in zip(cells, filled, strict=True))
    if dates >= MOST * len(filled):
        return "date"
    if sum(map(_is_number, filled)) >= MOST * len(filled):
        return "number"
    if words < 1.2 and different == len(filled) and rows >= 5 and sum(map(_is_code, filled)) >= MOST * len(filled):
        return "id"
    few = different <= max(2, len(filled) / 3) and different < max(len(filled), 2) and words < 8
    return "label" if few and max(map(len, filled)) <= LABEL_LENGTH else "text"


def _is_json(text: str) -> bool:
    if text[:1] not in ("{", "["):
        return False
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"[-+]?[\d.,]+%?", text))


def _is_code(text: str) -> bool:
    """An order number, a hash, an address: one word with a digit, or a link."""
    return any(letter.isdigit() for letter in text) or "://" in text
