"""Lesson 0's own ladder in a real JupyterLab, from its first choice to its result with nothing but Shift+Enter."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from pages import KERNEL, kernel_value, shot

pytestmark = pytest.mark.browser

TOP = Path(__file__).resolve().parents[2]
LESSON = TOP / "notebooks" / "00_should_you_fine_tune.ipynb"
SHORTER = {
    "(10, 6)": "(6, 4)",
    "(80, 40)": "(6, 4)",
    '"max_tokens": 48': '"max_tokens": 12',
    "budget_calls=48, part=12": "budget_calls=8, part=4",
    '"budget_calls": 30, "part": 4, "minibatch": 4, "reflection_tokens": 150': (
        '"budget_calls": 20, "part": 4, "minibatch": 4, "reflection_tokens": 30'
    ),
    "../data/sample": str(TOP / "data" / "sample"),
}
"""Fewer rows, shorter answers and shorter searches; all else is the lesson's."""


def ladder_cells() -> list[str]:
    """The lesson's code cells from its choices to the winner's second look."""
    code = [cell.source for cell in nbformat.read(LESSON, as_version=4).cells if cell.cell_type == "code"]
    [first] = [i for i, source in enumerate(code) if "PROJECT = " in source]
    [last] = [i for i, source in enumerate(code) if source.startswith("winner = ")]
    cells = code[first : last + 1]
    for old, new in SHORTER.items():
        assert any(old in source for source in cells), f"the lesson no longer says {old}"
        cells = [source.replace(old, new) for source in cells]
    return cells


LONGEST_CELL_MS = 300_000
"""The ladder asks a real model some forty questions, six of them with a prompt of 2,900 tokens."""
DONE = "window.jupyterapp.shell.currentWidget.content.widgets.filter(cell => cell.model.executionCount).length"
"""Asked of JupyterLab itself: cells that are scrolled away are not in the page."""


def up_to(page, selector: str) -> None:
    """Press the up arrow until such an element can be seen."""
    for _ in range(12):
        if page.locator(selector).count() and page.locator(selector).first.is_visible():
            return
        page.keyboard.press("ArrowUp")
        page.wait_for_timeout(400)
    raise AssertionError(f"nothing like {selector} above")


def test_the_ladder_by_keyboard_alone(open_notebook):
    cells = ladder_cells()
    page = open_notebook(*cells, run=False)
    page.wait_for_function(f"{KERNEL}?.status === 'idle'")
    page.wait_for_timeout(1500)  # a cold JupyterLab may still move the focus by itself
    for done in range(1, len(cells) + 1):
        page.keyboard.press("Shift+Enter")
        page.wait_for_function(f"done => {DONE} >= done", arg=done, timeout=LONGEST_CELL_MS)
    page.get_by_text(re.compile(r"the best of \d+ prompts, scored")).wait_for()
    shot(page, "ladder_winner")
    said = kernel_value(page, "evaluate.second_look(ladder, again, winner).sentence")
    assert page.get_by_text(said).is_visible() and "on 4 fresh ones" in said
    page.keyboard.press("Escape")  # back up to the chart and its table, still by keyboard
    up_to(page, ".js-plotly-plot .main-svg")
    shot(page, "ladder_chart")
    up_to(page, ".jp-OutputArea-output .kit-caption:has-text('6 validation rows')")
    shot(page, "ladder_table")
