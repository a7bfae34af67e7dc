"""What a finished job leaves: a model under the name that answers calls, result files, checkpoints."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path

import openai
from openai.types.fine_tuning.jobs import FineTuningJobCheckpoint

from helpers import facts
from helpers.errors import JobError
from helpers.formatting import host_called
from helpers.jobs.retry import patiently
from helpers.jobs.running import look
from helpers.providers import Host, host_of


@dataclass(frozen=True)
class Result:
    """The outcome of a job, in one shape for every host.

    Attributes:
        model: what to call; None where the host names no model before it is deployed.
        checkpoints: what to call for the model after each epoch, first epoch first (their ids where they have no name).
        files: ids of the job's result files, then of its checkpoints'.
        trained_tokens: billable tokens; None where the host does not say.
        next_step: what stands between now and the first answer, in words.
    """

    model: str | None
    checkpoints: tuple[str, ...]
    files: tuple[str, ...]
    trained_tokens: int | None
    next_step: str


def result(client: openai.OpenAI, job_id: str) -> Result:
    """What the job made.

    Args:
        client: the host where it ran.
        job_id: a job that has succeeded.

    Raises:
        JobError: it has not succeeded (yet), or the host does not know it.
        HostError: the host does not answer, or refuses the key.
    """
    job = look(client, job_id).job
    if job.status != "succeeded":
        raise JobError(f"Job {job_id} has no result.", got=f"it is {job.status}", fix="Wait with jobs.watch(…).")
    points = listed_checkpoints(client, job_id)
    of_points = [file for point in points for file in (point.model_extra or {}).get("result_files") or []]
    return Result(
        model=job.fine_tuned_model,
        checkpoints=tuple(point.fine_tuned_model_checkpoint or point.id for point in points),
        files=tuple([*job.result_files, *of_points]),
        trained_tokens=job.trained_tokens,
        next_step=host_of(client).after_training_on(),
    )


def listed_checkpoints(client: openai.OpenAI, job_id: str) -> list[FineTuningJobCheckpoint]:
    """A job's checkpoints as the host lists them, first step first; hosts may keep only the last few.

    Args:
        client: the host where it ran.
        job_id: of any job.

    Raises:
        HostError: the host does not answer, or refuses the key.
        openai.APIStatusError: the host does not know the job.
    """
    points = patiently(client, lambda c: list(c.fine_tuning.jobs.checkpoints.list(job_id, limit=100)))
    return sorted(points, key=lambda point: point.step_number)


def answering(client: openai.OpenAI, job_id: str) -> str:
    """The name under which the job's model answers calls.

    At most hosts that is the job's own ``fine_tuned_model``. Where a tuned model must be deployed first, by hand and
    for money, it is the job's id, given to the deployment as its name; one token is asked for, to see if it answers.

    Args:
        client: the host where it ran.
        job_id: a job that has succeeded.

    Raises:
        JobError: the job has not succeeded, or its model is not deployed: the message has the step and its price.
        HostError: the host does not answer, or refuses the key.
    """
    host, made = host_of(client), result(client, job_id)
    if not host.deployment:
        return made.model or made.checkpoints[-1]
    hello = [{"role": "user", "content": "Hello"}]
    try:
        patiently(client, lambda c: c.chat.completions.create(model=job_id, messages=hello, max_tokens=1))
    except (openai.NotFoundError, openai.BadRequestError):
        raise JobError(
            f"The model of job {job_id} is trained but not deployed at {host_called(host.name)}.",
            got=f"nothing there answers to {job_id}",
            fix=f"{made.next_step} {price_while_deployed(host)} Then run this again.",
        ) from None
    return job_id


def price_while_deployed(host: Host) -> str:
    """What a deployment costs by the hour, with date and source; that it is not known where the facts have nothing."""
    rows = [row for row in facts.rows("hosting") if row["provider"] == (host.facts_name or host.name)]
    known = [f"{row['label']}: ${row['usd']:.2f} an hour ({row.cite})" for row in rows if _by_the_hour(row)]
    return (
        f"It is billed whether it is called or not: {'; '.join(known)}."
        if known
        else "What it costs by the hour is not known here."
    )


def _by_the_hour(row: facts.FactRow) -> bool:
    return row["per"] == "hour" and row["usd"] is not None


def download(client: openai.OpenAI, job_id: str, folder: str | Path) -> list[Path]:
    """Fetch the job's result files (metrics; at Nebius the weights) into ``folder``; those already there are kept.

    A file appears under its name once all of it is there: a download that breaks off leaves a ``.part`` behind, and the
    next one starts over.

    Args:
        client: the host where it ran.
        job_id: a job that has succeeded.
        folder: made when it is missing; each file has its id before its name there.

    Returns:
        the files' paths, the job's own first, then its checkpoints'.

    Raises:
        JobError: as :func:`result`.
        HostError: as :func:`result`.
        openai.APIStatusError: the host does not give a file out.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    saved = []
    for file_id in result(client, job_id).files:
        about = patiently(client, lambda c, file_id=file_id: c.files.retrieve(file_id))
        target = folder / f"{file_id}-{Path(about.filename.replace(chr(92), '/')).name}"
        if not target.exists():
            content = patiently(client, lambda c, file_id=file_id: c.files.content(file_id).read())
            part = target.with_name(target.name + ".part")
            part.write_bytes(_decoded(content) if target.suffix == ".csv" else content)
            part.replace(target)
        saved.append(target)
    return saved


def _decoded(content: bytes) -> bytes:
    """OpenAI has been reported to send its metrics table as base64; a real table has commas, which base64 has not."""
    try:
        return base64.b64decode(content, validate=True)
    except binascii.Error:
        return content
