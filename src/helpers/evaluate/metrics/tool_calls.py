"""Metrics of tool calls, as ``data.cases`` asks for them: ``{"calls": [{"name", "arguments"}]}``."""

from __future__ import annotations

import json
from typing import Any

from helpers.evaluate.metrics.json_answers import without_null
from helpers.evaluate.metrics.metric import DIAGNOSIS, Metric, parsed
from helpers.records import Example


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
    kept = [[one["name"], without_null(one.get("arguments") or {})] if arguments else one["name"] for one in calls]
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
