"""What the lessons have measured, gathered from the project file."""

from __future__ import annotations

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
