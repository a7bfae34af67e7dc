"""Runs the jobs, one at a time: validates them, starts the trainer, turns its progress lines into rows, recovers it.

A thread that wakes a few times a second and takes one step. All of its memory is in the store: a server that starts
after a kill finds the running job there, adopts its trainer or starts it again, and reads on where it had stopped.
Each batch of progress lines and the new reading position are one transaction, so no line counts twice.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import math
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from helpers.errors import KitError
from helpers.local_api.store.api_store import ApiStore
from helpers.local_api.store.database import disk_full
from helpers.local_api.store.records import Checkpoint, Job, new_id
from helpers.local_api.training import checkup, hyperparameters
from helpers.local_api.training.trainer_process import TrainerProcess
from helpers.project import write_atomically

MIN_EXAMPLES = 10
"""As at OpenAI (guide "Supervised fine-tuning", read 2026-11-23); so is the code ``invalid_n_examples``."""
FRUITLESS_STARTS = 3
"""A trainer that dies so often without a new step is given up."""
BUSY_SECONDS, IDLE_SECONDS, AFTER_TROUBLE_SECONDS = 0.1, 0.5, 2.0

METRICS = (
    "train_loss",
    "train_mean_token_accuracy",
    "valid_loss",
    "valid_mean_token_accuracy",
    "full_valid_loss",
    "full_valid_mean_token_accuracy",
)
RESULT_COLUMNS = {
    "step": "step",
    "train_loss": "train_loss",
    "train_accuracy": "train_mean_token_accuracy",
    "valid_loss": "valid_loss",
    "valid_mean_token_accuracy": "valid_mean_token_accuracy",
}
"""The result file's header as OpenAI's files have it (``train_accuracy``, where the events say
``train_mean_token_accuracy``; seen in published result files, read 2026-11-23), and each column's metric."""

log = logging.getLogger(__name__)


class Worker(threading.Thread):
    """The supervisor of the trainer.

    Args:
        store: holds the jobs.
        base_folder: gives a base model's folder by its id; raises KeyError where it is not served.
    """

    def __init__(self, store: ApiStore, base_folder: Callable[[str], Path]) -> None:
        super().__init__(name="worker", daemon=True)
        self._store, self._base_folder = store, base_folder
        self._wake, self._stopping = threading.Event(), False
        self._job_id = ""
        self._trainer: TrainerProcess | None = None
        self._fruitless, self._step_at_start = 0, 0
        self._waits_for_room = False

    def wake(self) -> None:
        """There is news: a job was made or cancelled."""
        self._wake.set()

    def stop(self) -> None:
        """Stop the trainer cleanly (its job stays ``running`` and goes on at the next start), then the thread."""
        self._stopping = True
        self.wake()
        self.join()

    def run(self) -> None:
        self._stop_orphans()
        while not self._stopping:
            self._wake.wait(self._try_a_step())
            self._wake.clear()
        if self._trainer:
            self._trainer.stop()

    def _try_a_step(self) -> float:
        """Returns the seconds until the next one. No trouble ends the supervision; a full disk is told once."""
        try:
            self._step()
        except Exception as error:
            if not disk_full(error):
                log.exception("the worker stumbled; it tries again")
            elif not self._waits_for_room:
                log.warning("the disk is full: jobs wait until there is room (%s)", error)
            self._waits_for_room = disk_full(error)
            return AFTER_TROUBLE_SECONDS
        self._waits_for_room = False
        return BUSY_SECONDS if self._trainer else IDLE_SECONDS

    def _step(self) -> None:
        self._store.delete_expired()
        for job in self._store.jobs_with("validating_files"):
            self._validate(job)
        if self._trainer:
            self._follow(self._trainer)
        elif waiting := self._store.jobs_with("running") or self._store.jobs_with("queued"):
            self._begin(waiting[0])

    # Before training ------------------------------------------------------------------------------------------------

    def _validate(self, job: Job) -> None:
        """Resolve the hyperparameters and queue the job, or fail it."""
        n_examples = self._store.get("files", job.training_file).rows
        if n_examples < MIN_EXAMPLES:
            self._fail(
                job,
                "invalid_n_examples",
                f"Training file has {n_examples} example(s), but must have at least {MIN_EXAMPLES} examples",
                param="training_file",
            )
            return
        own = {name: value for name, value in job.hyperparameters.items() if name in ("recipe", "keep")}
        asked = {name: value for name, value in job.hyperparameters.items() if name not in own}
        decided = asdict(hyperparameters.resolve(n_examples, **asked))
        resolved = {name: decided[name] for name in asked} | own
        with self._store.transaction():
            if not self._store.update_job(job.id, status="queued", hyperparameters=resolved):
                return
            if job.validation_file == job.training_file:
                message = "The validation file is the training file: its loss will say nothing about new rows"
                self._store.add_event(job.id, message, level="warn")
            self._store.add_event(job.id, "Files validated, moving job to queued state")

    def _begin(self, job: Job) -> None:
        """Start the job's trainer, or adopt the one that a killed server left."""
        try:
            base = self._base_folder(job.model)
        except (KitError, KeyError) as error:
            self._fail(job, "base_model_unavailable", f"Base model {job.model}: {error}", param="model")
            return
        folder = self._store.folder_of(job.id)
        folder.mkdir(mode=0o700, exist_ok=True)
        write_atomically(folder / "spec.json", json.dumps(_specification(self._store, job, str(base)), indent=1))
        trainer = TrainerProcess(folder)
        if not trainer.adopt():
            trainer.start()
        self._trainer, self._job_id = trainer, job.id
        self._fruitless, self._step_at_start = 0, job.last_step
        if job.status == "queued":
            with self._store.transaction():
                if self._store.update_job(job.id, status="running", started_at=int(time.time())):
                    self._store.add_event(job.id, "Fine-tuning job started")

    # While training -------------------------------------------------------------------------------------------------

    def _follow(self, trainer: TrainerProcess) -> None:
        was_alive = trainer.alive()  # asked first: what a dead trainer wrote is then there to be read
        if self._read(trainer):
            return  # there may be more
        job = self._store.get("jobs", self._job_id)
        if job is None:  # deleted as soon as it was cancelled
            trainer.stop()
            shutil.rmtree(trainer.folder, ignore_errors=True)
            self._trainer = None
        elif job.status != "running":
            trainer.stop()
            self._clean(job)
            self._trainer = None
        elif not was_alive:
            self._restart(trainer, job)

    def _restart(self, trainer: TrainerProcess, job: Job) -> None:
        self._fruitless = 0 if job.last_step > self._step_at_start else self._fruitless + 1
        if self._fruitless >= FRUITLESS_STARTS:
            self._fail(job, "trainer_crashed", f"The training process {trainer.last_words()}")
            return
        log.warning("job %s: the trainer %s; it is started again", job.id, trainer.last_words())
        self._step_at_start = job.last_step
        trainer.start()

    def _read(self, trainer: TrainerProcess) -> bool:
        """Turn a running job's new progress lines into rows, in one transaction; False when there were none."""
        with self._store.transaction():
            job = self._store.get("jobs", self._job_id)
            if job is None or job.status != "running":
                return False
            lines, offset = trainer.lines(job.progress_offset)
            if offset == job.progress_offset:
                return False
            for line in lines:
                try:
                    self._take(line)
                except (KeyError, IndexError, TypeError, ValueError) as error:
                    log.exception("job %s: a progress line cannot be used", job.id)
                    message = f"The training process wrote a line that cannot be used ({type(error).__name__})"
                    self._fail(job, "trainer_crashed", message)
            self._store.update_job(job.id, only_if=("running", "succeeded", "failed"), progress_offset=offset)
        return True

    def _take(self, line: Mapping[str, Any]) -> None:
        job = self._store.get("jobs", self._job_id)
        match line.get("type"):
            case "start" if line["resumed_from_step"]:
                step, total = line["resumed_from_step"], line["total_steps"]
                self._store.add_event(job.id, f"Resumed from step {step}/{total} after an interruption", level="warn")
            case "phase":
                self._store.add_event(job.id, line["message"])
            case "metrics" if line["step"] > job.last_step:  # a resumed trainer repeats steps behind its checkpoint
                self._add_metrics(job, line)
            case "checkpoint":
                self._add_checkpoint(job, line)
            case "done":
                self._succeed(job, line["trained_tokens"])
            case "failed":
                self._fail(job, line["code"], line["message"], param=line.get("param"))

    def _add_metrics(self, job: Job, line: Mapping[str, Any]) -> None:
        data = {name: _finite(value) for name, value in line.items() if name != "type" and value is not None}
        words = [f"training loss={data['train_loss']:.2f}"] if data.get("train_loss") is not None else []
        words += [f"validation loss={data['valid_loss']:.2f}"] if data.get("valid_loss") is not None else []
        if data.get("full_valid_loss") is not None:
            words.append(f"full validation loss={data['full_valid_loss']:.2f}")
        message = f"Step {line['step']}/{line['total_steps']}: {', '.join(words)}"
        self._store.add_event(job.id, message, kind="metrics", data=data)
        left = data.get("seconds_left")
        finish = int(time.time() + left) if left is not None else None
        self._store.update_job(job.id, last_step=line["step"], estimated_finish=finish)

    def _add_checkpoint(self, job: Job, line: Mapping[str, Any]) -> None:
        folder = (self._store.folder_of(job.id) / line["path"]).resolve()
        measured = self._store.all("events", "job_id = ? AND type = 'metrics'", (job.id,), "ORDER BY seq DESC LIMIT 1")
        at_this_step = measured[0].data if measured and measured[0].data["step"] == line["step"] else {}
        metrics = {"step": line["step"], **{name: at_this_step.get(name) for name in METRICS}}
        self._store.add_checkpoint(job, line["step"], folder, metrics)

    # The end --------------------------------------------------------------------------------------------------------

    def _succeed(self, job: Job, trained_tokens: int) -> None:
        """One checkpoint becomes the tuned model, the metrics a result file."""
        kept, why = self._kept(job)
        folder = self._store.home / self._store.get("models", kept.model).folder
        with self._store.transaction():
            if why:
                self._store.add_event(job.id, why)
            result = self._add_result_file(job)
            self._store.add_model(job.tuned_name, job, folder)
            self._store.add_event(job.id, f"New fine-tuned model created: {job.tuned_name}")
            self._store.add_event(job.id, "The job has successfully completed")
            self._store.end_job(
                job.id,
                "succeeded",
                fine_tuned_model=job.tuned_name,
                trained_tokens=trained_tokens,
                result_file=result,
            )

    def _kept(self, job: Job) -> tuple[Checkpoint, str]:
        """The last checkpoint; or, where that was asked for, the one with the lowest loss, and why in words."""
        points = self._store.all("checkpoints", "job_id = ?", (job.id,))
        if job.hyperparameters.get("keep") != "best":
            return points[-1], ""
        losses = {p.step: loss for p in points if (loss := p.metrics["full_valid_loss"]) is not None}
        best = min(losses, key=losses.get, default=points[-1].step)
        why = f"the lowest validation loss, {losses[best]:.3f}" if losses else "no validation loss could be measured"
        message = f"Kept the model after step {best} of {points[-1].step}: {why}"
        return next(point for point in points if point.step == best), message

    def _add_result_file(self, job: Job) -> str:
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(RESULT_COLUMNS)
        for event in self._store.all("events", "job_id = ? AND type = 'metrics'", (job.id,)):
            table.writerow([event.data.get(metric) for metric in RESULT_COLUMNS.values()])
        complete = self._store.temporary / new_id("result-")
        complete.write_text(text.getvalue(), encoding="utf-8")
        return self._store.add_file(complete, purpose="fine-tune-results", filename="step_metrics.csv", rows=None).id

    def _fail(self, job: Job, code: str, message: str, *, param: str | None = None) -> None:
        with self._store.transaction():
            error = {"code": code, "message": message, "param": param}
            if self._store.end_job(job.id, "failed", error=error):
                self._store.add_event(job.id, f"The job failed: {message}", level="error")

    def _leftovers(self, job: Job) -> list[Path]:
        """What an ended job no longer needs: everything but its checkpoints' adapters and its logs."""
        kept = {"checkpoints", "progress.jsonl", "spec.json", "trainer.log", checkup.FILE}
        used = {self._store.home / model.folder for model in self._store.all("models", "job_id = ?", (job.id,))}
        folder = self._store.folder_of(job.id)
        beside = [path for path in folder.glob("*") if path.name not in kept]
        return beside + [path for path in folder.glob("checkpoints/*") if path not in used]

    def _clean(self, job: Job) -> None:
        for path in self._leftovers(job):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)

    def _stop_orphans(self) -> None:
        """Jobs that had ended when the server was killed: stop a trainer that lives on, remove what it left."""
        for job in self._store.all("jobs"):
            if not job.active and self._leftovers(job):
                trainer = TrainerProcess(self._store.folder_of(job.id))
                if trainer.adopt():
                    trainer.stop()
                self._clean(job)


def _specification(store: ApiStore, job: Job, base: str) -> dict[str, Any]:
    """What the trainer reads as ``spec.json``."""
    return {
        "id": job.id,
        "base_dir": base,
        "training_file": str(store.path_of(job.training_file)),
        "validation_file": str(store.path_of(job.validation_file)) if job.validation_file else None,
        "seed": job.seed,
        **job.hyperparameters,
    }


def _finite(value: Any) -> Any:
    """JSON has no NaN."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
