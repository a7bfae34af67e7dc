"""The review panel: rows that contradict each other, or that a machine should not judge, one at a time."""

from __future__ import annotations

from html import escape
from pathlib import Path

import ipywidgets as widgets
import pandas as pd

from helpers.show.html.elements import CARD, texts_side_by_side
from helpers.show.panels.parts import SPACE, Panel, Words, for_keyboards, keyboard
from helpers.show.panels.reviewing import Decision, Review

NOTHING = "Nothing to review: no row waits for a decision."


def review(queue: pd.DataFrame, store: Path | str) -> ReviewPanel:
    """Decide what no machine should: keep one side, both, none, or write the right answer.

    Args:
        queue: ``data.queue(…)`` or ``Repaired.queue``.
        store: JSON file that every decision is written to; run the cell again to go on where you stopped.

    Afterwards ``data.resolve(source, panel.decisions, to=…)`` writes the file with the decisions carried out.

    Raises:
        DataError: the file holds something else, or the decisions on another queue.
    """
    return ReviewPanel(queue, store)


class ReviewPanel(Panel):
    """The panel that :func:`review` makes; ``decisions`` is the table for ``data.resolve``."""

    def __init__(self, queue: pd.DataFrame, store: Path | str) -> None:
        self.review = Review(queue, store)
        self.bar = widgets.IntProgress(max=len(queue), layout=widgets.Layout(width="auto"))
        self.shown = Words()
        self.answer = widgets.Textarea(
            description="Answer to use with e", rows=3, style={"description_width": "initial"},
            continuous_update=False,  # sent whole when the field is left: "e" could overtake single letters
            layout=widgets.Layout(width="auto"),
        )  # fmt: skip
        keys = keyboard(
            {
                "1": ("keep the first", lambda: self._decide("first")),
                "2": ("keep the second", lambda: self._decide("second")),
                "b": ("keep both", lambda: self._decide("keep")),
                "d": ("drop all shown", lambda: self._decide("drop")),
                "e": ("use the answer below", lambda: self._decide("edit")),
                SPACE: ("decide later", lambda: self._decide("later")),
                "u": ("undo", self._undo),
            }
        )
        self.field = keys.children[1]
        if len(queue):
            super().__init__([self.bar, self.shown, keys, self.answer])
            self.children += (for_keyboards(self, "kit-review"),)
        else:  # no keys and no field where there is nothing to use them for
            super().__init__([self.shown])
        self._draw()

    def first_key(self, letter: str) -> None:
        """Press a key on the reader's behalf where nothing is decided yet: a lesson shows what a decision does."""
        if not self.review.steps:
            self.field.value = letter

    @property
    def decisions(self) -> pd.DataFrame:
        """The decisions so far, as ``data.resolve`` wants them."""
        return self.review.decisions()

    def _decide(self, decision: Decision) -> None:
        self.review.decide(decision, self.answer.value)
        self._draw()

    def _undo(self) -> None:
        self.review.undo()
        self._draw()

    def picture(self) -> str:
        """How many there are, and the one that is next."""
        if not len(self.review.queue):
            return f"<p><b>{NOTHING}</b></p>"
        counts = f"{len(self.review.queue)} rows to decide, {self.review.at} done."
        return f"<p><b>{counts} Run this cell to decide them.</b></p>{self.shown.value}"

    def _draw(self) -> None:
        self.bar.value = self.review.at
        self.shown.value = self._end() if self.review.done else self._item()
        self.repicture()

    def _item(self) -> str:
        item = self.review.queue.loc[self.review.at]
        self.answer.value = item["answer"]
        sides = [(f"First: line {item['line']}", f"{item['question']}\n→ {item['answer']}")]
        if self.review.is_pair:
            sides.append((f"Second: line {item['other']}", f"{item['other_question']}\n→ {item['other_answer']}"))
        return (
            f'<div role="status"><p><b>{self.review.at + 1} of {len(self.review.queue)}.</b> {escape(item["message"])}'
            f"</p>{texts_side_by_side(sides)}</div>"
        )

    def _end(self) -> str:
        if not len(self.review.queue):
            return f'<div role="status" style="{CARD}"><b>{NOTHING}</b></div>'
        later = sum(step[1] == "later" for step in self.review.steps)
        waits = f" {later} put off: run the cell again to take them up." if later else ""
        decided = f"{len(self.review.steps) - later} of {len(self.review.queue)} decided."
        return (
            f'<div role="status" style="{CARD}"><b>{decided}</b>{waits} '
            "Write the file with <code>data.resolve(source, panel.decisions, to=…)</code>.</div>"
        )
