"""The bill of a training job, and its estimate before money is spent: the epochs predicted, the tokens as a band."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from helpers import facts
from helpers.costs.cost import MILLION, Cost, dollars, float_or_none, number, remarks_on
from helpers.errors import CostError, FactsError
from helpers.facts import FactRow
from helpers.formatting import plural


def training_usd(row: FactRow, file_tokens: Any, epochs: Any, validation: Any, evaluations: Any, hours: Any) -> Any:
    """USD of one training job, or None when no price is known; numbers and draws alike.

    Args:
        row: a row of ``tunable``.
        file_tokens: tokens of the training file, once.
        epochs: passes over it.
        validation: tokens of the validation file.
        evaluations: how often the job looks at it.
        hours: hours of training, for a model billed by the hour; else None.
    """
    if row.get("train") is None:
        return None if row.get("train_hour") is None or hours is None else row["train_hour"] * hours
    owner = facts.provider(row["provider"])
    billed = {"every evaluation": validation * evaluations, "once": validation}.get(owner["validation_billed"], 0)
    job = (file_tokens * epochs + billed) * row["train"] / MILLION
    least = owner["min_job_usd"]
    return job if least is None else job * (job > least) + least * (job <= least)


def training_remarks(row: FactRow, validation: Any, day: date) -> tuple[str, ...]:
    """What must be said beside the price of a job on this row.

    Args:
        row: a row of ``tunable``.
        validation: tokens of the validation file.
        day: the day on which the job would start.
    """
    owner = facts.provider(row["provider"])
    said = list(remarks_on([row], day))
    if owner["min_job_usd"] is not None:
        said += [f"at least {dollars(owner['min_job_usd'])} a job", owner.remark]
    if owner["validation_billed"] == "unknown" and validation:
        said.append("whether validation tokens are billed is not known; they are not counted")
    where = facts.standing(row["model"], row["provider"], day)
    if where.state != "open":
        said.insert(0, where.sentence if where.mark else f"{where.state}: {where.sentence}")
    elif where.sentence:
        said.append(where.sentence)
    return tuple(filter(None, dict.fromkeys(said)))


def training_cost(
    model: str | FactRow,
    file_tokens: float,
    epochs: float,
    provider: str = "openai",
    on: date | None = None,
    *,
    validation_tokens: float = 0,
    evaluations: float = 1,
    hours: float | None = None,
) -> Cost:
    """What one training job costs: tokens of the file x epochs x price, validation where the provider bills it.

    A job that nobody can start on that day says so in ``what``, beside the sum.

    Args:
        model: a tunable model of ``provider``, or a row of ``tunable``.
        file_tokens: tokens of the training file, once. A job's ``trained_tokens`` already includes its epochs: pass it
            with ``epochs=1``.
        epochs: passes over the file, at least 1.
        provider: where it is tuned.
        on: the day whose prices count; today by default.
        validation_tokens: tokens of the validation file.
        evaluations: how often the job looks at it.
        hours: hours of training, for the few models that are billed by the hour.

    Raises:
        CostError: numbers that make no sense.
        FactsError: a model or a day without a row.
    """
    day = on or facts.today()
    row = model if isinstance(model, FactRow) else facts.tuning_price(model, provider, day)
    file_tokens, epochs = number("file_tokens", file_tokens), number("epochs", epochs, least=1)
    validation_tokens, evaluations = number("validation_tokens", validation_tokens), number("evaluations", evaluations)
    hours = None if hours is None else number("hours", hours)
    usd = float_or_none(training_usd(row, file_tokens, epochs, validation_tokens, evaluations, hours))
    said = training_remarks(row, validation_tokens, day)
    if usd is None and row.get("train_hour") is not None:
        said = (f"billed by the hour, {dollars(row['train_hour'])}: say how many hours=", *said)
    mark = facts.standing(row["model"], row["provider"], day).mark
    what = f"training {row['label']}" + f" (nobody can start this job: {mark})" * bool(mark)
    return Cost(what, {"training": usd}, (row,), said)


@dataclass(frozen=True)
class Epochs:
    """A prediction of how many epochs a provider will choose: never a promise.

    Attributes:
        n: epochs.
        note: that it is a prediction, and by which rule.
        source: where the rule is written.
    """

    n: int
    note: str
    source: str


def predicted_epochs(examples: int, provider: str = "openai") -> Epochs:
    """How many epochs the provider's documented rule gives when you do not name any.

    OpenAI's cookbook: 3, but at least 100 and at most 25,000 examples x epochs, within 1 to 25 epochs.

    Args:
        examples: rows of the training file, at least 1.
        provider: whose rule.

    Raises:
        CostError: no examples.
        FactsError: no rule is known for the provider.
    """
    n = int(number("examples", examples, least=1))
    if provider not in {row["provider"] for row in facts.rows("defaults") if row["name"] == "target_epochs"}:
        raise FactsError(f"How {provider!r} chooses epochs is not known.", fix="Give the number of epochs yourself.")
    target = facts.default("target_epochs", provider)
    epochs = int(target["value"])
    if provider == "openai":
        rule = {row["name"]: int(row["value"]) for row in facts.rows("defaults") if row["provider"] == provider}
        if epochs * n < rule["min_target_examples"]:
            epochs = min(rule["max_default_epochs"], rule["min_target_examples"] // n)
        elif epochs * n > rule["max_target_examples"]:
            epochs = max(rule["min_default_epochs"], rule["max_target_examples"] // n)
    return Epochs(epochs, f"predicted: {target.remark}", target.source)


@dataclass(frozen=True)
class JobEstimate:
    """What a job may cost, before it is started.

    Attributes:
        low: the bill at the low end of the token count.
        high: the bill at the high end.
        epochs: passes that were counted.
        epochs_note: where their number comes from.
        sentence: all of it in words.
    """

    low: Cost
    high: Cost
    epochs: float
    epochs_note: str
    sentence: str

    def exceeds(self, limit_usd: float) -> bool:
        """Whether it may cost more than ``limit_usd``; a price that is not known exceeds every limit."""
        return self.high.total is None or self.high.total > limit_usd


def job_estimate(
    model: str,
    file_tokens: float | tuple[float, float],
    provider: str = "openai",
    *,
    examples: int | None = None,
    epochs: float | None = None,
    validation_tokens: float = 0,
    evaluations: float = 1,
    hours: float | None = None,
    on: date | None = None,
) -> JobEstimate:
    """What a training job may cost, with its band where the provider's way of counting is not public.

    Args:
        model: a tunable model of ``provider``.
        file_tokens: tokens of the training file, or ``(low, high)``.
        provider: where it is tuned.
        examples: rows of the file; needed to predict the epochs when ``epochs`` is None.
        epochs: passes over the file; predicted when None.
        validation_tokens: tokens of the validation file.
        evaluations: how often the job looks at it.
        hours: hours of training, for the few models that are billed by the hour.
        on: the day whose prices count; today by default.

    Raises:
        CostError: numbers that make no sense, or epochs neither named nor predictable.
        FactsError: no such row.
    """
    low, high = file_tokens if isinstance(file_tokens, tuple) else (file_tokens, file_tokens)
    if number("file_tokens, low", low) > number("file_tokens, high", high):
        raise CostError("The token range is the wrong way round.", got=f"({low}, {high})", fix="Pass (low, high).")
    day = on or facts.today()
    row = facts.tuning_price(model, provider, day)
    if epochs is None and row.get("train") == 0:
        epochs, note = 1, "the server chooses; tokens cost nothing here"
    elif epochs is None and examples is None:
        raise CostError("Neither epochs nor examples were given.", fix="Pass epochs=, or examples= to predict them.")
    elif epochs is None:
        epochs, note = (predicted := predicted_epochs(examples, provider)).n, predicted.note
    else:
        note = "as asked"
    jobs = [
        training_cost(
            row, tokens, epochs, on=day, validation_tokens=validation_tokens, evaluations=evaluations, hours=hours
        )
        for tokens in (low, high)
    ]
    return JobEstimate(*jobs, epochs, note, _job_sentence(*jobs, epochs, note))


def _job_sentence(low: Cost, high: Cost, epochs: float, note: str) -> str:
    if high.total is None:
        return f"{low.what}: the price is unknown (no price for {', '.join(high.unknown)})."
    band = dollars(low.total) if low.total == high.total else f"{dollars(low.total)} to {dollars(high.total)}"
    return f"{low.what}: {band} for {plural(epochs, 'epoch')} ({note}); prices as of {high.as_of}, {high.how_known}."
