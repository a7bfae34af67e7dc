"""What makes an answer good: small callables ``metric(answer, example) -> float | None``, each with a ``name``.

``None`` means that the metric does not apply to this row. 1 is right and 0 is wrong unless the metric says otherwise.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from rapidfuzz import fuzz

from helpers.records import Better, Example
from helpers.statistics import Estimate

NOT_JSON = object()
"""What :func:`parsed` gives for a text that is not JSON (``None`` is JSON's null)."""


@dataclass(frozen=True)
class Metric:
    """A named score of one answer, with the unit of its numbers and the direction that is better."""

    name: str
    score: Callable[[str, Example], float | None]
    unit: str = "share"
    better: Better = "higher"

    def __call__(self, answer: str | None, example: Example) -> float | None:
        """The score, or None where the answer is missing."""
        return None if answer is None else self.score(answer, example)


# --- texts and labels ------------------------------------------------------------------------------------------------

exact_match = Metric("exact_match", lambda answer, example: float(answer.strip() == example.answer.strip()))
"""The answer is the ideal answer, character by character (spaces at the ends aside)."""

label_accuracy = Metric("label_accuracy", lambda answer, example: float(_label(answer) == _label(example.answer)))
"""The answer names the right label; case, quotes and a final full stop do not count, nor does JSON around one label."""

similarity = Metric("similarity", lambda answer, example: fuzz.ratio(answer, example.answer) / 100, unit="likeness")
"""How alike answer and ideal answer look, 0 to 1: 1 minus the normalised edit distance (insertions and deletions).

It compares letters, not meaning: use it to find odd rows, never as the reason for a decision.
"""

length = Metric("length", lambda answer, example: float(len(answer.split())), unit="words", better="neither")
"""The answer's length in words."""


def _label(text: str) -> str:
    """A label as it is compared. A JSON object with one text in it is that text: a schema's way to name a label."""
    value = parsed(text) if text.lstrip().startswith("{") else None
    if isinstance(value, dict) and len(value) == 1 and isinstance(only := next(iter(value.values())), str):
        text = only
    text = unicodedata.normalize("NFC", text)  # "é" is one letter to some keyboards and two to others
    return re.sub(r"\s+", " ", text).strip().strip("\"'`.").strip().casefold()


# --- JSON answers ----------------------------------------------------------------------------------------------------


def parsed(answer: str, *, fenced: bool = True) -> Any:
    """The JSON value of an answer, or :data:`NOT_JSON`. ``fenced`` also reads one inside a Markdown code fence."""
    text = answer.strip()
    if fenced and (match := re.fullmatch(r"```(?:json)?\s*\n(.*?)\n?```", text, re.DOTALL)):
        text = match[1]
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return NOT_JSON


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def valid_json(schema: Mapping[str, Any] | None = None) -> Metric:
    """The whole answer is JSON, nothing around it: an object, or whatever ``schema`` asks for."""
    import jsonschema  # here: it takes a second, and most sessions never check a schema

    validator = jsonschema.Draft202012Validator(dict(schema)) if schema is not None else None

    def score(answer: str, example: Example) -> float:
        value = parsed(answer, fenced=False)
        if value is NOT_JSON:
            return 0.0
        return float(validator.is_valid(value) if validator else isinstance(value, dict))

    return Metric("valid_json", score)


def field(name: str) -> Metric:
    """One field of a JSON answer equals the ideal answer's; a code fence around the JSON is forgiven.

    Does not apply (``None``) to rows whose ideal answer lacks the field.
    """

    def score(answer: str, example: Example) -> float | None:
        wanted, got = parsed(example.answer), parsed(answer)
        if not isinstance(wanted, dict) or name not in wanted:
            return None
        return float(isinstance(got, dict) and name in got and _same(got[name], wanted[name]))

    return Metric(name, score)


def _all_fields(answer: str, example: Example) -> float | None:
    wanted, got = parsed(example.answer), parsed(answer)
    if not isinstance(wanted, dict):
        return None
    return float(isinstance(got, dict) and _same(got, wanted))


all_fields = Metric("all_fields", _all_fields)
"""The answer is a JSON object with exactly the ideal answer's fields and values, in any order or spacing."""


def _same(one: Any, other: Any) -> bool:
    """Equality of JSON values: Python's, except that ``true`` is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other


# --- summaries and defaults ------------------------------------------------------------------------------------------


def macro_f1(answers: Sequence[str], wanted: Sequence[str], field: str | None = None, level: float = 0.95) -> Estimate:
    """F1 averaged over the labels that the ideal answers use, rare ones counting as much as frequent ones.

    Args:
        answers, wanted: answers and ideal answers, one a row.
        field: the field of a JSON answer that holds the label; None: the whole answer is the label.

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


def label_of(text: str, field: str | None = None) -> str | None:
    """The label that a text gives, as a string; None when a JSON answer does not have the field."""
    if field is None:
        return _label(text)
    value = parsed(text)
    return json.dumps(value[field]) if isinstance(value, dict) and field in value else None


TAKEN = frozenset(
    ("candidate", "row", "answer", "expected", "missing", "finish_reason", "prompt_tokens", "completion_tokens",
     "cached_tokens", "seconds", "usd", "confidence", "all_fields", "valid_json")
)  # fmt: skip
"""Names that a table of results gives to columns of its own, and to the metrics beside the fields'."""


def _column(name: str) -> str:
    """The metric's name for a field: the field's own, unless that is taken."""
    return f"field {name}" if name in TAKEN else name


def default(examples: Sequence[Example]) -> list[Metric]:
    """A sensible set for rows of this kind: JSON objects, labels, or free text; the first one is the headline."""
    values = [parsed(example.answer, fenced=False) for example in examples]
    if values and all(isinstance(value, dict) for value in values):
        names = dict.fromkeys(name for value in values for name in value)
        return [all_fields, *(replace(field(name), name=_column(name)) for name in names), valid_json()]
    answers = {_label(example.answer) for example in examples}
    if len(answers) <= max(2, len(examples) // 4) and all(len(answer.split()) <= 5 for answer in answers):
        return [label_accuracy, exact_match]
    return [similarity, exact_match, length]
