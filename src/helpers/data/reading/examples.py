"""Read what a person has into examples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from helpers.data.columns.given import Columns
from helpers.data.columns.guessing import Guess
from helpers.data.columns.profiles import profile
from helpers.data.columns.resolving import resolved, sample_of
from helpers.data.columns.suggesting import paste
from helpers.data.reading.row import Row
from helpers.data.reading.sources import Source, rows
from helpers.data.report import Findings
from helpers.data.shapes.chat import Shaped
from helpers.data.shapes.column_names import fits, named, recognise
from helpers.data.shapes.provider_rows import foreign_part
from helpers.data.shapes.to_chat import has_own_shape, shaped
from helpers.errors import DataError
from helpers.formatting import plural
from helpers.records import Example
from helpers.tokens import text_of

SAVED_AGAIN = ("bom", "encoding", "blank_line")
"""Problems of lines that can be read all the same."""

SHOWN = 5
SURE = {
    "set by you": "As COLUMNS says.",
    "by names": "The names of the columns say so.",
    "by contents": "A guess from what the columns contain: look at the rows below.",
    "as it is": "",
}
"""How sure it is what the columns are, as a sentence."""

SHOWN_CHARACTERS = 300
MAX_CLASSES = 100
"""Different numbers up to which they look like classes, not like quantities."""

ENOUGH_TURNS = 20
"""Conversations at the beginning of a file after which no more rows are read to understand it."""


@dataclass(frozen=True)
class Understood:
    """How a source's rows are understood; printed, it shows three of them as a model will see them.

    Attributes:
        shape: the shape of the rows ("chat", "question_answer", …).
        columns: part → column, template or columns: what ``COLUMNS`` may say; empty where rows are conversations.
        left_out: the columns that are no part of the question or the answer.
        sure: "set by you", "by names", "by contents" or "as it is".
        why: the reasons, as sentences; "" where there is nothing to say.
        notes: what was chosen while the file was opened (a sheet, a file in a zip), and what to look at.
        rows: up to three examples, from the beginning, the middle and the end.
    """

    shape: str
    columns: dict[str, Any]
    left_out: tuple[str, ...] = ()
    sure: str = "as it is"
    why: str = ""
    notes: tuple[str, ...] = ()
    rows: tuple[Example, ...] = ()

    @property
    def paste(self) -> str:
        """The line for the parameters cell, to copy and change; "" where rows need none."""
        return paste(self.columns) if self.columns else ""

    def __str__(self) -> str:
        parts = ", ".join(f"{part} ← {column!r}" for part, column in self.columns.items()) or "as it is"
        rest = f"; left out: {', '.join(map(repr, self.left_out))}" if self.left_out else ""
        told = f"{SURE[self.sure]} {self.why}".strip()
        change = f"To change it: {self.paste}" if self.columns and self.sure != "set by you" else ""
        notes = [f"Note: {note}" for note in self.notes]
        head = [line for line in (f"{self.shape}: {parts}{rest}", told, change, *notes) if line]
        return "\n".join(head) + "".join(f"\n\n{_as_seen(example)}" for example in self.rows)


def _as_seen(example: Example) -> str:
    """An example's messages as plain text, long ones cut."""
    lines = [f"Line {example.line}, as the model sees it:"]
    if example.tools:
        declared = [tool.get("function") if isinstance(tool, dict) else None for tool in example.tools]
        names = [str(one.get("name")) if isinstance(one, dict) else "?" for one in declared]
        lines.append(f"  tools: {', '.join(names)}")
    said = [(message.get("role"), message) for message in example.messages]
    rejected = example.extra.get("non_preferred_output")
    if isinstance(rejected, list):
        said += [("instead of", message) for message in rejected if isinstance(message, dict)]
    for who, message in said:
        text = text_of(message.get("content")) or str(message.get("tool_calls") or "")
        more = f" … ({len(text) - SHOWN_CHARACTERS:,} more characters)" if len(text) > SHOWN_CHARACTERS else ""
        shown = text[:SHOWN_CHARACTERS].replace("\n", "\n    ")
        lines.append(f"  {who}: {shown}{more}")
    return "\n".join(lines)


def mapping(source: Source, columns: Columns | None = None) -> Understood:
    """How ``read`` would understand ``source``: look before you read; name ``columns`` where it guesses wrong.

    Args:
        source: as for ``read``.
        columns: the reader's own; None where they are to be found out.

    Raises:
        DataError: as ``read``.
    """
    found = Findings()
    sample = _sample(rows(source, found))
    told = _resolved(columns, [row.value for row in sample], found)
    formed = [(row.line, row.value, shape) for row in sample if (shape := shape_of(row.value, told)) is not None]
    if not formed:
        raise _nothing(sample, found)
    _, value, first = formed[0]
    used = told.columns or (recognise(value) if first.names else {})
    shown = [(line, shape) for line, _, shape in formed if _has_messages(shape)]
    spread = {0, len(shown) // 2, len(shown) - 1} if shown else set()
    return Understood(
        first.shape,
        used,
        tuple(first.extra),
        told.sure if told.columns or not used else "by names",
        told.why,
        (*_notes(found), *_doubts(used, [row.value for row in sample])),
        tuple(as_example(*shown[at]) for at in sorted(spread)),
    )


def _resolved(columns: Columns | None, sample: list[Any], found: Findings) -> Guess:
    """The columns; where they cannot be told the error says, too, what was chosen while the file was opened."""
    try:
        return resolved(columns, sample)
    except DataError as error:
        raise DataError(error.what, got=error.got, fix=" ".join([error.fix, *_notes(found)])) from None


def _notes(found: Findings) -> list[str]:
    return [problem.message for problem in found.problems if problem.code == "read_as"]


def sampled(source: Source) -> list[Any]:
    """Rows from the whole of ``source`` by which its columns are told; only the first ones of conversations."""
    return [row.value for row in _sample(rows(source, Findings()))]


def _sample(read: Iterator[Row]) -> list[Row]:
    sound = (row for row in read if row.broken is None)
    first = list(islice(sound, ENOUGH_TURNS))
    if all(isinstance(row.value, Example) or has_own_shape(row.value) for row in first):
        return first
    return sample_of([*first, *sound])


def shape_of(value: Any, told: Guess) -> Shaped | None:
    """The row in chat shape; columns that were found out count for the rows that have them.

    Args:
        value: one record of the file.
        told: the columns that were set or found out.
    """
    strict = told.sure == "set by you" or fits(told.columns, value)
    row = shaped(value, told.columns if strict else None)
    lone_text = told.columns and row is not None and row.shape == "text"  # a row of a table that lacks its answer
    return None if lone_text else row


def missing(value: Any, told: Guess) -> str:
    """Why a row is of no known shape, in a sentence.

    Args:
        value: one record of the file.
        told: the columns that were set or found out.
    """
    wanted = [name for spec in told.columns.values() if spec not in value for name in named(spec, value)]
    absent = [name for name in wanted if name not in value]
    if absent:
        return f"The row has no {' and no '.join(map(repr, absent))}."
    return f"The keys are {', '.join(map(repr, list(value)[:8])) or 'none'}."


def _has_messages(row: Shaped) -> bool:
    messages = row.chat.get("messages")
    return isinstance(messages, list) and bool(messages) and all(isinstance(message, dict) for message in messages)


def _doubts(columns: dict[str, str], sample: list[Any]) -> list[str]:
    """What a person should know of the answers before going on."""
    answer = columns.get("answer")
    if not isinstance(answer, str) or not all(isinstance(row, dict) for row in sample):
        return []
    told, doubts = profile(answer, sample), []
    if empty := sum(not cell for cell in told.cells):
        are, those = ("is", "that row has") if empty == 1 else ("are", "those rows have")
        doubts.append(
            f"{empty:,} of the {plural(len(sample), 'cell')} looked at in {answer!r} {are} empty: "
            f"{those} no ideal answer."
        )
    if told.kind == "number" and told.different <= MAX_CLASSES:
        doubts.append(
            f"The answers in {answer!r} are numbers ({', '.join(told.values)}): a model that is only prompted cannot "
            "know what they stand for. Use their names, or list them in the instructions."
        )
    return doubts


def _nothing(sample: list[Row], found: Findings) -> DataError:
    """The error of a source in which no row is understood: its columns, else its first broken row, else emptiness."""
    if sample:
        return _unknown(sample[0].value)
    for problem in found.sorted():
        if problem.severity == "error" and problem.line and problem.code not in SAVED_AGAIN:
            return DataError("No row can be read.", got=f"line {problem.line}: {problem.message}", fix=problem.fix)
    return DataError("The file contains no rows of examples.", fix="Export it again, and check that it has rows.")


def read(source: str | Path | bytes | pd.DataFrame, columns: Columns | None = None) -> list[Example]:
    """Examples from JSON Lines, JSON, text tables, Excel, Parquet, Arrow, a zip or gzip of one, bytes or a DataFrame.

    Recognised shapes: chat ``messages``; question/answer columns of any name; ``instruction``/``input``/``output``;
    preference pairs (OpenAI's, and ``chosen``/``rejected``); Amazon's and Google's shapes; ``conversations``. A
    preference pair's preferred answer ends ``messages``; the other one is kept in ``extra["non_preferred_output"]``.

    Args:
        source: the file, its bytes, or a table. ``book.xlsx#Sheet2`` names a sheet, ``export.zip#train.csv`` a file.
        columns: part → column, for parts "question", "answer", "system", "preferred", "rejected", "messages". Several
            columns are joined by a template, ``"{title}\\n\\n{body}"``, or by a list, ``["title", "body"]``; a list as
            the answer gives a JSON object with these keys.

    Raises:
        DataError: a row cannot be read or is of no known shape; all such rows are counted and the first ones named.
            ``check`` lists every one, ``repair`` fixes or drops them.
    """
    found, examples = Findings(), []
    listed = list(rows(source, found))
    told = _resolved(columns, sample_of([row.value for row in listed if row.broken is None]), found)
    for line, value, broken in listed:
        row = shape_of(value, told) if broken is None else None
        if broken is None and row is None:
            if not examples and not told.columns:
                raise _unknown(value)
            found.add("unknown_shape", line, "row", missing(value, told))
        elif row is not None:
            if not _has_messages(row):
                found.add("messages", line, "messages", "`messages` is not a non-empty list of objects.")
            elif kind := foreign_part(row.chat["messages"]):
                found.add("bad_part", line, "messages", f"A message holds a part of type {kind!r}, which is not text.")
            else:
                examples.append(as_example(line, row))
    errors = [problem for problem in found.sorted() if problem.severity == "error" and problem.line]
    errors = [problem for problem in errors if problem.code not in SAVED_AGAIN]
    if errors:
        shown = "; ".join(f"line {problem.line}: {problem.message}" for problem in errors[:SHOWN])
        raise DataError(
            f"{plural(len(errors), 'row')} cannot be read.",
            got=shown + ("; …" if len(errors) > SHOWN else ""),
            fix="See all of them with data.check(DATA, columns=COLUMNS). A copy without them: "
            'data.repair(DATA, data.check(DATA, columns=COLUMNS), to="repaired.jsonl"); then DATA = "repaired.jsonl".',
        )
    if not examples:
        raise _nothing([], found)
    return examples


def _unknown(value: dict) -> DataError:
    return DataError(
        "The rows have no known format.",
        got=f"the columns {', '.join(map(repr, list(value)[:12]))}" if value else "a row without columns",
        fix='Say which is which: COLUMNS = {"question": "…", "answer": "…"}.',
    )


def as_example(line: int, row: Shaped) -> Example:
    """The example of a row in chat shape.

    Args:
        line: where the row begins in its file, from 1.
        row: in chat shape.
    """
    extra = dict(row.extra)
    for key in ("parallel_tool_calls", "functions"):
        if key in row.chat:
            extra[key] = row.chat[key]
    if row.rejected is not None:
        extra["non_preferred_output"] = row.rejected
    tools = row.chat.get("tools")
    return Example(tuple(row.chat["messages"]), tuple(tools) if isinstance(tools, list) else (), extra, line)
