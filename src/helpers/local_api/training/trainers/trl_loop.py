"""One job by TRL's ``SFTTrainer`` over peft, resumable: for models that need an accelerator.

Rows, their order, loss, LoRA, optimiser and schedule are those of the engine's own loop; what differs is the
arithmetic. Nothing frozen is computed once and kept: each step runs all layers. On an accelerator weights and products
are bf16, and what a layer remembers for the gradient is computed again instead (gradient checkpointing). Run by us on
CPUs only.

TRL's state (adapter, optimiser, schedule) lies in ``JOBDIR/resume-N``, N steps in: written every half minute and at
each epoch's end, aside first, then renamed. Killed and started again, a job goes on from there. Nothing in it is random
but the adapter's start, so on a CPU it ends with the same adapter, bit for bit.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader
from transformers import AutoTokenizer, PrinterCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer

from helpers.local_api.training.batches import Row, epoch_order, packs
from helpers.local_api.training.hyperparameters import BASE_LEARNING_RATE
from helpers.local_api.training.lora import adapted, save_adapter
from helpers.local_api.training.lora_trainer import MAX_TOKENS, Score, adapted_layers, plain_loss
from helpers.local_api.training.trainers.job import (
    CLIP_NORM,
    Clock,
    LoadedJob,
    StepTeller,
    rate,
    stop_on_sigterm,
    tell_start,
)

ASIDE = "resume.part"
"""Where TRL writes its state; what stands there may be half of one."""
NOT_LEARNED = -100
"""The label of a token that the loss leaves out."""


def run(job: Path) -> None:
    """Train the job to its end, or from where it was left to its end."""
    stop = stop_on_sigterm()
    start = time.monotonic()
    loaded = LoadedJob(job)
    spec, rows = loaded.spec, len(loaded.rows)
    epochs = (epoch_order(rows, spec.batch_size, spec.seed, epoch) for epoch in range(spec.n_epochs))
    trainer = JobTrainer(loaded, [batch for epoch in epochs for batch in epoch])
    state = max(_states(job), key=_steps_of, default=None)
    done, elapsed = (_steps_of(state), float((state / "elapsed_s").read_text())) if state else (0, 0.0)
    say = tell_start(loaded, done)
    clock = Clock(done, loaded.total_steps, time.monotonic() - start + elapsed)
    tell = StepTeller(loaded, say, clock, trainer.measure, trainer.save_adapter)
    trainer.add_callback(_AfterEachStep(loaded, tell, stop))
    trainer.train_from(state)
    for state in _states(job):
        shutil.rmtree(state)
    say("done", trained_tokens=loaded.trained_tokens)


class JobTrainer(SFTTrainer):
    """TRL's trainer with a job's own batches and schedule.

    Args:
        loaded: the job; its model is adapted in place.
        batches: numbers of the rows of each step, all epochs in one: TRL then goes on within it, not at a start.
    """

    def __init__(self, loaded: LoadedJob, batches: list[list[int]]) -> None:
        self.loaded, self.batches, spec = loaded, batches, loaded.spec
        model = adapted(loaded.transformer.model, adapted_layers(loaded.transformer, spec.recipe), spec.seed)
        learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
        peak = BASE_LEARNING_RATE * spec.learning_rate_multiplier
        optimizer = torch.optim.AdamW(learning, lr=peak, weight_decay=0.0, fused=True)
        super().__init__(
            model=model,
            args=_settings(loaded),
            optimizers=(optimizer, LambdaLR(optimizer, lambda step: rate(step, loaded.total_steps))),
            train_dataset=Dataset.from_list([_labelled(row) for row in loaded.rows]),
            processing_class=AutoTokenizer.from_pretrained(spec.base_dir, local_files_only=True),
        )
        self.remove_callback(PrinterCallback)

    def _send_telemetry(self) -> None:
        """Nothing: TRL would tell its makers of each use, and nothing leaves this machine unasked."""

    def get_train_dataloader(self) -> DataLoader:
        """The job's batches, in their order."""
        return self.accelerator.prepare(
            DataLoader(self.train_dataset, batch_sampler=self.batches, collate_fn=self.data_collator)
        )

    def train_from(self, state: Path | None) -> None:
        """Train all batches, or those that come after a state that was saved; nothing half-written is left."""
        aside = Path(self.args.output_dir)
        shutil.rmtree(aside, ignore_errors=True)  # what a kill left
        try:
            self.train(resume_from_checkpoint=str(state) if state else None)
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def seconds_a_step(self) -> list[float]:
        """Train all batches, to know what each took."""
        watch = _Stopwatch()
        self.add_callback(watch)
        self.train_from(None)
        return [after - before for before, after in pairwise(watch.times)]

    @torch.no_grad()
    def measure(self, rows: Sequence[Row]) -> Score:
        """Loss and accuracy on rows, without learning."""
        self.model.eval()
        score = sum((plain_loss(self.model, some)[1] for some in packs(rows, MAX_TOKENS)), Score())
        self.model.train()
        return score

    def save_adapter(self, folder: Path) -> None:
        """Write the adapter as the engine serves it."""
        save_adapter(self.model, self.loaded.spec.base_dir.name, folder)


def _settings(loaded: LoadedJob) -> SFTConfig:
    """TRL's defaults are for jobs of their own; what the kit's job says instead."""
    on_cpu = loaded.transformer.device.type == "cpu"
    settings = SFTConfig(
        output_dir=str(loaded.job / ASIDE),
        num_train_epochs=1,  # all epochs are one to TRL
        per_device_train_batch_size=loaded.spec.batch_size,
        max_grad_norm=CLIP_NORM,
        seed=loaded.spec.seed,
        use_cpu=on_cpu,
        bf16=loaded.transformer.dtype == torch.bfloat16,
        activation_checkpointing=not on_cpu,
        max_length=None,  # rows that are too long were refused; none is cut
        router_aux_loss_coef=0.0,  # the loss is that of the answers, nothing else
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="no",  # `_AfterEachStep` says when
        report_to="none",
        disable_tqdm=True,
    )
    settings._n_gpu = min(settings.n_gpu, 1)  # where more can be seen: one process trains on one
    return settings


def _labelled(row: Row) -> dict[str, list[int]]:
    """A row with a label for each token: itself where it is learned."""
    ids = [*row.ids, row.targets[-1]]
    learned = {place + 1 for place in row.at}
    return {"input_ids": ids, "labels": [i if n in learned else NOT_LEARNED for n, i in enumerate(ids)]}


class _Stopwatch(TrainerCallback):
    def __init__(self) -> None:
        self.times: list[float] = []

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.times.append(time.perf_counter())

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
        if "loss" in logs:  # it has been read, so the device is done
            self.times.append(time.perf_counter())


class _AfterEachStep(TrainerCallback):
    """Tells what a step brought, has TRL save its state when that is due, stops when that was asked."""

    def __init__(self, loaded: LoadedJob, tell: StepTeller, stop: Callable[[], None]) -> None:
        self.loaded, self.tell, self.stop = loaded, tell, stop

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.stop()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
        if "loss" in logs:  # not the summary at the end
            control.should_save = self.tell(state.global_step, logs["loss"], logs["mean_token_accuracy"])

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The state is whole: give it its name, and drop those before it."""
        job, before = self.loaded.job, _states(self.loaded.job)
        written = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        (written / "elapsed_s").write_text(str(self.tell.clock.elapsed))
        written.rename(job / f"resume-{state.global_step}")
        for state_before in before:
            shutil.rmtree(state_before)


def _states(job: Path) -> list[Path]:
    """Whole ones: more than one where a kill came before the older was removed."""
    return list(job.glob("resume-*"))


def _steps_of(state: Path) -> int:
    return int(state.name.removeprefix("resume-"))
