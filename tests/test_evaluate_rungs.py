"""A ladder for any reader's rows: what each rung sends, and what the rows decide."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from helpers import data, evaluate
from helpers.evaluate import metrics
from helpers.records import Example

TWO_WAY = Path(__file__).parents[1] / "data/sample/two_way"


def row(question: str, answer: str) -> Example:
    return Example(({"role": "user", "content": question}, {"role": "assistant", "content": answer}))


LABELLED = [row(f"question {n}", ("gut", "schlecht", "weiß nicht")[n % 3]) for n in range(30)]
FREE = [row(f"question {n}", f"a text of its own, number {n}, " + "and more " * 40) for n in range(12)]


def test_labels_get_a_schema_and_every_label_among_the_shots():
    rungs = evaluate.rungs(LABELLED, "m", "Label it.", pool=LABELLED[:15], declared="target")
    assert [one.name for one in rungs] == [
        "question only", "instructions", "instructions, schema", "+ 4 examples", "+ 4 nearest",
    ]  # fmt: skip
    assert rungs[2].schema["properties"]["label"]["enum"] == ["gut", "schlecht", "weiß nicht"]
    assert {one.answer for one in rungs[3].shots} == {"gut", "schlecht", "weiß nicht"}
    assert {one.declared for one in rungs} == {"target"} and not rungs[0].system
    assert rungs == evaluate.rungs(LABELLED, "m", "Label it.", pool=LABELLED[:15], declared="target")


def test_two_labels_stand_evenly_and_in_no_pattern():
    pool = data.read(TWO_WAY / "train.jsonl")
    orders = set()
    for seed in range(8):
        shots = evaluate.rungs(pool, "m", "?", pool=pool, seed=seed)[-2].shots
        assert Counter(one.answer for one in shots) == {"positive": 2, "negative": 2}
        orders.add(tuple(one.answer for one in shots))
    assert len(orders) > 2


def test_free_text_gets_no_schema_and_room_for_its_longest_answer():
    rungs = evaluate.rungs(FREE, "m", "Write.", pool=FREE[:6])
    assert [one.name for one in rungs] == ["question only", "instructions", "+ 4 examples", "+ 4 nearest"]
    assert evaluate.label_of(FREE) is None and evaluate.label_schema(FREE) is None
    assert all(one.max_tokens > len(FREE[0].answer) / 3 for one in rungs)


@pytest.mark.parametrize("pool", [[], LABELLED[:1], LABELLED[:2]])
def test_a_pool_of_few_rows_or_none(pool):
    rungs = evaluate.rungs(LABELLED, "m", "?", pool=pool)
    assert sorted(one.question for one in rungs[-2].shots) == sorted(one.question for one in pool)
    assert rungs[-1].name == f"+ {len(pool)} nearest"


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
