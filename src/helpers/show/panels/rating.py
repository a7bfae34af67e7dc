"""Blind ratings of pairs of answers: whose side is whose, what was chosen, and what it adds up to. No widget here."""

from __future__ import annotations

import hashlib
import json
import random
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from helpers.errors import EvaluationError
from helpers.formatting import plural
from helpers.project import write_atomically
from helpers.statistics import sign_test

Pair = tuple[str, Mapping[str, str]]
"""A question, and its two answers by the rivals' names."""

Choice = Literal["first", "second", "tie", "skip"]
FORMAT = "ratings 1"
SURE = 0.05


@dataclass(frozen=True)
class Ratings:
    """What the ratings add up to: ``wins`` by name, ties and skipped pairs, and the sign test over the wins."""

    wins: Mapping[str, int]
    ties: int
    skipped: int
    p_value: float
    sentence: str


class Rating:
    """A session of blind ratings that can be left and taken up again.

    Args:
        pairs: the questions with two answers each, the same two names throughout.
        store: JSON file that every choice is written to; None keeps nothing.

    Raises:
        EvaluationError: the pairs do not fit together, or the file belongs to other pairs.
    """

    def __init__(self, pairs: Sequence[Pair], store: Path | str | None) -> None:
        self.pairs, self.store = list(pairs), None if store is None else Path(store)
        self.names = _names(self.pairs)
        self.digest = hashlib.sha256(json.dumps([[q, dict(a)] for q, a in self.pairs]).encode()).hexdigest()[:16]
        kept = self._load()
        self.seed: str = kept.get("seed") or secrets.token_hex(8)
        self.choices: list[Choice] = kept.get("choices", [])

    @property
    def at(self) -> int:
        """Index of the pair to rate now; the number of pairs when all are rated."""
        return len(self.choices)

    @property
    def done(self) -> bool:
        return self.at == len(self.pairs)

    def sides(self, index: int) -> tuple[str, str]:
        """Names of the rivals on the first and second side: shuffled for each pair, the same when resumed."""
        first, second = self.names
        swapped = random.Random(f"{self.seed} {index}").random() < 0.5
        return (second, first) if swapped else (first, second)

    def shown(self) -> tuple[str, str, str]:
        """Question, first answer and second answer of the pair to rate now."""
        question, answers = self.pairs[self.at]
        first, second = self.sides(self.at)
        return question, answers[first], answers[second]

    def verdicts(self, name: str) -> np.ndarray:
        """One verdict a pair: 1 where ``name`` was chosen, -1 where the other was, 0 for a tie, ``nan`` for none yet.

        Raises:
            EvaluationError: no such rival.
        """
        if name not in self.names:
            raise EvaluationError(f"{name!r} was not rated.", got=" and ".join(self.names))
        found = np.full(len(self.pairs), np.nan)
        for index, choice in enumerate(self.choices):
            if choice == "tie":
                found[index] = 0
            elif choice != "skip":
                found[index] = 1 if self.sides(index)[choice == "second"] == name else -1
        return found

    def choose(self, choice: Choice) -> None:
        """Rate the present pair; written to the file at once."""
        if not self.done:
            self.choices.append(choice)
            self._save()

    def undo(self) -> None:
        """Take the last choice back."""
        if self.choices:
            self.choices.pop()
            self._save()

    def result(self) -> Ratings:
        """Wins, ties and the sign test of what has been rated so far."""
        wins: Counter[str] = Counter(dict.fromkeys(self.names, 0))
        for index, choice in enumerate(self.choices):
            if choice in ("first", "second"):
                wins[self.sides(index)[choice == "second"]] += 1
        ties, skipped = self.choices.count("tie"), self.choices.count("skip")
        (a, more), (b, fewer) = wins.most_common()
        p_value = sign_test(more, fewer)
        if not self.choices:
            return Ratings(dict(wins), ties, skipped, p_value, "Nothing has been rated yet.")
        counted = f"Preferred: “{a}” {more}, “{b}” {fewer}; {plural(ties, 'tie')}, {skipped} skipped"
        verdict = f"“{a}” is preferred" if p_value < SURE else "these ratings cannot tell which one you prefer"
        return Ratings(dict(wins), ties, skipped, p_value, f"{counted}. Sign test p = {p_value:.3g}: {verdict}.")

    def _save(self) -> None:
        if self.store is None:
            return
        state = {"format": FORMAT, "pairs": self.digest, "seed": self.seed, "choices": self.choices}
        write_atomically(self.store, json.dumps(state) + "\n")

    def _load(self) -> dict:
        if self.store is None or not self.store.exists():
            return {}
        again = "Choose another file name, or delete this one to start afresh."
        try:
            state = json.loads(self.store.read_text(encoding="utf-8"))
            fits = state["format"] == FORMAT and set(state["choices"]) <= {"first", "second", "tie", "skip"}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EvaluationError(f"{self.store} holds no ratings.", got=str(error), fix=again) from error
        if not fits or state.get("pairs") != self.digest or len(state["choices"]) > len(self.pairs):
            raise EvaluationError(f"{self.store} holds the ratings of other pairs.", fix=again)
        return state


def _names(pairs: Sequence[Pair]) -> tuple[str, str]:
    found = {tuple(sorted(answers)) for _, answers in pairs}
    if len(found) != 1 or len(next(iter(found))) != 2:
        raise EvaluationError(
            "Blind rating needs pairs of the same two rivals.",
            got=", ".join(" / ".join(names) for names in sorted(found)) or "no pairs",
            fix='Pass pairs like ("the question", {"prompted": "…", "tuned": "…"}).',
        )
    return next(iter(found))
