"""What is done about each code: a fixer changes a row's draft, leaves it where it does not know how, or drops it."""

from __future__ import annotations

import ast
import copy
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from helpers.data.checking.messages import MESSAGE_KEYS
from helpers.data.checking.texts import CONTROL
from helpers.data.duplicates import normalise
from helpers.data.report import CheckReport
from helpers.data.sensitive import beside, personal
from helpers.data.shapes.chat import Shaped
from helpers.tokens import text_of

ROLE_NAMES = {"human": "user", "customer": "user", "client": "user", "bot": "assistant", "ai": "assistant",
              "gpt": "assistant", "model": "assistant", "agent": "assistant", "chatgpt": "assistant",
              "instructions": "system"}  # fmt: skip
"""What other tools call the roles."""

DROPPED = (
    "blank_line", "not_object", "line_too_long", "table_row", "unknown_shape", "messages", "no_assistant", "bad_part",
    "empty_answer", "placeholder_answer", "nothing_trained", "tools", "tool_call", "tool_call_id", "tool_arguments",
    "image", "preference", "preference_same", "duplicate", "leak", "near_leak",
)  # fmt: skip
"""Codes that leave the row out."""


class Dropped(Exception):
    """The row is left out."""


@dataclass
class Draft:
    """A row while it is repaired: chat shape, its other keys, and the codes that could not be fixed further."""

    shape: str
    chat: dict[str, Any]
    extra: dict[str, Any]
    rejected: Any
    given_up: set[str]

    @classmethod
    def of(cls, row: Shaped) -> Draft:
        return cls(row.shape, copy.deepcopy(row.chat), dict(row.extra), copy.deepcopy(row.rejected), set())

    def text(self) -> str:
        """The row as one line of JSON, in the shape that ``write`` would give it, extra keys included."""
        return as_text(
            self.chat | ({"non_preferred_output": self.rejected} if self.rejected is not None else {}) | self.extra
        )

    def as_shaped(self) -> Shaped:
        return Shaped(self.shape, self.chat, self.extra, (), self.rejected)

    @property
    def messages(self) -> list:
        return self.chat["messages"]


def as_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def drop(draft: Draft) -> None:
    raise Dropped


def _keys(draft: Draft) -> None:
    if draft.shape == "chat":
        draft.extra.clear()
    for message in draft.messages:
        for key in set(message) - MESSAGE_KEYS:
            del message[key]


def _role(draft: Draft) -> None:
    for message in draft.messages:
        tidy = str(message.get("role", "")).strip().lower()
        message["role"] = ROLE_NAMES.get(tidy, tidy)


def _unsupported(draft: Draft) -> None:
    """Developer messages become system messages, text parts one text, stray keys go; anything else drops the row."""
    for key in ("parallel_tool_calls", "functions", "tools"):
        if not draft.chat.get(key):
            draft.chat.pop(key, None)
    draft.chat.pop("parallel_tool_calls", None)
    for message in draft.messages:
        if message.get("role") == "developer":
            message["role"] = "system"
        content = message.get("content")
        if isinstance(content, list) and all(isinstance(part, dict) and part.get("type") == "text" for part in content):
            message["content"] = text_of(content)


def _cut(draft: Draft) -> None:
    while draft.messages and draft.messages[-1].get("role") != "assistant":
        draft.messages.pop()
    if not draft.messages:
        raise Dropped


def _system_first(draft: Draft) -> None:
    draft.messages.sort(key=lambda message: message.get("role") not in ("system", "developer"))


def _no_content(draft: Draft) -> None:
    """A system message without content goes; a row whose other messages miss theirs is left out."""
    draft.chat["messages"] = [
        message
        for message in draft.messages
        if message.get("role") != "system" or message.get("content") not in (None, [])
    ]


def _content_type(draft: Draft) -> None:
    for message in draft.messages:
        content = message.get("content")
        if isinstance(content, (int, float)) and not isinstance(content, bool):
            message["content"] = str(content)
        elif isinstance(content, dict):
            message["content"] = json.dumps(content, ensure_ascii=False)


def _weight(draft: Draft) -> None:
    for message in draft.messages:
        if "weight" not in message:
            continue
        weight = message["weight"]
        if message.get("role") != "assistant" or str(weight).lower() not in ("0", "1", "0.0", "1.0", "true", "false"):
            del message["weight"]
        else:
            message["weight"] = int(str(weight).lower() in ("1", "1.0", "true"))


def _on_text(change: Callable[[str], str], answers_only: bool = False) -> Callable[[Draft], None]:
    def fix(draft: Draft) -> None:
        for message in draft.messages + (draft.rejected if isinstance(draft.rejected, list) else []):
            if not isinstance(message, dict) or (answers_only and message.get("role") != "assistant"):
                continue
            content = message.get("content")
            if isinstance(content, str):
                message["content"] = change(content)
            for part in content if isinstance(content, list) else ():
                if isinstance(part, dict) and isinstance(part.get("text"), str):
                    part["text"] = change(part["text"])

    return fix


def _unsay(draft: Draft) -> None:
    """Personal data and secrets go, from texts and from what stands beside them; tool declarations stay."""
    _on_text(personal.remove)(draft)
    draft.chat["messages"], draft.rejected = beside.remove(draft.chat, draft.rejected)


def _decode_again(text: str) -> str:
    """Undo one wrong decoding, where the result is sure: every wrongly decoded run must be valid UTF-8."""

    def once(match: re.Match) -> str:
        try:
            return match.group().encode("cp1252").decode("utf-8")
        except UnicodeError:
            return match.group()

    return re.sub(
        r"[\u0080-\u00ff\u0152-\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u203a\u20ac\u2122]{2,}", once, text
    )


def spell_label(draft: Draft, report: CheckReport) -> None:
    """Give the answer, or the JSON answer's fields, the spelling that most rows use; all else keeps every letter.

    Args:
        draft: the row; its last message is changed.
        report: says which spelling of a label most rows use.
    """
    usual = report.usual_labels
    answer = draft.messages[-1].get("content")
    if not isinstance(answer, str):
        return
    if answer.strip().startswith("{"):
        draft.messages[-1]["content"] = JSON_TEXT.sub(lambda text: _respelled(text[0], usual), answer)
    else:
        draft.messages[-1]["content"] = usual.get(normalise(answer), answer)


JSON_TEXT = re.compile(r'(?<=:)\s*"(?:[^"\\]|\\.)*"')
"""A text value in a JSON object, with the blanks before it."""


def _respelled(text: str, usual: Mapping[str, str]) -> str:
    """A text value as most rows spell it; as it stands where that is how it is spelled, or where it is not JSON."""
    blanks, quoted = text[: len(text) - len(text.lstrip())], text.lstrip()
    try:
        value = json.loads(quoted)
    except ValueError:
        return text
    spelled = usual.get(normalise(value), value)
    return text if spelled == value else blanks + json.dumps(spelled, ensure_ascii=False)


FIXES: dict[str, Callable[[Draft], None]] = {
    **dict.fromkeys(DROPPED, drop),
    "json": drop,
    "unknown_key": _keys,
    "bad_role": _role,
    "unsupported": _unsupported,
    "last_not_assistant": _cut,
    "system_not_first": _system_first,
    "content_missing": _no_content,
    "content_type": _content_type,
    "weight": _weight,
    "answer_whitespace": _on_text(str.strip, answers_only=True),
    "control_characters": _on_text(lambda text: CONTROL.sub("", text)),
    "mojibake": _on_text(_decode_again),
    "label_variant": drop,
    **dict.fromkeys(personal.CODE_OF.values(), _unsay),
}
"""What ``repair`` can do, by code."""


def fix_json(text: str) -> dict | None:
    """The object that a broken line most likely meant, or None.

    Only what is mechanical is fixed: a comma after the object, Python's own quotes and None/True/False, and raw control
    characters within strings.
    """
    text = text.strip().removesuffix(",").removeprefix("\ufeff")
    if len(text) > 1_000_000:
        return None
    for parse in (orjson.loads, lambda t: json.loads(t, strict=False), _python_literal):
        try:
            value = parse(text)
            orjson.dumps(value)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
        return value if isinstance(value, dict) else None
    return None


def _python_literal(text: str) -> Any:
    """What Python wrote; it never writes octal escapes, so that text with a digit behind a backslash is no such."""
    if re.search(r"\\[0-7]", text):
        raise ValueError("an octal escape")
    return ast.literal_eval(text)
