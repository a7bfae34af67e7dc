"""What one row must be, message by message: the rules of the format and of the provider.

Every function adds to ``Findings`` and goes on, so that all problems of a row are seen at once. A message without text
is legal where a tool call stands in its place; a ``weight`` may be 0; content may be a list of parts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from helpers.data.checking.rules import ROLES, Rules
from helpers.data.checking.tool_calls import check_tool_calls, check_tools
from helpers.data.report import Findings
from helpers.data.shapes.chat import CHAT_KEYS, Shaped
from helpers.tokens import text_of

MESSAGE_KEYS = frozenset(
    ("role", "content", "name", "weight", "tool_calls", "tool_call_id", "function_call", "refusal", "audio")
)
PARTS = {"text": str, "refusal": str, "image_url": (str, dict), "input_audio": dict, "file": dict}


def check_row(line: int, row: Shaped, rules: Rules, found: Findings) -> bool:
    """Check one row in chat shape. Returns whether its messages are well enough formed for the checks of the whole.

    Args:
        line: where the row begins in its file, from 1.
        row: in chat shape.
        rules: the provider's.
        found: takes the problems.
    """
    messages = row.chat.get("messages")
    if not isinstance(messages, list) or not messages:
        what = "is missing or empty" if not messages else f"is {type(messages).__name__}, not a list"
        found.add("messages", line, "messages", f"`messages` {what}.")
        return False
    broken = [i for i, message in enumerate(messages) if not isinstance(message, dict)]
    for i in broken:
        found.add("messages", line, f"messages[{i}]", f"The message is {type(messages[i]).__name__}, not an object.")
    if broken:
        return False
    place = places(row.names)
    _check_keys(line, row, rules, found)
    plain = True
    for i, message in enumerate(messages):
        if not _is_plain(message, rules):
            plain = False
            _check_message(line, i, message, place, rules, found)
    _check_order(line, messages, place, found, preference=row.rejected is not None)
    declared = check_tools(line, row.chat, rules, found)
    if declared or not plain:
        check_tool_calls(line, messages, declared, found)
    if row.rejected is not None:
        _check_pair(line, messages, row.rejected, found)
    return True


def places(names: tuple[str, ...]) -> Callable[[int, str], str]:
    """How a message is named in a report: by its column where the row has columns, else by its place in the list."""
    if names:
        return lambda i, key: names[i] if i < len(names) else f"messages[{i}]"
    return lambda i, key: f"messages[{i}].{key}" if key else f"messages[{i}]"


def _check_keys(line: int, row: Shaped, rules: Rules, found: Findings) -> None:
    for key in row.extra:
        if row.shape not in (
            "question_answer",
            "preference_columns",
        ):  # a table's other columns are left out by write()
            found.add("unknown_key", line, key, f"The key {key!r} is not part of the format.")
    if len(row.chat) == 1:
        return
    for key in CHAT_KEYS[1:]:
        if key in row.chat and key not in rules.keys:
            found.add("unsupported", line, key, f"Not accepted by {rules.called}: {key!r}.")


def _is_plain(message: dict, rules: Rules) -> bool:
    """Whether a message is a legal role and a filled text, nothing else: most are, and need no closer look."""
    content, role = message.get("content"), message.get("role")
    return (
        type(content) is str
        and len(message) == 2
        and bool(content.strip())
        and type(role) is str
        and role in rules.plain
    )


def _check_message(line: int, i: int, message: dict, place: Callable, rules: Rules, found: Findings) -> None:
    role = message.get("role")
    if not isinstance(role, str) or role not in ROLES:
        got = repr(role) if "role" in message else "no role"
        found.add("bad_role", line, place(i, "role"), f"The role is not a legal one (found {got}).")
    elif role not in rules.roles:
        found.add("unsupported", line, place(i, "role"), f"Not accepted by {rules.called}: the role {role!r}.")
    if not message.keys() <= MESSAGE_KEYS:
        for key in message.keys() - MESSAGE_KEYS:
            found.add("unknown_key", line, place(i, str(key)), f"A message has no key {key!r}.")
    if "weight" in message:
        _check_weight(line, i, message, role, place, found)
    _check_content(line, i, message, role, place, rules, found)


def _check_weight(line: int, i: int, message: dict, role: Any, place: Callable, found: Findings) -> None:
    weight = message["weight"]
    if isinstance(weight, bool) or weight not in (0, 1):
        found.add("weight", line, place(i, "weight"), f"`weight` is {weight!r}; it must be 0 or 1.")
    elif role in ROLES and role != "assistant":
        found.add("weight", line, place(i, "weight"), f"`weight` is on a message with the role {role!r}.")


def _check_content(line: int, i: int, message: dict, role: Any, place: Callable, rules: Rules, found: Findings) -> None:
    content = message.get("content")
    if isinstance(content, str):
        if not content.strip() and not (role == "assistant" and _has_call(message)):
            code = "empty_answer" if role == "assistant" else "empty_content"
            found.add(code, line, place(i, "content"), "The text is empty or blank.")
    elif content is None:
        if not (role == "assistant" and (_has_call(message) or message.get("refusal"))):
            found.add("content_missing", line, place(i, "content"), f"The {role} message has no content.")
    elif isinstance(content, list):
        _check_parts(line, i, content, role, place, rules, found)
    else:
        kind = type(content).__name__
        found.add("content_type", line, place(i, "content"), f"The content is of the type {kind}, not text.")


def _has_call(message: dict) -> bool:
    return bool(message.get("tool_calls") or message.get("function_call"))


def _check_parts(line: int, i: int, parts: list, role: Any, place: Callable, rules: Rules, found: Findings) -> None:
    where = place(i, "content")
    if not parts:
        found.add("content_missing", line, where, "The list of content parts is empty.")
    if not rules.parts:
        found.add(
            "unsupported", line, where, f"Not accepted by {rules.called}: a list of content parts; it takes text."
        )
    images = 0
    for k, part in enumerate(parts):
        kind = part.get("type") if isinstance(part, dict) else None
        if not isinstance(kind, str) or kind not in PARTS or not isinstance(part.get(kind), PARTS[kind]):
            found.add("bad_part", line, f"{where}[{k}]", "The part has no legal type, or no value for it.")
        images += kind == "image_url"
    if images and role == "assistant":
        found.add("image", line, where, "A picture in an assistant's message.")
    if rules.max_images and images > rules.max_images:
        found.add("image", line, where, f"{images} pictures; {rules.called} accepts {rules.max_images} an example.")
    if not images and parts and not text_of(parts).strip():
        found.add(
            "empty_answer" if role == "assistant" else "empty_content", line, where, "The text is empty or blank."
        )


def _check_order(line: int, messages: list[dict], place: Callable, found: Findings, *, preference: bool) -> None:
    roles = tuple([str(message.get("role")) for message in messages])
    for code, i, key, told in _order_problems(roles, preference):
        found.add(code, line, "messages" if i is None else place(i, key), told)
    answers = [message for message in messages if "weight" in message and message.get("role") == "assistant"]
    if answers and len(answers) == roles.count("assistant") and all(answer["weight"] == 0 for answer in answers):
        found.add("nothing_trained", line, "messages", "Every assistant message has weight 0.")


@lru_cache(maxsize=1024)
def _order_problems(roles: tuple[str, ...], preference: bool) -> list[tuple[str, int | None, str, str]]:
    """What is wrong with the order of roles: code, message or None, key, text. Most rows share a few orders."""
    problems: list[tuple[str, int | None, str, str]] = []
    seen = ", ".join(roles[:8]) + (", …" if len(roles) > 8 else "")
    if "assistant" not in roles:
        problems.append(("no_assistant", None, "", f"No assistant message (roles: {seen})."))
    elif roles[-1] != "assistant" and not (preference and roles[-1] == "tool"):
        told = f"The last message is not the assistant's (roles: {seen})."
        problems.append(("last_not_assistant", len(roles) - 1, "", told))
    if "user" not in roles and len(roles) > 1:
        problems.append(("no_user", None, "", f"No user message (roles: {seen})."))
    talked = False
    for i, role in enumerate(roles):
        if role in ("system", "developer"):
            if talked:
                problems.append(("system_not_first", i, "role", f"A {role} message after the conversation began."))
            continue
        if talked and role == roles[i - 1] and role in ("user", "assistant") and not preference:
            problems.append(("role_order", i, "role", f"Two {role} messages in a row."))
        talked = True
    return problems


def _check_pair(line: int, messages: list[dict], rejected: Any, found: Findings) -> None:
    if not isinstance(rejected, list) or not rejected or not all(isinstance(m, dict) for m in rejected):
        found.add("preference", line, "non_preferred_output", "The pair has no list of messages on one side.")
        return
    if not all(isinstance(m.get("content"), (str, list)) or _has_call(m) for m in rejected):
        found.add("preference", line, "non_preferred_output", "A message of the pair has no content.")
    kept = messages[-len(rejected) :]
    same = [text_of(m.get("content")).strip() for m in kept] == [text_of(m.get("content")).strip() for m in rejected]
    if same and not any(_has_call(m) for m in kept):
        found.add("preference_same", line, "non_preferred_output", "Both answers are the same.")
