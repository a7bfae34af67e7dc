"""Facts that change: prices, limits, dates. Each row of the tables beside this file has its date and its source.

``load(table)`` gives a whole table; the other functions answer one question each. Who may start a job, what answers and
until when is worked out for a day from dated events (:func:`standing`, :func:`door`, :func:`answers`,
:func:`who_may_train`); nothing else says who is open. ``python -m helpers.facts`` lists what is stale, what has ended
or is about to, and where a maintained price library disagrees; with ``--review``, what to look at first.

``lookup`` answers questions, ``events`` works out what is open on a day, ``sentences`` says it; ``tables`` reads the
CSV files, where most hosts are, and the hosts that were added as ``hosts/NAME.toml``; ``review`` and ``library`` say
what to look at again.

A fact that is not known is None (NaN in a DataFrame), never 0; where sources conflict the row's ``remark`` says so.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from helpers.errors import FactsError
from helpers.facts.events import (
    WHO,
    Life,
    answering,
    answers,
    door,
    gone,
    has_ended,
    is_certain,
    life,
    shutdown,
    shutdown_of,
    standing,
)
from helpers.facts.events import provider_row as provider
from helpers.facts.lookup import (
    cached_from,
    cheapest_target,
    default,
    ending,
    free_tier,
    hosting,
    next_shutdown,
    price,
    prompted,
    tuning_price,
)
from helpers.facts.sentences import STALE_DAYS, age, beside_label, who_in_words, who_may_train, whom_it_lets_in
from helpers.facts.tables import TABLES, FactRow, rows
from helpers.today import today

__all__ = [
    "STALE_DAYS",
    "TABLES",
    "WHO",
    "FactRow",
    "Life",
    "age",
    "answering",
    "answers",
    "beside_label",
    "cached_from",
    "cheapest_target",
    "default",
    "door",
    "ending",
    "free_tier",
    "free_tiers",
    "gone",
    "has_ended",
    "hosting",
    "hosting_table",
    "is_certain",
    "life",
    "limits",
    "load",
    "next_shutdown",
    "price",
    "prompted",
    "provider",
    "rows",
    "shutdown",
    "shutdown_of",
    "shutdowns",
    "stale",
    "standing",
    "today",
    "tunable",
    "tuning_price",
    "who_in_words",
    "who_may_train",
    "whom_it_lets_in",
]

_FRAMES = ("free_tiers", "hosting_table", "load", "shutdowns", "stale", "tunable")
"""Tables, which need pandas: they are put around the rest, which needs the standard library alone."""


def __getattr__(name: str) -> Any:
    if name in _FRAMES:
        return getattr(import_module("helpers.facts.frames"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def limits(provider: str, model: str | None = None) -> dict[str, int | str | tuple[str, ...] | bool]:
    """What a provider takes: limit → value; numbers as int, yes/no as bool, word lists as tuples.

    A row that names a model applies to models whose name begins with it, before the provider's general row. A limit
    that is missing is not known, not absent.

    Args:
        provider: its id in the tables.
        model: whose rows to add to the provider's general ones; None for these alone.

    Raises:
        FactsError: no row names this provider.
    """
    known = [row for row in rows("limits") if row["provider"] == provider]
    if not known:
        names = sorted({row["provider"] for row in rows("limits")})
        raise FactsError(f"No limits are known for {provider!r}.", fix=f"Use one of {', '.join(names)}.")
    apply = [row for row in known if (model or "").startswith(row.get("model", ""))]
    return {row["limit"]: _value(row) for row in sorted(apply, key=lambda row: len(row.get("model", "")))}


def _value(row: FactRow) -> int | str | tuple[str, ...] | bool:
    if row["unit"] == "yes or no":
        return row["value"] == "yes"
    return int(row["value"]) if row["value"].isdigit() else tuple(row["value"].split())
