"""The bill of a call, and of a prompt ladder: many calls of several lengths.

:func:`call_usd` is the formula, for plain numbers and for draws; the others look prices up and say what must be said.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from helpers import facts
from helpers.costs.cost import MILLION, Cost, float_or_none, number, remarks_on
from helpers.facts import FactRow
from helpers.formatting import plural


def call_usd(price: FactRow, tokens_in: Any, tokens_out: Any, prefix: Any = 0, hits: Any = 0, batch: Any = 0) -> Any:
    """USD of one call, or None when the row has no price; numbers and :class:`~helpers.costs.comparing.Draws` alike.

    Args:
        price: a row of ``prompting`` or ``tunable``.
        tokens_in: prompt tokens, the prefix among them.
        tokens_out: answer tokens.
        prefix: opening tokens that the provider may hold in its cache.
        hits: share of calls that find them there; the others pay for writing them, where that has a price.
        batch: share of calls sent as a batch.

    A prefix is billed as fresh input where no cached price is known or where it is too short for the provider's cache,
    a batch at the usual price where no batch price is known: never less than the truth.
    """
    if price["input"] is None or price["output"] is None:
        return None
    shortest = facts.cached_from(price["provider"], price["model"])
    if shortest:
        prefix = prefix * (prefix >= shortest["min_tokens"])
    over = price.get("long_over")

    def at(column: str) -> Any:
        usual, above = price.get(column), price.get(f"long_{column}")
        return usual if over is None or above is None else usual * (tokens_in <= over) + above * (tokens_in > over)

    fresh, answer = at("input"), at("output")
    held = at("cached") if price.get("cached") is not None else fresh
    writing = price["cache_write"] / price["input"] if price.get("cache_write") else 1.0
    opening = hits * held + (1 - hits) * fresh * writing
    usual = (tokens_in - prefix) * fresh + prefix * opening + tokens_out * answer
    if price.get("batch_input") is None or price.get("batch_output") is None:
        return usual / MILLION
    low_in, low_out = price["batch_input"] / (price["input"] or 1), price["batch_output"] / (price["output"] or 1)
    low_held = held * (price["batch_cached"] / price["cached"]) if price.get("batch_cached") else fresh * low_in
    opening = hits * low_held + (1 - hits) * fresh * writing * low_in
    waiting = (tokens_in - prefix) * fresh * low_in + prefix * opening + tokens_out * answer * low_out
    return ((1 - batch) * usual + batch * waiting) / MILLION


def caching_remarks(price: FactRow, prefix: float) -> tuple[str, ...]:
    """What must be said about a prefix that may not be cached, or not for less.

    Args:
        price: a row of ``prompting`` or ``tunable``.
        prefix: opening tokens that every prompt shares; 0 leaves nothing to say.
    """
    if not prefix:
        return ()
    if price.get("cached") is None:
        return ("no price for cached input is known: billed as fresh input",)
    shortest = facts.cached_from(price["provider"], price["model"])
    if shortest is None:
        return ("this provider's minimum for caching is not known: assumed to be cached",)
    doubt = "" if shortest.how_known.startswith("read") else f" ({shortest.how_known}: {shortest.remark})"
    cite = f"{doubt}, as of {shortest.as_of}: {shortest.source}"
    if prefix >= shortest["min_tokens"]:
        return (f"caches beginnings of {shortest['min_tokens']:,.0f} tokens or more{cite}",)
    return (
        f"a beginning of {prefix:,.0f} tokens is too short to be cached, {shortest['min_tokens']:,.0f} are needed: "
        f"billed as fresh input{cite}",
    )


def _called(model: str | FactRow, provider: str | None, day: date) -> FactRow:
    """The price row of a model's id as an API knows it; ``ft:BASE:…`` finds the tuned price of its base."""
    if isinstance(model, FactRow):
        return model
    if model.startswith("ft:"):
        base, _, rest = model[3:].partition(":")
        return facts.tuning_price(base, provider or ("local" if rest.startswith("local") else "openai"), day)
    return facts.price(model, provider, day)


def one_call_cost(
    model: str | FactRow,
    tokens_in: float,
    tokens_out: float,
    cached: float = 0,
    *,
    batch: bool = False,
    provider: str | None = None,
    on: date | None = None,
) -> Cost:
    """What one call costs.

    Args:
        model: an id with a price for prompting, ``ft:BASE:…`` for a tuned model, or a fact row.
        tokens_in: all prompt tokens.
        tokens_out: all answer tokens, reasoning among them.
        cached: those of ``tokens_in`` that were read from the provider's cache.
        batch: whether it may wait for a cheaper batch.
        provider: where the model is called; needed for a name that several providers have.
        on: the day whose prices count; today by default.

    Raises:
        CostError: numbers that make no sense.
        FactsError: a model or a day without a row.
    """
    day = on or facts.today()
    tokens_in, tokens_out = number("tokens_in", tokens_in), number("tokens_out", tokens_out)
    cached = number("cached", cached, most=tokens_in)
    row = _called(model, provider, day)
    said = [*remarks_on([row], day), *caching_remarks(row, cached)]
    if batch and row.get("batch_input") is None:
        said.append("no batch price is known: billed at the usual price")
    every = {"prefix": cached, "hits": 1, "batch": float(batch)}
    whole = call_usd(row, tokens_in, tokens_out, **every)
    asked = call_usd(row, tokens_in, 0, **every)
    parts = {"input": float_or_none(asked), "output": None if whole is None else float(whole) - float(asked)}
    return Cost(f"one call of {facts.beside_label(row, day)}", parts, (row,), tuple(said))


def ladder_cost(
    rows: int = 200,
    prompt_tokens: Sequence[float] = (110, 350, 700),
    tokens_out: float = 30,
    model: str | None = None,
    provider: str | None = None,
    on: date | None = None,
) -> Cost:
    """What it costs to measure a prompt ladder on a target model: every row once on every rung, nothing cached.

    The defaults are about the sample's: 200 validation rows; a bare instruction, full instructions, and instructions
    with the nearest examples.

    Args:
        rows: rows to measure on.
        prompt_tokens: tokens of one prompt, rung by rung.
        tokens_out: tokens of one answer.
        model: default :func:`helpers.facts.cheapest_target`.
        provider: where the model is called; needed for a name that several providers have.
        on: the day whose prices count; today by default.

    Raises:
        CostError: numbers that make no sense.
        FactsError: a model or a day without a row.
    """
    n = number("rows", rows)
    day = on or facts.today()
    row = facts.cheapest_target(day) if model is None else _called(model, provider, day)
    calls = [one_call_cost(row, tokens, tokens_out, on=on) for tokens in prompt_tokens]
    parts = {f"rung {i}": None if call.total is None else n * call.total for i, call in enumerate(calls, start=1)}
    said = calls[0].remarks if calls else ()
    shortest, longest = min(prompt_tokens, default=0), max(prompt_tokens, default=0)
    lengths = f"{shortest:,.0f} to {longest:,.0f} tokens" if shortest < longest else f"{longest:,.0f} tokens"
    what = (
        f"{plural(n, 'row')}, each asked with {plural(len(calls), 'prompt')} of {lengths} and answered in "
        f"{plural(round(tokens_out), 'token')}, on {facts.beside_label(row, day)}"
    )
    return Cost(what, parts, (row,), said)
