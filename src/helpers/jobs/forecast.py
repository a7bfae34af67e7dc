"""Before a job starts: how long will it take, what will it cost, and what will the model see of a row?

One job: :func:`predict`, held against what it took by :meth:`Forecast.against`. Many of one kind, such as the runs of a
learning curve: :func:`estimate_all` beforehand, :func:`time_taken` afterwards. What of a row is learned: :func:`seen`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openai
import pandas as pd
from openai.types import FileObject
from openai.types.fine_tuning import FineTuningJob

from helpers import costs, facts
from helpers.errors import CostError, FactsError, JobError
from helpers.jobs.retry import plain, reason
from helpers.jobs.running import refuse_local_settings
from helpers.providers import LOCAL, Host, host_of

AGAIN = {
    True: "Upload the files again (lesson 2, notebooks/02_upload.ipynb, about 1 min), then run this cell again.",
    False: "Run this cell again. If it fails again, the server's log says why (server.log in .local/local_api).",
}
"""What to do when the probe fails, by whether the server lacks one of the files."""
ESTIMATE_SECONDS = 330.0
"""How long an estimate may take: the local API itself ends its probe after 300, and says so."""
CLOCKS_DIFFER = 60.0
"""Seconds by which a host's clock may be behind this machine's."""
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
        made: when, in seconds since 1970: a job that is older was not forecast.
    """

    minutes: float | None
    usd: float | None
    sentence: str
    minutes_range: tuple[float, float] | None = None
    memory_gb: float | None = None
    usd_range: tuple[float, float] | None = None
    made: float = field(default_factory=time.time)

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
        if job.created_at < self.made - CLOCKS_DIFFER:
            said = "The job of an earlier run, found again"
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
        client: from ``providers.connect``.
        path: the training file on this machine; its tokens are counted for the price.
        training_file: id of its upload.
        validation_file: id of the validation rows' upload, if there are any.
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


def estimate(client: openai.OpenAI, training_file: str, **asked: Any) -> dict[str, Any]:
    """Seconds that a job will take on this machine, from a short real probe (local API only; takes seconds to minutes).

    Args:
        client: from ``connect("local")``.
        training_file: id of the training rows, from :func:`helpers.jobs.upload`.
        asked: further keywords of ``jobs.create``: ``model``, ``validation_file``, ``hyperparameters``, ``seed`` ….

    Returns:
        ``seconds`` with ``low`` and ``high``, ``trained_tokens``, ``total_steps`` and ``memory_bytes``.

    Raises:
        openai.APIStatusError: the API refuses the file, has lost it, or its probe fails.
        JobError: the probe did not end in time.
    """
    body = {"model": host_of(client).default_model, "training_file": training_file, **asked}
    try:
        return plain(client, ESTIMATE_SECONDS).post("/fine_tuning/jobs/estimate", body=body, cast_to=object)
    except openai.APITimeoutError:
        raise JobError(
            f"The probe of {body['model']} did not end in {ESTIMATE_SECONDS:.0f} seconds.",
            fix="This machine is busy, or the model is large for it: wait until it is quiet, or take a smaller model.",
        ) from None


def estimate_all(
    client: openai.OpenAI, files: Sequence[FileObject], hyperparameters: Sequence[Mapping[str, int]], **asked: Any
) -> list[float]:
    """Seconds that each job will take on this machine, from real probes of the lightest and the heaviest (local API).

    A job's work is taken as the bytes of its file times its epochs; between the two probes the seconds lie on a line.

    Args:
        client: from ``connect("local")``.
        files: one a job, from :func:`helpers.jobs.upload`.
        hyperparameters: one mapping a job; ``n_epochs`` must be a number.
        asked: what all jobs have in common, as for :func:`estimate`.

    Raises:
        JobError: no jobs, or not as many settings as files.
    """
    if not files or len(files) != len(hyperparameters):
        raise JobError("Each job needs a file and its settings.", got=f"{len(files)} and {len(hyperparameters)}")
    work = [file.bytes * settings["n_epochs"] for file, settings in zip(files, hyperparameters, strict=True)]
    ends = {work[place]: place for place in (work.index(min(work)), work.index(max(work)))}
    seconds = {
        done: estimate(client, files[place].id, hyperparameters=dict(hyperparameters[place]), **asked)["seconds"]
        for done, place in ends.items()
    }
    light, heavy = min(seconds), max(seconds)
    slope = (seconds[heavy] - seconds[light]) / (heavy - light) if heavy > light else 0.0
    return [seconds[light] + slope * (one - light) for one in work]


def time_taken(ended: Sequence[FineTuningJob]) -> float:
    """Seconds in which at least one of these jobs waited or ran; the time between two sittings does not count."""
    seconds = until = 0.0
    for began, finished in sorted((job.created_at, job.finished_at or job.created_at) for job in ended):
        seconds += max(0.0, finished - max(began, until))
        until = max(until, finished)
    return seconds


def seen(
    client: openai.OpenAI, messages: Sequence[Mapping[str, Any]], model: str = "", tools: Sequence[Any] = ()
) -> dict[str, Any]:
    """What a model of the local API sees of a conversation or a training row, by the chat template that it has.

    Args:
        client: from ``connect("local")``; no other host answers this.
        messages: the conversation in OpenAI's shape; an assistant's last message is what would be learned.
        model: a base model or a tuned one; the host's default when not given.
        tools: definitions of tools that the model may call, in OpenAI's shape.

    Returns:
        ``segments`` of ``text`` with ``learned``, ``tokens``, ``learned_tokens``, whose ``template`` it is, and whether
        it switched reasoning off.

    Raises:
        JobError: the model is not there, or its template refuses the conversation.
    """
    body = {"model": model or host_of(client).default_model, "messages": list(messages), "tools": list(tools)}
    try:
        return plain(client, 60).post("/chat/seen", body=body, cast_to=object)
    except openai.APIStatusError as error:
        raise JobError("What the model sees cannot be shown.", got=reason(error)) from None


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
