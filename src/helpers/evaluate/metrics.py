"""What makes an answer good: small callables ``metric(answer, example) -> float | None``, each with a ``name``.

``None`` means that the metric does not apply to this row. 1 is right and 0 is wrong unless the metric says otherwise.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from rapidfuzz import fuzz

from helpers.data.tasks import Task, task
from helpers.errors import EvaluationError
from helpers.evaluate.scoring import NOT_JSON, Metric, label_of, parsed
from helpers.evaluate.text_rules import rule_check
from helpers.records import Example
from helpers.statistics import Estimate

# --- texts and labels ------------------------------------------------------------------------------------------------

exact_match = Metric("exact_match", lambda answer, example: float(answer.strip() == example.answer.strip()))
"""The answer is the ideal answer, character by character (spaces at the ends aside)."""

label_accuracy = Metric("label_accuracy", lambda answer, example: float(label_of(answer) == label_of(example.answer)))
"""The answer names the right label; case, quotes and a final full stop do not count, nor does JSON around one label."""

similarity = Metric("similarity", lambda answer, example: fuzz.ratio(answer, example.answer) / 100, unit="likeness")
"""How alike answer and ideal answer look, 0 to 1: 1 minus the normalised edit distance (insertions and deletions).

It compares letters, not meaning: use it to find odd rows, never as the reason for a decision.
"""

length = Metric("length", lambda answer, example: float(len(answer.split())), unit="words", better="neither")
"""The answer's length in words."""


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


DIAGNOSIS = "diagnosis"
"""Unit of a share that explains a score: it is shown, and never compared as evidence."""


# --- free text whose end can be checked -------------------------------------------------------------------------------

_NUMBER = re.compile(r"(?:(?<!\w)[-\N{MINUS SIGN}])?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")
_AT_THE_END = re.compile(rf"(?:####|answer is:?|=)?\s*[$€£]?\s*{_NUMBER.pattern}\s*[%.]?\s*$", re.IGNORECASE)


def last_number(text: str) -> float | None:
    """The number that a text comes to: the one after ``####`` where it has that mark, else the last one."""
    _, mark, after = text.rpartition("####")
    found = _NUMBER.findall(after)
    return float(found[0 if mark else -1].replace(",", "").replace("\N{MINUS SIGN}", "-")) if found else None


def _final_number(answer: str, example: Example) -> float | None:
    wanted, got = last_number(example.answer), last_number(answer)
    return None if wanted is None else float(got is not None and math.isclose(got, wanted, rel_tol=1e-9, abs_tol=1e-9))


final_number = Metric("final_number", _final_number)
"""The last number of the answer is that of the ideal answer (after ``####``, where there is that mark); commas,
currency and a final full stop do not count. Does not apply to rows whose ideal answer has no number."""

CHECKS = {"final_number": final_number, "exact_match": exact_match}
"""Checks of free text that a reader may choose by name; rules (see :mod:`text_rules`) are the other way."""


def suggest_check(examples: Sequence[Example]) -> str:
    """A sentence that names a check which these free texts allow, or an empty one. Nothing uses it by itself."""
    answers = [answer for row in examples if (answer := row.answer.strip())]
    ends = sum(bool(_AT_THE_END.search(answer)) for answer in answers)
    if answers and ends >= 0.9 * len(answers):
        return f'{ends:,} of {len(answers):,} ideal answers end with a number: RULES = "final_number" compares it.'
    if answers and sum(len(answer.split()) <= 5 for answer in answers) >= 0.9 * len(answers):
        return 'Ideal answers are short: RULES = "exact_match" counts those that are the same, letter by letter.'
    return ""


# --- JSON answers ----------------------------------------------------------------------------------------------------


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
            return float(isinstance(got, dict) and _same(_trimmed(got.get(name)), _trimmed(wanted.get(name))))
        return float(isinstance(got, dict) and name in got and _same(got[name], wanted[name]))

    return Metric(name, score)


def _all_fields(answer: str, example: Example) -> float | None:
    wanted, got = parsed(example.answer), parsed(answer)
    if not isinstance(wanted, dict):
        return None
    return float(isinstance(got, dict) and _same(got, wanted))


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
        return float(got is not NOT_JSON and _same(_trimmed(got, needed), _trimmed(wanted, needed)))

    return replace(all_fields, score=score)


def _trimmed(value: Any, keep: frozenset[str] = frozenset()) -> Any:
    """A JSON value without keys that hold null, at any depth, but for those to ``keep`` at the top."""
    if isinstance(value, dict):
        return {key: _trimmed(one) for key, one in value.items() if one is not None or key in keep}
    return [_trimmed(one) for one in value] if isinstance(value, list) else value


# --- tool calls, as data.cases asks for them --------------------------------------------------------------------------


def _calls(text: str) -> list[dict[str, Any]] | None:
    """The calls of a JSON answer ``{"calls": [{"name", "arguments"}]}``; None for anything else."""
    value = parsed(text)
    calls = value.get("calls") if isinstance(value, dict) else None
    whole = isinstance(calls, list) and all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in calls)
    return calls if whole else None


def _told_calls(text: str, *, arguments: bool) -> list[str] | None:
    calls = _calls(text)
    if calls is None:
        return None
    kept = [[one["name"], _trimmed(one.get("arguments") or {})] if arguments else one["name"] for one in calls]
    return sorted(json.dumps(one, sort_keys=True) for one in kept)


def _calls_metric(name: str, *, arguments: bool) -> Metric:
    def score(answer: str, example: Example) -> float:
        return float(_told_calls(answer, arguments=arguments) == _told_calls(example.answer, arguments=arguments))

    return Metric(name, score)


right_calls = _calls_metric("right_calls", arguments=True)
"""The answer calls the tools that the ideal answer calls, with the same arguments, in any order; or none as it does."""
right_tools = _calls_metric("right_tools", arguments=False)
"""The answer calls these tools, with whatever arguments."""


def _valid_arguments(answer: str, example: Example) -> float | None:
    tools = [tool.get("function", tool) for tool in example.tools]
    schemas = {tool.get("name"): tool.get("parameters") or {} for tool in tools}
    calls = _calls(answer)
    if calls is None or any(one["name"] not in schemas for one in calls):
        return 0.0
    try:
        return float(all(_allowed(one.get("arguments") or {}, schemas[one["name"]]) for one in calls))
    except Exception:  # a reader's schema that is none ("type": "dict", a dangling $ref) fails in any of many ways
        return None


def _allowed(arguments: Any, schema: Any) -> bool:
    import jsonschema

    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema).is_valid(arguments)


valid_arguments = Metric("valid_arguments", _valid_arguments, unit=DIAGNOSIS)
"""Every call names a tool of the row, with arguments that its schema allows, be they right or wrong. Does not apply
where that schema is itself broken."""


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


COLUMNS = frozenset(
    ("candidate", "row", "answer", "expected", "missing", "finish_reason", "prompt_tokens", "completion_tokens",
     "cached_tokens", "seconds", "usd", "confidence", "model", "role", "rows", "score", "low", "high", "cut_off",
     "usd_per_1000", "handed_on")
)  # fmt: skip
"""Names that ``Results.rows`` and ``Results.table`` give to columns of their own."""
TAKEN = COLUMNS | {"all_fields", "valid_json"}
"""These, and the names of the metrics beside the fields'."""


def _column(name: str) -> str:
    """The metric's name for a field: the field's own, unless that is taken."""
    return f"field {name}" if name in TAKEN else name


def default(examples: Sequence[Example], rules: Any = None) -> list[Metric]:
    """A sensible set for rows of this kind; the first one is the headline. See :func:`for_task`.

    Args:
        examples: all rows: they say which kind of task it is.
        rules: as for :func:`for_task`.
    """
    return for_task(task(examples), rules)


def for_task(about: Task, rules: Any = None) -> list[Metric]:
    """The measure for a kind of task; the first metric is the headline.

    Labels: right or wrong. JSON: all fields right, then each field, optional keys understood. Tool calls: names and
    arguments. Free text and conversations: by the reader's ``rules``. Without rules the first metric is likeness, which
    finds odd rows: it feeds no plateau and no verdict.

    Args:
        about: from ``data.task``.
        rules: for free text: a name of :data:`CHECKS`, a TOML file or list of rules (see :mod:`text_rules`), a metric,
            or a list of metrics; None has none.

    Raises:
        EvaluationError: rules that cannot be used, or for a kind of task that is not free text.
    """
    if rules is not None:
        if about.kind not in ("text", "turns"):
            raise EvaluationError(
                f"RULES are for free text; these rows are {about.kind}.", fix='Set RULES = None, or TASK = "text".'
            )
        return [*_text_metrics(rules), similarity, length]
    if about.kind == "labels":
        return [label_accuracy, label_inside(about.labels), exact_match]
    if about.kind == "fields":
        names = {name: field(name, optional=name in about.optional) for name in (*about.required, *about.optional)}
        named = [replace(one, name=_column(name)) for name, one in names.items()]
        return [every_field(about.required), *named, valid_json()] if names else [every_field()]
    if about.kind == "tools":
        return [right_calls, right_tools, valid_arguments]
    return [similarity, length]


def _text_metrics(rules: Any) -> list[Metric]:
    if isinstance(rules, Metric):
        return [rules]
    if isinstance(rules, list | tuple) and rules and all(isinstance(one, Metric) for one in rules):
        return list(rules)
    if isinstance(rules, str) and rules in CHECKS:
        return [CHECKS[rules]]
    if isinstance(rules, str) and not rules.endswith(".toml"):
        raise EvaluationError(
            "There is no such check for free text.", got=repr(rules),
            fix=f"Use {', '.join(map(repr, CHECKS))}, or a TOML file of rules.",
        )  # fmt: skip
    return [rule_check(rules)]
