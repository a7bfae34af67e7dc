"""No key that is typed in a panel reaches JupyterLab, wherever in the panel the reader has clicked."""

from __future__ import annotations

import pytest
from gallery import PANELS, START
from pages import shot

pytestmark = pytest.mark.browser

SHOWN = {f"kit-{name}": cell for name, cell in PANELS.items()}
TYPED = [*"abxcvzmyjkdd00ii", "Shift+M", "1", "2", "u", "ArrowDown", "Escape", "Enter"]
"""JupyterLab's keys in its command mode: insert, cut, merge, delete, restart, interrupt …, and the panels' own."""

TEXTS = """css => [...document.querySelectorAll(`.${css} :is(p, b, td, th, div, summary)`)].filter(
  one => one.offsetParent && !one.children.length && one.textContent.trim()
).slice(0, 40)"""


CONTROLS = (
    "select", "button", "summary", "[role=slider]", "input[type=checkbox]", "input[type=radio]", "input[type=text]",
    "input[type=number]", "textarea", "a",
)  # fmt: skip

COUNT = """() => [...document.querySelectorAll('.jp-Notebook .jp-Cell')].map(
  one => one.className.match(/jp-\\w+Cell/)[0]
)"""


def no_key_gets_through(page, css: str, cells: list[str]) -> None:
    for key in TYPED:
        page.keyboard.press(key)
    page.wait_for_timeout(200)
    where = page.evaluate("() => document.activeElement.outerHTML.slice(0, 200)")
    assert page.locator(".jp-Dialog").count() == 0, f"{css}: a dialog of JupyterLab's opened; focus: {where}"
    assert page.evaluate(COUNT) == cells, f"{css}: a cell was changed; focus: {where}"


def test_no_key_in_any_panel_reaches_jupyterlab(open_notebook):
    page = open_notebook(START, *SHOWN.values())
    for css in SHOWN:
        page.locator(f".{css}").wait_for()
    page.wait_for_timeout(2000)
    cells = page.evaluate(COUNT)
    for css in SHOWN:
        panel = page.locator(f".{css}").first
        panel.scroll_into_view_if_needed()
        found = page.evaluate_handle(TEXTS, css)
        for nth in (0, 3, 7):  # text, anywhere in the panel
            text = page.evaluate_handle("([all, nth]) => all[Math.min(nth, all.length - 1)]", [found, nth]).as_element()
            text.scroll_into_view_if_needed()
            text.click()
            page.wait_for_timeout(100)
            no_key_gets_through(page, css, cells)
            if not text.is_visible():
                break
        for control in CONTROLS:
            for element in panel.locator(f"{control}:visible").all()[:1]:
                element.focus()
                no_key_gets_through(page, css, cells)
        box = panel.bounding_box()  # the margin of the panel
        page.mouse.click(box["x"] + 3, box["y"] + 3)
        page.wait_for_timeout(100)
        no_key_gets_through(page, css, cells)
    shot(page, "keys")


def test_selecting_text_with_the_mouse_keeps_both_the_selection_and_the_cell(open_notebook):
    page = open_notebook(START, PANELS["checklist"])
    title = page.locator(".kit-checklist [role=status] b").first
    title.wait_for()
    page.wait_for_timeout(2000)
    cells, box = page.evaluate(COUNT), title.bounding_box()
    page.mouse.move(box["x"] + 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 150, box["y"] + box["height"] / 2, steps=5)
    page.mouse.up()
    page.wait_for_timeout(200)
    assert len(page.evaluate("() => getSelection().toString()")) > 5
    no_key_gets_through(page, "kit-checklist", cells)
