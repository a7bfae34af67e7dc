"""Reading the tables: each cell checked once, each row with its date, its source and how it is known.

Prices are USD, tokens are counted in millions ("per 1M tokens"), dates are ISO dates. An empty price cell means *not
known* and stays None all the way to the result; a price of 0 means that nothing is charged.
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.errors import FactsError

if TYPE_CHECKING:
    import pandas

HERE = Path(__file__).parent

TABLES = ("providers", "tunable", "prompting", "caching", "hosting", "life", "defaults", "durations", "limits")

HOW_KNOWN = (
    "read on the provider's page",
    "read in a word-for-word copy of the provider's page",
    "read in the provider's specification",
    "data inside a maintained library",
    "data inside maintained libraries",
    "reported by others",
    "not verified",
    "this kit's own",
)
"""How a row may be known; the cell may say more after these words."""

NUMBERS = {
    "train", "train_hour", "input", "cached", "cache_write", "output", "batch_input", "batch_cached", "batch_output",
    "long_over", "long_input", "long_cached", "long_output", "usd", "min_job_usd", "trained_tokens", "minutes",
    "min_tokens",
}  # fmt: skip
DATES = {"as_of", "from", "until", "date"}


@dataclass(frozen=True)
class FactRow:
    """One row of one table.

    ``row["input"]`` is a float, a date, a text, or None where the cell is empty: None means *not known*.

    Attributes:
        table: the table's name.
        values: column → value, all columns.
        line: the line of the CSV file.
    """

    table: str
    values: Mapping[str, Any]
    line: int

    def __getitem__(self, column: str) -> Any:
        return self.values[column]

    def get(self, column: str, default: Any = None) -> Any:
        """The value of a column; ``default`` where the table has no such column or the cell is empty."""
        value = self.values.get(column)
        return default if value is None else value

    @property
    def as_of(self) -> date:
        """The day on which the source was known to say so."""
        return self.values["as_of"]

    @property
    def source(self) -> str:
        """Where it says so: an address."""
        return self.values["source"]

    @property
    def how_known(self) -> str:
        """How it is known, in plain words."""
        return self.values["how_known"]

    @property
    def remark(self) -> str:
        """What a reader must know beside the number: conflicts between sources, assumptions. May be empty."""
        return self.values.get("remark") or ""

    @property
    def cite(self) -> str:
        """Date, way of knowing and source in one line."""
        return f"as of {self.as_of}, {self.how_known}: {self.source}"


def today() -> date:
    """The day on which facts are looked at: today, or ``$KIT_TODAY`` (an ISO date) to see a lesson as of a day.

    Raises:
        FactsError: ``$KIT_TODAY`` is not an ISO date.
    """
    frozen = os.environ.get("KIT_TODAY")
    return _date(frozen, "the environment variable KIT_TODAY") if frozen else date.today()


def _date(text: str, where: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise FactsError(f"{where} is not a date.", got=repr(text), fix="Write it as YYYY-MM-DD.") from None


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise FactsError(
            f"{where} is not a price or a count.", got=repr(text), fix="Write a plain number, or leave the cell empty."
        )
    return value


def _cell(column: str, text: str, where: str) -> Any:
    if not text.strip():
        return None
    if column in NUMBERS:
        return _number(text, where)
    return _date(text, where) if column in DATES else text.strip()


def read_table(path: Path) -> tuple[FactRow, ...]:
    """Every row of one CSV table, checked.

    Raises:
        FactsError: a cell that is not what its column needs, or a row without date, source or way of knowing.
    """
    rows = []
    with open(path, encoding="utf-8", newline="") as table:
        for line, cells in enumerate(csv.DictReader(table), start=2):
            where = f"{path.name}, line {line}"
            if None in cells or None in cells.values():
                raise FactsError(f"{where} has too many or too few cells.", fix="Quote cells that hold a comma.")
            values = {column: _cell(column, text, f"{where}, {column}") for column, text in cells.items()}
            for column in ("as_of", "source", "how_known"):
                if not values.get(column):
                    raise FactsError(f"{where} has no {column}.", fix="Say where it comes from, or drop the row.")
            if not values["how_known"].startswith(HOW_KNOWN):
                raise FactsError(
                    f"{where} does not say in the usual words how it is known.",
                    got=values["how_known"],
                    fix=f"Begin with one of: {'; '.join(HOW_KNOWN)}.",
                )
            rows.append(FactRow(path.stem, values, line))
    return tuple(rows)


@cache
def rows(table: str) -> tuple[FactRow, ...]:
    """Every row of one of :data:`TABLES`, in the order of the file.

    Raises:
        FactsError: there is no such table, or it is malformed.
    """
    if table not in TABLES:
        raise FactsError(f"There is no table {table!r}.", fix=f"Use one of {', '.join(TABLES)}.")
    return read_table(HERE / f"{table}.csv")


def load(table: str) -> pandas.DataFrame:
    """One table as a DataFrame of its own: prices as floats (NaN: not known), dates as ``datetime.date``."""
    import pandas

    return pandas.DataFrame([row.values for row in rows(table)])
