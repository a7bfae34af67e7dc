"""The bill of several options as a table, with dates and sources one click away."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import pandas as pd
from IPython.display import HTML

from helpers import costs
from helpers.show.html.elements import bullets, folded, html_output, wide


def bill(table: pd.DataFrame, caption: str = "The whole bill, in USD, its largest parts first") -> HTML:
    """``costs.compare(…)`` as a table: each part that any option has, with dates and sources one click away.

    Args:
        table: from ``costs.compare``.
        caption: what the table is called by those who cannot see it.
    """
    rows = table.to_dict("records")
    head, amounts = costs.amounts(rows)
    cells = "".join(
        f'<th scope="col" style="text-align:left;{_CLOSE}">{escape(name)}</th>' for name in ("option", *head)
    )
    body = "".join(map(_bill_row, rows, amounts))
    old = table.attrs.get("age", "")
    return html_output(
        (f"<p><b>{escape(old)}</b></p>" if old else "")
        + wide(
            caption,
            f'<table><caption style="caption-side:top;text-align:left"><b>{escape(caption)}</b></caption>'
            f"<thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>",
        )
    )


_CLOSE = "padding:.4em .3em"
"""All twelve columns fit a page of 1280 pixels."""
_TOP = f"{_CLOSE};vertical-align:top;text-align"


def _bill_row(row: dict, amounts: Sequence[str]) -> str:
    mark = f"<br>⚠ {escape(row['mark'])}" if row["mark"] else ""
    cells = "".join(f'<td style="{_TOP}:right">{escape(amount)}</td>' for amount in amounts)
    return (
        f'<tr><td style="{_TOP}:left;min-width:13em;max-width:22em;white-space:normal">'
        f"<b>{escape(row['label'])}{mark}</b>{_source(row)}</td>{cells}</tr>"
    )


def _source(row: dict) -> str:
    """Date, how it is known, remarks and addresses of an option's prices, folded away."""
    if row["as_of"] is None:
        return f"<br>{escape('; '.join(row['notes']))}"
    return folded(f"prices as of {row['as_of']}", bullets(row["notes"]))
