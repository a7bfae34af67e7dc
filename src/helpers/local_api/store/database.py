"""Rows in SQLite: one connection, its schema, transactions, and reading and writing rows of any table.

One connection in WAL mode, used by every thread under one lock: the rows are few and each statement takes well under
a millisecond.
"""

from __future__ import annotations

import contextlib
import errno
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from helpers.errors import JobError
from helpers.local_api.store.records import Checkpoint, File, Job, JobEvent, Model

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
"""Held back on the disk, so that a full one leaves room to delete something."""
RECORDS = {"files": File, "jobs": Job, "events": JobEvent, "checkpoints": Checkpoint, "models": Model}
JSON_COLUMNS = {"metadata", "hyperparameters", "error", "data", "metrics"}


class Database:
    """The API's rows; a row comes back as its class of :mod:`helpers.local_api.store.records`.

    Args:
        file: the SQLite file; made when missing, brought to this version's schema when older.

    Raises:
        JobError: it was written by a newer version of the kit.
        sqlite3.DatabaseError: it cannot be read.
    """

    def __init__(self, file: Path) -> None:
        self._reserve = file.with_name("reserve")
        self._lock = threading.RLock()
        self._db = sqlite3.connect(file, isolation_level=None, check_same_thread=False, timeout=10)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA secure_delete = ON")
        self._migrate(file.parent)

    def _migrate(self, home: Path) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise JobError(
                f"The local API's home {home} was written by a newer version of the kit.",
                got=f"schema {version}, this version knows {SCHEMA_VERSION}",
                fix="Update the kit, or start with another --home.",
            )
        if version == 0:
            self._db.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
        for old in range(version, SCHEMA_VERSION) if version else ():
            self._db.executescript(f"BEGIN; {CHANGES[old]} PRAGMA user_version = {old + 1}; COMMIT;")

    def close(self) -> None:
        """Close the connection; nothing can be asked of it after that."""
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

    def all(self, table: str, where: str = "1", values: Sequence[Any] = (), tail: str = "ORDER BY seq") -> list[Any]:
        """Every row of a table that a condition holds for, as records.

        Args:
            table: a key of :data:`RECORDS`.
            where: SQL, never built of what a client sent; that comes as ``values``.
            values: one for each ``?`` in ``where``.
            tail: SQL behind the condition: order and limit. The oldest row comes first where nothing else is said.
        """
        with self._lock:
            rows = self._db.execute(f"SELECT * FROM {table} WHERE {where} {tail}", values).fetchall()
        return [_record(table, row) for row in rows]

    def get(self, table: str, object_id: str) -> Any | None:
        """The record with this id; None: there is none.

        Args:
            table: a key of :data:`RECORDS`.
            object_id: as the protocol shows it; it may come from a client as it is.
        """
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
        """Up to ``limit`` rows behind the row ``after``, and whether more follow; None when ``after`` is unknown.

        Args:
            table: a key of :data:`RECORDS`.
            limit: most rows of the page.
            after: id of the last row of the page before; None: the first page.
            newest_first: the order, by which rows were made last, whatever the clock said then.
            where: as in :meth:`all`; ``after`` has to be among these rows, too.
            values: one for each ``?`` in ``where``.
        """
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

    def _update(self, table: str, columns: Mapping[str, Any], where: str, values: Sequence[Any]) -> int:
        """Change columns of the rows that ``where`` holds for; returns how many there were."""
        changes = ", ".join(f"{name} = ?" for name in columns)
        with self.transaction():
            done = self._db.execute(f"UPDATE {table} SET {changes} WHERE {where}", (*_plain(columns), *values))
        return done.rowcount

    def _delete(self, table: str, where: str, values: Sequence[Any]) -> None:
        with self.transaction():
            self._db.execute(f"DELETE FROM {table} WHERE {where}", values)


def disk_full(error: BaseException) -> bool:
    """Whether an exception says that there is no room left, be it SQLite's or the system's."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "disk is full" in str(error)


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
