"""Whether an answer is the ideal one: field by field where that is a JSON object, whole where it is a label, nearly
word for word where it is free text.

By its letters alone an object with one wrong field of three is nine tenths right, and so is "category 10" where
"category 11" is asked for.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any

VERBATIM = 0.9
"""Likeness from which free text counts as the ideal one: one character in ten may differ."""
COMPARED = 600
"""Letters of two texts that are compared: the time grows with their product."""
LABEL_WORDS, LABEL_LETTERS = 5, 60
"""Up to so many words and letters, on one line, a text is a label: it is right as a whole or not at all."""

Fields = Mapping[str, Any]


def likeness(a: str, b: str) -> float:
    """How alike two texts are, 0 to 1, white space at their ends aside: difflib's ratio of their first letters.

    Args:
        a: a text.
        b: another one.
    """
    return difflib.SequenceMatcher(None, a.strip()[:COMPARED], b.strip()[:COMPARED], autojunk=False).ratio()


def closeness(said: str, ideal: str) -> float:
    """How near an answer comes to the ideal one, 0 to 1: the share of right fields, else likeness of letters.

    Args:
        said: the answer.
        ideal: the one that was wanted.
    """
    if fields_of(said) is None:
        return likeness(said, ideal)
    marks = field_marks(said, ideal)
    return sum(marks.values()) / len(marks) if marks else likeness(said, ideal)


def same(said: str, ideal: str) -> bool:
    """Whether an answer is the ideal one: every field of an object, a label as a whole, free text near enough.

    Args:
        said: the answer.
        ideal: the one that was wanted.
    """
    if fields_of(ideal) is not None:
        return all(field_marks(said, ideal).values()) and fields_of(said) is not None
    return _same_text(said, ideal)


def is_free_text(ideal: str) -> bool:
    """Whether an ideal answer is neither an object nor a label."""
    return fields_of(ideal) is None and not _is_label(ideal)


def begins(said: str, ideal: str) -> bool:
    """Whether an answer begins with the ideal one, whatever follows.

    Args:
        said: the answer.
        ideal: the one that was wanted.
    """
    first = _leading_object(said)
    if fields_of(ideal) is not None and first:
        return same(first, ideal)
    return said.strip().startswith(ideal.strip())


def field_marks(said: str, ideal: str) -> dict[str, bool]:
    """Each field of two objects, and whether it is right; empty where the ideal answer is no object.

    A field that the answer lacks is wrong, and one that the ideal answer lacks; where the answer is no object, all are.

    Args:
        said: the answer.
        ideal: the one that was wanted.
    """
    wanted, got = fields_of(ideal), fields_of(said) or {}
    if wanted is None:
        return {}
    return {name: _same_value(got, wanted, name) for name in dict.fromkeys([*wanted, *got])}


def fields_of(text: str) -> Fields | None:
    """An object's fields, those of objects within it as ``outer.inner``; None for a text that is no JSON object."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return _flat(value)


def _flat(value: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, one in value.items():
        flat |= _flat(one, f"{above}{name}.") if isinstance(one, dict) and one else {above + name: one}
    return flat


def _same_value(got: Fields, wanted: Fields, name: str) -> bool:
    if name not in got or name not in wanted:
        return False
    if isinstance(got[name], str) and isinstance(wanted[name], str):
        return _same_text(got[name], wanted[name])
    return json.dumps(got[name], sort_keys=True) == json.dumps(wanted[name], sort_keys=True)


def _same_text(said: str, ideal: str) -> bool:
    return said.strip() == ideal.strip() if _is_label(ideal) else likeness(said, ideal) >= VERBATIM


def _is_label(text: str) -> bool:
    bare = text.strip()
    return len(bare.split()) <= LABEL_WORDS and len(bare) <= LABEL_LETTERS and "\n" not in bare


def _leading_object(text: str) -> str:
    """The JSON object with which a text begins; empty where it begins with none."""
    bare = text.lstrip()
    if not bare.startswith("{"):
        return ""
    try:
        return bare[: json.JSONDecoder().raw_decode(bare)[1]]
    except (ValueError, RecursionError):
        return ""
