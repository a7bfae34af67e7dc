"""How long will a job take, and what will it cost? Told before it starts, and held against what it took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pandas as pd
from openai.types.fine_tuning import FineTuningJob

from helpers import costs, facts
from helpers.errors import CostError, FactsError, JobError
from helpers.jobs.retry import reason
from helpers.jobs.running import estimate, refuse_local_settings
from helpers.providers import LOCAL, Host, host_of

AGAIN = {
    True: "Upload the files again (lesson 2, notebooks/02_upload.ipynb, about 1 min), then run this cell again.",
    False: "Run this cell again. If it fails again, the server's log says why (server.log in .local/local_api).",
}
"""What to do when the probe fails, by whether the server lacks one of the files."""
OTHER_MODEL = "Do that, or name another model; `python -m helpers.open_models` lists those of the shelf that fit here."
"""What to do when it has no such model, or no room for it; its own words say which."""


@dataclass(frozen=True)
class Forecast:
    """What is known before a job starts.

    Attributes:
        minutes: the likely time; None where nothing can be measured beforehand.
        usd: the most that it is expected to cost; None where that is not known.
        sentence: all of it in words, with ranges, dates and sources.
        minutes_range: from, to.
        memory_gb: what the trainer's process needs, in 10^9 bytes; None where it runs on somebody else's machine.
        usd_range: from, to.
    """

    minutes: float | None
    usd: float | None
    sentence: str
    minutes_range: tuple[float, float] | None = None
    memory_gb: float | None = None
    usd_range: tuple[float, float] | None = None

    def table(self) -> pd.DataFrame:
        """What to look at before a job is started; a cell is empty where nothing is known."""
        low_usd, high_usd = self.usd_range or (None, None)
        low, high = self.minutes_range or (None, None)
        rows = {
            "minutes": (self.minutes, low, high),
            "memory, GB": (self.memory_gb, None, None),
            "price, USD": (self.usd, low_usd, high_usd),
        }
        return pd.DataFrame.from_dict(rows, orient="index", columns=["likely", "low", "high"], dtype=float)

    def against(self, job: FineTuningJob) -> str:
        """The forecast beside what the job took, in one sentence."""
        said = f"Predicted {self.minutes:.1f} min" if self.minutes else "No prediction"
        took = (
            f"took {(job.finished_at - job.created_at) / 60:.1f} min"
            if job.finished_at
            else "the host gave no end time"
        )
        trained = (
            f"{job.trained_tokens:,} tokens trained, epochs included"
            if job.trained_tokens
            else "the host gave no token count"
        )
        return f"{said}, {took}; {trained}."


def predict(
    client: openai.OpenAI,
    path: str | Path,
    *,
    training_file: str,
    validation_file: str | None = None,
    hyperparameters: Mapping[str, Any] | None = None,
    model: str = "",
) -> Forecast:
    """How long a job will take, and what it will cost.

    The local API runs a few real steps and throws them away. Other hosts have nothing of the kind: what is known there
    is how long jobs took that somebody recorded, and the last published price.

    Args:
        path: the training file on this machine; its tokens are counted for the price.
        training_file, validation_file: the ids of the uploads.
        hyperparameters: as for ``jobs.start``; the price needs a number of epochs where the host's own is not known.
        model: another base model than the host's default one.

    Raises:
        JobError: the local API refuses the file, has lost it, or its probe fails; or a setting of the local API is
            meant for another host.
    """
    host, settings = host_of(client), dict(hyperparameters or {})
    refuse_local_settings(host, settings)
    usd, price_said = _price(host, path, settings, model)
    money = {"usd": usd[1] if usd else None, "usd_range": usd}
    if not _is_local(host):
        return Forecast(None, sentence=f"{_recorded(host)} {price_said}", **money)
    asked: dict[str, Any] = {"hyperparameters": settings} if settings else {}
    asked |= {"model": model} if model else {}
    try:
        said = estimate(client, training_file, validation_file=validation_file, **asked)
    except openai.APIStatusError as error:
        lost = error.param in ("training_file", "validation_file")
        fix = OTHER_MODEL if error.param == "model" else AGAIN[lost]
        raise JobError("The time of this job cannot be estimated.", got=reason(error), fix=fix) from None
    likely, low, high = (said[name] / 60 for name in ("seconds", "low", "high"))
    memory = said["memory_bytes"] / 1e9 if "memory_bytes" in said else None  # a server that an older kit started
    time_said = f"About {likely:.1f} minutes (between {low:.1f} and {high:.1f}), {said['total_steps']} steps"
    time_said += f", and about {memory:.1f} GB of memory." if memory else "."
    return Forecast(likely, sentence=f"{time_said} {price_said}", minutes_range=(low, high), memory_gb=memory, **money)


def _is_local(host: Host) -> bool:
    return host.name == LOCAL.name


def _recorded(host: Host) -> str:
    rows = [row for row in facts.rows("durations") if row["provider"] == (host.facts_name or host.name)]
    runs = [
        f"{row['trained_tokens']:,.0f} tokens of {row['model']} in {row['minutes']:g} min ({row.cite})" for row in rows
    ]
    known = f"A recorded run there: {'; '.join(runs)}." if runs else "No recorded run there is known."
    return f"{host.name} gives no estimate: jobs wait in a queue, then train. {known}"


def _price(
    host: Host, path: str | Path, settings: Mapping[str, Any], model: str
) -> tuple[tuple[float, float] | None, str]:
    """From, to in USD, and in words."""
    if not host.leaves_machine:
        return (0.0, 0.0), "It costs nothing: it stays on this machine."
    epochs = settings.get("n_epochs", "auto")
    try:
        counted = costs.count(path, model or host.default_model)
        job = costs.job_estimate(
            model or host.priced_as or host.default_model,
            counted.band,
            host.facts_name or host.name,
            examples=counted.rows,
            epochs=None if epochs == "auto" else epochs,
        )
    except (FactsError, CostError) as error:
        return None, f"Its price is not known: {error}"
    known = job.low.total is not None and job.high.total is not None
    return (job.low.total, job.high.total) if known else None, job.sentence
