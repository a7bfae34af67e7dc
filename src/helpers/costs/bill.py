"""Bills of one thing each: a call, a training job, a prompt ladder, and the estimate before money is spent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from helpers import facts
from helpers.costs.cost import MILLION, Cost, dollars, number, remarks_on
from helpers.errors import CostError, FactsError
from helpers.facts import FactRow


def call_usd(price: FactRow, tokens_in: Any, tokens_out: Any, prefix: Any = 0, hits: Any = 0, batch: Any = 0) -> Any:
    """USD of one call, or None when the row has no price; numbers and :class:`~helpers.costs.draws.Draws` alike.

    Args:
        price: a row of ``prompting`` or ``tunable``.
        tokens_in: prompt tokens, the prefix among them.
        tokens_out: answer tokens.
        prefix: opening tokens that the provider may hold in its cache.
        hits: share of calls that find them there; the others pay for writing them, where that has a price.
        batch: share of calls sent as a batch.

    A prefix is billed as fresh input where no cached price is known or where it is too short for the provider's cache,
    a batch at the usual price where no batch price is known: never less than the truth.
    """
    if price["input"] is None or price["output"] is None:
        return None
    shortest = facts.cached_from(price["provider"], price["model"])
    if shortest:
        prefix = prefix * (prefix >= shortest["min_tokens"])
    over = price.get("long_over")

    def at(column: str) -> Any:
        usual, above = price.get(column), price.get(f"long_{column}")
        return usual if over is None or above is None else usual * (tokens_in <= over) + above * (tokens_in > over)

    fresh, answer = at("input"), at("output")
    held = at("cached") if price.get("cached") is not None else fresh
    writing = price["cache_write"] / price["input"] if price.get("cache_write") else 1.0
    opening = hits * held + (1 - hits) * fresh * writing
    usual = (tokens_in - prefix) * fresh + prefix * opening + tokens_out * answer
    if price.get("batch_input") is None or price.get("batch_output") is None:
        return usual / MILLION
    low_in, low_out = price["batch_input"] / (price["input"] or 1), price["batch_output"] / (price["output"] or 1)
    low_held = held * (price["batch_cached"] / price["cached"]) if price.get("batch_cached") else fresh * low_in
    opening = hits * low_held + (1 - hits) * fresh * writing * low_in
    waiting = (tokens_in - prefix) * fresh * low_in + prefix * opening + tokens_out * answer * low_out
    return ((1 - batch) * usual + batch * waiting) / MILLION


def caching_remarks(price: FactRow, prefix: float) -> tuple[str, ...]:
    """What must be said about a prefix that may not be cached, or not for less.

    Args:
        price: a row of ``prompting`` or ``tunable``.
        prefix: opening tokens that every prompt shares; 0 leaves nothing to say.
    """
    if not prefix:
        return ()
    if price.get("cached") is None:
        return ("no price for cached input is known: billed as fresh input",)
    shortest = facts.cached_from(price["provider"], price["model"])
    if shortest is None:
        return ("this provider's minimum for caching is not known: assumed to be cached",)
    doubt = "" if shortest.how_known.startswith("read") else f" ({shortest.how_known}: {shortest.remark})"
    cite = f"{doubt}, as of {shortest.as_of}: {shortest.source}"
    if prefix >= shortest["min_tokens"]:
        return (f"caches beginnings of {shortest['min_tokens']:,.0f} tokens or more{cite}",)
    return (
        f"a beginning of {prefix:,.0f} tokens is too short to be cached, {shortest['min_tokens']:,.0f} are needed: "
        f"billed as fresh input{cite}",
    )


def _called(model: str | FactRow, provider: str | None, day: date) -> FactRow:
    """The price row of a model's id as an API knows it; ``ft:BASE:…`` finds the tuned price of its base."""
    if isinstance(model, FactRow):
        return model
    if model.startswith("ft:"):
        base, _, rest = model[3:].partition(":")
        return facts.tuning_price(base, provider or ("local" if rest.startswith("local") else "openai"), day)
    return facts.price(model, provider, day)


def one_call_cost(
    model: str | FactRow,
    tokens_in: float,
    tokens_out: float,
    cached: float = 0,
    *,
    batch: bool = False,
    provider: str | None = None,
    on: date | None = None,
) -> Cost:
    """What one call costs.

    Args:
        model: an id with a price for prompting, ``ft:BASE:…`` for a tuned model, or a fact row.
        tokens_in: all prompt tokens.
        tokens_out: all answer tokens, reasoning among them.
        cached: those of ``tokens_in`` that were read from the provider's cache.
        batch: whether it may wait for a cheaper batch.
        provider: where the model is called; needed for a name that several providers have.
        on: the day whose prices count; today by default.

    Raises:
        CostError: numbers that make no sense.
        FactsError: a model or a day without a row.
    """
    day = on or facts.today()
    tokens_in, tokens_out = number("tokens_in", tokens_in), number("tokens_out", tokens_out)
    cached = number("cached", cached, most=tokens_in)
    row = _called(model, provider, day)
    said = [*remarks_on([row], day), *caching_remarks(row, cached)]
    if batch and row.get("batch_input") is None:
        said.append("no batch price is known: billed at the usual price")
    every = {"prefix": cached, "hits": 1, "batch": float(batch)}
    whole = call_usd(row, tokens_in, tokens_out, **every)
    asked = call_usd(row, tokens_in, 0, **every)
    parts = {"input": _float(asked), "output": None if whole is None else float(whole) - float(asked)}
    return Cost(f"one call of {facts.beside_label(row, day)}", parts, (row,), tuple(said))


def _float(value: Any) -> float | None:
    return None if value is None else float(value)


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
    usd = _float(training_usd(row, file_tokens, epochs, validation_tokens, evaluations, hours))
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
    return f"{low.what}: {band} for {epochs:g} epoch(s) ({note}); prices as of {high.as_of}, {high.how_known}."


def ladder_cost(
    rows: int = 200,
    prompt_tokens: Sequence[float] = (110, 350, 700),
    tokens_out: float = 30,
    model: str | None = None,
    provider: str | None = None,
    on: date | None = None,
) -> Cost:
    """What it costs to measure a prompt ladder on a target model: every row once on every rung, nothing cached.

    The defaults are about the sample's: 200 validation rows; a bare instruction, full instructions, and instructions
    with the nearest examples.

    Args:
        rows: rows to measure on.
        prompt_tokens: tokens of one prompt, rung by rung.
        tokens_out: tokens of one answer.
        model: default :func:`helpers.facts.cheapest_target`.
        provider: where the model is called; needed for a name that several providers have.
        on: the day whose prices count; today by default.

    Raises:
        CostError: numbers that make no sense.
        FactsError: a model or a day without a row.
    """
    n = number("rows", rows)
    day = on or facts.today()
    row = facts.cheapest_target(day) if model is None else _called(model, provider, day)
    calls = [one_call_cost(row, tokens, tokens_out, on=on) for tokens in prompt_tokens]
    parts = {f"rung {i}": None if call.total is None else n * call.total for i, call in enumerate(calls, start=1)}
    said = calls[0].remarks if calls else ()
    lengths = f"{min(prompt_tokens):,.0f} to {max(prompt_tokens):,.0f} tokens" if calls else "no length"
    what = f"{len(calls)} prompts of {lengths} x {n:,.0f} rows on {facts.beside_label(row, day)}"
    return Cost(what, parts, (row,), said)
