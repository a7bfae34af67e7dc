"""The chart of bills as SVG, for the page and for its record: no library, no script.

Colours are variables of the page with a fallback, so that the same picture is right in a dark page, in a light one, and
in a record, where no page lends it any.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from html import escape

from helpers.costs import Curves, about

WIDTH, PLOT, LEFT, RIGHT, TOP, BOTTOM, ROW = 720, 330, 78, 22, 14, 50, 22
LOOK = {
    "prompt": "var(--chart-prompt, #0072B2)",
    "few-shot": "var(--chart-few, #007A59)",
    "tuned": "var(--chart-tuned, #D55E00)",
    "own": "var(--chart-own, #1F2328)",
}
INK, QUIET, GRID, PAPER = (
    "var(--ink, #1F2328)",
    "var(--quiet, #5B6570)",
    "var(--grid, #DFE3E8)",
    "var(--paper, #FFFFFF)",
)
DASHES = ("", "8 4", "2 4", "10 4 2 4")


def svg(found: Curves, months: float) -> str:
    """Bills against calls a month, both on logarithmic axes, with a legend below.

    Args:
        found: what :func:`helpers.costs.curves` computes.
        months: how long the job runs.
    """
    drawn = [curve for curve in found.curves if len(curve.calls) > 1]
    amounts = [usd for curve in drawn for usd in curve.usd if usd > 0] or [1, 100]
    calls = [at for curve in drawn for at in curve.calls] or [1, 100]
    across = _Axis(min(calls), max(calls), LEFT, WIDTH - RIGHT)
    up = _Axis(min(amounts) / 1.15, max(amounts) * 1.15, TOP + PLOT, TOP)
    height = TOP + PLOT + BOTTOM + ROW * len(drawn) + 6
    parts = [f'<rect width="{WIDTH}" height="{height}" style="fill:{PAPER}"/>', *_grid(across, up, months)]
    if min(calls) <= found.here <= max(calls):
        parts.append(_line([(across(found.here), TOP), (across(found.here), TOP + PLOT)], QUIET, "2 4", 1.5))
    seen: dict[str, int] = {}
    for row, curve in enumerate(drawn):
        nth = seen[curve.option.kind] = seen.get(curve.option.kind, -1) + 1
        colour, dash = LOOK[curve.option.kind], DASHES[nth % len(DASHES)]
        parts.append(_line([(across(c), up(usd)) for c, usd in zip(curve.calls, curve.usd, strict=True)], colour, dash))
        y = TOP + PLOT + BOTTOM + ROW * row + 10
        parts.append(_line([(LEFT, y), (LEFT + 44, y)], colour, dash))
        parts.append(_text(LEFT + 56, y + 4, curve.option.label))
    if found.star:
        x, y = across(found.star[0]), up(found.star[1])
        side = "end" if x > WIDTH / 2 else "start"
        parts.append(f'<path d="{_star(x, y, 9)}" style="fill:{INK};stroke:{PAPER}"/>')
        label = f"{about(found.star[0])} calls a month"
        parts.append(_text(x + (-14 if side == "end" else 14), y - 10, label, side, bold=True))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(found.title)}. {escape(found.sentence)}" font-family="system-ui, Segoe UI, Helvetica, '
        f'Arial, sans-serif" font-size="13">{"".join(parts)}</svg>'
    )


class _Axis:
    """A logarithmic axis: where an amount lies between two ends in the picture."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high, self.start, self.end = math.log10(low), math.log10(high), start, end

    def __call__(self, amount: float) -> float:
        share = (math.log10(max(amount, 1e-9)) - self.low) / ((self.high - self.low) or 1)
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)

    def marks(self, most_digits: tuple[int, ...]) -> list[float]:
        """Powers of ten, and where these are few also their multiples."""
        powers = range(math.floor(self.low), math.ceil(self.high) + 1)
        digits = most_digits if self.high - self.low < 3 else (1,)
        marks = [digit * 10.0**power for power in powers for digit in digits]
        return [mark for mark in marks if self.low <= math.log10(mark) <= self.high]


def _grid(across: _Axis, up: _Axis, months: float) -> Iterable[str]:
    for usd in up.marks((1, 2, 5)):
        yield _line([(LEFT, up(usd)), (WIDTH - RIGHT, up(usd))], GRID, "", 1)
        yield _text(LEFT - 8, up(usd) + 4, f"${usd:,.0f}" if usd >= 1 else f"${usd:g}", "end", QUIET)
    for calls in across.marks((1,)):
        yield _line([(across(calls), TOP), (across(calls), TOP + PLOT)], GRID, "", 1)
        yield _text(across(calls), TOP + PLOT + 18, _short(calls), "middle", QUIET)
    yield _text(
        (LEFT + WIDTH - RIGHT) / 2,
        TOP + PLOT + 38,
        f"calls a month, against USD over {months:g} months",
        "middle",
        QUIET,
    )


def _short(calls: float) -> str:
    """A power of ten on an axis: 100, 10k, 1M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if calls >= size:
            return f"{calls / size:g}{letter}"
    return f"{calls:g}"


def _line(points: list[tuple[float, float]], colour: str, dash: str = "", width: float = 2.2) -> str:
    at = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dashed = f";stroke-dasharray:{dash}" if dash else ""
    return f'<polyline points="{at}" style="fill:none;stroke:{colour};stroke-width:{width}{dashed}"/>'


def _text(x: float, y: float, words: str, anchor: str = "start", colour: str = INK, *, bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight} style="fill:{colour}">'
        f"{escape(words, quote=False)}</text>"
    )


def _star(x: float, y: float, size: float) -> str:
    turns = [(size if at % 2 == 0 else size * 0.42, math.pi * at / 5 - math.pi / 2) for at in range(10)]
    corners = " ".join(f"{x + r * math.cos(a):.1f},{y + r * math.sin(a):.1f}" for r, a in turns)
    return f"M{corners.replace(' ', ' L')}Z"
