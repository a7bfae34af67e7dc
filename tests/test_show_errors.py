"""The look at the errors: which rows are wrong, the reader's tags on them, and the pictures of both. No browser."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

from helpers import data, show
from helpers.errors import EvaluationError
from helpers.evaluate import free_text, metrics
from helpers.evaluate.inference.store import Reply
from helpers.evaluate.results import mistakes
from helpers.evaluate.results.scoring import score_replies
from helpers.records import Example
from helpers.show.charts import theme
from helpers.show.charts.mistakes import pareto
from helpers.show.panels.tagging import REMEDIES, Tagging

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


def test_sessions_that_write_at_the_same_time_lose_nothing(wrong, tmp_path):
    def work(row: int) -> None:
        session = Tagging(wrong, tmp_path / "e.json")
        session.at = row
        for number in range(10):
            session.tag(f"{row} {number}")

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(3)))
    assert [len(Tagging(wrong, tmp_path / "e.json").on(row)) for row in range(3)] == [10, 10, 10]


def test_moving_stops_at_both_ends(wrong, tmp_path):
    session = Tagging(wrong, tmp_path / "e.json")
    session.move(-1)
    assert session.at == 0
    session.move(99)
    assert session.at == 5 and session.done
    session.tag("nothing to put it on")
    assert session.tags == []


def test_going_on_at_the_end_shows_the_first_row_without_a_tag(wrong):
    session = Tagging(wrong, None)
    session.tag("a")
    session.move(99)
    session.move(1)
    assert session.at == 1
    for row in range(1, 5):
        session.at = row
        session.toggle("a")
    session.move(1)
    session.move(1)
    assert session.done, "none is left"


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


# --- the panel -------------------------------------------------------------------------------------------------------


def test_a_panel_by_keys_from_the_first_row_to_the_remedies(results, rows, tmp_path):
    panel = show.errors(results, "tuned", rows, tmp_path / "e.json")
    assert "Wrong row 1 of 5" in panel.shown.value and "none yet" in panel.shown.value
    assert "✗ wrong" in panel.shown.value and "damaged" in panel.shown.value
    panel.new_tag.value = "too little said"
    assert panel.new_tag.value == "" and panel.tagging.on(0) == ["too little said"]
    assert panel.number_buttons[0].description == "1: too little said ✓"
    assert panel.number_buttons[1].layout.display == "none", "no tag, no button"
    panel.field.value = " "
    panel.new_tag.value = EVIL
    panel.field.value = "1 2 2 "
    assert "Wrong row 5 of 5" in panel.shown.value and "timeout" in panel.shown.value
    assert "✗ no answer: timeout" in panel.shown.value
    panel.field.value = "p"
    assert "✗ is not a JSON object" in panel.shown.value
    panel.field.value = "ue"
    assert panel.tagging.tagged == 3 and "3 of 5 wrong rows are tagged" in panel.shown.value
    assert "2 rows without a tag" in panel.shown.value
    first, second = panel.choices.children
    assert [first.description, second.description] == ["too little said: what helps?", f"{EVIL}: what helps?"]
    first.value = "prompt"
    assert panel.tagging.remedy("too little said") == "prompt" and REMEDIES["prompt"][:20] in panel.advice.value
    assert panel.picture.outputs[-1]["data"]["application/vnd.plotly.v1+json"]["data"][0]["x"]
    panel.field.value = "u"
    assert first.value == ""
    again = show.errors(results, "tuned", rows, tmp_path / "e.json")
    assert again.tagging.at == 5 and again.tagging.table().equals(panel.tagging.table())


def test_readers_text_is_escaped_everywhere(results, rows):
    panel = show.errors(results, "tuned", rows, None)
    panel.tag(EVIL)
    panel.choose(EVIL, "label wrong")
    seen = [panel.shown.value, panel.summary(), panel.table().data]
    for _ in rows:
        panel.press(" ")
        seen.append(panel.shown.value)
    seen += [panel.advice.value, str(panel.chart().to_plotly_json())]
    assert "&lt;img" in "".join(seen) and not [text for text in seen if "<img" in text]
    assert panel.wrong_labels()["question"].tolist() == [f"{EVIL} question 1"]


def test_a_panel_moved_by_code_keeps_nothing_without_a_file(results, rows, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    panel = show.errors(results, "tuned", rows, None)
    panel.press("1tp ")
    panel.tag("late")
    panel.press(" 1 1u")
    assert panel.sentence == "2 of 5 wrong rows by tuned are tagged. 'late' stands on 2 of 2 tagged rows."
    assert panel.tagging.tagged == 2 and not list(tmp_path.iterdir())


def test_what_cannot_be_kept_is_told_and_not_raised(results, rows, tmp_path):
    panel = show.errors(results, "tuned", rows, tmp_path / "e.json")
    panel.tag("late")
    (tmp_path / "e.json").write_text("<b>")
    panel.press(" ")
    assert "Not kept" in panel.said.value and "<b>" not in panel.said.value.replace("<b>Not kept:</b>", "")
    assert (tmp_path / "e.json").read_text() == "<b>"


class Place:
    """Stands for a piece of a notebook's output that can be replaced."""

    def update(self, shown) -> None:
        self.shown = shown.data


def test_a_saved_notebook_says_how_far_the_reader_was(results, rows, monkeypatch):
    place, views = Place(), []
    monkeypatch.setattr(show.panels.errors, "display", lambda view, **how: views.append((view, how)) or place)
    panel = show.errors(results, "tuned", rows, None)
    assert "5 wrong rows by tuned, none tagged yet" in panel.summary() and "Run this cell" in panel.summary()
    assert "Wrong row 1 of 5" in panel.summary()  # with its fields, where no panel is drawn
    panel._ipython_display_()
    (line, _), (view, _) = views
    assert panel.summary() in line.data and "application/vnd.jupyter.widget-view+json" in view
    panel.tag("late")
    assert panel.summary() in place.shown and "1 tagged so far" in place.shown


def test_no_wrong_row_is_a_good_end(rows):
    panel = show.errors(measured(rows, [row.answer for row in rows], FIELDS), "tuned", rows, None)
    panel.tag("late")
    panel.press("1 pue")
    assert "No row of tuned is wrong" in panel.shown.value and "0 wrong rows" in panel.summary()


CALM = [{"id": "calm", "kind": "regex_absent", "pattern": "!"}]


@pytest.mark.parametrize(
    ("facts", "good", "bad"),
    [
        (False, "keeps all rules", "breaks a rule"),
        (True, "keeps all rules and invents nothing", "breaks a rule or invents something"),
    ],
)
def test_a_score_by_rules_is_never_called_right_or_wrong(facts, good, bad):
    """A text that keeps all rules may still be untrue, or nothing to be proud of."""
    rows = [example(f"Lamp {n}", f"A calm lamp for evening number {n}.", line=n + 1) for n in range(6)]
    scored = free_text.measures(CALM, rows, facts=facts)
    results = measured(rows, ["Calm.", *["Loud!"] * 4, None], scored)
    panel = show.errors(results, "tuned", rows, None)
    seen = show.answers_seen(results, rows).data
    assert f"tuned: {good} (1), {bad} (4), without a score (1)" in seen
    assert seen.count(f">{good}<") == 1 and seen.count(f">{bad}<") == 3
    assert f"answer ✗ {bad}</b>" in panel.shown.value and "Failing row 1 of 5" in panel.shown.value
    assert panel.sentence == "0 of 5 failing rows by tuned are tagged."
    panel.press("e")
    assert "0 of 5 failing rows are tagged" in panel.shown.value
    none = show.errors(measured(rows, ["Calm."] * 6, scored), "tuned", rows, None)
    assert "No row of tuned is failing" in none.shown.value and "0 failing rows" in none.summary()
    for said in (seen, panel.summary(), panel.shown.value, none.summary()):
        assert "wrong" not in said.casefold() and "right" not in said.replace("text-align:right", "")


def test_likeness_beside_a_score_is_explained_too(rows):
    beside = show.ladder(measured(rows, ["Calm."] * 6, [metrics.exact_match, metrics.similarity])).data
    assert "similarity compares letters with the ideal answer" in beside
    assert "compares letters" not in show.ladder(measured(rows, ["Calm."] * 6, [metrics.exact_match])).data


def test_answers_of_chosen_candidates_alone_are_seen(results, rows):
    both = results.merge(measured(rows, ["x"] * 6, [metrics.all_fields, *FIELDS], name="other"))
    seen = show.answers_seen(both, rows, candidates=["tuned"]).data
    assert "tuned: right" in seen and "other: " not in seen


def test_tags_on_test_rows_come_with_a_warning(rows):
    for split, warned in (("test", True), ("validation", False)):
        panel = show.errors(measured(rows, [None] * 6, FIELDS, split=split), "tuned", rows, None)
        panel.press("e")
        assert ("measured on rows that you have not looked at" in panel.shown.value) == warned


def test_the_pareto_chart_says_what_is_worth_the_work():
    carried = [(row, "late") for row in range(9)] + [(9, "rule"), (8, "rule"), (10, "odd"), (11, "x")]
    examples = [example(f"q{i}", "yes") for i in range(12)]
    session = Tagging([mistakes.WrongRow(row, "no") for row in examples], None)
    for row, tag in carried:
        session.at = row
        session.tag(tag)
    session.choose("late", "plain code")
    chart = pareto(session.table(), session.tagged, "tuned")
    title = chart.layout.title.text.replace("<br>", " ")
    assert title == "tuned: 'late' stands on 9 of 12 tagged rows, and 2 of 4 tags reach 10 of them"
    assert list(chart.data[0].x) == [9, 2, 1, 1] and list(chart.data[1].x) == [9, 10, 11, 12]
    assert chart.data[0].y[0] == "late<br><i>plain code</i>"


# --- confusion and fields --------------------------------------------------------------------------------------------


def labelled(pairs: list[tuple[str, str | None]], scored=(metrics.label_accuracy,)):
    return measured(
        [example(f"q{i}", ideal) for i, (ideal, _) in enumerate(pairs)], [a for _, a in pairs], list(scored)
    )


def test_a_confusion_matrix_counts_labels_missing_and_invalid_answers():
    pairs = [("returns", "Returns.")] * 10 + [("returns", "damaged")] * 7 + [("returns", "who knows")] * 3
    pairs += [("returns", None)] + [("damaged", "damaged")] * 5 + [("rare", "damaged")]
    counts = mistakes.confusion(labelled(pairs), "tuned")
    assert counts.index.tolist() == ["returns", "damaged", "rare"]
    assert counts.columns.tolist() == ["returns", "damaged", "rare", mistakes.OTHER, mistakes.MISSING]
    assert counts.to_numpy().tolist() == [[10, 7, 0, 3, 1], [0, 5, 0, 0, 0], [0, 1, 0, 0, 0]]
    chart = show.confusion(labelled(pairs), "tuned")
    assert chart.layout.title.text == "tuned: returns is taken for damaged in 7 of 21 rows"
    assert list(chart.data[0].text[0]) == ["<b>10 ✓</b>", "7", "", "3", "1"]
    assert "15 of 27 rows" in chart.layout.meta["sentence"]
    assert "darker" not in chart.layout.meta["sentence"], "in the dark theme a full cell is the brighter one"
    assert chart.data[0].textfont.color == theme.CELL_TEXT


def test_a_confusion_matrix_of_one_field_of_json(results):
    counts = mistakes.confusion(results, "tuned", "category")
    assert counts.columns.tolist() == ["returns", mistakes.OTHER, mistakes.INVALID, mistakes.MISSING]
    assert counts.to_numpy().tolist() == [[3, 1, 1, 1]]
    title = show.confusion(results, "tuned", "category").layout.title.text.replace("<br>", " ")
    assert title == "tuned: returns is answered with a label of none of these rows in 1 of 6 rows"
    with pytest.raises(EvaluationError, match="category, urgency"):
        mistakes.confusion(results, "tuned")
    with pytest.raises(EvaluationError, match="'mood'"):
        mistakes.confusion(results, "tuned", "mood")
    with pytest.raises(EvaluationError, match="no candidate"):
        mistakes.confusion(results, "x", "category")


def test_a_perfect_matrix_and_labels_that_look_alike():
    assert "all 3 rows have the right label" in show.confusion(labelled([("a", "a")] * 3), "tuned").layout.title.text
    twice = [(json.dumps({"n": 12, "m": 1}), json.dumps({"n": "12"})), (json.dumps({"n": "12", "m": 1}), "{}")]
    assert mistakes.confusion(labelled(twice), "tuned", "n").index.tolist() == ["12", '"12"']


def test_of_many_labels_the_worst_are_drawn():
    pairs = [(f"label {i:02}", f"label {i:02}" if i < 50 else f"label {i - 50:02}") for i in range(77)]
    chart = show.confusion(labelled(pairs), "tuned")
    assert len(chart.data[0].y) == 15 and "15 of 77 labels" in chart.layout.meta["sentence"]
    assert "50 of 77 rows" in chart.layout.meta["sentence"] and len(chart.to_json()) < 30_000
    assert "<img" not in str(show.confusion(labelled([(EVIL, "a")]), "tuned").to_plotly_json())


def test_of_many_labels_only_those_with_mistakes_are_drawn():
    """“The 15 of 24 labels with the most wrong rows” were eight with mistakes and seven without."""
    right = [(f"label {i:02}", f"label {i:02}") for i in range(24)]
    wrong = [(f"label {i:02}", "label 23") for i in range(8)]
    chart = show.confusion(labelled(right + wrong), "tuned")
    assert list(chart.data[0].y) == [f"label {i:02}" for i in range(8)] and "label 23" in chart.data[0].x
    assert "The 8 of 24 labels with wrong rows are drawn." in chart.layout.meta["sentence"]
    perfect = show.confusion(labelled(right), "tuned")
    assert len(perfect.data[0].y) == 15 and "The first 15 of 24 labels are drawn." in perfect.layout.meta["sentence"]


def test_the_field_that_costs_most_rows():
    ideal = triage("returns", "low")
    examples = [example(f"q{i}", ideal) for i in range(6)]
    bad = [triage("x", "low")] * 3 + [triage("x", "high"), triage("returns", "high"), None]
    scored = [metrics.all_fields, *FIELDS, metrics.valid_json()]
    both = measured(examples, bad, scored).merge(measured(examples, [ideal] * 6, scored, "perfect"))
    losses = mistakes.field_losses(both, scored)
    assert losses.loc["tuned", ["rows", "costs_most", "wrong", "alone"]].tolist() == [5, "category", 4, 3]
    assert losses.loc["tuned", "category"] == pytest.approx(1 / 5)
    assert pd.isna(losses.loc["perfect", "costs_most"])
    shown = show.fields(both, [*FIELDS]).data
    assert "category costs most rows for 1 of 2 candidates. Shares" in shown and "20.0 %" in shown
    late = measured(examples, [triage("returns", "high")] * 6, scored, "late")
    assert "for 1 of 3 candidates, urgency for 1. Shares" in show.fields(both.merge(late), FIELDS).data
    with pytest.raises(EvaluationError, match="No field is named"):
        show.fields(both, [metrics.all_fields])
    with pytest.raises(EvaluationError, match="no metric 'mood'"):
        show.fields(both, ["mood"])
