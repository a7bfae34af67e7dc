"""``python -m helpers.facts [YYYY-MM-DD]``: what is stale, ended or about to, and where a price library disagrees.

``--review`` says what to look at first when the tables are looked through again, and lists every difference to
genai-prices, and with ``--litellm FILE`` to litellm's price list, as a table. It reports and never fails: facts age,
and only a person can read the page again.
"""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path

import pandas

from helpers.errors import FactsError
from helpers.facts import STALE_DAYS, TABLES, FactRow, life, rows, stale, today
from helpers.facts.library import compare_with_library, compare_with_list, library_version
from helpers.facts.review import review
from helpers.formatting import plural

SOON_DAYS = 120


def report(on: date) -> str:
    """The whole report for one day, as text."""
    parts = [_counts(on), _old(on), _dates(on), _changes(on), _unverified(), _library(on)]
    return "\n\n".join(filter(None, parts))


def _table(frame: pandas.DataFrame, width: int | None = 70) -> str:
    return frame.to_string(index=False, max_colwidth=width, na_rep="")


def _counts(on: date) -> str:
    return f"Facts on {on}: " + ", ".join(f"{table} {len(rows(table))} rows" for table in TABLES) + "."


def _old(on: date) -> str:
    old = stale(on)
    if not len(old):
        return f"Nothing is older than {STALE_DAYS} days."
    return f"{len(old)} rows are older than {STALE_DAYS} days; read their sources again:\n" + _table(old)


def _dates(on: date) -> str:
    columns = ["days", "date", "precision", "provider", "model", "event", "what"]
    events = [
        ((row["date"] - on).days, *(row[column] for column in columns[1:]))
        for row in life()
        if row["event"] != "opened"
    ]
    frame = pandas.DataFrame(events, columns=columns)
    ended, coming = frame[frame["days"] <= 0], frame[frame["days"] > 0]
    soon, later = coming[coming["days"] <= SOON_DAYS], coming[coming["days"] > SOON_DAYS]
    parts = [(f"{len(ended)} dates have passed:", ended), (f"{len(soon)} end within {SOON_DAYS} days:", soon)]
    parts.append((f"{len(later)} later dates are known:", later))
    return "\n\n".join(f"{title}\n{_table(part)}" for title, part in parts if len(part))


def _changes(on: date) -> str:
    """Prices that a table already knows to change."""
    coming = [
        ((row["from"] - on).days, row["from"], row["provider"], row["model"], row["input"], row.get("output"))
        for table in ("prompting", "tunable")
        for row in rows(table)
        if row["from"] and row["from"] > on
    ]
    frame = pandas.DataFrame(coming, columns=["days", "from", "provider", "model", "input", "output"])
    return f"Prices that are known to change (USD per 1M tokens from then on):\n{_table(frame)}" if coming else ""


def _unverified() -> str:
    doubtful = [
        (row.place, row.get("provider", ""), _what(row), row.remark or row.how_known)
        for table in TABLES
        for row in rows(table)
        if row.how_known.startswith("not verified") or "conflict" in row.remark
    ]
    frame = pandas.DataFrame(doubtful, columns=["place", "provider", "what", "remark"])
    return f"{len(frame)} rows are not verified, or their sources conflict:\n{_table(frame)}"


def _what(row: FactRow) -> str:
    return row.get("model") or row.get("item") or row.get("limit") or row.get("name") or ""


def _library(on: date) -> str:
    try:
        compared, name = compare_with_library(on), f"genai-prices {library_version()}"
    except FactsError as error:
        return f"Prices for prompting were not compared with a library. {error}"
    return _differences(compared, name)


def _differences(compared: pandas.DataFrame, name: str) -> str:
    apart = compared[~compared["agree"]].drop(columns="agree")
    said = f"{len(compared)} prices compared with {name}: {len(compared) - len(apart)} agree."
    return said if not len(apart) else f"{said} The others:\n{_table(apart, None)}"


def look_first(on: date, first: int, price_list: Path | None = None) -> str:
    """What to look at first, with the address and what to compare, then the differences to the price libraries.

    Args:
        on: the day from which ages are counted.
        first: how many rows to show.
        price_list: litellm's price list (JSON) to compare with, or None.
    """
    table = review(on)
    head = (
        f"{len(table)} rows on {on}. Look at these {min(first, len(table))} first: much rests on them, or they are old."
    )
    lines = [_to_look_at(number, row) for number, row in enumerate(table.head(first).to_dict("records"), start=1)]
    parts = ["\n".join([head, *lines]), _library(on)]
    if price_list:
        parts.append(_differences(compare_with_list(price_list, on), f"litellm's list {price_list.name}"))
    return "\n\n".join([*parts, "How a row is mended or added: CONTRIBUTING.md."])


def _to_look_at(number: int, row: dict) -> str:
    """One row to look at: where it stands, why now, what to compare, and where."""
    doubt = f"; {row['doubt']}" if row["doubt"] else ""
    return (
        f"{number}. {row['place']}: {row['what']}\n"
        f"   on it: {plural(row['rests'], 'row')}; read {row['age_days']} days ago{doubt}\n"
        f"   compare: {row['compare']}\n"
        f"   at: {row['source']}"
    )


def main() -> None:
    """Print the report for today, or for the day that was named."""
    parser = argparse.ArgumentParser(prog="python -m helpers.facts", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("day", nargs="?", type=date.fromisoformat, help="look at the facts as of this day (YYYY-MM-DD)")
    parser.add_argument(
        "--review", nargs="?", type=int, const=20, metavar="ROWS", help="what to look at first (20 rows)"
    )
    parser.add_argument("--litellm", type=Path, metavar="FILE", help="litellm's price list as JSON, for --review")
    given = parser.parse_args()
    day = given.day or today()
    print(report(day) if given.review is None else look_first(day, given.review, given.litellm))


if __name__ == "__main__":
    main()
