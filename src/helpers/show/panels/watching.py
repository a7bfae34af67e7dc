"""Follow a job live: bar, step, speed, time left and the loss curve; a few plain lines where nobody watches."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING

import ipywidgets as widgets
import pandas as pd
from IPython import get_ipython
from IPython.display import display

from helpers import jobs
from helpers.errors import StopHere
from helpers.jobs import Progress
from helpers.providers import host_of
from helpers.show.charts.training import loss
from helpers.show.panels.parts import Words, draw

if TYPE_CHECKING:
    import openai
    from openai.types.fine_tuning import FineTuningJob

REDRAW_SECONDS, TICK_SECONDS = 2.0, 1.0


def watch(
    client: openai.OpenAI, job_id: str, every: float | None = None, *, expected: float | None = None
) -> FineTuningJob:
    """Follow a job to its end and return it.

    Interrupting the cell leaves the job running, says how to come back, and ends a run of all cells without a
    traceback. Running the cell again finds the job.

    Args:
        client: from ``providers.connect``.
        job_id: from ``jobs.start``; works from another notebook or after a kernel restart too.
        every: seconds between two looks; 1 for this machine and 10 for other hosts when not given.
        expected: minutes that were predicted; they count as long as too few steps are made to measure a rate.

    Raises:
        JobError: the job failed or was cancelled, or the host does not know it.
        HostError: the host was out of reach for too long; the job itself goes on.
    """
    here = not host_of(client).leaves_machine
    view = _Panel(job_id, expected, here) if is_live() else _Lines(expected)
    try:
        return jobs.watch(client, job_id, on_progress=view.show, every=every)
    except KeyboardInterrupt:
        raise StopHere(
            f"You stopped watching; the job itself goes on ({host_of(client).whereabouts}).\n"
            f'Run this cell again to watch on, or come back to it anywhere with: show.watch(client, "{job_id}")'
        ) from None


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
        raise StopHere(
            f"You stopped watching; {left} jobs go on ({host_of(client).whereabouts}). Run this cell again to watch on."
        ) from None
    return ended


def _together(ended: Sequence[FineTuningJob], expected: Sequence[float] | None) -> str:
    """How long the last one took, and what is left: hosts that train one job after the other give no such sum."""
    last, so_far = ended[-1], jobs.time_taken(ended)
    name = (last.model_extra or {}).get("user_provided_suffix") or last.id
    said = f"took {_duration(so_far - jobs.time_taken(ended[:-1]))}: {name}"
    if not expected or len(ended) == len(expected):
        return said
    done, rest = sum(expected[: len(ended)]), sum(expected[len(ended) :])
    pace = 1 + _trust(done / (done + rest)) * (so_far / done - 1)
    return f"{said}, about {_duration(pace * rest)} left"


def is_live() -> bool:
    """Whether a person has this notebook open: Jupyter names the session of such a kernel in its environment.

    Programs that run a notebook (nbclient, nbval, ``make tour``) and plain Python do not.
    """
    return get_ipython() is not None and bool(os.environ.get("JPY_SESSION_NAME"))


@contextmanager
def waiting(what: str, expected: float | None = None) -> Iterator[None]:
    """Say what a cell waits for, with a clock that ticks, while the block runs; nothing where nobody watches.

    Args:
        what: the work, as a plain sentence without its full stop.
        expected: minutes that were predicted; what is left of them is said, too.

    >>> with waiting("A few real steps are measured"):
    ...     pass
    """
    if not is_live():
        yield
        return
    line, over, began = Words(), threading.Event(), time.monotonic()

    def tick() -> None:
        while not over.wait(TICK_SECONDS):
            seconds = time.monotonic() - began
            since = _clock(seconds) + _left_of(expected, seconds)
            line.value = f'<div style="line-height:1.4"><b>{escape(what)}</b> · {since}<br>{others_compete()}</div>'

    line.value = f"<div><b>{escape(what)}</b> …</div>"
    display(line)
    clock = threading.Thread(target=tick, daemon=True)
    clock.start()
    try:
        yield
    finally:
        over.set()
        clock.join()
        line.close()


def _left_of(expected: float | None, seconds: float) -> str:
    """What is left of the minutes that were predicted."""
    if expected is None:
        return ""
    left = 60 * expected - seconds
    return f", about {_duration(left)} left" if left >= 1 else ", longer than predicted"


def words(progress: Progress, now: float | None = None, expected: float | None = None) -> str:
    """Where a job stands, in one line.

    Args:
        progress: from ``jobs.watch``.
        now: the present as seconds since 1970, for tests.
        expected: minutes that were predicted for the whole job.
    """
    job, metrics = progress.job, progress.metrics
    now = time.time() if now is None else now
    if job.status == "succeeded":
        tokens = f", {job.trained_tokens:,} tokens trained" if job.trained_tokens else ""
        seconds = job.finished_at - job.created_at if job.finished_at else progress.seconds
        return f"succeeded after {_duration(seconds)}{tokens}"
    parts = [job.status.replace("_", " ")]
    if len(metrics):
        parts += _last_step(metrics.iloc[-1])
    elif not progress.phase:
        parts.append("no loss reported yet" if progress.share else "no training step yet")
    if job.status in jobs.ENDED:
        return ", ".join(parts)
    parts += [progress.phase[:1].lower() + progress.phase[1:]] * bool(progress.phase)
    if left := _seconds_left(progress, now, expected):
        parts.append(f"about {_duration(left)} left")
    return f"{', '.join(parts)} ({_clock(now - job.created_at)} since its start)"


def _last_step(last: pd.Series) -> list[str]:
    """Step, loss and, where the host gives it, speed."""
    parts = [f"step {int(last['step'])} of {int(last['total_steps'])}", f"loss {last['train_loss']:.3f}"]
    speed = last.get("tokens_per_second")
    return [*parts, f"{speed:,.0f} tokens/s"] if speed and speed == speed else parts


def _seconds_left(progress: Progress, now: float, expected: float | None) -> float | None:
    """Seconds that are left, None where nothing can be said: the predicted ones at first, then by the measured rate."""
    predicted = None if expected is None else max(0.0, 60 * expected - (now - progress.job.created_at))
    measured = _measured_left(progress, now)
    if measured is None or predicted is None:
        left = predicted if measured is None else measured
    else:
        trust = _trust(progress.share)
        left = trust * measured + (1 - trust) * predicted
    return left if left and left >= 1 else None  # the last validation is still to come: no "0 s left"


def _trust(share: float) -> float:
    """0 to 1: a pace measured on little says little, so up to a fifth of the way it is mixed with the prediction."""
    return min(1.0, 5 * share)


def _measured_left(progress: Progress, now: float) -> float | None:
    if progress.job.estimated_finish:
        return progress.job.estimated_finish - now
    left = progress.metrics.iloc[-1].get("seconds_left") if len(progress.metrics) else None
    return float(left) if left is not None and left == left else None


def others_compete() -> str:
    """A remark where far more programs want the processors than there are; empty otherwise, and where none can tell."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0
    cores = os.cpu_count() or 1
    return f"Other programs keep the processors busy (load {load:.0f} on {cores} cores): it takes longer." * (
        load > 2 * cores
    )


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(max(0, int(seconds)), 60)
    return f"{minutes}:{seconds:02}"


class _Panel:
    """Widgets that a person watches; the chart goes away at the end (the lesson draws the final curve)."""

    def __init__(self, job_id: str, expected: float | None = None, here: bool = False) -> None:
        self.expected, self.here = expected, here
        self.bar = widgets.FloatProgress(max=1.0, layout=widgets.Layout(width="auto"))
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
        said = escape(words(progress, expected=self.expected))
        busy = f"<br>{others_compete()}" if self.here and not ended and others_compete() else ""
        parts = f"<b>{100 * progress.share:.0f} %</b> · {said} · {escape(self.job_id)}{busy}"
        self.line.value = f'<div{role} style="line-height:1.4">{parts}</div>'
        if ended:
            self.chart.outputs = ()
        elif len(progress.metrics) > self.drawn_steps and time.monotonic() - self.drawn_at > REDRAW_SECONDS:
            self.drawn_at, self.drawn_steps = time.monotonic(), len(progress.metrics)
            draw(self.chart, loss(progress.metrics))


class _Lines:
    """One printed line when the status changes and at each quarter of the way."""

    def __init__(self, expected: float | None = None) -> None:
        self.expected = expected
        self.said: tuple[str, int] | None = None

    def show(self, progress: Progress) -> None:
        now = (progress.job.status, int(4 * progress.share))
        if now != self.said:
            self.said = now
            print(f"{100 * progress.share:3.0f} %  {words(progress, expected=self.expected)}", flush=True)
