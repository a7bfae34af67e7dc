"""What can be seen of a finished job from outside, as figures: what it answers, how its loss went, what was asked.

Through the public API of any host: chat completions, files, events. This machine's own API adds its checkup.
"""

from __future__ import annotations

import math
import os.path
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import fmean
from typing import Any, NamedTuple

import openai
import pandas as pd

from helpers import tokens
from helpers.jobs.diagnosis.comparing import begins, closeness, field_marks, same
from helpers.jobs.retry import patiently
from helpers.records import Example

ANSWER_SECONDS = 300.0
"""How long an answer may take. A call that is given up and repeated is computed twice, so this is long."""
AT_ONCE = 8
"""Calls that are on their way at the same time."""
REFUSALS = (openai.NotFoundError, openai.BadRequestError)
"""How a host says that it will not answer for a model. (A refused key is a ``HostError``.)"""
EDGE = 0.1
"""Share of the steps, at either end of a curve, over which a loss is averaged."""


class Answer(NamedTuple):
    """What a model said, why it ended ("stop", "length" …), and which model the host says that it was."""

    text: str
    finish: str
    model: str


@dataclass(frozen=True)
class Recital:
    """One training row and what came back: ``base`` is None where the base model cannot be called."""

    example: Example
    tuned: Answer
    base: Answer | None

    @property
    def recited(self) -> bool:
        """Whether the tuned model said the training answer: all its fields, its label, or its words near enough."""
        return same(self.tuned.text, self.example.answer)

    @property
    def begun(self) -> bool:
        """Whether what it said at least begins with the training answer."""
        return begins(self.tuned.text, self.example.answer)

    @property
    def marks(self) -> Mapping[str, bool]:
        """Each field of a JSON answer, and whether it is right; empty where the training answer is no object."""
        return field_marks(self.tuned.text, self.example.answer)


@dataclass(frozen=True)
class Curve:
    """A job's training loss in nats a token; None, and a rate of 0, where the host measures none.

    Attributes:
        first, last: means over the first and the last tenth of what was measured.
        peak: the highest of all.
        accuracy: share of the graded tokens that the model guessed right in the last tenth.
        steps: optimiser steps of the whole job, as far as the host tells them.
        broken: whether a step's loss was no number.
    """

    first: float | None
    last: float | None
    accuracy: float | None
    steps: int
    broken: bool = False
    peak: float | None = None

    @property
    def left(self) -> float | None:
        """The last loss as a share of the first: 1 is "nothing was learned"."""
        return self.last / self.first if self.first and self.last is not None else None


@dataclass(frozen=True)
class Symptoms:
    """All figures of one look at a job.

    Attributes:
        model: the name under which the tuned model was asked.
        names: every name of this job's models; the job's own model, then its checkpoints'.
        base: the base model's name.
        settings: the job's hyperparameters.
        curve: its loss.
        rows: the training rows, all of them.
        recitals: those of them that were asked.
        held_out: validation rows with what the tuned model said.
        inside: the local API's checkup; None elsewhere.
        request: what the reader's program sends; empty where that was not given.
        called: what the model of the request answers to the same training rows, where it has another name; empty where
            the host does not know it.
    """

    model: str
    names: tuple[str, ...]
    base: str
    settings: Mapping[str, Any]
    curve: Curve
    rows: tuple[Example, ...]
    recitals: tuple[Recital, ...]
    held_out: tuple[tuple[Example, Answer], ...]
    inside: Mapping[str, Any] | None
    request: Mapping[str, Any]
    called: tuple[Answer, ...] = ()

    @property
    def recited(self) -> float:
        """Share of the asked training rows whose answer came back."""
        return fmean(one.recited for one in self.recitals)

    @property
    def begun(self) -> float:
        """Share whose answer came back at the beginning of what was said."""
        return fmean(one.begun for one in self.recitals)

    @property
    def fields(self) -> Mapping[str, tuple[int, int]]:
        """Of each field of the answers that are JSON objects: in how many asked rows it is right, and in how many it
        is at all."""
        found: dict[str, list[bool]] = {}
        for one in self.recitals:
            for name, right in one.marks.items():
                found.setdefault(name, []).append(right)
        return {name: (sum(marks), len(marks)) for name, marks in found.items()}

    @property
    def cut_off(self) -> float:
        """Share of the answers that ran to the limit, which is half as long again as the longest ideal answer."""
        return fmean(one.tuned.finish == "length" for one in self.recitals)

    @property
    def as_base(self) -> float | None:
        """Share of the answers that are the base model's, to the letter."""
        if any(one.base is None for one in self.recitals):
            return None
        return fmean(one.tuned.text.strip() == one.base.text.strip() for one in self.recitals)

    @property
    def same_called(self) -> int:
        """How many answers of the request's model are the tuned model's, to the letter."""
        pairs = zip(self.called, self.recitals, strict=False)
        return sum(answer.text.strip() == one.tuned.text.strip() for answer, one in pairs)

    @property
    def seen(self) -> Mapping[str, Any]:
        """What the trainer says that it read (:mod:`helpers.local_api.training.checkup`); empty where nobody says."""
        return (self.inside or {}).get("seen") or {}

    @property
    def adapter_share(self) -> float | None:
        """How far the adapter moves the weights, as a share of their norm."""
        return (self.inside or {}).get("adapter_share")


def ask(client: openai.OpenAI, model: str, rows: Sequence[Example], max_tokens: int) -> tuple[Answer, ...]:
    """What a model answers to each row's prompt, greedily: one answer a row, in their order.

    Args:
        client: the host that serves it.
        model: its id there.
        rows: whose prompts are sent, as text; up to :data:`AT_ONCE` of them at the same time.
        max_tokens: the most that one answer may have.

    Raises:
        HostError: the host does not answer, or refuses the key.
        openai.APIStatusError: one of :data:`REFUSALS`: it does not know the model, or will not be asked so.
    """

    def one(row: Example) -> Answer:
        asked = [{"role": m["role"], "content": tokens.text_of(m.get("content"))} for m in row.prompt]
        limits = {"temperature": 0, "max_tokens": max_tokens}
        reply = patiently(
            client,
            lambda c: c.chat.completions.create(model=model, messages=asked, **limits),
            patience=2 * ANSWER_SECONDS,
            answer_seconds=ANSWER_SECONDS,
        )
        choice = reply.choices[0]
        return Answer(choice.message.content or "", choice.finish_reason or "", reply.model or "")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return tuple(pool.map(one, rows))


def curve_of(metrics: pd.DataFrame, total_steps: int) -> Curve:
    """The figures of a job's curve, measured at each step or at checkpoints only.

    Args:
        metrics: from ``jobs.curve``: a row a step, in order, with ``train_loss`` in nats a token and, where the host
            tells it, the share of graded tokens that were guessed right.
        total_steps: optimiser steps of the whole job; 0 where that is not known.
    """
    loss = pd.to_numeric(metrics.get("train_loss", pd.Series(dtype=float)), errors="coerce")
    right = metrics.get("train_mean_token_accuracy", metrics.get("train_accuracy", pd.Series(dtype=float)))
    right = pd.to_numeric(right, errors="coerce").dropna()
    broken = bool(len(loss) and loss.isna().iloc[-1])
    loss = loss.dropna()
    if loss.empty:
        return Curve(None, None, None, total_steps, broken)
    edge = max(1, round(EDGE * len(loss)))
    accuracy = float(right.iloc[-edge:].mean()) if len(right) else None
    first, last = float(loss.iloc[:edge].mean()), float(loss.iloc[-edge:].mean())
    return Curve(first, last, accuracy, total_steps, broken, float(loss.max()))


def spread(rows: Sequence[Example], count: int) -> list[Example]:
    """Rows with an answer in words, evenly over the file.

    Args:
        rows: of one file; those that call a tool, or answer nothing, are left out.
        count: the most that are taken.
    """
    worded = [row for row in rows if row.answer.strip() and not row.messages[-1].get("tool_calls")]
    every = max(1.0, len(worded) / count) if count else math.inf
    return [worded[int(at * every)] for at in range(min(count, len(worded)))]


def system_of(messages: Sequence[Mapping[str, Any]]) -> str:
    """The instructions of a conversation: its system messages' text."""
    said = [tokens.text_of(m.get("content")) for m in messages if m.get("role") in ("system", "developer")]
    return "\n".join(said).strip()


def asked_of(messages: Sequence[Mapping[str, Any]]) -> str:
    """The last user message's text."""
    return next((tokens.text_of(m.get("content")) for m in reversed(messages) if m.get("role") == "user"), "")


def frame(rows: Sequence[Example]) -> tuple[str, str]:
    """The words with which all questions begin and with which they end; empty where there are none."""
    texts = [asked_of(row.prompt) for row in rows]
    begin = os.path.commonprefix(texts)
    end = os.path.commonprefix([text[len(begin) :][::-1] for text in texts])[::-1]
    return begin, end


def contradicted(rows: Sequence[Example]) -> float:
    """Share of the rows whose question, blanks and capitals aside, also stands in the file with another answer."""
    keys = [" ".join(f"{system_of(row.prompt)}\n{asked_of(row.prompt)}".casefold().split()) for row in rows]
    answers_to: dict[str, Counter[str]] = {}
    for key, row in zip(keys, rows, strict=True):
        answers_to.setdefault(key, Counter())[row.answer.strip()] += 1
    return fmean(len(answers_to[key]) > 1 for key in keys)


def belonging(pairs: Sequence[tuple[Example, Answer]]) -> float | None:
    """How well answers belong to their own questions, 0 to 1: 0.5 is chance.

    Each answer is held against its row's ideal one and against every different ideal answer of the other rows: the
    share of these that it is less like, ties counting half. Objects are compared by their fields, all else by letters.
    """
    scores = []
    for row, said in pairs:
        own = closeness(said.text, row.answer)
        others = [closeness(said.text, other.answer) for other, _ in pairs if other.answer != row.answer]
        scores += [(own > other) + (own == other) / 2 for other in others]
    return fmean(scores) if scores else None
