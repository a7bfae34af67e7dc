"""The whole bill of each option against calls a month, as points and words: charts only draw it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from helpers.costs.bill import most_calls, total_cost
from helpers.costs.choosing import default_pair
from helpers.costs.comparing import BreakEven, bills, break_even
from helpers.costs.cost import about
from helpers.costs.options import Option, options
from helpers.costs.workload import Workload

MAX_CALLS = 1e8
POINTS = 25


@dataclass(frozen=True)
class Curve:
    """One option's bill: ``calls`` a month, and ``usd`` over the whole job at each of them."""

    option: Option
    calls: tuple[float, ...]
    usd: tuple[float, ...]


@dataclass(frozen=True)
class Curves:
    """A chart of bills.

    Attributes:
        title: the finding.
        sentence: how to read the chart.
        curves: one an option whose price is known.
        here: the reader's own calls a month.
        star: the break-even, as calls a month and USD over the job; None where there is none to be drawn.
    """

    title: str
    sentence: str
    curves: tuple[Curve, ...]
    here: float
    star: tuple[float, float] | None


def curves(
    workload: Workload,
    chosen: Sequence[Option | str] | None = None,
    pair: tuple[Option | str | None, Option | str | None] | None = None,
    on: date | None = None,
) -> Curves:
    """The chart of these options; see :func:`helpers.show.cost_curves` for the arguments.

    Args:
        workload: the job; its volume is marked.
        chosen: options or their ids; :func:`~helpers.costs.options.options` by default.
        pair: two of them, whose break-even is marked; chosen by :func:`~helpers.costs.choosing.default_pair` when None.
        on: the day whose prices count; today by default.

    Raises:
        CostError: not an option.
        FactsError: a model, provider or day without a row.
    """
    chosen = [Option.parse(option) for option in (options(on) if chosen is None else chosen)]
    first, second = pair or default_pair(bills(workload, chosen, on)[0])
    finding = break_even(workload, first, second, on) if first and second else None
    star = bool(finding and finding.calls) and not _is_full(finding, first, workload)
    lines = _lines(workload, chosen, on)
    unknown = [option.label for option in chosen if option.id not in lines]
    said = (
        f"Whole bill over {workload.months:g} months, people's hours included. The dotted line is your volume"
        + (", the star the break-even." if star else ".")
        + " The line of your own machine ends where it is busy day and night." * any(o.kind == "own" for o in chosen)
        + f" Not drawn, because a price is not known: {', '.join(unknown)}." * bool(unknown)
    )
    calls = _axis(workload, finding)
    drawn = []
    for option in chosen:
        if option.id in lines:
            fixed, each = lines[option.id]
            reached = _within(calls, most_calls(workload, option))
            drawn.append(Curve(option, tuple(reached), tuple(round(fixed + each * c, 4) for c in reached)))
    at = None
    if star and calls[0] <= finding.calls <= calls[-1]:
        fixed, each = finding.first
        at = (finding.calls, fixed + each * finding.calls)
    title, sentence = _title(finding, first, second, workload), said + _coincide(drawn)
    return Curves(title, sentence, tuple(drawn), workload.calls_per_month, at)


def _coincide(drawn: Sequence[Curve]) -> str:
    """Which lines cannot be told apart because they are one; empty where none are."""
    alike: dict[tuple, list[str]] = {}
    for one in drawn:
        alike.setdefault((one.calls, one.usd), []).append(f"“{one.option.label}”")
    return "".join(
        f" {', '.join(names[:-1])} and {names[-1]} cost the same: their lines coincide."
        for names in alike.values()
        if len(names) > 1
    )


def _lines(workload: Workload, chosen: Sequence[Option], on: date | None) -> dict[str, tuple[float, float]]:
    """Option's id → USD at no calls, USD for each further call a month: every bill is a straight line in calls."""
    idle, busy = (replace(workload, calls_per_month=calls) for calls in (0, 1e6))
    bills = {one.id: [total_cost(load, one, on).total for load in (idle, busy)] for one in chosen}
    return {name: (a, (b - a) / 1e6) for name, (a, b) in bills.items() if a is not None and b is not None}


def _axis(workload: Workload, finding: BreakEven | None) -> list[float]:
    """Calls a month to draw: two powers of ten around the reader's volume, the break-even among them when near."""
    marks = [max(workload.calls_per_month, 100)]
    marks += [finding.calls] if finding and finding.calls and finding.calls < MAX_CALLS else []
    low, high = math.floor(math.log10(min(marks))) - 1, math.ceil(math.log10(max(marks))) + 1
    low = max(0, low)
    return [float(f"{10 ** (low + (high - low) * at / (POINTS - 1)):.3g}") for at in range(POINTS)]


def _within(calls: Sequence[float], most: float | None) -> list[float]:
    """The part of the axis that an option can answer, its last point at the most."""
    return list(calls) if most is None else [c for c in calls if c < most] + [most] * (calls[0] < most <= calls[-1])


def _is_full(finding: BreakEven, first: Option | str, workload: Workload) -> bool:
    """Whether a machine of one's own has no more hours where it would become the cheaper one."""
    most = most_calls(workload, Option.parse(first))
    return finding.state == "above" and most is not None and finding.calls > most


def _title(
    finding: BreakEven | None, first: Option | str | None, second: Option | str | None, workload: Workload
) -> str:
    if finding is None:
        return "Choose a tuned option and a prompted one to see when tuning pays"
    a, b, calls = Option.parse(first).label, Option.parse(second).label, finding.calls and about(finding.calls)
    if _is_full(finding, first, workload):
        most = about(most_calls(workload, Option.parse(first)))
        return f"“{a}” is full at {most} calls a month, before it becomes cheaper than “{b}”"
    return {
        "above": f"“{a}” becomes cheaper than “{b}” above {calls} calls a month",
        "below": f"“{a}” is cheaper than “{b}” only below {calls} calls a month",
        "always": f"“{a}” is cheaper than “{b}” at every volume",
        "never": f"“{a}” never becomes cheaper than “{b}”",
        "unknown": f"Whether “{a}” pays beside “{b}” cannot be told: a price is not known",
    }[finding.state]
