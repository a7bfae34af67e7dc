"""Metrics of JSON answers: whole, field by field, with optional keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from helpers.evaluate.metrics.metric import NOT_JSON, Metric, parsed
from helpers.records import Example


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


def field(name: str, *, optional: bool = False) -> Metric:
    """One field of a JSON answer equals the ideal answer's; a code fence around the JSON is forgiven.

    Args:
        name: the field's, and the metric's.
        optional: rows may lack the field: then absent, or null, is the right answer to these rows. Else the metric does
            not apply (``None``) to rows whose ideal answer lacks it.
    """

    def score(answer: str, example: Example) -> float | None:
        wanted, got = parsed(example.answer), parsed(answer)
        if not isinstance(wanted, dict) or not (optional or name in wanted):
            return None
        if optional:
            return float(isinstance(got, dict) and same(without_null(got.get(name)), without_null(wanted.get(name))))
        return float(isinstance(got, dict) and name in got and same(got[name], wanted[name]))

    return Metric(name, score)


def _all_fields(answer: str, example: Example) -> float | None:
    wanted, got = parsed(example.answer), parsed(answer)
    if not isinstance(wanted, dict):
        return None
    return float(isinstance(got, dict) and same(got, wanted))


all_fields = Metric("all_fields", _all_fields)
"""The answer is a JSON object with exactly the ideal answer's fields and values, in any order or spacing."""


def every_field(required: Iterable[str] = ()) -> Metric:
    """:data:`all_fields` for rows with optional keys: null is as good as absent, save for the ``required`` ones.

    An ideal answer may be a list, too.
    """
    needed = frozenset(required)

    def score(answer: str, example: Example) -> float | None:
        wanted, got = parsed(example.answer), parsed(answer)
        if not isinstance(wanted, dict | list):
            return None
        return float(got is not NOT_JSON and same(without_null(got, needed), without_null(wanted, needed)))

    return replace(all_fields, score=score)


def without_null(value: Any, keep: frozenset[str] = frozenset()) -> Any:
    """A JSON value without keys that hold null, at any depth, but for those to ``keep`` at the top.

    Args:
        value: what :func:`parsed` gives.
        keep: keys of the outermost object that stay, whatever they hold.
    """
    if isinstance(value, dict):
        return {key: without_null(one) for key, one in value.items() if one is not None or key in keep}
    return [without_null(one) for one in value] if isinstance(value, list) else value


def same(one: Any, other: Any) -> bool:
    """Equality of JSON values: Python's, except that ``true`` is not 1.

    Args:
        one: a JSON value.
        other: another.
    """
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other
