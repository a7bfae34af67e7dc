"""The provider page: who trains what for whom, until when and for how much, straight from the dated facts."""

from __future__ import annotations

from datetime import date

import pandas as pd

from helpers import facts
from helpers.facts import FactRow
from helpers.providers.host import Host, hosts

NOT_KNOWN = "not known"


def page(on: date | None = None) -> pd.DataFrame:
    """One line a provider, those who train for anyone first: door, dates, prices, whose the weights are, ``connect``.

    ``door`` is one of the values of ``facts.WHO``. Every other cell but the name ends in its own date and source; "not
    known" stands where nothing is known. ``attrs["age"]`` is the sentence to be said first when the facts are stale.

    Args:
        on: the day to look at; today when not given.
    """
    day = on or facts.today()
    known = hosts()
    by_facts = {host.facts_name or host.name: host for host in known.values()}
    lines = [_line(row, by_facts.get(row["provider"]), day) for row in facts.rows("providers")]
    table = pd.DataFrame(lines).set_index("provider")
    doors = list(facts.WHO.values())
    table = table.sort_values("door", key=lambda column: column.map(doors.index), kind="stable")
    table.attrs["age"] = facts.age([*facts.rows("providers"), *facts.rows("life")], day)
    return table


def _line(row: FactRow, host: Host | None, day: date) -> dict[str, str]:
    door = facts.door(row["provider"], day)
    return {
        "provider": row["provider"],
        "name": row["name"],
        "door": door,
        "who may train": _who(row, door, day),
        "next dates": _dates(row["provider"], day),
        "training, USD per 1M tokens": _prices(row["provider"], day),
        "hosting a tuned model": _hosting(row["provider"], day),
        "weights are yours": _cited({"unknown": NOT_KNOWN}.get(row["weights_out"], row["weights_out"]), row),
        "connect": _support(host, door, day),
    }


def _cited(text: str, *rows: FactRow) -> str:
    cites = dict.fromkeys(f"as of {row.as_of}, {row.how_known}: {row.source}" for row in rows)
    return f"{text} [{'; '.join(cites)}]"


def _who(row: FactRow, door: str, day: date) -> str:
    events = [
        event for event in facts.life("*", row["provider"]) if event["date"] <= day and event["event"] != "opened"
    ]
    return _cited(facts.who_in_words(row, door), row, *events)


def _dates(provider: str, day: date) -> str:
    """What comes next; where nothing is to come, what was the last, and only where neither is known that none is."""
    events = [e for e in facts.life(provider=provider) if e["event"] not in ("opened", "product ended")]
    coming = [event for event in events if event["date"] > day]
    near = [event for event in coming if event["date"] == coming[0]["date"]]
    last = [event for event in events if event["date"] == events[-1]["date"]]
    if near:
        return _cited("; ".join(_told(near, day)), *near)
    if last:
        return _cited(f"none announced; the last: {'; '.join(_told(last, day))}", *last)
    return _cited("no announced date is known", facts.provider(provider))


def _told(events: list[FactRow], day: date) -> list[str]:
    """Events of one date, each kind once, with the models it concerns, as they look from a day."""
    told: dict[tuple[str, str], list[str]] = {}
    for event in events:
        unsure = "perhaps since " if event["date"] <= day else "no earlier than "
        words = {"exactly": "", "by": "by ", "no earlier than": unsure}[event["precision"]]
        told.setdefault((f"{words}{event['date']}", event["what"]), []).append(event["model"])
    return [
        f"{when}: {'' if '*' in models else ', '.join(models) + ': '}{what}" for (when, what), models in told.items()
    ]


def _prices(provider: str, day: date) -> str:
    rows = [r for r in facts.rows("tunable") if r["provider"] == provider and r["method"] == "supervised"]
    over = ("ended", "may have ended")
    open_rows = [r for r in rows if facts.standing(r["model"], provider, day).state not in over]
    priced = [r for r in open_rows or rows if r["train"] is not None]
    if not priced:
        return _cited(NOT_KNOWN, *rows) if rows else _cited(NOT_KNOWN, facts.provider(provider))
    low, high = min(priced, key=lambda r: r["train"]), max(priced, key=lambda r: r["train"])
    text = f"{low['train']:g} ({low['label']})"
    text += f" to {high['train']:g} ({high['label']})" if low["train"] != high["train"] else ""
    return _cited(
        text if open_rows else f"nobody can buy it any more; it was {text}", *([low] if low is high else [low, high])
    )


def _hosting(provider: str, day: date) -> str:
    rows = [r for r in facts.rows("hosting") if r["provider"] == provider]
    known = [r for r in rows if r["usd"] is not None]
    if not facts.answers(provider, day):
        return _cited("ended: no model tuned there answers", *(known or [facts.provider(provider)]))
    if known:
        before = "of models tuned before: " if facts.door(provider, day) == "nobody" else ""
        return _cited(before + "; ".join(f"{r['label']}: ${r['usd']:,.2f} per {r['per']}" for r in known), *known)
    return _cited(NOT_KNOWN, *rows) if rows else _cited("no separate charge is known", facts.provider(provider))


def _support(host: Host | None, door: str, day: date) -> str:
    """What the kit does at a host on this day: never to train where the facts say that nobody can."""
    if host is None:
        return "no: another SDK, or no tuning at all"
    return f'connect("{host.name}"): {_does(host, door, day)} [{host.provenance}]'


def _does(host: Host, door: str, day: date) -> str:
    if not host.trains:
        return f"prompt and compare only: {host.why_not}"
    if door in ("nobody", "perhaps nobody"):
        return f"prompt and compare only: {door} can start a job there on {day}"
    state = host.standing(day=day)
    if door == "anyone" and state and state.state != "open":
        return f"upload, train ({host.default_model}, the default here: {state.mark or state.state}), prompt"
    return "upload, train, prompt" if door == "anyone" else f"upload, train (open to: {door}), prompt"
