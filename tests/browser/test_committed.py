"""The committed lessons as a reader first sees them in JupyterLab: nothing is garbled, no title is lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pages import shot

pytestmark = pytest.mark.browser

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
LESSONS = sorted(path for path in NOTEBOOKS.rglob("*.ipynb") if not path.name.startswith("my_"))

EVERY_CELL = """async () => {
  const panel = document.querySelector('.jp-Notebook .jp-WindowedPanel-outer, .jp-Notebook');
  const seen = {formulas: [], hidden: [], charts: 0};
  for (let at = 0; at <= panel.scrollHeight; at += 500) {
    panel.scrollTop = at;
    await new Promise(resolve => setTimeout(resolve, 150));
    document.querySelectorAll('mjx-container').forEach(one => seen.formulas.push(
      one.closest('.jp-OutputArea-output, .jp-MarkdownOutput')?.textContent.slice(0, 200)));
    document.querySelectorAll('.js-plotly-plot').forEach(chart => {
      seen.charts += 1;
      const title = chart.querySelector('.gtitle');
      if (!title || getComputedStyle(title).display === 'none' || !title.getBoundingClientRect().width)
        seen.hidden.push(chart.layout?.title?.text);
    });
  }
  return {formulas: [...new Set(seen.formulas)], hidden: [...new Set(seen.hidden)], charts: seen.charts};
}"""


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_no_price_turns_into_a_formula_and_no_title_is_lost(lesson, lab, open_page):
    shutil.copy(lesson, lab[2] / lesson.name)
    page = open_page(lesson.name)
    seen = page.evaluate(EVERY_CELL)
    shot(page, f"committed_{lesson.stem}")
    assert seen["formulas"] == []
    assert seen["hidden"] == []
