"""Every view and every panel as a reader sees it: accessible and whole, in both themes, wide and narrow."""

from __future__ import annotations

from datetime import date

import gallery
import pytest
from axe import OUTPUTS, violations
from pages import shot
from test_decide_record import sample_record

from helpers.decide import Record

pytestmark = pytest.mark.browser


def to_cell(page, at: int) -> str:
    """Bring a cell to the top of the page; returns its selector."""
    page.evaluate("at => window.jupyterapp.shell.currentWidget.content.scrollToItem(at, 'start')", at)
    cell = f".jp-Cell[data-windowed-list-index='{at}']"
    page.locator(cell).wait_for()
    page.wait_for_timeout(500)
    return cell


CUT = """cell => {
  const outputs = document.querySelector(cell).querySelectorAll('.jp-OutputArea-output'), found = [];
  for (const output of outputs) {
    for (const one of output.querySelectorAll('.kit-panel, .kit-panel *, .kit-chart *, .js-plotly-plot')) {
      if (!one.offsetParent || one.closest('[role=group][tabindex]')) continue;
      if (one.scrollWidth > one.clientWidth + 1 && /auto|scroll|hidden|clip/.test(getComputedStyle(one).overflowX)
          && one.clientWidth && !/input|textarea/i.test(one.tagName)) found.push(one.outerHTML.slice(0, 200));
    }
    const frame = output.getBoundingClientRect();
    for (const text of output.querySelectorAll('.js-plotly-plot text')) {
      const box = text.getBoundingClientRect();
      const plot = text.closest('[clip-path]') ? text.closest('.js-plotly-plot').querySelector('.nsewdrag') : null;
      const room = plot?.getBoundingClientRect() ?? frame;
      const sheet = text.closest('.main-svg').getBoundingClientRect();
      if (box.width && (box.left < room.left - 2 || box.right > room.right + 2
          || box.top < sheet.top - 2 || box.bottom > sheet.bottom + 2)) found.push(text.textContent);
    }
  }
  return found;
}"""
"""What of a cell's outputs is cut, or can be scrolled sideways; a bill, which is a region, may be."""

BROKEN = """cell => {
  const found = [];
  for (const one of document.querySelector(cell).querySelectorAll('.jp-OutputArea-output :is(td, th, caption)')) {
    const texts = document.createTreeWalker(one, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) for (const word of texts.currentNode.data.matchAll(/\\w{2,24}/g)) {
      const range = document.createRange();
      range.setStart(texts.currentNode, word.index);
      range.setEnd(texts.currentNode, word.index + word[0].length);
      if (new Set([...range.getClientRects()].map(box => Math.round(box.top))).size > 1) found.push(word[0]);
    }
  }
  return found;
}"""
"""Words and numbers of a cell's tables that go on in the next line."""


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_every_view_is_accessible_and_nothing_is_cut(open_notebook, theme):
    page = open_notebook(*gallery.cells(), theme=f"JupyterLab {theme}")
    page.evaluate("window.jupyterapp.commands.execute('application:toggle-left-area')")
    page.wait_for_timeout(3000)
    found = []
    for width in (1280, 760, 390):
        page.set_viewport_size({"width": width, "height": 1400})
        for at, name in enumerate(gallery.names()):
            if not name:
                continue
            cell = to_cell(page, at)
            shot(page, f"view_{theme}_{width}_{at:02}_{name.replace(' ', '_').replace(',', '')}")
            found += [f"{name}, {width} px: {one}" for one in violations(page, f"{cell} {OUTPUTS}")]
            found += [f"{name}, {width} px, cut: {one}" for one in page.evaluate(CUT, cell)]
            found += [f"{name}, {width} px, broken: {one}" for one in page.evaluate(BROKEN, cell)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_record_is_accessible(browser, tmp_path, scheme):
    page = browser.new_page(color_scheme=scheme)
    for name, record in {"full": sample_record(), "bare": Record("?", {}, None, date(2026, 11, 23))}.items():
        page.goto(record.write(tmp_path, name)["html"].as_uri())
        for width in (1280, 760, 390):
            page.set_viewport_size({"width": width, "height": 1200})
            found = violations(page)
            assert not found, f"{name}, {width} px:\n" + "\n".join(found)
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{name}, {width} px"
        shot(page, f"record_{name}_{scheme}")
    page.close()
