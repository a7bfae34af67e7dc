"""One record of a source, and how much of a file is read at once."""

from __future__ import annotations

from typing import Any, BinaryIO, NamedTuple

from helpers.errors import DataError

HEAD = 65_536
"""Bytes from which a file's kind is told."""

LARGEST_WHOLE = 2**30
"""Bytes of a JSON, Excel or Parquet file, unpacked: these are read whole."""


class Row(NamedTuple):
    """One record: its 1-based line, its value, and the text of a line that could not be read (its value is None)."""

    line: int
    value: Any
    broken: str | None = None


def whole(file: BinaryIO) -> bytes:
    """The bytes of a file that cannot be read line by line.

    Raises:
        DataError: it has more than :data:`LARGEST_WHOLE` bytes.
    """
    data = file.read(LARGEST_WHOLE + 1)
    if len(data) > LARGEST_WHOLE:
        raise DataError("The file is too large to be read whole.", fix="Export it as JSON Lines (.jsonl).")
    return data
