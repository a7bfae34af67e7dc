"""How long a job would take on this machine: a short real probe, then arithmetic."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from helpers.local_api.training.batches import Pack
from helpers.local_api.training.lora_trainer import MEMORY_BYTES, HiddenStateCache
from helpers.local_api.training.trainers.job import VALID_EVERY_STEPS
from helpers.local_api.training.trainers.own_loop import Training

PROBE_ROWS = 16
PROBES = 3
UNCERTAINTY = 0.25
"""The range that is stated around the likely time; a machine that does other work meanwhile can exceed it."""


def estimate(job: Path) -> dict[str, Any]:
    """Predict a job without running it.

    Loads the model; runs the frozen layers, an evaluation and an optimiser step on rows of middling length, the first
    time to warm up; scales by tokens. Nothing is written into the folder.

    Args:
        job: a folder with ``spec.json``.

    Returns:
        ``seconds`` (likely), ``low``, ``high``, ``load_s``, ``tokens_per_second`` (billed tokens, while training),
        ``trained_tokens``, ``total_steps``, ``steps_per_epoch``, ``examples``, and ``memory_bytes``: the most
        that this process held, and the frozen outputs of all rows; longer rows than those of the probe take more.
    """
    began = time.perf_counter()
    training = Training(job)
    load = time.perf_counter() - began
    spec, trainer, valid = training.spec, training.trainer, training.valid
    size = min(PROBE_ROWS, spec.batch_size)
    middle = max(0, (len(training.rows) - size) // 2)
    probe = sorted(training.rows, key=len)[middle : middle + size]

    pack = Pack.of(probe, training.transformer.device)
    freezing = _seconds(lambda: trainer.lower(pack)) if trainer.first else 0.0
    training.frozen = HiddenStateCache(trainer, probe, job) if trainer.first else None
    stepping = _seconds(lambda: training.step(probe))
    scoring = _seconds(lambda: trainer.score(probe, training.frozen))

    ours, theirs = sum(map(len, training.rows)), sum(map(len, valid))
    sampled = training.total_steps // VALID_EVERY_STEPS * min(spec.batch_size, len(valid)) / max(1, len(valid))
    training_s = ours * spec.n_epochs * stepping / len(pack.positions[0])
    others_s = ((ours + theirs) * freezing + theirs * (spec.n_epochs + sampled) * scoring) / len(pack.positions[0])
    seconds = load + training_s + others_s
    width = trainer.transformer.head.shape[1]
    cached = min((ours + theirs) * width * 4, MEMORY_BYTES) if trainer.first else 0
    tokens = sum(row.tokens for row in training.rows) * spec.n_epochs
    return {
        "seconds": round(seconds, 3),
        "low": round(seconds * (1 - UNCERTAINTY), 3),
        "high": round(seconds * (1 + UNCERTAINTY), 3),
        "load_s": round(load, 1),
        "tokens_per_second": round(tokens / training_s, 1),
        "trained_tokens": tokens,
        "total_steps": training.total_steps,
        "steps_per_epoch": training.steps_per_epoch,
        "examples": len(training.rows),
        "memory_bytes": _peak_memory() + cached,
    }


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
    return sorted(times)[PROBES // 2]
