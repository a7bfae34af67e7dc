"""The arithmetic of answering: prompts are read, rows get their next tokens, adapters are put in place.

Transformers' layers do the work, with two things replaced: attention, which goes to rows that share one copy of their
common beginning (:mod:`helpers.local_api.engine.kv_cache`), and weights, which are packed once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import DynamicCache, PreTrainedConfig

from helpers.local_api.engine.adapters import AdapterFiles
from helpers.local_api.engine.kv_cache import ATTENTION, BatchGroup, Rows
from helpers.local_api.engine.scheduler import pieces
from helpers.local_api.engine.transformer import open_model

PREFILL_TOKENS = 512
"""Padded prompt tokens that are run at once: enough for fast products, few enough that rows of one piece are alike."""
CHUNK = 512
"""Tokens of one row that are run at once: bounds the memory for attention scores of long prompts."""
MERGED_BYTES = 600 * 2**20
"""Adapted weights that are kept for adapters in use: three quick ones or one thorough one of the base model."""


class Linear(nn.Linear):
    """A linear layer whose weight an adapter can replace: it computes with ``packed_weight`` (:func:`pack_weight`)."""

    packed_weight: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """The product of (…, in) with the packed weight: (…, out)."""
        if self.packed_weight.is_mkldnn:
            return torch.ops.mkldnn._linear_pointwise(x, self.packed_weight, self.bias, "none", [], "")
        return nn.functional.linear(x, self.packed_weight, self.bias)


def pack_weight(weight: Tensor) -> Tensor:
    """A copy of a weight in the order that oneDNN reads fastest on a CPU; elsewhere the weight itself, no parameter.

    torch keeps both operations for its own compiler; they are the only way to pack a weight once for many products.
    """
    if weight.device.type == "cpu" and torch.backends.mkldnn.is_available():
        return torch.ops.mkldnn._reorder_linear_weight(weight, PREFILL_TOKENS)
    return weight.detach()


class OneRow:
    """One row of a model that cannot be walked layer by layer, with the library's own cache: slow, never shared."""

    def __init__(self, config: PreTrainedConfig) -> None:
        self.cache = DynamicCache(config=config)  # some layers look back over a window, or remember otherwise

    def __len__(self) -> int:
        return 1


class Runner:
    """A base model that answers, with one adapter at a time in place. Used by one thread, in torch's inference mode.

    Args:
        base_dir: the base model's folder.

    Attributes:
        shares: whether rows can share a prefix and a batch. Without it, each row is started and stepped by itself.

    Raises:
        AssetError: the model cannot be loaded.
    """

    def __init__(self, base_dir: Path) -> None:
        self.transformer = open_model(base_dir)
        self.shares = self.transformer.walkable
        if self.shares:
            self.transformer.model.set_attn_implementation(ATTENTION)
        config = self.transformer.model.config
        layers, heads = config.num_hidden_layers, config.num_key_value_heads
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self._group = config.num_attention_heads // heads
        self.bytes_per_token = 4 * layers * 2 * heads * width
        self.no_prefix = torch.zeros(layers, 2, heads, 0, width, device=self.transformer.device)
        self._linear = {n: m for n, m in self.transformer.model.named_modules() if isinstance(m, nn.Linear)}
        self._base = {name: pack_weight(module.weight) for name, module in self._linear.items()}
        for module in self._linear.values():
            module.__class__ = Linear
        self._place(self._base)
        self._merged: OrderedDict[AdapterFiles, dict[str, Tensor]] = OrderedDict()
        self._current: AdapterFiles | None = None

    def rows(self, prefix: Tensor) -> Rows | OneRow:
        """No rows yet, behind a shared prefix."""
        return Rows(prefix, self._group) if self.shares else OneRow(self.transformer.model.config)

    def read(self, rows: Rows | OneRow, prompts: Sequence[Sequence[int]], spare: int = 0) -> tuple[Tensor, list[int]]:
        """Read prompts into new rows, the shared prefix excluded (each has at least one token of its own).

        Args:
            rows: they may have others in them already.
            prompts: token ids of each, behind the prefix.
            spare: tokens that an answer may have.

        Returns:
            The logits of each new row's next token, (new rows, vocabulary); which prompt each new row is.
        """
        if not self.shares:
            return self._step_one(rows, prompts[0]), [0]
        lengths = [len(prompt) for prompt in prompts]
        rows.reserve(len(prompts), max(lengths), spare)
        logits, order = [], []
        for part in pieces(range(len(prompts)), lengths, PREFILL_TOKENS):
            logits.append(self._read(rows, len(rows) + len(order), [prompts[i] for i in part]))
            order += part
        rows.lengths = torch.cat(
            [rows.lengths, torch.tensor([lengths[i] for i in order], device=self.transformer.device)]
        )
        return torch.cat(logits), order

    def _read(self, rows: Rows, first_row: int, prompts: Sequence[Sequence[int]]) -> Tensor:
        device, longest = self.transformer.device, max(map(len, prompts))
        ids = torch.zeros(len(prompts), longest, dtype=torch.long)
        for i, prompt in enumerate(prompts):
            ids[i, : len(prompt)] = torch.as_tensor(prompt)
        ids, ends = ids.to(device), torch.tensor([len(prompt) - 1 for prompt in prompts], device=device)
        last = torch.empty(len(prompts), self.transformer.head.shape[1], device=device, dtype=self.transformer.dtype)
        for first in range(0, longest, CHUNK):
            part = ids[:, first : first + CHUNK]
            rows.read(first_row, len(prompts), first, first + part.shape[1])
            positions = torch.arange(first, first + part.shape[1], device=device)[None] + rows.prefix.shape[3]
            hidden = self.transformer.walk(self.transformer.embed(part), positions, rows=rows)
            here = (ends >= first) & (ends < first + part.shape[1])
            last[here] = hidden[here, ends[here] - first]
        return self._logits(last)

    def step(self, groups: Sequence[Rows | OneRow], tokens: Sequence[int]) -> Tensor:
        """Add one token to each row of each group.

        Args:
            groups: rows with a prefix of their own, each.
            tokens: the id to add, for each row of all groups.

        Returns:
            The logits of the next tokens, (all rows, vocabulary).
        """
        if not self.shares:
            return torch.cat([self._step_one(row, [token]) for row, token in zip(groups, tokens, strict=True)])
        ids = torch.tensor(tokens, device=self.transformer.device)[:, None]
        for rows in groups:
            rows.next_column()
        positions = torch.cat([rows.lengths + rows.prefix.shape[3] for rows in groups])[:, None]
        hidden = self.transformer.walk(self.transformer.embed(ids), positions, rows=BatchGroup(groups))
        for rows in groups:
            rows.lengths = rows.lengths + 1
        return self._logits(hidden[:, 0])

    def _step_one(self, row: OneRow, tokens: Sequence[int]) -> Tensor:
        ids = torch.tensor([list(tokens)], device=self.transformer.device)
        return self.transformer.model(input_ids=ids, past_key_values=row.cache, logits_to_keep=1).logits[:, -1].float()

    def _logits(self, hidden: Tensor) -> Tensor:
        return self.transformer.model.lm_head(self.transformer.normed(hidden)).float()

    def use(self, adapter: AdapterFiles | None) -> None:
        """Put an adapter's weights in place (None: the base model's own)."""
        if adapter is self._current:
            return
        self._place(self._base)
        if adapter is not None:
            self._place(self._merged_weights(adapter))
        self._current = adapter

    def _place(self, weights: dict[str, Tensor]) -> None:
        for name, weight in weights.items():
            self._linear[name].packed_weight = weight

    def _merged_weights(self, adapter: AdapterFiles) -> dict[str, Tensor]:
        if adapter not in self._merged:
            merged = {}
            for name, (a, b) in adapter.pairs.items():
                weight = self._linear[name].weight
                a, b = (torch.from_numpy(matrix).to(weight.device) for matrix in (a, b))
                merged[name] = pack_weight(torch.addmm(weight.to(b.dtype), b, a, alpha=adapter.scale).to(weight.dtype))
            self._merged[adapter] = merged
        self._merged.move_to_end(adapter)
        while len(self._merged) > 1 and sum(map(_size, self._merged.values())) > MERGED_BYTES:
            self._merged.popitem(last=False)
        return self._merged[adapter]

    def forget(self, adapter: AdapterFiles) -> None:
        """Free an adapter's weights."""
        if adapter is self._current:
            self.use(None)
        self._merged.pop(adapter, None)


def _size(weights: dict[str, Tensor]) -> int:
    return sum(weight.numel() * weight.element_size() for weight in weights.values())
