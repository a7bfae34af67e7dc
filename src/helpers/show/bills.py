"""What the options cost: total against calls a month with the break-even, and the bill as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from IPython.display import HTML

from helpers import costs
from helpers.costs import Option, Workload, dollars
from helpers.show.html import bullets, folded, html_output, wide
from helpers.show.theme import BLUE, DASHES, GREEN, GREY, INK, SHAPES, VERMILION, figure, plain

MOST_CALLS = 1e8
_LOOK = {"prompt": BLUE, "few-shot": GREEN, "tuned": VERMILION, "own": INK}


def cost_curves(
    workload: Workload,
    options: Sequence[Option | str] | None = None,
    pair: tuple[Option | str, Option | str] | None = None,
    on: date | None = None,
) -> go.Figure:
    """The whole bill of each option against calls a month, both on logarithmic axes.

    Args:
        workload: everything but the calls is kept as it is; its own number of calls is marked.
        options: which to draw; ``costs.options()`` by default. One whose price is not known is named, not drawn.
        pair: the two whose break-even is marked and told in the title; the cheapest tuned and the cheapest prompted by
            default.
        on: the day whose prices count.
    """
    chosen = [Option.parse(option) for option in (costs.options(on) if options is None else options)]
    first, second = pair or default_pair(costs.compare(workload, chosen, on))
    finding = costs.break_even(workload, first, second, on) if first and second else None
    star = bool(finding and finding.calls) and not _is_full(finding, first, workload)
    lines = _lines(workload, chosen, on)
    unknown = [option.label for option in chosen if option.id not in lines]
    chart = figure(
        _title(finding, first, second, workload),
        f"Whole bill over {workload.months:g} months, people's hours included. The dotted line is your volume"
        + (", the star the break-even." if star else ".")
        + " The line of an own machine ends where it is busy day and night." * any(o.kind == "own" for o in chosen)
        + f" Not drawn, because a price is not known: {', '.join(unknown)}." * bool(unknown),
        x="calls a month (logarithmic)",
        y=f"USD over {workload.months:g} months (logarithmic)",
        height=400 + 22 * len(lines),
        legend=False,
    )
    calls = _axis(workload, finding)
    curves, marks, seen = [], [], {}
    for option in chosen:
        if option.id in lines:
            fixed, each = lines[option.id]
            nth = seen[option.kind] = seen.get(option.kind, -1) + 1
            reached = _within(calls, costs.most_calls(workload, option))
            curves.append(dict(
                type="scatter", x=reached, y=[round(fixed + each * c, 4) for c in reached], name=plain(option.label),
                mode="lines+markers", line=dict(color=_LOOK[option.kind], dash=DASHES[nth % 4], width=2),
                marker=dict(symbol=SHAPES[(nth + nth // 4) % 4], size=7, maxdisplayed=6),
                hovertemplate="%{x:,.0f} calls: $%{y:,.2f}<extra>%{fullData.name}</extra>",
            ))  # fmt: skip
    if workload.calls_per_month:
        here = dict(x0=workload.calls_per_month, x1=workload.calls_per_month, y0=0, y1=1, yref="y domain")
        marks.append(dict(type="line", line=dict(color=GREY, dash="dot", width=2), **here))
    if star and calls[0] <= finding.calls <= calls[-1]:
        fixed, each = finding.first
        curves.append(dict(
            type="scatter", x=[finding.calls], y=[fixed + each * finding.calls], mode="markers+text",
            name="break-even", text=[f"{costs.about(finding.calls)} calls a month"], textposition="top left",
            showlegend=False, marker=dict(symbol="star", size=16, color=INK), hoverinfo="text",
        ))  # fmt: skip
    totals = [total for curve in curves for total in curve["y"]]
    chart.add_traces(curves)  # all at once: plotly is slow, and a slider waits for it
    return chart.update_layout(
        xaxis=dict(type="log", dtick=1, tickformat="~s"),
        yaxis=dict(type="log", **_ticks(totals or [1, 100])),
        shapes=marks,
        showlegend=True,
        legend=dict(orientation="v", x=0, y=-0.18, yanchor="top", yref="paper"),
        margin_b=70 + 21 * len(lines),
    )


def bill(table: pd.DataFrame, caption: str = "The whole bill, in USD, its largest parts first") -> HTML:
    """``costs.compare(…)`` as a table: each part that any option has, with dates and sources one click away."""
    parts = [part for part in costs.PARTS if not (table[part] == 0).all()]
    parts = sorted(parts, key=lambda part: -table[part].max() if table[part].notna().any() else 0)
    head = ["option", "total", "a month", "a call", *parts]
    cells = "".join(f'<th scope="col" style="text-align:left;padding-right:8px">{escape(name)}</th>' for name in head)
    body = "".join(_bill_row(row, parts) for row in table.to_dict("records"))
    old = table.attrs.get("age", "")
    return html_output(
        (f"<p><b>{escape(old)}</b></p>" if old else "")
        + wide(
            caption,
            f'<table><caption style="caption-side:top;text-align:left"><b>{escape(caption)}</b></caption>'
            f"<thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>",
        )
    )


def default_pair(table: pd.DataFrame) -> tuple[str | None, str | None]:
    """The cheapest tuned option that is open, and the cheapest prompted one that answers; None where there is none."""
    known = table[table["total"].notna() & (table["state"] == "open")]
    tuned = known[known["kind"].isin(("tuned", "own"))]
    prompted = known[known["kind"].isin(("prompt", "few-shot"))]
    first, second = (some["option"].iloc[0] if len(some) else None for some in (tuned, prompted))
    return first, second


def _lines(workload: Workload, chosen: Sequence[Option], on: date | None) -> dict[str, tuple[float, float]]:
    """Option's id → USD at no calls, USD for each further call a month: every bill is a straight line in calls."""
    idle, busy = (replace(workload, calls_per_month=calls) for calls in (0, 1e6))
    bills = {one.id: [costs.total_cost(load, one, on).total for load in (idle, busy)] for one in chosen}
    return {name: (a, (b - a) / 1e6) for name, (a, b) in bills.items() if a is not None and b is not None}


def _axis(workload: Workload, finding: costs.BreakEven | None) -> list[float]:
    """Calls a month to draw: two powers of ten around the reader's volume, the break-even among them when near."""
    marks = [max(workload.calls_per_month, 100)]
    marks += [finding.calls] if finding and finding.calls and finding.calls < MOST_CALLS else []
    low, high = math.floor(math.log10(min(marks))) - 1, math.ceil(math.log10(max(marks))) + 1
    return [float(f"{calls:.3g}") for calls in np.logspace(max(0, low), high, 25)]


def _within(calls: Sequence[float], most: float | None) -> list[float]:
    """The part of the axis that an option can answer, its last point at the most."""
    return list(calls) if most is None else [c for c in calls if c < most] + [most] * (calls[0] < most < calls[-1])


def _is_full(finding: costs.BreakEven, first: Option | str, workload: Workload) -> bool:
    """Whether a machine of one's own has no more hours where it would become the cheaper one."""
    most = costs.most_calls(workload, Option.parse(first))
    return finding.state == "above" and most is not None and finding.calls > most


def _title(
    finding: costs.BreakEven | None, first: Option | str | None, second: Option | str | None, workload: Workload
) -> str:
    if finding is None:
        return "Choose a tuned option and a prompted one to see when tuning pays"
    a, b, calls = Option.parse(first).label, Option.parse(second).label, costs.about(finding.calls or 0)
    if _is_full(finding, first, workload):
        most = costs.about(costs.most_calls(workload, Option.parse(first)))
        return f"“{a}” is full at {most} calls a month, before it becomes cheaper than “{b}”"
    return {
        "above": f"“{a}” becomes cheaper than “{b}” above {calls} calls a month",
        "below": f"“{a}” is cheaper than “{b}” only below {calls} calls a month",
        "always": f"“{a}” is cheaper than “{b}” at every volume",
        "never": f"“{a}” never becomes cheaper than “{b}”",
        "unknown": f"Whether “{a}” pays beside “{b}” cannot be told: a price is not known",
    }[finding.state]


def _ticks(values: Sequence[float]) -> dict:
    """1, 2 and 5 times each power of ten over the range, as dollars."""
    low, high = math.floor(math.log10(max(min(values), 0.01))), math.ceil(math.log10(max(*values, 1)))
    marks = [digit * 10.0**power for power in range(low, high + 1) for digit in ((1, 2, 5) if high - low < 4 else (1,))]
    return {"tickvals": marks, "ticktext": [f"${mark:,.0f}" if mark >= 1 else f"${mark:g}" for mark in marks]}


_TOP = "vertical-align:top;text-align"


def _bill_row(row: dict, parts: Sequence[str]) -> str:
    mark = f"<br>⚠ {escape(row['mark'])}" if row["mark"] else ""
    amounts = [row["total"], row["per_month"], row["per_call"], *(row[part] for part in parts)]
    cells = "".join(f'<td style="{_TOP}:right">{escape("$0" if usd == 0 else dollars(usd))}</td>' for usd in amounts)
    return (
        f'<tr><td style="{_TOP}:left;min-width:13em;max-width:22em;white-space:normal">'
        f"<b>{escape(row['label'])}{mark}</b>{_source(row)}</td>{cells}</tr>"
    )


def _source(row: dict) -> str:
    """Date, how it is known, remarks and addresses of an option's prices, folded away."""
    if row["as_of"] is None:
        return f"<br>{escape(row['remarks'])}"
    said = [*row["source"].split("; "), *row["how_known"].split("; "), *row["remarks"].split("; ")]
    return folded(f"prices as of {row['as_of']}", bullets(text for text in said if text))
