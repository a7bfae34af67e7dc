"""The look at the errors: which rows are wrong, the reader's tags on them, and the pictures of both. No browser."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from helpers import data, show
from helpers.errors import EvaluationError
from helpers.evaluate import metrics, mistakes
from helpers.evaluate.results import score_replies
from helpers.evaluate.store import Reply
from helpers.records import Example
from helpers.show.tagging import REMEDIES, Tagging

EVIL = "<img src=x onerror=alert(1)>"
FIELDS = [metrics.field("category"), metrics.field("urgency")]


def example(question: str, answer: str, line: int = 0) -> Example:
    return Example(({"role": "user", "content": question}, {"role": "assistant", "content": answer}), line=line)


def reply(text: str | None, missing: str = "") -> Reply:
    return Reply(text, missing, "stop", 10, 5, 0, 0.1)


def measured(examples, answers, scored, name="tuned", split="validation"):
    replies = [reply(a) if a is not None else reply(None, "timeout") for a in answers]
    about = {"id": "c1", "model": "m", "host": "local", "role": "tuned", "known_by": "", "parameters": None}
    return score_replies(name, about, examples, replies, scored, split=split)


def triage(category: str | None, urgency: str | None = "low", **more) -> str:
    return json.dumps({k: v for k, v in {"category": category, "urgency": urgency, **more}.items() if v})


@pytest.fixture
def rows() -> list[Example]:
    return [example(f"{EVIL} question {i}", triage("returns"), line=i + 1) for i in range(6)]


@pytest.fixture
def results(rows):
    answers = [
        triage("returns"),
        triage("damaged"),
        triage("returns", None),
        triage("returns", extra=EVIL),
        f"not JSON {EVIL}",
        None,
    ]
    return measured(rows, answers, [metrics.all_fields, *FIELDS])


# --- which rows ------------------------------------------------------------------------------------------------------


def test_wrong_rows_are_those_without_full_score_and_those_without_an_answer(results, rows):
    wrong = mistakes.wrong_rows(results, "tuned", rows)
    assert [row.example.line for row in wrong] == [2, 3, 4, 5, 6]
    assert [row.answer for row in wrong][-1] is None and wrong[-1].missing == "timeout"
    assert [row.example.line for row in mistakes.wrong_rows(results, "tuned", rows, "urgency")] == [3, 5, 6]


def test_wrong_rows_of_other_rows_or_by_a_measure_of_likeness_are_refused(results, rows):
    with pytest.raises(EvaluationError, match="not the rows that were measured"):
        mistakes.wrong_rows(results, "tuned", rows[1:])
    with pytest.raises(EvaluationError, match="no candidate 'x'"):
        mistakes.wrong_rows(results, "x", rows)
    alike = measured(rows, ["a"] * 6, [metrics.similarity, metrics.exact_match])
    with pytest.raises(EvaluationError, match="metric='exact_match'"):
        mistakes.wrong_rows(alike, "tuned", rows)
    assert len(mistakes.wrong_rows(alike, "tuned", rows, "exact_match")) == 6


def test_fields_are_marked_in_words(results, rows):
    verdicts = [
        {mark.name: mark.verdict for mark in mistakes.field_marks(row)}
        for row in mistakes.wrong_rows(results, "tuned", rows)
    ]
    assert verdicts == [
        {"category": "wrong", "urgency": "right"},
        {"category": "right", "urgency": "missing"},
        {"category": "right", "urgency": "right", "extra": "not asked for"},
        {},
        {},
    ]
    (mark, _) = mistakes.field_marks(mistakes.wrong_rows(results, "tuned", rows)[0])
    assert (mark.ideal, mark.answer) == ("returns", "damaged")


# --- tags ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def wrong(results, rows):
    return mistakes.wrong_rows(results, "tuned", rows)


def test_tags_are_kept_at_each_change_and_taken_up_again(wrong, tmp_path):
    session = Tagging(wrong, tmp_path / "e.json")
    session.tag("  Mixed\n up  returns ")
    session.tag("late")
    session.move(1)
    session.toggle("late")
    session.toggle("Mixed up returns")
    session.toggle("late")
    again = Tagging(wrong, tmp_path / "e.json")
    assert again.at == 1 and again.tags == ["Mixed up returns", "late"]
    assert again.on(0) == ["Mixed up returns", "late"] and again.on(1) == ["Mixed up returns"]
    again.tag("MIXED UP RETURNS")
    assert again.tags == ["Mixed up returns", "late"], "the same tag in other letters is that tag"
    again.tag("  ")
    assert again.tags == ["Mixed up returns", "late"]


def test_undo_takes_back_one_change_after_the_other_and_shows_its_row(wrong, tmp_path):
    session = Tagging(wrong, tmp_path / "e.json")
    session.tag("a")
    session.choose("a", "data")
    session.move(1)
    session.toggle("a")
    session.toggle("a")
    session.move(3)
    session.undo()
    assert session.at == 1 and session.on(1) == ["a"]
    session.undo()
    session.undo()
    assert session.remedy("a") == "" and session.on(0) == ["a"]
    again = Tagging(wrong, tmp_path / "e.json")
    again.undo()
    again.undo()
    assert again.at == 0 and again.tags == [] and Tagging(wrong, tmp_path / "e.json").tags == []


def test_two_sessions_on_one_file_lose_nothing(wrong, tmp_path):
    one, other = Tagging(wrong, tmp_path / "e.json"), Tagging(wrong, tmp_path / "e.json")
    one.tag("a")
    other.move(1)
    other.tag("b")
    one.choose("a", "prompt")
    assert one.on(1) == ["b"] and one.tags == ["a", "b"]
    one.undo()
    one.undo()
    one.undo()
    assert one.on(1) == ["b"], "undo takes back what this session did, not what the other one did"
    again = Tagging(wrong, tmp_path / "e.json")
    assert again.on(0) == [] and again.on(1) == ["b"]


def test_moving_stops_at_both_ends(wrong, tmp_path):
    session = Tagging(wrong, tmp_path / "e.json")
    session.move(-1)
    assert session.at == 0
    session.move(99)
    assert session.at == 5 and session.done
    session.tag("nothing to put it on")
    assert session.tags == []


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"format": "errors 1", "rows": "x", "at": 0, "steps": []}',
        '{"format": "errors 1", "rows": "DIGEST", "at": 0, "steps": [{"id": "1", "row": 99, "tag": "a", "on": true}]}',
        '{"format": "errors 1", "rows": "DIGEST", "at": 0, "steps": [{"id": "1", "tag": "a", "remedy": "pray"}]}',
        '{"format": "errors 1", "rows": "DIGEST", "at": "0", "steps": []}',
    ],
)
def test_tags_of_something_else_are_refused_and_left_alone(wrong, tmp_path, content):
    (tmp_path / "e.json").write_text(content.replace("DIGEST", Tagging(wrong, None).digest))
    with pytest.raises(EvaluationError, match="Choose another file name"):
        Tagging(wrong, tmp_path / "e.json")
    assert (tmp_path / "e.json").read_text().startswith(content[:20])


def test_a_table_of_tags_says_what_to_do_next(wrong):
    session = Tagging(wrong, None)
    for tags in (["a"], ["b", "a"], ["b"], ["b", "c"]):
        for tag in tags:
            session.tag(tag)
        session.move(1)
    session.choose("b", "plain code")
    table = session.table()
    assert table["tag"].tolist() == ["b", "a", "c"] and table["rows"].tolist() == [3, 2, 1]
    assert table["so far"].tolist() == [3, 4, 4], "rows that carry this tag or one above it, each counted once"
    assert table["remedy"].tolist() == ["plain code", "not chosen yet", "not chosen yet"]
    assert table["next"][0] == REMEDIES["plain code"] and session.tagged == 4
    assert list(REMEDIES) == ["prompt", "data", "label wrong", "rule unclear", "needs facts", "plain code"]


def test_rows_with_wrong_labels_open_in_the_review_of_lesson_1(wrong, rows, tmp_path):
    source = tmp_path / "rows.jsonl"
    data.write(rows, source, provider="local")
    session = Tagging(wrong, None)
    session.tag("reader erred")
    session.move(2)
    session.tag("reader erred")
    assert len(session.wrong_labels()) == 0
    session.choose("reader erred", "label wrong")
    queue = session.wrong_labels()
    as_lesson_1_has_it = data.queue(source, data.check(source, provider="local"))
    assert list(queue.columns) == list(as_lesson_1_has_it.columns)
    assert queue["line"].tolist() == [2, 4] and "reader erred" in queue["message"][0]
    panel = show.review(queue, tmp_path / "labels.json")
    panel.answer.value = triage("damaged")
    panel.field.value = "e1"
    assert "2 of 2 decided" in panel.shown.value
    done = data.read(data.resolve(source, panel.decisions, to=tmp_path / "done.jsonl"))
    assert [row.answer for row in done][1] == triage("damaged") and len(done) == 6
