"""Tool calls and declared tools, from the ways in which files write them to OpenAI's."""

from __future__ import annotations

from typing import Any

import orjson

from helpers.data.shapes.cells import maybe_json


def pair_calls(messages: list) -> None:
    """Give a tool's message the id of the call that it answers: files of this shape leave it to their order."""
    open_ids: list[str] = []
    for message in messages:
        if not isinstance(message, dict):
            continue
        if isinstance(message.get("tool_calls"), list):
            open_ids = [call.get("id", "") for call in message["tool_calls"] if isinstance(call, dict)]
        elif message.get("role") == "tool" and "tool_call_id" not in message and open_ids:
            message["tool_call_id"] = open_ids.pop(0)


def tool_calls(value: Any) -> list[dict] | None:
    """OpenAI's tool calls from ``{"name": …, "arguments": {…}}`` or a list of such, as JSON or as objects."""
    value = maybe_json(value) if isinstance(value, str) else value
    calls = [value] if isinstance(value, dict) else value
    if not isinstance(calls, list) or not calls:
        return None
    if not all(isinstance(call, dict) and isinstance(call.get("name"), str) and "arguments" in call for call in calls):
        return None
    return [
        {"id": f"call_{at}", "type": "function", "function": {"name": call["name"], "arguments": _arguments(call)}}
        for at, call in enumerate(calls, 1)
    ]


def _arguments(call: dict) -> str:
    given = call["arguments"]
    return given if isinstance(given, str) else orjson.dumps(given, default=str).decode()


def declared_tools(value: Any) -> list[dict] | None:
    """OpenAI's declarations from a list of functions, as JSON or as objects; None where it is no such list."""
    value = maybe_json(value) if isinstance(value, str) else value
    if not isinstance(value, list) or not value or not all(isinstance(tool, dict) for tool in value):
        return None
    if all("function" in tool for tool in value):
        return value
    if not all(isinstance(tool.get("name"), str) for tool in value):
        return None
    return [{"type": "function", "function": tool} for tool in value]
