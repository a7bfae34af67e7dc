"""What the lessons have measured, gathered from the project file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from helpers.decide.record import evidence_from
from helpers.errors import DecisionError
from helpers.project import Project
from helpers.records import Evidence

PARTS = {
    "data": ("a report on the data", "01_prepare_data"),
    "prompt_scores": ("scores of prompts", "00_should_you_fine_tune"),
    "plateau": ("a test whether prompting has plateaued", "00_should_you_fine_tune"),
    "comparisons": ("tuned against prompted on the test rows", "04_evaluate"),
    "cost": ("the bill", "06_decide"),
    "learning_curve": ("what more data would bring", "extra/how_much_data"),
}
"""Parts of the evidence, in words, and the lesson that measures each."""


def collect(project: Project) -> Evidence:
    """The evidence that this project holds; what is missing is named, with the lesson that measures it.

    Raises:
        DecisionError: the project file holds evidence of another shape.
    """
    kept: Mapping[str, Any] = project.get("evidence", {})
    lacking = [f"{words} (lesson {lesson})" for part, (words, lesson) in PARTS.items() if not kept.get(part)]
    scores = kept.get("prompt_scores") or ()
    if not any(score.get("yardstick") == "target" for score in scores):
        lacking.insert(0, "a prompted score of a model that you would really use")
    try:
        return evidence_from({**kept, "not_measured": lacking})
    except (TypeError, ValueError) as error:
        raise DecisionError(
            f"The evidence kept in project {project.name!r} cannot be read.",
            got=str(error),
            fix="Run the lesson that measures it again.",
        ) from error
