"""What a lesson works on: the triage sample, or the rows of a project that ``your_project`` has begun."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from helpers import data, ledger
from helpers.errors import ProjectError
from helpers.evaluate import free_text, metrics
from helpers.evaluate.metrics import Metric
from helpers.evaluate.prompts.rungs import rungs
from helpers.evaluate.results.results import Results
from helpers.project import Project
from helpers.records import Candidate, Example

MAX_EACH = 8
OF_THE_SAMPLE = ("valid_json", "order_id")
"""Metrics on which the sample's gate has rules and other rows need not have any."""
SKIP = "Text and exercises that name categories, order numbers or kettles refer to the sample: skip them."
NO_LABELS = (
    "Lessons 4 and 5 compare labels and JSON answers; yours are neither, and some of their cells stop with a message: "
    "stay in your_project for these steps."
)


@dataclass(frozen=True)
class Material:
    """Rows, instructions and measure of one decision, in one shape for the sample and for a project of one's own.

    Attributes:
        note: one sentence: whose rows these are, and what of the lesson does not apply to them.
        own: whether they are the reader's.
        train, held_out: training rows, and all validation rows.
        files: split → file of chat examples.
        instructions: the prompt.
        schema: JSON schema of an answer; None where an answer is plain text or a label.
        scored: metrics, the headline first.
        field: the field of a JSON answer that holds the label; None where the whole answer is it.
        task: kind of task (``data.task``); None for the sample.
        prompt: the prompt that was best on the validation rows; None for the sample, and where no score could choose.
        searched: prompts that lesson 0's searches found on training rows.
    """

    note: str
    own: bool
    train: list[Example]
    held_out: list[Example]
    files: Mapping[str, Path]
    instructions: str
    schema: Mapping[str, Any] | None
    scored: list[Metric]
    field: str | None
    task: data.Task | None
    prompt: Candidate | None = None
    searched: tuple[Candidate, ...] = ()

    @property
    def fields(self) -> list[Metric]:
        """Metrics of single fields; none where answers are not JSON objects."""
        whole = ("all_fields", "valid_json")
        parts = self.task is None or self.task.kind == "fields"
        return [metric for metric in self.scored if metric.name not in whole] if parts else []

    @property
    def shares(self) -> list[str]:
        """Columns of a table of results: the score with its interval, then the other shares of right rows."""
        return ["score", "low", "high", *(metric.name for metric in self.scored[1:] if metric.unit == "share")]

    @property
    def part(self) -> str:
        """The metric that speaks of the label alone. It is not always called as its field: tables have columns too."""
        return self.fields[0].name if self.field else self.scored[0].name

    @property
    def score(self) -> str:
        """What the headline counts, in words."""
        return self.scored[0].name.replace("_", " ") if self.own else "all fields right"

    @property
    def labelled(self) -> bool:
        """Whether answers are labels, or hold one in ``field``."""
        return self.task is None or self.task.kind == "labels" or self.field is not None

    def gate(self, rules: Mapping[str, Mapping[str, float]]) -> dict[str, Mapping[str, float]]:
        """Rules of a release gate, without those on the sample's own fields where these rows have no such field."""
        there = {metric.name for metric in self.scored}
        return {name: rule for name, rule in rules.items() if name not in OF_THE_SAMPLE or name in there}

    def one_each(self) -> tuple[Example, ...]:
        """A training row of each label, at most eight; of free text the first four."""
        if self.own and self.task.kind not in ("labels", "fields"):
            return tuple(self.train[:4])
        by_label = {_label(row.answer, self.field): row for row in self.train}
        return tuple(by_label.values())[:MAX_EACH]

    def rungs(self, model: str, declared: str = "") -> list[Candidate]:
        """The ladder of ``your_project`` for the reader's own rows, the prompt that was chosen there word for word;
        nothing for the sample, which has its own.

        Args:
            model: the one that is asked.
            declared: what the reader says that it is: see ``Candidate``.
        """
        if not self.own:
            return []
        rows = [*self.train, *self.held_out]
        ladder = rungs(rows, model, self.instructions, pool=self.train, declared=declared, about=self.task)
        return _with(self.prompt, ladder, self.train) if self.prompt else ladder

    def found(self, model: str, declared: str = "") -> list[Candidate]:
        """The prompts that lesson 0's searches found, asked of this model; empty where nothing was searched.

        Args:
            model: the one that is asked.
            declared: what the reader says that it is: see ``Candidate``.
        """
        return [replace(prompt, model=model, declared=declared) for prompt in self.searched]

    def today(self, results: Results) -> str:
        """The prompt that programs use today: the one that was chosen on validation rows, among those in ``results``.

        Where none was chosen, or it was not measured there, it is the best one in ``results``.
        """
        chosen = (self.prompt.name if self.prompt else "") if self.own else "+ 4 nearest"
        return chosen if chosen in results.candidates else results.winner()


def material(project: Project, sample: Path) -> Material:
    """What this project is about: the reader's rows where ``your_project`` has begun it, else the sample's.

    Args:
        project: whose rows.
        sample: folder of the sample's splits.

    Raises:
        ProjectError: a file of the project's own splits is gone, or it has no task and holds scores of other rows.
    """
    about = project.get("task")
    found = _own(project, about) if about else _sample(sample)
    if not about:
        _refuse_other_rows(project, found)
    return replace(found, searched=tuple(map(_prompt, project.get("found", {}).values())))


def _refuse_other_rows(project: Project, sample: Material) -> None:
    """Lesson 7's project, for example: the sample's scores would be mixed with those of its rows."""
    measured = [entry.measurement for entry in ledger.newest(project)[0]]
    metrics_kept = {one.metric.split(" (")[0] for one in measured if one.headline}
    if metrics_kept and metrics_kept.isdisjoint(one.name for one in sample.scored):
        raise ProjectError(
            f"Project {project.name!r} holds scores of other rows; this lesson would add those of the triage sample.",
            got=", ".join(sorted(metrics_kept)),
            fix='Set PROJECT = "sample" here, or go on in the notebook that made the project.',
        )


def _sample(folder: Path) -> Material:
    files = {name: folder / f"{name}.jsonl" for name in ("train", "validation", "test")}
    schema = json.loads((folder / "schema.json").read_text(encoding="utf-8"))
    named = [metrics.field(name) for name in ("category", "urgency", "order_id")]
    return Material(
        note="The lesson's own sample: 640 messages to a shop.", own=False, train=data.read(files["train"]),
        held_out=data.read(files["validation"]), files=files,
        instructions=(folder / "instructions.md").read_text(encoding="utf-8"), schema=schema,
        scored=[metrics.all_fields, *named, metrics.valid_json(schema)], field="category", task=None,
    )  # fmt: skip


def _own(project: Project, about: Mapping[str, Any]) -> Material:
    files = {name: Path(split["path"]) for name, split in project.require("splits").items()}
    if gone := [str(path) for path in files.values() if not path.exists()]:
        raise ProjectError(
            f"Rows of project {project.name!r} are gone.", got=", ".join(gone), fix="Run your_project again."
        )
    train, held_out = data.read(files["train"]), data.read(files["validation"])
    task = _task([*train, *held_out], about)
    field = task.required[0] if task.kind == "fields" and task.required else None
    file = project.get("source", {}).get("file", "your file")
    fits = SKIP if field or task.kind == "labels" else NO_LABELS
    scored = free_text.for_task(task, about.get("rules"), train, facts=about.get("facts", False))
    return Material(
        note=f"Your project {project.name!r}: {file}, {task.reason}. {fits}",
        own=True, train=train, held_out=held_out, files=files, instructions=about["instructions"], schema=None,
        scored=scored, field=field, task=task, prompt=_prompt(project.get("prompt")),
    )  # fmt: skip


def _task(rows: list[Example], about: Mapping[str, Any]) -> data.Task:
    """The task as it was found in the whole file, whose rows that did not fit are not in the splits."""
    task = data.task(rows, about["kind"])
    return replace(task, chosen=about.get("chosen", task.chosen), reason=about.get("reason", task.reason))


def _prompt(kept: Mapping[str, Any] | None) -> Candidate | None:
    """What ``Project.keep_prompt`` has kept; model and pool are the lesson's."""
    if not kept:
        return None
    shots = tuple(Example(tuple(messages)) for messages in kept["shots"])
    return Candidate(**{**kept, "model": "", "shots": shots})


def _with(prompt: Candidate, ladder: list[Candidate], train: list[Example]) -> list[Candidate]:
    """The ladder with the chosen prompt in the place of the rung of its name, or at the end."""
    named = {rung.name: rung for rung in ladder}
    pool = named[prompt.name].pool if prompt.name in named else tuple(train) * bool(prompt.nearest)
    named[prompt.name] = replace(prompt, model=ladder[0].model, declared=ladder[0].declared, pool=pool)
    return list(named.values())


def _label(answer: str, field: str | None) -> str:
    value = metrics.parsed(answer) if field else answer.strip()
    return str(value.get(field)) if isinstance(value, dict) else str(value)
