"""Our prices for prompting beside those of a maintained price library, genai-prices.

litellm's price list can be held against ours, too, when its file is there.

The only module that imports genai-prices, and only when asked: the kit's own tables are what lessons use.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas

from helpers.errors import FactsError
from helpers.facts.tables import FactRow, rows

PRICED = {
    "input": {"input_tokens": 1000},
    "cached": {"input_tokens": 1000, "cache_read_tokens": 1000},
    "output": {"output_tokens": 1000},
}
"""What to ask the library for: one column's tokens at a time, few enough for no long-prompt price to apply."""


LISTED = {
    "input": "input_cost_per_token",
    "cached": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
    "output": "output_cost_per_token",
    "batch_input": "input_cost_per_token_batches",
    "batch_cached": "cache_read_input_token_cost_batches",
    "batch_output": "output_cost_per_token_batches",
}
"""Our columns, and how litellm's list names the same price."""


def _library() -> Any:
    try:
        import genai_prices
    except ImportError:
        raise FactsError("The price library is not installed.", fix="Install genai-prices.") from None
    return genai_prices


def library_version() -> str:
    """The version that is installed.

    Raises:
        FactsError: none is.
    """
    _library()
    return version("genai-prices")


def compare_with_library(on: date) -> pandas.DataFrame:
    """Each price of a prompting row that names a library entry, ours and theirs, on one day.

    Columns: ``model``, ``price`` (input, cached, output), ``ours``, ``library`` (USD per 1M tokens, NaN: not known
    there), ``agree``, ``explained`` (the row's remark, where it speaks of the difference).

    Raises:
        FactsError: the library is not installed.
    """
    library = _library()
    noon = datetime.combine(on, time(12), UTC)  # off-peak, where a price depends on the hour
    found = []
    for row in _current(on):
        if row["library"]:
            found += [_pair(row, column, _theirs(library, row, tokens, noon)) for column, tokens in PRICED.items()]
    return _table(found)


def compare_with_list(path: Path, on: date) -> pandas.DataFrame:
    """The same beside litellm's price list, a JSON file: also batch prices, and tuned models at OpenAI.

    Nothing of litellm is run. ``library`` is NaN where the list has the model and not this price.

    Args:
        path: ``model_prices_and_context_window.json`` of litellm's repository.
        on: the day whose rows of ours count.

    Raises:
        FactsError: there is no such file, or it is no list of prices.
    """
    try:
        theirs = json.loads(path.read_text(encoding="utf-8"))
        theirs = {name: entry for name, entry in theirs.items() if isinstance(entry, dict)}
    except (OSError, ValueError, AttributeError) as error:
        raise FactsError(f"{path} is not a price list.", got=str(error), fix="Pass litellm's JSON file.") from None
    tuned = [row for row in rows("tunable") if row["provider"] == "openai" and row["from"] <= on]
    named = [(row, row["litellm"]) for row in _current(on)] + [(row, f"ft:{row['model']}") for row in tuned]
    return _table(
        [
            _pair(row, column, _per_million(theirs[name].get(their)))
            for row, name in named
            if name in theirs
            for column, their in LISTED.items()
        ]
    )


def _current(on: date) -> list[FactRow]:
    return [r for r in rows("prompting") if r["from"] <= on and not (r["until"] and r["until"] < on)]


def _per_million(usd: float | None) -> float | None:
    return None if usd is None else round(usd * 1e6, 9)


def _pair(row: FactRow, column: str, theirs: float | None) -> tuple:
    ours = row.get(column)
    agree = ours is not None and theirs is not None and abs(theirs - ours) < 1e-9
    told = row.remark if "conflict" in row.remark or "explained" in row.remark else ""
    return row["model"], column, ours, theirs, agree, told if theirs is not None else "no such price there"


def _table(found: list[tuple]) -> pandas.DataFrame:
    """Pairs of prices as a table; what we do not list ourselves is no difference."""
    table = pandas.DataFrame(found, columns=["model", "price", "ours", "library", "agree", "explained"])
    return table[table["ours"].notna()].reset_index(drop=True)


def _theirs(library: Any, row: FactRow, tokens: Mapping[str, int], when: datetime) -> float | None:
    """USD per 1M tokens in the library; None where it does not know the model or the price."""
    provider, _, model = row["library"].partition(":")
    try:
        price = library.calc_price(library.Usage(**tokens), model, provider_id=provider, genai_request_timestamp=when)
    except (LookupError, ValueError):
        return None
    return float(price.total_price) * 1000
