"""Conversations turn by turn: who speaks and what is said, by whatever names a file gives to both."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from helpers.data.shapes.cells import cell_text, maybe_json
from helpers.data.shapes.chat import Shaped
from helpers.data.shapes.tool_calls import declared_tools, pair_calls, tool_calls

TRANSCRIPT = re.compile(r"\n\n(Human|Assistant):")

SPEAKERS, SAID = ("role", "from", "speaker"), ("content", "value", "text", "utterance")
"""Keys of a turn that say who speaks, and what."""

ROLES = {"human": "user", "customer": "user", "client": "user", "caller": "user",
         "gpt": "assistant", "chatgpt": "assistant", "bing": "assistant", "bot": "assistant", "chatbot": "assistant",
         "agent": "assistant", "operator": "assistant", "wizard": "assistant",
         "model": "assistant", "function_call": "assistant", "observation": "tool"}  # fmt: skip
"""What files call the roles where they are not OpenAI's. A ``speaker`` called "system" is the assistant, too."""

USUAL_ROLES = frozenset(("system", "developer", "user", "assistant", "tool", "function"))
KNOWN_ROLES = USUAL_ROLES | set(ROLES)


def from_turns(row: Mapping[str, Any], column: str) -> Shaped | None:
    """A conversation in a column: turns of ``role`` and ``content``, or of ``from`` and ``value``; with the row's
    ``system`` prompt and ``tools``, where it has them.

    Args:
        row: one record of a file.
        column: the one that holds the turns, as a list, as JSON or as a transcript.

    Returns:
        The row in chat shape; None where the column holds no list.
    """
    turns = row[column]
    if isinstance(turns, str):
        turns = _transcript(turns) or maybe_json(turns)
    if not isinstance(turns, list):
        return None
    messages = _by_role([_turn_message(turn) for turn in turns])
    pair_calls(messages)
    extra = {key: value for key, value in row.items() if key not in (column, "system", "tools")}
    system = cell_text(row.get("system"))
    if system.strip() and not (messages and isinstance(messages[0], dict) and messages[0].get("role") == "system"):
        messages.insert(0, {"role": "system", "content": system})
    tools = declared_tools(row.get("tools"))
    return Shaped("conversations", {"messages": messages} | ({"tools": tools} if tools else {}), extra)


def _turn_message(turn: Any) -> Any:
    if not isinstance(turn, dict):
        return turn
    who, said = _keys(turn)
    if not who or (who == "role" and (said in ("", "content") or "tool_calls" in turn)):
        return dict(turn)  # a copy: it may get an id, and the cell is the reader's
    role, content = turn[who], turn.get(said)
    if role == "function_call" and isinstance(calls := tool_calls(content), list):
        return {"role": "assistant", "content": None, "tool_calls": calls}
    if not isinstance(role, str):
        return {"role": role, "content": content}
    known = role.strip().lower()
    known = "assistant" if (who, known) == ("speaker", "system") else ROLES.get(known, known)
    return {"role": known if known in USUAL_ROLES else role, "content": content}


def _keys(turn: Mapping[str, Any]) -> tuple[str, str]:
    """The keys of a turn that say who speaks, and what; "" for one that it lacks."""
    return next((key for key in SPEAKERS if key in turn), ""), next((key for key in SAID if key in turn), "")


def speaker_key(turn: Any) -> str:
    """The key of a turn that says who speaks; "" for what is no turn."""
    return _keys(turn)[0] if isinstance(turn, dict) else ""


def _by_role(messages: list) -> list:
    """Speakers of any name as roles: who speaks last is the assistant, everybody else the user.

    Where there are several others, each one's name stays in front of what is said.
    """
    turns = [one for one in messages if isinstance(one, dict) and isinstance(one.get("role"), str)]
    names = list(dict.fromkeys(one["role"] for one in turns if one["role"] not in USUAL_ROLES))
    if not names or turns[-1]["role"] not in names or not all("content" in one for one in turns):
        return messages
    others = [name for name in names if name != turns[-1]["role"]]
    return [_in_role(one, turns[-1]["role"], others) if one in turns else one for one in messages]


def _in_role(turn: dict[str, Any], assistant: str, others: Sequence[str]) -> dict[str, Any]:
    if turn["role"] == assistant:
        return {**turn, "role": "assistant"}
    if turn["role"] not in others:
        return turn
    return {**turn, "role": "user", "content": f"{turn['role']}: " * (len(others) > 1) + str(turn["content"])}


def turns_in(role: str, value: Any) -> list:
    """The messages that a cell stands for: its own where it is a conversation, else one.

    Args:
        role: whose the cell is: "system", "user" or "assistant".
        value: the cell.
    """
    turns = [value] if isinstance(value, dict) and {"from", "value"} <= set(value) else value
    if isinstance(value, str) and is_conversation(value):  # what is asked may end in "Assistant:", and stays a text
        turns = _transcript(value) if role == "assistant" and _transcript(value) else maybe_json(value)
    if isinstance(turns, list) and turns and all(_is_turn(turn) for turn in turns):
        return _by_role([_turn_message(turn) for turn in turns])
    return [_turn(role, value)]


def _is_turn(value: Any) -> bool:
    return isinstance(value, dict) and (all(_keys(value)) or {"role", "tool_calls"} <= set(value))


def _transcript(text: str) -> list[dict] | None:
    """The turns of "Human: … Assistant: …", each in a paragraph of its own, as Anthropic's pairs are written."""
    if not text.lstrip().startswith("Human:") or "\n\nAssistant:" not in text:
        return None
    _, *parts = TRANSCRIPT.split("\n\n" + text.lstrip())
    roles = {"Human": "user", "Assistant": "assistant"}
    return [{"role": roles[who], "content": said.strip()} for who, said in zip(parts[::2], parts[1::2], strict=True)]


def is_conversation(value: Any) -> bool:
    """Whether a cell holds turns of a conversation, as objects or as JSON."""
    if isinstance(value, str):
        value = _transcript(value) or (maybe_json(value) if value.lstrip().startswith("[") else None)
    return isinstance(value, list) and bool(value) and all(_is_turn(turn) for turn in value)


def _turn(role: str, value: Any) -> dict[str, Any]:
    return {"role": role, "content": cell_text(value)}
