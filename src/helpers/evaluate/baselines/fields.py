"""Each field by each method: the questions as numbers, and what every method guesses for a field."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from helpers.errors import AssetError, EvaluationError
from helpers.evaluate.baselines import embedding, guessing
from helpers.evaluate.baselines.guessing import Features, Guess
from helpers.evaluate.baselines.task import BEST, CODE, EMBEDDINGS, MAJORITY, NEAREST, TFIDF, WHOLE, Task, written

LEFT_OUT = "The rival by sentence embeddings is left out."


@dataclass(frozen=True)
class Numbers:
    """Features of the questions; None where no rival needs them or they cannot be had.

    Attributes:
        words: TF-IDF.
        words_turned: the same, as :func:`guessing.turned` makes it.
        vectors: sentence embeddings.
        seconds: method → what each question takes, one number a question.
    """

    words: Features | None
    words_turned: Features | None
    vectors: Features | None
    seconds: Mapping[str, np.ndarray]


def numbers_of(task: Task, embeddings: bool) -> tuple[Numbers, list[str]]:
    """The questions as numbers, and a note where embeddings could not be had.

    Args:
        task: what is to be done.
        embeddings: False leaves them out.
    """
    questions = [row.question for row in task.train]
    vectors, seconds, notes = None, {}, []
    if embeddings and task.closed and {EMBEDDINGS, NEAREST, BEST} & set(task.rivals):
        try:
            found, took = embedding.embed([*questions, *task.asked])
            vectors = Features(found[: len(questions)], found[len(questions) :])
            seconds[EMBEDDINGS] = took[len(questions) :]
        except AssetError as error:
            notes.append(f"{LEFT_OUT} {error}")
    words = turned = None
    by_words = {TFIDF, BEST} & set(task.rivals) and task.closed
    if by_words or (not vectors and {NEAREST, BEST} & set(task.rivals)):
        started = time.perf_counter()
        words = guessing.tfidf(questions, task.asked, letters=bool(task.closed))
        each = (time.perf_counter() - started) / (len(questions) + len(task.asked))
        seconds[TFIDF] = np.full(len(task.asked), each)
        turned = guessing.turned(words) if by_words else None
    return Numbers(words, turned, vectors, seconds), notes


def guesses_for(task: Task, name: str, numbers: Numbers) -> dict[str, Guess]:
    """Method → its guesses for one field, for every method that some rival may need.

    Args:
        task: what is to be done.
        name: the field's.
        numbers: the questions as numbers.
    """
    wanted = task.wanted[name]
    found = {MAJORITY: guessing.most_frequent(wanted, len(task.asked))}
    if name in task.codes:
        given, asked = (coded(task, name, some) for some in ([row.question for row in task.train], task.asked))
        found[CODE] = guessing.plain_code(given, wanted, asked)
    if (like := numbers.vectors or numbers.words) and {NEAREST, BEST} & set(task.rivals):
        found[NEAREST] = guessing.nearest(like, wanted)
    if name in task.closed and numbers.words_turned:
        found[TFIDF] = guessing.classifier(numbers.words_turned, wanted)
    if name in task.closed and numbers.vectors and {EMBEDDINGS, BEST} & set(task.rivals):
        found[EMBEDDINGS] = guessing.classifier(numbers.vectors, wanted)
    return found


def coded(task: Task, name: str, messages: Sequence[str]) -> list[str]:
    """What the reader's code gives for each message, as it is written in an answer.

    Args:
        task: what is to be done.
        name: a field that has code.
        messages: the questions.

    Raises:
        EvaluationError: the code fails, or is no regular expression.
    """
    code = task.codes[name]
    try:
        values = [_found(code, message) if isinstance(code, str) else code(message) for message in messages]
        return [value if name == WHOLE and isinstance(value, str) else written(value) for value in values]
    except Exception as error:  # it is the reader's code: it may fail in any way
        raise EvaluationError(
            f"The code for {name!r} failed.", got=f"{type(error).__name__}: {error}",
            fix="It is called with a message and returns a JSON value, or None where there is none.",
        ) from error  # fmt: skip


def _found(regex: str, message: str) -> str | None:
    match = re.search(regex, message)
    return None if match is None else match[1] if match.re.groups else match[0]
