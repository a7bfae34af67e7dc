"""The blind rater: two answers without their names, one key for the better one, the names at the end."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

import ipywidgets as widgets
import numpy as np

from helpers.show.html.elements import CARD, texts_side_by_side
from helpers.show.panels.parts import SPACE, Panel, Words, for_keyboards, keyboard
from helpers.show.panels.rating import Choice, Pair, Rating, Ratings


def rater(pairs: Sequence[Pair], store: Path | str | None) -> Rater:
    """Rate pairs of answers without knowing whose they are.

    Args:
        pairs: ``(question, {name: answer, other name: answer})``, the same two names throughout.
        store: JSON file that every choice is written to; run the cell again to go on where you stopped. None keeps
            nothing.

    Raises:
        EvaluationError: the pairs do not fit together, or the file belongs to other pairs.
    """
    return Rater(pairs, store)


class Rater(Panel):
    """The panel that :func:`rater` makes; ``rating`` holds the session."""

    def __init__(self, pairs: Sequence[Pair], store: Path | str | None) -> None:
        self.rating = Rating(pairs, store)
        self.bar = widgets.IntProgress(max=len(self.rating.pairs), layout=widgets.Layout(width="auto"))
        self.shown = Words()
        self.actions = {
            "1": ("the first is better", lambda: self._choose("first")),
            "2": ("the second is better", lambda: self._choose("second")),
            "0": ("equally good", lambda: self._choose("tie")),
            SPACE: ("skip", lambda: self._choose("skip")),
            "u": ("undo", self._undo),
        }
        super().__init__([self.bar, self.shown, keyboard(self.actions)])
        self.children += (for_keyboards(self, "kit-rater"),)
        self._draw()

    @property
    def result(self) -> Ratings:
        """Wins, ties and the sign test of what has been rated so far."""
        return self.rating.result()

    def verdicts(self, name: str) -> np.ndarray:
        """One verdict a pair, as a judge gives them: see :meth:`Rating.verdicts`."""
        return self.rating.verdicts(name)

    def press(self, keys: str) -> None:
        """Do what these keys do, one after the other: ``panel.press("1u")`` rates a pair and takes that back."""
        for key in keys:
            self.actions[key][1]()

    def _choose(self, choice: Choice) -> None:
        self.rating.choose(choice)
        self._draw()

    def _undo(self) -> None:
        self.rating.undo()
        self._draw()

    def picture(self) -> str:
        """How many there are, and the one that is next."""
        counts = f"{len(self.rating.pairs)} pairs of answers to compare, {self.rating.at} done."
        return f"<p><b>{counts} Run this cell to rate them.</b></p>{self.shown.value}"

    def _draw(self) -> None:
        self.bar.value = self.rating.at
        self.shown.value = self._end() if self.rating.done else self._pair()
        self.repicture()

    def _pair(self) -> str:
        question, first, second = self.rating.shown()
        answers = texts_side_by_side([("First answer", first), ("Second answer", second)])
        return (
            f'<div role="status"><p><b>Pair {self.rating.at + 1} of {len(self.rating.pairs)}.</b> '
            f"Which answer is better?</p>{texts_side_by_side([('Question', question)])}{answers}</div>"
        )

    def _end(self) -> str:
        return (
            f'<div role="status" style="{CARD}"><b>All {len(self.rating.pairs)} pairs are rated.</b> '
            f"{escape(self.result.sentence)} Ties and skipped pairs are left out of the test.</div>"
        )
