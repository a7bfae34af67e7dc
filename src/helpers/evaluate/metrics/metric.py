"""What a metric is, and how an answer is read before it is scored: as JSON, as a label."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from helpers.records import Better, Example

DIAGNOSIS = "diagnosis"
"""Unit of a share that explains a score: it is shown, and never compared as evidence."""

NOT_JSON = object()
"""What :func:`parsed` gives for a text that is not JSON (``None`` is JSON's null)."""


@dataclass(frozen=True)
class Metric:
    """A named score of one answer, with the unit of its numbers and the direction that is better.

    ``version`` tells measures of one name apart, such as "all_rules" by two sets of rules: evidence is only compared
    where both agree. Change the one or the other when you change what a metric of your own counts.
    """

    name: str
    score: Callable[[str, Example], float | None]
    unit: str = "share"
    better: Better = "higher"
    version: str = ""

    def __call__(self, answer: str | None, example: Example) -> float | None:
        """The score, or None where the answer is missing."""
        return None if answer is None else self.score(answer, example)


def _label(text: str) -> str:
    """A label as it is compared. A JSON object with one text in it is that text: a schema's way to name a label."""
    value = parsed(text) if text.lstrip().startswith("{") else None
    if isinstance(value, dict) and len(value) == 1 and isinstance(only := next(iter(value.values())), str):
        text = only
    text = unicodedata.normalize("NFC", text)  # "é" is one letter to some keyboards and two to others
    return re.sub(r"\s+", " ", text).strip().strip("\"'`.").strip().casefold()


def parsed(answer: str, *, fenced: bool = True) -> Any:
    """The JSON value of an answer, or :data:`NOT_JSON`.

    Args:
        answer: a model's answer.
        fenced: whether one inside a Markdown code fence is read, too.
    """
    text = answer.strip()
    if fenced and (match := re.fullmatch(r"```(?:json)?\s*\n(.*?)\n?```", text, re.DOTALL)):
        text = match[1]
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return NOT_JSON


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def label_of(text: str, field: str | None = None) -> str | None:
    """The label that a text gives, as a string; None when a JSON answer does not have the field.

    Args:
        text: an answer.
        field: the field of a JSON answer that holds the label; None: the whole answer is the label.
    """
    if field is None:
        return _label(text)
    value = parsed(text)
    return json.dumps(value[field]) if isinstance(value, dict) and field in value else None
