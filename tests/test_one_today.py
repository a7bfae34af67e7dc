"""One function says what day it is, so that every page and verdict can be looked at as of another day."""

from __future__ import annotations

import ast
import re
from datetime import date
from pathlib import Path

import nbformat
import pytest
from decide_cases import cases

from helpers import decide, evaluate, facts
from helpers.evaluate import metrics
from helpers.records import Example

TOP = Path(__file__).resolve().parents[1]
CLOCKS = {("date", "today"), ("datetime", "now"), ("datetime", "today"), ("datetime", "utcnow")}
MAY_READ_IT = {
    "today.py": "facts.today() itself",
    "evaluate/inference/store.py": "the moment, in seconds, at which test rows were opened; nothing is decided by it",
    "deploy/aliases.py": "the moment, in seconds, at which an alias was moved; nothing is decided by it",
}


def clocks(source: str) -> list[str]:
    """Calls of the calendar in some code, as ``date.today``."""
    calls = (node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    found = (f for f in calls if isinstance(f, ast.Attribute))
    return [ast.unparse(f) for f in found if (ast.unparse(f.value).split(".")[-1], f.attr) in CLOCKS]


def test_the_search_finds_what_it_looks_for():
    lines = (
        "from datetime import *; import datetime as d\nx = date.today()\ny = d.datetime.now(UTC)\nz = datetime.utcnow()"
    )
    assert clocks(lines) == ["date.today", "d.datetime.now", "datetime.utcnow"]
    assert clocks("facts.today()") == []


@pytest.mark.parametrize("path", sorted((TOP / "src/helpers").rglob("*.py")), ids=lambda p: str(p.relative_to(TOP)))
def test_no_helper_reads_the_calendar_but_one(path):
    if str(path.relative_to(TOP / "src/helpers")) not in MAY_READ_IT:
        assert clocks(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", sorted((TOP / "notebooks").rglob("*.ipynb")), ids=lambda p: p.stem)
def test_no_lesson_reads_the_calendar(path):
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert [found for source in cells for found in clocks(re.sub(r"^[%!].*$", "", source, flags=re.MULTILINE))] == []


def test_measurements_and_verdicts_are_of_the_frozen_day(monkeypatch):
    monkeypatch.setenv("KIT_TODAY", "2027-03-01")
    assert facts.today() == date(2027, 3, 1)
    every = [Example(({"role": "user", "content": f"q{n}"}, {"role": "assistant", "content": "no"})) for n in range(10)]
    rows, other = every[:5], every[5:]
    [one] = evaluate.without_llm(
        rows, other, [metrics.exact_match], only=["most frequent answer"], progress=False
    ).measurements()
    assert one.day == "2027-03-01"
    case = cases()[0]
    assert decide.decide(case.answers, case.evidence) == decide.decide(case.answers, case.evidence, date(2027, 3, 1))
