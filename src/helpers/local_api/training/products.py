"""Which type training multiplies in on this processor, bf16 where that is much quicker: measured once a machine, and
again where the work of a finished job contradicts it.

A flag of the processor does not tell: Intel's matrix units (AMX) and some of AMD's processors with AVX512_BF16 are two
to four times as fast in bf16, others that know bf16 gain nothing or lose. The finding is kept, so that the same seed
gives the same model on this machine, however busy it is.

It is measured in processor time, for the number is kept: by the clock a machine with more work than cores was once
found to be four times as slow as it is, and every forecast said so from then on. A job contradicts what is kept where
its :class:`Work` took less than half or more than twice the processor time that the kept rates let expect.

``python -m helpers.local_api.training.products`` prints it as JSON, for whoever predicts times without loading torch.
"""

from __future__ import annotations

import contextlib
import json
import logging
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from helpers.local_api.engine.transformer import weights_dtype
from helpers.open_models.entries import Shape
from helpers.open_models.sizing import work_seconds
from helpers.project import kit_home, write_atomically

if TYPE_CHECKING:
    from helpers.local_api.training.batches import Row
    from helpers.local_api.training.lora_trainer import LoraTrainer

FASTER = 1.5
"""So many times as fast must bf16 be: turning numbers from one type into the other eats a smaller gain."""
TOKENS, WIDTH, INNER = 256, 576, 1536
"""The product that is timed: the base model's feed-forward layer on a few rows, milliseconds on one core."""
TRIES = 40
CONTRADICTED = 2.0
"""So many times as long, or as short, as expected a job's work takes where the kept rates must be wrong."""
ENOUGH_SECONDS = 5.0
"""Processor seconds from which a job tells anything: the first steps of a process take longer than the others."""
CLOCK = time.thread_time if sys.platform == "linux" else time.perf_counter
"""Seconds of a product. Elsewhere a thread's clock may tick too coarsely, or miss what other threads do for it."""

log = logging.getLogger(__name__)


def product_dtype(device: torch.device) -> torch.dtype:
    """What training multiplies in on ``device``.

    On an accelerator the type of the base model's weights.
    """
    if device.type != "cpu":
        return weights_dtype(device, training=True)
    rates = kept_rates() or _keep(measured_rates())
    return torch.bfloat16 if rates["bfloat16"] >= FASTER * rates["float32"] else torch.float32


def measured_rates() -> dict[str, float]:
    """GFLOP/s of matrix products in fp32 and in bf16, on one core: the best of many short ones, taken in turn.

    So other programs disturb little: threads would wait for each other, and what an interruption pushed out of the
    caches has to be read again.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        seconds = _quickest({dtype: _factors(dtype) for dtype in (torch.float32, torch.bfloat16)})
    finally:
        torch.set_num_threads(threads)
    flop = 2 * TOKENS * WIDTH * INNER
    return {str(dtype).removeprefix("torch."): flop / took / 1e9 for dtype, took in seconds.items()}


def _factors(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(TOKENS, WIDTH).to(dtype), torch.randn(INNER, WIDTH).to(dtype)


def _quickest(pairs: Mapping[torch.dtype, tuple[torch.Tensor, torch.Tensor]]) -> dict[torch.dtype, float]:
    seconds = dict.fromkeys(pairs, float("inf"))
    for _ in range(TRIES):
        for dtype, pair in pairs.items():
            began = CLOCK()
            torch.nn.functional.linear(*pair)
            seconds[dtype] = min(seconds[dtype], CLOCK() - began)
    return seconds


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


def measure_again_if(expected: float, took: float) -> bool:
    """Measure and keep the rates anew where a job's work contradicts them.

    Args:
        expected: the work's processor seconds by the kept rates.
        took: those that it took.

    Returns:
        Whether it was done.
    """
    if 1 / CONTRADICTED <= took / expected <= CONTRADICTED:
        return False
    log.info("a job took %.0f processor seconds where %.0f were expected: measuring again", took, expected)
    _keep(measured_rates())
    return True


def _file() -> Path:
    return kit_home() / "processor.json"


def _machine() -> dict[str, object]:
    """What the rates depend on, and what a home that moved to another machine is recognised by."""
    capable = sorted(name for name, has in torch.cpu.get_capabilities().items() if has is True)
    return {"torch": torch.__version__, "processor": _processor(), "capabilities": capable}


def _processor() -> str:
    """Its name, where the system tells one."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return platform.processor()


def kept_rates() -> dict[str, float] | None:
    """GFLOP/s as they were measured on this machine; None where they never were, or on another one."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(_file().read_text(encoding="utf-8"))
        if kept["machine"] == _machine():
            return {name: float(kept["gflops"][name]) for name in ("float32", "bfloat16")}
    return None


def _keep(rates: Mapping[str, float]) -> Mapping[str, float]:
    log.info("matrix products: %s GFLOP/s", {name: round(rate) for name, rate in rates.items()})
    with contextlib.suppress(OSError):  # on a full disk it is measured again
        write_atomically(_file(), json.dumps({"machine": _machine(), "gflops": rates}, indent=1) + "\n")
    return rates


if __name__ == "__main__":
    rates = kept_rates() or _keep(measured_rates())
    print(json.dumps({"gflops_a_core": dict(rates), "cores": torch.get_num_threads()}))
