"""What ``"auto"`` means here, from 10 examples to 10,000. No torch: the API resolves a job before a trainer starts.

Small data wants a high rate and enough optimiser steps; measured on the sample task, see ``benchmarks/LOG.md``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

BASE_LEARNING_RATE = 2e-3
"""What ``learning_rate_multiplier`` multiplies: peak rate of AdamW on the LoRA matrices."""

WANTED_STEPS = 120
"""About how many optimiser steps a small job needs before its held-out accuracy stops rising."""

MAX_AUTO_EPOCHS = 20

Setting = int | float | Literal["auto"] | None


@dataclass(frozen=True)
class Hyperparameters:
    """A job's settings, all decided."""

    n_epochs: int
    batch_size: int
    learning_rate_multiplier: float
    steps_per_epoch: int

    @property
    def total_steps(self) -> int:
        """Optimiser steps of the whole job."""
        return self.n_epochs * self.steps_per_epoch


def resolve(
    n_examples: int,
    *,
    n_epochs: Setting = "auto",
    batch_size: Setting = "auto",
    learning_rate_multiplier: Setting = "auto",
) -> Hyperparameters:
    """Fill in what was left to ``"auto"`` (or None).

    Args:
        n_examples: rows of the training file.
        n_epochs: passes over them.
        batch_size: rows of an optimiser step; never more than there are.
        learning_rate_multiplier: of :data:`BASE_LEARNING_RATE`.
    """
    batch = min(n_examples, _batch_size(n_examples) if _is_auto(batch_size) else int(batch_size))
    steps = math.ceil(n_examples / batch)
    epochs = min(MAX_AUTO_EPOCHS, max(1, round(WANTED_STEPS / steps))) if _is_auto(n_epochs) else int(n_epochs)
    multiplier = 1.0 if _is_auto(learning_rate_multiplier) else float(learning_rate_multiplier)
    return Hyperparameters(epochs, batch, multiplier, steps)


def _batch_size(n_examples: int) -> int:
    return next(size for rows, size in ((40, 4), (150, 8), (3000, 16), (math.inf, 32)) if n_examples < rows)


def _is_auto(setting: Setting) -> bool:
    return setting is None or setting == "auto"
