"""Lesson 0's own ladder in a real JupyterLab, from its first choice to its result with nothing but Shift+Enter."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from pages import KERNEL, shot

pytestmark = pytest.mark.browser

TOP = Path(__file__).resolve().parents[2]
LESSON = TOP / "notebooks" / "00_should_you_fine_tune.ipynb"
SHORTER = {
    "ROWS = 80": "ROWS = 6",
    "FRESH = 40": "FRESH = 4",
    "max_tokens=48": "max_tokens=12",
    "../data/sample": str(TOP / "data" / "sample"),
}
"""Fewer rows and shorter answers; all else is the lesson's."""


def ladder_cells() -> list[str]:
    """The lesson's code cells from its choices to the winner's second look."""
    code = [cell.source for cell in nbformat.read(LESSON, as_version=4).cells if cell.cell_type == "code"]
    [first] = [i for i, source in enumerate(code) if source.startswith("PROJECT = ")]
    [last] = [i for i, source in enumerate(code) if source.startswith("winner = ")]
    cells = code[first : last + 1]
    for old, new in SHORTER.items():
        assert any(old in source for source in cells), f"the lesson no longer says {old}"
        cells = [source.replace(old, new) for source in cells]
    return cells


def test_the_ladder_by_keyboard_alone(open_notebook):
    cells = ladder_cells()
    page = open_notebook(*cells, run=False)
    page.wait_for_function(f"{KERNEL}?.status === 'idle'")
    page.wait_for_timeout(1500)  # a cold JupyterLab may still move the focus by itself
    for done in range(1, len(cells) + 1):
        page.keyboard.press("Shift+Enter")
        page.wait_for_function(
            "done => [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')]"
            ".filter(prompt => /\\d/.test(prompt.textContent)).length >= done",
            arg=done,
        )
    assert page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    page.get_by_text("the best of 6 prompts, scored").wait_for()
    assert page.get_by_text("fresh ones (95 % interval").is_visible()
    shot(page, "ladder_winner")
    for _ in range(4):  # back up to the table and its chart, still by keyboard
        page.keyboard.press("ArrowUp")
    page.locator(".js-plotly-plot .main-svg").first.wait_for()
    assert page.get_by_role("table", name="6 validation rows").is_visible()
    page.wait_for_timeout(500)
    shot(page, "ladder")
