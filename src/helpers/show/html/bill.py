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

    Where it is narrow, the parts that cost something stand in a line below the option instead of in columns.

    Args:
        table: from ``costs.compare``.
        caption: shown above the table and read out first by a screen reader.
    """
    rows = table.to_dict("records")
    head, amounts = costs.amounts(rows)
    cells = "".join(
        f'<th scope="col"{_part(place)} style="text-align:left;{_CLOSE}">{escape(name)}</th>'
        for place, name in enumerate(["option", *head], -1)
    )
    body = "".join(_bill_row(row, head, cost) for row, cost in zip(rows, amounts, strict=True))
    old = table.attrs.get("age", "")
    shown = wide(
        caption,
        f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>",
        f"<b>{escape(caption)}</b>",
    )
    age = f"<p><b>{escape(old)}</b></p>" if old else ""
    return html_output(f'{age}{_STYLE}<div class="kit-bill">{shown}</div>')


_CLOSE = "padding:.4em .3em"
"""All twelve columns fit a page of 1280 pixels."""
_TOP = f"{_CLOSE};vertical-align:top;text-align"


_WHOLE = 3
"""The first amounts are of the whole bill (in total, a month, a call), the others are its parts."""
_STYLE = """<style>
.kit-bill { container: kit-bill / inline-size; }
@container kit-bill (max-width: 1050px) {
  .kit-bill .kit-part { display: none; }
  .kit-bill .kit-parts { display: block !important; }
}
</style>"""


def _part(place: int) -> str:
    return ' class="kit-part"' if place >= _WHOLE else ""


def _bill_row(row: dict, head: Sequence[str], amounts: Sequence[str]) -> str:
    mark = f"<br>⚠ {escape(row['mark'])}" if row["mark"] else ""
    cells = "".join(
        f'<td{_part(place)} style="{_TOP}:right">{escape(amount)}</td>' for place, amount in enumerate(amounts)
    )
    parts = [f"{name} {amount}" for name, amount in zip(head, amounts, strict=True)][_WHOLE:]
    listed = escape(", ".join(part for part in parts if not part.endswith(" $0")))
    return (
        f'<tr><td style="{_TOP}:left;min-width:13em;max-width:22em;white-space:normal">'
        f"<b>{escape(row['label'])}{mark}</b>"
        f'<div class="kit-parts" style="display:none">{listed}</div>{_source(row)}</td>{cells}</tr>'
    )


def _source(row: dict) -> str:
    """Date, how it is known, remarks and addresses of an option's prices, folded away."""
    if row["as_of"] is None:
        return f"<div>{escape('; '.join(row['notes']))}</div>"
    return folded(f"prices as of {row['as_of']}", bullets(row["notes"]))
