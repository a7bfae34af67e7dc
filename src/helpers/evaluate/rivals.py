"""Rivals that need no language model, field by field: counting, classifiers, the nearest row, plain code.

A model that does not beat them has not earned its cost.
"""

from __future__ import annotations

import inspect
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from helpers.assets import EMBEDDER
from helpers.errors import AssetError, EvaluationError
from helpers.evaluate import embedding, guessing
from helpers.evaluate.candidates import INSTRUCTIONS, digest
from helpers.evaluate.guessing import Features, Guess
from helpers.evaluate.metrics import Metric, parsed
from helpers.evaluate.patterns import Pattern
from helpers.evaluate.results import Results, check_metrics, row_ids, score_replies
from helpers.evaluate.store import Reply
from helpers.formatting import plural
from helpers.records import Example

MAJORITY, TFIDF, EMBEDDINGS, NEAREST = "most frequent answer", "TF-IDF", "embeddings", "nearest neighbour"
BEST = "best per field"
RIVALS = (MAJORITY, TFIDF, EMBEDDINGS, NEAREST, BEST)
CODE = "plain code"
LEFT_OUT = "The rival by sentence embeddings is left out."
METHODS = (MAJORITY, CODE, TFIDF, EMBEDDINGS, NEAREST)
"""Of equally good ones the first is taken."""
MAX_LEARNED = 3_000
"""Of more training rows a seeded sample is learned from: sentence embeddings of so many take a minute."""
WHOLE = ""
"""The field of an answer that is not a JSON object."""

Code = Pattern | str | Callable[[str], Any]


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
    _check(train, rows, only)
    unseen, leaks = _unseen(train, rows, choose_on or ())
    train = _sampled(unseen, most_learned)
    task = _task(train, [row.question for row in rows], extract or {}, closed, choose_on or (), only)
    numbers, notes = _numbers(task, embeddings)
    guesses = {name: _guesses(task, name, numbers) for name in task.wanted}
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


# --- what is to be done ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Task:
    """What there is to learn from and to answer. It holds no ideal answer of a scored row.

    ``wanted`` is field → the training rows' values, as they are written in an answer; ``asked`` are the questions of
    the scored rows, then those of the rows to choose by.
    """

    train: Sequence[Example]
    asked: list[str]
    scored: int
    choose_on: Sequence[Example]
    wanted: dict[str, list[str]]
    closed: list[str]
    codes: dict[str, Code]
    rivals: list[str]


def _sampled(train: Sequence[Example], most: int) -> Sequence[Example]:
    """The training rows, or so many of them: the same ones whenever the rows are the same, in their order."""
    if len(train) <= most:
        return train
    return [train[place] for place in sorted(np.random.default_rng(0).permutation(len(train))[:most])]


def _learned_from(rows: int, of: int) -> dict[str, str]:
    return {"learned_from": f"{rows:,} of {of:,} training rows"} if rows < of else {}


def _check(train: Sequence[Example], rows: Sequence[Example], only: Sequence[str]) -> None:
    if not train or not rows:
        raise EvaluationError(
            "These rivals need rows to learn from and rows to be measured on.", got=f"{len(train)} and {len(rows)}"
        )
    if unknown := [name for name in only if name not in RIVALS]:
        raise EvaluationError("There is no such rival.", got=", ".join(unknown), fix=f"There are {', '.join(RIVALS)}.")


def _unseen(
    train: Sequence[Example], rows: Sequence[Example], choose_on: Sequence[Example]
) -> tuple[list[Example], list[str]]:
    """The training rows that ask nothing that is asked elsewhere, and a note on the others."""
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


def _task(
    train: Sequence[Example], questions: list[str], extract: Mapping[str, Code | None], closed: Sequence[str] | None,
    choose_on: Sequence[Example], only: Sequence[str],
) -> _Task:  # fmt: skip
    wanted = {name: _column(train, name) for name in _names(train)}
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
    return _Task(train, asked, len(questions), choose_on, wanted, list(closed), codes, rivals)


def _names(rows: Sequence[Example]) -> list[str]:
    """The fields of the answers; :data:`WHOLE` alone when they are not all JSON objects."""
    values = [parsed(row.answer) for row in rows]
    if not all(isinstance(value, dict) for value in values):
        return [WHOLE]
    return list(dict.fromkeys(name for value in values for name in value))


def _column(rows: Sequence[Example], name: str) -> list[str]:
    if name == WHOLE:
        return [row.answer for row in rows]
    values = [parsed(row.answer) for row in rows]
    return [_written(value.get(name) if isinstance(value, dict) else None) for value in values]


def _written(value: Any) -> str:
    """JSON as a reader writes it: é, not its escape; only half a pair of UTF-16, which is no text, stays escaped."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()


def _without_null(name: str, values: Sequence[str]) -> list[str | None]:
    return [None if name != WHOLE and value == "null" else value for value in values]


# --- questions as numbers, fields as guesses --------------------------------------------------------------------------


@dataclass(frozen=True)
class _Numbers:
    """Features of the questions; None where no rival needs them or they cannot be had.

    ``seconds`` is by method what a question takes, one number a question.
    """

    words: Features | None
    words_turned: Features | None
    vectors: Features | None
    seconds: Mapping[str, np.ndarray]


def _numbers(task: _Task, embeddings: bool) -> tuple[_Numbers, list[str]]:
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
    return _Numbers(words, turned, vectors, seconds), notes


def _guesses(task: _Task, name: str, numbers: _Numbers) -> dict[str, Guess]:
    """Method → its guesses for one field, for every method that some rival may need."""
    wanted = task.wanted[name]
    found = {MAJORITY: guessing.most_frequent(wanted, len(task.asked))}
    if name in task.codes:
        given, asked = (_coded(task, name, some) for some in ([row.question for row in task.train], task.asked))
        found[CODE] = guessing.plain_code(given, wanted, asked)
    if (like := numbers.vectors or numbers.words) and {NEAREST, BEST} & set(task.rivals):
        found[NEAREST] = guessing.nearest(like, wanted)
    if name in task.closed and numbers.words_turned:
        found[TFIDF] = guessing.classifier(numbers.words_turned, wanted)
    if name in task.closed and numbers.vectors and {EMBEDDINGS, BEST} & set(task.rivals):
        found[EMBEDDINGS] = guessing.classifier(numbers.vectors, wanted)
    return found


def _coded(task: _Task, name: str, messages: Sequence[str]) -> list[str]:
    """What the reader's code gives for each message, as it is written in an answer."""
    code = task.codes[name]
    try:
        values = [_found(code, message) if isinstance(code, str) else code(message) for message in messages]
        return [value if name == WHOLE and isinstance(value, str) else _written(value) for value in values]
    except Exception as error:  # it is the reader's code: it may fail in any way
        raise EvaluationError(
            f"The code for {name!r} failed.", got=f"{type(error).__name__}: {error}",
            fix="It is called with a message and returns a JSON value, or None where there is none.",
        ) from error  # fmt: skip


def _found(regex: str, message: str) -> str | None:
    match = re.search(regex, message)
    return None if match is None else match[1] if match.re.groups else match[0]


# --- rivals ---------------------------------------------------------------------------------------------------------


def _methods(task: _Task, rival: str, guesses: Mapping[str, Mapping[str, Guess]]) -> dict[str, str]:
    """Field → the method by which a rival answers it."""
    if rival == BEST:
        return {name: max(METHODS, key=lambda one: _right(task, name, some.get(one))) for name, some in guesses.items()}
    if rival == MAJORITY:
        return dict.fromkeys(guesses, MAJORITY)
    return {name: next(one for one in (CODE, rival, MAJORITY) if one in some) for name, some in guesses.items()}


def _right(task: _Task, name: str, guess: Guess | None) -> float:
    """How often a method is right on rows that it has not learned from and that are not scored; -1 without a method."""
    if guess is None:
        return -1.0
    if not task.choose_on:
        return guess.right
    wanted = _column(task.choose_on, name)
    return float(np.mean([one == other for one, other in zip(guess.values[task.scored :], wanted, strict=True)]))


def _replies(
    task: _Task, chosen: Mapping[str, str], guesses: Mapping[str, Mapping[str, Guess]], numbers: _Numbers
) -> tuple[list[Reply], np.ndarray]:
    """The answers to the scored questions, and how sure each is: the fields' probabilities multiplied."""
    used = {name: guesses[name][method] for name, method in chosen.items()}
    sure = np.prod([guess.sure[: task.scored] for guess in used.values()], axis=0)
    kinds = {_kind(method, numbers) for method in chosen.values()}
    seconds = np.sum([numbers.seconds.get(kind, np.zeros(len(task.asked))) for kind in kinds], axis=0)
    replies = []
    for row in range(task.scored):
        values = {name: guess.values[row] for name, guess in used.items()}
        text = values[WHOLE] if WHOLE in values else _written({name: json.loads(one) for name, one in values.items()})
        replies.append(
            Reply(
                text, finish_reason="stop", prompt_tokens=0, completion_tokens=0, cached_tokens=0,
                seconds=float(seconds[row]),
            )
        )  # fmt: skip
    return replies, sure


def _kind(method: str, numbers: _Numbers) -> str:
    """Which numbers a method uses: the nearest row is found by embeddings if there are any."""
    return (EMBEDDINGS if numbers.vectors else TFIDF) if method == NEAREST else method


def _about(task: _Task, rival: str, chosen: Mapping[str, str], numbers: _Numbers) -> dict[str, Any]:
    model = _model(rival, chosen, numbers)
    kinds = sorted({_kind(method, numbers) for method in chosen.values()})
    codes = {name: _said(task, name) for name, method in chosen.items() if method == CODE}
    by = row_ids(task.choose_on) if rival == BEST else []
    settings = [sorted(task.closed), codes, kinds, chosen, by, EMBEDDER[0].sha256 if EMBEDDINGS in kinds else ""]
    return {
        "id": digest([rival, model, row_ids(task.train), settings])[:16], "model": model, "host": "this notebook",
        "role": "no language model", "known_by": "plain code", "parameters": None,
    }  # fmt: skip


def _model(rival: str, chosen: Mapping[str, str], numbers: _Numbers) -> str:
    if rival == BEST:
        return ", ".join(f"{name}: {method}" if name else method for name, method in chosen.items())
    names = {
        MAJORITY: MAJORITY,
        TFIDF: "TF-IDF + logistic regression",
        EMBEDDINGS: "all-MiniLM-L6-v2 + logistic regression",
        NEAREST: f"nearest training row, by {_kind(NEAREST, numbers)}",
    }
    return names[rival] + (" + plain code" if CODE in chosen.values() else "")


def _said(task: _Task, name: str) -> list[Any]:
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
    return [text, _coded(task, name, [row.question for row in task.train])]


# --- what a reader must know ------------------------------------------------------------------------------------------


def _choice(task: _Task, chosen: Mapping[str, str], guesses: Mapping[str, Mapping[str, Guess]]) -> str:
    own = f"cross-validation on {plural(len(task.train), 'training row')}"
    by = plural(len(task.choose_on), "other row") if task.choose_on else own
    said = [
        f"{name + ' ' if name else ''}by {method} ({100 * _right(task, name, guesses[name][method]):.0f} % right there)"
        for name, method in chosen.items()
    ]
    return f"{BEST}, chosen by {by}: {', '.join(said)}."
