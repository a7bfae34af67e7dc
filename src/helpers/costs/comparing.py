"""Options beside each other: their bills, the break-even, and how sure it is."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from functools import reduce
from itertools import repeat
from random import Random
from statistics import quantiles
from types import SimpleNamespace
from typing import Any

from helpers import facts
from helpers.costs.bill import PARTS, bill, most_calls, rates, total_cost
from helpers.costs.cost import Cost, about, dollars, number
from helpers.costs.options import Option, options
from helpers.costs.workload import Workload
from helpers.errors import CostError
from helpers.formatting import percent, plural

SHARES = ("cache_hit_rate", "batch_share")


def bills(
    workload: Workload, chosen: Iterable[Option | str] | None = None, on: date | None = None
) -> tuple[list[dict[str, Any]], str]:
    """Every option's whole bill as a mapping, cheapest first, unknown totals last (NaN, never 0), and in words how old
    the newest price is, if stale. The keys are the columns of :func:`helpers.costs.compare`.

    Args:
        workload: the job.
        chosen: options or their ids; :func:`~helpers.costs.options.options` by default.
        on: the day whose prices count; today by default.

    Raises:
        CostError: not an option.
        FactsError: a model, provider or day without a row.
    """
    day = on or facts.today()
    chosen = [Option.parse(one) for one in (options(day) if chosen is None else chosen)]
    found = [total_cost(workload, option, day) for option in chosen]
    rows = [_row(workload, option, cost, day) for option, cost in zip(chosen, found, strict=True)]
    return sorted(rows, key=dearest_last), _age(found, day)


def dearest_last(bill: Mapping[str, Any]) -> tuple[bool, float]:
    """What to sort bills by: the total, an unknown one behind all others."""
    unknown = math.isnan(bill["total"])
    return unknown, 0 if unknown else bill["total"]


def _row(workload: Workload, option: Option, cost: Cost, day: date) -> dict[str, Any]:
    total = math.nan if cost.total is None else cost.total
    calls = workload.calls_per_month * workload.months
    return {
        "option": option.id,
        "label": option.label,
        "kind": option.kind,
        "state": rates(option, day).state,
        "mark": rates(option, day).mark(day, workload.months),
        "total": total,
        "per_call": total / calls if calls else math.nan,
        "per_month": total / workload.months,
        **{part: math.nan if cost.parts[part] is None else cost.parts[part] for part in PARTS},
        "unknown": ", ".join(cost.unknown),
        "as_of": cost.as_of,
        "how_known": cost.how_known,
        "source": cost.source,
        "remarks": "; ".join(cost.remarks),
        "notes": cost.notes,
    }


def _age(costs: list[Cost], day: date) -> str:
    """How old the newest price under some bills is, as a sentence to be said first; empty while it is fresh."""
    return facts.age([row for cost in costs for row in cost.rows], day)


@dataclass(frozen=True)
class BreakEven:
    """Where one option becomes cheaper than another.

    Attributes:
        state: ``"above"`` (the first option is cheaper above ``calls``), ``"below"``, ``"always"``, ``"never"`` or
            ``"unknown"``.
        calls: calls a month at which both cost the same; None unless above or below.
        sentence: the finding in words, with the reason.
        first: the first option's bill at no calls and for each further call a month, over the whole job: USD, USD.
        second: the same of the second.
    """

    state: str
    calls: float | None
    sentence: str
    first: tuple[float | None, float | None]
    second: tuple[float | None, float | None]


def _line(workload: Workload, option: Option, day: date) -> tuple[float | None, float | None, Cost]:
    """The bill as a straight line in calls a month: USD at none, USD for each further one."""
    idle = total_cost(replace(workload, calls_per_month=0), option, day)
    busy = total_cost(replace(workload, calls_per_month=1e6), option, day)
    if idle.total is None or busy.total is None:
        return None, None, idle
    return idle.total, (busy.total - idle.total) / 1e6, idle


def break_even(workload: Workload, tuned: Option | str, prompted: Option | str, on: date | None = None) -> BreakEven:
    """At how many calls a month the first option becomes cheaper than the second over the whole job, or why never.

    Args:
        workload: the job; all but its calls a month is kept.
        tuned: the first option or its id.
        prompted: the second.
        on: the day whose prices count; today by default.

    Raises:
        CostError: not an option.
        FactsError: a model, provider or day without a row.
    """
    day = on or facts.today()
    tuned, prompted = Option.parse(tuned), Option.parse(prompted)
    (fixed_a, each_a, cost_a), (fixed_b, each_b, cost_b) = (_line(workload, one, day) for one in (tuned, prompted))
    a, b = tuned.label, prompted.label
    if fixed_a is None or fixed_b is None:
        gaps = "; ".join(f"{name}: {', '.join(c.unknown)}" for name, c in ((a, cost_a), (b, cost_b)) if c.unknown)
        state, calls, said = "unknown", None, f"Cannot tell: no price is known for part of the bill ({gaps})."
    else:
        state, calls = crossing(fixed_a - fixed_b, each_b - each_a)
        said = _finding(state, calls, a, b, (fixed_a - fixed_b) / workload.months, (each_b - each_a) / workload.months)
    marks = {f"“{one.label}”": rates(one, day).mark(day, workload.months) for one in (tuned, prompted)}
    said += "".join(f" Note that {label} is marked: {mark}." for label, mark in marks.items() if mark)
    most = most_calls(workload, tuned)
    if most is not None and state == "above" and calls > most:
        said += (
            f" But at {workload.seconds_per_call:g} s a call {plural(workload.replicas, 'machine')} can answer at most "
            f"{about(most)} calls a month: the machines needed for more calls are not included."
        )
    return BreakEven(state, calls, said, (fixed_a, each_a), (fixed_b, each_b))


def crossing(extra: float, saving: float) -> tuple[str, float | None]:
    """Where ``extra`` fixed USD are earned back: "above" or "below" so many calls a month, "always" or "never".

    Args:
        extra: fixed USD that the first option costs more than the second.
        saving: USD that it saves for each call a month.
    """
    if saving > 0:
        return ("above", extra / saving) if extra > 0 else ("always", None)
    if saving < 0:
        return ("below", extra / saving) if extra < 0 else ("never", None)
    return ("never", None) if extra >= 0 else ("always", None)


def _finding(state: str, calls: float | None, a: str, b: str, extra: float, saving: float) -> str:
    each = f"{dollars(abs(saving))} {'less' if saving > 0 else 'more'} for each call" if saving else "the same a call"
    fixed = f"{dollars(abs(extra))} a month {'more' if extra > 0 else 'less'} before the first call"
    beside, at = f"Compared with “{b}”, “{a}” costs {fixed} and {each}", calls and about(calls)
    return {
        "above": f"{beside}: it is cheaper from about {at} calls a month on.",
        "below": f"{beside}: it is cheaper only up to about {at} calls a month.",
        "always": f"{beside}: it is cheaper at every volume.",
        "never": f"{beside}: it never pays.",
    }[state]


class Draws:
    """One number drawn at random many times, so that the sums of a bill work on it as on a plain number.

    Sums, products, quotients and comparisons go draw by draw, with plain numbers too.

    Args:
        values: one number a draw.
    """

    __slots__ = ("values",)

    def __init__(self, values: Iterable[float]) -> None:
        self.values = list(values)

    def _with(self, other: Any, does: Callable[[Any, Any], Any]) -> Draws:
        return Draws(map(does, self.values, other.values if isinstance(other, Draws) else repeat(other)))

    def __add__(self, other: Any) -> Draws:
        return self._with(other, operator.add)

    def __sub__(self, other: Any) -> Draws:
        return self._with(other, operator.sub)

    def __mul__(self, other: Any) -> Draws:
        return self._with(other, operator.mul)

    def __truediv__(self, other: Any) -> Draws:
        return self._with(other, operator.truediv)

    def __rsub__(self, other: Any) -> Draws:
        return Draws(map(operator.sub, repeat(other), self.values))

    def __lt__(self, other: Any) -> Draws:
        return self._with(other, operator.lt)

    def __le__(self, other: Any) -> Draws:
        return self._with(other, operator.le)

    def __gt__(self, other: Any) -> Draws:
        return self._with(other, operator.gt)

    def __ge__(self, other: Any) -> Draws:
        return self._with(other, operator.ge)

    __radd__, __rmul__ = __add__, __mul__


@dataclass(frozen=True)
class Chance:
    """How often the first option was cheaper in a simulation.

    Attributes:
        probability: share of draws in which it was; None where a price is not known.
        saving: 5th, 50th and 95th percentile of second minus first, in USD over the whole job.
        n: draws.
        seed: seed of the draws: the same seed gives the same answer.
        sentence: all of it in words.
    """

    probability: float | None
    saving: tuple[float, float, float] | None
    n: int
    seed: int
    sentence: str


def probability_cheaper(
    workload: Workload,
    first: Option | str,
    second: Option | str,
    ranges: Mapping[str, tuple[float, float]],
    on: date | None = None,
    n: int = 4000,
    seed: int = 0,
) -> Chance:
    """How likely the first option is the cheaper one when some numbers are only known as ranges.

    Each named number is drawn from its range independently: evenly on a logarithmic scale (half and double are equally
    far), evenly on the plain scale for shares and for ranges that begin at 0. The probability says nothing about
    numbers that were given as points.

    Args:
        workload: the job; numbers without a range stay as they are.
        first: the option that may be cheaper, or its id.
        second: the one that it is compared with.
        ranges: workload name → ``(low, high)``.
        on: the day whose prices count; today by default.
        n: how many jobs are drawn, at least 2.
        seed: the same one draws the same jobs.

    Raises:
        CostError: a range of an unknown name, upside down, or with ends that make no sense; or not an option.
    """
    day = on or facts.today()
    first, second = Option.parse(first), Option.parse(second)
    drawn = _draw(workload, ranges, int(number("n", n, least=2)), Random(seed))
    a, b = (bill(drawn, one, rates(one, day)) for one in (first, second))
    gaps = sorted({part for usd in (a, b) for part, value in usd.items() if value is None})
    if gaps:
        return Chance(None, None, n, seed, f"Cannot tell: no price is known for {', '.join(gaps)}.")
    totals = [reduce(operator.add, usd.values()) for usd in (a, b)]  # sum() rounds otherwise from Python 3.12 on
    saving = totals[1] - totals[0]
    savings = saving.values if isinstance(saving, Draws) else [saving] * n
    share = sum([usd > 0 for usd in savings]) / n
    twentieths = quantiles(savings, n=20, method="inclusive")
    low, middle, high = twentieths[0], twentieths[9], twentieths[18]
    often = {0.0: "none", 1.0: "all"}.get(share, percent(share))
    whole = max(map(abs, (low, middle, high))) >= 1000  # one precision for all three
    sentence = (
        f"“{first.label}” is cheaper than “{second.label}” in {often} of {n:,} draws. In the median draw it "
        f"{_saves(middle, whole)}; nine of ten draws lie between “{_saves(low, whole)}” and “{_saves(high, whole)}”."
    )
    return Chance(share, (low, middle, high), n, seed, sentence)


def _saves(usd: float, whole: bool) -> str:
    size = f"${abs(usd):,.0f}" if whole else dollars(abs(usd))
    return f"saves {size}" if usd >= 0 else f"costs {size} more"


def _draw(workload: Workload, ranges: Mapping[str, tuple[float, float]], n: int, random: Random) -> SimpleNamespace:
    names = {f.name for f in fields(Workload)}
    values = {name: getattr(workload, name) for name in names}
    for name, ends in ranges.items():
        if name not in names:
            raise CostError("A workload has no such number.", got=name, fix=f"Use one of {', '.join(sorted(names))}.")
        low, high = (number(f"{name}, {end}", value) for end, value in zip(("low", "high"), ends, strict=True))
        if low > high:
            raise CostError(
                f"The range of {name} is the wrong way round.", got=f"({low:g}, {high:g})", fix="Pass (low, high)."
            )
        for end in (low, high):
            replace(workload, **{"cacheable": 0.0} | {name: end})  # raises where an end makes no sense
        values[name] = _between(low, high, [random.random() for _ in range(n)], plain=name in SHARES)
    held, prompt = values["cacheable"], values["tokens_in"]
    values["cacheable"] = held * (held <= prompt) + prompt * (held > prompt)
    return SimpleNamespace(**values)


def _between(low: float, high: float, places: list[float], *, plain: bool) -> Draws:
    """Numbers at these places (0 to 1) between two ends, on a logarithmic scale unless it is a share or begins at 0."""
    if plain or low == 0:
        return Draws([low + (high - low) * place for place in places])
    return Draws([low * (high / low) ** place for place in places])
