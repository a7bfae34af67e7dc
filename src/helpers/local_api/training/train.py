"""The trainer: one process, one job. ``python -m helpers.local_api.training JOBDIR`` (or ``--estimate JOBDIR``).

Reads ``JOBDIR/spec.json``, appends what happens to ``JOBDIR/progress.jsonl``, writes a PEFT adapter after each epoch to
``JOBDIR/checkpoints/step-N``. ``JOBDIR/lock`` is held while it lives. Killed and started again, it goes on from
``JOBDIR/resume.pt`` (written every half minute and at each epoch's end) and ends with the same adapter, bit for bit, as
if it had never stopped: batches follow from the seed and the epoch alone, and nothing else is random. Steps that came
after the last saved state are repeated, and so are their lines in ``progress.jsonl``.

``trained_tokens`` counts all tokens of all training examples times epochs, prompts included, as OpenAI bills a job
(https://platform.openai.com/docs/pricing, "Fine-tuning": price per training token; each epoch counts).
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from helpers.errors import DataError, KitError
from helpers.local_api.engine.text.template import ChatTemplate
from helpers.local_api.engine.transformer import open_model
from helpers.local_api.training.batches import Row, epoch_order, read_rows
from helpers.local_api.training.checkup import day_of, record
from helpers.local_api.training.hyperparameters import BASE_LEARNING_RATE
from helpers.local_api.training.lora_trainer import HiddenStateCache, LoraTrainer, Recipe, Score
from helpers.local_api.training.products import Work, check_kept_rates

SAVE_EVERY_S = 30.0
PHASE_EVERY_S = 3.0
VALID_EVERY_STEPS = 10
WARM_UP = 0.1
CLIP_NORM = 1.0


class Stopped(Exception):
    """SIGTERM came: leave without a half-written thing."""


@dataclass(frozen=True)
class Spec:
    """``spec.json``; see the module's docstring."""

    id: str
    base_dir: Path
    training_file: Path
    validation_file: Path | None
    seed: int
    n_epochs: int
    batch_size: int
    learning_rate_multiplier: float
    recipe: Recipe = "quick"

    @classmethod
    def read(cls, job: Path) -> Spec:
        """The specification in a job's folder."""
        raw = json.loads((job / "spec.json").read_text(encoding="utf-8"))
        known = {name: raw[name] for name in cls.__dataclass_fields__ if name in raw}
        for name in ("base_dir", "training_file", "validation_file"):
            known[name] = Path(raw[name]) if raw.get(name) else None
        return cls(**known)


class Training:
    """A job that is loaded and can be stepped through.

    Args:
        job: the job's folder.
        stop: called often; raises to end the work.
    """

    def __init__(self, job: Path, stop=lambda: None) -> None:
        self.job, self.spec, self.stop = job, Spec.read(job), stop
        template = ChatTemplate(self.spec.base_dir, day_of(job))
        self.transformer = open_model(self.spec.base_dir, training=True)
        longest = self.transformer.model.config.max_position_embeddings
        self.rows = read_rows(self.spec.training_file, template, longest)
        self.stops = template.stops
        self.valid = read_rows(self.spec.validation_file, template, longest) if self.spec.validation_file else []
        self.trainer = LoraTrainer(self.transformer, self.spec.recipe, self.spec.base_dir.name, self.spec.seed)
        self.optimizer = torch.optim.AdamW(self.trainer.adapter.parameters, lr=0.0, weight_decay=0.0, fused=True)
        self.frozen: HiddenStateCache | None = None
        self.steps_per_epoch = -(-len(self.rows) // self.spec.batch_size)
        self.total_steps = self.steps_per_epoch * self.spec.n_epochs
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

    def batch(self, step: int) -> list[Row]:
        """The rows of one optimiser step, counted from 0."""
        epoch, within = divmod(step, self.steps_per_epoch)
        order = epoch_order(len(self.rows), self.spec.batch_size, self.spec.seed, epoch)
        return [self.rows[i] for i in order[within]]

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


def rate(step: int, total: int) -> float:
    """Share of the peak learning rate: linear warm-up over a tenth of the steps, then linear decay towards 0.

    Args:
        step: the optimiser step to come, counted from 0.
        total: steps of the whole job.
    """
    warm_up = max(1, round(total * WARM_UP))
    return (step + 1) / warm_up if step < warm_up else (total - step) / max(1, total - warm_up)


def run(job: Path) -> None:
    """Train the job to its end, or from where it was left to its end."""
    stop = _stop_on_sigterm()
    start = time.monotonic()
    training = Training(job, stop)
    spent_before = training.load_state().get("elapsed_s", 0.0)
    trained_tokens = sum(row.tokens for row in training.rows) * training.spec.n_epochs
    say = Progress(job)
    say(
        "start",
        total_steps=training.total_steps,
        steps_per_epoch=training.steps_per_epoch,
        trained_tokens=trained_tokens,
        examples=len(training.rows),
        resumed_from_step=training.done,
    )
    record(job, training.rows, training.stops)
    training.freeze(say)
    clock = _Clock(training, time.monotonic() - start + spent_before)
    for _ in range(training.done, training.total_steps):
        stop()
        rows = training.batch(training.done)
        score = training.step(rows)
        at_end = training.done % training.steps_per_epoch == 0
        if at_end and training.valid:
            say.phase(f"Measuring {len(training.valid)} validation rows after step {training.done}")
        measured = _validate(training, at_end)
        clock.tick(sum(row.tokens for row in rows))
        say(
            "metrics",
            step=training.done,
            total_steps=training.total_steps,
            train_loss=score.mean_loss,
            train_mean_token_accuracy=score.accuracy,
            **measured,
            **clock.reading(),
        )
        if at_end:
            path = f"checkpoints/step-{training.done}"
            training.trainer.adapter.save(job / path)
            say("checkpoint", step=training.done, epoch=training.done // training.steps_per_epoch, path=path)
        if at_end or clock.time_to_save():
            training.save_state(elapsed_s=clock.elapsed)
    (job / "resume.pt").unlink(missing_ok=True)
    say("done", trained_tokens=trained_tokens)
    with contextlib.suppress(Exception):  # the job is done, whatever becomes of this
        check_kept_rates(training.work, training.trainer)


def _validate(training: Training, at_end: bool) -> dict[str, float]:
    """A few validation rows now and then; all of them at an epoch's end."""
    if not training.valid:
        return {}
    found: dict[str, float] = {}
    if training.done % VALID_EVERY_STEPS == 0:
        size = min(training.spec.batch_size, len(training.valid))
        first = (training.done // VALID_EVERY_STEPS - 1) * size
        rows = [training.valid[(first + i) % len(training.valid)] for i in range(size)]
        score = training.trainer.score(rows, training.frozen)
        found |= {"valid_loss": score.mean_loss, "valid_mean_token_accuracy": score.accuracy}
    if at_end:
        score = training.trainer.score(training.valid, training.frozen)
        found |= {"full_valid_loss": score.mean_loss, "full_valid_mean_token_accuracy": score.accuracy}
    return found


class _Clock:
    """Rate and time left, from the steps of this process."""

    def __init__(self, training: Training, elapsed: float) -> None:
        self.training, self.before = training, elapsed
        self.start = self.saved = time.monotonic()
        self.first, self.tokens = training.done, 0

    @property
    def elapsed(self) -> float:
        """Seconds of work, earlier processes' included."""
        return self.before + time.monotonic() - self.start

    def tick(self, tokens: int) -> None:
        self.tokens += tokens

    def reading(self) -> dict[str, float]:
        stepping, training = time.monotonic() - self.start, self.training
        left = stepping / (training.done - self.first) * (training.total_steps - training.done)
        return {
            "tokens_per_second": round(self.tokens / stepping, 1),
            "elapsed_s": round(self.elapsed, 2),
            "seconds_left": round(left, 1),
        }

    def time_to_save(self) -> bool:
        due = time.monotonic() - self.saved >= SAVE_EVERY_S
        if due:
            self.saved = time.monotonic()
        return due


class Progress:
    """Appends one JSON line an event, in one write, so that a reader never sees half a line that is final."""

    def __init__(self, job: Path) -> None:
        self.said = time.monotonic()
        self.file = os.open(job / "progress.jsonl", os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        size = os.fstat(self.file).st_size
        if size and os.pread(self.file, 1, size - 1) != b"\n":  # a kill cut the last line short: close it off
            os.write(self.file, b"\n")

    def __call__(self, kind: str, **fields: Any) -> None:
        line = json.dumps({"type": kind, **fields}, ensure_ascii=False) + "\n"
        os.write(self.file, line.encode())

    def phase(self, message: str) -> None:
        """What goes on between two steps, for those who wait: at most every few seconds."""
        if time.monotonic() - self.said >= PHASE_EVERY_S:
            self.said = time.monotonic()
            self("phase", message=message)


def _stop_on_sigterm():
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))

    def stop() -> None:
        if asked:
            raise Stopped

    return stop


def failure(error: BaseException) -> dict[str, Any]:
    """What went wrong, in the words of the job's ``error`` field: code, message, param."""
    text = str(error) or type(error).__name__
    if isinstance(error, DataError):
        return {"code": "invalid_training_file", "message": text, "param": "training_file"}
    if isinstance(error, KitError):
        return {"code": "trainer_error", "message": text, "param": None}
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        text = f"The disk is full ({text}). Free some space and start the job again."
        return {"code": "disk_full", "message": text, "param": None}
    if isinstance(error, MemoryError) or "can't allocate memory" in text or "out of memory" in text:
        text = "Not enough memory to train. Use a smaller batch_size, shorter examples, or the quick recipe."
        return {"code": "out_of_memory", "message": text, "param": "batch_size"}
    return {"code": "trainer_error", "message": f"{type(error).__name__}: {text}", "param": None}
