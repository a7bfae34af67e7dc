"""A row of any known shape, in chat shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from helpers.data.shapes.chat import CHAT_KEYS, Shaped
from helpers.data.shapes.column_names import fits, recognise
from helpers.data.shapes.provider_rows import from_contents, from_messages, from_preference
from helpers.data.shapes.table_rows import from_columns
from helpers.data.shapes.turns import from_turns
from helpers.records import Example


def shaped(row: Mapping[str, Any] | Example, columns: Mapping[str, Any] | None = None) -> Shaped | None:
    """The row in chat shape, or None when it is of no known shape. Values are passed on unchecked.

    Args:
        row: one record of a file, or an example.
        columns: part → column, template or tuple; None where only shapes of their own count.
    """
    if isinstance(row, Example):
        return _from_example(row)
    if columns and (fits(columns, row) or not has_own_shape(row)):
        return from_columns(row, columns)
    if not has_own_shape(row):
        return from_columns(row, recognise(row))
    if "messages" in row:
        return from_messages(row)
    if "contents" in row:
        return from_contents(row)
    return from_turns(row, "conversations") if "conversations" in row else from_preference(row)


def has_own_shape(row: Mapping[str, Any]) -> bool:
    """Whether a row's keys say that it is a conversation or a pair, whatever columns are named."""
    pair = isinstance(row.get("input"), dict) and ("preferred_output" in row or "preferred_completion" in row)
    told = isinstance(row.get("conversations"), list) and not {"chosen", "rejected"} <= set(row)
    turns = (row[key] for key in ("messages", "contents") if key in row)
    listed = any(len(row) == 1 or not isinstance(one, str) or one.lstrip().startswith("[") for one in turns)
    return listed or pair or told


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


def shaped_if_fits(value: Mapping[str, Any] | Example, columns: Mapping[str, str] | None) -> Shaped | None:
    """The row in chat shape; ``columns`` count for the rows that have them, as in a file that mixes shapes.

    Args:
        value: one record of a file, or an example.
        columns: part → column, template or tuple.
    """
    return shaped(value, columns if fits(columns, value) else None)
