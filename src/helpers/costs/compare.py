"""Options beside each other: the table, the break-even, what the answer hangs on, and how sure it is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from types import SimpleNamespace

import numpy as np
import pandas

from helpers import facts
from helpers.costs.cost import Cost, about, dollars, number
from helpers.costs.options import PARTS, Option, bill, most_calls, options, rates, total_cost
from helpers.costs.workload import Workload, bounds
from helpers.errors import CostError

SHARES = ("cache_hit_rate", "batch_share")


def compare(
    workload: Workload, chosen: Iterable[Option | str] | None = None, on: date | None = None
) -> pandas.DataFrame:
    """Every option's whole bill, cheapest first, unknown totals last (NaN, never 0).

    Columns: ``option`` (id), ``label``, ``kind``, ``state`` (of tuning there), ``mark`` (that and the date on which
    something ends, where it matters for this job), ``total``, ``per_call`` (total over all calls), ``per_month``, every
    one of :data:`~helpers.costs.options.PARTS`, ``unknown`` (parts without a price), ``as_of`` (the oldest fact),
    ``how_known``, ``source``, ``remarks``. Money in USD. ``attrs["age"]``: how old the newest price is, if stale.

    Args:
        chosen: options or their ids; default :func:`~helpers.costs.options.options`.

    Raises:
        CostError: not an option. FactsError: a model, provider or day without a row.
    """
    day = on or facts.today()
    chosen = [Option.parse(one) for one in (options(day) if chosen is None else chosen)]
    bills = [total_cost(workload, option, day) for option in chosen]
    table = pandas.DataFrame([_row(workload, option, cost, day) for option, cost in zip(chosen, bills, strict=True)])
    if len(table):
        table = table.sort_values("total", kind="stable", na_position="last", ignore_index=True)
    table.attrs["age"] = _age(bills, day)
    return table


def _row(workload: Workload, option: Option, cost: Cost, day: date) -> dict[str, object]:
    total = math.nan if cost.total is None else cost.total
    calls = workload.calls_per_month * workload.months
    return {
        "option": option.id,
        "label": option.label,
        "kind": option.kind,
        "state": rates(option, day).state,
        "mark": rates(option, day).mark(day + timedelta(days=30 * workload.months)),
        "total": total,
        "per_call": total / calls if calls else math.nan,
        "per_month": total / workload.months,
        **{part: math.nan if cost.parts[part] is None else cost.parts[part] for part in PARTS},
        "unknown": ", ".join(cost.unknown),
        "as_of": cost.as_of,
        "how_known": cost.how_known,
        "source": cost.source,
        "remarks": "; ".join(cost.remarks),
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

    Raises:
        CostError: not an option. FactsError: a model, provider or day without a row.
    """
    day = on or facts.today()
    tuned, prompted = Option.parse(tuned), Option.parse(prompted)
    (fixed_a, each_a, cost_a), (fixed_b, each_b, cost_b) = (_line(workload, one, day) for one in (tuned, prompted))
    a, b = tuned.label, prompted.label
    if fixed_a is None or fixed_b is None:
        gaps = "; ".join(f"{name}: {', '.join(c.unknown)}" for name, c in ((a, cost_a), (b, cost_b)) if c.unknown)
        state, calls, said = "unknown", None, f"Cannot tell: no price is known for part of the bill ({gaps})."
    else:
        state, calls = _crossing(fixed_a - fixed_b, each_b - each_a)
        said = _finding(state, calls, a, b, (fixed_a - fixed_b) / workload.months, (each_b - each_a) / workload.months)
    until = day + timedelta(days=30 * workload.months)
    marks = {f"“{one.label}”": rates(one, day).mark(until) for one in (tuned, prompted)}
    said += "".join(f" Note that {label} is marked: {mark}." for label, mark in marks.items() if mark)
    most = most_calls(workload, tuned)
    if most is not None and calls and state == "above" and calls > most:
        said += (
            f" But at {workload.seconds_per_call:g} s a call {workload.replicas:g} machine(s) answer at most "
            f"{about(most)} calls a month: the machines needed for more calls are not included."
        )
    return BreakEven(state, calls, said, (fixed_a, each_a), (fixed_b, each_b))


def _crossing(extra: float, saving: float) -> tuple[str, float | None]:
    """Where ``extra`` fixed USD are earned back by ``saving`` USD for each call a month."""
    if saving > 0:
        return ("above", extra / saving) if extra > 0 else ("always", None)
    if saving < 0:
        return ("below", extra / saving) if extra < 0 else ("never", None)
    return ("never", None) if extra >= 0 else ("always", None)


def _finding(state: str, calls: float | None, a: str, b: str, extra: float, saving: float) -> str:
    each = f"{dollars(abs(saving))} {'less' if saving > 0 else 'more'} for each call" if saving else "the same a call"
    fixed = f"{dollars(abs(extra))} a month {'more' if extra > 0 else 'less'} before the first call"
    beside = f"Compared with “{b}”, “{a}” costs {fixed} and {each}"
    return {
        "above": f"{beside}: it is cheaper from about {about(calls or 0)} calls a month on.",
        "below": f"{beside}: it is cheaper only up to about {about(calls or 0)} calls a month.",
        "always": f"{beside}: it is cheaper at every volume.",
        "never": f"{beside}: it never pays.",
    }[state]


def sensitivity(
    workload: Workload, first: Option | str, second: Option | str, on: date | None = None, factor: float = 2.0
) -> pandas.DataFrame:
    """What the answer hangs on: each number of the workload alone divided and multiplied by ``factor``.

    ``saving`` is the second bill minus the first: positive, the first option is cheaper. Columns: ``input``, ``low``,
    ``now``, ``high`` (values), ``saving_low``, ``saving_now``, ``saving_high`` (USD), ``flips`` (whether the cheaper
    option changes). Widest swing first; NaN where a price is not known.

    Raises:
        CostError: a factor of at most 1, or not an option. FactsError: as :func:`compare`.
    """
    day = on or facts.today()
    number("factor", factor, least=1)
    first, second = Option.parse(first), Option.parse(second)
    now = _saving(workload, first, second, day)
    rows = []
    for name in (f.name for f in fields(Workload)):
        value = getattr(workload, name)
        low, high = (_changed(workload, name, value * times) for times in (1 / factor, factor))
        a, b = (_saving(w, first, second, day) for w in (low, high))
        flips = (now > 0) != (a > 0) or (now > 0) != (b > 0)
        rows.append(
            {
                "input": name,
                "low": getattr(low, name),
                "now": value,
                "high": getattr(high, name),
                "saving_low": a,
                "saving_now": now,
                "saving_high": b,
                "flips": flips,
            }  # fmt: skip
        )
    table = pandas.DataFrame(rows)
    swing = (table["saving_high"] - table["saving_low"]).abs()
    return table.loc[swing.sort_values(ascending=False, kind="stable").index].reset_index(drop=True)


def _changed(workload: Workload, name: str, value: float) -> Workload:
    """The workload with one number changed, kept within its bounds; a prefix never outgrows its prompt."""
    least, most = bounds(name)
    changes = {"tokens_in": workload.tokens_in, "cacheable": workload.cacheable, name: min(max(value, least), most)}
    changes["cacheable"] = min(changes["cacheable"], changes["tokens_in"])
    return replace(workload, **changes)


def _saving(workload: Workload, first: Option, second: Option, day: date) -> float:
    a, b = total_cost(workload, first, day).total, total_cost(workload, second, day).total
    return math.nan if a is None or b is None else b - a


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
        ranges: workload name → ``(low, high)``.

    Raises:
        CostError: a range of an unknown name, upside down, or with ends that make no sense; or not an option.
    """
    day = on or facts.today()
    first, second = Option.parse(first), Option.parse(second)
    drawn = _draw(workload, ranges, int(number("n", n, least=1)), np.random.default_rng(seed))
    bills = [bill(drawn, one, rates(one, day)) for one in (first, second)]
    gaps = sorted({part for usd in bills for part, value in usd.items() if value is None})
    if gaps:
        return Chance(None, None, n, seed, f"Cannot tell: no price is known for {', '.join(gaps)}.")
    a, b = (np.broadcast_to(sum(usd.values()), n) for usd in bills)
    saving = b - a
    share = float(np.mean(saving > 0))
    low, middle, high = (float(x) for x in np.percentile(saving, (5, 50, 95)))
    often = {0.0: "none", 1.0: "all"}.get(share, f"{share:.0%}")
    sentence = (
        f"“{first.label}” is cheaper than “{second.label}” in {often} of {n:,} draws. In the median draw it "
        f"{_saves(middle)}; nine of ten draws lie between “{_saves(low)}” and “{_saves(high)}”."
    )
    return Chance(share, (low, middle, high), n, seed, sentence)


def _saves(usd: float) -> str:
    return f"saves {dollars(usd)}" if usd >= 0 else f"costs {dollars(-usd)} more"


def _draw(
    workload: Workload, ranges: Mapping[str, tuple[float, float]], n: int, rng: np.random.Generator
) -> SimpleNamespace:
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
        logarithmic = low > 0 and name not in SHARES
        values[name] = np.exp(rng.uniform(np.log(low), np.log(high), n)) if logarithmic else rng.uniform(low, high, n)
    values["cacheable"] = np.minimum(values["cacheable"], values["tokens_in"])
    return SimpleNamespace(**values)
