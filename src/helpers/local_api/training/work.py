"""What a job's work took of the processor, held against the rates that are kept of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from helpers.local_api.training.batches import Row
from helpers.local_api.training.lora_trainer import LoraTrainer
from helpers.local_api.training.products import kept_rates, measure_again_if
from helpers.open_models.entries import Shape
from helpers.open_models.sizing import work_seconds

ENOUGH_SECONDS = 5.0
"""Processor seconds from which a job tells anything: the first steps of a process take longer than the others."""


@dataclass
class Work:
    """What this process did of a job.

    Attributes:
        frozen: tokens that went through the frozen layers.
        rows, tokens, learned: rows that were trained on, their tokens, and those of these that were learned; a row
            counts in each pass.
        seconds: processor seconds of it all, of all threads.
    """

    frozen: int = 0
    rows: int = 0
    tokens: int = 0
    learned: int = 0
    seconds: float = 0.0

    def add(self, rows: Sequence[Row], seconds: float) -> None:
        """Count a step.

        Args:
            rows: its batch.
            seconds: processor seconds that it took.
        """
        self.rows += len(rows)
        self.tokens += sum(map(len, rows))
        self.learned += sum(len(row.at) for row in rows)
        self.seconds += seconds


def check_kept_rates(work: Work, trainer: LoraTrainer) -> bool:
    """Have the rates of this machine measured again where a finished job contradicts them; whether that was done.

    Args:
        work: what was done, and how long it took.
        trainer: who did it.
    """
    rates = kept_rates()
    told = work.seconds >= ENOUGH_SECONDS and work.tokens  # a job that was resumed at its end trains nothing any more
    if trainer.transformer.device.type != "cpu" or rates is None or not told:
        return False
    expected = work_seconds(
        shape_of(trainer),
        frozen=work.frozen,
        rows=work.rows,
        tokens=work.tokens,
        answers=work.learned / work.tokens,
        share=trainer.share,
        rates=rates,
    )
    return measure_again_if(expected, work.seconds)


def shape_of(trainer: LoraTrainer) -> Shape:
    """The base model's shape, the adapter left out."""
    model = trainer.transformer.model
    table, head = (part.weight for part in (model.get_input_embeddings(), model.get_output_embeddings()))
    numbers = sum(weight.numel() for weight in model.parameters() if not weight.requires_grad)
    numbers -= 0 if head is table else head.numel()
    return Shape(numbers, table.numel(), model.config.num_hidden_layers, table.shape[1], trainer.transformer.walkable)
