"""Bills as tables: options beside each other, and what the answer hangs on."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import date

import pandas

from helpers import facts
from helpers.costs.bill import total_cost
from helpers.costs.comparing import bills
from helpers.costs.cost import number
from helpers.costs.options import Option
from helpers.costs.workload import Workload, bounds


def compare(
    workload: Workload, chosen: Iterable[Option | str] | None = None, on: date | None = None
) -> pandas.DataFrame:
    """Every option's whole bill, cheapest first, unknown totals last (NaN, never 0).

    Columns: ``option`` (id), ``label``, ``kind``, ``state`` (of tuning there), ``mark`` (that and the date on which
    something ends, where it matters for this job), ``total``, ``per_call`` (total over all calls), ``per_month``, every
    one of :data:`~helpers.costs.bill.PARTS`, ``unknown`` (parts without a price), ``as_of`` (the oldest fact),
    ``how_known``, ``source``, ``remarks``, ``notes`` (these three as a tuple, for a list). Money in USD.
    ``attrs["age"]``: how old the newest price is, if stale.

    Args:
        workload: the job.
        chosen: options or their ids; default :func:`~helpers.costs.options.options`.
        on: the day whose prices count; today by default.

    Raises:
        CostError: not an option.
        FactsError: a model, provider or day without a row.
    """
    rows, age = bills(workload, chosen, on)
    table = pandas.DataFrame(rows)
    table.attrs["age"] = age
    return table


def sensitivity(
    workload: Workload, first: Option | str, second: Option | str, on: date | None = None, factor: float = 2.0
) -> pandas.DataFrame:
    """What the answer hangs on: each number of the workload alone divided and multiplied by ``factor``.

    ``saving`` is the second bill minus the first: positive, the first option is cheaper. Columns: ``input``, ``low``,
    ``now``, ``high`` (values), ``saving_low``, ``saving_now``, ``saving_high`` (USD), ``flips`` (whether the cheaper
    option changes). Widest swing first; NaN where a price is not known.

    Args:
        workload: the job.
        first: an option or its id.
        second: the one that it is compared with.
        on: the day whose prices count; today by default.
        factor: at least 1; 2 halves and doubles.

    Raises:
        CostError: a factor below 1, or not an option.
        FactsError: as :func:`compare`.
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
