"""A table that reads well and escapes what is in it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape
from numbers import Integral, Real

import pandas as pd
from IPython.display import HTML

from helpers.formatting import percent
from helpers.show.html.elements import html_output, wide

MAX_ROWS = 200

PLAIN = {
    "handed_on": "passed on",
    "macro_f1": "macro F1",
    "n_epochs": "epochs",
    "saving_high": "saving if doubled",
    "saving_low": "saving if halved",
    "saving_now": "saving now",
    "share_percent": "share (%)",
    "times_input": "input, times the base",
    "times_output": "output, times the base",
    "usd": "USD",
    "usd_per_1000": "USD per 1,000 rows",
    "usd_per_hour": "USD an hour",
    "valid_json": "valid JSON",
}
"""Columns that need more than blanks between their words to be read as English."""


def table(df: pd.DataFrame, caption: str | None = None, *, percent: Sequence[str] = ()) -> HTML:
    """A data frame as an escaped, accessible HTML table.

    Numbers stand right with thousands separators, three digits of what is below one hundred, and dollars with cents. A
    missing value is a dash. An index becomes the rows' heading when it has a name or is no number: bare numbers are
    only the places that the rows had in a larger table. Headings are put into words; the frame keeps its names.

    Args:
        df: bills, results, problems …; the first 200 rows are shown, the rest is counted.
        caption: shown above the table and read out first by a screen reader.
        percent: columns of shares (0 to 1) to show in percent.
    """
    named = df.index.name is not None or not pd.api.types.is_integer_dtype(df.index)
    names = ([df.index.name or ""] if named else []) + list(df.columns)
    head = "".join(_head(heading(str(name)), _side(df, name)) for name in names)
    body = "".join(
        "<tr>"
        + (f'<th scope="row" style="text-align:left">{_cell(index)}</th>' if named else "")
        + "".join(_td(value, name, percent) for name, value in zip(df.columns, row, strict=True))
        + "</tr>"
        for index, row in zip(df.index[:MAX_ROWS], df.head(MAX_ROWS).itertuples(index=False), strict=True)
    )
    more = f"<p>{len(df) - MAX_ROWS:,} more rows.</p>" if len(df) > MAX_ROWS else ""
    shown = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return html_output(wide(caption or "Table", shown, escape(caption or "")) + more)


def heading(name: str) -> str:
    """A column's name in words; the name of a setting, in capitals, stays as it is to be typed.

    >>> heading("prompt_tokens"), heading("usd_per_hour"), heading("FREE_HOST")
    ('prompt tokens', 'USD an hour', 'FREE_HOST')

    Args:
        name: of a column.
    """
    return name if name.isupper() else PLAIN.get(name, name.replace("_", " "))


def number(value: Real, name: str = "") -> str:
    """A number as a table shows it; ``name`` is its column, which may speak of dollars.

    >>> number(1234567), number(0.12345), number(84.26), number(12.5, "a month (USD)")
    ('1,234,567', '0.123', '84.3', '12.50')

    Args:
        value: whole or real, also infinite or ``nan``.
        name: its column's; one that speaks of dollars changes the form.
    """
    if isinstance(value, Integral):
        return f"{value:,}"
    if not math.isfinite(value):
        return "∞" if value == math.inf else "−∞" if value == -math.inf else "–"
    if "USD" in name or "$" in name:
        return f"{value:,.2f}" if abs(value) >= 0.1 or value == 0 else f"{value:.2g}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


_ADDRESS, _BEFORE_A_PART = re.compile(r"\w+://[^\s<]+"), re.compile(r"(?<=[./_-])(?=\w)")
"""Where a long web address may go on in the next line: not inside a word."""
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


def _head(name: str, side: str) -> str:
    """A column's heading; a column without a name has none, rather than an empty one."""
    return f'<th scope="col" style="{side}">{escape(name)}</th>' if name else "<td></td>"


def _td(value: object, name: object, percent: Sequence[str]) -> str:
    side = "right" if isinstance(value, Real) and not isinstance(value, bool) else "left"
    whole = side == "right" or _DATE.fullmatch(str(value))
    wrap = "nowrap" if whole else "normal"  # a number stays with its unit, a day with its month
    if side == "left" and "\n" in str(value):
        wrap = "pre-line"  # commands keep their own lines
    if "://" in str(value):
        wrap += ";min-width:12em;overflow-wrap:anywhere"  # a long web address leaves room for the other columns
    return f'<td style="text-align:{side};white-space:{wrap}">{_cell(value, str(name), name in percent)}</td>'


def _cell(value: object, name: str = "", share: bool = False) -> str:
    if value is None or (not isinstance(value, list | tuple | dict) and pd.isna(value)):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Real):
        return percent(float(value), 1) if share else number(value, name)
    if isinstance(value, datetime) and value.utcoffset() == timedelta(0):
        return f"{value:%Y-%m-%d %H:%M} UTC"
    text = escape(str(value))
    return _ADDRESS.sub(lambda address: _BEFORE_A_PART.sub("<wbr>", address[0]), text)


def _side(df: pd.DataFrame, name: object) -> str:
    is_number = name in df and pd.api.types.is_numeric_dtype(df[name]) and not pd.api.types.is_bool_dtype(df[name])
    return f"text-align:{'right' if is_number else 'left'}"
