"""Every lesson as its reader runs it: Run All in JupyterLab, in order, in one home; then each output is looked at.

Brief, as in `make test`; `KIT_BRIEF= pytest -m browser tests/browser/test_run_all.py` runs the lessons whole.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from axe import OUTPUTS, violations
from lessons import ORDER
from pages import BROKEN, CUT, EVERY_CELL, shot, to_cell

pytestmark = pytest.mark.browser

TOP = Path(__file__).parents[2]
VIEWS = [("Light", 1280), ("Light", 760), ("Dark", 1280), ("Dark", 760)]
MAX_MINUTES = 60

STATE = """() => {
  const notebook = window.jupyterapp.shell.currentWidget, cells = notebook.content.model.toJSON().cells;
  const code = cells.filter(cell => cell.cell_type === 'code' && [cell.source].flat().join('').trim());
  return {
    left: code.filter(cell => !cell.execution_count).length,
    status: notebook.sessionContext.session.kernel.status,
    errors: code.flatMap(cell => cell.outputs).filter(output => output.output_type === 'error')
      .map(output => `${output.ename}: ${output.evalue}`),
    shown: cells.flatMap((cell, at) => cell.cell_type === 'code' && cell.outputs.length ? [at] : []),
  };
}"""


def run_all(page) -> dict:
    """Run every cell as the menu does, and wait for the last; what the notebook holds then, by `STATE`."""
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs') }")
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")  # not awaited
    deadline = time.monotonic() + 60 * MAX_MINUTES
    while time.monotonic() < deadline:
        page.wait_for_timeout(2000)
        state = page.evaluate(STATE)
        if state["errors"] or (state["status"] == "idle" and not state["left"]):
            return state
    pytest.fail(f"{state['left']} cells not run after {MAX_MINUTES} minutes")


@pytest.fixture(scope="module")
def checkout(lab):
    """A copy of the notebooks in the lab's folder, with what they read beside it."""
    shutil.copytree(TOP / "notebooks", lab[2] / "notebooks", ignore=shutil.ignore_patterns("my_*", ".*"))
    for name in ("data", "docs"):
        (lab[2] / name).symlink_to(TOP / name)


@pytest.mark.parametrize("lesson", ORDER)
def test_a_lesson_runs_and_nothing_is_cut_garbled_or_inaccessible(lesson, checkout, open_page):
    page = open_page(f"notebooks/{lesson}.ipynb", width=1280)
    page.evaluate("window.jupyterapp.commands.execute('application:toggle-left-area')")
    began = time.monotonic()
    state = run_all(page)
    print(f"{lesson}: {time.monotonic() - began:.0f} s")
    assert state["errors"] == []
    seen = page.evaluate(EVERY_CELL)
    found = [f"formula: {one}" for one in seen["formulas"]] + [f"no title: {one}" for one in seen["hidden"]]
    for theme, width in VIEWS:
        page.evaluate(f"window.jupyterapp.commands.execute('apputils:change-theme', {{theme: 'JupyterLab {theme}'}})")
        page.set_viewport_size({"width": width, "height": 1400})
        page.wait_for_timeout(1000)
        for at in state["shown"]:
            cell, where = to_cell(page, at), f"cell {at}, {theme}, {width} px"
            shot(page, f"run_{lesson}_{at:02}_{theme}_{width}")
            found += [f"{where}: {one}" for one in violations(page, f"{cell} {OUTPUTS}")]
            found += [f"{where}, cut: {one}" for one in page.evaluate(CUT, cell)]
            found += [f"{where}, broken: {one}" for one in page.evaluate(BROKEN, cell)]
    assert not found, "\n".join(found)
