"""Every view and every panel as a reader sees it: accessible and whole, in both themes, wide and narrow."""

from __future__ import annotations

from datetime import date

import gallery
import pytest
from axe import OUTPUTS, violations
from pages import BROKEN, CUT, EVERY_CELL, shot, to_cell
from test_decide_record import sample_record

from helpers.decide import Record

pytestmark = pytest.mark.browser


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


SIZES = """() => [...document.querySelectorAll('.jp-RenderedPlotly')].map(chart => {
  const box = chart.getBoundingClientRect(), drawing = chart.querySelector('.main-svg').getBoundingClientRect();
  return [Math.round(box.width - drawing.width), Math.round(box.height - drawing.height)];
})"""
"""How much wider and higher than its drawing each chart's place in the page is."""


def test_a_chart_that_is_scrolled_away_survives_a_new_size_of_the_window(open_notebook):
    chart = "from helpers import costs, show\nshow.training_sums(costs.article_training())"
    page = open_notebook(*["'a cell'\n" * 12] * 25, chart, *["'a cell'\n" * 12] * 10)
    for width, height in ((1100, 1400), (760, 1400), (1280, 900)):
        page.evaluate(EVERY_CELL)
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(1000)
        to_cell(page, 25)
        page.wait_for_timeout(1000)
        assert page.evaluate(SIZES) == [[0, 0]], (width, height)


LINES = """() => [...document.querySelectorAll('.kit-radio > .widget-label')]
    .filter(title => title.offsetParent).map(title => {
  const text = document.createRange();
  text.selectNodeContents(title);
  const tops = new Set([...text.getClientRects()].map(line => Math.round(line.top)));
  return [tops.size, title.getBoundingClientRect().height / tops.size / parseFloat(getComputedStyle(title).fontSize)];
})"""
"""How many lines each question in sight takes, and how high a line is, in sizes of its letters."""


def test_a_question_of_two_lines_is_not_double_spaced(open_notebook):
    page = open_notebook(gallery.START, gallery.PANELS["checklist"])
    page.evaluate("window.jupyterapp.commands.execute('application:toggle-left-area')")
    page.set_viewport_size({"width": 390, "height": 1200})
    to_cell(page, 1)
    found = page.evaluate(LINES)
    assert max(lines for lines, _ in found) > 1 and all(height < 1.5 for _, height in found), found
