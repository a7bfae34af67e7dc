"""Tools in one row: their declarations, the calls, and the answers to them."""

from __future__ import annotations

import re
from typing import Any

import orjson

from helpers.data.checking.rules import Rules
from helpers.data.report import Findings

TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def check_tools(line: int, chat: dict, rules: Rules, found: Findings) -> dict[str, Any] | None:
    """Check the tools that a row declares.

    Args:
        line: where the row begins in its file, from 1.
        chat: the row in chat shape, with or without ``tools`` and ``functions``.
        rules: the provider's.
        found: takes the problems.

    Returns:
        Name → parameter schema; None when the row declares none.
    """
    if "tools" not in chat and "functions" not in chat:
        return None
    declared: dict[str, Any] = {}
    for key in ("tools", "functions"):
        given = chat.get(key)
        if given is None:
            continue
        if not isinstance(given, list):
            found.add("tools", line, key, f"`{key}` is {type(given).__name__}, not a list.")
            continue
        for k, tool in enumerate(given):
            function = tool.get("function") if key == "tools" and isinstance(tool, dict) else tool
            name = function.get("name") if isinstance(function, dict) else None
            schema = function.get("parameters", {}) if isinstance(function, dict) else None
            typed = key == "functions" or (isinstance(tool, dict) and tool.get("type") == "function")
            if not typed or not isinstance(name, str) or not TOOL_NAME.fullmatch(name) or not isinstance(schema, dict):
                found.add("tools", line, f"{key}[{k}]", "The declaration lacks type, a legal name, or a schema object.")
                continue
            declared[name] = schema
    return declared


def check_tool_calls(line: int, messages: list[dict], declared: dict[str, Any] | None, found: Findings) -> None:
    """Every call is answered by its id before the conversation goes on; the last message may leave its calls open.

    Args:
        line: where the row begins in its file, from 1.
        messages: the row's.
        declared: from :func:`check_tools`.
        found: takes the problems.
    """
    waiting: dict[str, str] = {}
    for i, message in enumerate(messages):
        if message.get("role") == "tool":
            answered = message.get("tool_call_id")
            if not isinstance(answered, str) or waiting.pop(answered, None) is None:
                found.add("tool_call_id", line, f"messages[{i}].tool_call_id", f"No open call has the id {answered!r}.")
            continue
        for where in waiting.values():
            found.add("tool_call_id", line, where, "The call is not answered by a tool message right after it.")
        waiting = {}
        calls = message.get("tool_calls")
        if calls is None:
            continue
        if not isinstance(calls, list) or not calls or message.get("role") != "assistant":
            found.add(
                "tool_call",
                line,
                f"messages[{i}].tool_calls",
                "`tool_calls` is not a non-empty list in an assistant's message.",
            )
            continue
        for k, call in enumerate(calls):
            where = f"messages[{i}].tool_calls[{k}]"
            identity = _check_call(line, call, where, declared, found)
            if identity in waiting:
                found.add("tool_call_id", line, where, f"The id {identity!r} is used twice.")
            elif identity:
                waiting[identity] = where
    if waiting and messages[-1].get("role") == "tool":
        for where in waiting.values():
            found.add("tool_call_id", line, where, "The call is not answered by a tool message.")


def _check_call(line: int, call: Any, where: str, declared: dict[str, Any] | None, found: Findings) -> str | None:
    function = call.get("function") if isinstance(call, dict) else None
    identity = call.get("id") if isinstance(call, dict) else None
    if (
        not isinstance(function, dict)
        or not isinstance(identity, str)
        or not identity
        or call.get("type") != "function"
        or not isinstance(function.get("name"), str)
    ):
        found.add("tool_call", line, where, "The call lacks its id, its type, or its function's name.")
        return identity if isinstance(identity, str) else None
    _check_arguments(line, function, f"{where}.function.arguments", declared, found)
    return identity


def _check_arguments(line: int, function: dict, where: str, declared: dict[str, Any] | None, found: Findings) -> None:
    name, arguments = function["name"], function.get("arguments")
    try:
        values = orjson.loads(arguments) if isinstance(arguments, str) else None
    except orjson.JSONDecodeError:
        values = None
    if not isinstance(values, dict):
        found.add("tool_arguments", line, where, "The arguments are not a JSON object in a string.")
    if declared is None or name not in declared:
        found.add("tool_undeclared", line, where, f"The tool {name!r} is not declared.")
    elif isinstance(values, dict):
        problem = _schema_problem(values, declared[name])
        if problem:
            found.add("tool_schema", line, where, problem)


def _schema_problem(values: dict, schema: dict) -> str:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    try:
        Draft202012Validator.check_schema(schema)
        # an empty registry of its own: the default one would fetch whatever address a schema names
        checked = Draft202012Validator(schema, registry=Registry()).iter_errors(values)
        errors = [error.message for error in checked]
    except SchemaError as error:
        return f"The declared schema is not a JSON schema: {error.message[:200]}"
    except (Unresolvable, RecursionError):
        return "The declared schema refers to something that cannot be followed."
    return f"The arguments break the declared schema: {'; '.join(errors)[:300]}" if errors else ""
