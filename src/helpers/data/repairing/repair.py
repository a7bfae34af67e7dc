"""Repair what a machine may repair, and log every change.

Each row is checked, changed for the first problem that has a fixer, and checked again, until nothing is left to fix; a
row that would still be refused is left out. The original file is never touched. The log replays: ``replay`` makes the
same file from the original and the log alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from helpers.data.checking.check import check
from helpers.data.checking.messages import check_row, places
from helpers.data.checking.rules import Rules, rules_for
from helpers.data.checking.texts import check_text
from helpers.data.reading.examples import as_example
from helpers.data.reading.row import Row
from helpers.data.reading.sources import Source, rows
from helpers.data.repairing.decisions import queue
from helpers.data.repairing.fixers import DROPPED, FIXES, Draft, Dropped, as_text, drop, fix_json, spell_label
from helpers.data.report import CheckReport, Findings
from helpers.data.sensitive import beside, personal
from helpers.data.shapes.to_chat import shaped_if_fits
from helpers.data.writing import row_writer
from helpers.errors import DataError
from helpers.project import write_atomically
from helpers.tokens import text_of

LINE_CODES = ("json", "not_object", "line_too_long", "table_row")
WHOLE_FILE_CODES = ("duplicate", "leak", "near_leak", "label_variant")
FILE_CODES = ("blank_line", "bom", "encoding")
"""Codes that a line is refused for; those that only the whole file shows; those that writing the file again fixes."""


MAX_STEPS = 50
"""Fixers applied to one row before it is given up."""


@dataclass(frozen=True)
class Repaired:
    """What ``repair`` did.

    Attributes:
        path: the new file.
        log: columns ``line`` (of the original), ``code``, ``before``, ``after`` (the row as text; None: left out).
        report: the new file, checked again.
        queue: what a person should look at in the new file: see ``queue``.
    """

    path: Path
    log: pd.DataFrame
    report: CheckReport
    queue: pd.DataFrame

    def __str__(self) -> str:
        of_rows = self.log[~self.log["code"].isin(FILE_CODES)]
        gone = of_rows["after"].isna()
        dropped = int(gone.sum())
        changed = len(set(of_rows["line"]) - set(of_rows.loc[gone, "line"]))
        return (
            f"{changed:,} rows changed, {dropped:,} left out, {len(self.report.rows):,} written to {self.path.name}; "
            f"{len(self.queue):,} wait for a person."
        )


def repair(source: Source, report: CheckReport, fixes: Collection[str] | None = None, *, to: str | Path) -> Repaired:
    """Write a repaired copy of ``source`` to ``to`` (JSON Lines for the report's provider), with its change log beside
    it. The log holds what was removed, secrets too: keep it where the original is. Tool declarations stay as they are:
    the program that runs the tools has them, too.

    Args:
        source: what ``report`` was made from.
        report: what ``check`` found; it also names the provider.
        fixes: the codes to fix; every code in ``FIXES`` when None. Rows that the provider would refuse are left out
            in any case.
        to: the new file; the log is ``<to>.changes.jsonl``.

    Raises:
        DataError: ``to`` is the source itself, a code cannot be fixed, or no row is left.
    """
    to = Path(to)
    if isinstance(source, (str, Path)) and Path(source).resolve() == to.resolve():
        raise DataError("The original is never touched.", got=str(to), fix="Give another path as `to`.")
    allowed = frozenset(FIXES if fixes is None else fixes)
    if unknown := allowed - frozenset(FIXES):
        raise DataError("Some codes cannot be repaired.", got=", ".join(sorted(unknown)), fix="See helpers.data.FIXES.")
    by_line = _whole_file_problems(report, allowed)
    log: list[dict[str, Any]] = []
    lines = []
    for row in rows(source, Findings()):
        final = _new_line(row, report, by_line.get(row.line, ()), allowed, log)
        if final is not None:
            lines.append(final)
    for problem in report.problems[report.problems["code"].isin(FILE_CODES)].itertuples():
        log.append(
            {"line": problem.line, "code": problem.code, "before": problem.message, "after": "(UTF-8, no blank line)"}
        )
    if not lines:
        raise DataError("No rows are left after the repair.", fix="Look at the report: the export itself is broken.")
    write_atomically(to, "\n".join(lines) + "\n")
    table = pd.DataFrame(sorted(log, key=lambda entry: entry["line"]), columns=["line", "code", "before", "after"])
    write_atomically(
        to.with_name(to.name + ".changes.jsonl"), table.to_json(orient="records", lines=True, force_ascii=False)
    )
    again = check(to, provider=report.provider, model=report.model)
    return Repaired(to, table, again, queue(to, again))


def replay(
    source: Source, log: pd.DataFrame, provider: str, to: str | Path, columns: Mapping[str, str] | None = None
) -> Path:
    """Make the repaired file again from the original and the change log alone.

    Args:
        source: the original, as it was given to ``repair``.
        log: the change log of that repair.
        provider: whose format to write.
        to: the file to write.
        columns: as they were given to ``repair``.
    """
    final = {entry.line: entry.after for entry in log.itertuples() if entry.code not in FILE_CODES}
    lines = []
    for row in rows(source, Findings()):
        text = final[row.line] if row.line in final else _serialised(row, provider, columns)
        if isinstance(text, str):
            lines.append(text)
    write_atomically(Path(to), "\n".join(lines) + "\n")
    return Path(to)


def _whole_file_problems(report: CheckReport, allowed: frozenset[str]) -> dict[int, list[str]]:
    """Codes by line that the row alone cannot be asked for again."""
    by_line: dict[int, list[str]] = {}
    wanted = (allowed & frozenset(WHOLE_FILE_CODES)) | frozenset(LINE_CODES)
    for problem in report.problems.itertuples():
        if problem.code in wanted and problem.line:
            by_line.setdefault(problem.line, []).append(problem.code)
    return by_line


def _new_line(row: Row, report: CheckReport, codes: Collection[str], allowed: frozenset[str], log: list) -> str | None:
    """The row's new line, or None when it is left out."""

    def note(code: str, before: str, after: str | None) -> None:
        log.append({"line": row.line, "code": code, "before": before, "after": after})

    value = row.value
    if row.broken is not None:
        value = fix_json(row.broken) if "json" in allowed else None
        code = next((code for code in codes if code in LINE_CODES), "json")
        note(code, row.broken[:10_000], as_text(value) if value is not None else None)
        if value is None:
            return None
    shape = shaped_if_fits(value, report.mapping)
    if shape is None:
        note("unknown_shape", as_text(value), None)
        return None
    current = Draft.of(shape)
    if "label_variant" in codes:
        _step(current, "label_variant", lambda draft: spell_label(draft, report), note)
    for code in codes:
        if code in DROPPED and code not in LINE_CODES:
            note(code, current.text(), None)
            return None
    limits = rules_for(report.provider, report.model)
    for _ in range(MAX_STEPS):
        problem = _next_problem(current, limits, allowed)
        if problem is None:
            break
        try:
            _step(current, problem, drop if problem in current.given_up else FIXES.get(problem, drop), note)
        except Dropped:
            note(problem, current.text(), None)
            return None
    else:
        note("messages", current.text(), None)
        return None
    final = _final_text(current, report.provider, row.line)
    if final is None:
        note("unsupported", current.text(), None)
        return None
    if final != current.text():
        note("wrong_shape", current.text(), final)
    return final


def _step(draft: Draft, code: str, fix: Callable[[Draft], None], note: Callable) -> None:
    before = draft.text()
    fix(draft)
    if draft.text() != before:
        note(code, before, draft.text())
    else:
        draft.given_up.add(code)


def _next_problem(draft: Draft, limits: Rules, allowed: frozenset[str]) -> str | None:
    """The next code to fix: any that is allowed, and any error at all: where its fixer has given up, too, since the
    row cannot stay."""
    found = Findings()
    if check_row(0, draft.as_shaped(), limits, found):
        check_text(0, draft.messages, places(()), found)
        personal.check(0, [text_of(message.get("content")) for message in draft.messages], places(()), found)
        beside.check(0, draft.chat, draft.rejected, places(()), found)
    for problem in found.problems:
        if problem.severity == "error":
            return problem.code
        if problem.severity == "warning" and problem.code in allowed and problem.code not in draft.given_up:
            return problem.code
    return None


def _final_text(draft: Draft, provider: str, line: int) -> str | None:
    """The row in the provider's format; other columns than the format's own stay with chat rows."""
    try:
        row = row_writer(provider)(as_example(line, draft.as_shaped()))
    except DataError:
        return None
    kept = draft.extra if draft.shape == "chat" and "messages" in row else {}
    return as_text(row | kept)


def _serialised(row: Row, provider: str, columns: Mapping[str, str] | None) -> str | None:
    shape = shaped_if_fits(row.value, columns) if row.broken is None else None
    return _final_text(Draft.of(shape), provider, row.line) if shape else None
