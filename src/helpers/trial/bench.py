"""The workbench of the trial: sample rows, models trained on them, answers. Nothing is done twice.

A job is found again at the local API by what it was asked to do, an answer in the store by what was asked: so an
interrupted run goes on where it stopped, and a repeated one only reads.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from helpers import data, evaluate, jobs
from helpers.evaluate import Results, metrics
from helpers.evaluate.metrics import Metric
from helpers.records import Candidate, Example

if TYPE_CHECKING:
    import openai

BASE = "smollm2-135m-instruct"
SAMPLE = Path(__file__).resolve().parents[3] / "data" / "sample"
ANSWER_TOKENS = 48
CALLS = 64
"""Calls under way at once: the local API answers them together."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        rows: validation rows that are asked. The test rows are not touched: lesson 4 opens them.
        draws: rows asked several times for the claim on consistency.
        curve: size of each training set → epochs; the last one trains the model that most claims use.
    """

    rows: int
    draws: int
    curve: Mapping[int, int]

    @property
    def most(self) -> int:
        """The largest training set."""
        return max(self.curve)


BATCH = 8
WHOLE = Sizes(rows=60, draws=30, curve={10: 20, 30: 12, 60: 8, 120: 6})
"""40 to 90 optimiser steps a job: fewer rows are shown more often, as the local API's own choice does it. Half of the
240 training rows, so that the whole trial stays near half an hour on two quiet cores."""
SHORT = Sizes(rows=12, draws=6, curve={10: 2, 40: 4})
"""For the automatic test: everything runs, the numbers mean little."""


@dataclass(frozen=True)
class Tuned:
    """A model trained for the trial, and what that took."""

    model: str
    seconds: float
    tokens: int

    def candidate(self, name: str, **more: Any) -> Candidate:
        """The tuned model as a rival.

        Args:
            name: what tables call it.
            more: other fields of a ``Candidate``, such as ``max_tokens``.
        """
        return Candidate(name, self.model, tuned=True, **{"max_tokens": ANSWER_TOKENS, **more})


class Bench:
    """Rows, models and answers of one run.

    Args:
        client: from ``helpers.providers.connect("local")``.
        folder: where training files and answers are kept.
        sizes: :data:`WHOLE` or :data:`SHORT`.
        base: id of the model that is prompted and tuned.
    """

    def __init__(self, client: openai.OpenAI, folder: Path, sizes: Sizes, base: str = BASE) -> None:
        self.client, self.folder, self.sizes, self.base = client, folder, sizes, base
        self.train = triage("train")[: sizes.most]
        self.validation = triage("validation")[: sizes.rows]

    def tuned(self, name: str, rows: Sequence[Example], epochs: int) -> Tuned:
        """The model trained on these rows, found again when there is one already.

        Args:
            name: of the training file, and of the model's suffix.
            rows: training rows.
            epochs: passes over them.
        """
        file, suffix = self._uploaded(name, rows), f"trial-{name.replace('_', '-')}"
        settings = _settings(len(rows), epochs)
        job = jobs.start(self.client, file, model=self.base, suffix=suffix, seed=1, hyperparameters=settings)
        with tqdm(total=100, desc=f"training {name}", unit="%", bar_format="{desc}: {n:.0f} % {elapsed}") as bar:

            def draw(progress: jobs.Progress) -> None:
                bar.n = 100 * progress.share
                bar.refresh()

            job = jobs.watch(self.client, job.id, on_progress=draw)
        return Tuned(job.fine_tuned_model, self._seconds(job), job.trained_tokens)

    def seconds_of_main_job(self) -> float:
        """What the largest job is likely to take here and now, from a short real probe."""
        size = self.sizes.most
        file = self._uploaded(f"triage_{size}", self.train)
        settings = _settings(size, self.sizes.curve[size])
        return jobs.estimate(self.client, file, model=self.base, hyperparameters=settings)["seconds"]

    def triage_model(self, size: int | None = None) -> Tuned:
        """The triage model trained on the first ``size`` rows, on all rows when not given."""
        size = size or self.sizes.most
        return self.tuned(f"triage_{size}", self.train[:size], self.sizes.curve[size])

    def ask(self, candidates: Sequence[Candidate], rows: Sequence[Example], scores: Sequence[Metric]) -> Results:
        """Answers of all candidates on these rows.

        Args:
            candidates: prompts and tuned models.
            rows: what each of them is asked.
            scores: the first one is the headline.
        """
        names = ", ".join(candidate.name for candidate in candidates)
        print(f"asking {len(rows)} rows: {names}", file=sys.stderr, flush=True)
        return evaluate.run(
            self.client, candidates, rows, scores, store=self.store, concurrency=CALLS, progress=False
        )  # fmt: skip

    @property
    def store(self) -> Path:
        """The file with all answers."""
        return self.folder / "answers.sqlite"

    def _uploaded(self, name: str, rows: Sequence[Example]) -> str:
        path = data.write(rows, self.folder / "files" / f"{name}.jsonl", "local")
        return jobs.upload(self.client, path).id

    def _seconds(self, job: Any) -> float:
        """From the start of training to its end, without the time in the queue."""
        events = self.client.fine_tuning.jobs.list_events(job.id, limit=100)
        began = min((event.created_at for event in events if "started" in event.message), default=job.created_at)
        return float(job.finished_at - began)


def _settings(rows: int, epochs: int) -> dict[str, int]:
    return {"n_epochs": epochs, "batch_size": min(BATCH, rows // 2)}


# --- rows ------------------------------------------------------------------------------------------------------------


def triage(split: str) -> list[Example]:
    """All rows of a split of the triage sample."""
    return data.read(SAMPLE / "triage" / f"{split}.jsonl")


def text(*parts: str) -> str:
    """A text file of the samples."""
    return SAMPLE.joinpath(*parts).read_text(encoding="utf-8")


def labels(row: Example) -> dict[str, Any]:
    """The ideal answer of a triage row."""
    return json.loads(row.answer)


def relabelled(row: Example, **changes: Any) -> Example:
    """The row with other labels in its ideal answer.

    Args:
        row: of the triage sample.
        changes: field → its new value.
    """
    answer = {"role": "assistant", "content": json.dumps(labels(row) | changes)}
    return Example((*row.prompt, answer), extra=row.extra, line=row.line)


def one_of_each(rows: Sequence[Example]) -> tuple[Example, ...]:
    """One row of each category: worked examples for a prompt."""
    return tuple({labels(row)["category"]: row for row in reversed(rows)}.values())


def wrong_items() -> set[str]:
    """The messages that the new category of the claim ``goalposts`` takes over."""
    messages = {row["id"]: row["message"] for row in csv.DictReader(text("triage", "messages.csv").splitlines(True))}
    return {messages[row["id"]] for row in csv.DictReader(text("trial", "wrong_items.csv").splitlines())}


# --- scores ----------------------------------------------------------------------------------------------------------

FIELDS = ("category", "urgency", "order_id")


def _fields_right(answer: str, row: Example) -> float:
    return sum(metrics.field(name)(answer, row) or 0.0 for name in FIELDS) / len(FIELDS)


fields_right = Metric("fields_right", _fields_right)
"""Share of the three fields that are right: finer than all or nothing, so small models differ visibly."""


def triage_scores() -> list[Metric]:
    """All three fields right, each of them, the share of them, and whether the answer fits the schema."""
    schema = json.loads(text("triage", "schema.json"))
    return [metrics.all_fields, fields_right, *map(metrics.field, FIELDS), metrics.valid_json(schema)]


# --- prompts ---------------------------------------------------------------------------------------------------------


def prompts(bench: Bench) -> dict[str, Candidate]:
    """The prompted rivals on the triage task, weakest first."""
    rules, shots = text("triage", "instructions.md"), one_of_each(bench.train)
    schema = json.loads(text("triage", "schema.json"))
    ways = {
        "question only": {},
        "instructions": {"system": rules},
        "+ 8 examples": {"system": rules, "shots": shots},
        "+ 8 examples, schema": {"system": rules, "shots": shots, "schema": schema},
        "+ 4 nearest": {"system": rules, "nearest": 4, "pool": tuple(bench.train)},
    }
    return {name: Candidate(name, bench.base, max_tokens=ANSWER_TOKENS, **way) for name, way in ways.items()}
