"""A reader's tags on the rows that went wrong, and the remedy for each tag: kept at each change. No widget here."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock

from helpers.errors import EvaluationError
from helpers.evaluate.results.mistakes import WrongRow
from helpers.project import write_atomically

FORMAT = "errors 1"
LONGEST = 40
"""Letters of a tag; it has to stand beside a bar."""

REMEDIES: Mapping[str, str] = {
    "prompt": "Say it in the prompt: one more rule, or a worked example of this kind. Then measure again.",
    "data": "Add rows of this kind to the training rows, as many as its share of the work deserves, and train again.",
    "label wrong": "Correct the ideal answers: wrong_labels() hands these rows to the review of lesson 1.",
    "rule unclear": "Two people would answer differently: decide the rule, write it down, and relabel what it touches.",
    "needs facts": "Look the facts up and put them into the prompt. Neither tuning nor rules teach facts.",
    "plain code": "Let plain code do this part, a pattern or a look-up, before the model or after it.",
}
"""What may help against a kind of mistake, and what to do next."""

UNDECIDED = "not chosen yet"
QUEUE = (
    "line", "code", "message", "question", "answer", "other", "other_question", "other_answer", "decision",
    "new_answer",
)  # fmt: skip
"""Columns of ``data.queue``, which lesson 1's review shows."""


class Tagging:
    """Works through wrong rows; a session can be left and taken up again, and two on one file keep each other's work.

    The file holds every change as a step with an id of its own. A change is made on what the file holds by then.

    Args:
        rows: what :func:`evaluate.mistakes.wrong_rows` found.
        file: JSON file that every change is written to; None keeps nothing.

    Raises:
        EvaluationError: the file holds something else, or tags on other rows.
    """

    def __init__(self, rows: Sequence[WrongRow], file: Path | str | None) -> None:
        self.rows, self.file = list(rows), None if file is None else Path(file)
        content = [[*map(dict, row.example.messages), row.answer, row.missing] for row in self.rows]
        self.digest = hashlib.sha256(json.dumps(content, default=str).encode()).hexdigest()[:16]
        kept = self._load() or {"at": 0, "steps": []}
        self.at: int = kept["at"]
        self.steps: list[dict[str, Any]] = kept["steps"]
        self._mine = [step["id"] for step in self.steps]

    # --- reading ---

    @property
    def done(self) -> bool:
        """Whether the last row is behind; ``at`` is then the number of rows."""
        return self.at == len(self.rows)

    @property
    def tags(self) -> list[str]:
        """Every tag that was ever put on a row and not undone, in the order of its first use."""
        return list(self.carried())

    def carried(self) -> dict[str, set[int]]:
        """Tag → the rows that carry it, in the order of the tags' first use."""
        found: dict[str, set[int]] = {}
        for step in self.steps:
            if "row" in step:
                rows = found.setdefault(step["tag"], set())
                (rows.add if step["on"] else rows.discard)(step["row"])
        return found

    def on(self, row: int) -> list[str]:
        """The tags that a row carries."""
        return [tag for tag, rows in self.carried().items() if row in rows]

    @property
    def tagged(self) -> int:
        """How many rows carry a tag."""
        return len(set().union(*self.carried().values()))

    def remedy(self, tag: str) -> str:
        """The remedy that the reader chose for a tag; empty when none."""
        return next((step["remedy"] for step in reversed(self.steps) if step["tag"] == tag and "remedy" in step), "")

    def table(self) -> pd.DataFrame:
        """The tags, the most frequent first: ``tag``, ``rows``, ``so far``, ``remedy`` and what to do ``next``.

        ``so far`` counts the rows that carry this tag or one above it, each once.
        """
        lines, so_far = [], set()
        for tag, rows in sorted(self.carried().items(), key=lambda item: -len(item[1])):
            if rows:
                so_far |= rows
                remedy = self.remedy(tag)
                lines.append([tag, len(rows), len(so_far), remedy or UNDECIDED, REMEDIES.get(remedy, "")])
        return pd.DataFrame(lines, columns=["tag", "rows", "so far", "remedy", "next"])

    def wrong_labels(self) -> pd.DataFrame:
        """The rows with a tag whose remedy is "label wrong", in the shape of ``data.queue``."""
        found = []
        for index, row in enumerate(self.rows):
            tags = [tag for tag in self.on(index) if self.remedy(tag) == "label wrong"]
            if tags:
                answered = "No answer came." if row.answer is None else f"The candidate answered: {row.answer}"
                message = f"You doubt this label ({', '.join(tags)}). {answered}"
                asked, ideal = row.example.question, row.example.answer
                found.append([row.example.line, "label_doubted", message, asked, ideal, 0, "", "", "", ""])
        return pd.DataFrame(found, columns=list(QUEUE))

    # --- changing ---

    def move(self, by: int) -> None:
        """Go on or back by so many rows; one behind the last row is the end, and behind it the first without a tag."""
        self.at = self._untagged() if self.done and by > 0 else min(max(self.at + by, 0), len(self.rows))
        self._change(lambda steps: steps)

    def _untagged(self) -> int:
        tagged = set().union(*self.carried().values())
        return next((row for row in range(len(self.rows)) if row not in tagged), len(self.rows))

    def tag(self, name: str) -> None:
        """Put a tag on the present row. A known tag in other capitals is that tag."""
        name = "".join(char for char in " ".join(name.split()) if char.isprintable())[:LONGEST].strip()
        known = {tag.casefold(): tag for tag in self.tags}
        name = known.get(name.casefold(), name)
        if name and not self.done and name not in self.on(self.at):
            self._add({"row": self.at, "tag": name, "on": True})

    def toggle(self, name: str) -> None:
        """Put a known tag on the present row, or take it off."""
        if not self.done:
            self._add({"row": self.at, "tag": name, "on": name not in self.on(self.at)})

    def choose(self, tag: str, remedy: str) -> None:
        """Say what helps against a tag: one of :data:`REMEDIES`, or nothing yet.

        Args:
            tag: one that stands on a row.
            remedy: one of :data:`REMEDIES`; anything else is none yet.
        """
        self._add({"tag": tag, "remedy": remedy if remedy in REMEDIES else ""})

    def undo(self) -> None:
        """Take back the last change that this session made or found, and show its row."""
        while self._mine:
            last = self._mine.pop()
            if step := next((step for step in self.steps if step["id"] == last), None):
                self.at = step.get("row", self.at)
                self._drop(last)
                return

    def _drop(self, name: str) -> None:
        self._change(lambda steps: [step for step in steps if step["id"] != name])

    def _add(self, step: dict[str, Any]) -> None:
        step = {"id": secrets.token_hex(4), **step}
        self._change(lambda steps: [*steps, step])
        self._mine.append(step["id"])

    # --- keeping ---

    def _change(self, changed: Callable[[list], list]) -> None:
        """Change the steps as they are in the file by now: another session may have added some."""
        if self.file is None:
            self.steps = changed(self.steps)
            return
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.file.with_name(f".{self.file.name}.lock"), timeout=10):
            kept = self._load()
            steps = changed(kept["steps"] if kept else self.steps)
            state = {"format": FORMAT, "rows": self.digest, "at": self.at, "steps": steps}
            write_atomically(self.file, json.dumps(state, ensure_ascii=False, indent=1) + "\n")
        self.steps = steps

    def _load(self) -> dict[str, Any] | None:
        if self.file is None or not self.file.exists():
            return None
        again = "Choose another file name, or delete this one to start afresh."
        try:
            state = json.loads(self.file.read_text(encoding="utf-8"))
            fits = state["format"] == FORMAT and state["at"] in range(len(self.rows) + 1)
            fits = fits and all(self._is_step(step) for step in state["steps"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EvaluationError(f"{self.file} holds no tags.", got=str(error), fix=again) from error
        if not fits or state["rows"] != self.digest:
            raise EvaluationError(f"{self.file} holds tags on other rows or answers.", fix=again)
        return state

    def _is_step(self, step: Mapping[str, Any]) -> bool:
        texts = isinstance(step["id"], str) and isinstance(step["tag"], str)
        if "remedy" in step:
            return texts and step["remedy"] in ("", *REMEDIES)
        return texts and step["row"] in range(len(self.rows)) and isinstance(step["on"], bool)
