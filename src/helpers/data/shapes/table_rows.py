"""Rows of a table in chat shape: a question and its answer, a pair of answers, one column of text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from helpers.data.shapes.cells import cell_text
from helpers.data.shapes.chat import Shaped
from helpers.data.shapes.column_names import PLACE, fits, named
from helpers.data.shapes.tool_calls import declared_tools, tool_calls
from helpers.data.shapes.turns import from_turns, turns_in


def from_columns(row: Mapping[str, Any], columns: Mapping[str, Any]) -> Shaped | None:
    """A row of a table in chat shape; None where it lacks a column that ``columns`` name.

    Args:
        row: one record of a file.
        columns: part → column, template or tuple; "messages" for a column that holds the whole conversation.
    """
    if "messages" in columns and columns["messages"] in row:
        return from_turns(row, columns["messages"])
    if not fits(columns, row):
        return {"text"} == set(row) and Shaped("text", _text_row(row["text"]), {}, ("text",)) or None
    answer = "preferred" if "rejected" in columns else "answer"
    parts = [("system", "system"), ("question", "user"), (answer, "assistant")]
    used = [(columns[part], role, _value(row, columns[part])) for part, role in parts if part in columns]
    used = [(name, role, value) for name, role, value in used if role != "system" or cell_text(value)]
    taken = {name for spec in columns.values() for name in named(spec, row)}
    tools = declared_tools(row.get("tools"))
    calls = tool_calls(used[-1][2]) if tools else None
    messages = [turn for _, role, value in used for turn in turns_in(role, value)]
    if calls:
        messages[-1] = {"role": "assistant", "content": None, "tool_calls": calls}
    chat = {"messages": messages} | ({"tools": tools} if tools else {})
    extra = {key: value for key, value in row.items() if key not in taken and not (tools and key == "tools")}
    names = tuple(name if isinstance(name, str) else ", ".join(name) for name, _, _ in used)
    if "rejected" in columns:
        bad = turns_in("assistant", _value(row, columns["rejected"]))
        messages[:], bad = _without_repeats(messages, bad, len(turns_in("assistant", used[-1][2])))
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
