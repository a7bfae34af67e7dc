"""Repair what a machine may repair, log every change, and queue what only a person can decide.

Each row is checked, mended for the first problem that has a mender, and checked again, until nothing is left to mend; a
row that would still be refused is left out. The original file is never touched. The log replays: ``replay`` makes the
same file from the original and the log alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from helpers.data import personal, provider_rules
from helpers.data.checking import check
from helpers.data.fixers import DROPPED, FIXES, Draft, Dropped, as_text, drop, spell_label
from helpers.data.reading import as_example
from helpers.data.report import CheckReport, Findings
from helpers.data.shapes import Shaped, fits, shaped, text_of
from helpers.data.sources import Row, Source, mend_json, rows
from helpers.data.writing import row_writer
from helpers.errors import DataError
from helpers.project import write_atomically
from helpers.records import Example

LINE_CODES = ("json", "not_object", "line_too_long", "table_row")
WHOLE_FILE_CODES = ("duplicate", "leak", "near_leak", "label_variant")
FILE_CODES = ("blank_line", "bom", "encoding")
"""Codes that a line is refused for; those that only the whole file shows; those that writing the file again mends."""

QUEUED = (
    "contradiction", "near_duplicate", "near_leak", "refusal_answer", "answer_format", "answer_in_prompt",
    "empty_content", "role_order", "no_user", "html_residue", "mojibake", "language_mix",
)  # fmt: skip
"""Codes that a person decides: see ``queue``."""

PAIRS = ("duplicate", "contradiction", "near_duplicate")
"""Codes that two rows of one file have with each other."""

MAX_STEPS = 50
"""Menders applied to one row before it is given up."""


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
    """Write a mended copy of ``source`` to ``to`` (JSON Lines for the report's provider), with its change log beside
    it. The log holds what was removed, secrets too: keep it where the original is.

    Args:
        source: what ``report`` was made from.
        report: what ``check`` found; it also names the provider.
        fixes: the codes to mend; every code in ``FIXES`` when None. Rows that the provider would refuse are left out
            in any case.
        to: the new file; the log is ``<to>.changes.jsonl``.

    Raises:
        DataError: ``to`` is the source itself, a code cannot be mended, or no row is left.
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
        final = _mend(row, report, by_line.get(row.line, ()), allowed, log)
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


def _mend(row: Row, report: CheckReport, codes: Collection[str], allowed: frozenset[str], log: list) -> str | None:
    """The row's new line, or None when it is left out."""

    def note(code: str, before: str, after: str | None) -> None:
        log.append({"line": row.line, "code": code, "before": before, "after": after})

    value = row.value
    if row.broken is not None:
        value = mend_json(row.broken) if "json" in allowed else None
        code = next((code for code in codes if code in LINE_CODES), "json")
        note(code, row.broken[:10_000], as_text(value) if value is not None else None)
        if value is None:
            return None
    shape = _shaped(value, report.mapping)
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
    limits = provider_rules.rules_for(report.provider, report.model)
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


def _step(draft: Draft, code: str, mend: Callable[[Draft], None], note: Callable) -> None:
    before = draft.text()
    mend(draft)
    if draft.text() != before:
        note(code, before, draft.text())
    else:
        draft.given_up.add(code)


def _next_problem(draft: Draft, limits: provider_rules.Rules, allowed: frozenset[str]) -> str | None:
    """The next code to mend: any that is allowed, and any error at all: where its mender has given up, too, since the
    row cannot stay."""
    found = Findings()
    if provider_rules.check_row(0, draft.as_shaped(), limits, found):
        provider_rules.check_text(0, draft.messages, provider_rules.places(()), found)
        personal.check(
            0, [text_of(message.get("content")) for message in draft.messages], provider_rules.places(()), found
        )
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
    shape = _shaped(row.value, columns) if row.broken is None else None
    return _final_text(Draft.of(shape), provider, row.line) if shape else None


def _shaped(value: Mapping[str, Any] | Example, columns: Mapping[str, str] | None) -> Shaped | None:
    """The row in chat shape; ``columns`` count for the rows that have them, as in a file that mixes shapes."""
    return shaped(value, columns if fits(columns, value) else None)


# --- what a person decides --------------------------------------------------------------------------------------------


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
        shape = _shaped(row.value, report.mapping) if row.broken is None else None
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
