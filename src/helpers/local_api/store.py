"""All state of the local API: rows in SQLite, bytes of files beside it.

One connection in WAL mode, used by every thread under one lock: the rows are few and each statement takes well under
a millisecond. A file's bytes are complete on disk before its row exists, and its row is gone before its bytes are; so
a kill at any moment leaves at worst bytes without a row, which the next start removes.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import shutil
import sqlite3
import string
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.errors import JobError

SCHEMA_VERSION = 2
SCHEMA = """
CREATE TABLE files (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, purpose TEXT NOT NULL, filename TEXT NOT NULL,
    bytes INTEGER NOT NULL, created_at INTEGER NOT NULL, rows INTEGER, expires_at INTEGER);
CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, created_at INTEGER NOT NULL, model TEXT NOT NULL,
    training_file TEXT NOT NULL, validation_file TEXT, suffix TEXT NOT NULL, seed INTEGER NOT NULL, metadata TEXT,
    hyperparameters TEXT NOT NULL, status TEXT NOT NULL, error TEXT, fine_tuned_model TEXT, started_at INTEGER,
    finished_at INTEGER, estimated_finish INTEGER, trained_tokens INTEGER, result_file TEXT,
    progress_offset INTEGER NOT NULL DEFAULT 0, last_step INTEGER NOT NULL DEFAULT 0);
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, job_id TEXT NOT NULL, created_at INTEGER NOT NULL,
    level TEXT NOT NULL, message TEXT NOT NULL, type TEXT NOT NULL, data TEXT NOT NULL);
CREATE INDEX events_of_job ON events (job_id, seq);
CREATE TABLE checkpoints (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, job_id TEXT NOT NULL, created_at INTEGER NOT NULL,
    step INTEGER NOT NULL, model TEXT NOT NULL, metrics TEXT NOT NULL, UNIQUE (job_id, step));
CREATE TABLE models (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, base TEXT NOT NULL, job_id TEXT NOT NULL,
    folder TEXT NOT NULL, created_at INTEGER NOT NULL);
"""
CHANGES = {1: "ALTER TABLE files ADD COLUMN expires_at INTEGER;"}
"""What makes the next version of an older one."""
RESERVE_BYTES = 2**20
ACTIVE = ("validating_files", "queued", "running")


@dataclass(frozen=True)
class File:
    """An uploaded or made file.

    Attributes:
        rows: its number of examples (None for a result file).
        expires_at: when it is deleted, in seconds since 1970 (None: it stays).
    """

    seq: int
    id: str
    purpose: str
    filename: str
    bytes: int
    created_at: int
    rows: int | None
    expires_at: int | None


@dataclass(frozen=True)
class Job:
    """A fine-tuning job. ``hyperparameters`` holds what was asked until validation resolves each ``"auto"``."""

    seq: int
    id: str
    created_at: int
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
        return self.status in ACTIVE

    @property
    def tuned_name(self) -> str:
        """The name that the tuned model gets: ``ft:BASE:local:SUFFIX:ID``."""
        return f"ft:{self.model}:local:{self.suffix}:{self.id.removeprefix('ftjob-')[:8]}"


@dataclass(frozen=True)
class JobEvent:
    """One line of a job's log."""

    seq: int
    id: str
    job_id: str
    created_at: int
    level: str
    message: str
    type: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Checkpoint:
    """The adapter at the end of an epoch."""

    seq: int
    id: str
    job_id: str
    created_at: int
    step: int
    model: str
    metrics: Mapping[str, Any]


@dataclass(frozen=True)
class Model:
    """A tuned model: an adapter folder over a base model."""

    seq: int
    id: str
    base: str
    job_id: str
    folder: str
    created_at: int


RECORDS = {"files": File, "jobs": Job, "events": JobEvent, "checkpoints": Checkpoint, "models": Model}
JSON_COLUMNS = {"metadata", "hyperparameters", "error", "data", "metrics"}


def new_id(prefix: str) -> str:
    """A fresh identifier: the prefix and 24 random letters and digits."""
    return prefix + "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(24))


class ApiStore:
    """The API's memory.

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
        self._lock = threading.RLock()
        try:
            self._open(home / "api.sqlite3")
        except sqlite3.DatabaseError as error:
            raise JobError(
                f"The local API's database {home / 'api.sqlite3'} cannot be used.",
                got=str(error),
                fix="Free some space, or move it away (files, jobs and tuned models go with it), or start with another "
                "--home.",
            ) from error
        self._reserve = home / "reserve"
        self._keep_reserve()

    def _open(self, database: Path) -> None:
        self._db = sqlite3.connect(database, isolation_level=None, check_same_thread=False, timeout=10)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA secure_delete = ON")
        self._migrate()
        self._sweep()

    def _migrate(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise JobError(
                f"The local API's home {self.home} was written by a newer version of the kit.",
                got=f"schema {version}, this version knows {SCHEMA_VERSION}",
                fix="Update the kit, or start with another --home.",
            )
        if version == 0:
            self._db.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
        for old in range(version, SCHEMA_VERSION) if version else ():
            self._db.executescript(f"BEGIN; {CHANGES[old]} PRAGMA user_version = {old + 1}; COMMIT;")

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

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, files that were added included; the outermost of nested transactions commits."""
        with self._lock:
            if self._db.in_transaction:
                yield
                return
            self._db.execute("BEGIN IMMEDIATE")
            self._added: list[Path] = []
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                for path in self._added:
                    path.unlink(missing_ok=True)
                raise

    def _keep_reserve(self) -> None:
        """Hold a megabyte back: on a full disk even a deletion needs room, in the database's log."""
        with contextlib.suppress(OSError):  # what could be written of it is a reserve, too
            if not self._reserve.exists() or self._reserve.stat().st_size < RESERVE_BYTES:
                self._reserve.write_bytes(bytes(RESERVE_BYTES))

    def _even_when_full(self, change: Callable[[], Any]) -> Any:
        """Make a change that frees room, or leads to that."""
        try:
            return change()
        except sqlite3.OperationalError as error:
            if not disk_full(error):
                raise
        self._reserve.unlink(missing_ok=True)
        try:
            return change()
        finally:
            self._keep_reserve()

    def _gone(self, deletion: Callable[[], Any]) -> Any:
        """Delete, and empty the write-ahead log: it holds earlier states of the rows, names and metadata in them."""
        result = self._even_when_full(deletion)
        with self._lock, contextlib.suppress(sqlite3.OperationalError):  # on a full disk: at the next deletion
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return result

    # Rows, whatever their table -------------------------------------------------------------------------------------

    def all(self, table: str, where: str = "1", values: Sequence[Any] = (), tail: str = "ORDER BY seq") -> list[Any]:
        with self._lock:
            rows = self._db.execute(f"SELECT * FROM {table} WHERE {where} {tail}", values).fetchall()
        return [_record(table, row) for row in rows]

    def get(self, table: str, object_id: str) -> Any | None:
        found = self.all(table, "id = ?", (object_id,))
        return found[0] if found else None

    def page(
        self,
        table: str,
        *,
        limit: int,
        after: str | None = None,
        newest_first: bool = True,
        where: str = "1",
        values: Sequence[Any] = (),
    ) -> tuple[list[Any], bool] | None:
        """Up to ``limit`` rows behind the row ``after``, and whether more follow; None when ``after`` is unknown."""
        if after is not None:
            cursor = self.all(table, f"id = ? AND ({where})", (after, *values))
            if not cursor:
                return None
            where, values = f"({where}) AND seq {'<' if newest_first else '>'} ?", (*values, cursor[0].seq)
        tail = f"ORDER BY seq {'DESC' if newest_first else 'ASC'} LIMIT {limit + 1}"
        rows = self.all(table, where, values, tail)
        return rows[:limit], len(rows) > limit

    def _insert(self, table: str, **columns: Any) -> None:
        names = ", ".join(columns)
        marks = ", ".join("?" for _ in columns)
        with self.transaction():
            self._db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", _plain(columns))

    def _delete(self, table: str, where: str, values: Sequence[Any]) -> None:
        with self.transaction():
            self._db.execute(f"DELETE FROM {table} WHERE {where}", values)

    # Files ----------------------------------------------------------------------------------------------------------

    def path_of(self, file_id: str) -> Path:
        """Where a stored file's bytes lie. Only ids that the store made itself may come here."""
        return self.files_folder / file_id

    def add_file(
        self, complete: Path, *, purpose: str, filename: str, rows: int | None, expires_in: int | None = None
    ) -> File:
        """Take over the complete file ``complete`` (it is moved) and make its row.

        Args:
            expires_in: seconds from now after which :meth:`delete_expired` takes it; None: it stays.
        """
        file_id = new_id("file-")
        with open(complete, "rb") as handle:
            os.fsync(handle.fileno())
        size, now = complete.stat().st_size, int(time.time())
        with self.transaction():
            self._added.append(self.path_of(file_id))
            os.replace(complete, self.path_of(file_id))
            sync_folder(self.files_folder)
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
            users = self.all(
                "jobs", f"(training_file = ? OR validation_file = ?) AND {_active()}", (file_id, file_id, *ACTIVE)
            )
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
        """Oldest first."""
        return self.all("jobs", f"status IN ({', '.join('?' for _ in statuses)})", statuses)

    def update_job(self, job_id: str, *, only_if: Sequence[str] = ACTIVE, **columns: Any) -> bool:
        """Change columns while the job's status is one of ``only_if``; False when it is not (cancelled meanwhile)."""
        changes = ", ".join(f"{name} = ?" for name in columns)
        marks = ", ".join("?" for _ in only_if)
        with self.transaction():
            done = self._db.execute(
                f"UPDATE jobs SET {changes} WHERE id = ? AND status IN ({marks})",
                (*_plain(columns), job_id, *only_if),
            )
        return done.rowcount == 1

    def end_job(self, job_id: str, status: str, **columns: Any) -> bool:
        """Set a final status once; False when the job has ended already."""
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
        """Record the checkpoint of ``step`` and its usable model; a second record of the same step changes nothing."""
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


def disk_full(error: BaseException) -> bool:
    """Whether an exception says that there is no room left, be it SQLite's or the system's."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "disk is full" in str(error)


def sync_folder(folder: Path) -> None:
    """Make renames in ``folder`` durable, where the system lets a folder be synced."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _active() -> str:
    return f"status IN ({', '.join('?' for _ in ACTIVE)})"


def _plain(columns: Mapping[str, Any]) -> tuple[Any, ...]:
    """Values as SQLite takes them: JSON columns as text."""
    return tuple(
        json.dumps(value) if name in JSON_COLUMNS and value is not None else value for name, value in columns.items()
    )


def _record(table: str, row: sqlite3.Row) -> Any:
    columns = dict(row)
    for name in JSON_COLUMNS & columns.keys():
        columns[name] = json.loads(columns[name]) if columns[name] is not None else None
    return RECORDS[table](**columns)
