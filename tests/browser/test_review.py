"""The review panel in a real JupyterLab in a real Chromium, from the first item to the written file, by keys alone."""

from __future__ import annotations

import pytest
from pages import kernel_value, shot
from test_widgets import into_outputs, tab_to, unnamed_controls

pytestmark = pytest.mark.browser

START = """
import json
from pathlib import Path
from helpers import data, show
asked = ["Where is <b>it</b>?", "where is <b>it</b>?", "Refund?", "refund?", "Return?", "return?", "Broken?", "broken?"]
turns = [[{"role": "user", "content": q}, {"role": "assistant", "content": a}] for q, a in zip(asked, "abcdefgh")]
turns += [[{"role": "user", "content": w * 9}, {"role": "assistant", "content": w}] for w in "qrstuvwxyz"]
Path("rows.jsonl").write_text("".join(json.dumps({"messages": chat}) + "\\n" for chat in turns))
queue = data.queue("rows.jsonl", data.check("rows.jsonl", provider="local", near_duplicates=False))
panel = show.review(queue, "decisions.json")
panel
"""
FIELD = "Type here: 1, 2, b, d, e, space, u"


def test_review_from_start_to_file_by_keyboard_alone(open_notebook):
    page = open_notebook(START)
    panel = page.locator(".kit-review")  # its picture, which is hidden, says the same
    panel.get_by_text("1 of 4.").wait_for()
    assert unnamed_controls(page) == []
    assert page.locator(".kit-review [role=status] b", has_text="it").count() == 0, "readers' text is shown as text"
    shot(page, "review")

    into_outputs(page)
    tab_to(page, "textbox", FIELD)
    for key, shown in (("2", "2 of 4."), ("u", "1 of 4."), ("1", "2 of 4."), ("Space", "3 of 4.")):
        page.keyboard.press(key)
        panel.get_by_text(shown).wait_for()
    tab_to(page, "textbox", "Answer to use with e")
    page.keyboard.press("Control+a")
    page.keyboard.type("the right one")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("e")
    panel.get_by_text("4 of 4.").wait_for()
    page.keyboard.press("d")
    panel.get_by_text("3 of 4 decided.").wait_for()
    shot(page, "review_end")

    kept = "[row.answer for row in data.read(data.resolve('rows.jsonl', panel.decisions, to='done.jsonl'))][:4]"
    assert kernel_value(page, kept) == ["a", "c", "d", "the right one"]
    assert kernel_value(page, "show.review(queue, 'decisions.json').review.at") == 1, "what was put off comes again"
