"""One claim of the article: its verdict in words, its chart, and the numbers behind the chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from IPython.display import HTML, display

from helpers.show.charts.theme import DASHES, SERIES, SHAPES, figure, plain, shorten
from helpers.show.html.elements import CARD, html_output
from helpers.show.html.tables import table
from helpers.trial import LEFT_OUT, Finding

_ROW = 30


def finding(found: Finding) -> None:
    """Show a verdict, its chart and its data; one line for a claim that this run leaves out."""
    display(verdict_of(found))
    if found.verdict == LEFT_OUT:
        return
    display(chart_of(found))
    display(html_output(f"<details><summary>The numbers</summary>{_data(found)}</details>"))


def verdict_of(found: Finding) -> HTML:
    """The verdict and the sentences that it rests on."""
    if found.verdict == LEFT_OUT:
        return html_output("<p>This claim is left out of this run: see CLAIMS above.</p>")
    sentences = "".join(f"<li>{escape(one)}</li>" for one in found.details)
    return html_output(
        f'<div style="{CARD}"><p style="font-size:1.15em;margin:2px 0">Verdict: <b>{escape(found.verdict)}</b></p>'
        f'<ul style="margin:2px 0">{sentences}</ul></div>'
    )


def chart_of(found: Finding) -> go.Figure:
    """A curve where the marks have an ``x``, else a line of marks for each label."""
    return _curve(found) if all("x" in one for one in found.marks) else _dots(found)


def verdicts(results: pd.DataFrame) -> HTML:
    """All claims with their verdicts, from ``Trial.table``."""
    return table(results, "The article on trial, on this machine")


def _dots(found: Finding) -> go.Figure:
    labels = list(dict.fromkeys(one["label"] for one in found.marks))[::-1]
    several = len(_series(found)) > 1
    chart = figure(
        found.because, found.reading, x=found.axis + (" (%)" if _is_share(found) else ""), y="",
        height=120 + _ROW * len(labels), legend=several,
    )  # fmt: skip
    for number, (name, marks) in enumerate(_series(found).items()):
        chart.add_scatter(
            x=_values(found, marks), y=[shorten(one["label"], 44) for one in marks], mode="markers", name=plain(name),
            marker=_marker(number), error_x=_bars(found, marks, number), hovertemplate="%{y}: %{x}<extra></extra>",
        )  # fmt: skip
    chart.update_yaxes(categoryorder="array", categoryarray=[shorten(label, 44) for label in labels], title_text=None)
    if found.log:
        chart.update_xaxes(type="log", dtick=1)
    else:
        chart.update_xaxes(range=[-2, 104] if _is_share(found) else None, rangemode="tozero")
    return chart


def _curve(found: Finding) -> go.Figure:
    unit = " (%)" if _is_share(found) else ""
    chart = figure(found.because, found.reading, x=found.x_axis, y=found.axis + unit, legend=True)
    for number, (name, marks) in enumerate(_series(found).items()):
        chart.add_scatter(
            x=[one["x"] for one in marks], y=_values(found, marks), mode="lines+markers", name=plain(name),
            marker=_marker(number), line=dict(color=SERIES[number], dash=DASHES[number]),
            error_y=_bars(found, marks, number), hovertemplate="%{x} rows: %{y}<extra></extra>",
        )  # fmt: skip
    sizes = sorted({one["x"] for one in found.marks})
    chart.update_xaxes(type="log", tickvals=sizes, ticktext=[str(size) for size in sizes])
    return chart


def _series(found: Finding) -> dict[str, list[Mapping[str, Any]]]:
    names = dict.fromkeys(one["series"] for one in found.marks)
    return {name: [one for one in found.marks if one["series"] == name] for name in names}


def _is_share(found: Finding) -> bool:
    return found.axis.startswith("share")


def _values(found: Finding, marks: Sequence[Mapping[str, Any]], key: str = "value") -> list[float]:
    return [round(float(one[key]) * (100 if _is_share(found) else 1), 4) for one in marks]


def _marker(number: int) -> dict[str, Any]:
    """Later series are open and larger, so that a mark on the same spot does not hide the one before."""
    return dict(
        color=SERIES[number], size=11 + 3 * number, symbol=SHAPES[number] + "-open" * (number > 0), line_width=2
    )


def _bars(found: Finding, marks: Sequence[Mapping[str, Any]], number: int) -> dict[str, Any] | None:
    if any(one["low"] is None for one in marks):
        return None
    values = _values(found, marks)
    up = [high - value for value, high in zip(values, _values(found, marks, "high"), strict=True)]
    down = [value - low for value, low in zip(values, _values(found, marks, "low"), strict=True)]
    return dict(array=up, arrayminus=down, symmetric=False, thickness=1.5, color=SERIES[number])


def _data(found: Finding) -> str:
    rows = pd.DataFrame(found.marks).drop(columns="x", errors="ignore").dropna(axis="columns", how="all")
    shares = ["value", "low", "high"] if _is_share(found) else []
    facts = "".join(f"<li>{escape(source)}</li>" for source in found.sources)
    return table(rows, found.axis, percent=shares).data + (f"<p>Facts:</p><ul>{facts}</ul>" if facts else "")
