"""Every exercise of every lesson, four times: its published solution passes; wrong, nonsense and untouched do not.

The lessons are run by nbval in any case. Behind each exercise cell stand four more cells here, which run the exercise
with another answer on a copy of the lesson's names, so that the lesson goes on as if nothing had happened.
"""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbval.plugin import IPyNbCell, IPyNbFile

WRONG = tomllib.loads((Path(__file__).parent / "exercises.toml").read_text(encoding="utf-8"))
"""Lesson → for each exercise, answers of the right kind that are wrong: expressions in the lesson's names."""

NONSENSE = ("42", "'banana'", "None", "[]", "-1.5", "object()")
OPEN = re.compile(r"^(?P<names>\w+(?:, \w+)*) = \.\.\.(?:, \.\.\.)*(?P<comment> .*)?$", re.MULTILINE)
"""The line that a reader completes: one name or several, each with its three dots."""

_RUN = """
import contextlib as _contextlib, io as _io
for _source in {sources!r}:
    with _contextlib.redirect_stdout(_io.StringIO()) as _said:
        exec(_source, dict(globals()))
    _verdict = _said.getvalue().strip().splitlines()[-1]
    assert _verdict.startswith({beginning!r}), f"{{_verdict}}\\n\\n{{_source}}"
"""


def cells(name: str, notebook: nbformat.NotebookNode) -> Iterator[tuple[int, dict[str, str]]]:
    """For each exercise: the index of its cell, and the code of its four checks by what they try."""
    number = 0
    for index, cell in enumerate(notebook.cells):
        if "exercise" in cell.metadata.get("tags", []):
            solution = re.search(r"```python\n(.*?)\n```", notebook.cells[index + 1].source, re.DOTALL)
            yield index, checks(cell.source, solution[1], WRONG[name][number])
            number += 1


def checks(exercise: str, solution: str, wrong: list[str]) -> dict[str, str]:
    """The code of the four checks; each says which answer was judged otherwise than it should be."""
    return {
        "untouched": _RUN.format(sources=[exercise], beginning="Not answered yet"),
        "nonsense": _RUN.format(sources=[answered(exercise, one) for one in NONSENSE], beginning="Not quite."),
        "wrong": _RUN.format(sources=[answered(exercise, one) for one in wrong], beginning="Not quite."),
        "solution": _RUN.format(sources=[OPEN.sub(lambda _: solution, exercise)], beginning="Right."),
    }


def answered(exercise: str, answer: str) -> str:
    """The exercise with an expression in place of its dots; where several names are asked, each gets nonsense."""
    names = OPEN.search(exercise)["names"]
    value = ", ".join([answer] * (names.count(",") + 1)) if answer in NONSENSE else answer
    return OPEN.sub(lambda _: f"{names} = {value}", exercise)


def beside(items: list) -> list:
    """nbval's items with the four checks behind each exercise."""
    added = []
    for item in items:
        added.append(item)
        if isinstance(item, IPyNbCell) and "exercise" in item.cell.metadata.get("tags", []):
            added += _items(item)
    return added


def _items(item: IPyNbCell) -> Iterator[IPyNbCell]:
    file: IPyNbFile = item.parent
    index = next(index for index, cell in enumerate(file.nb.cells) if cell is item.cell)
    for what, code in dict(cells(file.path.stem, file.nb))[index].items():
        cell, options = nbformat.v4.new_code_cell(code), defaultdict(bool)
        name = f"{item.name}, {what}"
        yield IPyNbCell.from_parent(file, name=name, cell_num=item.cell_num, cell=cell, options=options)
