"""The shapes in which people and providers write an example, and the way from each to chat messages and back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import orjson

from helpers.records import Example
from helpers.tokens import text_of as text_of  # the one that counts and trains: checks see the same text

CHAT_KEYS = ("messages", "tools", "parallel_tool_calls", "functions")

COLUMNS: dict[str, tuple[str, ...]] = {
    "question": (
        "question", "prompt", "input", "user", "message", "query", "instruction", "request", "text", "body", "ticket",
        "sentence", "utterance", "review", "tweet", "comment", "sms", "email", "content", "description", "document",
        "article", "passage", "dialogue",
        "frage", "anfrage", "nachricht", "pregunta", "texto", "texte", "domanda", "testo", "vraag",
    ),
    "answer": (
        "answer", "completion", "output", "assistant", "response", "reply", "target", "label", "ideal", "category",
        "class", "intent", "sentiment", "topic", "answers", "labels", "summary", "translation", "solution", "slots",
        "intents",
        "antwort", "klasse", "kategorie", "respuesta", "categoria", "réponse", "reponse", "catégorie", "risposta",
        "antwoord",
    ),
    "system": ("system", "system_prompt", "instructions"),
    "preferred": ("chosen", "preferred", "preferred_output", "preferred_completion", "chosen_messages"),
    "rejected": ("rejected", "non_preferred", "non_preferred_output", "non_preferred_completion", "rejected_messages"),
}  # fmt: skip
"""Names by which a column is recognised, most telling first; upper case, blanks and dashes do not matter."""

PARTS = (*COLUMNS, "messages")
"""What a column can be: a part of a row, or the conversation itself."""

PLACE = re.compile(r"\{([^{}\n]+)\}")
"""A column's place in a template."""

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


def shaped(row: Mapping[str, Any] | Example, columns: Mapping[str, Any] | None = None) -> Shaped | None:
    """The row in chat shape, or None when it is of no known shape. Values are passed on unchecked.

    Args:
        row: one record of a file, or an example.
        columns: part → column, template or tuple; None where only shapes of their own count.
    """
    if isinstance(row, Example):
        return _from_example(row)
    if columns and (fits(columns, row) or not has_own_shape(row)):
        return _from_columns(row, columns)
    if not has_own_shape(row):
        return _from_columns(row, recognise(row))
    if "messages" in row:
        return _from_messages(row)
    if "contents" in row:
        return _from_contents(row)
    return _from_turns(row, "conversations") if "conversations" in row else _from_preference(row)


def has_own_shape(row: Mapping[str, Any]) -> bool:
    """Whether a row's keys say that it is a conversation or a pair, whatever columns are named."""
    pair = isinstance(row.get("input"), dict) and ("preferred_output" in row or "preferred_completion" in row)
    told = isinstance(row.get("conversations"), list) and not {"chosen", "rejected"} <= set(row)
    turns = (row[key] for key in ("messages", "contents") if key in row)
    listed = any(len(row) == 1 or not isinstance(one, str) or one.lstrip().startswith("[") for one in turns)
    return listed or pair or told


def fits(columns: Mapping[str, Any] | None, row: Mapping[str, Any] | Example) -> bool:
    """Whether a row has what ``columns`` name: every column that stands for a part, one at least of a template's.

    Args:
        columns: part → column, template or tuple.
        row: one record of a file, or an example.
    """
    if not columns or isinstance(row, Example):
        return False
    return all(_is_there(spec, row) for part, spec in columns.items() if part != "system")


def _is_there(spec: str | tuple[str, ...], row: Mapping[str, Any]) -> bool:
    if isinstance(spec, tuple):
        return all(name in row for name in spec)
    return spec in row or (bool(PLACE.search(spec)) and any(name in row for name in named(spec, row)))


def named(spec: str | tuple[str, ...], names: Mapping[str, Any] | Sequence[str]) -> list[str]:
    """The columns that a part is made from: the one of that name, those in a template's braces, or a tuple's.

    Args:
        spec: a column's name, a template with names in braces, or a tuple of names.
        names: the columns that there are.
    """
    if isinstance(spec, tuple):
        return list(spec)
    return [spec] if spec in names else PLACE.findall(spec) or [spec]


def tidy_name(name: Any) -> str:
    return str(name).strip().lower().replace(" ", "_").replace("-", "_")


def known_name(name: str) -> bool:
    """Whether a column of this name would be recognised."""
    return any(tidy_name(name) in known for known in COLUMNS.values())


def recognise(names: Mapping[str, Any] | list[str]) -> dict[str, str]:
    """Which column is the question, the answer, the system prompt …: part → column; empty when none is known."""
    tidy = {tidy_name(name): str(name) for name in names}
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
    if isinstance(messages, list) and any("value" in part for part in _first_parts(messages)):
        messages = [{**m, "content": _from_values(m["content"])} if _parts_of(m) else m for m in messages]
        row = {**row, "messages": messages}
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


def _maybe_json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


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


def _from_turns(row: Mapping[str, Any], column: str) -> Shaped | None:
    """A conversation in a column: turns of ``role`` and ``content``, or of ``from`` and ``value``; with the row's
    ``system`` prompt and ``tools``, where it has them."""
    turns = row[column]
    if isinstance(turns, str):
        turns = _transcript(turns) or _maybe_json(turns)
    if not isinstance(turns, list):
        return None
    messages = _by_role([_turn_message(turn) for turn in turns])
    _pair_calls(messages)
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


def _pair_calls(messages: list) -> None:
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
    value = _maybe_json(value) if isinstance(value, str) else value
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
    value = _maybe_json(value) if isinstance(value, str) else value
    if not isinstance(value, list) or not value or not all(isinstance(tool, dict) for tool in value):
        return None
    if all("function" in tool for tool in value):
        return value
    if not all(isinstance(tool.get("name"), str) for tool in value):
        return None
    return [{"type": "function", "function": tool} for tool in value]


def _from_columns(row: Mapping[str, Any], columns: Mapping[str, Any]) -> Shaped | None:
    if "messages" in columns and columns["messages"] in row:
        return _from_turns(row, columns["messages"])
    if not fits(columns, row):
        return {"text"} == set(row) and Shaped("text", _text_row(row["text"]), {}, ("text",)) or None
    answer = "preferred" if "rejected" in columns else "answer"
    parts = [("system", "system"), ("question", "user"), (answer, "assistant")]
    used = [(columns[part], role, _value(row, columns[part])) for part, role in parts if part in columns]
    used = [(name, role, value) for name, role, value in used if role != "system" or cell_text(value)]
    taken = {name for spec in columns.values() for name in named(spec, row)}
    tools = declared_tools(row.get("tools"))
    calls = tool_calls(used[-1][2]) if tools else None
    messages = [turn for _, role, value in used for turn in _turns(role, value)]
    if calls:
        messages[-1] = {"role": "assistant", "content": None, "tool_calls": calls}
    chat = {"messages": messages} | ({"tools": tools} if tools else {})
    extra = {key: value for key, value in row.items() if key not in taken and not (tools and key == "tools")}
    names = tuple(name if isinstance(name, str) else ", ".join(name) for name, _, _ in used)
    if "rejected" in columns:
        bad = _turns("assistant", _value(row, columns["rejected"]))
        messages[:], bad = _without_repeats(messages, bad, len(_turns("assistant", used[-1][2])))
        return Shaped("preference_columns", chat, extra, names if len(names) == len(messages) else (), bad)
    exact = (columns["question"], columns["answer"]) == ("prompt", "completion")
    shape = "prompt_completion" if exact else "question_answer"
    return Shaped(shape, chat, extra, names if len(names) == len(messages) else ())


def _value(row: Mapping[str, Any], spec: str | tuple[str, ...]) -> Any:
    """A part's value: the column's, the template filled in, or an object with several columns as its keys. An empty
    column leaves no gap in a template, and is null in an object."""
    if isinstance(spec, tuple):
        return {name: row[name] if cell_text(row[name]).strip() else None for name in spec}
    if spec in row:
        return row[spec]
    if not PLACE.search(spec):
        return None
    cells = {name: cell_text(row.get(name)) for name in named(spec, row)}
    template = PLACE.sub(lambda place: place[0] if cells[place[1]].strip() else "", spec)
    template = re.sub(r"\n{3,}", "\n\n", template).strip()
    return PLACE.sub(lambda place: cells[place[1]], template)


def _turns(role: str, value: Any) -> list:
    """The messages that a cell stands for: its own where it is a conversation, else one."""
    turns = [value] if isinstance(value, dict) and {"from", "value"} <= set(value) else value
    if isinstance(value, str) and is_conversation(value):  # what is asked may end in "Assistant:", and stays a text
        turns = _transcript(value) if role == "assistant" and _transcript(value) else _maybe_json(value)
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
        value = _transcript(value) or (_maybe_json(value) if value.lstrip().startswith("[") else None)
    return isinstance(value, list) and bool(value) and all(_is_turn(turn) for turn in value)


def _without_repeats(messages: list[dict], bad: list[dict], answered: int) -> tuple[list[dict], list[dict]]:
    """Both sides of a pair without the question, where they tell the whole conversation."""
    asked, good = messages[:-answered], messages[-answered:]
    shared = 0
    while shared < min(len(good), len(bad)) - 1 and good[shared] == bad[shared]:
        shared += 1
    if not shared:
        return messages, bad
    before = [turn for turn in asked if turn not in good[:shared]]
    return before + good, bad[shared:]


def _text_row(text: Any) -> dict[str, Any]:
    return {"messages": [{"role": "assistant", "content": text}]}


def _turn(role: str, value: Any) -> dict[str, Any]:
    return {"role": role, "content": cell_text(value)}


def cell_text(value: Any) -> Any:
    """A table's cell as text; an empty one is the empty string. Objects become the JSON that a model would write."""
    if isinstance(value, str):
        return value
    if hasattr(value, "tolist") and not isinstance(value, float):  # numpy's own, out of a DataFrame
        value = value.tolist()
    if value is None or (isinstance(value, (float, date)) and value != value):  # nan, and pandas' NaT: never themselves
        return ""
    if isinstance(value, dict) and set(value) == {"text"} and isinstance(value["text"], str):
        return value["text"]  # a wrapper around a text
    if isinstance(value, (dict, list)):
        return orjson.dumps(value, default=str, option=orjson.OPT_SERIALIZE_NUMPY).decode()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.isoformat() if isinstance(value, date) else str(value)
