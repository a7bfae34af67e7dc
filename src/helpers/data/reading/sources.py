"""Turn whatever a person has into rows, one at a time: JSON Lines, JSON, text tables, Excel, Parquet, memory.

Broken lines do not stop the reading: each is recorded as a problem and the next one is read. Only a source in which no
row can be found at all raises ``DataError``. JSON Lines are streamed; nothing here keeps more than one line of them.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from helpers.data.reading.columnar import columnar, without_absent
from helpers.data.reading.encodings import table_encoding
from helpers.data.reading.json_files import json_lines, json_values, unwrapped
from helpers.data.reading.kinds import kind_of
from helpers.data.reading.opening import located, opened
from helpers.data.reading.row import HEAD, LARGEST_WHOLE, Row, whole
from helpers.data.reading.tables import Line, fixed_lines, records, separator, text_lines, workbook_lines
from helpers.data.report import Findings
from helpers.errors import DataError
from helpers.records import Example

Source = str | Path | bytes | pd.DataFrame | Iterable[Example]


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
            kind = kind_of(name, head)
            if part and kind != "excel":
                raise DataError(f"{name or 'The file'} has no parts.", got=f"#{part}", fix=f"Leave out #{part}.")
            read = _READERS[kind](file, part or head, found)
            yield from unwrapped(read, found) if kind in ("json", "jsonl") else read
    except OSError as error:
        raise DataError(
            f"The file {source if not isinstance(source, (bytes, bytearray)) else ''} cannot be read.",
            got=error.strerror or str(error),
            fix="Check the path and that the file may be read.",
        ) from error


def _excel(file: BinaryIO, sheet: str | bytes, found: Findings) -> Iterator[Row]:
    found.add("not_jsonl", 0, "file", "The file is an Excel workbook, not JSON Lines.")
    asked = sheet if isinstance(sheet, str) else ""
    yield from _table(workbook_lines(whole(file), asked, LARGEST_WHOLE, found), found)


def _columnar(file: BinaryIO, head: bytes, found: Findings) -> Iterator[Row]:
    found.add("not_jsonl", 0, "file", "The file is Parquet or Arrow, not JSON Lines.")
    for number, record in enumerate(columnar(whole(file), LARGEST_WHOLE, found), 1):
        yield Row(number, record)


def _text_table(file: BinaryIO, head: bytes, found: Findings) -> Iterator[Row]:
    found.add("not_jsonl", 0, "file", "The file is a table, not JSON Lines.")
    encoding = table_encoding(head, found)
    text = io.TextIOWrapper(file, encoding=encoding, errors="replace", newline="")
    mark = separator(head.decode(encoding, "replace"), len(head) < HEAD)
    below = None if mark else fixed_lines(whole(file).decode(encoding, "replace"))
    if below:
        found.add("read_as", 0, "file", "The columns are aligned under each other and separated by blanks.")
    else:
        text.seek(0)
    yield from _table(below or text_lines(text, mark or ",", found), found)
    text.detach()


def _table(lines: Iterable[Line], found: Findings) -> Iterator[Row]:
    for number, record, text in records(lines, found):
        yield Row(number, record, text if record is None else None)


def _records(records: list[dict]) -> Iterator[Row]:
    plain = [{str(key): _plain(value) for key, value in record.items()} for record in records]
    yield from (Row(number, record) for number, record in enumerate(without_absent(plain), 1))


def _plain(value: Any) -> Any:
    """Lists for numpy's arrays, which a DataFrame holds where it was read from Parquet."""
    return value.tolist() if isinstance(value, np.ndarray) else value


_READERS = {"jsonl": json_lines, "json": json_values, "table": _text_table, "excel": _excel, "columnar": _columnar}
