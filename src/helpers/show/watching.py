"""Follow a job live: bar, step, speed, time left and the loss curve; a few plain lines where nobody watches."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
from IPython import get_ipython
from IPython.display import display

from helpers import jobs
from helpers.jobs import Progress
from helpers.providers import host_of
from helpers.show.output import Words, draw
from helpers.show.training import loss

if TYPE_CHECKING:
    import openai
    from openai.types.fine_tuning import FineTuningJob

REDRAW_SECONDS = 2.0


def watch(client: openai.OpenAI, job_id: str, every: float | None = None) -> FineTuningJob:
    """Follow a job to its end and return it. Interrupting the cell leaves the job running and says how to come back.

    Args:
        client: from ``providers.connect``.
        job_id: from ``jobs.start``; works from another notebook or after a kernel restart too.
        every: seconds between two looks; 1 for this machine and 10 for other hosts when not given.

    Raises:
        JobError: the job failed or was cancelled, or the host does not know it.
        HostError: the host was out of reach for too long; the job itself goes on.
    """
    view = _Panel(job_id) if is_live() else _Lines()
    try:
        return jobs.watch(client, job_id, on_progress=view.show, every=every)
    except KeyboardInterrupt:
        print(f"You stopped watching; the job itself goes on ({host_of(client).whereabouts}).")
        print(f'Come back to it with: show.watch(client, "{job_id}")')
        return jobs.look(client, job_id).job


def watch_all(
    client: openai.OpenAI, job_ids: Sequence[str], expected: Sequence[float] | None = None, every: float | None = None
) -> list[FineTuningJob]:
    """Follow several jobs to their ends, in the order in which they were started, with one line for each that ended.

    Interrupting the cell leaves them running; running it again goes on where they are.

    Args:
        client: from ``providers.connect``.
        job_ids: from ``jobs.start``.
        expected: seconds that each was predicted to take; the time left is scaled by how they came out so far.
        every: seconds between two looks, as in ``watch``.

    Raises:
        JobError: one failed or was cancelled, or the host does not know it.
        HostError: the host was out of reach for too long; the jobs themselves go on.
    """
    ended: list[FineTuningJob] = []
    try:
        for job_id in job_ids:
            ended.append(jobs.watch(client, job_id, every=every))
            print(f"{len(ended):3} of {len(job_ids)} {_together(ended, expected)}", flush=True)
    except KeyboardInterrupt:
        left = len(job_ids) - len(ended)
        print(f"You stopped watching; {left} jobs go on ({host_of(client).whereabouts}). Run the cell again.")
        raise
    return ended


def _together(ended: Sequence[FineTuningJob], expected: Sequence[float] | None) -> str:
    """How long the last one took, and what is left: hosts that train one job after the other give no such sum."""
    last, so_far = ended[-1], jobs.time_taken(ended)
    name = (last.model_extra or {}).get("user_provided_suffix") or last.id
    said = f"took {_duration(so_far - jobs.time_taken(ended[:-1]))}: {name}"
    if not expected or len(ended) == len(expected):
        return said
    pace = so_far / sum(expected[: len(ended)])
    return f"{said}, about {_duration(pace * sum(expected[len(ended) :]))} left"


def is_live() -> bool:
    """Whether a person has this notebook open: Jupyter names the session of such a kernel in its environment.

    Programs that run a notebook (nbclient, nbval, ``make tour``) and plain Python do not.
    """
    return get_ipython() is not None and bool(os.environ.get("JPY_SESSION_NAME"))


def words(progress: Progress, now: float | None = None) -> str:
    """Where a job stands, in one line.

    Args:
        now: the present as seconds since 1970, for tests.
    """
    job, metrics = progress.job, progress.metrics
    if job.status == "succeeded":
        tokens = f", {job.trained_tokens:,} tokens trained" if job.trained_tokens else ""
        seconds = job.finished_at - job.created_at if job.finished_at else progress.seconds
        return f"succeeded after {_duration(seconds)}{tokens}"
    if not len(metrics) and progress.share:
        return f"{job.status}, no loss told yet ({_duration(progress.seconds)} watched)"
    if not len(metrics):
        return f"{job.status.replace('_', ' ')}, no training step yet ({_duration(progress.seconds)} watched)"
    last = metrics.iloc[-1]
    parts = [job.status, f"step {int(last['step'])} of {int(last['total_steps'])}", f"loss {last['train_loss']:.3f}"]
    if (speed := last.get("tokens_per_second")) == speed and speed:
        parts.append(f"{speed:,.0f} tokens/s")
    if (left := _seconds_left(job, last, now)) is not None:
        parts.append(f"about {_duration(left)} left")
    return ", ".join(parts)


def _seconds_left(job: FineTuningJob, last: Any, now: float | None) -> float | None:
    if job.status in jobs.ENDED:
        return None
    if job.estimated_finish:
        return max(0.0, job.estimated_finish - (time.time() if now is None else now))
    left = last.get("seconds_left")
    return float(left) if left is not None and left == left else None


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


class _Panel:
    """Widgets that a person watches; the chart goes away at the end (the lesson draws the final curve)."""

    def __init__(self, job_id: str) -> None:
        self.bar = widgets.FloatProgress(max=1.0, layout=widgets.Layout(width="100%"))
        self.line = Words()
        self.chart = widgets.Output()
        self.job_id, self.drawn_at, self.drawn_steps = job_id, 0.0, 0
        display(widgets.VBox([self.bar, self.line, self.chart]))

    def show(self, progress: Progress) -> None:
        ended = progress.job.status in jobs.ENDED
        self.bar.value = progress.share
        self.bar.bar_style = {"succeeded": "success", "failed": "danger", "cancelled": "warning"}.get(
            progress.job.status, "info"
        )
        role = ' role="status"' if ended else ""  # a screen reader announces the end, not every second
        said = escape(words(progress))
        self.line.value = f"<div{role}><b>{100 * progress.share:.0f} %</b> · {said} · {escape(self.job_id)}</div>"
        if ended:
            self.chart.outputs = ()
        elif len(progress.metrics) > self.drawn_steps and time.monotonic() - self.drawn_at > REDRAW_SECONDS:
            self.drawn_at, self.drawn_steps = time.monotonic(), len(progress.metrics)
            draw(self.chart, loss(progress.metrics))


class _Lines:
    """One printed line when the status changes and at each quarter of the way."""

    def __init__(self) -> None:
        self.said: tuple[str, int] | None = None

    def show(self, progress: Progress) -> None:
        now = (progress.job.status, int(4 * progress.share))
        if now != self.said:
            self.said = now
            print(f"{100 * progress.share:3.0f} %  {words(progress)}", flush=True)
