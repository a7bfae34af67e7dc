"""Money and time: what a call, a job and a whole project cost, when tuning pays, and how sure that is.

Pure functions on the dated prices of :mod:`helpers.facts`. All money is USD, all token counts are plain numbers of
tokens. A price that is not known makes the result unknown (``Cost.total`` is None, NaN in a table), never 0; every
result carries the dates, sources and remarks of the facts it rests on.

    >>> from helpers import costs
    >>> costs.training_cost("gpt-4o-mini", file_tokens=100_000, epochs=3).total
    0.9

From the numbers of a job to what a calculator says::

    workload   the job in numbers, each with its bounds; ``counted`` reads some of them off a file
    options    the ways to do it, and which are worth comparing
    calls      what a call costs
    training   what a training job costs, and how long it takes
    bill       a workload and an option's prices turned into the whole bill
    cost       what a bill is: parts, sources, remarks; amounts in words
    comparing  bills beside each other, the break-even, and how sure it is
    curves     the same over the number of calls, for charts
    choosing   a calculator's numbers, what it compares first, its finding in words
    tables/    bills and the article's sums as pandas tables
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from helpers.costs.bill import PARTS, most_calls, total_cost
from helpers.costs.calls import ladder_cost, one_call_cost
from helpers.costs.choosing import (
    CAVEAT,
    DIALS,
    FIELDS,
    Dial,
    amounts,
    cheapest,
    compared_first,
    default_pair,
    label,
    unsure,
)
from helpers.costs.comparing import BreakEven, Chance, bills, break_even, dearest_last, probability_cheaper
from helpers.costs.cost import HOURS_A_MONTH, Cost, about, dollars
from helpers.costs.curves import Curve, Curves, curves
from helpers.costs.options import Option, options
from helpers.costs.training import Epochs, JobEstimate, job_estimate, predicted_epochs, training_cost
from helpers.costs.workload import Workload

__all__ = [
    "CAVEAT",
    "DIALS",
    "FIELDS",
    "HOURS_A_MONTH",
    "PARTS",
    "BreakEven",
    "Chance",
    "Cost",
    "Counted",
    "Curve",
    "Curves",
    "Dial",
    "Epochs",
    "JobEstimate",
    "Option",
    "Workload",
    "about",
    "amounts",
    "article_training",
    "bills",
    "break_even",
    "cheapest",
    "compare",
    "compared_first",
    "count",
    "curves",
    "dearest_last",
    "default_pair",
    "dollars",
    "job_estimate",
    "label",
    "ladder_cost",
    "most_calls",
    "one_call_cost",
    "options",
    "predicted_epochs",
    "probability_cheaper",
    "sensitivity",
    "short_against_cached",
    "total_cost",
    "training_cost",
    "training_durations",
    "tuned_against_base",
    "unsure",
]

_AROUND = {
    "tables.article": ("article_training", "short_against_cached", "training_durations", "tuned_against_base"),
    "counted": ("Counted", "count"),
    "tables.frames": ("compare", "sensitivity"),
}  # fmt: skip
"""Tables and token counts, which need pandas and vocabularies: they are put around the rest, which needs the standard
library alone."""


def __getattr__(name: str) -> Any:
    for module, names in _AROUND.items():
        if name in names:
            return getattr(import_module(f"helpers.costs.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
