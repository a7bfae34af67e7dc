"""What the searches for a better prompt share: training rows in two parts, a budget of calls, a record of every try."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import openai
import pandas as pd

from helpers import providers, statistics
from helpers.errors import ConsentError, EvaluationError
from helpers.evaluate.inference.pace import Plan, pace_of
from helpers.evaluate.inference.requests import Request, ask, progress_bar
from helpers.evaluate.inference.spending import Price, Spending
from helpers.evaluate.inference.store import AnswerStore, Reply
from helpers.evaluate.metrics import Metric
from helpers.evaluate.results.scoring import check_metrics
from helpers.formatting import host_called, plural, score_text
from helpers.providers import identity
from helpers.records import Candidate, Example

COPIED_WORDS = 8
"""So many words in a row that stand in a training row, too, are a copy and no rule."""
MIN_ROWS = 4
"""Fewer rows to score by tell nothing."""
CALLS_SETTING = "`SEARCH_CALLS` in the parameters cell of your project, `budget_calls` in code"
"""Where a reader sets how many calls a search may take."""
LIMIT_REACHED = "the run's spending limit was reached"
"""How ``requests.ask`` names that reason for a missing answer."""


@dataclass(frozen=True)
class Try:
    """One prompt of a search.

    Attributes:
        candidate: the prompt.
        scores: one a row that the search scores by; ``nan`` for rows that were not asked, because it was dropped.
        copied: passages of its instructions that training rows hold word for word: see :func:`copied`.
    """

    candidate: Candidate
    scores: np.ndarray
    copied: tuple[str, ...] = ()


@dataclass(frozen=True)
class Search:
    """What a search found, and all that it tried.

    Attributes:
        candidate: the best prompt, ready for ``evaluate.run``; its ``tries`` is how many it is the best of.
        best: the same as a try.
        first: the prompt that the search began with.
        tries: every prompt that was tried, in order.
        metric: the name of the metric that chose.
        calls: different calls that the search rests on, those among them that the store held already.
        usd: what these calls cost.
        notes: what a reader must know.
    """

    candidate: Candidate
    best: Try
    first: Candidate
    tries: tuple[Try, ...]
    metric: str
    calls: int
    usd: float
    notes: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The finding in words."""
        scores = self.best.scores
        reached = score_text(float(scores.mean()), statistics.is_right_or_wrong(scores))
        paid = f" (${self.usd:.4f})" if self.usd else ""
        return (
            f"{plural(len(self.tries), 'prompt')} tried in {plural(self.calls, 'call')}{paid}. The best of those "
            f"scored on all {plural(len(scores), 'training row')}, “{self.best.candidate.name}”, reached {reached} in "
            f"{self.metric.replace('_', ' ')}. It was picked on these rows, which flatters it: measure it on "
            "validation rows."
        )

    def table(self, level: float = 0.95) -> pd.DataFrame:
        """One line a try: ``rows`` that it was scored on, ``score`` with ``low`` to ``high``, ``copied`` passages.

        Those scored on most rows come first, because only they can be the best; among them the highest score.
        """
        lines = [
            {
                "try": one.candidate.name,
                "rows": int((~np.isnan(one.scores)).sum()),
                **statistics.score_interval(one.scores, level=level)._asdict(),
                "copied": len(one.copied),
            }
            for one in self.tries
        ]
        tried = pd.DataFrame(lines).set_index("try").rename(columns={"value": "score"})
        return tried.sort_values(["rows", "score"], ascending=False, kind="stable")


class Purse:
    """Asks for a search: never the same call twice, within a limit in USD that holds for the whole of it.

    The forecast for the whole search (at a free tier: how long its limits make it at most) is shown, and held against
    the limit, before the first call that is not in the store. So a search that is taken up again, or repeated for
    nothing, says so by its silence.

    Args:
        client: from ``helpers.providers.connect``.
        expected: pairs of a number of calls and some such calls; the dearest of them stands for all in the forecast.
        store: file of the answer store: what is in it is not asked again.
        concurrency: calls under way at once.
        price: of a call, or one for each model; None where it is not known.
        spend_limit_usd: the limit of the whole search.
        progress: whether to show a bar.
    """

    def __init__(
        self, client: openai.OpenAI, expected: Sequence[tuple[int, Sequence[Request]]], *, store: Path | str,
        concurrency: int = 8, price: Price | None = None, spend_limit_usd: float = 0.0, progress: bool = True,
    ) -> None:  # fmt: skip
        self.client, self.host, self.expected = client, identity(client), expected
        self.store, self.concurrency, self.price, self.limit = store, concurrency, price, spend_limit_usd
        self.progress, self.consented = progress, False
        asked = {one.model for _, some in expected for one in some}
        self.spending = Spending(price, spend_limit_usd, local=providers.costs_nothing(client, price, asked))
        self.costs: dict[str, float] = {}
        self.missing = 0
        self.bar = progress_bar(sum(calls for calls, _ in expected), progress, leave=False)

    @property
    def calls(self) -> int:
        """Different calls so far."""
        return len(self.costs)

    @property
    def usd(self) -> float:
        """What they cost; at its worst where the host did not say, or where no answer came."""
        return sum(self.costs.values())

    def ask(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply a request, in the same order.

        Raises:
            ConsentError: the forecast, or what is left to do, is above the limit.
            HostError: as ``evaluate.run``.
        """
        keys = [request.key(self.host) for request in requests]
        self._consent(keys)
        try:
            replies = ask(
                self.client, requests, store=self.store, concurrency=self.concurrency, price=self.price,
                spend_limit_usd=self.limit - self.usd, progress=False,
            )  # fmt: skip
        except ConsentError as error:
            raise self._at_its_limit() from error
        sent = [some for some in zip(keys, requests, replies, strict=True) if some[2].missing != LIMIT_REACHED]
        new = {key: pair for key, *pair in sent if key not in self.costs}
        self.costs |= {key: self._cost(request, reply) for key, (request, reply) in new.items()}
        self.missing += sum(bool(reply.missing) for _, reply in new.values())
        self.bar.update(len(new))
        if len(sent) < len(requests):
            raise self._at_its_limit()
        return replies

    def _at_its_limit(self) -> ConsentError:
        return ConsentError(
            f"The search has spent ${self.usd:.4f}: its limit of ${self.limit:.4f} leaves no room for the next calls.",
            fix="Raise SPEND_LIMIT_USD and run again: it goes on from here, and no answer is paid for twice.",
        )

    def notes(self) -> list[str]:
        """How many answers are missing, if any."""
        self.bar.close()
        return [f"{plural(self.missing, 'answer')} missing, counted as wrong."] if self.missing else []

    def _consent(self, keys: Sequence[str]) -> None:
        if self.consented:
            return
        with AnswerStore(self.store) as kept:
            if len(kept.get(keys)) == len(set(keys)):
                return
        calls = sum(count for count, _ in self.expected)
        usd = sum(count * max(self.spending.forecast([one]) for one in some) for count, some in self.expected)
        what = f"A search of up to {plural(calls, 'call')}"
        said = f"{what} at {host_called(self.host)}"
        money = f": up to about ${usd:.4f}, and its limit is ${self.limit:.4f}"
        if usd > self.limit:
            raise ConsentError(
                f"{said}{money}.", fix=f"Raise SPEND_LIMIT_USD to allow it, or allow fewer calls ({CALLS_SETTING})."
            )
        if self.progress:
            plan = self._plan()
            self.bar.write(plan.told(what, "up to about") if plan else f"{said}{money if usd else ''}.")
        self.consented = True

    def _plan(self) -> Plan | None:
        """What the limits of a free tier make of the search at its longest; None at any other host."""
        pace = pace_of(self.client, self.price, [one for _, some in self.expected for one in some])
        if pace is None:
            return None
        return pace.plan([one for count, some in self.expected for one in count * [max(some, key=pace.tokens)]])

    def _cost(self, request: Request, reply: Reply) -> float:
        if reply.prompt_tokens is None or reply.completion_tokens is None:
            return self.spending.worst(request)
        return self.spending.cost(
            request.model, reply.prompt_tokens, reply.cached_tokens or 0, reply.completion_tokens
        )  # fmt: skip


def check(candidate: Candidate, pool: Sequence[Example], metrics: Sequence[Metric]) -> None:
    """Pass for what a search can use.

    Args:
        candidate: the prompt to begin with.
        pool: training rows.
        metrics: the first one chooses.

    Raises:
        EvaluationError: a metric of which more is not better, a tuned candidate, or a row without an ideal answer.
    """
    check_metrics(metrics)
    if metrics[0].better != "higher":
        raise EvaluationError(
            "A search needs a metric for which higher is better.", got=f"{metrics[0].name}: {metrics[0].better}",
            fix="Put another one first.",
        )  # fmt: skip
    if candidate.tuned:
        raise EvaluationError(f"{candidate.name} is a tuned model: it is prompted as it was trained.")
    if any(not row.answer for row in pool):
        raise EvaluationError("Some training rows have no ideal answer in words.", fix="Leave them out of the pool.")


def divide(
    pool: Sequence[Example], part: int, seed: int, shown: Sequence[Example] = ()
) -> tuple[list[Example], list[Example]]:
    """Training rows to score by, and the others; rows that ask the same are not torn apart, and none is ``shown``.

    Args:
        pool: training rows.
        part: rows to score by; at most half of the pool.
        seed: the same one divides in the same way.
        shown: rows that the prompt shows already.

    Raises:
        EvaluationError: too few rows.
    """
    asked = {row.question for row in shown}
    rows = list({row.question: row for row in pool if row.question not in asked}.values())
    scored = random.Random(seed).sample(rows, min(part, len(rows) // 2))
    if len(scored) < MIN_ROWS:
        raise EvaluationError(
            "There are too few training rows to score by.", got=plural(len(rows), "different training row"),
            fix=f"A search needs {2 * MIN_ROWS} at least, besides those that the prompt shows.",
        )  # fmt: skip
    taken = {row.question for row in scored}
    return scored, [row for row in rows if row.question not in taken]


def score(metric: Metric, reply: Reply, row: Example) -> float:
    """A missing answer is as good as a wrong one, and so is a row that the metric says nothing about.

    Args:
        metric: a share.
        reply: the answer, or why it is missing.
        row: the row that was asked.
    """
    return float((None if reply.missing else metric(reply.text, row)) or 0.0)


def found(
    name: str, first: Candidate, tries: Sequence[Try], metric: Metric, purse: Purse, notes: Sequence[str] = ()
) -> Search:
    """The result: the best try of those that were scored on all rows, the earliest of equals.

    Args:
        name: what the winner is called.
        first: the prompt that the search began with.
        tries: all prompts that were tried; unscored rows are ``nan``.
        metric: the one that chooses.
        purse: knows what was asked and paid.
        notes: what else is to be said.
    """
    best = max((one for one in tries if not np.isnan(one.scores).any()), key=lambda one: one.scores.mean())
    said = [*purse.notes(), *notes]
    if best.copied:
        said.append(
            f"The instructions repeat {plural(len(best.copied), 'passage')} of training rows word for word "
            f"(“{best.copied[0]}”): they may hold these rows and not the rule behind them."
        )
    winner = replace(best.candidate, name=name, tries=len(tries))
    return Search(winner, best, first, tuple(tries), metric.name, purse.calls, purse.usd, tuple(said))


def copied(text: str, rows: Sequence[Example], known: str = "") -> tuple[str, ...]:
    """Passages of ``text``, :data:`COPIED_WORDS` words or longer, that a row's question or answer holds, too.

    Case and punctuation do not count. What ``known``, the first prompt, says already is no copy.

    Args:
        text: instructions that a model wrote.
        rows: the training rows that it was shown.
        known: the first prompt's instructions.
    """
    grams = {gram for row in rows for part in (row.question, row.answer) for gram in _grams(part)} - set(_grams(known))
    words = list(_WORD.finditer(text))
    passages: list[list[int]] = []
    for start, gram in enumerate(_grams(text)):
        if gram in grams:
            if passages and start <= passages[-1][1]:
                passages[-1][1] = start + COPIED_WORDS
            else:
                passages.append([start, start + COPIED_WORDS])
    return tuple(text[words[start].start() : words[stop - 1].end()] for start, stop in passages)


_WORD = re.compile(r"\w+")


def _grams(text: str) -> list[tuple[str, ...]]:
    words = [word.casefold() for word in _WORD.findall(text)]
    return [tuple(words[i : i + COPIED_WORDS]) for i in range(len(words) - COPIED_WORDS + 1)]
