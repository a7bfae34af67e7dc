"""Every measurement of a project, and which of them may be compared.

Lessons add to the ledger and never overwrite: a target model measured in lesson 0 is still there in lesson 6. Beside a
measurement its scores are kept row by row, so that two candidates that answered the same rows can be compared later,
whatever run asked them. ``decide.collect`` reads it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import product
from typing import Any

import numpy as np

from helpers import statistics
from helpers.errors import ProjectError
from helpers.project import Project
from helpers.records import PROMPTED, Comparison, Measurement, PlateauTest

KEY = "ledger"
COMPARED_UNIT = "share"
"""Only shares of right rows are compared as evidence: a verdict needs a smallest difference worth having."""


@dataclass(frozen=True)
class Entry:
    """A measurement with its scores, one a row in the order of the rows' hashes; ``nan`` where there is none."""

    measurement: Measurement
    scores: np.ndarray


def add(project: Project, entries: Sequence[Entry], plateau: PlateauTest | None = None) -> None:
    """Add measurements, and a plateau test. What is there already, to the last score, is not written twice.

    Args:
        project: whose ledger.
        entries: measurements with their scores.
        plateau: a plateau test made on them, if one was.

    Raises:
        ProjectError: the project file is damaged.
    """

    def added(kept: dict[str, Any]) -> dict[str, Any]:
        lines = list(kept.get("measurements", ()))
        newest = {_id(line): line for line in lines}
        for entry in entries:
            line = {**asdict(entry.measurement), "scores": _packed(entry.scores)}
            if _content(newest.get(_id(line))) != _content(line):
                lines.append(line)
        tests = [*kept.get("plateaus", ()), *([asdict(plateau)] if plateau else [])]
        return {"measurements": lines, "plateaus": tests}

    project.change(KEY, added)


def newest(project: Project) -> tuple[list[Entry], list[PlateauTest]]:
    """The newest measurement of each candidate on each set of rows by each metric, and the newest plateau test of each
    model, both in the order in which they were added.

    Raises:
        ProjectError: the ledger cannot be read.
    """
    kept = project.get(KEY, {})
    try:
        entries = _latest((_id(line), _entry(line)) for line in kept.get("measurements", ()))
        tests = [PlateauTest(**{**one, "candidates": tuple(one["candidates"])}) for one in kept.get("plateaus", ())]
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise ProjectError(
            f"The measurements kept in project {project.name!r} cannot be read.",
            got=f"{type(error).__name__}: {error}",
            fix=f"Mend {KEY!r} in {project.file}, or start under a new name.",
        ) from error
    return entries, _latest(((test.host, test.model, test.metric, test.rows), test) for test in tests)


def comparisons(entries: Sequence[Entry]) -> tuple[Comparison, ...]:
    """Every pair that a verdict may rest on: a tuned model against each rival, and a rival without a language model
    against each prompted model, each pair by the same metric on the very same rows."""
    found = []
    for one, other in product(entries, entries):
        a, b = one.measurement, other.measurement
        if (a.rows, a.metric) != (b.rows, b.metric) or not a.rows or a.unit != COMPARED_UNIT:
            continue
        against_rival = a.role == "tuned" and b.role != "tuned"
        code_against_prompt = a.role == "no language model" and b.role in PROMPTED
        if against_rival or code_against_prompt:
            found += _compared(one, other)
    return tuple(found)


def _compared(one: Entry, other: Entry) -> list[Comparison]:
    """The comparison, or nothing where fewer than two rows were answered by both."""
    if np.count_nonzero(~np.isnan(one.scores + other.scores)) < 2:
        return []
    a, b = one.measurement, other.measurement
    found = statistics.compare(
        one.scores, other.scores, a=a.name, b=b.name, metric=a.metric, unit=a.unit, better=a.better
    )
    return [replace(found, a_id=a.id, b_id=b.id)]


def _latest(pairs: Iterable[tuple[tuple[str, ...], Any]]) -> list[Any]:
    """The last value of each key, in the order in which these were added."""
    found: dict[tuple[str, ...], Any] = {}
    for key, value in pairs:
        found.pop(key, None)
        found[key] = value
    return list(found.values())


def _id(line: Mapping[str, Any]) -> tuple[str, str, str]:
    return line["candidate"], line["rows"], line["metric"]


def _content(line: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What makes two measurements the same: all but the day and how often the rows had been opened by then."""
    return line and {key: value for key, value in line.items() if key not in ("day", "openings")}


def _entry(line: Mapping[str, Any]) -> Entry:
    known = {one.name for one in fields(Measurement)}
    return Entry(Measurement(**{key: value for key, value in line.items() if key in known}), _unpacked(line["scores"]))


def _packed(scores: np.ndarray) -> str:
    """Right and wrong as "1" and "0" with "-" where a score is missing; other scores as a JSON list."""
    if statistics.is_right_or_wrong(scores):
        return "".join("-" if math.isnan(score) else str(int(score)) for score in scores)
    return json.dumps([None if math.isnan(score) else round(float(score), 6) for score in scores])


def _unpacked(text: str) -> np.ndarray:
    if text.startswith("["):
        return np.array([math.nan if score is None else score for score in json.loads(text)], dtype=float)
    return np.array([math.nan if mark == "-" else float(mark) for mark in text])
