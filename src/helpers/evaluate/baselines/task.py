"""What the rivals learn from and answer: training rows that ask nothing that is scored, field by field."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from helpers.errors import EvaluationError
from helpers.evaluate.baselines import guessing
from helpers.evaluate.baselines.patterns import Pattern
from helpers.evaluate.metrics import parsed
from helpers.evaluate.prompts.candidates import INSTRUCTIONS
from helpers.formatting import plural
from helpers.records import Example

MAJORITY, TFIDF, EMBEDDINGS, NEAREST = "most frequent answer", "TF-IDF", "embeddings", "nearest neighbour"
BEST = "best per field"
RIVALS = (MAJORITY, TFIDF, EMBEDDINGS, NEAREST, BEST)
CODE = "plain code"
WHOLE = ""
"""The field of an answer that is not a JSON object."""


Code = Pattern | str | Callable[[str], Any]


@dataclass(frozen=True)
class Task:
    """What there is to learn from and to answer. It holds no ideal answer of a scored row.

    Attributes:
        train: the rows that are learned from.
        asked: the questions of the scored rows, then those of the rows to choose by.
        scored: how many of these belong to scored rows.
        choose_on: rows with ideal answers to choose the best methods by; may be empty.
        wanted: field → the training rows' values, as they are written in an answer.
        closed: the fields that get a classifier.
        codes: field → the reader's code for it.
        rivals: names out of :data:`RIVALS`.
    """

    train: Sequence[Example]
    asked: list[str]
    scored: int
    choose_on: Sequence[Example]
    wanted: dict[str, list[str]]
    closed: list[str]
    codes: dict[str, Code]
    rivals: list[str]


def sampled(train: Sequence[Example], most: int) -> Sequence[Example]:
    """The training rows, or so many of them: the same ones whenever the rows are the same, in their order.

    Args:
        train: training rows.
        most: how many rows at most; of more, a seeded sample is drawn.
    """
    if len(train) <= most:
        return train
    return [train[place] for place in sorted(np.random.default_rng(0).permutation(len(train))[:most])]


def check(train: Sequence[Example], rows: Sequence[Example], only: Sequence[str]) -> None:
    """Pass when there is something to learn from, something to score, and a rival for each name.

    Args:
        train: training rows.
        rows: scored rows.
        only: names of rivals.

    Raises:
        EvaluationError: no rows, or a name that is not in :data:`RIVALS`.
    """
    if not train or not rows:
        raise EvaluationError(
            "These rivals need rows to learn from and rows to be measured on.", got=f"{len(train)} and {len(rows)}"
        )
    if unknown := [name for name in only if name not in RIVALS]:
        raise EvaluationError("There is no such rival.", got=", ".join(unknown), fix=f"There are {', '.join(RIVALS)}.")


def unseen_rows(
    train: Sequence[Example], rows: Sequence[Example], choose_on: Sequence[Example]
) -> tuple[list[Example], list[str]]:
    """The training rows that ask nothing that is asked elsewhere, and a note on the others.

    Args:
        train: training rows.
        rows: scored rows.
        choose_on: rows to choose the best methods by.

    Raises:
        EvaluationError: a row to choose by is scored, or every training row asks what is asked elsewhere.
    """
    scored, chosen_by = ({_prompt(row) for row in some} for some in (rows, choose_on))
    if scored & chosen_by:
        raise EvaluationError(
            "Rows to choose the best methods by must not be scored.",
            got=f"{plural(len(scored & chosen_by), 'prompt')} in both",
            fix="Choose by other rows, or leave choose_on away.",
        )
    unseen = [row for row in train if _prompt(row) not in scored | chosen_by]
    left_out = len(train) - len(unseen)
    said = f"{plural(left_out, 'training row')} {'asks' if left_out == 1 else 'ask'} what a "
    said += "scored row asks" if not chosen_by else "scored row asks, or one to choose by"
    if not unseen:
        raise EvaluationError(
            "There is no row to learn from that is not scored.", got=said, fix="Take other rows: data.split parts them."
        )
    return unseen, [f"{said}: nothing was learned from {'it' if left_out == 1 else 'them'}."] if left_out else []


def _prompt(row: Example) -> str:
    """The conversation before the answer, without instructions; capitals and spaces do not count, as in data.check."""
    said = [str(message.get("content")) for message in row.prompt if message["role"] not in INSTRUCTIONS]
    return " ".join(" ".join(said).split()).casefold()


def task_of(
    train: Sequence[Example], questions: list[str], extract: Mapping[str, Code | None], closed: Sequence[str] | None,
    choose_on: Sequence[Example], only: Sequence[str],
) -> Task:  # fmt: skip
    """What there is to do: which fields there are, which of them are closed, and who can answer them.

    Args:
        train: the rows that are learned from.
        questions: of the scored rows, in their order.
        extract: field → the reader's code, or None.
        closed: the fields with a closed set of values; None: they are found out from the training rows.
        choose_on: rows to choose the best methods by.
        only: names of rivals.

    Raises:
        EvaluationError: a field that no training row has, or a closed one with too many values.
    """
    wanted = {name: column(train, name) for name in _names(train)}
    codes = {name: code for name, code in extract.items() if code is not None}
    if unknown := [name for name in (*codes, *(closed or ())) if name not in wanted]:
        raise EvaluationError(
            "The training answers lack a field.", got=", ".join(unknown),
            fix=f"They have {', '.join(wanted)}." if WHOLE not in wanted else "They are not JSON objects.",
        )  # fmt: skip
    if closed is None:
        closed = [name for name, values in wanted.items() if guessing.is_closed(_without_null(name, values))]
    for name in closed:
        if (count := len(set(wanted[name]))) > guessing.MAX_CLASSES:
            raise EvaluationError(
                f"{name or 'The answer'} has {count} values in the training rows: that is not a closed set.",
                fix=f"A classifier takes at most {guessing.MAX_CLASSES}. Leave it open, or pass code in extract.",
            )
    everywhere = {MAJORITY, NEAREST} | ({BEST} if codes else set())
    rivals = [name for name in RIVALS if name in only and (closed or name in everywhere)]
    asked = [*questions, *(row.question for row in choose_on)]
    return Task(train, asked, len(questions), choose_on, wanted, list(closed), codes, rivals)


def _names(rows: Sequence[Example]) -> list[str]:
    """The fields of the answers; :data:`WHOLE` alone when they are not all JSON objects."""
    values = [parsed(row.answer) for row in rows]
    if not all(isinstance(value, dict) for value in values):
        return [WHOLE]
    return list(dict.fromkeys(name for value in values for name in value))


def column(rows: Sequence[Example], name: str) -> list[str]:
    """One field's ideal values, one a row, as they are written in an answer.

    Args:
        rows: with ideal answers.
        name: the field's; :data:`WHOLE` for answers that are not JSON objects.
    """
    if name == WHOLE:
        return [row.answer for row in rows]
    values = [parsed(row.answer) for row in rows]
    return [written(value.get(name) if isinstance(value, dict) else None) for value in values]


def written(value: Any) -> str:
    """JSON as a reader writes it: é, not its escape; only half a pair of UTF-16, which is no text, stays escaped."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()


def _without_null(name: str, values: Sequence[str]) -> list[str | None]:
    return [None if name != WHOLE and value == "null" else value for value in values]
