"""What kind of file this is: a workbook, Parquet or Arrow, JSON, JSON Lines, or a table as text."""

from __future__ import annotations

import re
from pathlib import Path

import orjson

from helpers.data.reading.columnar import ARROW_MARKS
from helpers.data.reading.encodings import marked_encoding
from helpers.data.reading.opening import refuse_foreign
from helpers.data.reading.row import HEAD
from helpers.data.reading.tables import fixed_lines, separator
from helpers.errors import DataError


def kind_of(name: str, head: bytes) -> str:
    """What the file is, by its content; its ending counts only where the content leaves it open.

    Args:
        name: the file's; "" for bytes.
        head: its beginning.

    Returns:
        "excel", "columnar", "json", "jsonl" or "table".

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
    text = head.decode(marked_encoding(head) or "utf-8-sig", "replace").lstrip("\ufeff \t\r\n")
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
