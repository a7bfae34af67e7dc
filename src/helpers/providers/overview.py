"""The provider page: who trains what for whom, until when and for how much, straight from the dated facts."""

from __future__ import annotations

from datetime import date

import pandas as pd

from helpers import facts
from helpers.facts import FactRow
from helpers.providers.host import Host, hosts

NOT_KNOWN = "not known"


def page(on: date | None = None) -> pd.DataFrame:
    """One line a provider: name, who may train, dates, prices, whose the weights are, and what ``connect`` does there.

    Every cell but the name ends in its own date and source; "not known" stands where nothing is known.

    Args:
        on: the day to look at; today when not given.
    """
    day = on or facts.today()
    known = hosts()
    by_facts = {host.facts_name or host.name: host for host in known.values()}
    lines = [_line(row, by_facts.get(row["provider"]), day) for row in facts.rows("providers")]
    return pd.DataFrame(lines).set_index("provider")


def _line(row: FactRow, host: Host | None, day: date) -> dict[str, str]:
    return {
        "provider": row["provider"],
        "name": row["name"],
        "who may train": _cited(row["who"], row),
        "next dates": _dates(row["provider"], day),
        "training, USD per 1M tokens": _prices(row["provider"], day),
        "hosting a tuned model": _hosting(row["provider"]),
        "weights are yours": _cited({"unknown": NOT_KNOWN}.get(row["weights_out"], row["weights_out"]), row),
        "connect": _support(host),
    }


def _cited(text: str, *rows: FactRow) -> str:
    cites = dict.fromkeys(f"as of {row.as_of}, {row.how_known}: {row.source}" for row in rows)
    return f"{text} [{'; '.join(cites)}]"


def _dates(provider: str, day: date) -> str:
    events = [event for event in facts.life(provider=provider) if event["event"] != "product ended"]
    coming = [event for event in events if event["date"] > day]
    if not coming:
        owner = facts.provider(provider)
        return _cited("no announced date is known", owner)
    first = [event for event in coming if event["date"] == coming[0]["date"]]
    models = ", ".join(event["model"] for event in first if event["model"] != "*")
    text = f"{first[0]['date']}: {f'{models}: ' if models else ''}{first[0]['what']}"
    return _cited(text, *first)


def _prices(provider: str, day: date) -> str:
    rows = [r for r in facts.rows("tunable") if r["provider"] == provider and r["method"] == "supervised"]
    rows = [r for r in rows if facts.standing(r["model"], provider, day).state != "ended"] or rows
    priced = [r for r in rows if r["train"] is not None]
    if not priced:
        return _cited(NOT_KNOWN, *rows) if rows else _cited(NOT_KNOWN, facts.provider(provider))
    low, high = min(priced, key=lambda r: r["train"]), max(priced, key=lambda r: r["train"])
    if low["train"] == high["train"]:
        return _cited(f"{low['train']:g} ({low['label']})", low)
    return _cited(f"{low['train']:g} ({low['label']}) to {high['train']:g} ({high['label']})", low, high)


def _hosting(provider: str) -> str:
    rows = [r for r in facts.rows("hosting") if r["provider"] == provider]
    known = [r for r in rows if r["usd"] is not None]
    if known:
        return _cited("; ".join(f"{r['label']}: ${r['usd']:,.2f} per {r['per']}" for r in known), *known)
    return _cited(NOT_KNOWN, *rows) if rows else _cited("no separate charge is known", facts.provider(provider))


def _support(host: Host | None) -> str:
    if host is None:
        return "no: another SDK, or no tuning at all"
    does = "upload, train, prompt" if host.trains else f"prompt and compare only: {host.why_not}"
    return f'connect("{host.name}"): {does} [{host.provenance}]'
