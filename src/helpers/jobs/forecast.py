"""How long will a job take, and what will it cost? Told before it starts, and held against what it took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
from openai.types.fine_tuning import FineTuningJob

from helpers import costs, facts
from helpers.errors import CostError, FactsError, JobError
from helpers.jobs.calling import reason
from helpers.jobs.running import estimate
from helpers.providers import LOCAL, Host, host_of


@dataclass(frozen=True)
class Forecast:
    """What is known before a job starts.

    Attributes:
        minutes: the likely time; None where nothing can be measured beforehand.
        usd: the most that it is expected to cost; None where that is not known.
        sentence: both in words, with ranges, dates and sources.
    """

    minutes: float | None
    usd: float | None
    sentence: str

    def against(self, job: FineTuningJob) -> str:
        """The forecast beside what the job took, in one sentence."""
        said = f"Predicted {self.minutes:.1f} min" if self.minutes else "Nothing was predicted"
        took = f"took {(job.finished_at - job.created_at) / 60:.1f} min" if job.finished_at else "its end was not told"
        trained = f"{job.trained_tokens:,} tokens trained, epochs included" if job.trained_tokens else "tokens not told"
        return f"{said}, {took}; {trained}."


def predict(
    client: openai.OpenAI,
    path: str | Path,
    *,
    training_file: str,
    validation_file: str | None = None,
    hyperparameters: Mapping[str, Any] | None = None,
) -> Forecast:
    """How long a job with the host's default model will take, and what it will cost.

    The local API runs a few real steps and throws them away. Other hosts have nothing of the kind: what is known there
    is how long jobs took that somebody recorded, and the last published price.

    Args:
        path: the training file on this machine; its tokens are counted for the price.
        training_file, validation_file: the ids of the uploads.
        hyperparameters: as for ``jobs.start``; the price needs a number of epochs where the host's own is not known.

    Raises:
        JobError: the local API refuses the file, or has lost it.
    """
    host, settings = host_of(client), dict(hyperparameters or {})
    minutes, time_said = _measured(client, training_file, validation_file, settings) if _is_local(host) else (
        None, _recorded(host),
    )  # fmt: skip
    usd, price_said = _price(host, path, settings)
    return Forecast(minutes, usd, f"{time_said} {price_said}")


def _is_local(host: Host) -> bool:
    return host.name == LOCAL.name


def _measured(
    client: openai.OpenAI, training: str, validation: str | None, settings: dict[str, Any]
) -> tuple[float, str]:
    asked = {"hyperparameters": settings} if settings else {}
    try:
        said = estimate(client, training, validation_file=validation, **asked)
    except openai.APIStatusError as error:
        raise JobError(
            "The time of this job cannot be measured.",
            got=reason(error),
            fix="Upload the files again (lesson 2, notebooks/02_upload.ipynb, about 1 min), then run this cell again.",
        ) from None
    likely, low, high = (said[name] / 60 for name in ("seconds", "low", "high"))
    return likely, f"About {likely:.1f} minutes (between {low:.1f} and {high:.1f}), {said['total_steps']} steps."


def _recorded(host: Host) -> str:
    rows = [row for row in facts.rows("durations") if row["provider"] == (host.facts_name or host.name)]
    runs = [
        f"{row['trained_tokens']:,.0f} tokens of {row['model']} in {row['minutes']:g} min ({row.cite})" for row in rows
    ]
    known = f"A recorded run there: {'; '.join(runs)}." if runs else "No recorded run there is known."
    return f"{host.name} cannot say beforehand: jobs wait in a queue, then train. {known}"


def _price(host: Host, path: str | Path, settings: Mapping[str, Any]) -> tuple[float | None, str]:
    if not host.leaves_machine:
        return 0.0, "It costs nothing: it stays on this machine."
    epochs = settings.get("n_epochs", "auto")
    try:
        counted = costs.count(path, host.default_model)
        job = costs.job_estimate(
            host.priced_as or host.default_model,
            counted.band,
            host.facts_name or host.name,
            examples=counted.rows,
            epochs=None if epochs == "auto" else epochs,
        )
    except (FactsError, CostError) as error:
        return None, f"Its price is not known: {error}"
    return job.high.total, job.sentence
