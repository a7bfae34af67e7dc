"""Upload, start, watch, resume: one shape for every host that trains through the ``openai`` SDK.

An upload is recognised by its content and a job by what it was asked to do, so running a cell twice neither uploads nor
trains twice, and a job is found again after a kernel restart.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pandas as pd
from openai.types import FileObject
from openai.types.fine_tuning import FineTuningJob, FineTuningJobEvent

from helpers.errors import ConsentError, JobError
from helpers.providers import Host, host_of

ENDED = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True)
class Progress:
    """A job at one moment: what ``watch`` hands to whoever draws it.

    ``metrics`` is one row a training step (``step``, ``train_loss``, ``valid_loss`` …), ``messages`` the host's log.
    """

    job: FineTuningJob
    metrics: pd.DataFrame
    messages: tuple[str, ...]
    seconds: float

    @property
    def share(self) -> float:
        """How much of the training is done, 0 to 1."""
        if self.job.status == "succeeded":
            return 1.0
        return float(self.metrics["step"].iloc[-1] / self.metrics["total_steps"].iloc[-1]) if len(self.metrics) else 0.0


def upload(client: openai.OpenAI, path: str | Path, *, may_upload_to: str = "local") -> FileObject:
    """Put a training file at the host, or find the same bytes that are there already.

    Args:
        client: from ``providers.connect``.
        path: JSONL file in the host's format.
        may_upload_to: the only host, besides this machine, that the reader allows data to go to.

    Raises:
        ConsentError: the host is another one; the message says what would have left the machine.
        JobError: the host refused the file; every problem that it named is in the message.
    """
    path, host = Path(path), host_of(client)
    ask_before_upload(host, path, may_upload_to=may_upload_to)
    content = path.read_bytes()
    name = f"{path.stem}-{hashlib.sha256(content).hexdigest()[:12]}.jsonl"
    for known in client.files.list(purpose="fine-tune"):
        if known.filename == name and known.bytes == len(content):
            return known
    try:
        return client.files.create(file=(name, content), purpose="fine-tune")
    except openai.APIStatusError as error:
        raise JobError(
            f"{host.name} refused {path.name}.", got=reason(error), fix="Mend the file (lesson 01) and upload it again."
        ) from error


def ask_before_upload(host: Host, path: str | Path, *, may_upload_to: str) -> None:
    """Pass when the file stays on this machine or the reader named this host; called before every upload.

    Raises:
        ConsentError: the file would leave for a host that the reader did not name; it says what would have left.
    """
    if not host.leaves_machine or may_upload_to == host.name:
        return
    content = Path(path).read_bytes()
    rows = content.count(b"\n")
    raise ConsentError(
        f"{Path(path).name} ({len(content):,} bytes, {rows} rows) would leave this machine for {host.name}.",
        fix=f'If you may share this data, set MAY_UPLOAD_TO = "{host.name}" in the parameters cell.',
    )


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

    Args:
        training_file, validation_file: file ids from :func:`upload`.
        model: base model; the host's default when not given.
        suffix: a name of yours inside the tuned model's id.
        seed: the same seed gives the same model on the local API.
        hyperparameters: ``n_epochs``, ``batch_size``, ``learning_rate_multiplier``: a number or ``"auto"``.
        spend_limit_usd: on a paid host, the most that this job may cost.
        estimate_usd: what it is expected to cost there (upper end), from ``helpers.costs``.

    Raises:
        ConsentError: a paid host, and the estimate is missing or above the limit.
        JobError: the host refused the job.
    """
    host = host_of(client)
    if host.leaves_machine and (estimate_usd is None or estimate_usd > spend_limit_usd):
        price = "of unknown price" if estimate_usd is None else f"estimated at up to ${estimate_usd:.2f}"
        raise ConsentError(
            f"This job at {host.name} is {price}, and SPEND_LIMIT_USD is {spend_limit_usd:.2f}.",
            fix="Raise SPEND_LIMIT_USD in the parameters cell if you want to pay for it; nothing was started.",
        )
    request = {
        "model": model or host.default_model,
        "training_file": training_file,
        "validation_file": validation_file,
        "suffix": suffix or None,
        "seed": seed,
        "method": {"type": "supervised", "supervised": {"hyperparameters": hyperparameters or {}}},
    }
    key = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:16]
    if twin := _same_request(client, key):
        return twin
    given = {name: value for name, value in request.items() if value is not None}
    try:
        return client.fine_tuning.jobs.create(**given, metadata={"kit_request": key})
    except openai.APIStatusError as error:
        raise JobError(
            f"{host.name} refused the job.", got=reason(error), fix="Change what it names, then start again."
        ) from error


def watch(
    client: openai.OpenAI, job_id: str, on_progress: Callable[[Progress], None] | None = None, every: float = 1.0
) -> FineTuningJob:
    """Follow a job to its end, calling ``on_progress`` at each look. Interrupting the cell leaves the job running.

    Raises:
        JobError: the job failed or was cancelled, or the host no longer knows it.
    """
    began = time.monotonic()
    while True:
        progress = look(client, job_id, seconds=time.monotonic() - began)
        if on_progress:
            on_progress(progress)
        if progress.job.status in ENDED:
            break
        time.sleep(every)
    job = progress.job
    if job.status != "succeeded":
        why = job.error.message if job.error and job.error.message else f"it was {job.status}"
        raise JobError(
            f"Job {job.id} did not succeed.", got=why, fix="Read its events with jobs.messages(client, job_id)."
        )
    return job


def look(client: openai.OpenAI, job_id: str, seconds: float = 0.0) -> Progress:
    """The job as it stands now.

    Raises:
        JobError: the host does not know the id.
    """
    try:
        job = client.fine_tuning.jobs.retrieve(job_id)
        events = list(_events(client, job_id))
    except openai.NotFoundError as error:
        raise JobError(
            f"{host_of(client).name} knows no job {job_id!r}.",
            fix="List what is there with client.fine_tuning.jobs.list(), or start it again.",
        ) from error
    return Progress(job, _metrics(events), tuple(e.message for e in events if e.type != "metrics"), seconds)


def curve(client: openai.OpenAI, job_id: str) -> pd.DataFrame:
    """One row a training step: ``step``, ``train_loss``, ``train_mean_token_accuracy`` …."""
    return look(client, job_id).metrics


def messages(client: openai.OpenAI, job_id: str) -> list[str]:
    """The host's log of the job, oldest first."""
    return list(look(client, job_id).messages)


def cancel(client: openai.OpenAI, job_id: str) -> FineTuningJob:
    """Stop a job; what its finished epochs left behind stays usable."""
    return client.fine_tuning.jobs.cancel(job_id)


def estimate(client: openai.OpenAI, training_file: str, **asked: Any) -> dict[str, Any]:
    """Minutes that a job will take on this machine, from a short real probe (local API only; takes a few seconds).

    Returns:
        ``seconds`` (``low``, ``likely``, ``high``), ``trained_tokens`` and ``total_steps``.
    """
    body = {"model": host_of(client).default_model, "training_file": training_file, **asked}
    return client.post("/fine_tuning/jobs/estimate", body=body, cast_to=object, options={"timeout": 180})


def reason(error: openai.APIStatusError) -> str:
    """The host's own words, without the SDK's wrapping."""
    body = error.body if isinstance(error.body, dict) else {}
    return str(body.get("message") or error.message)


def _same_request(client: openai.OpenAI, key: str) -> FineTuningJob | None:
    for job in client.fine_tuning.jobs.list(limit=100):
        if (job.metadata or {}).get("kit_request") == key and job.status not in ("failed", "cancelled"):
            return job
    return None


def _events(client: openai.OpenAI, job_id: str) -> Iterator[FineTuningJobEvent]:
    """All events, oldest first (hosts list the newest first)."""
    return reversed(list(client.fine_tuning.jobs.list_events(job_id, limit=100)))


def _metrics(events: list[FineTuningJobEvent]) -> pd.DataFrame:
    rows = [dict(e.data) for e in events if e.type == "metrics" and isinstance(e.data, dict)]
    return (
        pd.DataFrame(rows).sort_values("step", ignore_index=True)
        if rows
        else pd.DataFrame(columns=["step", "total_steps", "train_loss"])
    )
