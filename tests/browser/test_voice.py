"""Lesson 7's panels by keyboard alone: a product typed into the box, both answers read, twelve pairs rated."""

from __future__ import annotations

import pytest
from pages import kernel_value, shot
from test_widgets import START, into_outputs, tab_to, unnamed_controls

pytestmark = pytest.mark.browser

DESK = """
from helpers.evaluate.inference.store import Reply
rules = [{"id": "calm", "kind": "regex_absent", "pattern": "!", "description": "No exclamation mark"}]
def both(sheet):
    return {"before": Reply(f"Introducing {sheet}! It is 99 cm."), "after": Reply("It hums. Oak, 45 cm.")}
desk = show.writer(both, "", rules)
desk
"""
PAIRS = """
pairs = [(f"Sheet {i}", {"tuned": f"It hums {i}.", "prompted": f"Introducing {i}!"}) for i in range(12)]
panel = show.rater(pairs, "twelve.json")
panel
"""


def test_a_product_is_typed_and_both_answers_are_read(open_notebook):
    page = open_notebook(START + DESK)
    panel = page.locator(".kit-writer")  # its picture, which is hidden, says the same
    panel.get_by_text("Change the facts").wait_for()
    assert unnamed_controls(page) == []
    into_outputs(page)
    tab_to(page, "textbox", "Facts")
    page.keyboard.type("stool, oak, 45 cm <b>")
    tab_to(page, "button", "Write the copy")
    page.keyboard.press("Enter")
    panel.get_by_text("Introducing stool, oak, 45 cm <b>!").wait_for()
    assert panel.get_by_text("Breaks 1 of 1 rules: No exclamation mark.").is_visible()
    assert panel.get_by_text("Not on the sheet: “99 cm”.").is_visible()
    assert panel.get_by_text("2 facts found, all on the sheet.").is_visible()
    assert not page.locator(".kit-picture").first.is_visible() and page.locator(".mathjax_ignore").count() >= 2
    shot(page, "voice_writer")
    assert kernel_value(page, "desk.copies['after']") == "It hums. Oak, 45 cm."


def test_twelve_pairs_are_rated_and_the_result_is_seen(open_notebook):
    page = open_notebook(START + PAIRS)
    panel = page.locator(".kit-rater")
    panel.get_by_text("Pair 1 of 12").wait_for()
    into_outputs(page)
    tab_to(page, "textbox", "Type here: 1, 2, 0, space, u")
    for at in range(12):
        wanted = kernel_value(page, f"panel.rating.sides({at}).index('tuned') + 1")
        page.keyboard.press("0" if at == 11 else str(wanted))
        panel.get_by_text(f"Pair {at + 2} of 12" if at < 11 else "All 12 pairs are rated").wait_for()
    said = panel.locator("[role=status]").inner_text()
    assert "“tuned” 11, “prompted” 0; 1 tie," in said and "“tuned” is preferred" in said
    shot(page, "voice_rated")
    assert kernel_value(page, "panel.verdicts('tuned').tolist()") == [1.0] * 11 + [0.0]
