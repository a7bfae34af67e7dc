"""How long a job would take on this machine: a short real probe, then arithmetic."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from helpers.local_api.batches import Row, epoch_order, pieces
from helpers.local_api.learner import MOST_TOKENS
from helpers.local_api.train import VALID_EVERY_STEPS, Training

PROBE_ROWS = 16
UNCERTAINTY = 0.25
"""The range that is stated around the likely time; a machine that does other work meanwhile can exceed it."""


def estimate(job: Path) -> dict[str, Any]:
    """Predict a job without running it.

    Loads the model, runs the frozen layers, an evaluation and an optimiser step on rows of middling length (each twice:
    the first only warms up), and scales by tokens. Nothing is written into the folder.

    Args:
        job: a folder with ``spec.json``.

    Returns:
        ``seconds`` (likely), ``low``, ``high``, ``load_s``, ``tokens_per_second`` (billed tokens, while training),
        ``trained_tokens``, ``total_steps``, ``steps_per_epoch``, ``examples``.
    """
    began = time.perf_counter()
    training = Training(job)
    load = time.perf_counter() - began
    spec, learner = training.spec, training.learner
    by_length = sorted(training.rows, key=len)
    middle = max(0, len(by_length) // 2 - PROBE_ROWS // 2)
    probe = by_length[middle : middle + min(PROBE_ROWS, spec.batch_size)]

    frozen_rate, hidden = _seconds_per_token(lambda: learner.lower(probe), probe)
    training.frozen = _Kept(probe, hidden)
    step_rate, _ = _seconds_per_token(lambda: training.step(probe), probe)
    score_rate, _ = _seconds_per_token(lambda: learner.score(probe, training.frozen), probe)

    lengths = [len(row) for row in training.rows]
    one_epoch = sum(_padded(batch, lengths) for batch in epoch_order(lengths, spec.batch_size, spec.seed, 0))
    full_valid = _padded(range(len(training.valid)), [len(row) for row in training.valid])
    some_valid = training.total_steps // VALID_EVERY_STEPS * min(spec.batch_size, len(training.valid))
    valid = full_valid * (spec.n_epochs + some_valid / max(1, len(training.valid)))
    once = (sum(lengths) + full_valid) * frozen_rate if learner.first else 0.0
    stepping = one_epoch * spec.n_epochs * step_rate
    seconds = load + once + stepping + valid * score_rate
    tokens = sum(row.tokens for row in training.rows) * spec.n_epochs
    return {
        "seconds": round(seconds, 1),
        "low": round(seconds * (1 - UNCERTAINTY), 1),
        "high": round(seconds * (1 + UNCERTAINTY), 1),
        "load_s": round(load, 1),
        "tokens_per_second": round(tokens / stepping, 1),
        "trained_tokens": tokens,
        "total_steps": training.total_steps,
        "steps_per_epoch": training.steps_per_epoch,
        "examples": len(training.rows),
    }


class _Kept:
    """Frozen outputs of the probe's rows only."""

    def __init__(self, rows: list[Row], hidden: Any) -> None:
        self.hidden = {id(row): one for row, one in zip(rows, hidden, strict=True)}

    def of(self, rows: list[Row]) -> Any:
        import torch

        return torch.stack([self.hidden[id(row)] for row in rows])[:, : max(map(len, rows))]


def _seconds_per_token(work: Any, rows: list[Row]) -> tuple[float, Any]:
    work()
    began = time.perf_counter()
    result = work()
    return (time.perf_counter() - began) / _padded(range(len(rows)), [len(row) for row in rows]), result


def _padded(batch: Any, lengths: list[int]) -> int:
    """Tokens of a batch, padding included, as they are computed."""
    return sum(len(piece) * max(lengths[i] for i in piece) for piece in pieces(batch, lengths, MOST_TOKENS))
