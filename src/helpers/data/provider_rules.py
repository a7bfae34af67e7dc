"""What one row must be, message by message: the rules of the format and of the provider.

Every function adds to ``Findings`` and goes on, so that all problems of a row are seen at once. A message without text
is legal where a tool call stands in its place; a ``weight`` may be 0; content may be a list of parts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from helpers import facts
from helpers.data.report import GENERAL, Findings
from helpers.data.shapes import CHAT_KEYS, Shaped, text_of

ROLES = frozenset(("system", "developer", "user", "assistant", "tool", "function"))
MESSAGE_KEYS = frozenset(
    ("role", "content", "name", "weight", "tool_calls", "tool_call_id", "function_call", "refusal", "audio")
)
PARTS = {"text": str, "refusal": str, "image_url": (str, dict), "input_audio": dict, "file": dict}
TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

PLACEHOLDERS = frozenset(
    ("n/a", "na", "none", "null", "nil", "nan", "todo", "tbd", "tba", "fixme", "xxx", "...", "…", "-", "--", "?",
     "#n/a", "undefined", "lorem ipsum", "answer", "placeholder", "test", "[object object]", "#ref!", "#value!",
     "#name?")
)  # fmt: skip
REFUSAL = re.compile(
    r"""i['’]?m\ (?:very\ |so\ |really\ )?sorry,?\ (?:but\ )?(?:i|as\ an) | i\ apologi[sz]e,?\ but
    | (?:sorry,\ )?(?:but\ )?i\ (?:can['’]?t|cannot|can\ not|am\ unable\ to|am\ not\ able\ to|won['’]?t\ be\ able\ to)\b
    | i['’]m\ (?:unable|not\ able)\ to | as\ an\ ai\b | unfortunately,?\ i\ (?:can|am\ un)""",
    re.IGNORECASE | re.VERBOSE,
)
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd\ufeff\u200b\u202a-\u202e\u2060\u2066-\u2069]")
MOJIBAKE = re.compile("Ã[\x80-\xbf¡-¿ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ€]|â€[\x80-\x9d™œ“”˜¦¢\x9d]|Â[\xa0£©®°·»«]|ï¿½")
HTML = re.compile(
    r"</?(?:br|p|div|span|b|i|u|a|li|ul|ol|td|tr|table|font|strong|em|h[1-6])(?: [^<>]{0,200})?/?>"
    r"|&(?:nbsp|amp|lt|gt|quot|#\d{2,5});",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Rules:
    """What a provider takes, from the facts tables; None where nothing is known. ``plain``: roles that only speak."""

    provider: str
    shapes: tuple[str, ...]
    roles: frozenset[str]
    plain: frozenset[str]
    keys: tuple[str, ...]
    parts: bool
    bom: bool
    max_images: int | None
    min_examples: int | None
    max_examples: int | None
    max_file_bytes: int | None
    max_example_tokens: int | None


ANY_SHAPE = ("chat", "prompt_completion", "preference", "question_answer")
"""Shapes from which chat rows can be made."""


def rules_for(provider: str, model: str | None = None) -> Rules:
    """The provider's rules.

    :data:`GENERAL` names the rules that hold wherever chat rows are used: for a host that trains nothing, or of which
    no limits are known.

    Args:
        provider: a host's id, or :data:`GENERAL`.
        model: the one that will be trained, where limits depend on it.

    Raises:
        FactsError: no limits of this provider are known.
    """
    known: Mapping[str, Any] = {"shapes": ANY_SHAPE} if provider == GENERAL else facts.limits(provider, model)
    roles = frozenset(known.get("roles", ROLES))
    return Rules(
        provider=provider,
        shapes=known["shapes"],
        roles=roles,
        plain=roles & {"system", "developer", "user", "assistant"},
        keys=known.get("keys", CHAT_KEYS),
        parts=known.get("parts", True),
        bom=known.get("bom", False),
        max_images=known.get("max_images"),
        min_examples=known.get("min_examples"),
        max_examples=known.get("max_examples"),
        max_file_bytes=known.get("max_file_bytes"),
        max_example_tokens=known.get("max_example_tokens"),
    )


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
    declared = _check_tools(line, row.chat, rules, found)
    if declared or not plain:
        _check_tool_calls(line, messages, declared, found)
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
            found.add("unsupported", line, key, f"{rules.provider} does not accept {key!r}.")


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
        found.add("unsupported", line, place(i, "role"), f"{rules.provider} does not accept the role {role!r}.")
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
        found.add("unsupported", line, where, f"{rules.provider} accepts text, not a list of content parts.")
    images = 0
    for k, part in enumerate(parts):
        kind = part.get("type") if isinstance(part, dict) else None
        if not isinstance(kind, str) or kind not in PARTS or not isinstance(part.get(kind), PARTS[kind]):
            found.add("bad_part", line, f"{where}[{k}]", "The part has no legal type, or no value for it.")
        images += kind == "image_url"
    if images and role == "assistant":
        found.add("image", line, where, "A picture in an assistant's message.")
    if rules.max_images and images > rules.max_images:
        found.add("image", line, where, f"{images} pictures; {rules.provider} accepts {rules.max_images} an example.")
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


# --- tools ------------------------------------------------------------------------------------------------------------


def _check_tools(line: int, chat: dict, rules: Rules, found: Findings) -> dict[str, Any] | None:
    """Declared tools: name → parameter schema; None when the row declares none."""
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


def _check_tool_calls(line: int, messages: list[dict], declared: dict[str, Any] | None, found: Findings) -> None:
    """Every call is answered by its id before the conversation goes on; the last message may leave its calls open."""
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


# --- what the text says -----------------------------------------------------------------------------------------------


def check_text(line: int, messages: list[dict], place: Callable, found: Findings) -> None:
    """Placeholders, refusals, white space, control characters, mojibake and HTML, in every message's text.

    Args:
        line: where the row begins in its file, from 1.
        messages: well-formed chat messages.
        place: from ``rules.places``: a message's number and its key → what a report calls that place.
        found: takes the problems.
    """
    for i, message in enumerate(messages):
        text = text_of(message.get("content"))
        if not text:
            continue
        if message.get("role") == "assistant":
            _check_answer(line, text, place(i, "content"), found)
        if not text.isascii() or not text.isprintable():
            _check_characters(line, text, place(i, "content"), found)


def _check_answer(line: int, text: str, where: str, found: Findings) -> None:
    bare = text.strip()
    if bare and bare != text:
        found.add("answer_whitespace", line, where, "The answer begins or ends with white space.")
    if len(bare) <= 16 and bare.casefold() in PLACEHOLDERS:
        found.add("placeholder_answer", line, where, f"The answer is {bare!r}.")
    if len(bare) < 2000 and REFUSAL.match(bare):
        found.add("refusal_answer", line, where, f"The answer refuses: {bare[:60]!r}.")
    if ("<" in text or "&" in text) and (hit := HTML.search(text)):
        found.add("html_residue", line, where, f"HTML in the answer: {hit.group()[:40]!r}.")


def _check_characters(line: int, text: str, where: str, found: Findings) -> None:
    if hit := CONTROL.search(text):
        found.add("control_characters", line, where, f"The character U+{ord(hit.group()):04X} at {hit.start() + 1}.")
    if not text.isascii() and (hit := MOJIBAKE.search(text)):
        found.add(
            "mojibake", line, where, f"Wrongly decoded text: {text[max(0, hit.start() - 10) : hit.end() + 10]!r}."
        )
