"""Charts as plain SVG: for the record, which has to open without a network, without scripts, and on paper."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import pandas as pd

from helpers.records import Comparison

LEFT, WIDTH, LINE, TOP = 230, 720, 30, 20
INK, GREY, BLUE, ORANGE = "#1a1a1a", "#767676", "#0072b2", "#b35900"


def scores_svg(table: pd.DataFrame) -> str:
    """Score and interval of each candidate, one line each, from ``Results.table()``; scores are shares of rows."""
    rows = [(str(name), line.score, line.low, line.high) for name, line in table.iterrows()]
    return _dots(rows, 0.0, 1.0, "share of rows that are right", zero=False)


def comparisons_svg(comparisons: Sequence[Comparison]) -> str:
    """Paired differences with their intervals and the line of no difference, in points."""
    rows = [(f"{c.a} − {c.b}", c.difference, c.low, c.high) for c in comparisons]
    reach = max([0.1, *(abs(edge) for _, _, low, high in rows for edge in (low, high))])
    return _dots(rows, -reach, reach, "difference in points", zero=True)


def _dots(rows: Sequence[tuple[str, float, float, float]], least: float, most: float, axis: str, zero: bool) -> str:
    def x(value: float) -> float:
        return LEFT + (value - least) / (most - least) * (WIDTH - LEFT - 70)

    bottom = TOP + LINE * len(rows)
    ticks = [least + (most - least) * part / 4 for part in range(5)]
    parts = [f'<line x1="{x(t):.1f}" y1="{TOP}" x2="{x(t):.1f}" y2="{bottom}" stroke="#ddd"/>' for t in ticks]
    parts += [_text(x(t), bottom + 16, f"{100 * t:.0f}", GREY, "middle") for t in ticks]
    if zero:
        parts.append(f'<line x1="{x(0):.1f}" y1="{TOP}" x2="{x(0):.1f}" y2="{bottom}" stroke="{INK}"/>')
    for number, (name, value, low, high) in enumerate(rows):
        y = TOP + LINE * (number + 0.5)
        colour = ORANGE if name.startswith("tuned") and not zero else BLUE
        parts += [
            _text(LEFT - 10, y + 4, name, INK, "end"),
            f'<line x1="{x(low):.1f}" y1="{y}" x2="{x(high):.1f}" y2="{y}" stroke="{colour}" stroke-width="2"/>',
            f'<circle cx="{x(value):.1f}" cy="{y}" r="5" fill="{colour}"/>',
            _text(WIDTH - 5, y + 4, f"{100 * value:.0f}", INK, "end"),
        ]
    parts.append(_text((LEFT + WIDTH) / 2, bottom + 36, f"{axis} (in %)" if not zero else axis, GREY, "middle"))
    body = "\n".join(parts)
    style = 'font-family="sans-serif" font-size="13"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 46}" {style}>{body}</svg>'


def _text(x: float, y: float, text: str, colour: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}">{escape(text)}</text>'
