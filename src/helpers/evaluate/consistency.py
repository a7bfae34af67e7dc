"""Does a candidate give the same answer to the same question, asked again or in other words?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import openai

from helpers import statistics
from helpers.errors import EvaluationError
from helpers.evaluate.inference.requests import Request, ask
from helpers.evaluate.metrics import NOT_JSON, label_of, parsed
from helpers.evaluate.prompts.candidates import messages
from helpers.records import Candidate, Example


@dataclass(frozen=True)
class Consistency:
    """How often two answers to one question agree.

    Attributes:
        agreement: for each question the share of pairs of its answers that agree; ``nan`` with fewer than two answers.
            Two candidates are compared by giving both arrays to ``statistics.compare``.
        estimate: its mean over the questions with a 95 % interval.
        answers: the answers, a list a question; missing ones are left out.
        sentence: the finding in words.
    """

    agreement: np.ndarray
    estimate: statistics.Estimate
    answers: tuple[tuple[str, ...], ...]
    sentence: str


def over_repeats(
    client: openai.OpenAI, candidate: Candidate, examples: Sequence[Example], *, store: Path | str, times: int = 5,
    temperature: float | None = None, **options: Any,
) -> Consistency:  # fmt: skip
    """Ask each question ``times`` times.

    Args:
        client: from ``helpers.providers.connect``.
        candidate: whose answers.
        examples: the questions.
        store: file of the answer store: what is in it is not asked again.
        times: answers a question, at least 2.
        temperature: 0.7 for instance; None keeps the candidate's. At 0 a local model repeats itself exactly, a hosted
            one not always.
        options: as in ``run``: concurrency, price, spend_limit_usd, progress.

    Raises:
        EvaluationError: fewer than two answers a question.
    """
    if times < 2:
        raise EvaluationError("Consistency takes at least two answers per question.", got=str(times))
    asked = candidate if temperature is None else replace(candidate, temperature=temperature)
    requests = [_request(asked, example, sample) for example in examples for sample in range(times)]
    return _measure(client, candidate.name, requests, [times] * len(examples), "asked again", store, options)


def difference(a: Consistency, b: Consistency, names: tuple[str, str]) -> str:
    """Whether one is more consistent than the other, on the same questions, in a sentence.

    Args:
        a: one candidate's, from :func:`over_repeats` or :func:`over_paraphrases`.
        b: the other's, on the same questions in the same order.
        names: what the sentence calls the two.
    """
    both = ~(np.isnan(a.agreement) | np.isnan(b.agreement))
    if both.sum() < 2:
        return f"{names[0]} and {names[1]} cannot be compared: fewer than two questions were answered twice by both."
    compared = statistics.compare(a.agreement, b.agreement, a=names[0], b=names[1], metric="agreement", unit="share")
    return f"Agreement with itself: {compared.sentence}"


def over_paraphrases(
    client: openai.OpenAI, candidate: Candidate, groups: Sequence[Sequence[Example]], *, store: Path | str,
    **options: Any,
) -> Consistency:  # fmt: skip
    """Ask the same question in several wordings: each group holds the examples that should get one answer.

    Args:
        client: from ``helpers.providers.connect``.
        candidate: whose answers.
        groups: wordings of one question each, two at least.
        store: file of the answer store: what is in it is not asked again.
        options: as in ``run``: concurrency, price, spend_limit_usd, progress.

    Raises:
        EvaluationError: no group, or one with a single wording.
    """
    if not groups or min(map(len, groups)) < 2:
        raise EvaluationError("Each group needs at least two wordings of one question.")
    requests = [_request(candidate, example, 0) for group in groups for example in group]
    return _measure(client, candidate.name, requests, [len(g) for g in groups], "asked in other words", store, options)


def _request(candidate: Candidate, example: Example, sample: int) -> Request:
    sent = messages(candidate, example)
    return Request(candidate.model, sent, candidate.temperature, candidate.max_tokens, candidate.schema, sample)


def _measure(
    client: openai.OpenAI, name: str, requests: Sequence[Request], sizes: Sequence[int], how: str, store: Path | str,
    options: Mapping[str, Any],
) -> Consistency:  # fmt: skip
    replies = iter(ask(client, requests, store=store, **options))
    answers = tuple(
        tuple(reply.text for reply in [next(replies) for _ in range(size)] if reply.text is not None) for size in sizes
    )
    agreement = np.array([_agreement(some) for some in answers])
    estimate = statistics.score_interval(agreement)
    if np.isnan(estimate.value):
        sentence = f"{name} gave too few answers to say how consistent it is."
    else:
        same = int((agreement == 1).sum())
        sentence = (
            f"{name}, {how}, gives the same answer {100 * estimate.value:.0f} % of the time (95 % interval "
            f"{100 * estimate.low:.0f} to {100 * estimate.high:.0f}); {same} of {len(answers)} questions always got "
            "one and the same answer."
        )
    return Consistency(agreement, estimate, answers, sentence)


def _agreement(answers: Sequence[str]) -> float:
    pairs = list(combinations([_meaning(answer) for answer in answers], 2))
    return float(np.mean([one == other for one, other in pairs])) if pairs else float("nan")


def _meaning(answer: str) -> str:
    """JSON in any spacing and order is one answer, and so is text but for case and spaces."""
    value = parsed(answer)
    return str(label_of(answer)) if value is NOT_JSON else json.dumps(value, sort_keys=True)
