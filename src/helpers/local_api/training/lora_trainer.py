"""The arithmetic of training: a frozen lower part that is run once, an adapted upper part, the loss on answers only."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint
from transformers import AttentionInterface

from helpers.local_api.engine.transformer import Transformer
from helpers.local_api.training.batches import Pack, Row, packs
from helpers.local_api.training.lora import Adapter
from helpers.local_api.training.products import product_dtype

ATTENTION = "prompt_or_fine_tune_packed"

UPPER_SHARE = 0.4
"""The share of layers, from the top, that the quick recipe trains: 12 of 30."""

MAX_TOKENS = 1024
"""Tokens that are run at once where nothing has to be remembered for a gradient."""

ACTIVATION_BYTES = 640 * 2**20
"""Memory for what the adapted layers remember for the gradient. A larger batch is cut into pieces whose gradients are
added up; of a row that is too long even alone, the lower layers are run twice instead of remembered."""

MEMORY_BYTES = 256 * 2**20
"""Frozen outputs above this size go to a file that is mapped into memory."""

LOGITS_AT_ONCE = 160
"""Answer tokens whose logits exist at once: 30 MB of the base model's. Larger blocks the C library gives back to the
system each time, which fills them with zeros before it hands them out again."""

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
        """Cross-entropy a learned token, in nats, weighted."""
        return self.loss / self.weight

    @property
    def accuracy(self) -> float:
        """Share of learned tokens that were the likeliest, from 0 to 1."""
        return self.right / self.tokens


class _AnswerLoss(torch.autograd.Function):
    """Summed, weighted cross-entropy of ``hidden @ head.T``, and how many guesses were right.

    The gradient is made on the way forward, a few hundred tokens at a time, so the logits of a batch (200 kB a token)
    never exist all at once. The head is frozen: only ``hidden`` gets a gradient, by way of ``rounded_head``.
    """

    @staticmethod
    def forward(
        ctx, hidden: Tensor, head: Tensor, rounded_head: Tensor, targets: Tensor, weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        grad = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        loss, right = (hidden.new_zeros((), dtype=torch.float32) for _ in range(2))
        for i in range(0, len(hidden), LOGITS_AT_ONCE):
            part = slice(i, i + LOGITS_AT_ONCE)
            at, weight = targets[part, None], weights[part, None]
            logits = (hidden[part] @ head.T).float()
            highest, guesses = logits.max(-1, keepdim=True)
            right += (guesses == at).sum()
            at_target = logits.gather(1, at) - highest
            shares = logits.sub_(highest).exp_()
            total = shares.sum(-1, keepdim=True)
            loss += (weight * (total.log() - at_target)).sum()
            if grad is not None:
                shares.scatter_add_(1, at, -total)
                grad[part] = (shares.to(rounded_head.dtype) @ rounded_head).to(grad.dtype).mul_(weight / total)
        ctx.save_for_backward(grad)
        ctx.mark_non_differentiable(right)
        return loss, right

    @staticmethod
    def backward(ctx, grad_loss: Tensor, _: Tensor):
        (grad,) = ctx.saved_tensors
        return grad * grad_loss, None, None, None, None


def _attend_within_rows(module, query, key, value, attention_mask, scaling, dropout=0.0, *, lengths: list[int], **_):
    """Causal attention in a pack: each row, (1, heads, its tokens, width), sees itself only."""
    parts = zip(*(tensor.split(lengths, dim=2) for tensor in (query, key, value)), strict=True)
    mixed = [F.scaled_dot_product_attention(*part, is_causal=True, scale=scaling, enable_gqa=True) for part in parts]
    return torch.cat([part.transpose(1, 2) for part in mixed], dim=1), None


AttentionInterface.register(ATTENTION, _attend_within_rows)


def adapted_layers(transformer: Transformer, recipe: Recipe) -> list[int] | None:
    """Indices of the decoder layers that a recipe adapts; None: all, as in a model that cannot be walked.

    Args:
        transformer: the base model.
        recipe: ``"quick"`` adapts the upper ones, ``"thorough"`` all.
    """
    if recipe != "quick" or not transformer.walkable:
        return None
    count = len(transformer.layers)
    first = count - max(1, round(count * UPPER_SHARE))
    return list(range(first, count)) if first else None


def plain_loss(model: nn.Module, rows: Sequence[Row]) -> tuple[Tensor, Score]:
    """Summed, weighted loss of rows by the model's own ``forward``, and the score that it belongs to.

    Each row runs by itself: nothing is padded, and no logits are made where nothing is learned (Gemma 3's are a
    megabyte a token).

    Args:
        model: a causal language model, adapted or not.
        rows: so many that their logits fit into memory.
    """
    pack = Pack.of(rows, model.device)
    logits = torch.cat([_logits(model, row) for row in rows])
    loss = (F.cross_entropy(logits, pack.targets, reduction="none") * pack.weights).sum()
    return loss, _score(pack, loss, (logits.argmax(-1) == pack.targets).sum())


def _logits(model: nn.Module, row: Row) -> Tensor:
    """Of a row's learned tokens: (learned tokens, vocabulary)."""
    ids, at = (torch.tensor(numbers, device=model.device) for numbers in (row.ids, row.at))
    return model(input_ids=ids[None], use_cache=False, logits_to_keep=at).logits[0].float()


def _score(pack: Pack, loss: Tensor, right: Tensor) -> Score:
    return Score(float(pack.weights.sum()), float(loss.detach()), float(right), len(pack.targets))


class LoraTrainer:
    """A base model with a fresh adapter.

    Rows are trained end to end, without padding. A model that cannot be walked layer by layer is trained through its
    own ``forward``, row by row, all layers, in any recipe.

    Args:
        transformer: the base model; it is adapted in place.
        recipe: ``"quick"`` adapts the upper layers over cached outputs of the lower ones, ``"thorough"`` all layers.
        base_name: the base model's name, for the adapter's config.
        seed: of the adapter's start.
        products: the type that the adapted layers multiply in; None: the quickest that this machine trains well in.

    Attributes:
        share: the share of the layers that is trained.
    """

    def __init__(
        self, transformer: Transformer, recipe: Recipe, base_name: str, seed: int, products: torch.dtype | None = None
    ) -> None:
        self.transformer = transformer
        count = len(transformer.layers) if transformer.walkable else 0
        layers = adapted_layers(transformer, recipe)
        self.first = layers[0] if layers else 0
        if transformer.walkable:
            transformer.model.set_attn_implementation(ATTENTION)
        self.share = 1 - self.first / count if count else 1.0
        products = products or product_dtype(transformer.device)
        self.adapter = Adapter(transformer.model, layers, base_name, seed, products)
        self._head = transformer.head.to(products) if transformer.walkable else None
        config = transformer.model.config
        between = getattr(config, "intermediate_size", 4 * config.hidden_size)
        remembered = 4 * (10 * config.hidden_size + 4 * between)  # about, a token and layer
        self.layer_tokens = ACTIVATION_BYTES // remembered
        self.most_tokens = self.layer_tokens // (config.num_hidden_layers - self.first)

    def learn(self, rows: Sequence[Row], frozen: HiddenStateCache | None) -> Score:
        """Add the gradient of the batch's mean loss to the adapter's parameters.

        Args:
            rows: the batch.
            frozen: what the lower layers say about them; None: these are run, too.

        Returns:
            Loss and accuracy as they were before the step.
        """
        weight = sum(sum(row.weights) for row in rows)
        total = Score()
        for some in packs(rows, self.most_tokens):
            loss, score = self._loss(some, frozen)
            (loss / weight).backward()
            total += score
        return total

    @torch.no_grad()
    def score(self, rows: Sequence[Row], frozen: HiddenStateCache | None) -> Score:
        """Loss and accuracy on rows, without learning.

        Args:
            rows: any number.
            frozen: what the lower layers say about them; None: these are run, too.
        """
        return sum((self._loss(some, frozen)[1] for some in packs(rows, MAX_TOKENS)), Score())

    def _loss(self, rows: Sequence[Row], frozen: HiddenStateCache | None) -> tuple[Tensor, Score]:
        if not self.transformer.walkable:
            return plain_loss(self.transformer.model, rows)
        pack = Pack.of(rows, self.transformer.device)
        hidden = self._upper(frozen.of(rows).to(self.transformer.dtype) if frozen else self.lower(pack), pack)
        answers = self.transformer.normed(hidden[0, pack.at])
        loss, right = _AnswerLoss.apply(answers, self.transformer.head, self._head, pack.targets, pack.weights)
        return loss, _score(pack, loss, right)

    @torch.no_grad()
    def lower(self, pack: Pack) -> Tensor:
        """Output of the frozen layers, (1, tokens, width)."""
        hidden = self.transformer.embed(pack.ids)
        return self.transformer.walk(hidden, pack.positions, 0, self.first, lengths=pack.lengths)

    def _upper(self, hidden: Tensor, pack: Pack) -> Tensor:
        remembered_from = self.first
        if torch.is_grad_enabled():
            remembered_from = max(self.first, len(self.transformer.layers) - self.layer_tokens // hidden.shape[1])
        for i in range(self.first, remembered_from):  # one very long row
            part = partial(self.transformer.walk, first=i, last=i + 1, lengths=pack.lengths)
            hidden = checkpoint(part, hidden, pack.positions, use_reentrant=False)
        return self.transformer.walk(hidden, pack.positions, remembered_from, lengths=pack.lengths)


class HiddenStateCache:
    """What the frozen layers say about each row, computed once: 4 bytes x width a token, in memory or in a mapped file.

    Args:
        trainer: its :meth:`LoraTrainer.lower` is run over all rows.
        rows: training and validation rows.
        scratch: a folder for the file of large data; the file has no name once it is open, so it dies with the process.
        told: called now and then with the number of rows that are done; an exception that it raises ends the work.
    """

    def __init__(self, trainer: LoraTrainer, rows: Sequence[Row], scratch: Path, told=lambda rows_done: None) -> None:
        self.device = trainer.transformer.device
        ends = list(accumulate(map(len, rows)))
        self.where = {id(row): slice(end - len(row), end) for row, end in zip(rows, ends, strict=True)}
        self.values = _room((ends[-1], trainer.transformer.head.shape[1]), scratch)
        done = rows_done = 0
        for some in packs(rows, MAX_TOKENS):
            told(rows_done)
            hidden = trainer.lower(Pack.of(some, self.device))[0]
            self.values[done : done + len(hidden)] = hidden.cpu()
            done += len(hidden)
            rows_done += len(some)

    @staticmethod
    def fits(rows: Iterable[Row], width: int, scratch: Path) -> bool:
        """Whether memory or the disk (half of what is free) has room for all rows.

        Args:
            rows: training and validation rows.
            width: numbers of a hidden state; each takes 4 bytes.
            scratch: a folder on the disk in question.
        """
        size = sum(map(len, rows)) * width * 4
        return size <= MEMORY_BYTES or size <= shutil.disk_usage(scratch).free // 2

    def of(self, rows: Sequence[Row]) -> Tensor:
        """(1, tokens, width), the rows end to end."""
        return torch.cat([self.values[self.where[id(row)]] for row in rows])[None].to(self.device)


def _room(shape: tuple[int, int], scratch: Path) -> Tensor:
    if shape[0] * shape[1] * 4 <= MEMORY_BYTES:
        return torch.empty(shape)
    file = scratch / "frozen.tmp"
    values = np.memmap(file, dtype=np.float32, mode="w+", shape=shape)
    file.unlink()
    return torch.from_numpy(values)
