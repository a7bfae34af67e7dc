"""Reading the tables: each cell checked once, each row with its date, its source and how it is known.

Prices are USD, tokens are counted in millions ("per 1M tokens"), dates are ISO dates. An empty price cell means *not
known* and stays None all the way to the result; a price of 0 means that nothing is charged.

A table is one CSV file. A host may have its rows of all tables in one file instead, ``hosts/NAME.toml``, so that a new
host is one file: see CONTRIBUTING.md. Files of the same form in ``.local/facts`` are the reader's own; like the tables,
they are read once, when somebody first asks.
"""

from __future__ import annotations

import csv
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from helpers.atomic import kit_home
from helpers.errors import FactsError

HERE = Path(__file__).parent
HOSTS = HERE / "hosts"
"""Hosts whose rows stand in one file each."""

OWN = "facts"
"""The folder in the kit's home with the reader's own hosts, one file each."""

KNOWN = ("as_of", "source", "how_known")
"""The columns that every row of every table fills: the day, the address, and how it is known."""

COLUMNS = {
    "providers": (
        "provider", "name", "who", "terms", "sdk", "weights_out", "validation_billed", "min_job_usd", *KNOWN, "remark",
    ),
    "tunable": (
        "provider", "model", "label", "method", "train", "train_hour", "input", "cached", "output", "batch_input",
        "batch_cached", "batch_output", "hosting", "storage", "base", "from", *KNOWN, "remark",
    ),
    "prompting": (
        "provider", "model", "label", "kind", "input", "cached", "cache_write", "output", "batch_input", "batch_cached",
        "batch_output", "long_over", "long_input", "long_cached", "long_output", "from", "until", "library", "litellm",
        *KNOWN, "remark",
    ),
    "caching": ("provider", "model", "min_tokens", *KNOWN, "remark"),
    "hosting": ("item", "provider", "label", "kind", "usd", "per", *KNOWN, "remark"),
    "life": ("provider", "model", "event", "date", "precision", "what", *KNOWN, "remark"),
    "free_tiers": (
        "provider", "name", "requests_per_minute", "requests_per_day", "tokens_per_minute", "tokens_per_day", "card",
        "trains_on_prompts", "ended", *KNOWN, "remark",
    ),
    "defaults": ("provider", "name", "value", "unit", *KNOWN, "remark"),
    "durations": ("provider", "model", "trained_tokens", "minutes", "hardware", "kind", *KNOWN, "remark"),
    "limits": ("provider", "model", "limit", "value", "unit", *KNOWN),
}  # fmt: skip
"""Every table and its columns; what each means stands in CONTRIBUTING.md."""

TABLES = tuple(COLUMNS)

FILLED = {
    "providers": ("name", "who", "sdk"),
    "tunable": ("model", "label", "from"),
    "prompting": ("model", "label", "kind", "input", "output", "from"),
    "life": ("model", "date", "what"),
    "durations": ("model", "trained_tokens", "minutes", "kind"),
}
"""Columns without which a row cannot be used, beside :data:`KNOWN`."""

WORDS = {
    ("life", "event"): (
        "opened", "by invitation", "newcomers not verified", "closed to new", "closed to idle", "closed to all",
        "not offered", "base retired", "rerouted", "shut down", "product ended",
    ),
    ("life", "precision"): ("exactly", "no earlier than", "by"),
    ("tunable", "method"): ("supervised", "reinforcement", "distillation"),
    ("hosting", "kind"): ("deployment", "storage", "rented GPU"),
    ("hosting", "per"): ("hour", "month", "GB month"),
    ("providers", "weights_out"): ("yes", "no", "unknown"),
    ("providers", "validation_billed"): ("no", "once", "every evaluation", "unknown"),
    ("durations", "kind"): ("recorded run", "worked example"),
    ("free_tiers", "trains_on_prompts"): ("yes", "no", "depends", "unknown"),
}  # fmt: skip
"""Columns that take one of these words only, by table and column."""

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
    "min_tokens", "requests_per_minute", "requests_per_day", "tokens_per_minute",
    "tokens_per_day",
}  # fmt: skip
DATES = {"as_of", "from", "until", "date", "ended"}


@dataclass(frozen=True)
class FactRow:
    """One row of one table.

    ``row["input"]`` is a float, a date, a text, or None where the cell is empty: None means *not known*.

    Attributes:
        table: the table's name.
        values: column → value, all columns.
        line: the line of the file on which the row begins.
        file: the file, below the folder of the tables; empty: the table's own.
    """

    table: str
    values: Mapping[str, Any]
    line: int
    file: str = ""

    def __getitem__(self, column: str) -> Any:
        return self.values[column]

    def get(self, column: str, default: Any = None) -> Any:
        """The value of a column; ``default`` where the table has no such column or the cell is empty.

        Args:
            column: a column's name, known to this table or not.
            default: what stands for nothing.
        """
        value = self.values.get(column)
        return default if value is None else value

    @property
    def place(self) -> str:
        """File and line, as a report names them."""
        return f"{self.file or f'{self.table}.csv'}, line {self.line}"

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


def _require_columns(path: Path, there: Sequence[str]) -> None:
    missing = [column for column in COLUMNS.get(path.stem, KNOWN) if column not in there]
    if missing:
        raise FactsError(
            f"{path.name} lacks the columns {', '.join(missing)}.",
            got=f"its first line names {', '.join(there) or 'none'}",
            fix="Name each in the first line; a cell may stay empty where nothing is known.",
        )


def _require_words(table: str, values: Mapping[str, Any], where: str) -> None:
    for (of_table, column), words in WORDS.items():
        if of_table == table and values[column] not in words:
            raise FactsError(
                f"{where}, {column} is none of its words.", got=repr(values[column]), fix=f"Use {', '.join(words)}."
            )


def _checked(table: str, cells: Mapping[str, str], where: str) -> dict[str, Any]:
    """The values of one row's cells.

    Raises:
        FactsError: see :func:`read_table`.
    """
    values = {column: _cell(column, text, f"{where}, {column}") for column, text in cells.items()}
    _require_words(table, values, where)
    for column in KNOWN:
        if not values.get(column):
            raise FactsError(f"{where} has no {column}.", fix="Say where it comes from, or drop the row.")
    for column in FILLED.get(table, ()):
        if values[column] is None:
            raise FactsError(f"{where} has no {column}.", fix=f"Every row of {table} needs it.")
    if not values["how_known"].startswith(HOW_KNOWN):
        raise FactsError(
            f"{where} does not say in the usual words how it is known.",
            got=values["how_known"],
            fix=f"Begin with one of: {'; '.join(HOW_KNOWN)}.",
        )
    return values


def read_table(path: Path) -> tuple[FactRow, ...]:
    """Every row of one CSV table, checked.

    Raises:
        FactsError: missing columns, all of them named; a cell that is not what its column needs; or a row without date,
            source or way of knowing.
    """
    rows = []
    with open(path, encoding="utf-8", newline="") as table:
        reader = csv.DictReader(table)
        _require_columns(path, reader.fieldnames or [])
        for line, cells in enumerate(reader, start=2):
            where = f"{path.name}, line {line}"
            if None in cells or None in cells.values():
                raise FactsError(f"{where} has too many or too few cells.", fix="Quote cells that hold a comma.")
            rows.append(FactRow(path.stem, _checked(path.stem, cells, where), line))
    return tuple(rows)


def read_host(path: Path) -> tuple[FactRow, ...]:
    """Every row of one host's TOML file, checked: ``[[TABLE]]`` begins a row of that table.

    The host's id is the file's name. What stands above the first row (``as_of``, ``source``, ``how_known``) counts for
    every row that does not say otherwise; a column that is left out is an empty cell.

    Raises:
        FactsError: no TOML, a table or a column that there is not, or what :func:`read_table` would refuse.
    """
    name, text = f"{path.parent.name}/{path.name}", path.read_text(encoding="utf-8")
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FactsError(f"{name} is no TOML.", got=str(error), fix="Correct that line.") from None
    tables = {key: value for key, value in content.items() if isinstance(value, list)}
    common = {key: value for key, value in content.items() if key not in tables}
    if strange := (tables.keys() - set(TABLES)) | (common.keys() - set(KNOWN)):
        raise FactsError(
            f"{name} has no use for {', '.join(sorted(strange))}.",
            fix=f"Above the first row stand {', '.join(KNOWN)}; a row begins with one of [[{']], [['.join(TABLES)}]].",
        )
    rows = []
    for table, listed in tables.items():
        begins = [n for n, line in enumerate(text.splitlines(), start=1) if line.strip() == f"[[{table}]]"]
        for line, row in zip(chain(begins, repeat(0)), listed, strict=False):  # 0: the row begins in another way
            where = f"{name}, line {line}"
            if strange := row.keys() - set(COLUMNS[table]):
                raise FactsError(
                    f"{where}: {table} has no such column.",
                    got=", ".join(sorted(strange)),
                    fix=f"Use {', '.join(COLUMNS[table])}.",
                )
            filled = {"provider": path.stem} | common | row
            cells = {column: str(filled.get(column, "")) for column in COLUMNS[table]}
            rows.append(FactRow(table, _checked(table, cells, where), line, name))
    return tuple(rows)


def read_own(path: Path) -> tuple[FactRow, ...]:
    """Every row of a host that the reader added, checked.

    Raises:
        FactsError: the kit has facts of a host of this name, the file has no row ``[[providers]]``, or what
            :func:`read_host` would refuse.
    """
    found = read_host(path)
    if (HOSTS / path.name).exists() or path.stem in [row["provider"] for row in read_table(HERE / "providers.csv")]:
        raise FactsError(
            f"{path.stem} is a host that the kit has facts of, and {path} would add others.",
            fix="Give your host another name, there and in hosts.toml.",
        )
    if not any(row.table == "providers" for row in found):
        raise FactsError(f"{OWN}/{path.name} has no row [[providers]].", fix="Say there who the host is.")
    return found


@cache
def rows(table: str) -> tuple[FactRow, ...]:
    """Every row of one of :data:`TABLES`, in the order of the file, then those of :data:`HOSTS` and the reader's own.

    Raises:
        FactsError: there is no such table, or it is malformed.
    """
    if table not in TABLES:
        raise FactsError(f"There is no table {table!r}.", fix=f"Use one of {', '.join(TABLES)}.")
    of_hosts = chain.from_iterable(
        [*map(read_host, sorted(HOSTS.glob("*.toml"))), *map(read_own, sorted((kit_home() / OWN).glob("*.toml")))]
    )
    return (*read_table(HERE / f"{table}.csv"), *(row for row in of_hosts if row.table == table))
