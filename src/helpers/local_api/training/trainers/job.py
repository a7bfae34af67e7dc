"""What every trainer of a job does: read its folder, tell what happens, stop when it is asked to.

The folder holds ``spec.json``; a trainer appends what happens to ``progress.jsonl`` and writes a PEFT adapter after
each epoch to ``checkpoints/step-N``. ``lock`` is held while it lives.

``trained_tokens`` counts all tokens of all training examples times epochs, prompts included, as OpenAI bills a job
(https://platform.openai.com/docs/pricing, "Fine-tuning": price per training token; each epoch counts).
"""

from __future__ import annotations

import errno
import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.errors import DataError, KitError
from helpers.local_api.engine.text.template import ChatTemplate
from helpers.local_api.engine.transformer import open_model
from helpers.local_api.training.batches import Row, epoch_order, read_rows
from helpers.local_api.training.checkup import day_of, record
from helpers.local_api.training.lora_trainer import Recipe, Score

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


class LoadedJob:
    """A job's base model and rows.

    Args:
        job: the job's folder.
    """

    def __init__(self, job: Path) -> None:
        self.job, self.spec = job, Spec.read(job)
        template = ChatTemplate(self.spec.base_dir, day_of(job))
        self.transformer = open_model(self.spec.base_dir, training=True)
        longest = self.transformer.model.config.max_position_embeddings
        self.rows = read_rows(self.spec.training_file, template, longest)
        self.stops = template.stops
        self.valid = read_rows(self.spec.validation_file, template, longest) if self.spec.validation_file else []
        self.steps_per_epoch = -(-len(self.rows) // self.spec.batch_size)
        self.total_steps = self.steps_per_epoch * self.spec.n_epochs
        self.trained_tokens = sum(row.tokens for row in self.rows) * self.spec.n_epochs

    def batch(self, step: int) -> list[Row]:
        """The rows of one optimiser step, counted from 0."""
        epoch, within = divmod(step, self.steps_per_epoch)
        order = epoch_order(len(self.rows), self.spec.batch_size, self.spec.seed, epoch)
        return [self.rows[i] for i in order[within]]


def rate(step: int, total: int) -> float:
    """Share of the peak learning rate: linear warm-up over a tenth of the steps, then linear decay towards 0.

    Args:
        step: the optimiser step to come, counted from 0.
        total: steps of the whole job.
    """
    warm_up = max(1, round(total * WARM_UP))
    return (step + 1) / warm_up if step < warm_up else (total - step) / max(1, total - warm_up)


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


class Clock:
    """Rate and time left, from the steps of this process.

    Args:
        done: steps of earlier processes.
        total: steps of the whole job.
        elapsed: seconds of work so far, those of earlier processes included.
    """

    def __init__(self, done: int, total: int, elapsed: float) -> None:
        self.first, self.total, self.before = done, total, elapsed
        self.start = self.saved = time.monotonic()
        self.tokens = 0

    @property
    def elapsed(self) -> float:
        """Seconds of work, earlier processes' included."""
        return self.before + time.monotonic() - self.start

    def reading(self, done: int) -> dict[str, float]:
        """What a line of metrics says of time after so many steps."""
        stepping = time.monotonic() - self.start
        left = stepping / (done - self.first) * (self.total - done)
        return {
            "tokens_per_second": round(self.tokens / stepping, 1),
            "elapsed_s": round(self.elapsed, 2),
            "seconds_left": round(left, 1),
        }

    def time_to_save(self) -> bool:
        """Whether half a minute has passed since it last said so."""
        due = time.monotonic() - self.saved >= SAVE_EVERY_S
        if due:
            self.saved = time.monotonic()
        return due


def tell_start(loaded: LoadedJob, done: int) -> Progress:
    """The first line of a trainer, and what it reads kept for the check-up.

    Args:
        loaded: the job.
        done: steps of earlier processes.

    Returns:
        What writes the lines to come.
    """
    say = Progress(loaded.job)
    say(
        "start",
        total_steps=loaded.total_steps,
        steps_per_epoch=loaded.steps_per_epoch,
        trained_tokens=loaded.trained_tokens,
        examples=len(loaded.rows),
        resumed_from_step=done,
    )
    record(loaded.job, loaded.rows, loaded.stops)
    return say


class StepTeller:
    """Tells each step as it is done; at an epoch's end measures all validation rows and writes the adapter.

    Args:
        loaded: the job.
        say: writes the lines.
        clock: was started with the first step of this process.
        measure: loss and accuracy on rows, without learning.
        save: writes the adapter as it is into a folder, all of it or nothing.
    """

    def __init__(
        self,
        loaded: LoadedJob,
        say: Progress,
        clock: Clock,
        measure: Callable[[Sequence[Row]], Score],
        save: Callable[[Path], None],
    ) -> None:
        self.loaded, self.say, self.clock, self.measure, self.save = loaded, say, clock, measure, save

    def __call__(self, done: int, loss: float, accuracy: float) -> bool:
        """Tell a step.

        Args:
            done: steps so far, this one included.
            loss: of its batch before the step, nats a learned token.
            accuracy: the share of its learned tokens that were the likeliest.

        Returns:
            Whether it is time to save what a later process needs to go on.
        """
        loaded = self.loaded
        at_end = done % loaded.steps_per_epoch == 0
        if at_end and loaded.valid:
            self.say.phase(f"Measuring {len(loaded.valid)} validation rows after step {done}")
        measured = self._validate(done, at_end)
        self.clock.tokens += sum(row.tokens for row in loaded.batch(done - 1))
        self.say(
            "metrics",
            step=done,
            total_steps=loaded.total_steps,
            train_loss=loss,
            train_mean_token_accuracy=accuracy,
            **measured,
            **self.clock.reading(done),
        )
        if at_end:
            path = f"checkpoints/step-{done}"
            self.save(loaded.job / path)
            self.say("checkpoint", step=done, epoch=done // loaded.steps_per_epoch, path=path)
        return at_end or self.clock.time_to_save()

    def _validate(self, done: int, at_end: bool) -> dict[str, float]:
        """A few validation rows now and then; all of them at an epoch's end."""
        valid = self.loaded.valid
        if not valid:
            return {}
        found: dict[str, float] = {}
        if done % VALID_EVERY_STEPS == 0:
            size = min(self.loaded.spec.batch_size, len(valid))
            first = (done // VALID_EVERY_STEPS - 1) * size
            score = self.measure([valid[(first + i) % len(valid)] for i in range(size)])
            found |= {"valid_loss": score.mean_loss, "valid_mean_token_accuracy": score.accuracy}
        if at_end:
            score = self.measure(valid)
            found |= {"full_valid_loss": score.mean_loss, "full_valid_mean_token_accuracy": score.accuracy}
        return found


def stop_on_sigterm() -> Callable[[], None]:
    """From now on SIGTERM is noted; what is returned raises :class:`Stopped` once it has come."""
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
