"""Free text in charts, cards and the box for a product of the reader's own."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from helpers import data, show
from helpers.errors import HostError
from helpers.evaluate import free_text, text_rules
from helpers.evaluate.inference.store import Reply
from helpers.records import Candidate, Example
from helpers.show.html.elements import literal

VOICE = Path(__file__).resolve().parents[1] / "data" / "sample" / "brand_voice"
RULES = text_rules.load_rules(VOICE / "rules.toml")
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
    names = chart.layout.yaxis.ticktext
    assert len(names) == 20 and len(chart.layout.xaxis.ticktext) == 4 and NASTY not in chart.to_json()
    assert not [name for name in names if "…" in name], "the shop's own rules are read in full"
    tuned = dict(zip(names, [line[0] for line in cells.z], strict=True))
    assert tuned["No exclamation mark"] == 10 and sum(tuned.values()) == 10
    at = names.index("No exclamation mark")
    assert cells.text[at][:2] == ["10", "100"] and list(cells.customdata[at][0])[:2] == ["tuned", "No exclamation mark"]
    title = chart.layout.title.text.replace("<br>", " ")
    assert title.startswith("“tuned” breaks 0 rules in half of its copies or more, “prompted” and ")
    assert " to 9; broken most: " in title
    assert chart.layout.xaxis.side == "top", "twenty lines are more than a screen"
    assert "darker" not in chart.layout.meta["sentence"], "in the dark theme a full cell is the brighter one"
    assert all(line[3] == 0 for line in cells.z) and len(chart.to_json()) < 30_000


def test_rules_and_rivals_that_read_alike_keep_their_own_line_and_column():
    long = "No word that a shop window would shout at people who pass by"
    words = ({"kind": "banned_words", "words": [word]} for word in ("stool", "gem", "jug"))
    described = ("Calm", "Calm", f"{long}, in spring")
    alike = [
        {"id": f"rule {place}", "description": said, **rule}
        for place, (said, rule) in enumerate(zip(described, words, strict=True))
    ]
    alike += [{"id": "rule 3", "description": f"{long}, in autumn", "kind": "regex_absent", "pattern": "oak"}]
    name = "a prompt with the guide and "
    texts = {f"{name}4 examples": ["A gem."], f"{name}16 examples": ["An oak stool, a gem."]}
    chart = show.rules_broken(free_text.rule_table(texts, alike))
    [cells] = chart.data
    assert len(set(cells.x)) == 2 and len(set(cells.y)) == 4, "plotly draws equal names into one line"
    full = {line[1][1]: [broken for broken in lines] for line, lines in zip(cells.customdata, cells.z, strict=True)}
    assert [full[f"{long}, in autumn"], full[f"{long}, in spring"]] == [[0, 100], [0, 0]]
    assert list(chart.layout.yaxis.ticktext).count("Calm") == 2


def test_the_title_when_all_rivals_are_alike():
    chart = show.rules_broken(free_text.rule_table({"a": COPIES["prompted"], "b": COPIES["prompted"]}, RULES))
    assert chart.layout.title.text.startswith("Each rival breaks")


def test_the_title_names_the_tuned_rival_and_no_single_one_of_many_that_are_level():
    """The chart of a tuned model was headed by another that broke as many rules, and by one of four that tied."""
    kept = {"guide": [0, 0], "near": [0, 0], "few": [0, 0], "bare": [0, 1], "tuned, seed 1": [1, 0]}
    lines = [
        {"rival": rival, "rule": f"r{n}", "description": f"Rule {n}", "kept": share, "low": 0, "high": 1, "copies": 6}
        for rival, shares in kept.items()
        for n, share in enumerate(shares)
    ]
    title = show.rules_broken(pd.DataFrame(lines)).layout.title.text.replace("<br>", " ")
    assert title.startswith("“tuned, seed 1” breaks 1 rule in half of its copies or more, the others 1 to 2; ")
    without = pd.DataFrame([line for line in lines if "tuned" not in line["rival"]])
    title = show.rules_broken(without).layout.title.text.replace("<br>", " ")
    assert title.startswith("“bare” breaks 1 rule in half of its copies or more, several 2; ")
    without = without[without["rival"].isin(["guide", "near", "bare"])]
    assert "more, “guide” and “near” 2; " in show.rules_broken(without).layout.title.text.replace("<br>", " ")


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


def test_every_share_of_a_pass_is_drawn_and_can_be_told_from_the_others():
    names = ["a", "b", "c", "d", "e"]
    chart = show.passes(pd.DataFrame({"epoch": [1, 2], "loss": [3.0, 2.0]} | {name: [0.1, 0.2] for name in names}))
    assert [line.name for line in chart.data] == [*names, "loss"]
    looks = {(line.line.color, line.line.dash, line.marker.symbol) for line in chart.data}
    assert len(looks) == len(names) + 1


@pytest.mark.parametrize(
    "table, said",
    [
        ({"epoch": [], "loss": [], "rules_kept": []}, "There is no model to choose from"),
        ({"epoch": [1, 2], "loss": [None] * 2, "kept": [None] * 2}, "The host gives no loss; kept was not measured"),
        (
            {"epoch": [2.5, 5], "loss": [1, 2], "kept": [0.5, 0.4]},
            "Loss is lowest after pass 2.5; kept best after pass 2.5",
        ),
        ({"epoch": [3], "loss": [1], "kept": [0.5]}, "The host gives one model to choose from, after pass 3"),
    ],
)
def test_passes_say_what_is_missing(table, said):
    title = show.passes(pd.DataFrame(table).astype(float)).layout.title.text
    assert title.replace("<br>", " ") == said


def test_prices_stay_prices_in_every_view_of_text():
    priced = Example(({"role": "user", "content": "from $5 to $6"}, {"role": "assistant", "content": "$5"}))
    page = show.heard({"a": ["$5"], "b": ["$6"]}, [priced], places=(0,)).data
    assert page.startswith(literal("")[:-6])
    for before, after in (("at $5", "at $6"), ("$5 $6", "$5 $6")):
        assert show.prompt_diff(before, after).data.startswith(literal("")[:-6])
    panel = show.writer(lambda sheet: {"a": Reply("$5 or $6")}, "a stool, $7")
    panel.press()
    assert panel.shown.value.startswith(literal("")[:-6])


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


@pytest.mark.parametrize("problem", [RuntimeError("a <b>bug</b>"), KeyboardInterrupt()])
def test_whatever_goes_wrong_the_panel_does_not_wait_for_ever(problem):
    def broken(sheet: str) -> dict[str, Reply]:
        raise problem

    panel = show.writer(broken, "oak")
    with pytest.raises(type(problem)):
        panel.press()
    said = panel.shown.value
    assert "Writing" not in said and type(problem).__name__ in said and "<b>bug" not in said
    assert not panel.button.disabled


def test_a_saved_notebook_shows_the_last_copies():
    panel = show.writer(lambda sheet: {"the only one": Reply("A stool.")}, "oak stool & rail")
    assert "run this cell" in panel.picture() and "oak stool &amp; rail" in panel.picture()
    pictures = []
    panel._place = SimpleNamespace(update=lambda page: pictures.append(page.data))
    panel.press("elm stool")
    assert "Writing" in pictures[0] and "Both" not in pictures[0], "one writes, or three"
    assert "A stool." in pictures[-1] and "elm stool" in pictures[-1] and "the only one" in pictures[-1]


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
