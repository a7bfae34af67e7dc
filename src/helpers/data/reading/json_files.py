"""JSON Lines, one line at a time, and JSON read whole: a list of objects, or one object that holds a table."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any, BinaryIO

import orjson

from helpers.data.reading.encodings import encoding_of, foreign_lines
from helpers.data.reading.row import Row, whole
from helpers.data.report import Findings
from helpers.data.shapes.to_chat import has_own_shape

LONGEST_LINE = 32 * 2**20
"""Bytes of one line. The longest example that any provider takes is far shorter."""


def json_lines(file: BinaryIO, head: bytes, found: Findings) -> Iterator[Row]:
    """One object a line; a line that cannot be read is a problem of that line.

    Args:
        file: open at its start.
        head: its beginning, by which the encoding of lines that are not UTF-8 is told.
        found: takes the problems.
    """
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        found.add("encoding", 0, "file", "The file is UTF-16, not UTF-8.")
        file = io.BytesIO(whole(file).decode("utf-16", "replace").encode())
    foreign = foreign_lines(head)
    encoding = encoding_of(foreign) if foreign else None
    number, blank_from = 0, 0
    while raw := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(raw) > LONGEST_LINE:
            found.add("line_too_long", number, "line", f"The line has more than {LONGEST_LINE // 2**20} MiB.")
            yield Row(number, None, "")
            while raw and not raw.endswith(b"\n"):
                raw = file.readline(LONGEST_LINE)
            continue
        if not raw.strip():
            blank_from = blank_from or number
            continue
        if blank_from:
            found.blank(blank_from, number - 1)
            blank_from = 0
        yield _json_line(raw, number, found, encoding)
    if blank_from:
        found.blank(blank_from, number)


def _json_line(raw: bytes, number: int, found: Findings, encoding: str | None) -> Row:
    try:
        return _object(_loaded(raw), number, found)
    except orjson.JSONDecodeError:
        pass
    if number == 1 and raw.startswith(b"\xef\xbb\xbf"):
        found.add("bom", 1, "line", "The file begins with a byte-order mark.")
        raw = raw[3:]
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        name = encoding or encoding_of(raw)
        text = raw.decode(name, "replace")
        shown = raw[max(0, error.start - 10) : error.start + 10].decode(name, "replace")
        found.add("encoding", number, "line", f"Byte {error.start + 1} is not UTF-8; it reads as {name}: {shown!r}.")
    try:
        return _object(_loaded(text.encode()), number, found)
    except orjson.JSONDecodeError as error:
        near = text[max(0, error.pos - 20) : error.pos + 20].strip()
        found.add("json", number, f"column {error.pos + 1}", f"{error.msg.split(': line ')[0]}, near {near!r}.")
        return Row(number, None, text)
    except UnicodeEncodeError:
        found.add("json", number, "line", "The line contains half a surrogate pair.")
        return Row(number, None, text)


def _loaded(raw: bytes) -> Any:
    """The value of a line. orjson reads 1,024 levels and writes 254: what comes later could not follow further."""
    value = orjson.loads(raw)
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError as error:
        raise orjson.JSONDecodeError(
            "nested too deeply, more than 254 levels", raw.decode("utf-8", "replace"), 0
        ) from error
    return value


def _object(value: Any, number: int, found: Findings) -> Row:
    if isinstance(value, dict):
        return Row(number, value)
    found.add("not_object", number, "line", f"The line is {_name(value)}, not an object.")
    return Row(number, None, orjson.dumps(value).decode())


def _name(value: Any) -> str:
    names = {
        list: "a list",
        str: "a string",
        bool: "true or false",
        int: "a number",
        float: "a number",
        dict: "an object",
    }
    return names.get(type(value), "null" if value is None else f"a {type(value).__name__}")


def json_values(file: BinaryIO, head: bytes, found: Findings) -> Iterator[Row]:
    """A JSON array of objects, or objects one after another over several lines.

    Args:
        file: open at its start; it is read whole.
        head: its beginning; not needed.
        found: takes the problems.
    """
    found.add("not_jsonl", 0, "file", "The file is one JSON text over several lines, not one object per line.")
    raw = whole(file)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        name = encoding_of(raw)
        text = raw.decode(name, "replace")
        found.add("encoding", 0, "file", f"The file is {name}, not UTF-8.")
    decoder = json.JSONDecoder()
    at, line, counted = 0, 1, 0
    while (at := _skip(text, at)) < len(text):
        line, counted = line + text.count("\n", counted, at), at
        try:
            value, at = decoder.raw_decode(text, at)
            orjson.dumps(value)
        except (ValueError, RecursionError, orjson.JSONEncodeError) as error:
            found.add("json", line, "line", f"{str(error).split(': line ')[0]}, near {text[at : at + 40]!r}.")
            yield Row(line, None, text[at : at + 1000])
            return
        if at == counted:
            return
        yield _object(value, line, found)


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in "[], \t\r\n":
        at += 1
    return at


def unwrapped(read: Iterator[Row], found: Findings) -> Iterator[Row]:
    """The rows; where the file is one object that holds a table, that table's rows.

    Args:
        read: the rows of a JSON or JSON Lines file.
        found: takes the problems, and says what was read.
    """
    first = list(islice(read, 2))
    value = first[0].value if len(first) == 1 else None
    items, told = _within(value) if isinstance(value, dict) else (None, "")
    if items is None:
        yield from chain(first, read)
        return
    found.add("read_as", 0, "file", told)
    found.add("not_jsonl", 0, "file", "The file is one object, not one object per line.")
    yield from (_object(item, number, found) for number, item in enumerate(items, 1))


def _within(value: dict) -> tuple[list | None, str]:
    """The rows of a table within an object, and what was read: a list of objects, or a form that pandas writes."""
    columns = list(value.values())
    if has_own_shape(value):
        return None, ""
    names, cells = value.get("columns"), value.get("data")
    if isinstance(names, list) and isinstance(cells, list) and all(isinstance(row, list) for row in cells):
        items = [dict(zip(map(str, names), row, strict=False)) for row in cells]
        return items, "Read the rows of `data`, named by `columns`."
    if len(value) > 1 and all(isinstance(column, dict) and column.keys() == columns[0].keys() for column in columns):
        rows = [{name: column[key] for name, column in value.items()} for key in columns[0]]
        return (rows, "Read each key of the one object in the file as a column.") if len(rows) > 1 else (None, "")
    if len(value) > 1 and all(isinstance(column, list) and len(column) == len(columns[0]) for column in columns):
        rows = [dict(zip(value, row, strict=True)) for row in zip(*columns, strict=True)]
        return (rows, "Read each key of the one object in the file as a column.") if len(rows) > 1 else (None, "")
    lists = [key for key, item in value.items() if _is_table(item)]
    return (
        (value[lists[0]], f"Read the list {lists[0]!r} of the one object in the file.")
        if len(lists) == 1
        else (None, "")
    )


def _is_table(value: Any) -> bool:
    """Whether this is a list of objects that are no turns of a conversation."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, dict) and "role" not in item and "from" not in item for item in value)
    )
