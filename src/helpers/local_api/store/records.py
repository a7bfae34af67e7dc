"""What the store keeps, a class for each table: files, jobs, their events and checkpoints, tuned models."""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ACTIVE = ("validating_files", "queued", "running")
"""Statuses of a job that has not ended."""


@dataclass(frozen=True)
class Record:
    """A row.

    Attributes:
        seq: its place in the order in which rows of its table were made.
        id: what the protocol calls it by.
        created_at: when it was made, in seconds since 1970.
    """

    seq: int
    id: str
    created_at: int


@dataclass(frozen=True)
class File(Record):
    """An uploaded or made file.

    Attributes:
        rows: its number of examples (None for a result file).
        expires_at: when it is deleted, in seconds since 1970 (None: it stays).
    """

    purpose: str
    filename: str
    bytes: int
    rows: int | None
    expires_at: int | None


@dataclass(frozen=True)
class Job(Record):
    """A fine-tuning job. ``hyperparameters`` holds what was asked until validation resolves each ``"auto"``."""

    model: str
    training_file: str
    validation_file: str | None
    suffix: str
    seed: int
    metadata: Mapping[str, str] | None
    hyperparameters: Mapping[str, Any]
    status: str
    error: Mapping[str, Any] | None
    fine_tuned_model: str | None
    started_at: int | None
    finished_at: int | None
    estimated_finish: int | None
    trained_tokens: int | None
    result_file: str | None
    progress_offset: int
    last_step: int

    @property
    def active(self) -> bool:
        """Whether it has not ended."""
        return self.status in ACTIVE

    @property
    def tuned_name(self) -> str:
        """The name that the tuned model gets: ``ft:BASE:local:SUFFIX:ID``."""
        return f"ft:{self.model}:local:{self.suffix}:{self.id.removeprefix('ftjob-')[:8]}"


@dataclass(frozen=True)
class JobEvent(Record):
    """One line of a job's log."""

    job_id: str
    level: str
    message: str
    type: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Checkpoint(Record):
    """The adapter at the end of an epoch."""

    job_id: str
    step: int
    model: str
    metrics: Mapping[str, Any]


@dataclass(frozen=True)
class Model(Record):
    """A tuned model: an adapter folder over a base model."""

    base: str
    job_id: str
    folder: str


def new_id(prefix: str) -> str:
    """A fresh identifier: the prefix and 24 random letters and digits."""
    return prefix + "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(24))
