"""The facts as tables (pandas), put around the core: :mod:`helpers.facts` loads this module when a table is asked for.

Each function turns rows that the core has found into a DataFrame; nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pandas

from helpers.facts import events, lookup
from helpers.facts.events import standing
from helpers.facts.sentences import STALE_DAYS, who_in_words
from helpers.facts.tables import COLUMNS, TABLES, FactRow, rows
from helpers.today import today


def load(table: str) -> pandas.DataFrame:
    """One table as a DataFrame of its own: prices as floats (NaN: not known), dates as ``datetime.date``."""
    return _frame(rows(table), table)


def _frame(found: Sequence[FactRow], table: str) -> pandas.DataFrame:
    """Rows of one table, with all its columns even where none was found."""
    return pandas.DataFrame([row.values for row in found], columns=list(COLUMNS[table]))


def tunable(on: date | None = None, method: str | None = "supervised") -> pandas.DataFrame:
    """Every tunable model with prices and where it stands on the day: ``state``, ``standing``, ``days_left``.

    Ended ones stay in the table, marked.

    Args:
        on: the day that is asked about; today by default.
        method: "supervised" or another of the column's; None for all, reinforcement fine-tuning too.
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


def stale(on: date | None = None, days: int = STALE_DAYS) -> pandas.DataFrame:
    """Rows whose source was read more than ``days`` days before: table, line, what, as_of, age in days, source.

    Args:
        on: the day from which ages are counted; today by default.
        days: the age from which a row is listed.
    """
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


def hosting_table(on: date | None = None) -> pandas.DataFrame:
    """Every hosting and storage price, and in ``open to`` whom its provider lets in on the day."""
    day = on or today()
    table = load("hosting")
    table.insert(2, "open to", [_open_to(provider, day) for provider in table["provider"]])
    return table


def _open_to(provider: str, day: date) -> str:
    """Whom it lets in, without its terms: what there is to host stands in the other columns."""
    return who_in_words(events.provider_row(provider), events.door(provider, day), terms=False)


def free_tiers(on: date | None = None) -> pandas.DataFrame:
    """Where prompts cost nothing, within limits: requests and tokens a minute and a day (NaN: not known).

    ``card``: whether a card is asked for; ``trains_on_prompts``: whether what you send may be trained on (``depends``:
    on the host behind the model); ``state``: ``"open"`` or ``"ended"``.
    """
    day = on or today()
    table = load("free_tiers")
    ended = [row["ended"] is not None and row["ended"] <= day for row in rows("free_tiers")]
    table.insert(2, "state", ["ended" if one else "open" for one in ended])
    return table


def shutdowns(on: date | None = None) -> pandas.DataFrame:
    """Models whose end is announced and to come after the day: ``provider``, ``model``, ``date``, ``precision`` …."""
    return _frame(lookup.ending(on), "life")
