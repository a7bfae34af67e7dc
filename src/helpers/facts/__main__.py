"""``python -m helpers.facts [YYYY-MM-DD]``: what is stale, ended or about to, and where a price library disagrees.

It reports and never fails: facts age, and only a person can read the page again.
"""

from __future__ import annotations

import argparse
from datetime import date

import pandas

from helpers.errors import FactsError
from helpers.facts import STALE_DAYS, TABLES, FactRow, life, rows, stale, today
from helpers.facts.library import compare_with_library, library_version

SOON_DAYS = 120


def report(on: date) -> str:
    """The whole report for one day, as text."""
    parts = [_counts(on), _old(on), _dates(on), _changes(on), _unverified(), _library(on)]
    return "\n\n".join(filter(None, parts))


def _table(frame: pandas.DataFrame) -> str:
    return frame.to_string(index=False, max_colwidth=70, na_rep="")


def _counts(on: date) -> str:
    return f"Facts on {on}: " + ", ".join(f"{table} {len(rows(table))} rows" for table in TABLES) + "."


def _old(on: date) -> str:
    old = stale(on)
    if not len(old):
        return f"Nothing is older than {STALE_DAYS} days."
    return f"{len(old)} rows are older than {STALE_DAYS} days; read their sources again:\n" + _table(old)


def _dates(on: date) -> str:
    columns = ["days", "date", "provider", "model", "event", "what"]
    events = [((row["date"] - on).days, *(row[column] for column in columns[1:])) for row in life()]
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
        (row.table, row.line, row.get("provider", ""), _what(row), row.remark or row.how_known)
        for table in TABLES
        for row in rows(table)
        if row.how_known.startswith("not verified") or "conflict" in row.remark
    ]
    frame = pandas.DataFrame(doubtful, columns=["table", "line", "provider", "what", "remark"])
    return f"{len(frame)} rows are not verified, or their sources conflict:\n{_table(frame)}"


def _what(row: FactRow) -> str:
    return row.get("model") or row.get("item") or row.get("limit") or row.get("name") or ""


def _library(on: date) -> str:
    try:
        compared, name = compare_with_library(on), f"genai-prices {library_version()}"
    except FactsError as error:
        return f"Prices for prompting were not compared with a library. {error}"
    apart = compared[~compared["agree"]]
    said = f"{len(compared)} prices for prompting compared with {name}: {len(compared) - len(apart)} agree."
    return said if not len(apart) else f"{said} The others:\n{_table(apart)}"


def main() -> None:
    """Print the report for today, or for the day that was named."""
    parser = argparse.ArgumentParser(prog="python -m helpers.facts", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("day", nargs="?", type=date.fromisoformat, help="look at the facts as of this day (YYYY-MM-DD)")
    print(report(parser.parse_args().day or today()))


if __name__ == "__main__":
    main()
