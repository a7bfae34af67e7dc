"""What the lessons have measured, gathered from the project file."""

from __future__ import annotations

import helpers
from helpers import assets, facts
from helpers.decide.record import evidence_from
from helpers.errors import DecisionError
from helpers.project import Project
from helpers.records import Evidence


def collect(project: Project) -> Evidence:
    """The evidence that this project holds. What is missing is named by the verdict, with the lesson that measures it.

    Raises:
        DecisionError: the project file holds evidence of another shape.
    """
    try:
        return evidence_from(project.get("evidence", {}))
    except (TypeError, ValueError, AttributeError) as error:
        raise DecisionError(
            f"The evidence kept in project {project.name!r} cannot be read.",
            got=str(error),
            fix="Run the lesson that measures it again.",
        ) from error


def versions(project: Project) -> dict[str, str]:
    """What a decision rests on, by version or hash: data, prompts, models, price table and kit.

    Data is the sha256 of each split's file, as kept by the lessons that wrote them. A prompt is a hash of all that it
    sends beside the question. A tuned model's id is its version: a host never gives one out twice.
    """
    found = {f"{name} split": f"sha256 {split['sha256']}" for name, split in project.get("splits", {}).items()}
    for name, about in project.get("results", {}).get("candidates", {}).items():
        if about["kind"] == "tuned":
            found[f"model “{name}”"] = about["model"]
        elif "prompt" in about:
            found[f"prompt “{name}”"] = f"sha256 {about['prompt']}…, on {about['model']}"
    found["base model on this machine"] = f"sha256 {assets.BASE_WEIGHTS.sha256}"
    newest = max(row.as_of for table in facts.TABLES for row in facts.rows(table))
    found["facts tables"] = f"newest row as of {newest}"
    return found | {"kit": helpers.__version__}
