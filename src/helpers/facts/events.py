"""Who may start a job, what answers and until when: worked out for one day from dated events, never written down.

An event is a row of ``life``: it concerns one model at a host, or all of the host (``*``), and holds on its date
``exactly``, ``no earlier than`` it (the end may come later) or ``by`` it (it came on that day or before). Longer
sentences about them are put together in :mod:`~helpers.facts.sentences`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from functools import cache

from helpers.errors import FactsError
from helpers.facts.tables import FactRow, rows

SILENT = ("shut down", "rerouted")
"""Events after which a model, and what was tuned from it, no longer answers as itself."""

NO_MORE_JOBS = ("closed to all", "not offered", *SILENT)
"""Events after which nobody starts a job."""

DOORS = {
    "by invitation": "by invitation",
    "closed to new": "existing customers only",
    "base retired": "existing customers only",
    "newcomers not verified": "not verified",
}
"""Other events that narrow who may start a job, and the state that follows from each."""

WHO = {
    "open": "anyone",
    "by invitation": "by invitation",
    "existing customers only": "existing customers",
    "not verified": "not verified",
    "may have ended": "perhaps nobody",
    "ended": "nobody",
}
"""Every state of a model, the most open first, and whom it lets start a job."""

OTHER_PRODUCTS = ("product ended",)
"""Events that concern neither jobs nor tuned models."""


@dataclass(frozen=True)
class Life:
    """Where a tunable model stands on a day.

    Attributes:
        state: one of :data:`WHO`: ``"open"``, ``"by invitation"``, ``"existing customers only"``, ``"not verified"``,
            ``"may have ended"`` (the day has passed before which it was not to end) or ``"ended"``.
        sentence: the same in words, with dates; empty when it is simply open.
        next_date: the nearest coming date on which something narrows or ends, or None.
        days_left: days until then, or None.
        ended: the event after which nobody starts a job, once it has come (or may have), or None.
        ends: the nearest coming event of that kind, or None.
    """

    state: str
    sentence: str
    next_date: date | None = None
    days_left: int | None = None
    ended: FactRow | None = None
    ends: FactRow | None = None

    @property
    def mark(self) -> str:
        """The words that must stand beside a price: nobody can, or perhaps nobody can, start a job. Else empty."""
        return f"{self.state}{_since(self.ended)}" if self.state in ("ended", "may have ended") else ""


def provider_row(name: str) -> FactRow:
    """The row of one provider.

    Raises:
        FactsError: no such provider; the message names near ones.
    """
    known = {row["provider"]: row for row in rows("providers")}
    if name not in known:
        near = get_close_matches(name, known, 3, 0.4) or sorted(known)[:8]
        raise FactsError(f"No provider {name!r} in the facts tables.", fix=f"Did you mean {', '.join(near)}?")
    return known[name]


def life(model: str | None = None, provider: str | None = None) -> list[FactRow]:
    """Dated events, soonest first: those of ``model``, and those that hold for all of its provider.

    Without a model: every event (of ``provider``, if named).

    Args:
        model: an id, or None for all.
        provider: a host's id, or None for every host.
    """
    hosts = {provider} if provider else {row["provider"] for row in rows("tunable") if model in (None, row["model"])}
    found = [
        row
        for row in rows("life")
        if (row["provider"] in hosts and row["model"] == "*")
        or (provider in (None, row["provider"]) and model in (None, row["model"]))
    ]
    return sorted(found, key=lambda row: row["date"])


@cache
def standing(model: str, provider: str, on: date) -> Life:
    """Whether jobs on ``model`` can be started at ``provider`` on a day, and what ends when.

    Args:
        model: its id, or ``*`` for the host as a whole.
        provider: the host's id.
        on: the day that is asked about.

    Raises:
        FactsError: no such provider.
    """
    provider_row(provider)
    events = [event for event in life(model, provider) if event["event"] not in OTHER_PRODUCTS]
    past = _since_it_opened(event for event in events if event["date"] <= on)
    coming = [event for event in events if event["date"] > on and event["event"] != "opened"]
    closed = [event for event in past if event["event"] in NO_MORE_JOBS]
    ended = next((event for event in closed if is_certain(event)), next(iter(closed), None))
    state = _state(past, any(event["event"] == "opened" for event in events))
    next_date = coming[0]["date"] if coming else None
    return Life(
        state,
        "; ".join([*_told(past, state, ended), *(f"{when_to_come(event)} {event['what']}" for event in coming)]),
        next_date,
        (next_date - on).days if next_date else None,
        ended,
        next((event for event in coming if event["event"] in NO_MORE_JOBS), None),
    )


def _since_it_opened(past: Iterable[FactRow]) -> list[FactRow]:
    """Events after the last opening whose day is known, oldest first: what was closed before it is open again.

    A day by which a page was seen to say "open" is no such opening.
    """
    found = list(past)
    opened = [
        place for place, event in enumerate(found) if (event["event"], event["precision"]) == ("opened", "exactly")
    ]
    return found[opened[-1] + 1 :] if opened else found


def _state(past: list[FactRow], was_open: bool) -> str:
    """The state that follows from the events up to a day, oldest first."""
    closed = [event for event in past if event["event"] in NO_MORE_JOBS]
    if closed:
        return "ended" if any(is_certain(event) for event in closed) else "may have ended"
    narrowed = {
        DOORS[event["event"]] if is_certain(event) else "not verified" for event in past if event["event"] in DOORS
    }
    if narrowed:
        return max(narrowed, key=list(WHO).index)
    return "open" if was_open else "not verified"


def _told(past: list[FactRow], state: str, ended: FactRow | None) -> list[str]:
    """What has happened, in words: how it ended first, then what else narrows it; nothing while it is open."""
    if state == "open":
        return []
    rest = [
        event for event in past if event is not ended and event["event"] in (*DOORS, *NO_MORE_JOBS, "closed to idle")
    ]
    told = [f"{state}{_since(ended)}: {ended['what']}"] if ended else []
    return told + [f"{when_past(event)} {event['what']}" for event in rest]


def is_certain(event: FactRow) -> bool:
    """Whether an event has come once its date has: not one that comes "no earlier than" it."""
    return event["precision"] != "no earlier than"


def _since(event: FactRow | None) -> str:
    """When something ended, to stand behind "ended" or "may have ended"."""
    if event is None:
        return ""
    return {"exactly": " on", "by": " by", "no earlier than": ", no earlier than"}[
        event["precision"]
    ] + f" {event['date']}"


def when_past(event: FactRow) -> str:
    """When an event came, to stand before what it was: "since …"."""
    when = {"exactly": "since {}", "by": "by {} at the latest", "no earlier than": "perhaps since {}, no earlier,"}
    return when[event["precision"]].format(event["date"])


def when_to_come(event: FactRow) -> str:
    """When an event will come, to stand before what it will be: "from …"."""
    return f"{'from' if is_certain(event) else 'no earlier than'} {event['date']}"


def _supervised(provider: str) -> list[str]:
    """Models that a provider tunes by supervised fine-tuning, as far as the tables list them."""
    return [r["model"] for r in rows("tunable") if (r["provider"], r["method"]) == (provider, "supervised")]


@cache
def door(provider: str, on: date) -> str:
    """Whom a provider lets start a job on at least one of its models: one of the values of :data:`WHO`.

    A provider of which no model for supervised fine-tuning is listed is judged as a whole, and by what else it tunes.

    Args:
        provider: the host's id.
        on: the day that is asked about.

    Raises:
        FactsError: no such provider.
    """
    others = [row["model"] for row in rows("tunable") if row["provider"] == provider]
    states = {standing(model, provider, on).state for model in _supervised(provider) or [*others, "*"]}
    return WHO[min(states, key=list(WHO).index)]


def answers(provider: str, on: date) -> bool:
    """Whether anything tuned at a provider may answer on a day, as far as is known.

    Args:
        provider: the host's id.
        on: the day that is asked about.

    Raises:
        FactsError: no such provider.
    """
    provider_row(provider)
    whole = [event for event in life("*", provider) if event["event"] in SILENT and event["date"] <= on]
    if any(is_certain(event) for event in whole):
        return False
    models = _supervised(provider)
    return not models or any(not _silent(model, provider, on) for model in models)


def _silent(model: str, provider: str, on: date) -> bool:
    ends = [event for event in life(model, provider) if event["event"] in SILENT and is_certain(event)]
    return any(event["date"] <= on for event in ends)


def answering(row: FactRow, on: date) -> Life:
    """Whether the model of a price row answers on a day: ``"open"``, ``"may have ended"`` or ``"ended"``.

    Args:
        row: a row of ``prompting`` or ``tunable``.
        on: the day that is asked about.
    """
    event = shutdown(row)
    if event is None:
        return Life("open", "")
    if event["date"] > on:
        sentence, left = f"{when_to_come(event)} {event['what']}", (event["date"] - on).days
        return Life("open", sentence, event["date"], left, ends=event)
    return Life("ended" if is_certain(event) else "may have ended", gone(row, on), ended=event)


def shutdown(row: FactRow) -> FactRow | None:
    """The event after which the model of a price row no longer answers as itself; None where no date is known."""
    return shutdown_of(row["model"], row["provider"])


def shutdown_of(model: str, provider: str) -> FactRow | None:
    """The event after which a model at a provider, and what was tuned from it, no longer answers; None: not known.

    Args:
        model: its id.
        provider: the host's id.
    """
    return next((event for event in life(model, provider) if event["event"] in SILENT), None)


def gone(row: FactRow, on: date) -> str:
    """That the model of a price row no longer answers on that day, or may not; empty while it does.

    Args:
        row: a row of ``prompting`` or ``tunable``.
        on: the day that is asked about.
    """
    event = shutdown(row)
    if event is None or event["date"] > on:
        return ""
    return f"{'ended' if is_certain(event) else 'may have ended'}{_since(event)}: {event['what']} ({event.source})"


def has_ended(row: FactRow, on: date) -> bool:
    """Whether the model of a price row has certainly stopped answering on that day.

    Args:
        row: a row of ``prompting`` or ``tunable``.
        on: the day that is asked about.
    """
    event = shutdown(row)
    return event is not None and is_certain(event) and event["date"] <= on
