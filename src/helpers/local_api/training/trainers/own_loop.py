"""The engine's own loop over one job, resumable.

Killed and started again, it goes on from ``JOBDIR/resume.pt`` (written every half minute and at each epoch's end) and
ends with the same adapter, bit for bit, as if it had never stopped: batches follow from the seed and the epoch alone,
and nothing else is random. Steps that came after the last saved state are repeated, and so are their lines in
``progress.jsonl``.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from helpers.local_api.training.batches import Row
from helpers.local_api.training.hyperparameters import BASE_LEARNING_RATE
from helpers.local_api.training.lora_trainer import HiddenStateCache, LoraTrainer, Score
from helpers.local_api.training.products import Work, check_kept_rates
from helpers.local_api.training.trainers.job import (
    CLIP_NORM,
    Clock,
    LoadedJob,
    Progress,
    StepTeller,
    rate,
    stop_on_sigterm,
    tell_start,
)


class Training(LoadedJob):
    """A job that is loaded and can be stepped through.

    Args:
        job: the job's folder.
        stop: called often; raises to end the work.
    """

    def __init__(self, job: Path, stop=lambda: None) -> None:
        super().__init__(job)
        self.stop = stop
        self.trainer = LoraTrainer(self.transformer, self.spec.recipe, self.spec.base_dir.name, self.spec.seed)
        self.optimizer = torch.optim.AdamW(self.trainer.adapter.parameters, lr=0.0, weight_decay=0.0, fused=True)
        self.frozen: HiddenStateCache | None = None
        self.done = 0
        self.work = Work()

    def freeze(self, say: Progress) -> None:
        """Run the frozen layers over all rows, once (where there are any, and where there is room)."""
        began, rows = time.process_time(), [*self.rows, *self.valid]

        def told(done: int) -> None:
            self.stop()
            say.phase(f"Preparing rows: {done} of {len(rows)}")

        if self.trainer.first and HiddenStateCache.fits(rows, self.transformer.head.shape[1], self.job):
            self.frozen = HiddenStateCache(self.trainer, rows, self.job, told)
            self.work.frozen, self.work.seconds = sum(map(len, rows)), time.process_time() - began

    def step(self, rows: list[Row]) -> Score:
        """One optimiser step on ``rows``."""
        began = time.process_time()
        peak = BASE_LEARNING_RATE * self.spec.learning_rate_multiplier
        for group in self.optimizer.param_groups:
            group["lr"] = peak * rate(self.done, self.total_steps)
        score = self.trainer.learn(rows, self.frozen)
        torch.nn.utils.clip_grad_norm_(self.trainer.adapter.parameters, CLIP_NORM)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.trainer.adapter.merge()
        self.done += 1
        self.work.add(rows, time.process_time() - began)
        return score

    def measure(self, rows: Sequence[Row]) -> Score:
        """Loss and accuracy on rows, without learning."""
        return self.trainer.score(rows, self.frozen)

    def save_state(self, **more: Any) -> None:
        """Everything that a later process needs to go on, in one rename."""
        state = {
            "done": self.done,
            "adapter": [p.detach() for p in self.trainer.adapter.parameters],
            "optimizer": self.optimizer.state_dict(),
            "more": more,
        }
        aside = self.job / f"resume.{os.getpid()}.part"
        try:
            torch.save(state, aside)
            os.replace(aside, self.job / "resume.pt")
        finally:
            aside.unlink(missing_ok=True)

    def load_state(self) -> dict[str, Any]:
        """Go back to the last saved state, if there is one; returns what else was saved with it."""
        for leftover in self.job.glob("resume.*.part"):
            leftover.unlink()
        try:
            state = torch.load(self.job / "resume.pt", weights_only=True, map_location="cpu")
        except FileNotFoundError:
            return {}
        with torch.no_grad():
            for parameter, saved in zip(self.trainer.adapter.parameters, state["adapter"], strict=True):
                parameter.copy_(saved)
        self.optimizer.load_state_dict(state["optimizer"])
        self.trainer.adapter.merge()
        self.done = state["done"]
        return state["more"]


def run(job: Path) -> None:
    """Train the job to its end, or from where it was left to its end."""
    stop = stop_on_sigterm()
    start = time.monotonic()
    training = Training(job, stop)
    spent_before = training.load_state().get("elapsed_s", 0.0)
    say = tell_start(training, training.done)
    training.freeze(say)
    clock = Clock(training.done, training.total_steps, time.monotonic() - start + spent_before)
    tell = StepTeller(training, say, clock, training.measure, training.trainer.adapter.save)
    for step in range(training.done, training.total_steps):
        stop()
        score = training.step(training.batch(step))
        if tell(training.done, score.mean_loss, score.accuracy):
            training.save_state(elapsed_s=clock.elapsed)
    (job / "resume.pt").unlink(missing_ok=True)
    say("done", trained_tokens=training.trained_tokens)
    with contextlib.suppress(Exception):  # the job is done, whatever becomes of this
        check_kept_rates(training.work, training.trainer)
