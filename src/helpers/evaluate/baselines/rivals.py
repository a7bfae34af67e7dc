"""Rivals that need no language model, field by field: counting, classifiers, the nearest row, plain code.

A model that does not beat them has not earned its cost.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np

from helpers.assets import EMBEDDER
from helpers.errors import EvaluationError
from helpers.evaluate.baselines.fields import Numbers, coded, guesses_for, numbers_of
from helpers.evaluate.baselines.guessing import Guess
from helpers.evaluate.baselines.patterns import Pattern
from helpers.evaluate.baselines.task import (
    BEST,
    CODE,
    EMBEDDINGS,
    MAJORITY,
    NEAREST,
    RIVALS,
    TFIDF,
    WHOLE,
    Code,
    Task,
    check,
    column,
    sampled,
    task_of,
    unseen_rows,
    written,
)
from helpers.evaluate.inference.store import Reply
from helpers.evaluate.metrics import Metric
from helpers.evaluate.prompts.candidates import digest
from helpers.evaluate.results.results import Results
from helpers.evaluate.results.rows import row_ids
from helpers.evaluate.results.scoring import check_metrics, score_replies
from helpers.formatting import plural
from helpers.records import Example

METHODS = (MAJORITY, CODE, TFIDF, EMBEDDINGS, NEAREST)
"""Of equally good ones the first is taken."""
MAX_LEARNED = 3_000
"""Of more training rows a seeded sample is learned from: sentence embeddings of so many take a minute."""


def without_llm(
    train: Sequence[Example], rows: Sequence[Example], metrics: Sequence[Metric], *, split: str = "validation",
    extract: Mapping[str, Code | None] | None = None, embeddings: bool = True, closed: Sequence[str] | None = None,
    choose_on: Sequence[Example] | None = None, only: Sequence[str] = RIVALS, progress: bool = True,
    most_learned: int = MAX_LEARNED,
) -> Results:  # fmt: skip
    """What the rivals without a language model reach, fitted on the training rows.

    Where answers are JSON objects each field is answered for itself. Fields with a closed set of values get a
    classifier; an open one (an order number) gets the plain code in ``extract``, else its most frequent value. Answers
    in free text have only the first and the fourth of these:

    * "most frequent answer": always that of the training rows, of each field; plain code has no part in it;
    * "TF-IDF" of words and letters, with logistic regression, its strength chosen by cross-validation;
    * "embeddings": the same on sentence embeddings (all-MiniLM-L6-v2), computed on this machine. About 90 MB are
      fetched when they are first used; where that fails, this rival is left out and a note says how to get it;
    * "nearest neighbour": the answer of the training row that is most alike, by embeddings if there are any;
    * "best per field": each field by the method that was right most often. That is counted on training rows that the
      method had not seen (cross-validation), or on ``choose_on``; never on the rows that are scored. (A pattern learned
      from the same training rows is counted where it was learned, a little too well.)

    Training rows that ask what a scored row asks, or a row to choose by, teach nothing: they are left out, whatever
    their answer and however they write capitals and spaces, and a note counts them.

    Each says how sure it is of every answer: the fields' probabilities multiplied. See ``coverage`` and ``cascade``.

    Args:
        train: training rows; what they teach is all that these rivals know.
        rows: what is scored. Only the questions are used before scoring.
        metrics: the first one is the headline.
        split: what the scored rows are called.
        extract: field → a ``suggest_pattern``, a regular expression (its first group, if it has one, is the value) or a
            function from message to value (None for none). A field with None is passed over. ``""`` is the field of
            answers that are not JSON objects.
        embeddings: False leaves them out, and nothing is fetched.
        closed: the fields with a closed set of values; None: those whose values occur twice each on average, and at
            most 300 different ones.
        choose_on: rows with ideal answers to choose the best methods by, validation rows before a test.
        only: which of :data:`RIVALS`.
        progress: print the notes.
        most_learned: of more training rows, a seeded sample of so many is learned from, and the notes say so.

    Returns:
        One candidate each, with the role "no language model".

    Raises:
        EvaluationError: no training rows, none that is not scored, no rows or no metrics; a field that no training row
            has; rows to choose by that are scored; a closed field with too many values; code that fails or is no
            regular expression; unknown names in ``only``, or none of them that is to be had.
    """
    check_metrics(metrics)
    check(train, rows, only)
    unseen, leaks = unseen_rows(train, rows, choose_on or ())
    train = sampled(unseen, most_learned)
    task = task_of(train, [row.question for row in rows], extract or {}, closed, choose_on or (), only)
    numbers, notes = numbers_of(task, embeddings)
    guesses = {name: guesses_for(task, name, numbers) for name in task.wanted}
    methods = {rival: _methods(task, rival, guesses) for rival in task.rivals if rival != EMBEDDINGS or numbers.vectors}
    parts = []
    for rival, chosen in methods.items():
        about = _about(task, rival, chosen, numbers) | _learned_from(len(train), len(unseen))
        replies, sure = _replies(task, chosen, guesses, numbers)
        parts.append(score_replies(rival, about, rows, replies, metrics, split=split, confidence=sure))
    if not parts:
        raise EvaluationError("None of these rivals is available here.", got=", ".join(only), fix=" ".join(notes))
    found = reduce(Results.merge, parts)
    if len(train) < len(unseen):
        notes.append(
            f"The rivals learned from {len(train):,} of {len(unseen):,} training rows: more would make them stronger."
        )
    found.notes = [*notes, *leaks, *([_choice(task, methods[BEST], guesses)] if BEST in methods else [])]
    if progress:
        print("\n".join(found.notes), end="\n" if found.notes else "")
    return found


def _learned_from(rows: int, of: int) -> dict[str, str]:
    return {"learned_from": f"{rows:,} of {of:,} training rows"} if rows < of else {}


def _methods(task: Task, rival: str, guesses: Mapping[str, Mapping[str, Guess]]) -> dict[str, str]:
    """Field → the method by which a rival answers it."""
    if rival == BEST:
        return {name: max(METHODS, key=lambda one: _right(task, name, some.get(one))) for name, some in guesses.items()}
    if rival == MAJORITY:
        return dict.fromkeys(guesses, MAJORITY)
    return {name: next(one for one in (CODE, rival, MAJORITY) if one in some) for name, some in guesses.items()}


def _right(task: Task, name: str, guess: Guess | None) -> float:
    """How often a method is right on rows that it has not learned from and that are not scored; -1 without a method."""
    if guess is None:
        return -1.0
    if not task.choose_on:
        return guess.right
    wanted = column(task.choose_on, name)
    return float(np.mean([one == other for one, other in zip(guess.values[task.scored :], wanted, strict=True)]))


def _replies(
    task: Task, chosen: Mapping[str, str], guesses: Mapping[str, Mapping[str, Guess]], numbers: Numbers
) -> tuple[list[Reply], np.ndarray]:
    """The answers to the scored questions, and how sure each is: the fields' probabilities multiplied."""
    used = {name: guesses[name][method] for name, method in chosen.items()}
    sure = np.prod([guess.sure[: task.scored] for guess in used.values()], axis=0)
    kinds = {_kind(method, numbers) for method in chosen.values()}
    seconds = np.sum([numbers.seconds.get(kind, np.zeros(len(task.asked))) for kind in kinds], axis=0)
    replies = []
    for row in range(task.scored):
        values = {name: guess.values[row] for name, guess in used.items()}
        text = values[WHOLE] if WHOLE in values else written({name: json.loads(one) for name, one in values.items()})
        replies.append(
            Reply(
                text, finish_reason="stop", prompt_tokens=0, completion_tokens=0, cached_tokens=0,
                seconds=float(seconds[row]),
            )
        )  # fmt: skip
    return replies, sure


def _kind(method: str, numbers: Numbers) -> str:
    """Which numbers a method uses: the nearest row is found by embeddings if there are any."""
    return (EMBEDDINGS if numbers.vectors else TFIDF) if method == NEAREST else method


def _about(task: Task, rival: str, chosen: Mapping[str, str], numbers: Numbers) -> dict[str, Any]:
    model = _model(rival, chosen, numbers)
    kinds = sorted({_kind(method, numbers) for method in chosen.values()})
    codes = {name: _said(task, name) for name, method in chosen.items() if method == CODE}
    by = row_ids(task.choose_on) if rival == BEST else []
    settings = [sorted(task.closed), codes, kinds, chosen, by, EMBEDDER[0].sha256 if EMBEDDINGS in kinds else ""]
    return {
        "id": digest([rival, model, row_ids(task.train), settings])[:16], "model": model, "host": "this notebook",
        "role": "no language model", "known_by": "plain code", "parameters": None,
    }  # fmt: skip


def _model(rival: str, chosen: Mapping[str, str], numbers: Numbers) -> str:
    if rival == BEST:
        return ", ".join(f"{name}: {method}" if name else method for name, method in chosen.items())
    names = {
        MAJORITY: MAJORITY,
        TFIDF: "TF-IDF + logistic regression",
        EMBEDDINGS: "all-MiniLM-L6-v2 + logistic regression",
        NEAREST: f"nearest training row, by {_kind(NEAREST, numbers)}",
    }
    return names[rival] + (" + plain code" if CODE in chosen.values() else "")


def _said(task: Task, name: str) -> list[Any]:
    """What tells one piece of code from another: its text where it can be had, and what it gives for training rows."""
    code = task.codes[name]
    if isinstance(code, Pattern):
        text = f"{code.regex}\n{code.template}\n{code.which}{code.case}{code.number}"
    elif isinstance(code, str):
        text = code
    else:
        try:
            text = inspect.getsource(code)
        except (OSError, TypeError):
            text = getattr(code, "__qualname__", type(code).__name__)
    return [text, coded(task, name, [row.question for row in task.train])]


def _choice(task: Task, chosen: Mapping[str, str], guesses: Mapping[str, Mapping[str, Guess]]) -> str:
    own = f"cross-validation on {plural(len(task.train), 'training row')}"
    by = plural(len(task.choose_on), "other row") if task.choose_on else own
    said = [
        f"{name + ' ' if name else ''}by {method} ({100 * _right(task, name, guesses[name][method]):.0f} % right there)"
        for name, method in chosen.items()
    ]
    return f"{BEST}, chosen by {by}: {', '.join(said)}."
