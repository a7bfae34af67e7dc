"""Many jobs of one kind, such as the runs of a learning curve: how long they will take together, and took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import openai
from openai.types import FileObject
from openai.types.fine_tuning import FineTuningJob

from helpers.errors import JobError
from helpers.jobs.running import estimate


def estimate_all(
    client: openai.OpenAI, files: Sequence[FileObject], hyperparameters: Sequence[Mapping[str, int]], **asked: Any
) -> list[float]:
    """Seconds that each job will take on this machine, from real probes of the lightest and the heaviest (local API).

    A job's work is taken as the bytes of its file times its epochs; between the two probes the seconds lie on a line.

    Args:
        files: one a job, from :func:`helpers.jobs.upload`.
        hyperparameters: one mapping a job; ``n_epochs`` must be a number.
        asked: what all jobs have in common, as for :func:`helpers.jobs.estimate`.

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
