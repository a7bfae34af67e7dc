"""What a calculator asks for and says: its numbers with their words, what to compare first, and the finding in words.

The panel in JupyterLab and the page in a browser show the same; both take it from here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from helpers.costs.bill import PARTS
from helpers.costs.comparing import Chance, probability_cheaper
from helpers.costs.cost import dollars
from helpers.costs.workload import Workload, bounds


class Dial(NamedTuple):
    """A number with a slider: its label with unit, and the slider's ends (as powers of ten, or plain)."""

    label: str
    low: float
    high: float
    powers: bool = True


DIALS = {
    "calls_per_month": Dial("Calls a month", 1, 8),
    "tokens_in": Dial("Prompt, tokens a call", 1, 5),
    "cacheable": Dial("Prompt: the same each time", 0, 5),
    "tokens_out": Dial("Answer, tokens a call", 0, 4),
    "tuned_tokens_in": Dial("Prompt when tuned, tokens", 1, 5),
    "examples": Dial("Training examples", 1, 5),
    "label_minutes": Dial("Minutes to make an example", 0, 30, powers=False),
    "people_usd_per_hour": Dial("An hour of people, USD", 0, 200, powers=False),
    "months": Dial("Months", 1, 60, powers=False),
}

FIELDS = {
    "cache_hit_rate": "Cache hits (share, 0 to 1)",
    "batch_share": "Calls that can wait (share)",
    "shots_tokens": "Worked examples, tokens",
    "reasoning_tokens": "Thinking, tokens a call",
    "tokens_per_example": "Tokens a training example",
    "epochs": "Epochs",
    "validation_tokens": "Validation file, tokens",
    "evaluations_a_job": "Validations a job",
    "retrainings_per_year": "Retrainings a year",
    "prompt_hours": "Hours for prompts",
    "tuning_hours": "Hours for tuning",
    "review_hours_per_month": "Review, hours a month",
    "evaluation_rows": "Test rows",
    "evaluations_per_year": "Evaluations a year",
    "hosted_hours_per_month": "Deployed, hours a month",
    "replicas": "Deployments or machines",
    "stored_gb": "Stored model, GB",
    "training_hours": "Training here, hours",
    "seconds_per_call": "Seconds a call here",
    "machine_watts": "This machine, watts",
    "usd_per_kwh": "Electricity, USD per kWh",
    "machine_usd_per_month": "This machine, USD a month",
}


def label(name: str) -> str:
    """What a field of the workload is called where people read it.

    >>> label("people_usd_per_hour"), label("tuning_hours")
    ('An hour of people, USD', 'Hours for tuning')

    Args:
        name: the field's.
    """
    return DIALS[name].label if name in DIALS else FIELDS.get(name, name.replace("_", " "))


OVER = ("ended", "may have ended")
"""States of an option that nobody, or perhaps nobody, can have: shown with that mark, never named as the cheapest."""

CAVEAT = "These are costs only: whether the answers are good enough is for a test to say (lesson 4)."

RANGES = ("calls_per_month", "label_minutes", "tuning_hours", "months")
"""Numbers that nobody knows well beforehand: "how sure" draws each between half and double."""

Bills = Sequence[Mapping[str, Any]]
"""As :func:`helpers.costs.bills` gives them, cheapest first."""


def compared_first(bills: Bills) -> set[str]:
    """Ids of the options that teach most, to be ticked at first: never one that only some, or nobody, can have."""
    can_be_had = [one for one in bills if one["state"] == "open"]
    prompts = [one for one in can_be_had if _prompts(one) and not one["option"].endswith(":uncached")]
    tuned = [one for one in can_be_had if one["kind"] == "tuned" and _known(one)]
    hosted = [one for one in tuned if one["hosting"] > 0]
    return {one["option"] for one in (*prompts[:3], *tuned[:2], *hosted[:1])} | {"own:local/this-machine"}


def default_pair(bills: Bills) -> tuple[str | None, str | None]:
    """The cheapest tuned option that is open, and the cheapest prompted one that answers; None where there is none."""
    known = [one for one in bills if _known(one) and one["state"] == "open"]
    tuned = next((one["option"] for one in known if not _prompts(one)), None)
    return tuned, next((one["option"] for one in known if _prompts(one)), None)


def cheapest(bills: Bills, months: float) -> str:
    """The cheapest option that somebody can have, as a sentence; empty where no bill is known.

    Args:
        bills: from :func:`helpers.costs.bills`, cheapest first.
        months: how long the job runs; only said, not computed with.
    """
    best = next((one for one in bills if _known(one) and one["state"] not in OVER), None)
    if best is None:
        return ""
    mark = f" ({best['mark']})" if best["mark"] else ""
    return f"Cheapest of your options over {months:g} months: {best['label']}, {dollars(best['total'])}{mark}."


def amounts(bills: Bills) -> tuple[list[str], list[list[str]]]:
    """Bills as a table for people: what its columns are called behind the option's name, and each bill's amounts.

    Of the parts there are those that any of these bills has, the largest first.
    """
    parts = [part for part in PARTS if any(one[part] != 0 for one in bills)]
    parts.sort(key=lambda part: -_most(one[part] for one in bills))
    columns = {"total": "total", "per_month": "a month", "per_call": "a call"} | {part: part for part in parts}
    cells = [["$0" if one[column] == 0 else dollars(one[column]) for column in columns] for one in bills]
    return list(columns.values()), cells


def unsure(workload: Workload, pair: tuple[str, str], on: date | None = None) -> tuple[Chance, str]:
    """How often the first of the pair is the cheaper one when :data:`RANGES` may each be half or double, and in words.

    Args:
        workload: the job; its numbers are the middles of the ranges.
        pair: ids of two options.
        on: the day whose prices count; today by default.

    Raises:
        CostError: not an option.
        FactsError: a model, provider or day without a row.
    """
    ranges = {}
    for name in RANGES:
        least, most = bounds(name)
        value = getattr(workload, name)
        ranges[name] = (max(least, value / 2), min(most, value * 2))
    said = ", ".join((DIALS[name].label if name in DIALS else FIELDS[name]).lower() for name in RANGES)
    chance = probability_cheaper(workload, *pair, ranges, on)
    return chance, f"If {said} may each be half or double: {chance.sentence}"


def _known(one: Mapping[str, Any]) -> bool:
    return not math.isnan(one["total"])


def _prompts(one: Mapping[str, Any]) -> bool:
    return one["kind"] in ("prompt", "few-shot")


def _most(amounts: Iterable[float]) -> float:
    return max((usd for usd in amounts if not math.isnan(usd)), default=0.0)
