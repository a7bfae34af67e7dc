"""Lesson 7: its exercises can be solved, and wrong answers are told so."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_decide_lessons import answered, exercises, run, solutions

from helpers import data, evaluate, show

NAME = "07_a_brands_voice"
TRAIN = data.read(Path(__file__).parents[1] / "data" / "sample" / "brand_voice" / "train.jsonl")


@pytest.fixture
def after_the_lesson():
    return {"evaluate": evaluate, "show": show, "train": TRAIN}


def test_a_rule_of_ones_own_is_kept_by_the_archive_and_broken_by_the_sheets(after_the_lesson, capsys):
    exercise, solution = exercises(NAME)[0], solutions(NAME)[0]
    assert run(exercise, after_the_lesson, capsys).startswith("Not answered yet")
    assert run(answered(exercise, solution.split(" = ", 1)[1]), after_the_lesson, capsys).startswith("Right.")
    for wrong in (
        '{"id": "calm", "kind": "regex_absent", "pattern": "!"}',  # most sheets keep it, too
        '{"id": "short", "kind": "word_count", "min": 1, "max": 10}',
        '{"id": "odd", "kind": "nonsense"}',
        '"calm"',
    ):
        assert run(answered(exercise, wrong), after_the_lesson, capsys).startswith("Not quite."), wrong


def test_ten_of_twelve_is_the_smallest_landslide(after_the_lesson, capsys):
    exercise, solution = exercises(NAME)[1], solutions(NAME)[1]
    right = [n for n in range(13) if run(answered(exercise, str(n)), after_the_lesson, capsys).startswith("Right.")]
    assert right == [10] and solution.startswith("wins = 10")
    assert evaluate.statistics.sign_test(10, 2) == pytest.approx(0.04, abs=0.002)  # as the lesson says
    assert evaluate.statistics.sign_test(9, 3) == pytest.approx(0.15, abs=0.005)
