"""The error panel in a real JupyterLab in a real Chromium, by keys alone: tags, remedies, undo, chart, and reload."""

from __future__ import annotations

import pytest
from pages import kernel_value, shot
from test_widgets import into_outputs, tab_to, unnamed_controls

pytestmark = pytest.mark.browser

START = """
import json
from helpers import show
from helpers.evaluate import metrics
from helpers.evaluate.results.scoring import score_replies
from helpers.evaluate.inference.store import Reply
from helpers.records import Example
IDEAL = ["damaged_or_wrong", "delivery_late"] + ["returns"] * 22
def say(category, urgency): return json.dumps({"category": category, "urgency": urgency, "order_id": None})
def ask(i):
    return ({"role": "user", "content": f"Hello, the <b>kettle</b> that I ordered came with a dent, number {i}. I "
             "paid $2 and $3 for the post and would like another one, or my money back, whichever is quicker."},
            {"role": "assistant", "content": say(IDEAL[i], "low")})
rows = [Example(ask(i), line=i + 1) for i in range(24)]
answers = [say(label, "low") for label in IDEAL[:2] + ["damaged_or_wrong"] * 7] + [say("returns", "high")] * 4
answers += [say("delivery_late", "high")] * 6 + [say("returns", "low")] * 2 + ["I <i>want</i> a refund."] * 2
replies = [Reply(text=text) for text in answers] + [Reply(missing="timeout")]
about = {"id": "c1", "model": "m", "host": "local", "role": "tuned", "known_by": "", "parameters": None}
fields = [metrics.field("category"), metrics.field("urgency"), metrics.field("order_id")]
results = score_replies("tuned, seed 1", about, rows, replies, [metrics.all_fields, *fields], split="test")
"""
PANEL = "panel = show.errors(results, 'tuned, seed 1', rows, 'errors.json'); panel"
KEYS, NEW = "Type here: 1 to 9, space, p, t, e, u", "New tag, then Enter"
HAS_FOCUS = "name => document.activeElement?.closest('.widget-text')?.textContent.includes(name)"


def type_tag(page, tag: str) -> None:
    """With ``t`` to the field for new tags, and back by Enter to the field that takes keys."""
    page.keyboard.press("t")
    page.wait_for_function(HAS_FOCUS, arg=NEW)
    page.keyboard.type(tag)
    page.keyboard.press("Enter")
    page.get_by_role("button", name=f"{tag} ✓").wait_for()
    page.wait_for_function(HAS_FOCUS, arg="Type here")


def go_on(page, row: int) -> None:
    page.keyboard.press("Space")
    page.locator(".kit-errors").get_by_text(f"Wrong row {row} of 20").wait_for()


def test_twenty_wrong_rows_are_tagged_by_keyboard_alone(open_notebook):
    page = open_notebook(START, PANEL)
    page.set_viewport_size({"width": 1100, "height": 1250})
    page.locator(".kit-errors").get_by_text("Wrong row 1 of 20").wait_for()
    assert unnamed_controls(page) == []
    assert page.locator(".kit-errors [role=status] b", has_text="kettle").count() == 0, "readers' text is text"
    assert page.get_by_role("cell", name="✗ wrong").count() == 1, "the wrong field is marked in words"

    into_outputs(page)
    tab_to(page, "textbox", KEYS)
    type_tag(page, "dent is no return")
    for row in range(2, 8):
        go_on(page, row)
        page.keyboard.press("1")
        page.get_by_role("button", name="1: dent is no return ✓").wait_for()
    shot(page, "errors_row")
    go_on(page, 8)
    type_tag(page, "too urgent")
    for row in range(9, 18):
        go_on(page, row)
        page.keyboard.press("2")
        page.get_by_role("button", name="2: too urgent ✓").wait_for()
    page.keyboard.press("1")
    page.get_by_role("button", name="1: dent is no return ✓").wait_for()
    page.keyboard.press("u")
    page.get_by_role("button", name="1: dent is no return", exact=True).wait_for()
    for row in (18, 19, 20):
        go_on(page, row)
        type_tag(page, "says <b>nothing</b>") if row == 18 else page.keyboard.press("3")
        page.get_by_role("button", name="3: says <b>nothing</b> ✓").wait_for()
    shot(page, "errors_no_json")

    page.keyboard.press("Space")
    page.locator(".kit-errors").get_by_text("20 of 20 wrong rows are tagged.").wait_for()
    page.wait_for_selector(".kit-errors .js-plotly-plot .main-svg")
    for tag, letter, remedy in (
        ("too urgent", "p", "prompt"), ("dent is no return", "l", "label wrong"), ("says <b>nothing</b>", "d", "data"),
    ):  # fmt: skip
        tab_to(page, "combobox", f"{tag}: what helps?")
        page.keyboard.press(letter)
        page.get_by_role("cell", name=remedy, exact=True).wait_for()
    assert unnamed_controls(page) == []
    page.wait_for_timeout(500)
    shot(page, "errors_end_light")
    page.evaluate("window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
    page.wait_for_timeout(1500)
    drawn = page.locator(".kit-errors .js-plotly-plot").bounding_box()
    assert drawn["height"] > 200, "a chart that was drawn anew keeps its height"
    shot(page, "errors_end_dark")
    page.get_by_role("group", name="The tags, the most frequent first").scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    shot(page, "errors_advice_dark")
    assert kernel_value(page, "panel.wrong_labels()['line'].tolist()") == list(range(3, 10))
    counted = [
        ["too urgent", 10, "prompt"],
        ["dent is no return", 7, "label wrong"],
        ["says <b>nothing</b>", 3, "data"],
    ]
    table = "show.errors(results, 'tuned, seed 1', rows, 'errors.json').tagging.table()"
    assert kernel_value(page, f"{table}[['tag', 'rows', 'remedy']].values.tolist()") == counted


def test_a_reload_goes_on_where_the_reader_stopped_and_no_shortcut_gets_through(open_notebook):
    page = open_notebook(START + "open('errors.json', 'w').close(); __import__('os').remove('errors.json')", PANEL)
    page.locator(".kit-errors").get_by_text("Wrong row 1 of 20").wait_for()
    page.wait_for_timeout(3500)  # the panel's script has run for good
    page.locator(".kit-errors").get_by_text("Wrong row 1 of 20").click()
    page.wait_for_function(HAS_FOCUS, arg="Type here")
    page.keyboard.press("d")
    page.keyboard.press("d")  # would delete the cell
    type_tag(page, "dent")
    go_on(page, 2)
    page.keyboard.press("1")
    page.get_by_role("button", name="1: dent ✓").focus()
    page.keyboard.press("a")  # would insert a cell
    page.keyboard.press("d")
    page.keyboard.press("d")
    assert page.locator(".jp-Notebook .jp-CodeCell").count() == 2
    page.get_by_text("20 wrong rows by tuned, seed 1, 2 tagged so far.").wait_for()
    page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_timeout(1500)
    page.evaluate("window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
    page.wait_for_timeout(1000)
    shot(page, "errors_row_dark")

    page.reload()
    page.get_by_text("20 wrong rows by tuned, seed 1, 2 tagged so far.").wait_for()
    page.wait_for_timeout(3000)
    shot(page, "errors_reloaded")
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:restart-run-all') }")
    page.get_by_role("button", name="Confirm Kernel Restart").click()
    page.locator(".kit-errors").get_by_text("Wrong row 2 of 20").wait_for()
    assert page.locator(".kit-errors").get_by_text("Tags: dent").is_visible()


def test_confusions_and_fields_in_both_themes(open_notebook):
    page = open_notebook(START, "show.confusion(results, 'tuned, seed 1', 'category')", "show.fields(results, fields)")
    page.wait_for_selector(".js-plotly-plot .main-svg")
    page.get_by_text("category costs most rows for 1 of 1 candidate.").wait_for()
    assert page.locator(".kit-chart b").text_content().endswith("damaged_or_wrong in 7 of 22 rows")
    page.wait_for_timeout(500)
    shot(page, "confusion_light")
    page.evaluate("window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
    page.wait_for_timeout(1500)
    shot(page, "confusion_dark")
