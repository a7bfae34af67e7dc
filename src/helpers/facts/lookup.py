"""Typed questions to the tables. ``on`` and ``today`` default to today; pass a date to freeze it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING

from helpers.errors import FactsError
from helpers.facts.tables import TABLES, FactRow, load, rows, today

if TYPE_CHECKING:
    import pandas

STALE_DAYS = 90
"""A fact older than this is called stale: it warns, it never fails."""

PROMPT_KINDS = ("small frontier", "frontier", "small", "open weights")
"""Kinds of model that one would prompt instead of tuning; the table also has the bases of tuned models."""

NO_MORE_JOBS = ("closed to all", "shut down")
"""Life events after which nobody starts a job."""


@dataclass(frozen=True)
class Life:
    """Where a tunable model stands on a day.

    Attributes:
        state: ``"open"``, ``"existing customers only"``, ``"not verified"`` or ``"ended"``.
        sentence: the same in words, with dates; empty when it is simply open.
        next_date: the nearest known date on which something ends, or None.
        days_left: days until then, or None.
    """

    state: str
    sentence: str
    next_date: date | None = None
    days_left: int | None = None


def _unknown(kind: str, name: str, known: Sequence[str]) -> FactsError:
    near = get_close_matches(name, known, 3, 0.4) or sorted(set(known))[:8]
    return FactsError(f"No {kind} {name!r} in the facts tables.", fix=f"Did you mean {', '.join(near)}?")


def provider_row(name: str) -> FactRow:
    """The row of one provider.

    Raises:
        FactsError: no such provider; the message names near ones.
    """
    for row in rows("providers"):
        if row["provider"] == name:
            return row
    raise _unknown("provider", name, [row["provider"] for row in rows("providers")])


@cache
def _priced(table: str, model: str, provider: str | None) -> tuple[FactRow, ...]:
    name = re.compile(re.escape(model) + r"(-\d{4}-\d{2}-\d{2})?")
    found = tuple(row for row in rows(table) if name.fullmatch(row["model"]) and provider in (None, row["provider"]))
    if not found:
        known = [row["model"] for row in rows(table) if provider in (None, row["provider"])]
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
    raise FactsError(
        f"No price of {model!r} is known for {day}.",
        got=f"the table begins on {first}",
        fix=f"Ask for a date from {first} on.",
    )


def price(model: str, provider: str | None = None, on: date | None = None) -> FactRow:
    """What it costs to call ``model`` with a prompt: a row of ``prompting``, valid on the day ``on``.

    Columns in USD per 1M tokens: ``input``, ``cached`` (input served from a prompt cache), ``cache_write``, ``output``,
    ``batch_…``; above ``long_over`` prompt tokens the ``long_…`` prices hold for the whole call.

    Raises:
        FactsError: unknown model, several providers and none named, or a day before the table begins.
    """
    return _on(_priced("prompting", model, provider), model, on or today())


def tuning_price(model: str, provider: str | None = None, on: date | None = None) -> FactRow:
    """What it costs to tune ``model`` and to call the result: a row of ``tunable``.

    A name without its date finds its one dated version (``gpt-4o-mini``: ``gpt-4o-mini-2024-07-18``).
    ``train`` is USD per 1M trained tokens, ``train_hour`` USD per hour of training; ``input``, ``cached``, ``output``
    and ``batch_…`` are prices of the tuned model; ``hosting`` and ``storage`` name items of the table ``hosting``.

    Raises:
        FactsError: as :func:`price`.
    """
    return _on(_priced("tunable", model, provider), model, on or today())


@cache
def cached_from(provider: str, model: str) -> FactRow | None:
    """From how many equal opening tokens on a provider caches a prompt: a row with ``min_tokens``; None: not known.

    A row that names a model counts for models whose name begins with it, before the provider's general row.
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


def life(model: str | None = None, provider: str | None = None) -> list[FactRow]:
    """Dates on which something ends, soonest first: events of ``model``, and those that hold for all of its provider.

    Without a model: every event (of ``provider``, if named).
    """
    hosts = {provider} if provider else {row["provider"] for row in rows("tunable") if model in (None, row["model"])}
    found = [
        row
        for row in rows("life")
        if (row["provider"] in hosts and row["model"] == "*")
        or (provider in (None, row["provider"]) and model in (None, row["model"]))
    ]
    return sorted(found, key=lambda row: row["date"])


def gone(row: FactRow, on: date) -> str:
    """That the model of a price row no longer answers on that day; empty while it does."""
    event = shutdown(row)
    return f"ended: shut down on {event['date']} ({event.source})" if event and event["date"] <= on else ""


def shutdown(row: FactRow) -> FactRow | None:
    """The event after which the model of a price row no longer answers; None where no date is known."""
    return next((event for event in life(row["model"], row["provider"]) if event["event"] == "shut down"), None)


@cache
def standing(model: str, provider: str, on: date) -> Life:
    """Whether jobs on ``model`` can still be started at ``provider``, and until when its tuned models run.

    Raises:
        FactsError: no such provider.
    """
    owner = provider_row(provider)
    events = life(model, provider)
    past = [event for event in events if event["date"] <= on]
    coming = [event for event in events if event["date"] > on]
    next_date = coming[0]["date"] if coming else None
    days_left = (next_date - on).days if next_date else None
    soon = [f"from {event['date']} {event['what']}" for event in coming]
    for event in past:
        if event["event"] in NO_MORE_JOBS:
            said = [f"ended on {event['date']}: {event['what']}", *soon]
            return Life("ended", "; ".join(said))
    if owner["open_to"] == "nobody":
        return Life("ended", f"closed: {owner['who']}")
    if owner["open_to"] == "anyone" or any(event["event"] == "closed to new" for event in coming):
        return Life("open", "; ".join(soon), next_date, days_left)
    state = "existing customers only" if owner["open_to"] == "existing customers" else "not verified"
    return Life(state, "; ".join([f"open to: {owner['who']}", *soon]), next_date, days_left)


def tunable(on: date | None = None, method: str | None = "supervised") -> pandas.DataFrame:
    """Every tunable model with prices and where it stands on the day: ``state``, ``standing``, ``days_left``.

    Ended ones stay in the table, marked. ``method=None`` shows reinforcement fine-tuning too.
    """
    day = on or today()
    table = load("tunable")
    if method:
        table = table[table["method"] == method].reset_index(drop=True)
    where = [standing(model, host, day) for model, host in zip(table["model"], table["provider"], strict=True)]
    table.insert(3, "state", [one.state for one in where])
    table.insert(4, "standing", [one.sentence for one in where])
    table.insert(5, "days_left", [one.days_left for one in where])
    return table


def who_may_train(provider: str, on: date | None = None) -> str:
    """One dated sentence on who may still start a fine-tuning job at ``provider``, and what ends when.

    Raises:
        FactsError: no such provider.
    """
    day = on or today()
    row = provider_row(provider)
    events = [event for event in life(provider=provider) if event["event"] != "product ended"]
    past = [event for event in events if event["model"] == "*" and event["date"] <= day]
    coming = [event for event in events if event["model"] == "*" and event["date"] > day]
    rest = [event for event in events if event["model"] != "*" and event["date"] > day]
    closed = any(event["event"] in NO_MORE_JOBS for event in past)
    who = "nobody" if closed else row["who"]
    said = [f"{row['name']}, who may fine-tune: {who} (as of {row.as_of}, {row.how_known})."]
    said += [f"Since {event['date']}: {event['what']}." for event in past]
    said += [f"From {event['date']} ({_days(event['date'], day)}): {event['what']}." for event in coming]
    if rest:
        first = rest[0]
        models = ", ".join(event["model"] for event in rest if event["date"] == first["date"])
        said.append(f"Next shutdown: {first['date']} ({_days(first['date'], day)}), {models}: {first['what']}.")
    return " ".join(said)


def _days(then: date, now: date) -> str:
    days = (then - now).days
    return "in 1 day" if days == 1 else f"in {days} days"


def prompt_models(on: date | None = None) -> pandas.DataFrame:
    """Models to prompt instead of tuning, with their prices on the day, cheapest input first.

    ``kind`` is "small frontier" (its maker's newest small model), "frontier", "small" or "open weights".
    """
    day = on or today()
    table = load("prompting")
    current = [
        row["kind"] in PROMPT_KINDS and row["from"] <= day and not (row["until"] and row["until"] < day)
        for row in rows("prompting")
    ]
    return table[current].sort_values(["input", "output"], kind="stable").reset_index(drop=True)


def cheapest_target(on: date | None = None) -> FactRow:
    """The small frontier model that costs least for a call of 800 tokens in and 200 out: the first one to measure.

    Raises:
        FactsError: no price is known for that day.
    """
    day = on or today()
    small = [
        row
        for row in rows("prompting")
        if row["kind"] == "small frontier" and row["from"] <= day and not (row["until"] and row["until"] < day)
    ]
    if not small:
        raise FactsError(f"No small frontier model has a price on {day}.", fix="Ask for a later date.")
    return min(small, key=lambda row: 800 * row["input"] + 200 * row["output"])


def stale(on: date | None = None, days: int = STALE_DAYS) -> pandas.DataFrame:
    """Rows whose source was read more than ``days`` days before: table, line, what, as_of, age in days, source."""
    import pandas

    day = on or today()
    old = [
        {
            "table": row.table,
            "line": row.line,
            "what": " ".join(filter(None, (row.get(key) for key in ("provider", "model", "item", "limit", "name")))),
            "as_of": row.as_of,
            "age_days": (day - row.as_of).days,
            "source": row.source,
        }
        for table in TABLES
        for row in rows(table)
        if (day - row.as_of).days > days
    ]
    columns = ["table", "line", "what", "as_of", "age_days", "source"]
    return pandas.DataFrame(old, columns=columns).sort_values("age_days", ascending=False, ignore_index=True)


def default(name: str, provider: str = "openai") -> FactRow:
    """One documented default: ``value`` as text.

    Raises:
        FactsError: not in the table.
    """
    for row in rows("defaults"):
        if row["provider"] == provider and row["name"] == name:
            return row
    raise _unknown(f"default of {provider}", name, [row["name"] for row in rows("defaults")])
