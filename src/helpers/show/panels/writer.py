"""A product of the reader's own, typed into a box, and what each rival writes about it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from html import escape

import ipywidgets as widgets

from helpers.errors import KitError
from helpers.evaluate.inference.store import Reply
from helpers.evaluate.metrics.text_rules import Rule
from helpers.show.html.answers import with_remarks
from helpers.show.html.elements import CARD, texts_side_by_side
from helpers.show.panels.parts import Panel, Words, for_keyboards

Write = Callable[[str], Mapping[str, Reply]]
"""From a sheet of facts to each rival's reply."""


def writer(write: Write, sheet: str, rules: Sequence[Rule] = ()) -> Writer:
    """A box for a sheet of facts, and a button: each rival's copy stands below, with what there is to say of it.

    Args:
        write: asks the rivals, such as ``partial(free_text.write, client, candidates, store=…)`` of the sheet.
        sheet: what stands in the box at first.
        rules: what the copies are held to.
    """
    return Writer(write, sheet, rules)


class Writer(Panel):
    """The panel that :func:`writer` makes; ``copies`` holds the last answers by rival."""

    def __init__(self, write: Write, sheet: str, rules: Sequence[Rule]) -> None:
        self.write, self.rules = write, rules
        self.copies: dict[str, str | None] = {}
        self.box = widgets.Textarea(
            sheet, description="Facts", layout=widgets.Layout(width="97%", height="90px"),
            style={"description_width": "initial"},
        )  # fmt: skip
        self.button = widgets.Button(description="Write the copy", button_style="primary")
        self.shown = Words(_note("Change the facts, or put your own product in, then press the button."))
        self.shown.add_class("kit-live")
        self.shown.observe(lambda _: self.repicture(), names="value")
        self.button.on_click(lambda _: self.press())
        super().__init__([self.box, self.button, self.shown])
        self.children += (for_keyboards(self, "kit-writer"),)

    def press(self, sheet: str | None = None) -> None:
        """Do what the button does, with these facts in the box where some are given."""
        if sheet is not None:
            self.box.value = sheet
        sheet = self.box.value.strip()
        if not sheet:
            self.shown.value = _note("The box is empty: write a few facts about a product into it.")
            return
        self.button.disabled, self.shown.value = True, _note("Writing …")
        began = time.monotonic()
        try:
            replies = self.write(sheet)
        except KitError as error:
            self.shown.value = _note(str(error))
            return
        except BaseException as error:  # an interrupt, too: the panel must not say for ever that it waits
            self.shown.value = _note(f"Nothing was written: {type(error).__name__} {error}".strip())
            raise
        finally:
            self.button.disabled = False
        self.copies = {name: reply.text for name, reply in replies.items()}
        cards = [
            (name, with_remarks(reply.text, sheet, self.rules) if reply.text else f"No answer: {reply.missing}")
            for name, reply in replies.items()
        ]
        self.shown.value = texts_side_by_side(cards) + _note(f"Written in {time.monotonic() - began:.1f} seconds.")

    def picture(self) -> str:
        """The facts, and what was written about them."""
        told = "<p><b>A box for a product of your own: run this cell to write about it.</b></p>"
        return told + texts_side_by_side([("Facts", self.box.value)]) + self.shown.value


def _note(text: str) -> str:
    return f'<div style="{CARD}">{escape(text)}</div>'
