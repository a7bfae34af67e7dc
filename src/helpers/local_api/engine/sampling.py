"""Choosing the next token."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

LIKELY = 1000
"""Tokens that are sorted first; they nearly always hold the share that ``top_p`` asks for."""


class Sampler:
    """Greedy at temperature 0; else samples, the same way each time for the same seed and the same logits."""

    def __init__(self, temperature: float, top_p: float, seed: int | None) -> None:
        self.greedy = temperature < 1e-5
        self._temperature, self._top_p = temperature, top_p
        self._chance = random.Random(seed)

    def sample(self, logits: Tensor) -> int:
        """A token id, from logits (vocabulary,)."""
        shares = (logits.double() / self._temperature).softmax(-1)
        best, ids = shares.topk(min(LIKELY, len(shares)))
        if float(best.sum()) < self._top_p:
            best, ids = shares.sort(descending=True)
        up_to = best.cumsum(-1)
        kept = max(1, int((up_to - best < self._top_p).sum()))  # as few as reach top_p, at least one
        point = self._chance.random() * float(up_to[kept - 1])
        return int(ids[min(kept - 1, int((up_to[:kept] <= point).sum()))])
