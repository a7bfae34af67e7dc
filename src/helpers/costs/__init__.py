"""Money and time: what a call, a job and a whole project cost, when tuning pays, and how sure that is.

Pure functions on the dated prices of :mod:`helpers.facts`. All money is USD, all token counts are plain numbers of
tokens. A price that is not known makes the result unknown (``Cost.total`` is None, NaN in a table), never 0; every
result carries the dates, sources and remarks of the facts it rests on.

    >>> from helpers import costs
    >>> costs.training_cost("gpt-4o-mini", file_tokens=100_000, epochs=3).total
    0.9
"""

from __future__ import annotations

from helpers.costs.article import (
    article_training,
    short_against_cached,
    training_durations,
    training_hours,
    tuned_against_base,
)
from helpers.costs.bill import (
    Epochs,
    JobEstimate,
    job_estimate,
    ladder_cost,
    one_call_cost,
    predicted_epochs,
    training_cost,
)
from helpers.costs.compare import (
    BreakEven,
    Chance,
    break_even,
    compare,
    probability_cheaper,
    sensitivity,
)
from helpers.costs.cost import HOURS_A_MONTH, Cost, about, dollars
from helpers.costs.counted import Counted, count
from helpers.costs.options import PARTS, Option, monthly_cost, most_calls, options, total_cost
from helpers.costs.workload import Workload

__all__ = [
    "HOURS_A_MONTH",
    "PARTS",
    "BreakEven",
    "Chance",
    "Cost",
    "Counted",
    "Epochs",
    "JobEstimate",
    "Option",
    "Workload",
    "about",
    "article_training",
    "break_even",
    "compare",
    "count",
    "dollars",
    "job_estimate",
    "ladder_cost",
    "monthly_cost",
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
    "training_hours",
    "tuned_against_base",
]
