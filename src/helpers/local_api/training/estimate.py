"""How long a job would take on this machine: a short real probe, then arithmetic."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from helpers.local_api.training.batches import Pack, Row
from helpers.local_api.training.lora_trainer import MEMORY_BYTES, HiddenStateCache
from helpers.local_api.training.trainers.choosing import loop_of
from helpers.local_api.training.trainers.job import VALID_EVERY_STEPS, LoadedJob
from helpers.local_api.training.trainers.own_loop import Training

PROBE_ROWS = 16
PROBES = 3
UNCERTAINTY = 0.25
"""The range that is stated around the likely time; a machine that does other work meanwhile can exceed it."""


@dataclass(frozen=True)
class Probe:
    """What a trainer took for rows of middling length.

    Attributes:
        loaded: the job.
        load: seconds until it could begin.
        tokens: of the rows, as they are run.
        freezing, stepping, scoring: seconds for them: the frozen layers, an optimiser step, an evaluation.
        remembered: bytes that one token of any row takes for the whole of the job.
    """

    loaded: LoadedJob
    load: float
    tokens: int
    freezing: float
    stepping: float
    scoring: float
    remembered: int = 0


def estimate(job: Path) -> dict[str, Any]:
    """Predict a job without running it.

    Loads the model; runs the frozen layers, an evaluation and an optimiser step on rows of middling length, the first
    time to warm up, in the trainer that the job would get; scales by tokens. Nothing is left in the folder.

    Args:
        job: a folder with ``spec.json``.

    Returns:
        ``seconds`` (likely), ``low``, ``high``, ``load_s``, ``tokens_per_second`` (billed tokens, while training),
        ``trained_tokens``, ``total_steps``, ``steps_per_epoch``, ``examples``, and ``memory_bytes``: the most
        that this process held, and the frozen outputs of all rows; longer rows than those of the probe take more. The
        memory of an accelerator is not in it.

    Raises:
        JobError: TRL would train it and is not installed.
    """
    began = time.perf_counter()
    probe = (_probe_of_trl if loop_of(job) == "trl" else _probe_of_own_loop)(job, began)
    loaded = probe.loaded
    spec, valid = loaded.spec, loaded.valid
    ours, theirs = sum(map(len, loaded.rows)), sum(map(len, valid))
    sampled = loaded.total_steps // VALID_EVERY_STEPS * min(spec.batch_size, len(valid)) / max(1, len(valid))
    training_s = ours * spec.n_epochs * probe.stepping / probe.tokens
    others_s = ((ours + theirs) * probe.freezing + theirs * (spec.n_epochs + sampled) * probe.scoring) / probe.tokens
    seconds = probe.load + training_s + others_s
    return {
        "seconds": round(seconds, 3),
        "low": round(seconds * (1 - UNCERTAINTY), 3),
        "high": round(seconds * (1 + UNCERTAINTY), 3),
        "load_s": round(probe.load, 1),
        "tokens_per_second": round(loaded.trained_tokens / training_s, 1),
        "trained_tokens": loaded.trained_tokens,
        "total_steps": loaded.total_steps,
        "steps_per_epoch": loaded.steps_per_epoch,
        "examples": len(loaded.rows),
        "memory_bytes": _peak_memory() + min((ours + theirs) * probe.remembered, MEMORY_BYTES),
    }


def _probe_of_own_loop(job: Path, began: float) -> Probe:
    training = Training(job)
    load = time.perf_counter() - began
    trainer, probe = training.trainer, _middling(training)
    pack = Pack.of(probe, training.transformer.device)
    freezing = _seconds(lambda: trainer.lower(pack)) if trainer.first else 0.0
    training.frozen = HiddenStateCache(trainer, probe, job) if trainer.first else None
    stepping = _seconds(lambda: training.step(probe))
    scoring = _seconds(lambda: trainer.score(probe, training.frozen))
    width = training.transformer.head.shape[1] if trainer.first else 0
    return Probe(training, load, len(pack.positions[0]), freezing, stepping, scoring, width * 4)


def _probe_of_trl(job: Path, began: float) -> Probe:
    from helpers.local_api.training.trainers.trl_loop import JobTrainer  # loaded where it is needed: it takes seconds

    loaded = LoadedJob(job)
    probe = _middling(loaded)
    trainer = JobTrainer(loaded, [[loaded.rows.index(row) for row in probe]] * (1 + PROBES))
    load = time.perf_counter() - began
    stepping = _middle(trainer.seconds_a_step()[1:])
    return Probe(loaded, load, sum(map(len, probe)), 0.0, stepping, _seconds(lambda: trainer.measure(probe)))


def _middling(loaded: LoadedJob) -> list[Row]:
    size = min(PROBE_ROWS, loaded.spec.batch_size)
    middle = max(0, (len(loaded.rows) - size) // 2)
    return sorted(loaded.rows, key=len)[middle : middle + size]


def _peak_memory() -> int:
    """Bytes that this process has held at most."""
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # kilobytes on Linux


def _seconds(work: Callable[[], Any]) -> float:
    """The middle one of a few runs, after one to warm up."""
    work()
    times = []
    for _ in range(PROBES):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return _middle(times)


def _middle(times: Sequence[float]) -> float:
    return sorted(times)[len(times) // 2]
