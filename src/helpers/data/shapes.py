"""The shapes in which people and providers write an example, and the way from each to chat messages and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

import orjson

from helpers.records import Example
from helpers.tokens import text_of as text_of  # the one that counts and trains: checks see the same text

CHAT_KEYS = ("messages", "tools", "parallel_tool_calls", "functions")

COLUMNS: dict[str, tuple[str, ...]] = {
    "question": (
        "question",
        "prompt",
        "input",
        "user",
        "message",
        "query",
        "instruction",
        "request",
        "text",
        "body",
        "ticket",
    ),
    "answer": (
        "answer",
        "completion",
        "output",
        "assistant",
        "response",
        "reply",
        "target",
        "label",
        "ideal",
        "category",
    ),
    "system": ("system", "system_prompt", "instructions"),
    "preferred": ("chosen", "preferred", "preferred_output", "preferred_completion"),
    "rejected": ("rejected", "non_preferred", "non_preferred_output", "non_preferred_completion"),
}
"""Names by which a column is recognised, most telling first; upper case, blanks and dashes do not matter."""


class Shaped(NamedTuple):
    """A row in chat shape.

    Attributes:
        shape: the name of the shape that it had.
        chat: ``messages`` with ``tools``, ``parallel_tool_calls`` and ``functions`` where the row has them.
        extra: the row's other keys.
        names: for rows made of columns, the column of each message; empty for chat rows.
        rejected: the answers that a preference pair does not prefer; None for other shapes.
    """

    shape: str
    chat: dict[str, Any]
    extra: dict[str, Any]
    names: tuple[str, ...] = ()
    rejected: Any = None


def shaped(row: Mapping[str, Any] | Example, columns: Mapping[str, str] | None = None) -> Shaped | None:
    """The row in chat shape, or None when it is of no known shape. Values are passed on unchecked."""
    if isinstance(row, Example):
        return _from_example(row)
    if columns:
        return _from_columns(row, columns)
    if "messages" in row:
        return _from_messages(row)
    if "contents" in row:
        return _from_contents(row)
    if isinstance(row.get("input"), dict) and ("preferred_output" in row or "preferred_completion" in row):
        return _from_preference(row)
    if isinstance(row.get("conversations"), list):
        return _from_sharegpt(row)
    return _from_columns(row, recognise(row))


def recognise(names: Mapping[str, Any] | list[str]) -> dict[str, str]:
    """Which column is the question, the answer, the system prompt …: part → column; empty when none is known."""
    tidy = {str(name).strip().lower().replace(" ", "_").replace("-", "_"): str(name) for name in names}
    found = {}
    for part, known in COLUMNS.items():
        column = next((tidy[name] for name in known if name in tidy), None)
        if column is not None:
            found[part] = column
    if "rejected" in found and "preferred" in found:
        found.pop("answer", None)
        return found if "question" in found else {}
    found = {part: found[part] for part in ("question", "answer", "system") if part in found}
    if found.get("question") == found.get("system"):
        found.pop("system", None)
    return found if "question" in found and "answer" in found else {}


def _from_example(example: Example) -> Shaped:
    extra = dict(example.extra)
    chat: dict[str, Any] = {"messages": list(example.messages)}
    if example.tools:
        chat["tools"] = list(example.tools)
    for key in CHAT_KEYS[2:]:
        if key in extra:
            chat[key] = extra.pop(key)
    rejected = extra.pop("non_preferred_output", None)
    # An example's other columns are no keys of a file: write() leaves them out.
    return Shaped("preference" if rejected is not None else "chat", chat, {}, rejected=rejected)


def _from_messages(row: Mapping[str, Any]) -> Shaped:
    messages = row["messages"]
    if len(row) == 1 and isinstance(messages, list) and not _is_converse(row):  # as most files are
        return Shaped("chat", dict(row), {})
    if isinstance(messages, str) and messages.lstrip().startswith("["):
        messages = _maybe_json(messages)
    chat = {key: row[key] for key in CHAT_KEYS if key in row}
    chat["messages"] = messages
    extra = {key: value for key, value in row.items() if key not in CHAT_KEYS}
    if _is_converse(row):
        system = extra.pop("system", None)
        extra.pop("schemaVersion", None)
        chat["messages"] = _converse_messages(system, messages)
        return Shaped("converse", chat, extra)
    return Shaped("chat", chat, extra)


def _maybe_json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _is_converse(row: Mapping[str, Any]) -> bool:
    """Amazon's conversation shape: content is a list of parts without a type."""
    if "schemaVersion" in row:
        return True
    first = row["messages"][0] if isinstance(row["messages"], list) and row["messages"] else None
    parts = first.get("content") if isinstance(first, dict) else None
    return bool(isinstance(parts, list) and parts and isinstance(parts[0], dict) and "type" not in parts[0])


def _converse_messages(system: Any, messages: Any) -> Any:
    if not isinstance(messages, list):
        return messages
    head = [{"role": "system", "content": _joined(system)}] if system else []
    return head + [{**m, "content": _joined(m.get("content"))} if isinstance(m, dict) else m for m in messages]


def _joined(parts: Any) -> Any:
    """The text of ``[{"text": …}]``; anything else as it is."""
    if isinstance(parts, list) and parts and all(isinstance(p, dict) and set(p) == {"text"} for p in parts):
        texts = [part["text"] for part in parts]
        return "\n".join(texts) if all(isinstance(text, str) for text in texts) else parts
    return parts


def _from_contents(row: Mapping[str, Any]) -> Shaped:
    """Google's shape: ``contents`` of ``parts``, the role "model", ``systemInstruction``."""
    messages = row["contents"]
    if isinstance(messages, list):
        messages = [_content_message(item) for item in messages]
        system = row.get("systemInstruction")
        if isinstance(system, dict):
            messages.insert(0, {"role": "system", "content": _joined(system.get("parts"))})
    chat = {"messages": messages} | ({"tools": row["tools"]} if "tools" in row else {})
    extra = {key: value for key, value in row.items() if key not in ("contents", "systemInstruction", "tools")}
    return Shaped("contents", chat, extra)


def _content_message(item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    role = item.get("role")
    return {"role": "assistant" if role == "model" else role, "content": _joined(item.get("parts"))}


def _from_preference(row: Mapping[str, Any]) -> Shaped:
    asked = row["input"]
    good = row.get("preferred_output", row.get("preferred_completion"))
    bad = row.get("non_preferred_output", row.get("non_preferred_completion"))
    chat = {key: asked[key] for key in CHAT_KEYS if key in asked}
    messages = asked.get("messages")
    if isinstance(messages, list) and isinstance(good, list):
        chat["messages"] = messages + good
    else:
        chat["messages"] = messages
    sides = {"input"} | {f"{side}preferred_{word}" for side in ("", "non_") for word in ("output", "completion")}
    extra = {key: value for key, value in row.items() if key not in sides}
    return Shaped("preference", chat, extra, rejected=bad if isinstance(good, list) else [])


def _from_sharegpt(row: Mapping[str, Any]) -> Shaped:
    roles = {"human": "user", "gpt": "assistant"}
    messages = [
        {"role": roles.get(turn.get("from"), turn.get("from")), "content": turn.get("value")}
        if isinstance(turn, dict)
        else turn
        for turn in row["conversations"]
    ]
    extra = {key: value for key, value in row.items() if key != "conversations"}
    return Shaped("conversations", {"messages": messages}, extra)


def _from_columns(row: Mapping[str, Any], columns: Mapping[str, str]) -> Shaped | None:
    if not columns or not set(columns.values()) <= set(row):
        return {"text"} == set(row) and Shaped("text", _text_row(row["text"]), {}, ("text",)) or None
    answer = "preferred" if "rejected" in columns else "answer"
    parts = [("system", "system"), ("question", "user"), (answer, "assistant")]
    used = [(columns[part], role) for part, role in parts if part in columns]
    used = [(name, role) for name, role in used if role != "system" or _cell(row[name])]
    messages = [
        turn for name, role in used for turn in (row[name] if isinstance(row[name], list) else [_turn(role, row[name])])
    ]
    extra = {key: value for key, value in row.items() if key not in columns.values()}
    names = tuple(name for name, _ in used)
    if "rejected" in columns:
        bad = row[columns["rejected"]]
        bad = bad if isinstance(bad, list) else [_turn("assistant", bad)]
        return Shaped("preference_columns", {"messages": messages}, extra, names, bad)
    exact = (columns["question"], columns["answer"]) == ("prompt", "completion")
    shape = "prompt_completion" if exact else "question_answer"
    return Shaped(shape, {"messages": messages}, extra, names if len(names) == len(messages) else ())


def _text_row(text: Any) -> dict[str, Any]:
    return {"messages": [{"role": "assistant", "content": text}]}


def _turn(role: str, value: Any) -> dict[str, Any]:
    return {"role": role, "content": _cell(value)}


def _cell(value: Any) -> Any:
    """A table's cell as text; an empty one is the empty string. Objects become the JSON that a model would write."""
    if isinstance(value, str):
        return value
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, dict):
        return orjson.dumps(value).decode()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.isoformat() if isinstance(value, date) else str(value)
