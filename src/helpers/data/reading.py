"""Read what a person has into examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from helpers.data.report import Findings
from helpers.data.shapes import Shaped, recognise, shaped
from helpers.data.sources import Source, rows
from helpers.errors import DataError
from helpers.records import Example

SHOWN = 5


@dataclass(frozen=True)
class Understood:
    """How a source's rows are understood: the shape of the first row, and which column became which part."""

    shape: str
    columns: dict[str, str]
    left_out: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = ", ".join(f"{part} ← {column!r}" for part, column in self.columns.items()) or "as it is"
        rest = f"; left out: {', '.join(map(repr, self.left_out))}" if self.left_out else ""
        return f"{self.shape}: {parts}{rest}"


def mapping(source: Source, columns: Mapping[str, str] | None = None) -> Understood:
    """How ``read`` would understand ``source``: look before you read; name ``columns`` where it guesses wrong.

    Raises:
        DataError: as ``read``.
    """
    for _, value, broken in rows(source, Findings()):
        if broken is None:
            row = shaped(value, columns)
            if row is None:
                raise _unknown(value)
            used = dict(columns or (recognise(value) if row.names else {}))
            return Understood(row.shape, used, tuple(row.extra))
    raise DataError("The source holds no row that can be read.", fix="Run check() on it to see why.")


def read(source: str | Path | bytes | pd.DataFrame, columns: Mapping[str, str] | None = None) -> list[Example]:
    """Examples from JSON Lines, JSON, CSV, TSV, Excel, Parquet, bytes or a DataFrame.

    Recognised shapes: chat ``messages``; ``prompt``/``completion`` and other question/answer columns; preference pairs
    (OpenAI's, and ``prompt``/``chosen``/``rejected``); Amazon's and Google's shapes; ``conversations``. A preference
    pair's preferred answer ends ``messages``; the other one is kept in ``extra["non_preferred_output"]``.

    Args:
        source: the file, its bytes, or a table.
        columns: part → column, for parts "question", "answer", "system", "preferred", "rejected".

    Raises:
        DataError: a row cannot be read or is of no known shape; all such rows are counted and the first ones named.
            ``check`` lists every one, ``repair`` mends or drops them.
    """
    found, examples = Findings(), []
    for line, value, broken in rows(source, found):
        row = shaped(value, columns) if broken is None else None
        if broken is None and row is None:
            if not examples:
                raise _unknown(value)
            found.add("unknown_shape", line, "row", f"The keys are {', '.join(map(repr, list(value)[:8]))}.")
        elif row is not None:
            messages = row.chat.get("messages")
            if isinstance(messages, list) and messages and all(isinstance(message, dict) for message in messages):
                examples.append(as_example(line, row))
            else:
                found.add("messages", line, "messages", "`messages` is not a filled list of objects.")
    errors = [problem for problem in found.sorted() if problem.severity == "error" and problem.line]
    errors = [problem for problem in errors if problem.code not in ("bom", "encoding", "blank_line")]
    if errors:
        shown = "; ".join(f"line {problem.line}: {problem.message}" for problem in errors[:SHOWN])
        raise DataError(
            f"{len(errors):,} row(s) cannot be read.",
            got=shown + ("; …" if len(errors) > SHOWN else ""),
            fix="check() lists every problem; repair() mends or drops the rows and writes a new file.",
        )
    if not examples:
        raise DataError("The source holds no example.", fix="Check that the export finished.")
    return examples


def _unknown(value: Mapping) -> DataError:
    return DataError(
        "The rows are of no known shape.",
        got=f"columns {', '.join(map(repr, list(value)[:12])) or 'none'}",
        fix='Say which is which: columns={"question": "…", "answer": "…"}.',
    )


def as_example(line: int, row: Shaped) -> Example:
    """The example of a row in chat shape."""
    extra = dict(row.extra)
    for key in ("parallel_tool_calls", "functions"):
        if key in row.chat:
            extra[key] = row.chat[key]
    if row.rejected is not None:
        extra["non_preferred_output"] = row.rejected
    tools = row.chat.get("tools")
    return Example(tuple(row.chat["messages"]), tuple(tools) if isinstance(tools, list) else (), extra, line)
