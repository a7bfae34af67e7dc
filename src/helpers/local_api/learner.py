"""The arithmetic of training: a frozen lower part that is run once, an adapted upper part, the loss on answers only."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from helpers.local_api.batches import Row, answers, padded, pieces
from helpers.local_api.decoder import Decoder
from helpers.local_api.lora import Adapter

UPPER_SHARE = 0.4
"""The share of layers, from the top, that the quick recipe trains: 12 of 30."""

MOST_TOKENS = 3072
"""Padded tokens that are trained at once; a larger batch is cut into pieces whose gradients are added up."""

MEMORY_BYTES = 512 * 2**20
"""Frozen outputs above this size go to a file that is mapped into memory."""

LOGITS_AT_ONCE = 512

Recipe = Literal["quick", "thorough"]


class Score(NamedTuple):
    """Sums over learned tokens: of weights, of weight x loss, of right guesses, and their number."""

    weight: float = 0.0
    loss: float = 0.0
    right: float = 0.0
    tokens: int = 0

    def __add__(self, other: Score) -> Score:  # type: ignore[override]
        return Score(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    @property
    def mean_loss(self) -> float:
        return self.loss / self.weight

    @property
    def accuracy(self) -> float:
        return self.right / self.tokens


class _AnswerLoss(torch.autograd.Function):
    """Summed, weighted cross-entropy of ``hidden @ head.T``, and how many guesses were right.

    The gradient is made on the way forward, a few hundred tokens at a time, so the logits of a batch (200 kB a token)
    never exist all at once. The head is frozen: only ``hidden`` gets a gradient.
    """

    @staticmethod
    def forward(ctx, hidden: Tensor, head: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        grad = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        loss, right = hidden.new_zeros(()), hidden.new_zeros(())
        for i in range(0, len(hidden), LOGITS_AT_ONCE):
            part = slice(i, i + LOGITS_AT_ONCE)
            logits, at = hidden[part] @ head.T, targets[part, None]
            right += (logits.argmax(-1, keepdim=True) == at).sum()
            at_target = logits.gather(1, at)
            total = logits.logsumexp(-1, keepdim=True)
            loss += (weights[part, None] * (total - at_target)).sum()
            if grad is not None:
                shares = logits.sub_(total).exp_()
                shares.scatter_add_(1, at, shares.new_full(at.shape, -1.0))
                torch.mm(shares.mul_(weights[part, None]), head, out=grad[part])
        ctx.save_for_backward(grad)
        ctx.mark_non_differentiable(right)
        return loss, right

    @staticmethod
    def backward(ctx, grad_loss: Tensor, _: Tensor):
        (grad,) = ctx.saved_tensors
        return grad * grad_loss, None, None, None


class Learner:
    """A base model with a fresh adapter.

    A model that cannot be walked layer by layer is trained through its own ``forward``, all layers, in any recipe.

    Args:
        decoder: the base model; it is adapted in place.
        recipe: ``"quick"`` adapts the upper layers over cached outputs of the lower ones, ``"thorough"`` all layers.
        base_name: the base model's name, for the adapter's config.
        seed: of the adapter's start.
    """

    def __init__(self, decoder: Decoder, recipe: Recipe, base_name: str, seed: int) -> None:
        self.decoder = decoder
        count = len(decoder.layers) if decoder.walkable else 0
        self.first = count - max(1, round(count * UPPER_SHARE)) if decoder.walkable and recipe == "quick" else 0
        layers = list(range(self.first, count)) if self.first else None
        self.adapter = Adapter(decoder.model, layers, base_name, seed)

    def learn(self, rows: Sequence[Row], frozen: FrozenOutputs | None) -> Score:
        """Add the gradient of the batch's mean loss to the adapter's parameters."""
        weight = sum(sum(row.weights) for row in rows)
        total = Score()
        for piece in pieces(range(len(rows)), [len(row) for row in rows], MOST_TOKENS):
            some = [rows[i] for i in piece]
            loss, score = self._loss(some, frozen)
            (loss / weight).backward()
            total += score
        return total

    @torch.no_grad()
    def score(self, rows: Sequence[Row], frozen: FrozenOutputs | None) -> Score:
        """Loss and accuracy on rows, without learning."""
        order = pieces(range(len(rows)), [len(row) for row in rows], MOST_TOKENS)
        return sum((self._loss([rows[i] for i in piece], frozen)[1] for piece in order), Score())

    def _loss(self, rows: Sequence[Row], frozen: FrozenOutputs | None) -> tuple[Tensor, Score]:
        line, at, targets, weights = answers(rows, self.decoder.device)
        if self.decoder.walkable:
            hidden = self._upper(frozen.of(rows) if frozen else self.lower(rows))
            loss, right = _AnswerLoss.apply(self.decoder.normed(hidden[line, at]), self.decoder.head, targets, weights)
        else:
            ids = padded(rows, self.decoder.device)
            logits = self.decoder.model(input_ids=ids, use_cache=False).logits[line, at]
            loss = (F.cross_entropy(logits, targets, reduction="none") * weights).sum()
            right = (logits.argmax(-1) == targets).sum()
        return loss, Score(float(weights.sum()), float(loss.detach()), float(right), len(targets))

    @torch.no_grad()
    def lower(self, rows: Sequence[Row]) -> Tensor:
        """Output of the frozen layers, (rows, longest, width)."""
        hidden = self.decoder.embed(padded(rows, self.decoder.device))
        return self.decoder.walk(hidden, _positions(hidden), 0, self.first)

    def _upper(self, hidden: Tensor) -> Tensor:
        positions = _positions(hidden)
        if not torch.is_grad_enabled() or hidden.shape[0] * hidden.shape[1] <= MOST_TOKENS:
            return self.decoder.walk(hidden, positions, self.first)
        for i in range(self.first, len(self.decoder.layers)):  # one very long row: keep layer inputs only, run twice
            hidden = checkpoint(self.decoder.walk, hidden, positions, i, i + 1, use_reentrant=False)
        return hidden


class FrozenOutputs:
    """What the frozen layers say about each row, computed once: 4 bytes x width a token, in memory or in a mapped file.

    Args:
        learner: its :meth:`Learner.lower` is run over all rows.
        rows: training and validation rows.
        scratch: a folder for the file of large data; the file has no name once it is open, so it dies with the process.
        stop: called between batches; an exception that it raises ends the work.
    """

    def __init__(self, learner: Learner, rows: Sequence[Row], scratch: Path, stop=lambda: None) -> None:
        width = learner.decoder.head.shape[1]
        starts = np.cumsum([0, *map(len, rows)])
        self.where = {id(row): (int(a), int(b)) for row, a, b in zip(rows, starts, starts[1:], strict=False)}
        self.values = _room((int(starts[-1]), width), scratch)
        self.device = learner.decoder.device
        for piece in pieces(range(len(rows)), [len(row) for row in rows], MOST_TOKENS):
            stop()
            some = [rows[i] for i in piece]
            for row, hidden in zip(some, learner.lower(some), strict=True):
                first, last = self.where[id(row)]
                self.values[first:last] = hidden[: len(row)].cpu()

    @staticmethod
    def fits(rows: Iterable[Row], width: int, scratch: Path) -> bool:
        """Whether memory or the disk (half of what is free) has room for all rows."""
        size = sum(map(len, rows)) * width * 4
        return size <= MEMORY_BYTES or size <= shutil.disk_usage(scratch).free // 2

    def of(self, rows: Sequence[Row]) -> Tensor:
        """(rows, longest, width), zeros on the right."""
        spans = [self.where[id(row)] for row in rows]
        hidden = torch.zeros(len(rows), max(b - a for a, b in spans), self.values.shape[1])
        for i, (a, b) in enumerate(spans):
            hidden[i, : b - a] = self.values[a:b]
        return hidden.to(self.device)


def _room(shape: tuple[int, int], scratch: Path) -> Tensor:
    if shape[0] * shape[1] * 4 <= MEMORY_BYTES:
        return torch.empty(shape)
    file = scratch / "frozen.tmp"
    values = np.memmap(file, dtype=np.float32, mode="w+", shape=shape)
    file.unlink()
    return torch.from_numpy(values)


def _positions(hidden: Tensor) -> Tensor:
    return torch.arange(hidden.shape[1], device=hidden.device)[None]
