"""Messages, metrics, rules, results: what needs no host."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from helpers import data
from helpers.errors import EvaluationError
from helpers.evaluate import Results, metrics, second_look, statistics, text_rules, without_llm
from helpers.evaluate.inference.store import Reply
from helpers.evaluate.prompts.candidates import messages, nearest
from helpers.evaluate.results.scoring import check_metrics, score_replies
from helpers.records import Candidate, Example

SAMPLE = Path(__file__).parents[1] / "data" / "sample"


def example(question: str, answer: str = "yes", **more) -> Example:
    return Example(({"role": "user", "content": question}, {"role": "assistant", "content": answer}), **more)


def triage(split: str) -> list[Example]:
    lines = (SAMPLE / "triage" / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    return [Example(tuple(json.loads(line)["messages"]), line=i) for i, line in enumerate(lines, 1)]


# --- messages --------------------------------------------------------------------------------------------------------

QUESTIONS = ("where is my red lamp", "where is my blue lamp", "refund for a kettle", "hello there")
POOL = tuple(example(question, question.upper()) for question in QUESTIONS)


def test_the_order_is_system_shots_nearest_question():
    candidate = Candidate("c", "m", system="Be brief.", shots=(example("fixed", "F"),), nearest=2, pool=POOL)
    sent = messages(candidate, example("where is my blue lamp now", "never sent"))
    assert [(m["role"], m["content"]) for m in sent] == [
        ("system", "Be brief."),
        ("user", "fixed"), ("assistant", "F"),
        ("user", "where is my red lamp"), ("assistant", "WHERE IS MY RED LAMP"),
        ("user", "where is my blue lamp"), ("assistant", "WHERE IS MY BLUE LAMP"),
        ("user", "where is my blue lamp now"),
    ]  # fmt: skip


def test_a_row_is_never_its_own_shot_and_its_answer_is_never_sent():
    found = nearest(POOL, POOL[0], 4)
    assert len(found) == 3 and POOL[0] not in found
    sent = messages(Candidate("c", "m", nearest=3, pool=POOL), POOL[0])
    assert "WHERE IS MY RED LAMP" not in json.dumps(sent)


def test_most_similar_comes_last_and_words_beat_length():
    assert [row.question for row in nearest(POOL, example("kettle refund please"), 2)][-1] == "refund for a kettle"


@pytest.mark.parametrize("question", ["", "!!!", "的的", "zzz qqq"])
def test_questions_without_a_known_word_still_get_their_shots(question):
    assert len(nearest(POOL, example(question), 2)) == 2
    assert nearest((example("?!", "x"),), example(question), 1)[0].answer == "x"


def test_own_instructions_stay_unless_the_candidate_brings_its_own():
    chat = (
        {"role": "system", "content": "row's own"}, {"role": "user", "content": "q1"},
        {"role": "assistant", "content": "a1", "weight": 0}, {"role": "user", "content": "q2"},
        {"role": "assistant", "content": "a2"},
    )  # fmt: skip
    row = Example(chat)
    assert [m["content"] for m in messages(Candidate("c", "m"), row)] == ["row's own", "q1", "a1", "q2"]
    assert [m["content"] for m in messages(Candidate("c", "m", system="s"), row)] == ["s", "q1", "a1", "q2"]
    assert all("weight" not in m for m in messages(Candidate("c", "m"), row))


# --- metrics ---------------------------------------------------------------------------------------------------------

WANTED = '{"category": "delivery", "urgency": "low", "order_id": null}'


@pytest.mark.parametrize(
    ("answer", "exact", "all_fields", "category", "order_id", "valid"),
    [
        (WANTED, 1, 1, 1, 1, 1),
        (f" {WANTED}\n", 1, 1, 1, 1, 1),
        ('{"order_id":null,"urgency":"low","category":"delivery"}', 0, 1, 1, 1, 1),
        ('{"category": "refund", "urgency": "low", "order_id": null}', 0, 0, 0, 1, 1),
        ('{"category": "delivery", "urgency": "low"}', 0, 0, 1, 0, 1),
        ('{"category": "delivery", "urgency": "low", "order_id": "null"}', 0, 0, 1, 0, 1),
        ('{"category": "delivery", "urgency": "low", "order_id": null, "x": 1}', 0, 0, 1, 1, 1),
        (f"```json\n{WANTED}\n```", 0, 1, 1, 1, 0),
        (f"Sure! {WANTED}", 0, 0, 0, 0, 0),
        ('["delivery"]', 0, 0, 0, 0, 0),
        ('{"category": NaN}', 0, 0, 0, 0, 0),
        ("", 0, 0, 0, 0, 0),
        ("[" * 100_000, 0, 0, 0, 0, 0),
    ],
)
def test_json_metrics(answer, exact, all_fields, category, order_id, valid):
    row = example("q", WANTED)
    found = [metrics.exact_match, metrics.all_fields, metrics.field("category"), metrics.field("order_id"),
             metrics.valid_json()]  # fmt: skip
    assert [metric(answer, row) for metric in found] == [exact, all_fields, category, order_id, valid]


def test_true_is_not_one():
    row = example("q", '{"a": 1, "b": [true, {"c": 0}]}')
    assert metrics.all_fields('{"a": 1.0, "b": [true, {"c": 0}]}', row) == 1
    assert metrics.all_fields('{"a": true, "b": [true, {"c": 0}]}', row) == 0
    assert metrics.all_fields('{"a": 1, "b": [true, {"c": false}]}', row) == 0


def test_a_schema_is_checked_whole():
    schema = json.loads((SAMPLE / "triage" / "schema.json").read_text())
    check = metrics.valid_json(schema.get("schema", schema))
    assert check(triage("train")[0].answer, example("q")) == 1
    assert check('{"category": "delivery"}', example("q")) == 0


@pytest.mark.parametrize(
    "metric", [metrics.exact_match, metrics.label_accuracy, metrics.similarity, metrics.length, metrics.all_fields,
               metrics.field("category"), metrics.valid_json(),
               text_rules.rule_check([{"id": "r", "kind": "json_object"}])]
)  # fmt: skip
def test_a_missing_answer_has_no_score(metric):
    assert metric(None, example("q", WANTED)) is None and metric("", example("q", WANTED)) == 0


def test_metrics_that_do_not_apply_say_so():
    assert metrics.field("missing")(WANTED, example("q", WANTED)) is None
    assert metrics.all_fields("x", example("q", "plain text")) is None


@pytest.mark.parametrize(
    ("answer", "right"), [("Refund", 1), (" refund. ", 1), ('"refund"', 1), ("refunds", 0), ("a refund", 0)]
)
def test_labels(answer, right):
    assert metrics.label_accuracy(answer, example("q", "refund")) == right


def test_a_letter_is_the_same_letter_however_it_was_typed():
    assert metrics.label_accuracy("caf\u00e9", example("q", "Cafe\u0301")) == 1


@given(st.text(), st.text())
def test_similarity_is_a_share_and_symmetric(one, other):
    score = metrics.similarity(one, example("q", other))
    assert 0 <= score <= 1 and score == pytest.approx(metrics.similarity(other, example("q", one)))
    assert metrics.similarity(one, example("q", one)) == 1


@pytest.mark.parametrize("seed", range(5))
def test_macro_f1_is_scikit_learns(seed):
    rng = np.random.default_rng(seed)
    wanted = rng.choice(["a", "b", "c"], 50, p=[0.7, 0.2, 0.1]).tolist()
    got = [w if rng.random() < 0.6 else str(rng.choice(["a", "b", "z"])) for w in wanted]
    found = metrics.macro_f1(got, wanted)
    theirs = f1_score(wanted, got, labels=sorted(set(wanted)), average="macro", zero_division=0)
    assert found.value == pytest.approx(theirs, abs=1e-12) and found.low < found.value < found.high


def test_defaults_fit_the_rows():
    assert [m.name for m in metrics.default(triage("validation"))][0] == "all_fields"
    assert metrics.default([example(f"q{i}", "ab"[i % 2]) for i in range(20)])[0].name == "label_accuracy"
    assert metrics.default([example(f"q{i}", f"a long answer number {i}") for i in range(20)])[0].name == "similarity"


# --- rules -----------------------------------------------------------------------------------------------------------

VOICE = SAMPLE / "brand_voice" / "rules.toml"


def test_the_voice_guides_own_example_keeps_its_rules():
    copy = (
        "The foot is left bare, so you hear a dry little scrape when this mug lands on the table. The rest is "
        "stoneware under an oatmeal speckle, 9.5 cm tall and roomy enough for a proper cup. It can go in the "
        "dishwasher with everything else. Monday is not included."
    )
    assert text_rules.broken(text_rules.load_rules(VOICE), copy) == []
    assert text_rules.rule_check(VOICE)(copy, example("q")) == 1
    worse = copy.replace("Monday is not included.", "Our stunning, PERFECT mug! Only £14?")
    assert set(text_rules.broken(text_rules.load_rules(VOICE), worse)) >= {
        "no_exclamation", "no_question", "banned_words", "no_price", "no_capitals", "no_we",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        ({"kind": "word_count", "min": 2, "max": 3}, "two words", "one"),
        ({"kind": "sentence_count", "min": 2, "max": 2}, "One. Two!", "One, two."),
        ({"kind": "sentence_max_words", "max": 2}, "One two. Three four.", "One two three. Four."),
        ({"kind": "last_sentence_max_words", "max": 1}, "One two three. Four.", "Four. One two."),
        ({"kind": "regex_absent", "pattern": "!"}, "calm", "loud!"),
        ({"kind": "regex_present", "pattern": "YES", "ignore_case": True}, "yes", "no"),
        ({"kind": "regex_count", "pattern": r"\d", "min": 1, "max": 1}, "a 1", "1 and 2"),
        ({"kind": "banned_words", "words": ["must have"]}, "we must ask", "a Must Have"),
        ({"kind": "any_word", "words": ["oak", "ash"]}, "of Oak", "of oaks"),
        ({"kind": "all_words", "words": ["oak", "ash"]}, "oak, ash", "oak"),
        ({"kind": "each_at_most_once", "words": ["oak", "ash"]}, "oak and ash", "oak on oak"),
        ({"kind": "each_at_most_once", "words": ["oak", "ash"]}, "oak", "none"),
        ({"kind": "equals", "options": ["yes"]}, "Yes.", "yes it is"),
        ({"kind": "json_object"}, "{}", "[]"),
    ],
)
def test_every_kind_of_rule(rule, good, bad):
    [checked] = text_rules.check_rules([{"id": "r", **rule}])
    assert text_rules.keeps(checked, good) and not text_rules.keeps(checked, bad)


def test_all_wrong_rules_are_named_at_once(tmp_path):
    wrong = [{"kind": "json_object"}, {"id": "b", "kind": "nonsense"}, {"id": "c", "kind": "any_word"},
             {"id": "d", "kind": "regex_absent", "pattern": "("}]  # fmt: skip
    with pytest.raises(EvaluationError) as caught:
        text_rules.check_rules(wrong)
    for problem in ("rule 1: has no id", "b: unknown", "c: any_word", "d: its pattern"):
        assert problem in str(caught.value)
    for text in ("", "not = [toml", "[[rule]]\nid = 'x'", "rule = 'x'", "[rule]\nid = 'x'"):
        (tmp_path / "rules.toml").write_text(text)
        with pytest.raises(EvaluationError):
            text_rules.load_rules(tmp_path / "rules.toml")


@pytest.mark.parametrize(
    "parameters",
    [
        {"kind": "any_word", "words": "oak"},
        {"kind": "any_word", "words": []},
        {"kind": "all_words", "words": [1]},
        {"kind": "equals", "options": "yes"},
        {"kind": "word_count", "min": "2", "max": 3},
        {"kind": "sentence_count", "min": 1, "max": True},
        {"kind": "regex_present", "pattern": ""},
        {"kind": "regex_present", "pattern": ["a"]},
    ],
)
def test_parameters_of_the_wrong_type_are_refused_not_misread(parameters):
    """A single word in place of a list would be read letter by letter, and pass."""
    with pytest.raises(EvaluationError, match="must be"):
        text_rules.check_rules([{"id": "r", **parameters}])


# --- results ---------------------------------------------------------------------------------------------------------

ROWS = [example(f"q{i}", "yes" if i % 2 else "no") for i in range(40)]


def measured(name: str, answers: list[str | None], rows=ROWS, role="teaching", split="validation") -> Results:
    replies = [Reply(missing="lost") if a is None else Reply(a, "", "stop", 10, 2, 5, 0.1) for a in answers]
    about = {"id": name, "model": "m", "host": "h", "role": role, "known_by": "its name", "parameters": 0.1}
    return score_replies(name, about, rows, replies, [metrics.exact_match, metrics.length], split=split)


RIGHT = measured("right", [row.answer for row in ROWS], role="tuned")
ALWAYS = measured("always no", ["no"] * 39 + [None])


def test_compare_uses_rows_that_both_answered():
    both = RIGHT.merge(ALWAYS)
    found = both.compare("right", "always no")
    assert (found.n, found.score_a, found.metric) == (39, 1.0, "exact_match")
    assert found.difference == pytest.approx(19 / 39) and "better" in found.sentence
    assert math.isnan(both.scores("always no")[39]) and both.missing().to_dict() == {("always no", "lost"): 1}


def test_compare_all_names_every_rival_once():
    both = RIGHT.merge(ALWAYS).merge(measured("always yes", ["yes"] * 40))
    assert {(c.a, c.b) for c in both.compare_all("right")} == {("right", "always no"), ("right", "always yes")}


def test_the_winner_is_a_prompt_and_the_first_of_equals():
    half = [row.answer if i % 2 else "?" for i, row in enumerate(ROWS)]
    tried = measured("first", half).merge(measured("same", half)).merge(RIGHT)
    assert tried.winner("exact_match") == "first"  # RIGHT is better, and tuned
    with pytest.raises(EvaluationError, match="No prompted"):
        RIGHT.winner()
    with pytest.raises(EvaluationError, match="No prompted"):
        measured("silent", [None] * 40).winner()


FRESH = [example(f"fresh {i}", "yes" if i % 2 else "no") for i in range(60)]


def share_right(rows: list[Example], right: int, name: str = "best") -> Results:
    return measured(name, [row.answer if i < right else "?" for i, row in enumerate(rows)], rows)


@pytest.mark.parametrize(
    ("picked", "fresh", "says"), [(36, 20, "partly for its luck"), (4, 50, "seem easier"), (20, 28, "do not show")]
)
def test_the_winner_is_scored_again_on_fresh_rows(picked, fresh, says):
    look = second_look(
        share_right(ROWS, picked).merge(share_right(ROWS, 1, "other")), share_right(FRESH, fresh), "best"
    )
    assert (look.picked.value, look.fresh.value) == (picked / 40, fresh / 60)
    assert (look.change.low, look.change.high) == statistics.newcombe(fresh, 60, picked, 40)
    assert says in look.sentence and "the best of 2 prompts" in look.sentence and "40 rows" in look.sentence


def test_rows_that_picked_the_winner_are_not_fresh():
    with pytest.raises(EvaluationError, match="Fresh rows"):
        second_look(share_right(ROWS, 9), share_right(ROWS[:5], 2), "best")
    with pytest.raises(EvaluationError, match="no score"):
        second_look(share_right(ROWS, 9), measured("best", [None] * 60, FRESH), "best")


def test_a_second_look_at_scores_that_are_no_shares_of_rows():
    picked, fresh = measured("best", ["two words"] * 40), measured("best", ["now three words"] * 60, FRESH)
    look = second_look(picked, fresh, "best", "length")
    assert (
        (look.picked.value, look.fresh.value) == (2, 3)
        and math.isnan(look.change.low)
        and "%" not in look.sentence.split("(95")[0]
    )


def test_pairs_are_rows_with_two_different_answers_spread_over_the_file():
    both = RIGHT.merge(ALWAYS)
    rows, ours, theirs = both.pairs("right", "always no", ROWS, most=5)
    assert len(rows) == len(ours) == len(theirs) == 5
    assert set(ours) == {"yes"} and set(theirs) == {"no"}
    places = [ROWS.index(row) for row in rows]
    assert places == sorted(places) and places[0] == 1 and places[-1] == 37  # row 39 has no second answer
    assert len(both.pairs("right", "always no", ROWS, most=100)[0]) == 19
    with pytest.raises(EvaluationError, match="not the rows"):
        both.pairs("right", "always no", ROWS[:5])
    with pytest.raises(EvaluationError, match="no two different"):
        both.pairs("right", "right", ROWS)


def test_macro_f1_sees_what_accuracy_hides():
    rare = [example(f"q{i}", "rare" if i < 4 else "usual") for i in range(40)]
    lines = (
        measured("lazy", ["usual"] * 40, rare).merge(measured("exact", [r.answer for r in rare], rare)).label_table()
    )
    assert lines.loc["lazy", "accuracy"] == pytest.approx(0.9)
    assert lines.loc["lazy", "macro_f1"] == pytest.approx((0 + 2 * 36 / 76) / 2)
    assert lines.loc["exact", ["accuracy", "macro_f1", "low", "high"]].tolist() == [1, 1, 1, 1]


def test_a_missing_answer_and_a_missing_field_in_the_label_table():
    wanted = [example("q1", '{"a": "x"}'), example("q2", '{"a": "y"}'), example("q3", '{"a": "x"}')]
    lines = measured("m", ['{"a": "x"}', "nonsense", None], wanted).label_table("a")
    assert lines.loc["m", "accuracy"] == 0.5
    assert math.isnan(measured("m", [None] * 3, wanted).label_table("a").loc["m", "accuracy"])


def test_results_survive_json():
    both = RIGHT.merge(ALWAYS)
    again = Results.from_json(json.loads(json.dumps(both.to_json(), allow_nan=False)))
    pd.testing.assert_frame_equal(again.rows, both.rows.reset_index(drop=True))
    pd.testing.assert_frame_equal(again.table(), both.table())
    assert again.to_json() == both.to_json()


@pytest.mark.parametrize("value", [{}, {"rows": {}}, {"rows": {"data": [[1]], "columns": ["x"]}}, [], None])
def test_what_are_no_results_is_refused(value):
    with pytest.raises(EvaluationError, match="not stored results"):
        Results.from_json(value)


def test_only_the_same_rows_are_put_side_by_side():
    with pytest.raises(EvaluationError, match="different rows"):
        RIGHT.merge(measured("x", ["no"] * 39, rows=ROWS[:39]))
    with pytest.raises(EvaluationError, match="different rows"):
        RIGHT.merge(measured("x", ["no"] * 40, rows=[*ROWS[:39], example("q39", "another ideal answer")]))
    with pytest.raises(EvaluationError, match="different rows"):
        RIGHT.merge(measured("x", ["no"] * 40, split="test"))


def test_a_candidate_measured_again_replaces_itself():
    merged = ALWAYS.merge(measured("always no", ["yes"] * 40))
    assert len(merged.rows) == 40 and merged.answers("always no") == ["yes"] * 40


def test_unknown_names_are_named():
    with pytest.raises(EvaluationError, match="no candidate 'x'.*right"):
        RIGHT.scores("x")
    with pytest.raises(EvaluationError, match="no metric 'x'.*exact_match"):
        RIGHT.compare("right", "right", "x")


def test_every_candidate_and_metric_becomes_a_measurement_and_only_prompts_are_a_history():
    both = RIGHT.merge(ALWAYS)
    found = {(one.name, one.metric): one for one in both.measurements()}
    assert set(found) == {(name, metric) for name in ("right", "always no") for metric in ("exact_match", "length")}
    score, length = found["always no", "exact_match"], found["always no", "length"]
    assert (score.role, score.unit, score.better, score.headline) == ("teaching", "share", "higher", True)
    assert (length.unit, length.better, length.headline) == ("words", "neither", False)
    assert score.n == 39 and score.low < score.score < score.high
    assert list(both.history()) == ["always no"]


def test_a_measurement_is_of_its_rows_in_whatever_order_they_stand():
    [one, _] = RIGHT.measurements()
    [other, _] = measured("right", [row.answer for row in ROWS[::-1]], rows=ROWS[::-1], role="tuned").measurements()
    [fewer, _] = measured("right", [row.answer for row in ROWS[1:]], rows=ROWS[1:], role="tuned").measurements()
    assert one.rows == other.rows != fewer.rows and one.id == other.id != fewer.id


def test_readers_text_is_escaped():
    nasty = measured("<script>alert(1)</script>", ["no"] * 40)
    nasty.notes = ["<b>note</b>"]
    assert "<script>" not in nasty._repr_html_() and "<b>" not in nasty._repr_html_()


def test_a_field_may_be_called_like_a_column_of_the_results():
    rows = [example(f"q{n}", json.dumps({"answer": "x", "row": n % 2, "confidence": 1, "kind": "a"})) for n in range(8)]
    scored = metrics.default(rows)
    assert [one.name for one in scored] == [
        "all_fields",
        "field answer",
        "field row",
        "field confidence",
        "kind",
        "valid_json",
    ]
    found = without_llm(rows[:6], rows[6:], scored, embeddings=False, progress=False)
    assert found.scores("most frequent answer", "field answer").tolist() == [1] * 2


OF_THE_TABLE = ("score", "low", "high", "rows", "model", "role", "cut_off", "usd_per_1000")


def test_a_key_that_is_called_like_a_column_of_the_table_takes_no_column_s_place():
    answers = [json.dumps({**dict.fromkeys(OF_THE_TABLE, str(n % 2)), "kind": str(n % 3)}) for n in range(12)]
    rows = [example(f"row {n}", one) for n, one in enumerate(answers)]
    scored = metrics.for_task(data.task(rows))
    assert [f"field {name}" for name in OF_THE_TABLE] == [one.name for one in scored[1:9]]
    wrong = [Reply(one.replace('"kind": "', '"kind": "x'), "", "stop", 1, 1, 1, 0.1) for one in answers]
    about = {"id": "c", "model": "m", "host": "h", "role": "teaching", "known_by": "", "parameters": 0.1}
    line = score_replies("c", about, rows, wrong, scored, split="validation").table().loc["c"]
    assert (line["score"], line["rows"], line["model"], line["field score"]) == (0, 12, "m", 1) and line["high"] < 0.5
    for name in (*OF_THE_TABLE, "answer", "row"):
        with pytest.raises(EvaluationError, match="distinct names"):
            check_metrics([metrics.exact_match, replace(metrics.length, name=name)])
