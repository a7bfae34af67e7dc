"""The charts of the record as self-contained SVG: no script, no library, readable on paper and offline."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import date
from html import escape
from typing import NamedTuple

import pandas as pd

from helpers import costs
from helpers.formatting import score_text
from helpers.records import Comparison
from helpers.show.charts.rivals import comparison_finding, is_told_apart, kind_of, score_finding
from helpers.show.charts.theme import BLUE, GREY, GRID, INK, PAPER, VERMILION
from helpers.statistics import SHARES

_WIDTH, _NAMES, _RIGHT, _ROW, _TOP, _BOTTOM = 720, 250, 60, 34, 14, 46
MAX_BILLS = 8
"""Options in the chart of bills, cheapest first: the dear end would press the others into one corner."""
_COLOURS = {"tuned": VERMILION, "prompted": BLUE, "no language model": INK}


class Line(NamedTuple):
    """One row of a chart: a name, a mark with its interval, and how it looks."""

    name: str
    value: float
    low: float
    high: float
    colour: str
    hollow: bool


def record_charts(
    table: pd.DataFrame,
    metric: str,
    comparisons: Sequence[Comparison] = (),
    workload: costs.Workload | None = None,
    on: date | None = None,
) -> list[dict[str, str]]:
    """The record's charts, each with its finding as title, a sentence for those who cannot see it, and its SVG.

    Args:
        table: ``Results.table(metric)``.
        metric: what the scores are.
        comparisons: paired differences, when there are any.
        workload: the reader's own volume and prices of work, for the bill; None leaves the bill out.
        on: the day whose prices count.
    """
    ranked = table.dropna(subset=["score"]).sort_values("score")
    share = bool(ranked["score"].between(0, 1).all())
    worst = f"{ranked.index[0]} stands last with {score_text(ranked['score'].iloc[0], share)}." if len(ranked) else ""
    found = [
        {
            "title": f"{score_finding(ranked, metric, share)}.",
            "text": f"{worst} Bars are 95 % intervals; hollow marks are teaching models.",
            "svg": scores_svg(table),
        }
    ]
    if comparisons:
        text = "Differences on the same rows; where the bar touches zero, these rows cannot tell the two apart."
        title = f"{comparison_finding(comparisons).rstrip('.')}."
        found.append({"title": title, "text": text, "svg": comparisons_svg(comparisons)})
    if workload is not None:
        bills = costs.compare(workload, on=on).dropna(subset=["total"])
        found.append(_bills_chart(bills, workload))
    return found


def _bills_chart(bills: pd.DataFrame, workload: costs.Workload) -> dict[str, str]:
    cheapest, dearest = bills.iloc[0], bills.iloc[-1]
    calls = f"{workload.calls_per_month:,.0f} calls a month"
    ends = f"from {costs.dollars(cheapest['total'])} to {costs.dollars(dearest['total'])} ({dearest['label']})"
    drawn = f"The {min(MAX_BILLS, len(bills))} cheapest are drawn."
    return {
        "title": f"“{cheapest['label']}” is the cheapest of {len(bills)} options at {calls}.",
        "text": f"{drawn} Whole bills over {workload.months:g} months, people's hours included: {ends}.",
        "svg": bills_svg(bills[:MAX_BILLS], workload),
    }


def bills_svg(bills: pd.DataFrame, workload: costs.Workload) -> str:
    """``costs.compare()`` as a mark an option, cheapest on top; options without a known price are left out.

    Args:
        bills: from ``costs.compare``.
        workload: the job; its months stand at the axis.
    """
    colours = {"prompt": BLUE, "few-shot": BLUE}
    lines = [
        Line(row["label"], *[row["total"]] * 3, colours.get(row["kind"], VERMILION), row["kind"] in colours)
        for _, row in bills.dropna(subset=["total"]).sort_values("total").iterrows()
    ]
    return _draw(lines, _ends(lines), f"USD over {workload.months:g} months; hollow: prompting, filled: a tuned model")


def scores_svg(table: pd.DataFrame) -> str:
    """``Results.table()`` as a dot and an interval a candidate, best on top.

    Teaching models have hollow marks and say so; shares are drawn in percent.
    """
    table = table.dropna(subset=["score"]).sort_values("score", ascending=False)
    share = bool(table["score"].between(0, 1).all())
    lines = [
        Line(
            f"{name} (teaching model)" if row["role"] == "teaching" else str(name),
            *(float(row[column]) * (100 if share else 1) for column in ("score", "low", "high")),
            _COLOURS[kind_of(row["role"])],
            row["role"] == "teaching",
        )
        for name, row in table.iterrows()
    ]
    ends = (0.0, 100.0) if share else _ends(lines)
    return _draw(lines, ends, "% of rows, with 95 % interval" if share else "mean score, with 95 % interval")


def comparisons_svg(comparisons: Sequence[Comparison]) -> str:
    """Paired differences with their intervals around a zero line, largest on top."""
    rows = sorted(comparisons, key=lambda c: -c.difference)
    share = all(c.unit in SHARES for c in rows)
    lines = [
        Line(
            f"{c.a} minus {c.b}",
            *(value * (100 if share else 1) for value in (c.difference, c.low, c.high)),
            VERMILION if is_told_apart(c) else GREY,
            not is_told_apart(c),
        )
        for c in rows
    ]
    unit = "points" if share else "the metric's unit"
    return _draw(lines, _ends(lines), f"difference in {unit}, with interval; hollow: these rows cannot tell", zero=True)


def _ends(lines: Sequence[Line]) -> tuple[float, float]:
    """The axis' ends: all intervals and zero, with a little room."""
    values = [0.0, *(line.low for line in lines), *(line.high for line in lines)]
    room = (max(values) - min(values)) * 0.06 or 1.0
    return min(values) - room, max(values) + room


def _draw(lines: Sequence[Line], ends: tuple[float, float], axis: str, zero: bool = False) -> str:
    height = _TOP + _ROW * len(lines) + _BOTTOM
    low, high = ends

    def at(value: float) -> float:
        """Where a value lies, in pixels."""
        return round(_NAMES + (value - low) / (high - low) * (_WIDTH - _NAMES - _RIGHT), 1)

    bottom = _TOP + _ROW * len(lines)
    parts = [f'<rect width="{_WIDTH}" height="{height}" fill="{PAPER}"/>']
    for tick in _ticks(low, high):
        parts += [
            f'<line x1="{at(tick)}" y1="{_TOP}" x2="{at(tick)}" y2="{bottom}" stroke="{GRID}"/>',
            f'<text x="{at(tick)}" y="{bottom + 16}" text-anchor="middle" fill="{INK}">{tick:,g}</text>',
        ]
    if zero:
        parts.append(f'<line x1="{at(0)}" y1="{_TOP}" x2="{at(0)}" y2="{bottom}" stroke="{INK}" stroke-width="1.5"/>')
    for index, line in enumerate(lines):
        parts += _mark(line, at, _TOP + _ROW * index + _ROW / 2)
    parts.append(f'<text x="{(_NAMES + _WIDTH - _RIGHT) / 2}" y="{height - 8}" text-anchor="middle">{axis}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'font-family="system-ui, Helvetica, Arial, sans-serif" font-size="13" fill="{INK}">{"".join(parts)}</svg>'
    )


def _mark(line: Line, at: Callable[[float], float], y: float) -> list[str]:
    name = line.name if len(line.name) <= 33 else line.name[:32] + "…"
    return [
        f'<text x="{_NAMES - 10}" y="{y + 4}" text-anchor="end">{escape(name)}</text>',
        f'<line x1="{at(line.low)}" y1="{y}" x2="{at(line.high)}" y2="{y}" stroke="{line.colour}" stroke-width="2"/>',
        f'<circle cx="{at(line.value)}" cy="{y}" r="6" fill="{PAPER if line.hollow else line.colour}" '
        f'stroke="{line.colour}" stroke-width="2"/>',
        f'<text x="{max(at(line.value), at(line.high)) + 8}" y="{y + 4}" fill="{INK}">{_value(line.value)}</text>',
    ]


def _value(value: float) -> str:
    """Three digits, and whole numbers with separators from a thousand on."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _ticks(low: float, high: float) -> list[float]:
    """Four to nine round numbers between the ends."""
    rough = (high - low) / 6
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * digit for digit in (1, 2, 5, 10) if power * digit >= rough)
    first = int(low // step) + (low % step > 0)
    return [round(step * i, 10) for i in range(first, int(high // step) + 1)]
