"""A person's decisions on what no machine should decide: where the work stands, kept at each step. No widget here."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from helpers.errors import DataError
from helpers.project import write_atomically

Decision = Literal["first", "second", "keep", "drop", "edit", "later"]
DECISIONS = ("first", "second", "keep", "drop", "edit", "later")
FORMAT = "review 1"


class Review:
    """Works through ``data.queue``'s table, one item at a time; what was put off comes again in the next session.

    Args:
        queue: columns ``line``, ``code``, ``message``, ``question``, ``answer``, and for pairs ``other`` (a line, else
            0), ``other_question``, ``other_answer``.
        store: JSON file that every decision is written to.

    Raises:
        DataError: the file holds something else, or the decisions on another queue.
    """

    def __init__(self, queue: pd.DataFrame, store: Path | str) -> None:
        self.queue, self.store = queue.reset_index(drop=True), Path(store)
        content = self.queue[["line", "code", "other", "answer", "other_answer"]].to_json()
        self.digest = hashlib.sha256(content.encode()).hexdigest()[:16]
        self.steps: list[list[Any]] = [step for step in self._load() if step[1] != "later"]

    @property
    def at(self) -> int:
        """Index of the item to decide now; the queue's length when all are decided or put off."""
        decided = {index for index, _, _ in self.steps}
        return next((index for index in range(len(self.queue)) if index not in decided), len(self.queue))

    @property
    def done(self) -> bool:
        return self.at == len(self.queue)

    @property
    def is_pair(self) -> bool:
        """Whether two rows of the file contradict each other here, or one row is doubtful by itself."""
        return bool(self.queue.loc[self.at, "other"])

    def decide(self, decision: Decision, new_answer: str = "") -> None:
        """Decide the present item; written to the file at once. "second" needs a pair.

        Args:
            decision: what the person chose.
            new_answer: with "edit", the answer to use.
        """
        if not self.done and (self.is_pair or decision != "second"):
            self.steps.append([self.at, decision, new_answer if decision == "edit" else ""])
            self._save()

    def undo(self) -> None:
        """Take the last decision back."""
        if self.steps:
            self.steps.pop()
            self._save()

    def decisions(self) -> pd.DataFrame:
        """The queue with its decisions, as ``data.resolve`` wants it.

        Dropping a pair, and editing one (the new answer replaces both), takes two lines: one for each row of the file.
        """
        rows = []
        for index, decision, new_answer in self.steps:
            item, pair = self.queue.loc[index].to_dict(), bool(self.queue.loc[index, "other"])
            for code in _CODES[decision] if pair else _ALONE[decision]:
                rows.append(item | {"decision": code, "new_answer": new_answer if code == "edit" else ""})
        return pd.DataFrame(rows, columns=list(self.queue.columns))

    def _save(self) -> None:
        state = {"format": FORMAT, "queue": self.digest, "steps": self.steps}
        write_atomically(self.store, json.dumps(state, ensure_ascii=False, indent=1) + "\n")

    def _load(self) -> list[list[Any]]:
        if not self.store.exists():
            return []
        again = "Choose another file name, or delete this one to start afresh."
        try:
            state = json.loads(self.store.read_text(encoding="utf-8"))
            steps, queue, kind = state["steps"], state["queue"], state["format"]
            fits = all(index in range(len(self.queue)) and word in DECISIONS for index, word, _ in steps)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{self.store} holds no decisions.", got=str(error), fix=again) from error
        if kind != FORMAT or queue != self.digest or not fits:
            raise DataError(f"{self.store} holds the decisions on another queue.", fix=again)
        return steps


_CODES = {
    "first": ("drop_other",), "second": ("drop",), "keep": ("keep",), "drop": ("drop", "drop_other"),
    "edit": ("edit", "drop_other"), "later": ("",),
}  # fmt: skip
_ALONE = {"first": ("keep",), "keep": ("keep",), "drop": ("drop",), "edit": ("edit",), "later": ("",)}
