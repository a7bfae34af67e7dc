"""Free text in charts, cards and the box for a product of the reader's own."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from helpers import data, show
from helpers.errors import HostError
from helpers.evaluate import free_text, rules
from helpers.evaluate.store import Reply
from helpers.records import Candidate, Example

VOICE = Path(__file__).resolve().parents[1] / "data" / "sample" / "brand_voice"
RULES = rules.load_rules(VOICE / "rules.toml")
TEST = data.read(VOICE / "test.jsonl")[:10]
NASTY = "<img src=x onerror=alert(1)> & <b>bold</b>"
COPIES = {
    "tuned": [row.answer for row in TEST[:9]] + [TEST[9].answer + "!"],
    "prompted": ["Introducing our 99 cm gem! It costs £5." for _ in TEST],
    NASTY: [None, *[NASTY] * 9],
    free_text.ARCHIVE: [row.answer for row in TEST],
}


def test_the_rules_that_each_rival_breaks():
    chart = show.rules_broken(free_text.rule_table(COPIES, RULES))
    [cells] = chart.data
    assert len(cells.y) == 20 and len(cells.x) == 4 and NASTY not in chart.to_json()
    tuned = dict(zip(cells.y, [line[0] for line in cells.z], strict=True))
    assert tuned["No exclamation mark"] == 10 and sum(tuned.values()) == 10
    assert cells.text[list(cells.y).index("No exclamation mark")][:2] == ["10", "100"]
    title = chart.layout.title.text.replace("<br>", " ")
    assert title.startswith("tuned breaks 0 rules in half of its copies or more, prompted ")
    assert all(line[3] == 0 for line in cells.z) and len(chart.to_json()) < 30_000


def test_the_title_when_all_rivals_are_alike():
    chart = show.rules_broken(free_text.rule_table({"a": COPIES["prompted"], "b": COPIES["prompted"]}, RULES))
    assert chart.layout.title.text.startswith("Each rival breaks")


def test_what_each_rival_wrote_stands_side_by_side_escaped():
    page = show.heard(COPIES, TEST, RULES, rivals=["prompted", NASTY, "tuned"], places=(0, 9)).data
    assert "<img" not in page and "(no answer)" in page and page.count("<b>Sheet</b>") == 2
    assert "Not on the sheet: “99 cm”" in page and "Keeps all 20 rules." in page
    assert "Breaks 1 of 20 rules: No exclamation mark." in page


def test_loss_and_what_one_cares_about_part_company():
    table = pd.DataFrame({"epoch": [1, 2, 3], "loss": [3.2, 3.0, 3.4], "rules_kept": [0.7, 0.8, 0.9], "model": "m"})
    chart = show.passes(table)
    assert chart.layout.title.text.replace("<br>", " ") == "Loss is lowest after pass 2; rules kept best after pass 3"
    kept, loss = chart.data
    assert list(kept.y) == [70, 80, 90] and loss.yaxis == "y2" and list(loss.y) == [3.2, 3.0, 3.4]


def written(sheet: str) -> dict[str, Reply]:
    assert sheet == "oak stool, 45 cm"
    return {"before": Reply("A 50 cm stool! <b>"), "after": Reply(None, missing="lost")}


def test_the_box_shows_what_both_wrote_and_what_there_is_to_say():
    panel = show.writer(written, "oak stool", RULES)
    panel.press(" oak stool, 45 cm\n")
    page = panel.shown.value
    assert "“50 cm”" in page and "No answer: lost" in page and "<b>&gt;" not in page and "! &lt;b&gt;" in page
    assert panel.copies == {"before": "A 50 cm stool! <b>", "after": None} and not panel.button.disabled
    assert "seconds" in page


def test_an_empty_box_asks_nobody():
    panel = show.writer(lambda sheet: pytest.fail("asked"), "oak")
    panel.press("  ")
    assert "empty" in panel.shown.value


def test_a_host_that_is_gone_is_said_in_the_panel():
    def gone(sheet: str) -> dict[str, Reply]:
        raise HostError("local does not answer.", fix="Start it.")

    panel = show.writer(gone, "oak")
    panel.button.click()
    assert "local does not answer" in panel.shown.value and not panel.button.disabled


def test_a_sheet_without_an_ideal_copy_is_written_about(monkeypatch, tmp_path):
    asked = []

    def ask(client, requests, **options):
        asked.extend(requests)
        return [Reply(f"by {one.model}") for one in requests]

    monkeypatch.setattr("helpers.evaluate.free_text.writing.ask", ask)
    shot = Example(({"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}))
    rivals = [Candidate("before", "m", system="guide", shots=(shot,)), Candidate("after", "ft", max_tokens=9)]
    replies = free_text.write(None, rivals, "oak", store=tmp_path / "s")
    assert {name: reply.text for name, reply in replies.items()} == {"before": "by m", "after": "by ft"}
    assert [message["content"] for message in asked[0].messages] == ["guide", "q", "a", "oak"]
    assert [message["content"] for message in asked[1].messages] == ["oak"] and asked[1].max_tokens == 9
