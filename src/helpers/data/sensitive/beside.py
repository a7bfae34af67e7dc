"""Personal data and secrets beside what messages say: in tool calls, names, rejected answers and tool declarations.

Tool calls, names and rejected answers are a row's own: they are searched and repaired row by row. Declarations repeat
from row to row and are a program's: each is searched once and left to the reader.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import orjson

from helpers.data.report import Findings
from helpers.data.sensitive import personal
from helpers.data.sensitive.credentials import PASSWORD_STEMS, Hit

Change = Callable[[str, str, str], str]
"""A text's place, its name ("" for none) and the text → the text that shall stand there."""

REFERENCES = frozenset(("role", "type", "id", "tool_call_id"))
MEDIA = frozenset(("image_url", "input_audio", "audio", "file"))
"""Keys of messages that are not searched: what other keys refer to, and pictures, sound and files."""

SAID = frozenset(("content", "text", "refusal", "description", "arguments"))
EXAMPLES = frozenset(("default", "enum", "const", "examples"))
"""Keys that do not say what their text is; and keys of a schema whose values are named by the key above them."""

DEEPEST = 100
"""Levels of objects and lists within each other that are searched."""

SMALLEST, LARGEST = 10**6, 10**20
"""Whole numbers between these may be a card's or a phone's."""


def check(line: int, chat: dict, rejected: Any, place: Callable[[int, str], str], found: Findings) -> None:
    """Report the finds in one row's tool calls, names and rejected answers, masked.

    What the row's tools declare, such as an address among a parameter's values, is reported there only.

    Args:
        line: where the row begins in its file, from 1.
        chat: the row in chat shape, its messages well formed.
        rejected: the answers that a preference pair does not prefer; None for other rows.
        place: from ``messages.places``: a message's number and its key → what a report calls that place.
        found: takes the finds, masked.
    """
    if rejected is None and all(map(_only_says, chat["messages"])):
        return

    def report(where: str, name: str, text: str) -> str:
        hits = _find(name, text)
        if hits and text not in _declared_texts(chat):
            for hit in hits:
                personal.report(hit, text[hit.start : hit.end], hit.start + 1, line, where, found)
        return text

    _changed(chat["messages"], rejected, place, report)


def remove(chat: dict, rejected: Any) -> tuple[list, Any]:
    """Messages and rejected answers with every find replaced; JSON stays JSON, a number that goes becomes a text.

    Args:
        chat: the row in chat shape, its messages well formed.
        rejected: the answers that a preference pair does not prefer; None for other rows.
    """

    def removed(where: str, name: str, text: str) -> str:
        hits = _find(name, text)
        return personal.without(text, hits) if hits and text not in _declared_texts(chat) else text

    return _changed(chat["messages"], rejected, lambda i, key: key, removed)


def declarations(chat: dict) -> Iterator[tuple[str, Any]]:
    """Place and value of each tool that a row declares."""
    for key in ("tools", "functions"):
        given = chat.get(key)
        for k, tool in enumerate(given if isinstance(given, list) else ()):
            yield f"{key}[{k}]", tool


def fingerprint(tool: Any) -> int:
    """The same for declarations that are the same."""
    try:
        return hash(orjson.dumps(tool, default=str))
    except orjson.JSONEncodeError:  # nested more deeply than it goes, or no JSON
        return hash(tuple(sorted(_texts_in(tool))))


def check_declaration(line: int, where: str, tool: Any, others: int, found: Findings) -> None:
    """Report the finds in one declaration, masked.

    Args:
        line: of the first row that declares it.
        where: its place in that row.
        tool: the declaration.
        others: how many more times it is declared.
        found: takes the finds, masked.
    """
    more = f" The same declaration stands in {others:,} more row{'s' * (others > 1)}." if others else ""
    for at, text, hit in declared_finds(where, tool):
        secret = personal.CODE_OF[hit.kind].startswith("secret")
        first = "Revoke the secret, then change it" if secret else "Change it"
        fix = f"{first} here and where your program declares the tool: repair() leaves declarations as they are."
        personal.report(hit, text[hit.start : hit.end], hit.start + 1, line, at, found, more=more, fix=fix)


def declared_finds(where: str, tool: Any) -> list[tuple[str, str, Hit]]:
    """Place, text and find for each find in a tool's declaration.

    Args:
        where: the declaration's place in its row.
        tool: the declaration.
    """
    finds: list[tuple[str, str, Hit]] = []

    def note(at: str, name: str, text: str) -> str:
        finds.extend((at, text, hit) for hit in _find(name, text))
        return text

    _each(tool, where, note, "", frozenset())
    return finds


def _only_says(message: dict) -> bool:
    """Whether a message is a role and a text, which ``personal.check`` searches: most are."""
    return len(message) == 2 and "role" in message and type(message.get("content")) is str


def _changed(messages: list, rejected: Any, place: Callable[[int, str], str], change: Change) -> tuple[list, Any]:
    kept = [
        message if _only_says(message) else _message(message, lambda key, i=i: place(i, key), change, said=False)
        for i, message in enumerate(messages)
    ]
    if not isinstance(rejected, list):
        return kept, rejected
    return kept, [
        _message(message, lambda key, i=i: f"non_preferred_output[{i}].{key}", change, said=True)
        if isinstance(message, dict)
        else message
        for i, message in enumerate(rejected)
    ]


def _message(message: dict, where: Callable[[str], str], change: Change, *, said: bool) -> dict:
    """The message with its texts changed; with what it says only where ``said``."""
    skipped = REFERENCES | MEDIA | (frozenset() if said else {"text"})
    return {
        key: value
        if key in skipped or (key == "content" and isinstance(value, str) and not said)
        else _each(value, where(str(key)), change, str(key), skipped)
        for key, value in message.items()
    }


def _each(value: Any, where: str, change: Change, name: str, skipped: frozenset[str], depth: int = 0) -> Any:
    """``value`` with every text in it changed; in arguments, and in declarations, the keys too."""
    if isinstance(value, str):
        if name in ("arguments", "args") and skipped:
            return _arguments(value, where, change)
        new = change(where, "" if name in SAID else name, value)
        return _as_name(new) if skipped and name == "name" and new != value else new
    if isinstance(value, int) and SMALLEST <= abs(value) < LARGEST:
        text = str(value)
        new = change(where, name, text)
        return value if new == text else new
    if depth == DEEPEST:
        return value
    if isinstance(value, list):
        return [_each(one, f"{where}[{k}]", change, name, skipped, depth + 1) for k, one in enumerate(value)]
    if not isinstance(value, dict):
        return value
    inner = frozenset() if name in ("arguments", "args") else skipped
    return {
        key if _is_clean(str(key)) else change(where, "", str(key)): one
        if key in inner
        else _each(one, f"{where}.{_shown(str(key))}", change, name if key in EXAMPLES else str(key), inner, depth + 1)
        for key, one in value.items()
    }


def _arguments(text: str, where: str, change: Change) -> str:
    """A call's arguments, JSON in a text: changed value by value, so that they stay JSON."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return change(where, "", text)
    if not isinstance(values, (dict, list)):
        return change(where, "", text)
    new = _each(values, where, change, "", frozenset())
    return text if new == values else json.dumps(new, ensure_ascii=False)


def _as_name(text: str) -> str:
    """Hosts take letters, digits, _ and - in a name."""
    return re.sub(r"[^\w-]+", "_", text).strip("_")


def _find(name: str, text: str) -> list[Hit]:
    """The finds in a value; its name counts as the words before it, as in "password: …"."""
    if not name:
        return personal.find(text)
    plain = name.replace("_", " ")
    quote = '"' if any(stem in plain.lower() for stem in PASSWORD_STEMS) else ""
    before = f"{plain}: {quote}"
    hits = personal.find(f"{before}{text}{quote}")
    first, last = len(before), len(before) + len(text)
    inside = (hit for hit in hits if hit.start < last and hit.end > first)
    return [hit._replace(start=max(hit.start, first) - first, end=min(hit.end, last) - first) for hit in inside]


def _declared_texts(chat: dict) -> set[str]:
    return set().union(*(_texts_in(tool) for _, tool in declarations(chat)))


def _texts_in(tool: Any) -> set[str]:
    texts: set[str] = set()

    def note(where: str, name: str, text: str) -> str:
        texts.add(text)
        return text

    _each(tool, "", note, "", frozenset())
    return texts


@lru_cache(maxsize=4096)
def _is_clean(key: str) -> bool:
    return not personal.find(key)


@lru_cache(maxsize=4096)
def _shown(key: str) -> str:
    """A key as a place names it: it may hold a secret itself."""
    return personal.remove(key)
