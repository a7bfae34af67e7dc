"""Answers on disk: each one is there as soon as it has come, so a run can be killed and started again.

One SQLite file. An answer's key is a hash of everything that shapes it (host, model, messages, decoding, schema, which
draw), so the same request is never paid for twice, whatever candidate or notebook asks it.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from helpers.errors import EvaluationError


@dataclass(frozen=True)
class Reply:
    """What came back for one request.

    Attributes:
        text: the answer; None when there is none, and then ``missing`` says why.
        missing: why there is no answer; empty when there is one.
        finish_reason: the host's reason to stop: "stop", "length" (cut off at ``max_tokens``), "refusal" …
        prompt_tokens, completion_tokens, cached_tokens: as the host counted them; None when it did not say.
        seconds: from sending the request to having the whole answer, the last attempt only.
    """

    text: str | None = None
    missing: str = ""
    finish_reason: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    seconds: float | None = None


COLUMNS = [field.name for field in fields(Reply)]


class AnswerStore:
    """The answers that have come so far. Safe to use from several threads and several processes.

    Raises:
        EvaluationError: the file exists and is something else, or cannot be written.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, timeout=60, check_same_thread=False, isolation_level=None)
            self._db.execute(f"CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, {', '.join(COLUMNS)})")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS openings (split, rows, requests, opened_at, "
                "PRIMARY KEY (split, rows, requests))"
            )
        except (sqlite3.Error, OSError) as error:
            raise EvaluationError(
                f"The store of answers {self.path} cannot be used.",
                got=str(error),
                fix="Name another file, or move this one away (its answers are then requested again).",
            ) from error

    def __enter__(self) -> AnswerStore:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def get(self, keys: Iterable[str]) -> dict[str, Reply]:
        """The replies that are there already, by key."""
        query = f"SELECT {', '.join(COLUMNS)} FROM replies WHERE key = ?"
        with self._lock:
            rows = {key: self._db.execute(query, (key,)).fetchone() for key in keys}
        return {key: Reply(*row) for key, row in rows.items() if row}

    def put(self, key: str, reply: Reply) -> None:
        """Keep an answer. One that is missing is not kept: the next run asks again.

        Args:
            key: of the request.
            reply: the answer, or why it is missing.
        """
        if reply.missing:
            return
        with self._lock:
            self._db.execute(
                f"INSERT OR REPLACE INTO replies VALUES ({', '.join('?' * (len(COLUMNS) + 1))})", (key, *astuple(reply))
            )

    def drop(self, keys: Iterable[str]) -> None:
        """Forget these replies: the next run asks again."""
        with self._lock:
            self._db.executemany("DELETE FROM replies WHERE key = ?", [(key,) for key in keys])

    def open_split(self, split: str, rows: str, requests: str | None) -> int:
        """How often these rows have been opened under this name of a split, this time included.

        Args:
            split: "test", or another name.
            rows: a hash of the rows.
            requests: a hash of all that is asked now; the same one (an interrupted run taken up again) counts once.
                None: nothing new is asked, so nothing new can be learnt from the rows.
        """
        with self._lock:
            if requests is not None:
                now = datetime.now(UTC).isoformat(timespec="seconds")
                self._db.execute("INSERT OR IGNORE INTO openings VALUES (?, ?, ?, ?)", (split, rows, requests, now))
            query = "SELECT COUNT(*) FROM openings WHERE split = ? AND rows = ?"
            return int(self._db.execute(query, (split, rows)).fetchone()[0])
