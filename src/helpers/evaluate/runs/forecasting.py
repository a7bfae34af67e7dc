"""What a ladder will take, said before it runs: calls, tokens, money, minutes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import openai
from tqdm import tqdm

from helpers import providers, tokens
from helpers.errors import AssetError
from helpers.evaluate.inference.pace import pace_of
from helpers.evaluate.inference.requests import Request, ask, progress_bar
from helpers.evaluate.inference.spending import CHARACTERS_A_TOKEN, Price, Spending
from helpers.evaluate.inference.store import AnswerStore
from helpers.evaluate.runs.runner import requests_of
from helpers.records import Candidate, Example

PROBED = 4
"""Rows that the probe asks of each candidate, all at once, after one that wakes the host. Their answers are kept: the
run does not ask them again."""
PATIENCE_SECONDS = 60.0
"""When the probe has taken so long, candidates that it has not reached are held to be as slow as those before."""
LONG_MINUTES = 15
"""From here on the forecast says how many rows fit into this time."""


@dataclass(frozen=True)
class Forecast:
    """What the calls that are still to be made will take.

    Attributes:
        calls: how many; answers that are kept already and the probe's own are not among them.
        kept: answers that are there already.
        prompt_tokens: of these calls together; a stand-in vocabulary counts where the model's own is not known.
        usd: at most, at the given prices; 0 for a free host.
        minutes: by the probe; None where nothing was probed.
        sentence: all of it in words.
    """

    calls: int
    kept: int
    prompt_tokens: int
    usd: float
    minutes: float | None
    sentence: str


def forecast(
    client: openai.OpenAI, candidates: Sequence[Candidate], examples: Sequence[Example], *, store: Path | str,
    concurrency: int = 8, price: Price | None = None, spend_limit_usd: float = 0.0, probe: bool | None = None,
) -> Forecast:  # fmt: skip
    """How many calls, tokens, dollars and minutes ``run`` with these arguments will take.

    Args:
        client: from ``helpers.providers.connect``.
        candidates: the prompts that are to run.
        examples: the rows that each of them is asked about.
        store: the run's SQLite file: what it holds is not asked, and what the probe is answered is kept in it.
        concurrency: calls under way at the same time; the minutes hold for this number.
        price: USD per million tokens, as for ``run``; None for a host that is known to be free.
        spend_limit_usd: the most that the probe may cost, in USD.
        probe: measure the minutes with the first :data:`PROBED` rows of each candidate; None: where calls are free
            without limits.

    Raises:
        ConsentError: the price is not known, or a probe was asked for that costs more than the limit.
        HostError: the probe's host refuses the key or the model, or is gone.
    """
    host, called = providers.identity(client), {candidate.model for candidate in candidates}
    asked = [requests_of(candidate, examples) for candidate in candidates]
    todo = _new(asked, host, store)
    free = providers.costs_nothing(client, price, called)
    usd = Spending(price, spend_limit_usd, local=free).forecast([one for some in todo for one in some])
    minutes, pace = None, pace_of(client, price, [one for some in todo for one in some])
    if (providers.is_free(client) and not pace) if probe is None else probe:
        options = {"store": store, "concurrency": concurrency, "price": price, "spend_limit_usd": spend_limit_usd}
        todo, minutes = _probed(client, todo, options)
    left = [one for some in todo for one in some]
    kept = len({one.key(host) for some in asked for one in some}) - len(left)
    prompt = _prompt_tokens(left)
    sentence = _sentence(len(left), kept, prompt, usd, minutes, len(examples))
    if pace and left:
        sentence = pace.plan(left).sentence + f" ({kept:,} answers are kept already.)" * bool(kept)
    return Forecast(len(left), kept, prompt, usd, minutes, sentence)


def _new(asked: Sequence[Sequence[Request]], host: str, store: Path | str) -> list[list[Request]]:
    """By candidate the requests whose answers are not kept, each once."""
    seen: set[str] = set()
    todo: list[list[Request]] = []
    with AnswerStore(store) as there:
        for some in asked:
            by_key = {one.key(host): one for one in some}
            new = by_key.keys() - there.get(by_key) - seen
            seen |= new
            todo.append([one for key, one in by_key.items() if key in new])
    return todo


def _probed(client: openai.OpenAI, todo: list[list[Request]], options: dict) -> tuple[list[list[Request]], float]:
    """A few calls of each candidate, timed: what is left after them, and the minutes that it will take."""
    left, seconds = [list(some) for some in todo], []
    started, calls = time.perf_counter(), sum(map(len, todo))
    with progress_bar(min(calls, 1 + PROBED * len(todo)), True, desc="timing a few calls", leave=False) as bar:
        first = next((some.pop(0) for some in left if some), None)
        _timed(client, [first] if first else [], options, bar)  # not counted: the host may load its model for it
        for number, some in enumerate(left):
            if seconds and time.perf_counter() - started > PATIENCE_SECONDS:
                seconds.append(sum(seconds) / len(seconds))
                continue
            seconds.append(_timed(client, some[:PROBED], options, bar))
            left[number] = some[PROBED:]
    return left, sum(each * len(some) for each, some in zip(seconds, left, strict=True)) / 60


def _timed(client: openai.OpenAI, requests: Sequence[Request], options: dict, bar: tqdm) -> float:
    """Seconds a call when these are made at once; 0 for none."""
    if not requests:
        return 0.0
    started = time.perf_counter()
    ask(client, requests, progress=bar, **options)
    return (time.perf_counter() - started) / len(requests)


def _prompt_tokens(requests: Sequence[Request]) -> int:
    if not requests:
        return 0
    try:
        return sum(tokens.counter(requests[0].model).examples([(one.messages, ()) for one in requests]))
    except AssetError:  # a vocabulary that could not be fetched
        return round(sum(len(str(m.get("content"))) for one in requests for m in one.messages) / CHARACTERS_A_TOKEN)


def _sentence(
    calls: int, kept: int, prompt: int, usd: float, minutes: float | None, rows: int
) -> str:  # fmt: skip
    if not calls:
        return f"Nothing is left to ask: {kept:,} answers are kept."
    there = f" ({kept:,} answers are kept already)" if kept else ""
    text = f"{calls:,} calls{there}, {prompt:,} tokens of prompts; "
    text += f"at most about ${usd:.4f}" if usd else "free of charge"
    if minutes is None:
        return text + ". The time will be known once the first answers arrive."
    text += f"; about {minutes:.0f} minutes" if minutes >= 1.5 else f"; about {60 * minutes:.0f} seconds"
    if minutes > LONG_MINUTES:
        text += f". ROWS = {max(1, int(rows * LONG_MINUTES / minutes))} would take about {LONG_MINUTES} minutes"
    return text + "."
