"""Turn whatever a person has into rows, one at a time: JSON Lines, JSON, text tables, Excel, Parquet, memory.

Broken lines do not stop the reading: each is recorded as a problem and the next one is read. Only a source in which no
row can be found at all raises ``DataError``. JSON Lines are streamed; nothing here keeps more than one line of them.
"""

from __future__ import annotations

import ast
import io
import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import orjson
import pandas as pd

from helpers.data.columnar import ARROW_MARKS, columnar, without_absent
from helpers.data.opening import located, opened, refuse_foreign
from helpers.data.report import Findings
from helpers.data.shapes import has_own_shape
from helpers.data.tables import Line, fixed_lines, records, separator, text_lines, workbook_lines
from helpers.errors import DataError
from helpers.records import Example

Source = str | Path | bytes | pd.DataFrame | Iterable[Example]

LONGEST_LINE = 32 * 2**20
"""Bytes of one line. The longest example that any provider takes is far shorter."""

ENOUGH_TO_TELL = 30
ASCII = bytes(range(128))
"""Bytes beyond ASCII from which an encoding can be told; with fewer, detectors guess rare ones."""

HEAD = 65_536
"""Bytes from which a file's kind is told."""

LARGEST_WHOLE = 2**30
"""Bytes of a JSON, Excel or Parquet file, unpacked: these are read whole."""


class Row(NamedTuple):
    """One record: its 1-based line, its value, and the text of a line that could not be read (its value is None)."""

    line: int
    value: Any
    broken: str | None = None


def rows(source: Source, found: Findings) -> Iterator[Row]:
    """Every record of ``source``; problems of files and lines go to ``found``.

    Args:
        source: a path, the bytes of a file, a table, or examples or records.
        found: takes the problems.

    Raises:
        DataError: the file is missing, or is of no known kind.
    """
    if isinstance(source, pd.DataFrame):
        named = any(name is not None for name in source.index.names)
        yield from _records((source.reset_index() if named else source).to_dict("records"))
    elif isinstance(source, (str, Path, bytes, bytearray)):
        yield from _file_rows(source, found)
    else:
        yield from _example_rows(source)


def size_of(source: Source) -> int:
    """Bytes of a file or of bytes; 0 for a table or examples in memory."""
    if isinstance(source, (bytes, bytearray)):
        return len(source)
    return located(source)[0].stat().st_size if isinstance(source, (str, Path)) else 0


def _example_rows(examples: Iterable[Example]) -> Iterator[Row]:
    for number, example in enumerate(examples, 1):
        if not isinstance(example, Example):
            raise DataError(
                f"Item {number} is not an Example.",
                got=type(example).__name__,
                fix="Give a path, bytes, a DataFrame, or what read() returned.",
            )
        yield Row(example.line or number, example)


def _file_rows(source: str | Path | bytes | bytearray, found: Findings) -> Iterator[Row]:
    try:
        with opened(source, found) as (file, name, part):
            head = file.read(HEAD)
            file.seek(0)
            kind = _kind(name, head)
            if part and kind != "excel":
                raise DataError(f"{name or 'The file'} has no parts.", got=f"#{part}", fix=f"Leave out #{part}.")
            read = _READERS[kind](file, part or head, found)
            yield from _unwrapped(read, found) if kind in ("json", "jsonl") else read
    except OSError as error:
        raise DataError(
            f"The file {source if not isinstance(source, (bytes, bytearray)) else ''} cannot be read.",
            got=error.strerror or str(error),
            fix="Check the path and that the file may be read.",
        ) from error


def _kind(name: str, head: bytes) -> str:
    """What the file is, by its content; its ending counts only where the content leaves it open.

    Raises:
        DataError: it is of a kind that holds no table, or is running text.
    """
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "excel"
    if head.startswith((b"PAR1", *ARROW_MARKS)):
        return "columnar"
    refuse_foreign(head, name)
    ending = Path(name).suffix.lower()
    if ending in (".xls", ".xlsx", ".xlsm", ".parquet", ".arrow"):
        raise DataError(f"{name} is not a {ending} file.", fix="Export it again, or as CSV.")
    text = head.decode(_marked_encoding(head) or "utf-8-sig", "replace").lstrip("\ufeff \t\r\n")
    if ending in (".csv", ".tsv") and not _is_json(text):
        return "table"
    if text.startswith("[") or _object_over_lines(text):
        return "json"
    if text.startswith("{") or not text.strip():
        return "jsonl"
    if re.search(r"^\s*{", text, re.MULTILINE) and ending in ("", ".jsonl", ".ndjson", ".json"):
        return "jsonl"  # some lines are broken, others are not
    if separator(text, len(head) < HEAD) or fixed_lines(text):
        return "table"
    if ending in ("", ".jsonl", ".ndjson", ".json"):
        return "jsonl"
    raise DataError(
        f"{name} is neither a table nor JSON.",
        got=f"it begins with {text[:60]!r}",
        fix="Put each input and its ideal answer into a row: .csv, .xlsx, .jsonl or .parquet.",
    )


def _unwrapped(read: Iterator[Row], found: Findings) -> Iterator[Row]:
    """The rows; where the file is one object that holds a table, that table's rows."""
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


def _is_json(text: str) -> bool:
    """Whether the first line is an object or the beginning of a list of them, whatever the file is called."""
    first = text.partition("\n")[0].strip()
    if first in ("[", "[{"):
        return True
    try:
        return isinstance(orjson.loads(first.rstrip(",")), dict)
    except orjson.JSONDecodeError:
        return first.startswith("[{")


def _object_over_lines(text: str) -> bool:
    """Whether the first object spreads over several lines (pretty-printed JSON)."""
    first, _, rest = text.partition("\n")
    return first.strip() == "{" and rest.lstrip().startswith('"')


def _marked_encoding(head: bytes) -> str | None:
    """The encoding that a byte-order mark names, beside UTF-8."""
    return "utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else None


# --- JSON Lines -------------------------------------------------------------------------------------------------------


def _jsonl(file: BinaryIO, head: bytes, found: Findings) -> Iterator[Row]:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        found.add("encoding", 0, "file", "The file is UTF-16, not UTF-8.")
        file = io.BytesIO(_whole(file).decode("utf-16", "replace").encode())
    foreign = _foreign_lines(head)
    encoding = _encoding_of(foreign) if foreign else None
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
        return _object(orjson.loads(raw), number, found)
    except orjson.JSONDecodeError:
        pass
    if number == 1 and raw.startswith(b"\xef\xbb\xbf"):
        found.add("bom", 1, "line", "The file begins with a byte-order mark.")
        raw = raw[3:]
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        name = encoding or _encoding_of(raw)
        text = raw.decode(name, "replace")
        shown = raw[max(0, error.start - 10) : error.start + 10].decode(name, "replace")
        found.add("encoding", number, "line", f"Byte {error.start + 1} is not UTF-8; it reads as {name}: {shown!r}.")
    try:
        return _object(orjson.loads(text), number, found)
    except orjson.JSONDecodeError as error:
        near = text[max(0, error.pos - 20) : error.pos + 20].strip()
        found.add("json", number, f"column {error.pos + 1}", f"{error.msg.split(': line ')[0]}, near {near!r}.")
        return Row(number, None, text)
    except UnicodeEncodeError:
        found.add("json", number, "line", "The line contains half a surrogate pair.")
        return Row(number, None, text)


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


def _foreign_lines(head: bytes) -> bytes:
    """The whole lines of ``head`` that are not UTF-8."""
    return b"\n".join(line for line in head.split(b"\n")[:-1] or [head] if not _is_utf8(line))


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _encoding_of(sample: bytes) -> str:
    """The encoding of bytes that are not UTF-8: detected where there is enough to tell, else the Western usual."""
    if len(sample.translate(None, ASCII)) >= ENOUGH_TO_TELL:
        from charset_normalizer import from_bytes

        best = from_bytes(sample[:20_000]).best()
        if best is not None:
            return best.encoding
    return "cp1252"


def mend_json(text: str) -> dict | None:
    """The object that a broken line most likely meant, or None.

    Mends only what is mechanical: a comma after the object, Python's own quotes and None/True/False, and raw control
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


# --- read whole: JSON, Excel, Parquet ---------------------------------------------------------------------------------


def _whole(file: BinaryIO) -> bytes:
    data = file.read(LARGEST_WHOLE + 1)
    if len(data) > LARGEST_WHOLE:
        raise DataError("The file is too large to be read whole.", fix="Export it as JSON Lines (.jsonl).")
    return data


def _json(file: BinaryIO, head: bytes, found: Findings) -> Iterator[Row]:
    """A JSON array of objects, or objects one after another over several lines."""
    found.add("not_jsonl", 0, "file", "The file is one JSON text over several lines, not one object per line.")
    raw = _whole(file)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        name = _encoding_of(raw)
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


def _excel(file: BinaryIO, sheet: str | bytes, found: Findings) -> Iterator[Row]:
    found.add("not_jsonl", 0, "file", "The file is an Excel workbook, not JSON Lines.")
    asked = sheet if isinstance(sheet, str) else ""
    yield from _table(workbook_lines(_whole(file), asked, LARGEST_WHOLE, found), found)


def _columnar(file: BinaryIO, head: bytes, found: Findings) -> Iterator[Row]:
    found.add("not_jsonl", 0, "file", "The file is Parquet or Arrow, not JSON Lines.")
    for number, record in enumerate(columnar(_whole(file), LARGEST_WHOLE, found), 1):
        yield Row(number, record)


# --- tables -----------------------------------------------------------------------------------------------------------


def _text_table(file: BinaryIO, head: bytes, found: Findings) -> Iterator[Row]:
    found.add("not_jsonl", 0, "file", "The file is a table, not JSON Lines.")
    encoding = _table_encoding(head, found)
    text = io.TextIOWrapper(file, encoding=encoding, errors="replace", newline="")
    mark = separator(head.decode(encoding, "replace"), len(head) < HEAD)
    below = None if mark else fixed_lines(_whole(file).decode(encoding, "replace"))
    if below:
        found.add("read_as", 0, "file", "The columns are aligned under each other and separated by blanks.")
    else:
        text.seek(0)
    yield from _table(below or text_lines(text, mark or ",", found), found)
    text.detach()


def _table_encoding(head: bytes, found: Findings) -> str:
    if marked := _marked_encoding(head):
        return marked
    try:
        head[: -4 if len(head) == HEAD else None].decode("utf-8")
        return "utf-8-sig"
    except UnicodeDecodeError:
        name = _encoding_of(head)
        found.add("encoding", 0, "file", f"The table is not UTF-8; it reads as {name}.")
        return name


def _table(lines: Iterable[Line], found: Findings) -> Iterator[Row]:
    for number, record, text in records(lines, found):
        yield Row(number, record, text if record is None else None)


def _records(records: list[dict]) -> Iterator[Row]:
    plain = [{str(key): _plain(value) for key, value in record.items()} for record in records]
    yield from (Row(number, record) for number, record in enumerate(without_absent(plain), 1))


def _plain(value: Any) -> Any:
    """Lists for numpy's arrays, which a DataFrame holds where it was read from Parquet."""
    return value.tolist() if isinstance(value, np.ndarray) else value


_READERS = {"jsonl": _jsonl, "json": _json, "table": _text_table, "excel": _excel, "columnar": _columnar}
