"""Typed questions to the tables. ``on`` and ``today`` default to today; pass a date to freeze it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from difflib import get_close_matches
from functools import cache

from helpers.errors import FactsError
from helpers.facts.events import SILENT, has_ended
from helpers.facts.tables import FactRow, rows
from helpers.today import today

PROMPT_KINDS = ("small frontier", "frontier", "small", "open weights")
"""Kinds of model that one would prompt instead of tuning; the table also has the bases of tuned models."""


def _unknown(kind: str, name: str, known: Sequence[str]) -> FactsError:
    near = get_close_matches(name, known, 3, 0.4) or sorted(set(known))[:8]
    return FactsError(f"No {kind} {name!r} in the facts tables.", fix=f"Did you mean {', '.join(near)}?")


@cache
def _priced(table: str, model: str, provider: str | None) -> tuple[FactRow, ...]:
    name = re.compile(re.escape(model) + r"(-\d{4}-\d{2}-\d{2})?")
    found = tuple(row for row in rows(table) if name.fullmatch(row["model"]) and provider in (None, row["provider"]))
    if not found:
        known = [row["model"] for row in rows(table) if provider in (None, row["provider"])]
        if not known:
            raise FactsError(f"No price at {provider!r} is in the tables.", fix="Give the price yourself.")
        raise _unknown("tunable model" if table == "tunable" else "model with a price for prompting", model, known)
    if len({row["provider"] for row in found}) > 1:
        names = ", ".join(sorted({row["provider"] for row in found}))
        raise FactsError(f"Several providers have {model!r}.", got=names, fix="Name one with provider=…")
    return found


def _on(found: tuple[FactRow, ...], model: str, day: date) -> FactRow:
    for row in found:
        if (row["from"] is None or row["from"] <= day) and (row.get("until") is None or day <= row["until"]):
            return row
    first = min(row["from"] for row in found if row["from"])
    if day < first:
        got, fix = f"the table begins on {first}", f"Ask for a date from {first} on."
    else:
        last = max(row["until"] for row in found if row.get("until") and row["until"] < day)
        got, fix = f"a price ends on {last}", f"Ask for {last} or before, or add the price that followed."
    raise FactsError(f"No price of {model!r} is known for {day}.", got=got, fix=fix)


def price(model: str, provider: str | None = None, on: date | None = None) -> FactRow:
    """What it costs to call ``model`` with a prompt: a row of ``prompting``, valid on the day ``on``.

    Columns in USD per 1M tokens: ``input``, ``cached`` (input served from a prompt cache), ``cache_write``, ``output``,
    ``batch_…``; above ``long_over`` prompt tokens the ``long_…`` prices hold for the whole call.

    Args:
        model: an id as the host knows it.
        provider: the host; needed for a name that several have.
        on: the day whose price counts; today by default.

    Raises:
        FactsError: unknown model, several providers and none named, or a day before the table begins.
    """
    return _on(_priced("prompting", model, provider), model, on or today())


def tuning_price(model: str, provider: str | None = None, on: date | None = None) -> FactRow:
    """What it costs to tune ``model`` and to call the result: a row of ``tunable``.

    A name without its date finds its one dated version (``gpt-4o-mini``: ``gpt-4o-mini-2024-07-18``).
    ``train`` is USD per 1M trained tokens, ``train_hour`` USD per hour of training; ``input``, ``cached``, ``output``
    and ``batch_…`` are prices of the tuned model; ``hosting`` and ``storage`` name items of the table ``hosting``.

    Args:
        model: an id as the host knows it, with or without its date.
        provider: the host; needed for a name that several have.
        on: the day whose price counts; today by default.

    Raises:
        FactsError: as :func:`price`.
    """
    return _on(_priced("tunable", model, provider), model, on or today())


@cache
def cached_from(provider: str, model: str) -> FactRow | None:
    """From how many equal opening tokens on a provider caches a prompt: a row with ``min_tokens``; None: not known.

    A row that names a model counts for models whose name begins with it, before the provider's general row.

    Args:
        provider: the host's id.
        model: an id as the host knows it.
    """
    found = [row for row in rows("caching") if row["provider"] == provider and model.startswith(row.get("model", ""))]
    return max(found, key=lambda row: len(row.get("model", "")), default=None)


def hosting(item: str) -> FactRow:
    """The row of one hosting or storage item: ``usd`` (None: not known) per ``per``.

    Raises:
        FactsError: no such item.
    """
    for row in rows("hosting"):
        if row["item"] == item:
            return row
    raise _unknown("hosting item", item, [row["item"] for row in rows("hosting")])


def prompted(on: date | None = None) -> list[FactRow]:
    """Models that answer on the day and are prompted instead of tuned, with that day's prices, cheapest input first."""
    day = on or today()
    found = [row for row in rows("prompting") if row["kind"] in PROMPT_KINDS and _answers_at_this_price(row, day)]
    return sorted(found, key=lambda row: (row["input"], row["output"]))


def _answers_at_this_price(row: FactRow, day: date) -> bool:
    return row["from"] <= day and not (row["until"] and row["until"] < day) and not has_ended(row, day)


def cheapest_target(on: date | None = None) -> FactRow:
    """The small frontier model that costs least for a call of 800 tokens in and 200 out: the first one to measure.

    Raises:
        FactsError: no price is known for that day.
    """
    day = on or today()
    small = [row for row in rows("prompting") if row["kind"] == "small frontier" and _answers_at_this_price(row, day)]
    if not small:
        raise FactsError(f"No small frontier model that answers has a price on {day}.", fix="Ask for another date.")
    return min(small, key=lambda row: 800 * row["input"] + 200 * row["output"])


def default(name: str, provider: str = "openai") -> FactRow:
    """One documented default: ``value`` as text.

    Args:
        name: as in the column of that name.
        provider: the host's id, or "local" for this machine.

    Raises:
        FactsError: not in the table.
    """
    for row in rows("defaults"):
        if row["provider"] == provider and row["name"] == name:
            return row
    raise _unknown(f"default of {provider}", name, [row["name"] for row in rows("defaults")])


def free_tier(provider: str) -> FactRow:
    """What a free tier allows: a row of ``free_tiers``.

    Raises:
        FactsError: the table has none of this provider.
    """
    for row in rows("free_tiers"):
        if row["provider"] == provider:
            return row
    raise _unknown("free tier of", provider, [row["provider"] for row in rows("free_tiers")])


def next_shutdown(on: date | None = None) -> str:
    """The nearest coming day on which a model stops answering, as ISO text; ``"none"`` where none is known."""
    coming = ending(on)
    return str(coming[0]["date"]) if coming else "none"


def ending(on: date | None = None) -> list[FactRow]:
    """Events after the day with which a model stops answering, as far as they are announced, earliest first."""
    day = on or today()
    return sorted((r for r in rows("life") if r["event"] in SILENT and r["date"] > day), key=lambda row: row["date"])
