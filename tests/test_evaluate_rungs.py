"""A ladder for any reader's rows: what each rung sends, and what the rows decide."""

from __future__ import annotations

import importlib
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from helpers import data, evaluate, tokens, your_project
from helpers.evaluate import candidates, metrics
from helpers.records import Example

rungs_module = importlib.import_module("helpers.evaluate.prompts.rungs")

TWO_WAY = Path(__file__).parents[1] / "data/sample/two_way"


def row(question: str, answer: str) -> Example:
    return Example(({"role": "user", "content": question}, {"role": "assistant", "content": answer}))


LABELLED = [row(f"question {n}", ("gut", "schlecht", "weiß nicht")[n % 3]) for n in range(30)]
FREE = [row(f"question {n}", f"a text of its own, number {n}, " + "and more " * 40) for n in range(12)]


LABEL_RUNGS = [
    "question only", "instructions", "instructions, labels listed", "+ schema", "+ 4 examples",
    "+ 4 examples, schema", "+ 4 nearest", "+ 4 nearest, schema",
]  # fmt: skip


def test_labels_are_listed_forced_and_shown_and_the_last_rung_has_all_of_it():
    rungs = evaluate.rungs(LABELLED, "m", "Label it.", pool=LABELLED[:15], declared="target")
    assert [one.name for one in rungs] == LABEL_RUNGS
    by_name = {one.name: one for one in rungs}
    listed = "Answer with exactly one of these labels and nothing else: gut, schlecht, weiß nicht."
    assert by_name["instructions"].system == "Label it." and listed in by_name["instructions, labels listed"].system
    assert by_name["+ schema"].schema["properties"]["label"]["enum"] == ["gut", "schlecht", "weiß nicht"]
    assert {one.answer for one in by_name["+ 4 examples"].shots} == {"gut", "schlecht", "weiß nicht"}
    best = by_name["+ 4 nearest, schema"]
    assert best.schema and best.nearest == 4 and listed in best.system
    assert {one.answer for one in best.pool} == {f'{{"label": "{one}"}}' for one in ("gut", "schlecht", "weiß nicht")}
    assert [one.question for one in by_name["+ 4 examples, schema"].shots] == [
        one.question for one in by_name["+ 4 examples"].shots
    ]
    assert {one.declared for one in rungs} == {"target"} and not rungs[0].system
    assert rungs == evaluate.rungs(LABELLED, "m", "Label it.", pool=LABELLED[:15], declared="target")


def slots(n: int) -> dict:
    return {"people": n % 4 + 1, "kind": ("inside", "terrace")[n % 2], **({} if n % 3 else {"when": "tonight"})}


SLOTS = [
    row(f"a table for {n % 4 + 1}, number {n}, {list(slots(n).values())}", json.dumps(slots(n))) for n in range(24)
]


def test_fields_get_their_keys_a_schema_that_all_answers_keep_and_shots_in_its_form():
    rungs = {one.name: one for one in evaluate.rungs(SLOTS, "m", "Fill in.", pool=SLOTS[:12])}
    assert list(rungs) == [one.replace("labels", "keys") for one in LABEL_RUNGS]
    schema = rungs["+ schema"].schema
    assert schema["required"] == ["people", "kind", "when"] and not schema["additionalProperties"]
    assert schema["properties"]["people"] == {"type": "integer"}
    assert schema["properties"]["kind"] == {"type": "string", "enum": ["inside", "terrace"]}
    assert schema["properties"]["when"] == {"type": ["string", "null"], "enum": ["tonight", None]}
    said = rungs["instructions, keys listed"].system
    assert '"kind": one of "inside", "terrace"' in said and "(only where the text says it)" in said
    best = rungs["+ 4 nearest, schema"]
    valid = metrics.valid_json(schema)
    assert all(valid(one.answer, one) == 1 for one in best.pool) and '"when": null' in best.pool[1].answer
    [whole, *_] = metrics.default(SLOTS)
    assert all(whole(forced.answer, own) == 1 for forced, own in zip(best.pool, SLOTS, strict=False))


def test_there_is_room_for_the_nulls_of_all_keys_that_an_answer_may_lack():
    names = [f"a_rather_long_name_of_a_key_{n}" for n in range(30)]
    rows = [row(f"q {n}", json.dumps({names[n % 30]: f"v{n}"})) for n in range(90)]
    rungs = evaluate.rungs(rows, "gpt-4.1", "Fill in.", pool=rows[:30])
    longest = max(tokens.counter("gpt-4.1").text(one.answer) for one in rungs[-1].pool)
    assert all(one.max_tokens > longest for one in rungs)


def test_a_schema_is_of_any_depth_or_there_is_none():
    deep = rungs_module.schema_of([{"a": {"b": 1}, "c": [{"d": "x"}]}, {"a": {"b": 2.5}, "c": []}])
    assert deep["properties"]["a"]["properties"]["b"] == {"type": "number"}
    assert deep["properties"]["c"]["items"]["properties"]["d"]["type"] == "string"
    jsonschema.Draft202012Validator.check_schema(deep)
    maybe = rungs_module.schema_of([{"a": None}, {"a": {"b": True}}])
    assert jsonschema.Draft202012Validator(maybe).is_valid({"a": None})
    assert rungs_module.schema_of([{"a": {"b": 1}}, {"a": "text"}]) is None
    assert rungs_module.schema_of([{f"key {n}": 1 for n in range(200)}]) is None


def test_no_more_examples_than_the_context_holds():
    long = [row(f"question {n} " + "and so on " * 400, f"an answer {n} " + "of many words " * 300) for n in range(12)]
    rungs = evaluate.rungs(long, "gpt-4.1", "Write.", pool=long[:8], context=8_000)
    counter = tokens.counter("gpt-4.1")
    assert [one.name for one in rungs] == ["question only", "instructions", "+ 2 examples", "+ 2 nearest"]
    for one in rungs:
        assert counter.example(candidates.messages(one, long[9])) + one.max_tokens <= 8_000
    intents = [row(f"question {n}", f"an intent number {n % 77}") for n in range(770)]
    for one in evaluate.rungs(intents, "smollm2-135m-instruct", "Which intent?", pool=intents[:300]):
        sent = candidates.messages(one, intents[500])
        assert tokens.counter("smollm2-135m-instruct").example(sent) + one.max_tokens <= 8_000
        assert one.name in ("question only", "instructions") or "an intent number 76" in one.system


def test_odd_rows_are_neither_shown_nor_asked_for():
    odd = row("?", "I could not decide whether this one is good or bad, sorry")
    rungs = evaluate.rungs([*LABELLED, odd], "m", "Label it.", pool=[odd, *LABELLED[:15]])
    assert all(odd not in (*one.shots, *one.pool) for one in rungs) and "decide" not in rungs[2].system


def test_two_labels_stand_evenly_and_in_no_pattern():
    pool = data.read(TWO_WAY / "train.jsonl")
    orders = set()
    for seed in range(8):
        shots = evaluate.rungs(pool, "m", "?", pool=pool, seed=seed)[4].shots
        assert Counter(one.answer for one in shots) == {"positive": 2, "negative": 2}
        orders.add(tuple(one.answer for one in shots))
    assert len(orders) > 2


def test_free_text_gets_no_schema_and_room_for_its_longest_answer():
    rungs = evaluate.rungs(FREE, "m", "Write.", pool=FREE[:6])
    assert [one.name for one in rungs] == ["question only", "instructions", "+ 4 examples", "+ 4 nearest"]
    assert evaluate.label_of(FREE) is None
    assert all(one.max_tokens > len(FREE[0].answer) / 3 for one in rungs)


@pytest.mark.parametrize(
    ("rows", "name"),
    [(LABELLED, "instructions, labels listed"), (SLOTS, "+ schema"), (FREE, "instructions")],
    ids=["labels", "fields", "free text"],
)
def test_a_search_begins_with_the_form_settled_and_shows_rows_that_answer_in_it(rows, name):
    about = data.task(rows)
    found = evaluate.search_from(evaluate.rungs(rows, "m", "Do it.", pool=rows[:12], about=about), about)
    assert found.name == name
    valid = metrics.valid_json(found.schema)
    assert not found.schema or any(valid(row.answer, row) == 1 for row in rows)


@pytest.mark.parametrize("pool", [[], LABELLED[:1], LABELLED[:2]])
def test_a_pool_of_few_rows_or_none(pool):
    rungs = evaluate.rungs(LABELLED, "m", "?", pool=pool)
    shown = [one for one in rungs if one.shots]
    assert all(sorted(a.question for a in one.shots) == sorted(a.question for a in pool) for one in shown)
    assert len(shown) == (2 if pool else 0) and [one.nearest for one in rungs if one.pool] == [len(pool)] * len(shown)


def test_a_label_in_a_schemas_json_counts_as_the_label():
    right = row("?", "positive")
    for answer in ('{"label": "positive"}', ' {"label":"Positive"}', "positive", '"positive".'):
        assert metrics.label_accuracy(answer, right) == 1, answer
    two, listed = '{"label": "positive", "why": "x"}', '{"label": ["positive"]}'
    for answer in ('{"label": "negative"}', two, listed, '{"label": 1}', '{"label": "positive"', "{}", "{"):
        assert metrics.label_accuracy(answer, right) == 0, answer
    assert metrics.label_accuracy("{x}", replace(right, messages=row("?", "{x}").messages)) == 1


def test_the_table_of_reviews_holds_the_rows_of_the_splits():
    table = data.read(TWO_WAY / "reviews.csv", columns={"question": "review", "answer": "label"})
    splits = [one for name in ("train", "validation", "test") for one in data.read(TWO_WAY / f"{name}.jsonl")]
    assert Counter((one.question, one.answer) for one in table) == Counter((one.question, one.answer) for one in splits)


def test_answers_of_rows_outside_the_pool_reach_no_prompt_and_no_schema():
    def place(n: int, name: str, **more: str) -> Example:
        return row(f"where is number {n}?", json.dumps({"place": name, **more}))

    pool = [place(n, ("cellar", "attic")[n % 2]) for n in range(12)]
    held_out = [place(n, "SECRET", secret_key="here") for n in range(12, 24)]
    for rung in evaluate.rungs([*pool, *held_out], "m", "Find it.", pool=pool):
        sent = json.dumps([rung.system, rung.schema, [list(one.messages) for one in (*rung.shots, *rung.pool)]])
        assert "SECRET" not in sent and "secret_key" not in sent
    assert "cellar" in rung.system and rung.schema["required"] == ["place"]
    longer = evaluate.rungs([*pool, place(99, "x" * 900)], "m", "Find it.", pool=pool)
    assert longer[0].max_tokens > 450, "an answer of any row must fit"
    assert not any(one.schema for one in evaluate.rungs(held_out, "m", "Find it.", pool=[]))


def test_the_schema_is_shown_a_line_a_key():
    rows = [row(f"q {n}", json.dumps({"art": "größer" if n % 2 else "kleiner", "n": n})) for n in range(12)]
    shown = evaluate.forced_schema(evaluate.rungs(rows, "m", "Do it.", pool=rows[:8])).splitlines()
    assert shown[1:] == ['  art: {"type": "string", "enum": ["größer", "kleiner"]}', '  n: {"type": "integer"}']
    assert "training answers" in shown[0]
    assert evaluate.forced_schema(evaluate.rungs(FREE, "m", "Write.", pool=FREE)) == ""


def test_answers_that_are_lists_have_their_form_said_by_an_example():
    rows = [row(f"book {n}", json.dumps([{"slot": "people", "value": str(n)}])) for n in range(12)]
    found = evaluate.rungs(rows, "m", "Find the slots.", pool=rows[:6])
    ladder = {rung.name: rung for rung in found}
    said = ladder["instructions, form shown"].system
    assert "JSON list" in said and rows[0].answer in said and rows[7].answer not in said
    assert ladder["+ 4 examples"].system == said
    assert "schema" not in " ".join(ladder), "hosts force objects only"
    assert "JSON list" in your_project.draft(data.task(rows)) and "keys: ." not in your_project.draft(data.task(rows))


def test_one_stray_page_among_short_answers_does_not_make_every_answer_a_page_long():
    short = [
        row(f"question {n}", f"The new one leaves on day {n}, by the evening post." + " Sorry." * (n % 5))
        for n in range(199)
    ]
    page = row("all of it?", "Dear customer, we have looked into it. " * 200)
    usual, with_page = (evaluate.rungs(rows, "m", "Reply.", pool=short)[0] for rows in (short, [*short, page]))
    assert with_page.max_tokens == usual.max_tokens < 100
    few = evaluate.rungs([*short[:50], page], "m", "Reply.", pool=short)[0]
    assert few.max_tokens > len(page.answer) / 3, "one of 51 rows is no outlier"
    labelled = [row(f"q {n}", json.dumps({"place": f"cellar {n % 9}", "n": n})) for n in range(199)]
    long = row("q", json.dumps({"place": "x" * 900, "n": 1}))
    assert evaluate.rungs([*labelled, long], "m", "Find it.", pool=labelled)[0].max_tokens > 450, (
        "JSON that is cut is lost"
    )
