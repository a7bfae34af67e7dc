"""Our prices for prompting beside those of a maintained price library, genai-prices.

The only module that imports it, and only when asked: the kit's own tables are what lessons use.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from importlib.metadata import version
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
    there), ``agree``.

    Raises:
        FactsError: the library is not installed.
    """
    library = _library()
    noon = datetime.combine(on, time(12), UTC)  # off-peak, where a price depends on the hour
    found = []
    for row in rows("prompting"):
        if row["library"] and row["from"] <= on and not (row["until"] and row["until"] < on):
            for column, tokens in PRICED.items():
                if row[column] is not None:
                    theirs = _theirs(library, row, tokens, noon)
                    agree = theirs is not None and abs(theirs - row[column]) < 1e-9
                    found.append((row["model"], column, row[column], theirs, agree))
    return pandas.DataFrame(found, columns=["model", "price", "ours", "library", "agree"])


def _theirs(library: Any, row: FactRow, tokens: Mapping[str, int], when: datetime) -> float | None:
    """USD per 1M tokens in the library; None where it does not know the model or the price."""
    provider, _, model = row["library"].partition(":")
    try:
        price = library.calc_price(library.Usage(**tokens), model, provider_id=provider, genai_request_timestamp=when)
    except (LookupError, ValueError):
        return None
    return float(price.total_price) * 1000
