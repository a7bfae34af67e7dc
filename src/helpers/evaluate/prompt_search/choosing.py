"""A rung of the ladder: which training rows to show, found by trying."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import openai

from helpers.errors import EvaluationError
from helpers.evaluate.metrics import Metric
from helpers.evaluate.prompt_search import search
from helpers.evaluate.prompt_search.search import Purse, Search, Try
from helpers.evaluate.runs.runner import requests_of
from helpers.formatting import plural
from helpers.records import Candidate, Example


def choose_examples(
    client: openai.OpenAI, candidate: Candidate, pool: Sequence[Example], metrics: Sequence[Metric], *,
    budget_calls: int, shots: int = 4, part: int = 32, seed: int = 1, **asking: Any,
) -> Search:  # fmt: skip
    """Search which training rows to show as worked examples: random sets, scored on other training rows.

    A part of the pool is set aside to score by and never shown. All sets answer a quarter of it; the better half of
    them goes on to the second quarter, the better half of these to the rest. How many sets there are follows from the
    budget. The same seed and budget ask the same again, so a search that was interrupted goes on from the store.

    Args:
        client: from ``helpers.providers.connect``.
        candidate: the prompt to put examples into; examples that it has are replaced.
        pool: training rows; never validation or test rows.
        metrics: the first one chooses.
        budget_calls: the most calls that the search may take.
        shots: examples in a set.
        part: rows to score by; at most half of the pool.
        seed: the same one draws the same sets.
        asking: ``store``, ``concurrency``, ``price``, ``spend_limit_usd``, ``progress``, as for ``evaluate.run``. The
            limit is that of the whole search, and so is the forecast that is shown first.

    Returns:
        The candidate, which counts in ``evaluate.plateau`` for as many prompts as were tried, and the record of them.

    Raises:
        EvaluationError: a budget for fewer than two sets, too few rows, or a metric of which more is not better.
        ConsentError: the forecast is above the limit, or the price is not known. Nothing was asked.
        HostError: as ``evaluate.run``; run again to go on from there.
    """
    search.check(candidate, pool, metrics)
    scored, showable = search.divide(pool, part, seed)
    if not 0 < shots <= len(showable):
        raise EvaluationError(
            "A set of examples must fit into the rows that may be shown.",
            got=f"{shots} of {plural(len(showable), 'row')}",
            fix="Take fewer shots or more training rows.",
        )
    ends = sorted({math.ceil(len(scored) / 4), math.ceil(len(scored) / 2), len(scored)})
    count = _how_many(ends, budget_calls, math.comb(len(showable), shots))
    sets = [
        replace(candidate, name=f"set {n}", shots=tuple(showable[i] for i in places), nearest=0, pool=())
        for n, places in enumerate(_draw(len(showable), shots, count, seed), 1)
    ]
    longest = max(sets, key=lambda one: sum(len(row.question + row.answer) for row in one.shots))
    purse = Purse(client, [(_calls(ends, count), requests_of(longest, scored, 0))], **asking)
    scores = _race(purse, sets, scored, metrics[0], ends)
    tries = [Try(one, row) for one, row in zip(sets, scores, strict=True)]
    return search.found(f"+ {shots} chosen examples", candidate, tries, metrics[0], purse)


def _how_many(ends: Sequence[int], budget: int, most: int) -> int:
    """The number of sets that the budget is enough for."""
    count = 1
    while count < most and _calls(ends, count + 1) <= budget:
        count += 1
    if count < 2:
        raise EvaluationError(
            "The budget is too small to choose between two sets of examples." if most > 1 else "There is only one set.",
            got=plural(budget, "call"), fix=f"Allow at least {_calls(ends, 2)} ({search.CALLS_SETTING}).",
        )  # fmt: skip
    return count


def _calls(ends: Sequence[int], count: int) -> int:
    """Calls of a race of so many sets, whose rounds end after these numbers of rows."""
    return sum((stop - start) * alive for start, stop, alive in _rounds(ends, count))


def _rounds(ends: Sequence[int], count: int) -> Iterator[tuple[int, int, int]]:
    """(first row, end, sets that run): after each round the better half goes on."""
    for place, (start, stop) in enumerate(pairwise([0, *ends])):
        yield start, stop, math.ceil(count / 2**place)


def _draw(rows: int, shots: int, count: int, seed: int) -> list[tuple[int, ...]]:
    """Different sets of rows, each in random order."""
    rng, sets = random.Random(seed), {}
    while len(sets) < count:
        places = tuple(rng.sample(range(rows), shots))
        sets.setdefault(frozenset(places), places)
    return list(sets.values())


def _race(
    purse: Purse, sets: Sequence[Candidate], rows: Sequence[Example], metric: Metric, ends: Sequence[int]
) -> np.ndarray:
    """Scores, sets by rows; ``nan`` where a set was dropped before."""
    scores, running = np.full((len(sets), len(rows)), np.nan), list(range(len(sets)))
    for start, stop, alive in _rounds(ends, len(sets)):
        running = sorted(running, key=lambda one: -np.nansum(scores[one]))[:alive]
        some = rows[start:stop]
        replies = iter(purse.ask([request for one in running for request in requests_of(sets[one], some, 0)]))
        for one in running:
            scores[one, start:stop] = [search.score(metric, next(replies), row) for row in some]
    return scores
