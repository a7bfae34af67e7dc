"""All state of the local API: rows in SQLite, bytes of files beside it.

A file's bytes are complete on disk before its row exists, and its row is gone before its bytes are; so a kill at any
moment leaves at worst bytes without a row, which the next start removes.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from helpers.errors import JobError
from helpers.local_api.store.database import Database
from helpers.local_api.store.records import ACTIVE, File, Job, Model, new_id


class ApiStore(Database):
    """The API's memory: its database, and the folders beside it.

    Args:
        home: the API's folder; made, readable by its owner only, when missing.

    Raises:
        JobError: the database was written by a newer version of the kit, or is damaged.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.files_folder, self.jobs_folder, self.temporary = home / "files", home / "jobs", home / "tmp"
        for folder in (home, self.files_folder, self.jobs_folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.rmtree(self.temporary, ignore_errors=True)  # left by a killed server
        self.temporary.mkdir(mode=0o700)
        try:
            super().__init__(home / "api.sqlite3")
            self._sweep()
        except sqlite3.DatabaseError as error:
            raise JobError(
                f"The local API's database {home / 'api.sqlite3'} cannot be used.",
                got=str(error),
                fix="Free some space, or move it away (files, jobs and tuned models go with it), or start with another "
                "--home.",
            ) from error
        self._keep_reserve()

    def _sweep(self) -> None:
        """Remove bytes that no row speaks of: an upload, a result or a deletion that a kill cut short."""
        files = {file.id for file in self.all("files")}
        jobs = {job.id for job in self.all("jobs")}
        for path in self.files_folder.iterdir():
            if path.name not in files:
                path.unlink(missing_ok=True)
        for path in self.jobs_folder.iterdir():
            if path.name not in jobs:
                shutil.rmtree(path, ignore_errors=True)

    # Files ----------------------------------------------------------------------------------------------------------

    def path_of(self, file_id: str) -> Path:
        """Where a stored file's bytes lie. Only ids that the store made itself may come here."""
        return self.files_folder / file_id

    def add_file(
        self, complete: Path, *, purpose: str, filename: str, rows: int | None, expires_in: int | None = None
    ) -> File:
        """Take over a file that is complete, and make its row.

        Args:
            complete: on the home's disk; it is moved, not copied.
            purpose: ``"fine-tune"`` or ``"fine-tune-results"``.
            filename: the uploader's name for it; it is shown and never used as a path.
            rows: its number of examples; None: it has none.
            expires_in: seconds from now after which :meth:`delete_expired` takes it; None: it stays.
        """
        file_id = new_id("file-")
        with open(complete, "rb") as handle:
            os.fsync(handle.fileno())
        size, now = complete.stat().st_size, int(time.time())
        with self.transaction():
            self._added.append(self.path_of(file_id))
            os.replace(complete, self.path_of(file_id))
            _sync_folder(self.files_folder)
            self._insert(
                "files",
                id=file_id,
                purpose=purpose,
                filename=filename,
                bytes=size,
                created_at=now,
                rows=rows,
                expires_at=None if expires_in is None else now + expires_in,
            )
        return self.get("files", file_id)

    def delete_file(self, file_id: str) -> Job | None:
        """Delete row and bytes, unless an active job needs them: then nothing happens and that job is returned."""
        return self._gone(lambda: self._delete_file(file_id))

    def delete_expired(self) -> int:
        """Delete the files whose time is over, those apart that an active job needs; returns how many went."""
        over = self.all("files", "expires_at <= ?", (int(time.time()),))
        return sum(self.delete_file(file.id) is None for file in over)

    def _delete_file(self, file_id: str) -> Job | None:
        with self.transaction():
            where = f"(training_file = ? OR validation_file = ?) AND status IN ({_marks(ACTIVE)})"
            users = self.all("jobs", where, (file_id, file_id, *ACTIVE))
            if users:
                return users[0]
            self._delete("files", "id = ?", (file_id,))
        self.path_of(file_id).unlink(missing_ok=True)
        return None

    # Jobs -----------------------------------------------------------------------------------------------------------

    def folder_of(self, job_id: str) -> Path:
        """The job's folder: specification, progress, checkpoints."""
        return self.jobs_folder / job_id

    def add_job(self, **columns: Any) -> Job:
        """A new job, to be validated next. ``columns`` are those of its table that a client decides."""
        job_id = new_id("ftjob-")
        with self.transaction():
            self._insert("jobs", id=job_id, created_at=int(time.time()), status="validating_files", **columns)
            self.add_event(job_id, f"Created fine-tuning job: {job_id}")
            files = f"training file: {columns['training_file']}"
            if columns["validation_file"]:
                files += f" and validation file: {columns['validation_file']}"
            self.add_event(job_id, f"Validating {files}")
        return self.get("jobs", job_id)

    def jobs_with(self, *statuses: str) -> list[Job]:
        """The jobs that have one of these statuses, oldest first."""
        return self.all("jobs", f"status IN ({_marks(statuses)})", statuses)

    def update_job(self, job_id: str, *, only_if: Sequence[str] = ACTIVE, **columns: Any) -> bool:
        """Change columns while the job's status allows it; False when it does not (cancelled meanwhile).

        Args:
            job_id: an unknown one changes nothing, and gives False.
            only_if: the statuses in which it may change.
            columns: new values, by the column's name.
        """
        where = f"id = ? AND status IN ({_marks(only_if)})"
        return self._update("jobs", columns, where, (job_id, *only_if)) == 1

    def end_job(self, job_id: str, status: str, **columns: Any) -> bool:
        """Set a final status once; False when the job has ended already.

        Args:
            job_id: an active job's.
            status: ``"succeeded"``, ``"failed"`` or ``"cancelled"``.
            columns: what else becomes known with its end, by the column's name.
        """
        now = int(time.time())
        with self._lock:
            job = self.get("jobs", job_id)
            finished = max(now, job.created_at)  # a clock that was set back must not give a negative duration
            return self.update_job(job_id, status=status, finished_at=finished, estimated_finish=None, **columns)

    def delete_job(self, job: Job) -> list[str]:
        """Delete a job that has ended and all that it made: events, checkpoints, models, result file, their bytes.

        Returns:
            The names of the models that are gone.
        """
        models = [model.id for model in self.all("models", "job_id = ?", (job.id,))]

        def delete() -> None:
            with self.transaction():
                for table in ("events", "checkpoints", "models"):
                    self._delete(table, "job_id = ?", (job.id,))
                self._delete("files", "id = ?", (job.result_file,))
                self._delete("jobs", "id = ?", (job.id,))
            if job.result_file:
                self.path_of(job.result_file).unlink(missing_ok=True)
            shutil.rmtree(self.folder_of(job.id), ignore_errors=True)

        self._gone(delete)
        return models

    def cancel_job(self, job_id: str) -> bool:
        """End the job as cancelled, on a full disk, too; False when it has ended already."""

        def cancel() -> bool:
            with self.transaction():
                cancelled = self.end_job(job_id, "cancelled")
                if cancelled:
                    self.add_event(job_id, "The job was cancelled")
            return cancelled

        return self._even_when_full(cancel)

    def add_event(
        self, job_id: str, message: str, *, level: str = "info", kind: str = "message", data: Mapping[str, Any] = {}
    ) -> None:
        """Add a line to a job's log.

        Args:
            job_id: whose.
            message: what happened, for a person.
            level: ``"info"``, ``"warn"`` or ``"error"``.
            kind: ``"message"``, or ``"metrics"`` where ``data`` holds those of a step.
            data: the same for a program.
        """
        self._insert(
            "events",
            id=new_id("ftevent-"),
            job_id=job_id,
            created_at=int(time.time()),
            level=level,
            message=message,
            type=kind,
            data=dict(data),
        )

    def add_checkpoint(self, job: Job, step: int, folder: Path, metrics: Mapping[str, Any]) -> str:
        """Record a checkpoint and its usable model; a second record of the same step changes nothing.

        Args:
            job: that made it.
            step: optimiser steps that were done by then.
            folder: of its adapter, somewhere in the API's home.
            metrics: losses and accuracies at that step.

        Returns:
            The name of its model.
        """
        name = f"{job.tuned_name}:ckpt-step-{step}"
        with self.transaction():
            if not self.all("checkpoints", "job_id = ? AND step = ?", (job.id, step)):
                self._insert(
                    "checkpoints",
                    id=new_id("ftckpt_"),
                    job_id=job.id,
                    created_at=int(time.time()),
                    step=step,
                    model=name,
                    metrics=dict(metrics),
                )
                self.add_model(name, job, folder)
                self.add_event(job.id, f"Checkpoint created at step {step} with Snapshot ID: {name}")
        return name

    # Models ---------------------------------------------------------------------------------------------------------

    def add_model(self, name: str, job: Job, folder: Path) -> None:
        """Make a tuned model answer under a name.

        Args:
            name: not taken by another model.
            job: that tuned it; it says from which base.
            folder: of its adapter, somewhere in the API's home.
        """
        place = str(folder.relative_to(self.home))
        self._insert("models", id=name, base=job.model, job_id=job.id, folder=place, created_at=int(time.time()))

    def delete_model(self, model: Model) -> list[str]:
        """Delete a tuned model, its checkpoints when it is a job's final one, and all bytes that no model needs then.

        Returns:
            The names that are gone.
        """
        return self._gone(lambda: self._delete_model(model))

    def _delete_model(self, model: Model) -> list[str]:
        with self.transaction():
            gone = [model, *self.all("models", "substr(id, 1, ?) = ?", (len(model.id) + 1, model.id + ":"))]
            for each in gone:
                self._delete("models", "id = ?", (each.id,))
                self._delete("checkpoints", "model = ?", (each.id,))
            kept = {each.folder for each in self.all("models", "job_id = ?", (model.job_id,))}
        for folder in {each.folder for each in gone} - kept:
            shutil.rmtree(self.home / folder, ignore_errors=True)
        return [each.id for each in gone]


def _sync_folder(folder: Path) -> None:
    """Make renames in ``folder`` durable, where the system lets a folder be synced."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _marks(values: Sequence[Any]) -> str:
    """A ``?`` for each."""
    return ", ".join("?" for _ in values)
