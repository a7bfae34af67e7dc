"""What the facts say about hosts on a given day: who may be named for training, and whose end is in sight.

Dates and names come from the facts tables alone; this module holds the reading of them.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache

from helpers import facts

MODEL_ENDS = ("shut down", "rerouted")
"""Events after which a model, and whatever was tuned from it, no longer answers."""

END_IN_SIGHT = timedelta(days=365)
"""An announced end within a year is time to move: recording, testing and retraining take months beside other work."""


@cache
def _known(host: str) -> facts.FactRow | None:
    return next((row for row in facts.rows("providers") if row["provider"] == host), None)


@cache
def _trainable(host: str) -> tuple[str, ...]:
    """Ids of the models that the table lists for supervised training at this host."""
    return tuple(r["model"] for r in facts.rows("tunable") if r["provider"] == host and r["method"] == "supervised")


def that_train() -> tuple[str, ...]:
    """Ids of the hosts that tune models, or did: not the reader's own machine, and none that only rents GPUs out."""
    narrowed = {row["provider"] for row in facts.rows("life") if row["event"] != "opened"}
    away = [row["provider"] for row in facts.rows("providers") if row["provider"] != "local"]
    return tuple(host for host in away if _trainable(host) or host in narrowed)


def name(host: str) -> str:
    """The host's name for readers; its id when the table does not know it."""
    row = _known(host)
    return row["name"] if row else host


def open_to_new(host: str, today: date) -> bool:
    """Whether somebody new can train there on this day: at least one model stands open in the facts.

    Args:
        host: an id of ``providers``.
        today: the day that is asked about.
    """
    return any(facts.standing(model, host, today).state == "open" for model in _trainable(host))


def end_in_sight(host: str, today: date) -> str:
    """Why a tuned model at this host must move, with dates and source; empty while some model there goes on.

    The end is in sight when nothing can be trained there a year from now: a tuned model that cannot be made again dies
    with its base model.

    Args:
        host: an id of ``providers``, or a name that no table knows.
        today: the day that is asked about.
    """
    row = _known(host)
    if row is None or facts.door(host, today + END_IN_SIGHT) not in ("nobody", "perhaps nobody"):
        return ""
    return f"{facts.who_may_train(host, today)} Source: {row.source}"


def end_in_words(host: str, today: date) -> str:
    """That fine-tuning at this host has ended, may have, or will: what :func:`end_in_sight` found, as a clause.

    Args:
        host: an id of ``providers``.
        today: the day that is asked about.
    """
    over = {"nobody": "has ended", "perhaps nobody": "may have ended"}.get(facts.door(host, today))
    return f"fine-tuning at {name(host)} {over}" if over else f"the end of fine-tuning at {name(host)} is announced"


def still_answers(host: str, today: date) -> bool:
    """Whether anything tuned at this host may answer on this day, so that its answers can be recorded.

    Args:
        host: an id of ``providers``, or a name that no table knows: of that nothing speaks against it.
        today: the day that is asked about.
    """
    return _known(host) is None or facts.answers(host, today)


def dying_models(host: str, today: date) -> str:
    """Models of a host that goes on which have ended, or end within a year, as sentences; empty where none does.

    Which of them the reader has tuned is not asked, so the sentence says "if yours is among them".

    Args:
        host: an id of ``providers``, or a name that no table knows.
        today: the day that is asked about.
    """
    if _known(host) is None or end_in_sight(host, today):
        return ""
    events = [event for event in facts.life(provider=host) if event["event"] in MODEL_ENDS and event["model"] != "*"]
    near = [event for event in events if event["date"] <= today + END_IN_SIGHT]
    if not near:
        return ""
    told = "; ".join(f"{event['model']}, {_when(event, today)} {event['date']}" for event in near)
    return (
        f"Models tuned at {name(host)} end with their base: {told}. If yours is among them it must move, to another "
        f"model there or to another host ({near[-1].source})."
    )


def _when(event: facts.FactRow, today: date) -> str:
    sure = facts.is_certain(event)
    if event["date"] <= today:
        return "since" if sure else "perhaps since"
    return "from" if sure else "no earlier than"


def obstacle(host: str, today: date, customer: bool) -> str:
    """What stands in the way of training at this host, for a customer (who has a tuned model there) or a newcomer.

    Empty when nothing does as far as the facts know: a door that is closed to newcomers is no obstacle to customers. A
    customer of a host that goes on hears of the models there that do not.

    Args:
        host: an id of ``providers``, or a name that no table knows.
        today: the day that is asked about.
        customer: whether the reader has a tuned model there.
    """
    door = facts.door(host, today) if _known(host) else ""
    if door in ("nobody", "perhaps nobody"):
        return f"{door.capitalize()} can start a fine-tuning job at {name(host)}."
    if customer and end_in_sight(host, today):
        return f"The end of fine-tuning at {name(host)} is announced, for its customers too."
    if customer:
        return dying_models(host, today)
    if open_to_new(host, today):
        return ""
    return f"Fine-tuning at {name(host)} is not open to new customers, or this is not verified."


def best_host(today: date) -> str | None:
    """The host to name for training when the reader has none that is open: the most portable one, or None.

    Most portable: the stock ``openai`` SDK trains there (no code is thrown away), then weights that can be taken along;
    within that the table's order. The reader's own machine is not a host.
    """
    away = [row for row in facts.rows("providers") if row["provider"] != "local"]
    rows = [row for row in away if open_to_new(row["provider"], today)]
    rows.sort(key=lambda row: (row["sdk"] != "openai", row["weights_out"] != "yes"))
    return rows[0]["provider"] if rows else None


def about(host: str, today: date) -> str:
    """What the facts say on training at this host: who may, until when, what becomes of the weights, and the source.

    Args:
        host: an id of ``providers``.
        today: the day that is asked about.
    """
    row = _known(host)
    over = not facts.answers(host, today)
    weights = {
        "yes": "Weights could be taken along." if over else "The weights can be taken along.",
        "no": "The weights stayed there." if over else "The weights stay there.",
    }
    known = weights.get(row["weights_out"], "Whether weights can be taken along is not known.")
    return f"{facts.who_may_train(host, today)} {known}{_hosting(host, today)} Source: {row.source}"


def _hosting(host: str, today: date) -> str:
    """The smallest hourly price of keeping a tuned model there, as a sentence; empty when none is known or due."""
    if not facts.answers(host, today):
        return ""
    hourly = [r for r in facts.rows("hosting") if r["provider"] == host and r["per"] == "hour" and r["usd"]]
    if not hourly:
        return ""
    least = min(hourly, key=lambda row: row["usd"])
    return f" Serving it costs from ${least['usd']:.2f} an hour, idle hours included ({least['label']}; {least.cite})."


def coming_dates(host: str, today: date) -> list[tuple[date, str]]:
    """Announced dates at this host from today on, each with what happens, earliest first; equal ones once.

    Args:
        host: an id of ``providers``, or a name that no table knows.
        today: the day from which dates count.
    """
    if _known(host) is None:
        return []
    coming = {
        (row["date"], row["what"] if facts.is_certain(row) else f"no earlier than this day, {row['what']}"): row.source
        for row in facts.life(provider=host)
        if row["date"] >= today and row["event"] != "opened"
    }
    return [(day, f"{name(host)}: {what} ({source})") for (day, what), source in sorted(coming.items())]
