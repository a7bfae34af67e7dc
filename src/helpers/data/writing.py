"""Write examples in the format that a provider takes, or as a table that is safe to open."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from helpers import facts
from helpers.data.report import GENERAL
from helpers.errors import DataError
from helpers.project import write_atomically
from helpers.records import Example
from helpers.tokens import text_of

OPENAI_SHAPED = ("openai", "azure", "nebius", "together", "fireworks", "local")
UNSEEN_START = re.compile("^[\\s\x00-\x1f\x7f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")
"""What a spreadsheet passes over, or a writer of workbooks takes away, before it looks for a formula."""
FORMULA_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
"""What a spreadsheet takes for the start of a formula, also behind white space; some read the wide forms too."""


def write(examples: Iterable[Example], path: str | Path, provider: str = "openai") -> Path:
    """Write ``examples`` to ``path`` and return it; the file is complete or not there at all.

    The ending decides: ``.jsonl`` is the provider's own format; ``.csv`` and ``.xlsx`` are tables for people (system,
    question, answer, other columns), in which a cell that a spreadsheet would run as a formula gets an apostrophe in
    front. Columns of ``extra`` (labels, ids) are left out of provider formats: they do not know them.

    Args:
        examples: what is written, in this order.
        path: the file to write; its ending decides on the format.
        provider: whose format ``.jsonl`` has.

    Raises:
        DataError: there is no example, the provider or ending is not known, or an example cannot be said in the format.
        FactsError: nothing is known of the provider.
    """
    facts.limits(provider)
    listed, path = list(examples), Path(path)
    if not listed:
        raise DataError("There are no examples to write.", fix="Check what was filtered out before.")
    if path.suffix == ".jsonl":
        to_row = row_writer(provider)
        lines = [json.dumps(to_row(example), ensure_ascii=False) for example in listed]
        write_atomically(path, "\n".join(lines) + "\n")
    elif path.suffix in (".csv", ".xlsx"):
        _write_table(listed, path)
    else:
        raise DataError(f"Files ending in {path.suffix!r} are not written.", fix="Use .jsonl, .csv or .xlsx.")
    return path


def row_writer(provider: str) -> Callable[[Example], dict[str, Any]]:
    """The function that turns an example into one row of the provider's format."""
    if provider in (*OPENAI_SHAPED, GENERAL):
        return openai_row
    return {"bedrock": _bedrock_row, "vertex": _vertex_row}[provider]


def openai_row(example: Example) -> dict[str, Any]:
    """OpenAI's row, chat or preference; most providers take it as it is."""
    kept = {key: example.extra[key] for key in ("parallel_tool_calls", "functions") if key in example.extra}
    tools = {"tools": list(example.tools)} if example.tools else {}
    messages = [dict(message) for message in example.messages]
    rejected = example.extra.get("non_preferred_output")
    if rejected is None:
        return {"messages": messages} | tools | kept
    asked = len(messages) - _answer_length(messages)
    return {
        "input": {"messages": messages[:asked]} | tools | kept,
        "preferred_output": messages[asked:],
        "non_preferred_output": [dict(message) for message in rejected],
    }


def _answer_length(messages: list[dict]) -> int:
    """How many messages at the end answer the last user message."""
    return next(
        (n for n, m in enumerate(reversed(messages)) if m.get("role") not in ("assistant", "tool")), len(messages)
    )


def _bedrock_row(example: Example) -> dict[str, Any]:
    """Amazon Nova's conversation row."""
    system, turns = _plain_turns(example, "Amazon Bedrock")
    row: dict[str, Any] = {"schemaVersion": "bedrock-conversation-2024"}
    if system:
        row["system"] = [{"text": system}]
    return row | {"messages": [{"role": role, "content": [{"text": text}]} for role, text in turns]}


def _vertex_row(example: Example) -> dict[str, Any]:
    """Google's row: the assistant is called "model"."""
    system, turns = _plain_turns(example, "Vertex")
    row: dict[str, Any] = {"systemInstruction": {"parts": [{"text": system}]}} if system else {}
    names = {"assistant": "model", "user": "user"}
    return row | {"contents": [{"role": names[role], "parts": [{"text": text}]} for role, text in turns]}


def _plain_turns(example: Example, host: str) -> tuple[str, list[tuple[str, str]]]:
    """System text and user/assistant turns of an example that has nothing else."""
    system, turns = [], []
    for message in example.messages:
        role, content = message.get("role"), message.get("content")
        if (
            not isinstance(content, str)
            or "tool_calls" in message
            or role not in ("system", "developer", "user", "assistant")
        ):
            raise _cannot(example, host, f"a {role} message that is not plain text")
        if role in ("system", "developer"):
            system.append(content)
        else:
            turns.append((role, content))
    if example.tools or "non_preferred_output" in example.extra:
        raise _cannot(example, host, "tools" if example.tools else "a preference pair")
    if any(message.get("weight", 1) == 0 for message in example.messages):
        raise _cannot(example, host, "weight 0")
    return "\n".join(system), turns


def _cannot(example: Example, host: str, got: str) -> DataError:
    return DataError(
        f"The example on line {example.line} cannot be written for {host}.",
        got=got,
        fix="Leave the example out, or choose a provider of OpenAI's format.",
    )


def safe_cell(value: Any) -> Any:
    """The value for a spreadsheet's cell: text that would run as a formula gets an apostrophe in front."""
    if not isinstance(value, str):
        return value
    seen = UNSEEN_START.sub("", value)
    return f"'{value}" if seen.startswith(FORMULA_STARTS) else value


def _write_table(examples: list[Example], path: Path) -> None:
    rows = [_table_row(example) for example in examples]
    heading = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[safe_cell(row.get(name, "")) for name in heading] for row in rows]
    if path.suffix == ".csv":
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([[safe_cell(name) for name in heading], *cells])
        write_atomically(path, text.getvalue())
    else:
        _write_workbook([[safe_cell(name) for name in heading], *cells], path)


def _table_row(example: Example) -> dict[str, Any]:
    systems = [text_of(m.get("content")) for m in example.messages if m.get("role") in ("system", "developer")]
    turns = [m for m in example.prompt if m.get("role") not in ("system", "developer")]
    asked = (
        text_of(turns[0].get("content"))
        if len(turns) == 1
        else json.dumps([dict(m) for m in turns], ensure_ascii=False)
    )
    row = ({"system": "\n".join(systems)} if systems else {}) | {"question": asked, "answer": example.answer}
    return row | {key: _plain(value) for key, value in example.extra.items()}


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, int, float)) else json.dumps(value, ensure_ascii=False, default=str)


def _write_workbook(table: list[list[Any]], path: Path) -> None:
    from openpyxl import Workbook
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    book = Workbook(write_only=True)
    sheet = book.create_sheet("examples")
    for row in table:
        sheet.append([ILLEGAL_CHARACTERS_RE.sub("", cell) if isinstance(cell, str) else cell for cell in row])
    temporary = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    book.save(temporary)
    temporary.replace(path)
