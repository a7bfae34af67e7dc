"""Start a job, watch it, find it again."""

from __future__ import annotations

import hashlib
import json
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import openai
import pandas as pd
from openai.types.fine_tuning import FineTuningJob, FineTuningJobEvent

from helpers.errors import ConsentError, HostError, JobError
from helpers.formatting import host_called
from helpers.jobs.retry import make_once, patiently, reason
from helpers.providers import Host, host_of

ENDED = ("succeeded", "failed", "cancelled")
LOCAL_ONLY = ("recipe", "keep")
"""Hyperparameters that only the local API knows. A host elsewhere refuses them, or worse, passes them over."""
OUTAGE = 300.0
"""Seconds for which a host may be gone while its job is watched."""
EVERY_LOCAL, EVERY_REMOTE = 1.0, 10.0
"""Seconds between two looks, at this machine and at another one."""


@dataclass(frozen=True)
class Progress:
    """A job at one moment: what ``watch`` hands to whoever draws it.

    ``metrics`` is one row a training step (``step``, ``train_loss``, ``valid_loss`` …; a checkpoint, at hosts that
    measure no steps), ``messages`` the host's log. ``phase`` is the log's last line while it is the newest event.
    """

    job: FineTuningJob
    metrics: pd.DataFrame
    messages: tuple[str, ...]
    seconds: float
    phase: str = ""

    @property
    def share(self) -> float:
        """How much of the training is done, 0 to 1."""
        if self.job.status == "succeeded":
            return 1.0
        extra = self.job.model_extra or {}
        done, total = extra.get("trained_steps"), extra.get("total_steps")
        if len(self.metrics) and "total_steps" in self.metrics:
            done, total = self.metrics[["step", "total_steps"]].iloc[-1]
        return float(done / total) if done and total and total == total else 0.0


def start(
    client: openai.OpenAI,
    training_file: str,
    *,
    model: str | None = None,
    validation_file: str | None = None,
    suffix: str = "",
    seed: int = 0,
    hyperparameters: dict[str, Any] | None = None,
    spend_limit_usd: float = 0.0,
    estimate_usd: float | None = None,
) -> FineTuningJob:
    """Start a supervised job, or find the one that was already started with exactly these inputs.

    Where the dated facts say that not everybody can start such a job, or that nobody can, they warn before it is asked
    for: the host has the last word, because facts age.

    Args:
        client: from ``providers.connect``.
        training_file: id of the training rows, from :func:`helpers.jobs.upload`.
        validation_file: id of the validation rows, from there too; without them no validation loss is measured.
        model: base model; the host's default when not given.
        suffix: a name of yours inside the tuned model's id.
        seed: the same seed gives the same model on the local API.
        hyperparameters: ``n_epochs``, ``batch_size``, ``learning_rate_multiplier``: a number or ``"auto"``. On the
            local API also ``recipe``, ``"quick"`` or ``"thorough"`` (all layers), and ``keep``, ``"last"`` or
            ``"best"``: which pass the job's model is, the best by loss on the validation rows.
        spend_limit_usd: on a paid host, the most that this job may cost.
        estimate_usd: what it is expected to cost there (upper end), from ``helpers.costs``.

    Raises:
        HostError: no jobs can be made at this host, it refuses the key, or it does not answer.
        ConsentError: a paid host, and the estimate is missing or above the limit.
        JobError: the host refused the job, or would not know a setting of the local API.
    """
    host = host_of(client)
    host.refuse_training()
    refuse_local_settings(host, hyperparameters)
    _ask_before_paying(host, spend_limit_usd, estimate_usd)
    closed = host.closed(model or "")
    if closed:
        warnings.warn(f"{host.name}, according to the dated facts: {closed}", UserWarning, stacklevel=2)
    settings = host.job_settings(hyperparameters)
    request = {
        "model": model or host.default_model,
        "training_file": training_file,
        "validation_file": validation_file,
        "suffix": suffix or None,
        "seed": seed,
    }
    key = hashlib.sha256(json.dumps(request | settings, sort_keys=True).encode()).hexdigest()[:16]
    given = {name: value for name, value in (request | settings).items() if value is not None}
    marked = given | {"metadata": {"kit_request": key}} if host.job_metadata else given

    def twins(client: openai.OpenAI) -> list[FineTuningJob]:
        there = [job for job in client.fine_tuning.jobs.list(limit=100) if _alive(job)]
        if host.job_metadata:
            there = [job for job in there if (job.metadata or {}).get("kit_request") == key]
        else:
            there = [job for job in there if _asked_alike(job, request, settings)]
        return sorted(there, key=lambda job: (job.created_at, job.id))

    try:
        return make_once(
            client,
            find=twins,
            make=lambda c: c.fine_tuning.jobs.create(**marked),
            remove=lambda c, one: cancel(c, one.id),  # one that has ended meanwhile is no error
        )
    except openai.APIStatusError as error:
        raise JobError(
            f"{host_called(host.name, first=True)} refused the job.",
            got="; ".join(filter(None, (reason(error), closed and f"the facts say: {closed}"))),
            fix="Change what the message names, then start again."
            if not closed
            else "Train at a host that is open to you.",
        ) from None


def refuse_local_settings(host: Host, hyperparameters: Mapping[str, Any] | None) -> None:
    """Pass when no setting is asked for that this host would not know: some are the local API's alone.

    Args:
        host: where the job is to run.
        hyperparameters: as for :func:`start`.

    Raises:
        JobError: there are such settings, and the host is on another machine; all of them are named.
    """
    foreign = [name for name in LOCAL_ONLY if name in (hyperparameters or {})]
    if foreign and host.leaves_machine:
        raise JobError(
            f"{host.name} does not know {' and '.join(foreign)}: only the local API has such a setting.",
            got=", ".join(f"{name}: {hyperparameters[name]!r}" for name in foreign),
            fix="Leave it out of the hyperparameters there; nothing was started. Which pass to keep can be chosen when "
            "the job has ended: jobs.checkpoints, then jobs.best_checkpoint.",
        )


def _ask_before_paying(host: Host, limit_usd: float, estimate_usd: float | None) -> None:
    if not host.leaves_machine or (estimate_usd is not None and estimate_usd <= limit_usd):
        return
    if estimate_usd is None:
        raise ConsentError(
            f"This job at {host_called(host.name)} is of unknown price, so no SPEND_LIMIT_USD allows it; nothing was "
            "started.",
            fix="The forecast says what is missing. Where it is the number of passes, name it (EPOCHS in your_project, "
            "n_epochs among the hyperparameters). A price that you worked out yourself is given as estimate_usd.",
        )
    raise ConsentError(
        f"This job at {host_called(host.name)} is estimated at up to ${estimate_usd:.2f}, and SPEND_LIMIT_USD is "
        f"{limit_usd:.2f}.",
        fix="Raise SPEND_LIMIT_USD in the parameters cell if you want to pay for it; nothing was started.",
    )


def watch(
    client: openai.OpenAI,
    job_id: str,
    on_progress: Callable[[Progress], None] | None = None,
    every: float | None = None,
    patience: float = OUTAGE,
) -> FineTuningJob:
    """Follow a job to its end, calling ``on_progress`` at each look. Interrupting the cell leaves the job running.

    Args:
        client: from ``providers.connect``.
        job_id: from :func:`start`; works from another notebook or after a kernel restart too.
        on_progress: what to do at each look.
        every: seconds between looks; 1 for this machine and 10 for others when not given.
        patience: seconds for which the host may be out of reach before watching ends.

    Raises:
        JobError: the job failed or was cancelled, or the host no longer knows it.
        HostError: the host was out of reach for too long, or refuses the key; the job itself goes on.
    """
    began = time.monotonic()
    events = _Events(job_id)
    pause = every or (EVERY_REMOTE if host_of(client).leaves_machine else EVERY_LOCAL)
    while True:
        progress = _look(client, events, time.monotonic() - began, patience)
        if on_progress:
            on_progress(progress)
        if progress.job.status in ENDED:
            break
        time.sleep(pause)
    job = progress.job
    if job.status != "succeeded":
        why = job.error.message if job.error and job.error.message else f"it was {job.status}"
        raise JobError(
            f"Job {job.id} did not succeed.", got=why, fix="Read its events with jobs.messages(client, job_id)."
        )
    return job


def look(client: openai.OpenAI, job_id: str, seconds: float = 0.0) -> Progress:
    """The job as it stands now.

    Args:
        client: from ``providers.connect``.
        job_id: from :func:`start`.
        seconds: how long it has been watched, to be handed on in :attr:`Progress.seconds`.

    Raises:
        JobError: the host does not know the id.
        HostError: the host does not answer, or refuses the key.
    """
    return _look(client, _Events(job_id), seconds)


def _look(client: openai.OpenAI, events: _Events, seconds: float, patience: float = 60.0) -> Progress:
    job_id = events.job_id
    try:
        job = patiently(client, lambda c: c.fine_tuning.jobs.retrieve(job_id), patience)
        patiently(client, events.update, patience)
        metrics = events.metrics()
        if metrics.empty and job.status == "succeeded":
            metrics = patiently(client, lambda c: _checkpoint_metrics(c, job_id), patience)
    except openai.NotFoundError:
        raise JobError(
            f"{host_of(client).name} knows no job {job_id!r}.",
            fix="List what is there with client.fine_tuning.jobs.list(), or start it again.",
        ) from None
    except HostError as error:
        raise HostError(f"Job {job_id} cannot be watched: {error.what}", got=error.got, fix=error.fix) from None
    return Progress(job, metrics, events.messages(), seconds, events.phase())


def curve(client: openai.OpenAI, job_id: str) -> pd.DataFrame:
    """One row a training step: ``step``, ``train_loss``, ``train_mean_token_accuracy`` ….

    At a host that tells no steps, one row a checkpoint once the job has succeeded; empty until then.

    Args:
        client: from ``providers.connect``.
        job_id: from :func:`start`.
    """
    return look(client, job_id).metrics


def messages(client: openai.OpenAI, job_id: str) -> list[str]:
    """The host's log of the job, oldest first, without its measurements.

    Args:
        client: from ``providers.connect``.
        job_id: from :func:`start`.
    """
    return list(look(client, job_id).messages)


def cancel(client: openai.OpenAI, job_id: str) -> FineTuningJob:
    """Stop a job; what its finished epochs left behind stays usable. A job that had ended is returned as it is.

    Args:
        client: from ``providers.connect``.
        job_id: from :func:`start`.

    Raises:
        JobError: the host does not know the id, or refuses.
    """
    try:
        return patiently(client, lambda c: c.fine_tuning.jobs.cancel(job_id))
    except openai.APIStatusError as error:
        job = look(client, job_id).job
        if job.status in ENDED:
            return job
        raise JobError(
            f"Job {job_id} was not cancelled.", got=reason(error), fix="Look at its status, then try again."
        ) from None


class _Events:
    """A job's events as far as they are known, oldest first; each update asks for the new ones only."""

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        self._known: dict[str, FineTuningJobEvent] = {}

    def update(self, client: openai.OpenAI) -> None:
        fresh = []
        for event in client.fine_tuning.jobs.list_events(self.job_id, limit=100):  # hosts list the newest first
            if event.id in self._known:
                break
            fresh.append(event)
        self._known |= {event.id: event for event in reversed(fresh)}

    def messages(self) -> tuple[str, ...]:
        return tuple(event.message for event in self._known.values() if event.type != "metrics")

    def phase(self) -> str:
        newest = next(reversed(self._known.values()), None)
        return "" if newest is None or newest.type == "metrics" else newest.message

    def metrics(self) -> pd.DataFrame:
        rows = [dict(e.data) for e in self._known.values() if e.type == "metrics" and isinstance(e.data, dict)]
        return _by_step(rows)


def _checkpoint_metrics(client: openai.OpenAI, job_id: str) -> pd.DataFrame:
    """For hosts without metrics events: what they measured at each checkpoint."""
    rows = [
        {**{name: value for name, value in (point.metrics or {}) if value is not None}, "step": point.step_number}
        for point in client.fine_tuning.jobs.checkpoints.list(job_id, limit=100)
    ]
    return _by_step(rows)


def _by_step(rows: list[dict[str, Any]]) -> pd.DataFrame:
    if not rows:
        return pd.DataFrame(columns=["step", "total_steps", "train_loss"])
    return pd.DataFrame(rows).drop_duplicates("step", keep="last").sort_values("step", ignore_index=True)


def _alive(job: FineTuningJob) -> bool:
    return job.status not in ("failed", "cancelled")


def _asked_alike(job: FineTuningJob, request: dict[str, Any], settings: dict[str, Any]) -> bool:
    """Whether a job without metadata was asked for in these words. What the host does not repeat is not compared."""
    extra = job.model_extra or {}
    same = [getattr(job, name) == request[name] for name in ("model", "training_file", "validation_file", "seed")]
    said = {name: value for name, value in (job.hyperparameters.model_dump() if job.hyperparameters else {}).items()}
    wanted = settings.get("hyperparameters", {})
    same += [said[name] == value for name, value in wanted.items() if said.get(name) is not None]
    for name in ("suffix", "user_provided_suffix"):
        if name in extra:
            same.append((extra[name] or None) == request["suffix"])
    return all(same)
