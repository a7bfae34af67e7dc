"""A workload and an option's prices turned into the whole bill, part by part.

:func:`bill` is the sum itself; :func:`rates` looks up what it multiplies by; :func:`total_cost` does both and says what
the reader must know beside the number.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any

from helpers import facts
from helpers.costs.calls import caching_remarks, call_usd
from helpers.costs.cost import HOURS_A_MONTH, Cost, remarks_on
from helpers.costs.options import THIS_MACHINE, Option
from helpers.costs.training import training_remarks, training_usd
from helpers.costs.workload import Workload
from helpers.facts import FactRow
from helpers.formatting import plural

PARTS = (
    "training", "inference", "hosting", "storage", "electricity", "evaluation", "labelling", "setting up", "review",
)  # fmt: skip
"""The parts of every whole bill, in order; 0 where an option does not have one."""


@dataclass(frozen=True)
class Rates:
    """The fact rows that an option is billed by on a day, and what must be said about them."""

    price: FactRow | None
    hosting: FactRow | None
    storage: FactRow | None
    state: str
    remarks: tuple[str, ...]
    where: facts.Life | None = None

    def mark(self, day: date, months: float) -> str:
        """What must stand right beside the option's name when it is to run from a day on; empty when nothing does.

        Args:
            day: the day whose prices count.
            months: for how long calls are billed.
        """
        if self.where is None:
            return ""
        if self.where.mark:
            return self.where.mark
        if self.state != "open":
            return self.state + (f", next date {self.where.next_date}" if self.where.next_date else "")
        ends = self.where.ends
        if ends is None or ends["date"] > day + timedelta(days=30 * months):
            return ""
        when = f"ends {'on' if facts.is_certain(ends) else 'no earlier than'} {ends['date']}"
        return f"{when}, before the {plural(months, 'month')} are over"

    @property
    def rows(self) -> tuple[FactRow, ...]:
        return tuple(row for row in (self.price, self.hosting, self.storage) if row)


@cache
def rates(option: Option, day: date) -> Rates:
    """Look an option's prices up.

    Args:
        option: one way to do the job.
        day: the day whose prices count.

    Raises:
        FactsError: a model, provider or day without a row.
    """
    if option.kind == "own":
        if option.model == THIS_MACHINE:
            rows = (facts.default("machine_watts", "local"), facts.default("electricity_usd_per_kwh", "local"))
            return Rates(None, None, None, "open", remarks_on(rows, day))
        rented = facts.hosting(option.model)
        return Rates(None, rented, None, "open", remarks_on([rented], day))
    if option.kind != "tuned":
        price = facts.price(option.model, option.provider, day)
        where = facts.answering(price, day)
        return Rates(price, None, None, where.state, remarks_on([price], day), where)
    price = facts.tuning_price(option.model, option.provider, day)
    hosting, storage = (price[item] and facts.hosting(price[item]) for item in ("hosting", "storage"))
    said = training_remarks(price, 0, day) + remarks_on([row for row in (hosting, storage) if row], day)
    where = facts.standing(price["model"], price["provider"], day)
    return Rates(price, hosting, storage, where.state, said, where)


def most_calls(w: Any, option: Option) -> float | None:
    """Calls a month that machines of one's own can answer, one after the other; None where nothing limits them here.

    Args:
        w: a :class:`Workload`: its ``seconds_per_call`` and ``replicas`` count.
        option: any; all but the kind "own" have no limit here.
    """
    if option.kind != "own" or not w.seconds_per_call:
        return None
    return HOURS_A_MONTH * w.replicas * 3600 / w.seconds_per_call


def bill(w: Any, option: Option, rate: Rates) -> dict[str, Any]:
    """USD by part over the whole job; None where a price is not known.

    Args:
        w: has the attributes of a :class:`Workload`; each may also be a :class:`~helpers.costs.comparing.Draws`.
        option: one way to do the job.
        rate: its prices, from :func:`rates`.
    """
    tuned = option.kind in ("tuned", "own")
    trainings = 1 + w.retrainings_per_year * w.months / 12
    usd = dict.fromkeys(PARTS, 0.0)
    call = _call(w, option, rate)
    usd["inference"] = None if call is None else call * w.calls_per_month * w.months
    checks = w.evaluations_per_year * w.months / 12 * w.evaluation_rows
    usd["evaluation"] = None if call is None else call * checks
    usd["review"] = w.review_hours_per_month * w.months * w.people_usd_per_hour
    usd["setting up"] = (w.prompt_hours + (w.tuning_hours if tuned else 0)) * w.people_usd_per_hour
    if tuned:
        usd["labelling"] = w.examples * w.label_minutes / 60 * w.people_usd_per_hour
    if option.kind == "tuned":
        file_tokens = w.examples * w.tokens_per_example
        job = training_usd(
            rate.price, file_tokens, w.epochs, w.validation_tokens, w.evaluations_a_job, w.training_hours
        )
        usd["training"] = None if job is None else job * trainings
        usd["hosting"] = _times(rate.hosting, w.hosted_hours_per_month * w.replicas * w.months)
        stored = w.stored_gb if rate.storage and rate.storage["per"] == "GB month" else 1
        usd["storage"] = _times(rate.storage, stored * w.months)
    elif rate.hosting:
        usd["training"] = _times(rate.hosting, w.training_hours * trainings)
        usd["hosting"] = _times(rate.hosting, w.hosted_hours_per_month * w.replicas * w.months)
    elif option.kind == "own":
        busy = w.training_hours * trainings + (w.calls_per_month * w.months + checks) * w.seconds_per_call / 3600
        usd["electricity"] = busy * w.machine_watts / 1000 * w.usd_per_kwh
        usd["hosting"] = w.machine_usd_per_month * w.replicas * w.months
    return usd


def _times(row: FactRow | None, amount: Any) -> Any:
    if row is None:
        return 0.0
    return None if row["usd"] is None else row["usd"] * amount


def _call(w: Any, option: Option, rate: Rates) -> Any:
    """USD of one call of this option; 0 on a machine that is paid by the hour."""
    if option.kind == "own":
        return 0.0
    if option.kind == "tuned":
        return call_usd(rate.price, w.tuned_tokens_in, w.tokens_out, batch=w.batch_share)
    shots = w.shots_tokens if option.kind == "few-shot" else 0
    prefix = w.cacheable + shots if option.caching else 0
    answer = w.tokens_out + w.reasoning_tokens
    return call_usd(rate.price, w.tokens_in + shots, answer, prefix, w.cache_hit_rate, w.batch_share)


def _remarks(w: Workload, option: Option, rate: Rates) -> tuple[str, ...]:
    said = list(rate.remarks)
    price = rate.price
    if option.kind in ("prompt", "few-shot") and option.caching:
        said += caching_remarks(price, w.cacheable + (w.shots_tokens if option.kind == "few-shot" else 0))
    if price and w.batch_share and price.get("batch_input") is None:
        said.append("no batch price is known: billed at the usual price")
    if rate.hosting and option.kind == "tuned":
        said.append(
            f"{plural(w.replicas, 'deployment')} up {w.hosted_hours_per_month:g} hours a month; load not checked"
        )
    if option.kind == "own":
        hours = w.calls_per_month * w.seconds_per_call / 3600
        said.append(f"needs {hours:,.1f} machine-hours a month of {HOURS_A_MONTH * w.replicas:g}")
        if not rate.hosting:
            said.append("nothing is paid by the token: training, evaluation and calls stand under electricity")
        most = most_calls(w, option)
        if most is not None and w.calls_per_month > most:
            said.append("TOO MUCH for that many machines: raise replicas")
    return tuple(dict.fromkeys(said))


def total_cost(workload: Workload, option: Option | str, on: date | None = None) -> Cost:
    """The whole bill of the job, over all its months, by :data:`PARTS`.

    Args:
        workload: the job.
        option: one way to do it, or its id.
        on: the day whose prices count; today by default.

    Raises:
        CostError: not an option.
        FactsError: a model, provider or day without a row.
    """
    option = Option.parse(option)
    rate = rates(option, on or facts.today())
    usd = {part: None if value is None else float(value) for part, value in bill(workload, option, rate).items()}
    return Cost(f"{option.label}, {workload.months:g} months", usd, rate.rows, _remarks(workload, option, rate))
