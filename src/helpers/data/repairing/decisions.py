"""What a person decides: the rows that no machine should judge, and the file with the decisions carried out."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from helpers.data.reading.row import Row
from helpers.data.reading.sources import Source, rows
from helpers.data.repairing.fixers import as_text
from helpers.data.report import CheckReport, Findings
from helpers.data.shapes.to_chat import shaped_if_fits
from helpers.errors import DataError
from helpers.project import write_atomically
from helpers.tokens import text_of

QUEUED = (
    "contradiction", "near_duplicate", "near_leak", "refusal_answer", "answer_format", "answer_in_prompt",
    "empty_content", "role_order", "no_user", "html_residue", "mojibake", "language_mix",
)  # fmt: skip
"""Codes that a person decides: see ``queue``."""

PAIRS = ("duplicate", "contradiction", "near_duplicate")
"""Codes that two rows of one file have with each other."""


def queue(source: Source, report: CheckReport, codes: Collection[str] = QUEUED) -> pd.DataFrame:
    """What no machine should decide: one row for each doubtful row or pair of rows, contradictions first.

    Columns: ``line``, ``code`` (all codes of the row), ``message``, ``question``, ``answer``, and for pairs ``other``
    (line), ``other_question``, ``other_answer``; then ``decision`` and ``new_answer``, empty, for ``resolve``.

    Args:
        source: what ``report`` was made from.
        report: what ``check`` found.
        codes: which problems; ``PAIRS`` gives those that two rows have with each other.
    """
    flagged = report.problems[report.problems["code"].isin(codes) & (report.problems["line"] > 0)]
    wanted = set(flagged["line"]) | set(flagged["other"])
    texts = {line: text for line, text in _texts(source, report) if line in wanted}
    items: dict[tuple[int, ...], list[Any]] = {}
    for problem in sorted(flagged.itertuples(), key=lambda problem: list(codes).index(problem.code)):
        if problem.line not in texts:
            continue
        other = texts.get(problem.other, ("", ""))
        new = [problem.line, problem.code, problem.message, *texts[problem.line], problem.other, *other, "", ""]
        item = items.setdefault(tuple(sorted((problem.line, problem.other))), new)
        if problem.code not in item[1]:
            item[1], item[2] = f"{item[1]}, {problem.code}", f"{item[2]} {problem.message}"
    names = ["line", "code", "message", "question", "answer", "other", "other_question", "other_answer"]
    return pd.DataFrame(list(items.values()), columns=[*names, "decision", "new_answer"])


def _texts(source: Source, report: CheckReport) -> Iterator[tuple[int, tuple[str, str]]]:
    for row in rows(source, Findings()):
        shape = shaped_if_fits(row.value, report.mapping) if row.broken is None else None
        messages = shape.chat.get("messages") if shape else None
        if isinstance(messages, list) and messages and all(isinstance(message, dict) for message in messages):
            texts = [text_of(message.get("content")) for message in messages]
            yield row.line, ("\n".join(texts[:-1]), texts[-1])


def resolve(source: str | Path, decisions: pd.DataFrame, to: str | Path) -> Path:
    """Write ``source`` (JSON Lines, as ``repair`` wrote it) with a person's decisions carried out.

    Args:
        source: the repaired file.
        decisions: ``queue``'s table; ``decision`` is "" or "keep" (nothing happens), "drop" (leave ``line`` out),
            "drop_other" (leave ``other`` out), or "edit" (``new_answer`` becomes the answer of ``line``).
        to: the file to write; another than the source.

    Raises:
        DataError: a decision is none of these, or ``to`` is the source.
    """
    if Path(source).resolve() == Path(to).resolve():
        raise DataError("The original is never touched.", got=str(to), fix="Give another path as `to`.")
    legal = ("", "keep", "drop", "drop_other", "edit")
    if wrong := sorted(set(decisions["decision"]) - set(legal)):
        raise DataError(
            "Unknown decisions.", got=", ".join(map(repr, wrong)), fix=f"Use {', '.join(map(repr, legal))}."
        )
    dropped = set(decisions.loc[decisions["decision"] == "drop", "line"])
    dropped |= set(decisions.loc[decisions["decision"] == "drop_other", "other"])
    edited = {row.line: row.new_answer for row in decisions[decisions["decision"] == "edit"].itertuples()}
    lines = []
    for row in rows(source, Findings()):
        if row.line in dropped or row.broken is not None:
            continue
        if row.line in edited:
            _give_answer(row, edited[row.line])
        lines.append(as_text(row.value))
    if not lines:
        raise DataError("No rows are left after the decisions.", fix="Undo some of them, or look at the export.")
    write_atomically(Path(to), "\n".join(lines) + "\n")
    return Path(to)


def _give_answer(row: Row, answer: str) -> None:
    """Write the answer into the row's last turn, in the shape that the row has."""
    shapes = (("messages", "content"), ("contents", "parts"), ("preferred_output", "content"))
    for turns, text in shapes:
        if isinstance(row.value.get(turns), list) and row.value[turns]:
            in_parts = turns == "contents" or "schemaVersion" in row.value
            row.value[turns][-1][text] = [{"text": answer}] if in_parts else answer
            return
    raise DataError(
        f"Line {row.line} has no turns to write the answer into.",
        got=", ".join(row.value),
        fix="Repair the file first: resolve() works on the file that repair() wrote.",
    )
