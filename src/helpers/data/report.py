"""What ``check`` hands back: the problems as a table, a short summary, and an escaped view for notebooks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from html import escape
from typing import NamedTuple

import pandas as pd

from helpers.data.codes import CODES, Severity
from helpers.formatting import host_called, plural

GENERAL = "general"
"""In a provider's place: the rules that hold wherever chat rows are used."""

MAX_OF_ONE_CODE = 100_000
"""Problems of one code that are listed; more are only counted, so that no file can fill the memory."""

SHOWN = 200
"""Different problems in the notebook view; ``report.problems`` has them all."""

LINES_SHOWN = 5
"""Lines that a row of the notebook view names, where several have the same problem."""

ORDER = {"error": 0, "warning": 1, "note": 2}


class Problem(NamedTuple):
    """One problem: 1-based ``line`` of the file (0: the file as a whole), where in the row, and a related line or 0."""

    line: int
    where: str
    code: str
    severity: Severity
    message: str
    fix: str
    other: int = 0


class Findings:
    """Collects problems; the severity and the general fix come from ``CODES``."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.counts: Counter[str] = Counter()
        self.usual_labels: dict[str, str] = {}

    def add(
        self,
        code: str,
        line: int,
        where: str,
        message: str,
        *,
        fix: str = "",
        severity: Severity | None = None,
        other: int = 0,
    ) -> None:
        """Add a problem, or only count it when its code has filled its share.

        Args:
            code: one of :data:`CODES`.
            line: where the row begins in its file, from 1; 0 for the whole file.
            where: the place in the row, such as ``messages[1].content``.
            message: what was found.
            fix: what to do; the code's own by default.
            severity: the code's own by default.
            other: line of the row that it is about as well, such as the first of two alike; 0 for none.
        """
        self.counts[code] += 1
        if self.counts[code] <= MAX_OF_ONE_CODE:
            known = CODES[code]
            self.problems.append(
                Problem(line, where, code, severity or known.severity, message, fix or known.fix, other)
            )

    def blank(self, first: int, last: int) -> None:
        """Add one problem for a run of blank lines.

        Args:
            first: number of the first blank line.
            last: number of the last one.
        """
        which = f"Line {first} is blank." if first == last else f"Lines {first} to {last} are blank."
        self.add("blank_line", first, "line", which)

    def forgive(self, code: str) -> None:
        """Take back every problem of one code."""
        self.problems = [problem for problem in self.problems if problem.code != code]
        del self.counts[code]

    def sorted(self) -> list[Problem]:
        """Problems by line (those of the whole file first), unlisted ones summed up."""
        for code, count in list(self.counts.items()):
            if count > MAX_OF_ONE_CODE:
                more = f"{count - MAX_OF_ONE_CODE:,} more problems of the kind {code!r} are not listed."
                self.add("too_many_problems", 0, "file", more, severity=CODES[code].severity)
        return sorted(self.problems, key=lambda p: (p.line, ORDER[p.severity]))


@dataclass(frozen=True)
class CheckReport:
    """Every problem of one file, for one provider.

    Attributes:
        problems: columns ``line`` (1-based; 0 is the file as a whole), ``where``, ``code``, ``severity``
            ("error", "warning", "note"), ``message``, ``fix``, ``other`` (a related line of the same file, else 0).
        rows: one row an example that could be read: ``line``, ``tokens`` (None where not counted), ``prompt_chars``,
            ``answer_chars``, ``label`` (the answer where the file has few different ones, else None).
        provider: for whom it was checked.
        model: for which model, if one was named.
        shape: how the rows are shaped ("chat", "prompt_completion", …; "mixed" when they differ).
        mapping: for tables and question/answer rows: which column became what.
        token_limit: tokens an example may have, None when unknown.
        usual_labels: a label's normal form → the spelling that most rows use, where some rows spell it otherwise.
    """

    problems: pd.DataFrame
    rows: pd.DataFrame
    provider: str
    model: str | None = None
    shape: str = "chat"
    mapping: dict[str, str] = field(default_factory=dict)
    token_limit: int | None = None
    usual_labels: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the provider would take the file: no error (warnings and notes may remain)."""
        return not (self.problems["severity"] == "error").any()

    def count(self, severity: Severity) -> int:
        """How many problems are of this severity."""
        return int((self.problems["severity"] == severity).sum())

    def summary(self) -> str:
        """The verdict and the number of problems of each kind, as text."""
        lines = [self._headline()]
        for (severity, code), group in self._by_code():
            shown = ", ".join(str(line) for line in group["line"].head(5) if line)
            where = f" (line {shown}{', …' if len(group) > 5 else ''})" if shown else ""
            lines.append(f"{severity:>7}  {code} × {len(group):,}{where}: {CODES[code].means}")
        return "\n".join(lines)

    __str__ = summary

    def _headline(self) -> str:
        tokens = self.rows["tokens"].sum() if len(self.rows) else 0
        counted = f", {int(tokens):,} tokens" if tokens else ""
        verdict = f"{host_called(self.provider)} {'takes' if self.ok else 'would refuse'} this file"
        said = "checked by general rules, not by a host's own" if self.provider == GENERAL else verdict
        return (
            f"{plural(len(self.rows), 'example')}{counted}; {said}: {plural(self.count('error'), 'error')}, "
            f"{plural(self.count('warning'), 'warning')}, {plural(self.count('note'), 'note')}."
        )

    def _by_code(self) -> list[tuple[tuple[str, str], pd.DataFrame]]:
        groups = self.problems.groupby(["severity", "code"], sort=False)
        return sorted(groups, key=lambda item: (ORDER[item[0][0]], -len(item[1]), item[0][1]))

    def _repr_html_(self) -> str:
        findings = self.problems.assign(message=self._messages())
        shown = findings.groupby(["code", "where", "severity", "message", "fix"], sort=False)["line"].agg(list)
        rows = "".join(
            f"<tr><td>{_lines(lines)}</td><td><code>{escape(where)}</code></td><td>{severity}</td>"
            f"<td>{escape(code)}</td><td>{escape(message)}</td><td>{escape(fix)}</td></tr>"
            for (code, where, severity, message, fix), lines in shown.head(SHOWN).items()
        )
        rest = len(self.problems) - sum(map(len, shown.head(SHOWN)))
        more = f"<p>{rest:,} more in <code>report.problems</code>.</p>" if rest > 0 else ""
        head = "".join(f"<th>{title}</th>" for title in ("line", "where", "severity", "code", "problem", "what to do"))
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>" if rows else ""
        return f"<div><p><b>{escape(self._headline())}</b></p>{table}{more}</div>"

    def _messages(self) -> pd.Series:
        """What was found, the first of its kind where many differ in their words alone (which line a prompt resembles,
        and how much), so that they are one line of the view; those of the file as a whole stay apart."""
        told = self.problems["message"].copy()
        of_rows = self.problems[self.problems["line"] > 0]
        for _, alike in of_rows.groupby(["code", "where", "severity", "fix"], sort=False)["message"]:
            if alike.nunique() > LINES_SHOWN:
                others = f"Much the same on the others: report.problems has all {len(alike):,} of them."
                told[alike.index] = f"{alike.iloc[0]} {others}"
        return told


def _lines(lines: list[int]) -> str:
    """The lines that one finding is about: all of a few, else the first ones and how many there are."""
    if not lines[0]:
        return "file"
    first = ", ".join(map(str, lines[:LINES_SHOWN]))
    return first if len(lines) <= LINES_SHOWN else f"{first}, … ({len(lines):,} lines)"
