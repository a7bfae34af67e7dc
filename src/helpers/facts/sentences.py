"""What readers are told of dated events: who may train and until when, how old facts are, which model is gone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from helpers.facts.events import OTHER_PRODUCTS, door, gone, life, provider_row, when_past, when_to_come
from helpers.facts.tables import FactRow
from helpers.today import today

STALE_DAYS = 90
"""A fact older than this is called stale: it warns, it never fails."""


def who_may_train(provider: str, on: date | None = None) -> str:
    """Dated sentences on who may start a fine-tuning job at ``provider``, what has ended there and what ends when.

    Facts that are stale on the day say so first.

    Args:
        provider: the host's id.
        on: the day that is asked about; today by default.

    Raises:
        FactsError: no such provider.
    """
    on, events = on or today(), _narrowing(provider)
    whole = [event for event in events if event["model"] == "*"]
    models = [event for event in events if event["model"] != "*"]
    said = [whom_it_lets_in(provider, on)]
    said += [_sentence("", event, on) for event in whole if event["date"] <= on]
    said += [_sentence(names, event, on) for names, event in _last_of_each(models, on)]
    said += [_sentence("", event, on) for event in whole if event["date"] > on]
    said += [_sentence(names, event, on) for names, event in _next_of_models(models, on)]
    return " ".join(said)


def whom_it_lets_in(provider: str, on: date | None = None) -> str:
    """The first sentence of :func:`who_may_train`, without the events; facts that are stale on the day say so before.

    Args:
        provider: the host's id.
        on: the day that is asked about; today by default.

    Raises:
        FactsError: no such provider.
    """
    row, on = provider_row(provider), on or today()
    who = who_in_words(row, door(provider, on))
    said = f"{row['name']}, who may fine-tune: {who} (as of {row.as_of}, {row.how_known})."
    return f"{age([row, *_narrowing(provider)], on)} {said}".lstrip()


def _narrowing(provider: str) -> list[FactRow]:
    """Events at a provider that say who can still start a job and what still answers."""
    return [event for event in life(provider=provider) if event["event"] not in ("opened", *OTHER_PRODUCTS)]


def who_in_words(row: FactRow, who: str, *, terms: bool = True) -> str:
    """Whom a provider lets in, in a reader's words.

    Args:
        row: the host's row of ``providers``.
        who: one of the values of :data:`helpers.facts.WHO`.
        terms: also what there is for them, where the row says so.
    """
    return {
        "anyone": ": ".join(filter(None, (row["who"], row["terms"] if terms else None))),
        "by invitation": "by invitation only",
        "existing customers": "existing customers only",
        "not verified": "not verified",
        "perhaps nobody": "perhaps nobody any more",
        "nobody": "nobody",
    }[who]


def _last_of_each(events: list[FactRow], on: date) -> list[tuple[str, FactRow]]:
    """What happened last to each model up to a day, models of one fate together."""
    last = {event["model"]: event for event in events if event["date"] <= on}
    return _together(last.values())


def _next_of_models(events: list[FactRow], on: date) -> list[tuple[str, FactRow]]:
    """What comes next to any model after a day."""
    coming = [event for event in events if event["date"] > on]
    return _together(event for event in coming if event["date"] == coming[0]["date"])


def _together(events: Iterable[FactRow]) -> list[tuple[str, FactRow]]:
    """Events that say the same of several models, once, with the models' names."""
    alike: dict[tuple, list[FactRow]] = {}
    for event in events:
        alike.setdefault((event["date"], event["precision"], event["what"]), []).append(event)
    return [(", ".join(one["model"] for one in same), same[0]) for same in alike.values()]


def _sentence(names: str, event: FactRow, on: date) -> str:
    about = f"{names}: {event['what']}" if names else event["what"]
    if event["date"] <= on:
        return f"{when_past(event).capitalize()}: {about}.".replace(",:", ":")
    return f"{when_to_come(event).capitalize()} ({_days(event['date'], on)}): {about}."


def _days(then: date, now: date) -> str:
    days = (then - now).days
    return "in 1 day" if days == 1 else f"in {days} days"


def age(about: Iterable[FactRow], on: date) -> str:
    """How old the newest of some facts is, as a sentence that comes before all others; empty while it is not stale.

    Args:
        about: rows of any tables.
        on: the day from which their age is counted; stale after :data:`STALE_DAYS` days.
    """
    newest = max((row.as_of for row in about), default=on)
    days = (on - newest).days
    if days <= STALE_DAYS:
        return ""
    return f"These facts were last read on {newest}, {days} days before {on}: read their sources again first."


def beside_label(row: FactRow, on: date) -> str:
    """The label of a price row, with the words that must stand beside it once its model no longer answers.

    Args:
        row: a row of ``prompting`` or ``tunable``.
        on: the day that is asked about.
    """
    return f"{row['label']} ({gone(row, on).partition(':')[0]})" if gone(row, on) else row["label"]
