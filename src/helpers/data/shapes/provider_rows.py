"""Rows as providers define them, in chat shape: OpenAI's chats and pairs, Amazon's Converse, Google's contents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from helpers.data.shapes.cells import maybe_json
from helpers.data.shapes.chat import CHAT_KEYS, Shaped


def from_messages(row: Mapping[str, Any]) -> Shaped:
    messages = row["messages"]
    if isinstance(messages, list) and any("value" in part for part in _first_parts(messages)):
        messages = [{**m, "content": _from_values(m["content"])} if _parts_of(m) else m for m in messages]
        row = {**row, "messages": messages}
    if len(row) == 1 and isinstance(messages, list) and not _is_converse(row):  # as most files are
        return Shaped("chat", dict(row), {})
    if isinstance(messages, str) and messages.lstrip().startswith("["):
        messages = maybe_json(messages)
    chat = {key: row[key] for key in CHAT_KEYS if key in row}
    chat["messages"] = messages
    extra = {key: value for key, value in row.items() if key not in CHAT_KEYS}
    if _is_converse(row):
        system = extra.pop("system", None)
        extra.pop("schemaVersion", None)
        chat["messages"] = _converse_messages(system, messages)
        return Shaped("converse", chat, extra)
    return Shaped("chat", chat, extra)


def _first_parts(messages: list) -> list[dict]:
    """The parts of the first message's content, where it is a list of such."""
    return _parts_of(messages[0]) if messages else []


def _parts_of(message: Any) -> list[dict]:
    parts = message.get("content") if isinstance(message, dict) else None
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def _from_values(parts: list) -> Any:
    """The text of parts whose text stands in ``value``; as they are where one of them is something else."""
    said = [part.get("value") for part in parts if isinstance(part, dict) and part.get("type") == "text"]
    return "".join(said) if len(said) == len(parts) and all(isinstance(text, str) for text in said) else parts


def foreign_part(messages: list) -> str:
    """The type of the first part of a message's content that holds a ``value`` and is no text; "" where there is none.

    Such parts (LLaMA-Factory's "reasoning", "tool_call") belong to no provider's shape, and would be lost.
    """
    found = (part for message in messages for part in _parts_of(message) if "value" in part)
    return next((str(part.get("type")) for part in found), "")


def _is_converse(row: Mapping[str, Any]) -> bool:
    """Amazon's conversation shape: content is a list of parts without a type."""
    if "schemaVersion" in row:
        return True
    parts = _first_parts(row["messages"]) if isinstance(row["messages"], list) else []
    return bool(parts) and "type" not in parts[0]


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


def from_contents(row: Mapping[str, Any]) -> Shaped:
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


def from_preference(row: Mapping[str, Any]) -> Shaped:
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
