"""Sentences as pieces with and without a link: web addresses, and the lessons that a step is taken in."""

from __future__ import annotations

import re

from helpers.decide.record.record import LESSON_TITLES
from helpers.decide.rules.ruling import LESSON
from helpers.formatting import WEB_ADDRESS

SECTIONS = {
    "decide": "The prompt ladder",
    "data": "Start from what you have",
    "train": "How long will it take, and what will it cost?",
    "evaluate": "Open the test split",
    "deploy": "A gate before release",
    "record": "The bill",
    "how_much": "Draw the rows",
    "leave": "Take stock",
}
"""The heading in each lesson below which the cell stands that takes the step; see ``LESSON``."""

_PIECE = re.compile("|".join([WEB_ADDRESS, *(re.escape(name) for name in sorted(LESSON.values(), key=len))]))


def segments(sentence: str) -> list[dict[str, str]]:
    """The sentence in pieces, in order: ``text``, and ``href`` where it leads somewhere."""
    found, at = [], 0
    for piece in _PIECE.finditer(sentence):
        if piece.start() > at:
            found.append({"text": sentence[at : piece.start()]})
        found.append(_linked(piece.group()))
        at = piece.end()
    if at < len(sentence):
        found.append({"text": sentence[at:]})
    return found


def _linked(text: str) -> dict[str, str]:
    """A web address as it is; a lesson by its title, to its page on this site where the step is taken."""
    key = next((key for key, name in LESSON.items() if name == text), None)
    if key is None:
        return {"text": text, "href": text}
    notebook = text.removeprefix("lesson ")
    return {"text": LESSON_TITLES[notebook], "href": f"notebooks/{notebook}.html#{slug(SECTIONS[key])}"}


def slug(heading: str) -> str:
    """A heading's anchor on its page, as docutils makes it."""
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")
