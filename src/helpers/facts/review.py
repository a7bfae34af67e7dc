"""What to look at first when the tables are looked through again: much used and old before little used and new."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from helpers.facts.tables import TABLES, FactRow, rows

if TYPE_CHECKING:
    import pandas

NAMES = ("provider", "model", "item", "limit", "name", "event")
OTHER = ("value", "unit", "min_tokens", "minutes", "trained_tokens")
PRICES = (
    "train", "train_hour", "input", "cached", "cache_write", "output", "batch_input", "batch_cached", "batch_output",
    "long_over", "long_input", "long_cached", "long_output",
)  # fmt: skip


def review(on: date) -> pandas.DataFrame:
    """Every row, the one first that most other rows rest on and that was read longest ago.

    Columns: ``table``, ``line``, ``place`` (file and line), ``what``, ``rests`` (how many rows, itself among them,
    change what they say with it), ``age_days``, ``doubt`` (conflicting sources, or not verified; else empty),
    ``compare`` (what the source is to say), ``source``. In the order of ``rests`` times ``age_days``, doubtful rows
    first among equals.
    """
    import pandas

    lines = [_line(row, on) for table in TABLES for row in rows(table)]
    table = pandas.DataFrame(lines)
    weight = table["rests"] * table["age_days"].clip(lower=1)
    order = pandas.DataFrame({"weight": -weight, "sure": table["doubt"] == ""})
    return table.loc[order.sort_values(["weight", "sure"], kind="stable").index].reset_index(drop=True)


def _line(row: FactRow, on: date) -> dict[str, object]:
    return {
        "table": row.table,
        "line": row.line,
        "place": row.place,
        "what": " ".join(row.get(key) for key in NAMES if row.get(key)),
        "rests": 1 + _rest_on(row),
        "age_days": (on - row.as_of).days,
        "doubt": _doubt(row),
        "compare": _compare(row),
        "source": row.source,
    }


def _doubt(row: FactRow) -> str:
    if "conflict" in row.remark:
        return "sources conflict"
    return "not verified" if row.how_known.startswith("not verified") else ""


def _rest_on(row: FactRow) -> int:
    """How many rows of other tables say something else when this one changes."""
    tunable, prompting = rows("tunable"), rows("prompting")
    if row.table == "providers":
        return sum(other["provider"] == row["provider"] for other in (*tunable, *rows("hosting")))
    if row.table == "life":
        same = [other for other in (*tunable, *prompting) if other["provider"] == row["provider"]]
        return sum(row["model"] in ("*", other["model"]) for other in same)
    if row.table == "hosting":
        return sum(row["item"] in (other["hosting"], other["storage"]) for other in tunable)
    if row.table == "prompting":
        return sum(other["base"] == row["model"] for other in tunable)
    if row.table == "caching":
        named = [other for other in prompting if other["provider"] == row["provider"]]
        return sum(other["model"].startswith(row.get("model", "")) for other in named)
    return 0


def _compare(row: FactRow) -> str:
    """What the row holds, in words that can be held against its source."""
    if row.table == "life":
        return f"{row['event']}, {row['precision']} {row['date']}: {row['what']}"
    if row.table in ("tunable", "prompting"):
        held = [f"{name.replace('_', ' ')} {row.get(name):g}" for name in PRICES if row.get(name) is not None]
        return "USD per 1M tokens: " + (", ".join(held) or "no price found")
    if row.table == "hosting":
        price = "no price found" if row["usd"] is None else f"{row['usd']:g} USD"
        return f"{price} per {row['per']}"
    if row.table == "providers":
        return f"who: {row['who']}; weights out: {row['weights_out']}; validation billed: {row['validation_billed']}"
    if row.table == "free_tiers":
        parts = ("requests_per_minute", "requests_per_day", "tokens_per_day", "card", "trains_on_prompts", "ended")
        return ", ".join(f"{name.replace('_', ' ')} {row.get(name)}" for name in parts if row.get(name) is not None)
    return ", ".join(str(row.get(name)) for name in OTHER if row.get(name))
