"""Lesson 7 with a reader's own archive: another guide, few rows. Its exercises are run behind the lesson itself."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest

from helpers import data, evaluate, show
from helpers.decide import questions
from helpers.evaluate import free_text
from helpers.records import Candidate

LESSON = nbformat.read(Path(__file__).parents[1] / "notebooks" / "07_a_brands_voice.ipynb", as_version=4)
ARCHIVE = Path(__file__).parents[1] / "data" / "sample" / "brand_voice"


def cell(beginning: str) -> str:
    """The code cell that begins so."""
    [source] = [one.source for one in LESSON.cells if one.cell_type == "code" and one.source.startswith(beginning)]
    return source


@pytest.fixture
def choices() -> dict:
    """What the parameters cell has set."""
    names = {"os": os, "evaluate": evaluate, "show": show, "free_text": free_text, "Candidate": Candidate}
    exec(cell("import os"), names)
    return names


def test_the_line_that_changes_stands_in_the_guide_and_the_rule_says_what_it_becomes(choices, capsys):
    names = choices | {"folder": ARCHIVE}
    exec(cell("guide ="), names)
    assert capsys.readouterr().out.startswith("20 rules") and names["OLD_LINE"] in names["guide"]
    assert evaluate.text_rules.check_rules([names["NEW_RULE"]])
    answers = questions()
    assert all(value in answers[name].values for name, value in names["ANSWERS"].items())


def test_a_guide_with_other_headings_is_shown_whole(choices, tmp_path, capsys):
    (tmp_path / "voice_guide.md").write_text("# How we speak\nAt most ten words.\n")
    (tmp_path / "rules.toml").write_bytes((ARCHIVE / "rules.toml").read_bytes())
    exec(cell("guide ="), choices | {"folder": tmp_path, "OLD_LINE": "At most ten words"})
    assert "# How we speak\nAt most ten words.\n" in capsys.readouterr().out


@pytest.mark.parametrize("line", ["Between 35 and 70 words", ""])
def test_a_line_that_is_not_in_the_guide_stops_the_lesson_before_it_trains(choices, tmp_path, line):
    (tmp_path / "voice_guide.md").write_text("# How we speak\nAt most ten words.\n")
    (tmp_path / "rules.toml").write_bytes((ARCHIVE / "rules.toml").read_bytes())
    with pytest.raises(AssertionError, match="OLD_LINE"):
        exec(cell("guide ="), choices | {"folder": tmp_path, "OLD_LINE": line})


@pytest.mark.parametrize("count", [1, 3, 80])
def test_there_is_something_to_hear_however_few_the_rows(choices, count):
    rows = data.read(ARCHIVE / "test.jsonl")[:count]
    own = [row.answer for row in rows]
    written = dict.fromkeys(("bare", "guide", "tuned", free_text.ARCHIVE), own)
    told = choices | {"rows": rows, "written": written, "rules": (), "BEST": "guide", "TUNED": "tuned"}
    page = eval(cell("show.heard"), told).data
    assert page.count("<b>Sheet</b>") == min(count, 3)


def test_ten_of_twelve_is_the_smallest_landslide():
    assert evaluate.statistics.sign_test(10, 2) == pytest.approx(0.04, abs=0.002)  # as the lesson says
    assert evaluate.statistics.sign_test(9, 3) == pytest.approx(0.15, abs=0.005)
