"""The model card: what a colleague must know before calling a model, from what was measured, on one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from helpers import facts
from helpers.deploy.gate import Gate
from helpers.errors import DeployError
from helpers.project import Project, write_atomically
from helpers.records import Comparison

SIZE_LIMITS = (
    "Scores hold for rows like the measured ones; other languages, products or times were not measured.",
    "It was tuned for one task; what it answers to anything else is not part of its use.",
)


def card(
    project: Project, job: Mapping[str, Any], *, host: str, gate: Gate, scores: Mapping[str, str],
    comparisons: Sequence[Comparison] = (), licence: str, limits: Sequence[str] = (), path: str | Path | None = None,
) -> Path:  # fmt: skip
    """Write the card of a tuned model as Markdown.

    Args:
        project: whose data it was tuned on; its split hashes go onto the card.
        job: the finished job, ``client.fine_tuning.jobs.retrieve(…).to_dict()``.
        host: where it was tuned and answers.
        gate: the release gate's answer; a failed one is on the card too.
        scores: name → value with its interval, in words, as a reader should see it.
        comparisons: against its rivals; their sentences go onto the card.
        licence: of the base model and of the data, in words; nobody else can know it.
        limits: what it must not be used for, beside the two that always hold.
        path: where to write; ``model-card.md`` in the project's folder when not given.

    Raises:
        DeployError: the job made no model, or something that a card cannot do without is empty; all of it is named.
    """
    missing = [name for name, value in (("scores", scores), ("licence", licence)) if not value]
    missing += [] if job.get("fine_tuned_model") else ["the job's model (did it succeed?)"]
    splits = project.get("splits") or {}
    missing += [] if splits else ["the project's splits (lesson 1 makes them)"]
    if missing:
        raise DeployError(
            "The model card is incomplete.", got=f"nothing for {', '.join(missing)}", fix="Give all of it."
        )
    settings = job.get("hyperparameters") or {}
    sections = [
        f"# Model card: {_line(job['fine_tuned_model'])}",
        _table({
            "base model": job["model"],
            "tuned at": f"{host}, job {job['id']}",
            "finished": _day(job.get("finished_at")),
            "recipe": ", ".join(f"{name} {value}" for name, value in settings.items()) or "the host's defaults",
            "seed": job.get("seed"),
            "trained tokens": f"{job['trained_tokens']:,}" if job.get("trained_tokens") else "not told by the host",
            "licence": licence,
            "written": facts.today().isoformat(),
        }),
        "## Data",
        _table({name: f"{split['rows']} rows, sha256 {split['sha256']}" for name, split in splits.items()}),
        "## Scores",
        _table(scores),
        *([_list(comparison.sentence for comparison in comparisons)] if comparisons else []),
        f"## Release gate: {'passed' if gate.passed else 'FAILED, do not release'}",
        _list(gate.reasons),
        "## Limits",
        _list([*limits, *SIZE_LIMITS]),
    ]  # fmt: skip
    target = Path(path) if path else project.folder / "model-card.md"
    write_atomically(target, "\n\n".join(sections) + "\n")
    return target


def _day(seconds: int | None) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat() if seconds else "not told by the host"


def _table(cells: Mapping[str, Any]) -> str:
    rows = [f"| {_line(name)} | {_line(value)} |" for name, value in cells.items()]
    return "\n".join(["| | |", "|---|---|", *rows])


def _list(sentences: Any) -> str:
    return "\n".join(f"- {_line(sentence)}" for sentence in sentences)


def _line(value: Any) -> str:
    """Text from anywhere, harmless in Markdown: one line, no cell or tag of its own."""
    text = " ".join(str(value).split())
    return text.replace("|", "\\|").replace("<", "&lt;")
