"""What the options cost: total against calls a month, with the break-even."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date

import plotly.graph_objects as go

from helpers import costs
from helpers.costs import Option, Workload
from helpers.show.charts.theme import BLUE, DASHES, GREEN, GREY, INK, PAPER, SHAPES, VERMILION, figure, plain

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
    found = costs.curves(workload, options, pair, on)
    chart = figure(
        found.title,
        found.sentence,
        x="calls a month (logarithmic)",
        y=f"USD over {workload.months:g} months (logarithmic)",
        height=418 + 22 * len(found.curves),
        legend=False,
    )
    curves, marks, seen = [], [], {}
    for one in found.curves:
        kind = one.option.kind
        nth = seen[kind] = seen.get(kind, -1) + 1
        curves.append(dict(
            type="scatter", x=one.calls, y=one.usd, name=plain(one.option.label),
            mode="lines+markers", line=dict(color=_LOOK[kind], dash=DASHES[nth % 4], width=2),
            marker=dict(symbol=SHAPES[(nth + nth // 4) % 4], size=7, maxdisplayed=6),
            hovertemplate="%{x:,.0f} calls: $%{y:,.2f}<extra>%{fullData.name}</extra>",
        ))  # fmt: skip
    if found.here:
        here = dict(x0=found.here, x1=found.here, y0=0, y1=1, yref="y domain")
        marks.append(dict(type="line", line=dict(color=GREY, dash="dot", width=2), **here))
    if found.star:
        curves.append(dict(
            type="scatter", x=[found.star[0]], y=[found.star[1]], mode="markers", name="break-even",
            text=[f"{costs.about(found.star[0])} calls a month"],
            showlegend=False, marker=dict(symbol="star", size=16, color=INK), hoverinfo="text",
        ))  # fmt: skip
    totals = [total for curve in curves for total in curve["y"]]
    chart.add_traces(curves)  # all at once: plotly is slow, and a slider waits for it
    return chart.update_layout(
        xaxis=dict(type="log", dtick=1, tickformat="~s"),
        yaxis=dict(type="log", **_ticks(totals or [1, 100])),
        shapes=marks,
        annotations=[_star_label(found)] if found.star else [],
        showlegend=True,
        legend=dict(orientation="v", x=0, y=-0.24, yanchor="top", yref="paper"),
        margin_b=88 + 21 * len(found.curves),
    )


def _star_label(found: costs.Curves) -> dict:
    """On a ground of its own, as lines cross where the star is; an axis of logarithms places it by its exponent."""
    calls, usd = found.star
    return dict(
        text=f"{costs.about(calls)} calls a month", x=math.log10(calls), y=math.log10(usd), showarrow=False,
        xanchor=_roomiest(found), yanchor="bottom", yshift=11, bgcolor=PAPER, borderpad=1,
    )  # fmt: skip


def _roomiest(found: costs.Curves) -> str:
    """The side of the star's label that is held by the star, so that it has room on a narrow page too: its middle, or
    the one to the edge that is near."""
    ends = [calls for curve in found.curves for calls in (curve.calls[0], curve.calls[-1])]
    share = math.log(found.star[0] / min(ends)) / math.log(max(ends) / min(ends))
    return "left" if share < 1 / 3 else "right" if share > 2 / 3 else "center"


def _ticks(values: Sequence[float]) -> dict:
    """1, 2 and 5 times each power of ten over the range, as dollars."""
    low, high = math.floor(math.log10(max(min(values), 0.01))), math.ceil(math.log10(max(*values, 1)))
    marks = [digit * 10.0**power for power in range(low, high + 1) for digit in ((1, 2, 5) if high - low < 4 else (1,))]
    return {"tickvals": marks, "ticktext": [f"${mark:,.0f}" if mark >= 1 else f"${mark:g}" for mark in marks]}
