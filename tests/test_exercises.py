"""Exercises without their lessons: those of the side trips, and those whose answer hangs on how a lesson was run.

The same four checks run behind each exercise of a lesson, on what the lesson really made: see ``exercises``.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import nbformat
import pandas as pd
import pytest

from helpers import deploy, evaluate, facts, show
from helpers.evaluate import Results, learning_curve, metrics
from helpers.evaluate.inference.store import Reply
from helpers.evaluate.results.scoring import score_replies
from helpers.records import Example
from helpers.trial import verdicts
from tests import exercises

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def trained(epochs: int) -> dict:
    """What lesson 3 has after a job of so many epochs of 15 steps."""
    steps = range(1, 15 * epochs + 1)
    curve = pd.DataFrame({"step": steps, "full_valid_loss": [None if step % 15 else 1 / step for step in steps]})
    job = SimpleNamespace(id="ftjob-1", hyperparameters=SimpleNamespace(n_epochs=epochs, batch_size=16))
    return {"job": job, "curve": curve, "train": {"rows": 240}}


def compared() -> dict:
    """What lesson 4 has measured of a single tuned model."""
    answer = '{"category": "a", "urgency": "low", "order_id": null}'
    turns = [({"role": "user", "content": f"{i}"}, {"role": "assistant", "content": answer}) for i in range(10)]
    rows, fields = [Example(pair) for pair in turns], [metrics.field("category"), metrics.field("urgency")]

    def measured(name: str, role: str) -> Results:
        about = {"id": name, "model": "m", "host": "local", "role": role, "known_by": "", "parameters": None}
        replies = [Reply(text=answer if i % 2 else "{}") for i in range(10)]
        return score_replies(name, about, rows, replies, fields, split="test")

    prompted = measured("question only", "teaching").merge(measured("+ 4 nearest", "teaching"))
    return {"results": prompted.merge(measured("tuned, seed 1", "tuned")), "evaluate": evaluate}


def gated() -> dict:
    """What lesson 5 has measured of a model that passes its gate."""
    measured = {"order_id": 0.9, "seconds a call, median": 1.2}
    return {"measured": measured, "RULES": {"order_id": {"at_least": 0.9}}, "deploy": deploy}


def many_sizes() -> dict:
    """What the side trip on data has after its runs."""
    sizes, scores = (10, 20, 40, 80, 120, 240), (0.01, 0.04, 0.11, 0.21, 0.28, 0.37)
    runs = pd.DataFrame({"draw_rows": sizes * 2, "score": [*scores, *(score + 0.01 for score in scores)]})
    curve = learning_curve.fit(runs["draw_rows"], runs["score"], worth=0.03)
    return {"learning_curve": learning_curve, "curve": curve, "runs": runs, "SIZES": sizes}


CASES = {
    "03_train, one epoch": ("03_train", lambda: trained(1), (0, 1)),
    "03_train, five epochs": ("03_train", lambda: trained(5), (0, 1)),
    "04_evaluate, one seed": ("04_evaluate", compared, (0, 1)),
    "05_deploy, a gate": ("05_deploy", gated, (0,)),
    "how_much_data": ("extra/how_much_data", many_sizes, (0, 1)),
    "leave_a_retiring_model": (
        "extra/leave_a_retiring_model", lambda: {"facts": facts, "today": facts.today()}, (0, 1),
    ),
    "the_article_on_trial": (
        "extra/the_article_on_trial", lambda: {"verdicts": verdicts, "evaluate": evaluate}, (0, 1),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", ["untouched", "nonsense", "wrong", "solution"])
@pytest.mark.parametrize("case", CASES)
def test_a_solution_passes_and_nothing_else_does(case, what):
    name, made, numbers = CASES[case]
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    names = {"show": show, **made()}
    for number, (_, checks) in enumerate(exercises.cells(name.split("/")[-1], notebook)):
        if number in numbers:
            exec(checks[what], dict(names))


def test_every_exercise_of_every_notebook_has_wrong_answers_to_try():
    for path in [*NOTEBOOKS.glob("*.ipynb"), *NOTEBOOKS.glob("extra/*.ipynb")]:
        if not path.name.startswith("my_"):
            notebook = nbformat.read(path, as_version=4)
            count = sum("exercise" in cell.metadata.get("tags", []) for cell in notebook.cells)
            assert len(exercises.WRONG[path.stem]) == count == len(list(exercises.cells(path.stem, notebook)))
