"""Lessons 06 and your_project: exercises can be solved, wrong answers are told so; charts and hashes of a record."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from decide_cases import cases, measurement

from helpers import costs, decide, ledger, show
from helpers.errors import DecisionError
from helpers.project import Project
from helpers.records import Evidence

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
JOURNEY = next(case for case in cases() if case.name == "the sample journey")
TODAY = date(2026, 11, 23)


def exercises(name: str) -> list[str]:
    cells = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells
    return [cell.source for cell in cells if "exercise" in cell.metadata.get("tags", [])]


def solutions(name: str) -> list[str]:
    cells = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return re.findall(r"<summary>Solution</summary>\s*```python\n(.*?)\n```", prose, re.DOTALL)


def answered(exercise: str, answer: str) -> str:
    """The exercise's cell with its dots replaced by an answer."""
    first, rest = exercise.split("\n", 1)
    name, dots = first.split(" = ")
    assert dots.startswith("...")
    return f"{name} = {answer}\n{rest}"


def run(cell: str, names: dict, capsys) -> str:
    exec(compile(ast.parse(cell), "exercise", "exec"), names)  # the lessons' own code
    return capsys.readouterr().out


@pytest.fixture
def after_the_lesson():
    """What lesson 06 has defined when its exercises begin, on the sample journey's evidence."""
    verdict = decide.decide(JOURNEY.answers, JOURNEY.evidence, TODAY)
    return {"decide": decide, "show": show, "date": date, "replace": replace, "answers": JOURNEY.answers,
            "evidence": JOURNEY.evidence, "verdict": verdict}  # fmt: skip


def test_the_first_exercise_of_lesson_06_takes_what_would_make_it_fine_tune(after_the_lesson, capsys):
    exercise, (solution, _) = exercises("06_decide")[0], solutions("06_decide")
    assert run(exercise, after_the_lesson, capsys).startswith("Not answered yet")
    assert run(answered(exercise, solution.split(" = ")[1]), after_the_lesson, capsys).startswith("Right.")
    for wrong in (
        '(0.70, "still rising", "most")',
        '(0.70, "plateaued", "none")',
        '(0.99, "plateaued", "most")',
        '(70, "plateaued", "most")',
        '"plateaued"',
        "None",
    ):
        assert run(answered(exercise, wrong), after_the_lesson, capsys).startswith("Not quite."), wrong


def test_the_second_exercise_of_lesson_06_takes_the_mistaken_verdict_only(after_the_lesson, capsys):
    exercise, (_, solution) = exercises("06_decide")[1], solutions("06_decide")
    right = [
        choice
        for choice in decide.CHOICES
        if run(answered(exercise, repr(choice)), after_the_lesson, capsys).startswith("Right.")
    ]
    assert right == [ast.literal_eval(solution.split(" = ")[1])]


def test_a_supposed_target_has_wilsons_interval_and_leaves_the_rest_alone():
    evidence = decide.suppose(JOURNEY.evidence, 0.8, rows=200, plateau="plateaued")
    *before, supposed = evidence.measurements
    assert tuple(before) == JOURNEY.evidence.measurements and evidence.data == JOURNEY.evidence.data
    assert (round(supposed.low, 3), round(supposed.high, 3)) == (0.739, 0.850)
    assert supposed.role == "target" == evidence.plateaus[-1].role
    assert decide.suppose(None, 0.5).plateaus == ()
    for score, rows in ((1.2, 200), (-0.1, 200), (0.5, 0)):
        with pytest.raises(DecisionError, match="share of rows"):
            decide.suppose(None, score, rows=rows)
    with pytest.raises(DecisionError, match="plateau state 'done'"):
        decide.suppose(Evidence(), 0.5, plateau="done")


def test_versions_name_data_prompts_models_prices_and_kit(tmp_path, monkeypatch):
    monkeypatch.setenv("KIT_HOME", str(tmp_path))
    project = Project("shop")
    bare = decide.versions(project)
    assert set(bare) == {"base model on this machine", "facts tables", "kit"}
    file = tmp_path / "train.jsonl"
    file.write_text('{"messages": []}\n')
    project.keep_splits({"train": file})
    measured = (
        measurement("teaching", key="rules", model="m"),
        measurement("tuned", key="tuned", model="ft:m:x"),
        measurement("no language model", key="majority", model="most frequent answer"),
    )
    ledger.add(project, [ledger.Entry(one, np.ones(3)) for one in measured])
    found = decide.versions(project)
    assert found["train split"] == f"sha256 of its file {project.get('splits')['train']['sha256']}"
    assert found["prompt “rules” on m"].startswith("rules (a hash of") and found["model “tuned”"] == "ft:m:x"
    assert not any("majority" in name for name in found)


TABLE = pd.DataFrame(
    [("question <b>only</b>", "m", "teaching", 80, 0.1, 0.05, 0.2), ("tuned", "ft:m:x", "tuned", 80, 0.6, 0.5, 0.7)],
    columns=["candidate", "model", "role", "rows", "score", "low", "high"],
).set_index("candidate")


def test_the_records_charts_state_findings_and_fit_the_record(tmp_path):
    charts = show.record_charts(TABLE, "all_fields", JOURNEY.evidence.comparisons, costs.Workload(), TODAY)
    assert len(charts) == 3
    assert charts[0]["title"] == "“tuned” has all fields right most often: 60 % (interval 50 % to 70 %) on 80 rows."
    assert "10 %" in charts[0]["text"] and "cheapest" in charts[2]["title"] and "$" in charts[2]["text"]
    assert all(chart["title"].endswith(".") and "<b>only" not in chart["svg"] for chart in charts)
    record = decide.Record("?", JOURNEY.answers, JOURNEY.evidence, TODAY, charts=tuple(charts))
    page = record.write(tmp_path)["html"].read_text(encoding="utf-8")
    assert page.count("<figure>") == 3 and page.count("data:image/svg+xml") == 3
    assert len(show.record_charts(TABLE, "all_fields")) == 1
