"""What the lessons have measured, gathered from the project file."""

from __future__ import annotations

from dataclasses import replace

import helpers
from helpers import assets, facts, ledger
from helpers.decide.record.stored import OLDER, evidence_from
from helpers.errors import DecisionError
from helpers.project import Project
from helpers.records import Evidence

IN_WORDS = {"fields": "JSON", "text": "free text", "turns": "whole conversations", "tools": "tool calls"}
"""Kinds of task whose name does not say what the ideal answers are."""


def collect(project: Project) -> Evidence:
    """The evidence that this project holds: the newest measurement of each candidate, comparisons of those that
    answered the same rows, the newest plateau tests, and what other lessons kept. What is missing is named by the
    verdict, with the lesson that measures it.

    Raises:
        DecisionError: the project file holds evidence of another shape.
        ProjectError: its measurements cannot be read.
    """
    entries, plateaus = ledger.newest(project)
    kept = project.get("evidence", {})
    try:
        if entries:  # a project that has been measured anew needs nothing of what an older kit kept
            kept = {key: value for key, value in kept.items() if key not in (*OLDER, "comparisons")}
        evidence = evidence_from(kept)
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        raise DecisionError(
            f"The evidence kept in project {project.name!r} cannot be read.",
            got=str(error),
            fix="Run the lesson that measures it again.",
        ) from error
    measured = tuple(entry.measurement for entry in entries)
    return replace(
        evidence,
        measurements=(*evidence.measurements, *measured),
        comparisons=(*evidence.comparisons, *ledger.comparisons(entries)),
        plateaus=(*evidence.plateaus, *plateaus),
        about=_about(project),
    )


def _about(project: Project) -> tuple[tuple[str, str], ...]:
    """File, rows, kind of task and instructions, as far as the project holds them; nothing for the lessons' sample."""
    source, task = project.get("source", {}), project.get("task", {})
    rows, kind, labels = source.get("rows"), task.get("kind", ""), task.get("labels")
    found = {
        "File": source.get("file"),
        "Rows": f"{rows:,}" if rows else "",
        "Ideal answers": IN_WORDS.get(kind, kind) + (f", {labels:,} of them" if labels else ""),
        "Instructions that were measured": task.get("instructions"),
    }
    return tuple((title, said) for title, said in found.items() if said)


def versions(project: Project) -> dict[str, str]:
    """What a decision rests on, by version or hash: data, prompts, models, price table and kit.

    Data is the sha256 of each split's file, as kept by the lessons that wrote them. A prompt is a hash of all that it
    sends beside the question. A tuned model's id is its version: a host never gives one out twice.
    """
    found = {
        f"{name} split": f"sha256 of its file {split['sha256']}" for name, split in project.get("splits", {}).items()
    }
    for one in (entry.measurement for entry in ledger.newest(project)[0]):
        if one.role == "tuned":
            found[f"model “{one.name}”"] = one.model
        elif one.role != "no language model":
            found[f"prompt “{one.name}” on {one.model}"] = f"{one.candidate} (a hash of host, model, prompt, decoding)"
    found["base model on this machine"] = f"sha256 {assets.BASE_WEIGHTS.sha256}"
    newest = max(row.as_of for table in facts.TABLES for row in facts.rows(table))
    found["facts tables"] = f"newest row as of {newest}"
    return found | {"kit": helpers.__version__}
