"""Every view and every panel as a reader sees it: accessible and whole, in both themes, wide and narrow."""

from __future__ import annotations

import gallery
import pytest
from axe import OUTPUTS, violations
from pages import shot

pytestmark = pytest.mark.browser


def to_cell(page, at: int) -> str:
    """Bring a cell to the top of the page; returns the selector of its outputs."""
    page.evaluate("at => window.jupyterapp.shell.currentWidget.content.scrollToItem(at, 'start')", at)
    cell = f".jp-Cell[data-windowed-list-index='{at}']"
    page.locator(cell).wait_for()
    page.wait_for_timeout(500)
    return f"{cell} {OUTPUTS}"


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_every_view_is_accessible(open_notebook, theme):
    page = open_notebook(*gallery.cells(), theme=f"JupyterLab {theme}")
    page.wait_for_timeout(3000)
    found = {}
    for width in (1280, 760):
        page.set_viewport_size({"width": width, "height": 1400})
        for at, name in enumerate(gallery.names()):
            if not name:
                continue
            outputs = to_cell(page, at)
            shot(page, f"view_{theme}_{width}_{at:02}_{name.replace(' ', '_').replace(',', '')}")
            found[name, width] = violations(page, outputs)
    assert {where: broken for where, broken in found.items() if broken} == {}
