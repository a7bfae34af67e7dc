"""Rivals without a language model: patterns, classifiers, their combination, coverage and cascades."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from helpers import evaluate
from helpers.errors import EvaluationError
from helpers.evaluate import metrics
from helpers.records import Example

SAMPLE = Path(__file__).parents[1] / "data" / "sample"


def example(question: str, answer: object = "yes") -> Example:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    return Example(({"role": "user", "content": question}, {"role": "assistant", "content": text}))


def sample(task: str, split: str) -> list[Example]:
    lines = (SAMPLE / task / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    return [Example(tuple(json.loads(line)["messages"]), line=i) for i, line in enumerate(lines, 1)]


# --- patterns --------------------------------------------------------------------------------------------------------


def orders(*pairs: tuple[str, object]) -> list[Example]:
    return [example(question, {"order": value, "kind": "a"}) for question, value in pairs]


WRITTEN = orders(
    ("where is 48213", "BM-48213"), ("BM51120 please", "BM-51120"), ("it is #61234!", "BM-61234"),
    ("bm-71999 is late", "BM-71999"), ("no number here", None), ("I paid 12 in 2024", None),
)  # fmt: skip


def test_a_pattern_learns_however_the_number_was_written():
    found = evaluate.suggest_pattern(WRITTEN, "order")
    assert (found.right, found.rows, found.usual) == (6, 6, 2)
    assert found("order no. 90001, thanks") == "BM-90001" and found("phone 555012345") is None
    assert found.template == "BM-{}"


def test_a_pattern_prints_as_what_it_is():
    said = str(evaluate.suggest_pattern(WRITTEN, "order"))
    assert "([0-9]{5})" in said and "BM-{}" in said and "6 of 6 training rows" in said and "null" in said
    assert said == repr(evaluate.suggest_pattern(WRITTEN, "order"))


def test_a_pattern_reads_spaces_inside_and_the_last_of_several_where_training_rows_say_so():
    rows = orders(
        ("BM-48 213", "BM-48213"), ("43 118", "BM-43118"), ("not 11111 but 22222", "BM-22222"), ("33333", "BM-33333")
    )
    found = evaluate.suggest_pattern(rows, "order")
    assert found.right == 4 and found.which == "last"
    assert found("55 555") == "BM-55555"


def test_a_pattern_needs_its_start_where_other_numbers_are_about():
    rows = orders(*((f"ref BM {n}, my phone is {n + 1}", f"BM-{n}") for n in range(10000, 10010)),
                  *((f"call me on {n}", None) for n in range(20000, 20010)))  # fmt: skip
    found = evaluate.suggest_pattern(rows, "order")
    assert found.right == 20 and found("call 30000") is None and found("bm:30000, call 40000") == "BM-30000"


def test_numbers_stay_numbers_and_letters_keep_the_answers_case():
    amounts = [example(f"I paid {n}.50 euros on Monday", {"amount": n + 0.5}) for n in range(10, 20)]
    assert evaluate.suggest_pattern(amounts, "amount")("cost 77.25 in all") == 77.25
    codes = [example(f"code {c.lower()}{n}", {"code": f"{c}{n}"}) for n, c in enumerate(("AB", "CD", "EF", "GH"), 10)]
    assert evaluate.suggest_pattern(codes, "code")("my zz99") == "ZZ99"


def test_no_pattern_for_labels_names_or_values_that_no_message_holds():
    rows = [example(f"message {n}", {"kind": "ab"[n % 2], "name": f"Ann {'xy'[n % 2]}{n}!", "id": f"N-{n * 7919}"})
            for n in range(12)]  # fmt: skip
    assert [evaluate.suggest_pattern(rows, field) for field in ("kind", "id")] == [None, None]
    assert evaluate.suggest_patterns(rows) == {}
    assert evaluate.suggest_patterns([example("x", "plain")]) == {}
    with pytest.raises(EvaluationError, match=r"'nothing'.*kind"):
        evaluate.suggest_pattern(rows, "nothing")


def test_the_samples_order_numbers():
    found = evaluate.suggest_patterns(sample("triage", "train"))
    assert list(found) == ["order_id"]
    assert found["order_id"].right >= 230 > 120 >= found["order_id"].usual
