"""The provider page as a table that can be read: what is open first, each line's dates and sources one click away."""

from __future__ import annotations

from html import escape

import pandas as pd
from IPython.display import HTML

from helpers.show.html.elements import bullets, folded, html_output, wide

COLUMNS = ("who may train", "next dates", "training, USD per 1M tokens", "hosting a tuned model", "weights are yours")


def provider_page(page: pd.DataFrame, caption: str) -> HTML:
    """``providers.page(…)``: those who train for somebody, and folded below them those who train for nobody.

    Args:
        page: one line a provider, and in ``attrs["age"]`` how old the facts are, said first where that is much; a cell
            is its text, and in brackets its date and source.
        caption: shown above the table and read out first by a screen reader.
    """
    closed = page["door"].isin(("nobody", "perhaps nobody"))
    old = page.attrs.get("age", "")
    rest = folded(
        f"{closed.sum()} more that train for nobody any longer", _table(page[closed], "Providers that train for nobody")
    )
    first = f"<p><b>{escape(old)}</b></p>" if old else ""
    return html_output(first + _table(page[~closed], caption) + (rest if closed.any() else ""))


def _table(page: pd.DataFrame, caption: str) -> str:
    cell = 'style="text-align:left;vertical-align:top;white-space:normal;padding-right:8px"'
    head = "".join(f'<th scope="col" {cell}>{escape(name)}</th>' for name in ("provider", *COLUMNS))
    rows = ""
    for _, line in page.iterrows():
        parts = {name: _split(line[name]) for name in (*COLUMNS, "connect")}
        sources = folded("sources", bullets(f"{name}: {cite}" for name, (_, cite) in parts.items() if cite))
        here = escape(parts["connect"][0].partition(":")[0])
        own = f"<br><code>{here}</code>" if here.startswith("connect(") else ""
        rows += f'<tr><th scope="row" {cell}>{escape(line["name"])}{own}{sources}</th>'
        rows += "".join(f"<td {cell}>{escape(parts[name][0])}</td>" for name in COLUMNS) + "</tr>"
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return wide(caption, table, escape(caption))


def _split(cell: str) -> tuple[str, str]:
    """A cell's text, and its date and source without their brackets."""
    text, _, cite = cell.rpartition(" [")
    return (text, cite.removesuffix("]")) if text else (cell, "")
