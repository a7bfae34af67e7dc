"""Turn whatever a person has into rows, one at a time: JSON Lines, JSON, CSV/TSV, Excel, Parquet, a table in memory.

Broken lines do not stop the reading: each is recorded as a problem and the next one is read. Only a source in which no
row can be found at all raises ``DataError``. JSON Lines are streamed; nothing here keeps more than one line of them.
"""

from __future__ import annotations

import ast
import csv
import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson
import pandas as pd

from helpers.data.report import Findings
from helpers.errors import DataError
from helpers.records import Example

Source = str | Path | bytes | pd.DataFrame | Iterable[Example]

LONGEST_LINE = 32 * 2**20
"""Bytes of one line. The longest example that any provider takes is far shorter."""

ENOUGH_TO_TELL = 30
ASCII = bytes(range(128))
"""Bytes beyond ASCII from which an encoding can be told; with fewer, detectors guess rare ones."""

LARGEST_WHOLE = 2**30
"""Bytes of a JSON, Excel or Parquet file, unpacked: these are read whole."""


class Row(NamedTuple):
    """One record: its 1-based line, its value, and the text of a line that could not be read (its value is None)."""

    line: int
    value: Any
    broken: str | None = None


def rows(source: Source, found: Findings) -> Iterator[Row]:
    """Every record of ``source``; problems of files and lines go to ``found``.

    Raises:
        DataError: the file is missing, or is of no known kind.
    """
    if isinstance(source, pd.DataFrame):
        yield from _records(source.to_dict("records"), first=1)
    elif isinstance(source, (str, Path, bytes, bytearray)):
        yield from _file_rows(source, found)
    else:
        yield from _example_rows(source)


def size_of(source: Source) -> int:
    """Bytes of a file or of bytes; 0 for a table or examples in memory."""
    if isinstance(source, (bytes, bytearray)):
        return len(source)
    return Path(source).stat().st_size if isinstance(source, (str, Path)) else 0


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
        with _open(source) as file:
            head = file.read(65_536)
            file.seek(0)
            kind = _kind(source, head)
            yield from _READERS[kind](file, head, found)
    except OSError as error:
        raise DataError(
            f"The file {source if not isinstance(source, (bytes, bytearray)) else ''} cannot be read.",
            got=error.strerror or str(error),
            fix="Check the path and that the file may be read.",
        ) from error


def _open(source: str | Path | bytes | bytearray) -> BinaryIO:
    return io.BytesIO(source) if isinstance(source, (bytes, bytearray)) else open(source, "rb")


def _kind(source: str | Path | bytes | bytearray, head: bytes) -> str:
    """By content where a format marks itself, else by the file's ending, else by the first character."""
    if head.startswith(b"PK\x03\x04"):
        return "excel"
    if head.startswith(b"PAR1"):
        return "parquet"
    ending = "" if isinstance(source, (bytes, bytearray)) else Path(source).suffix.lower()
    if ending in (".csv", ".tsv"):
        return "csv"
    if ending in (".xls", ".xlsx", ".xlsm", ".parquet"):
        raise DataError(f"{Path(source).name} is not a {ending} file.", fix="Export it again, or as CSV.")
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"[") or _object_over_lines(head):
        return "json"
    if ending in ("", ".jsonl", ".ndjson", ".json", ".txt"):
        return "jsonl"
    raise DataError(
        f"Files ending in {ending!r} are not known.", fix="Give .jsonl, .json, .csv, .tsv, .xlsx or .parquet."
    )


def _object_over_lines(head: bytes) -> bool:
    """Whether the first object spreads over several lines (pretty-printed JSON)."""
    text = head.decode("utf-8-sig", "replace").lstrip()
    first, _, rest = text.partition("\n")
    return first.strip() == "{" and rest.lstrip().startswith('"')


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
            _blank(found, blank_from, number - 1)
            blank_from = 0
        yield _json_line(raw, number, found, encoding)
    if blank_from:
        _blank(found, blank_from, number)


def _blank(found: Findings, first: int, last: int) -> None:
    which = f"Line {first} is blank." if first == last else f"Lines {first} to {last} are blank."
    found.add("blank_line", first, "line", which)


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
        found.add("json", number, "line", "The line holds half a surrogate pair.")
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
    found.add("not_jsonl", 0, "file", "The file is one JSON text over several lines, not one object a line.")
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


def _excel(file: BinaryIO, head: bytes, found: Findings) -> Iterator[Row]:
    found.add("not_jsonl", 0, "file", "The file is an Excel workbook, not JSON Lines.")
    from openpyxl import load_workbook

    data = _whole(file)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            if sum(entry.file_size for entry in packed.infolist()) > LARGEST_WHOLE:
                raise DataError("The workbook unpacks to more than 1 GiB.", fix="Export the sheet as CSV.")
        sheet = load_workbook(io.BytesIO(data), read_only=True, data_only=True).worksheets[0]
        table = [list(cells) for cells in sheet.iter_rows(values_only=True)]
    except DataError:
        raise
    except Exception as error:  # a damaged workbook fails in any of a zip, XML or number parser's ways
        raise DataError("The workbook cannot be read.", got=str(error)[:200], fix="Export the sheet as CSV.") from error
    width = max((at for cells in table for at, cell in enumerate(cells, 1) if cell is not None), default=0)
    yield from _table(((number, (cells + [None] * width)[:width]) for number, cells in enumerate(table, 1)), found)


def _parquet(file: BinaryIO, head: bytes, found: Findings) -> Iterator[Row]:
    found.add("not_jsonl", 0, "file", "The file is Parquet, not JSON Lines.")
    import pyarrow.parquet as parquet

    try:
        batches = parquet.ParquetFile(io.BytesIO(_whole(file))).iter_batches(1024)
        number = 0
        for batch in batches:
            for record in batch.to_pylist():
                number += 1
                yield Row(number, record)
    except Exception as error:  # as above: any parser's way
        raise DataError("The Parquet file cannot be read.", got=str(error)[:200], fix="Export it again.") from error


# --- tables -----------------------------------------------------------------------------------------------------------


def _csv(file: BinaryIO, head: bytes, found: Findings) -> Iterator[Row]:
    found.add("not_jsonl", 0, "file", "The file is a table (CSV), not JSON Lines.")
    encoding = _table_encoding(head, found)
    text = io.TextIOWrapper(file, encoding=encoding, errors="replace", newline="")
    sample = head.decode(encoding, "replace")
    reader = csv.reader(text, delimiter=_delimiter(sample.lstrip("\ufeff\r\n").split("\n", 1)[0]))
    yield from _table(_csv_cells(reader, found), found)
    text.detach()


def _csv_cells(reader: Any, found: Findings) -> Iterator[tuple[int, list]]:
    while True:
        first = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            found.add("table_row", first, "row", f"The row cannot be read: {error}.")
            continue
        yield first, cells


def _table_encoding(head: bytes, found: Findings) -> str:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        head[: -4 if len(head) == 65_536 else None].decode("utf-8")
        return "utf-8-sig"
    except UnicodeDecodeError:
        name = _encoding_of(head)
        found.add("encoding", 0, "file", f"The table is not UTF-8; it reads as {name}.")
        return name


def _delimiter(first: str) -> str:
    """The separator that the heading holds most of."""
    return max(",;\t|", key=first.count)


def _table(lines: Iterable[tuple[int, list]], found: Findings) -> Iterator[Row]:
    """Rows below a heading; cells too many or too few are a problem of that row. Blank rows at the end are none: a
    spreadsheet may carry thousands."""
    heading: list[str] | None = None
    blank_from = 0
    for number, cells in lines:
        if all(cell is None or (isinstance(cell, str) and not cell.strip()) for cell in cells):
            blank_from = blank_from or number
            continue
        if blank_from:
            _blank(found, blank_from, number - 1)
            blank_from = 0
        if heading is None:
            heading = _heading(cells)
            continue
        if len(cells) != len(heading):
            found.add("table_row", number, "row", f"{len(cells)} cells under {len(heading)} headings.")
            yield Row(number, None, "\t".join(str(cell) for cell in cells))
            continue
        yield Row(number, {name: cell for name, cell in zip(heading, cells, strict=True) if name})


def _heading(cells: list) -> list[str]:
    """The columns' names; one that comes again gets a number, as pandas gives it."""
    seen: Counter[str] = Counter()
    names = []
    for cell in cells:
        name = str(cell if cell is not None else "").strip()
        names.append(f"{name}.{seen[name]}" if name and seen[name] else name)
        seen[name] += 1
    return names


def _records(records: Iterable[dict], first: int) -> Iterator[Row]:
    for number, record in enumerate(records, first):
        yield Row(number, {str(key): value for key, value in record.items()})


_READERS = {"jsonl": _jsonl, "json": _json, "csv": _csv, "excel": _excel, "parquet": _parquet}
