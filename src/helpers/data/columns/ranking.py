"""How much a column looks like the question, or like the answer: by its name and by what it holds."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from helpers.data.columns.profiles import Profile
from helpers.data.shapes.column_names import COLUMNS, tidy_name

ABOUT = ("split", "fold", "id", "index", "source", "dataset", "language", "lang", "license", "licence", "url", "date",
         "time", "created", "received", "updated", "channel", "agent", "author", "version")  # fmt: skip
"""Words in the names of columns that tell about a row, never what to answer."""

ABOVE = ("context", "passage", "title", "subject", "headline", "document", "article", "betreff", "titel", "instruction")
"""Columns that belong above the question, where a row has both: its source, its heading, its instruction."""


def rank_columns(profiles: list[Profile], by_name: Mapping[str, str] | None = None) -> dict[str, dict[str, float]]:
    """For the question and for the answer: column → score, best first, the answer never being the question.

    Args:
        profiles: of every column, in their order in the table.
        by_name: part → column, where names say so already.
    """
    known = by_name or {}
    texts = {one.name: _as_question(one) for one in profiles if one.kind in ("text", "label") and one.filled > 0.5}
    closed = [one for one in profiles if one.kind in ("label", "json") and one.filled > 0.5]
    if not closed and "answer" not in known and len([one for one in profiles if one.kind == "text"]) == 2:
        first = next(one.name for one in profiles if one.kind == "text")
        texts = {first: 1.0}  # two free texts: they stand in the order in which they were said
    texts = {known["question"]: 1.0} if "question" in known else {name: s for name, s in texts.items() if s > 0}
    question = dict(sorted(texts.items(), key=lambda item: -item[1]))
    asked = next(iter(question), None)
    order = [one.name for one in profiles]
    answers = {one.name: _as_answer(one, profiles, order, asked) for one in profiles if one.name != asked}
    answers = {known["answer"]: 1.0} if "answer" in known else {name: s for name, s in answers.items() if s > 0}
    return {"question": question, "answer": dict(sorted(answers.items(), key=lambda item: -item[1]))}


def _as_question(one: Profile) -> float:
    """How much a column looks like what is asked: long and varied."""
    if one.kind != "text":
        return 0.0
    return math.log1p(one.words) + _named_like(one.name, "question")


def _as_answer(one: Profile, profiles: list[Profile], order: list[str], asked: str | None) -> float:
    """How much a column looks like the ideal answer: few values, or JSON, or a text after the question."""
    after = asked is not None and order.index(one.name) > order.index(asked)
    base = {"label": 2.0, "json": 2.5, "number": 0.5 if one.different <= 20 else 0.0, "text": 1.0 if after else 0.4}
    score = base.get(one.kind, 0.0) * one.filled
    about = words_of(one.name) & {*ABOUT, *ABOVE} and not _named_like(one.name, "answer")
    if about or (one.kind == "number" and in_words(one, profiles) is not one):
        return 0.0
    return score + _named_like(one.name, "answer") if score else 0.0


def _named_like(name: str, part: str) -> float:
    """Whether a known name is a word of this one: ``airline_sentiment``."""
    tidy = tidy_name(name)
    if tidy in COLUMNS[part]:
        return 2.0
    return 1.0 if words_of(name) & set(COLUMNS[part]) else 0.0


def words_of(name: str) -> set[str]:
    """The words of a name: ``airline_sentiment``, ``authorName``, ``Author name``."""
    return set(re.split(r"[_\W]+", tidy_name(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name))))


def in_words(one: Profile, profiles: list[Profile]) -> Profile:
    """The column that says in words what this one numbers (``label_text`` for ``label``), where there is one.

    Args:
        one: the column.
        profiles: of every column.
    """
    if one.kind != "number" or one.different < 2:
        return one
    same = (p for p in profiles if p.kind == "label" and p.different == one.different)
    return next((p for p in same if len(set(zip(one.cells, p.cells, strict=True))) == one.different), one)
