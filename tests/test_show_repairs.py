"""Pairs side by side, a repair's changes, and answer lengths: what they show, and that readers' text is escaped."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from helpers import data, show

EVIL = "<script>alert(1)</script>"


def chat(question: str, answer: str) -> str:
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return json.dumps({"messages": turns}) + "\n"


@pytest.fixture
def export(tmp_path: Path) -> Path:
    rows = [chat(f"question {i} about thing {i * 7}", "yes" if i % 2 else "no") for i in range(20)]
    rows += [
        chat(f"{EVIL} where is it", "yes"),
        chat(f"{EVIL} where is it", "no"),
        rows[3],
        chat("mail a@b.org", " no "),
    ]
    path = tmp_path / "export.jsonl"
    path.write_text("".join(rows), encoding="utf-8")
    return path


def test_pairs_stand_side_by_side_and_are_escaped(export):
    queue = data.queue(export, data.check(export, near_duplicates=False), codes=data.PAIRS)
    shown = show.pairs(queue).data
    assert "2 pairs of rows" in shown and "contradiction" in shown and "duplicate" in shown
    assert "line 21" in shown and "line 22" in shown and "line 4" in shown and "line 23" in shown
    assert "<script" not in shown and "&lt;script" in shown
    assert "1 more pair." in show.pairs(queue, most=1).data
    assert "0 pairs of rows" in show.pairs(queue.head(0)).data


def test_changes_mark_what_changed_and_hide_what_was_removed(export, tmp_path):
    done = data.repair(export, data.check(export), to=tmp_path / "clean.jsonl")
    shown = show.changes(done.log).data
    assert "<del>(hidden)</del><ins>[email removed]</ins>" in shown
    assert "a@b.org" not in shown and "a@b.org" in done.log["before"].str.cat()
    assert "left out: <del>" in shown
    evil = pd.DataFrame([{"line": 1, "code": "json", "before": EVIL + "\x01", "after": "<b>"}])
    assert "<script" not in show.changes(evil).data and r"\x01" in show.changes(evil).data
    assert "0 changes of 0 kinds" in show.changes(evil.head(0)).data


KEY, EMAIL = "sk-proj-" + "a1B2c3D4e5" * 3, "jo.bloggs@mail.net"


@pytest.mark.parametrize("between", [" ", "\n", "\t", '"'])
def test_secrets_of_rows_that_are_shown_stay_hidden(tmp_path, between):
    """A dropped duplicate is shown as it was, and its row holds more than what was wrong with it."""
    row = chat(f"My key{between}{KEY}{between}does not work, write to {EMAIL}", "yes")
    path = tmp_path / "export.jsonl"
    path.write_text(row * 2 + "".join(chat(f"question {i} about thing {i * 7}", "no") for i in range(12)))
    report = data.check(path, near_duplicates=False)
    paired = show.pairs(data.queue(path, report, codes=data.PAIRS)).data
    done = data.repair(path, report, to=tmp_path / "clean.jsonl")
    assert done.log.loc[done.log["after"].isna(), "code"].tolist() == ["duplicate"]
    for shown in (paired, show.changes(done.log).data):
        assert KEY[8:16] not in shown and "bloggs" not in shown
        assert "[api key removed]" in shown and "[email removed]" in shown


def test_a_secret_beside_a_change_stays_hidden_though_it_is_cut():
    before = f"My password: {KEY}   yes"
    log = pd.DataFrame([{"line": 1, "code": "whitespace", "before": before, "after": before.replace("   ", " ")}])
    shown = show.changes(log).data
    assert not [part for part in (KEY[-6:], KEY[-20:-10]) if part in shown] and "removed]" in shown


def test_answer_lengths_say_what_they_find():
    rows = pd.DataFrame({"label": ["a"] * 5 + ["b"] * 5 + [None], "answer_chars": [10] * 5 + [40] * 5 + [500]})
    title = show.answer_lengths(rows).layout.title.text
    assert title.replace("<br>", " ").startswith("Half of the answers under 'no label' have at least 500 characters")
    alike = show.answer_lengths(rows.assign(answer_chars=20))
    assert "about as long under every label" in alike.layout.title.text
    assert list(alike.data[0].y) == ["a (5)", "b (5)", "no label (1)"]
    evil = show.answer_lengths(rows.assign(label=EVIL))
    assert "<script" not in str(evil.data[0].y) and "<script" not in evil.layout.title.text
    assert show.answer_lengths(rows.head(0)).layout.title.text == "There are no answers yet"


def test_secrets_in_the_calls_of_a_row_that_is_left_out_stay_hidden(tmp_path):
    function = {"name": "send", "arguments": json.dumps({"to": EMAIL, "api_key": KEY})}
    calls = [{"id": "1", "type": "function", "function": function}]
    turns = [{"role": "user", "content": "send it"}, {"role": "assistant", "content": None, "tool_calls": calls}]
    path = tmp_path / "export.jsonl"
    path.write_text((json.dumps({"messages": turns}) + "\n") * 2 + chat("question", "no"))
    done = data.repair(path, data.check(path, near_duplicates=False), to=tmp_path / "clean.jsonl")
    assert "duplicate" in set(done.log["code"]) and "personal_email" in set(done.log["code"])
    shown = show.changes(done.log).data
    assert KEY[8:16] not in shown and "bloggs" not in shown
