"""The arithmetic of answering: rows in flight that share one copy of their common beginning.

A row's keys and values are kept in two parts. The *prefix* is stored once for all rows of a batch, and attention to it
is one matrix product for all of them; each row's own part follows. Transformers' layers do the rest: their attention is
replaced by :func:`_attend` through the library's own registry.
"""

from __future__ import annotations

import mmap as mmapping
from collections import OrderedDict
from collections.abc import Sequence
from math import prod
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, DynamicCache, PreTrainedConfig

from helpers.local_api.engine.adapters import AdapterFiles
from helpers.local_api.engine.scheduler import pieces
from helpers.local_api.engine.transformer import open_model

ATTENTION = "prompt_or_fine_tune_shared_prefix"
PREFILL_TOKENS = 512
"""Padded prompt tokens that are run at once: enough for fast products, few enough that rows of one piece are alike."""
CHUNK = 512
"""Tokens of one row that are run at once: bounds the memory for attention scores of long prompts."""
MERGED_BYTES = 600 * 2**20
"""Adapted weights that are kept for adapters in use: three quick ones or one thorough one of the base model."""
ROWS_AT_ONCE = 16
"""On a CPU, rows whose attention to their own tokens is one operation: as far as the longest of these, not of all."""
GROW_BY = 64
"""Tokens that rows get room for when theirs is full."""


class Rows:
    """Keys and values of rows in flight: each is read into its slot and stays there while others come and go. They
    are fp32, whatever the model's weights are.

    Args:
        prefix: (layers, 2, heads, prefix tokens, width): shared by all rows; may have no tokens.
        group: queries that share a head's keys and values.

    Attributes:
        lengths: (rows,) tokens of each row's own.
    """

    def __init__(self, prefix: Tensor, group: int) -> None:
        self.prefix, self.group = prefix, group
        self.lengths = torch.zeros(0, dtype=torch.long, device=prefix.device)
        layers, two, heads, _, width = prefix.shape
        # (slots, layers, 2, heads, room, width); what stands behind a row's length is never looked at
        self._slots, self._memory = _empty_slots((0, layers, two, heads, 0, width), prefix.device)
        self._here = slice(0)  # rows of this pass
        self._columns: slice | None = None  # what it fills in them, the same for all; None: one each, at its length
        self._parts: list[tuple[slice, int]] = []  # some rows of the pass, and the columns that these look at
        self._hidden = prefix.new_zeros(())  # 0 or -inf: what a row must not see, (rows, 1, queries, columns)

    def __len__(self) -> int:
        return len(self.lengths)

    def read(self, first_row: int, rows: int, first: int, last: int) -> None:
        """The next pass fills columns ``first`` to ``last`` of new rows, each seeing what stands before it."""
        self._here = slice(first_row, first_row + rows)
        self._columns, self._parts = slice(first, last), [(slice(rows), last)]
        forbidden = torch.full((last - first, last), -torch.inf, device=self.prefix.device)
        self._hidden = forbidden.triu_(first + 1).repeat(self.group, 1).expand(rows, 1, -1, -1)

    def next_column(self) -> None:
        """The next pass adds one token to each row, behind its last."""
        self._here, self._columns, lengths = slice(len(self)), None, self.lengths.tolist()
        at_once = ROWS_AT_ONCE if self.prefix.device.type == "cpu" else len(self)
        some = [slice(first, first + at_once) for first in range(0, len(self), at_once)]
        self._parts = [(rows, max(lengths[rows]) + 1) for rows in some]
        used = max(lengths) + 1
        if used > self._slots.shape[4]:
            self.reserve(0, used + GROW_BY)
        columns = torch.arange(used, device=self.prefix.device)
        beyond = columns[None] > self.lengths[:, None]
        hidden = torch.zeros(beyond.shape, device=self.prefix.device).masked_fill_(beyond, -torch.inf)
        self._hidden = hidden[:, None, None].expand(-1, 1, self.group, -1)

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scaling: float) -> Tensor:
        """Store the keys and values of this pass, and answer its queries.

        Args:
            query: (rows, query heads, tokens, width).
            key, value: (rows, heads, tokens, width).

        Returns:
            (rows, tokens, query heads, width).
        """
        own, (rows, heads, tokens, width) = self._slots[self._here, layer], key.shape
        if self._columns is not None:
            own[:, 0, :, self._columns] = key
            own[:, 1, :, self._columns] = value
        else:
            each = torch.arange(rows, device=key.device)
            own[each, 0, :, self.lengths] = key[:, :, 0].to(own.dtype)
            own[each, 1, :, self.lengths] = value[:, :, 0].to(own.dtype)
        dtype, query = query.dtype, (query * scaling).to(own.dtype).reshape(rows, heads, self.group * tokens, width)
        found = [
            _attention(query[some], own[some, 0, :, :used], own[some, 1, :, :used], self._hidden[some, ..., :used])
            for some, used in self._parts
        ]
        mixed, log_sum = (torch.cat(parts) for parts in zip(*found, strict=True))
        if self.prefix.shape[3]:
            flat = query.transpose(0, 1).reshape(1, heads, -1, width)
            before, log_sum_before = _attention(flat, *self.prefix[layer, :, None])
            before = before.view(heads, rows, -1, width).transpose(0, 1)
            log_sum_before = log_sum_before.view(heads, rows, -1).transpose(0, 1)
            # two softmaxes, over the prefix and over what follows it, make one when each is weighted by its sum
            mixed = torch.lerp(mixed, before, (log_sum_before - log_sum).sigmoid()[..., None])
        return mixed.view(rows, heads, self.group, tokens, width).permute(0, 3, 1, 2, 4).flatten(2, 3).to(dtype)

    def drop(self, gone: Sequence[int]) -> list[int]:
        """Let rows go; the last ones take their slots. Returns where each row that is left stood before."""
        left = len(self) - len(gone)
        order, last = list(range(left)), [row for row in range(left, len(self)) if row not in gone]
        for slot in gone:
            self._free(slot)
            if slot < left:
                order[slot] = last.pop()
                length = int(self.lengths[order[slot]])
                self._slots[slot, ..., :length, :] = self._slots[order[slot], ..., :length, :]
                self._free(order[slot])
        self.lengths = self.lengths[torch.tensor(order, device=self.lengths.device)]
        return order

    def reserve(self, more: int, room: int) -> None:
        """Make room for more rows, and for so many tokens of each."""
        slots, layers, two, heads, room_now, width = self._slots.shape
        both = len(self) + more
        if both <= slots and room <= room_now:
            return
        if both > slots:
            slots = both + len(self)  # twice as many, when it was not enough
        shape = (slots, layers, two, heads, max(room, room_now), width)
        grown, memory = _empty_slots(shape, self.prefix.device)
        for row, length in enumerate(self.lengths.tolist()):  # each as far as it goes, and never twice in memory
            grown[row, ..., :length, :] = self._slots[row, ..., :length, :]
            self._free(row)
        self._slots, self._memory = grown, memory

    def _free(self, slot: int) -> None:
        """Give a slot's memory back to the system where that is possible; it provides new one when that is written."""
        if self._memory is not None and hasattr(mmapping, "MADV_DONTNEED"):
            bytes_of_a_slot = 4 * prod(self._slots.shape[1:])
            first = -(-slot * bytes_of_a_slot // mmapping.PAGESIZE) * mmapping.PAGESIZE
            last = (slot + 1) * bytes_of_a_slot // mmapping.PAGESIZE * mmapping.PAGESIZE
            if first < last:
                self._memory.madvise(mmapping.MADV_DONTNEED, first, last - first)

    def whole(self, row: int) -> Tensor:
        """Prefix and own part of one row, as a prefix for others."""
        own = self._slots[: len(self)][row]
        return torch.cat([self.prefix, own[..., : int(self.lengths[row]), :]], dim=3)


def _attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Attention, and the logarithm of each query's sum of weights, which torch's public function keeps to itself.

    On a CPU it goes in blocks: the scores of long prompts never exist all at once.
    """
    if query.device.type == "cpu":
        attend = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
        return attend(query, key, value, 0.0, False, attn_mask=mask, scale=1.0)
    return _plain_attention(query, key, value, mask)


def _plain_attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    scores = query @ key.mT if mask is None else query @ key.mT + mask
    return scores.softmax(-1) @ value, scores.logsumexp(-1)


def _empty_slots(shape: Sequence[int], device: torch.device) -> tuple[Tensor, mmapping.mmap | None]:
    """Zeros; on a CPU straight from the system, which provides a page when it is written: the others cost nothing."""
    if device.type == "cpu" and prod(shape):
        memory = mmapping.mmap(-1, 4 * prod(shape), access=mmapping.ACCESS_COPY)
        return torch.frombuffer(memory, dtype=torch.float32).view(*shape), memory
    return torch.zeros(*shape, device=device), None


class BatchGroup:
    """Rows with different prefixes in one pass: attention is each group's own, every other product is one for all."""

    def __init__(self, groups: Sequence[Rows]) -> None:
        self.groups = groups

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scaling: float) -> Tensor:
        """As :meth:`Rows.attend`, the groups' rows one after the other."""
        sizes = [len(rows) for rows in self.groups]
        parts = zip(self.groups, query.split(sizes), key.split(sizes), value.split(sizes), strict=True)
        return torch.cat([rows.attend(layer, q, k, v, scaling) for rows, q, k, v in parts])


def _attend(module, query, key, value, attention_mask, scaling, dropout=0.0, *, rows: Rows | BatchGroup, **_):
    return rows.attend(module.layer_idx, query, key, value, scaling), None


AttentionInterface.register(ATTENTION, _attend)


class Linear(nn.Linear):
    """A linear layer whose weight an adapter can replace: it computes with ``packed_weight`` (:func:`pack_weight`)."""

    packed_weight: Tensor

    def forward(self, x: Tensor) -> Tensor:
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
            spare: tokens that an answer may have.

        Returns:
            The logits of each new row's next token, (new rows, vocabulary); which prompt each new row is.
        """
        if not self.shares:
            return self._step_one(rows, prompts[0]), [0]
        lengths = [len(prompt) for prompt in prompts]
        rows.reserve(len(prompts), max(lengths) + min(spare, GROW_BY))
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
        """Add one token to each row of each group; returns the logits of the next ones, (all rows, vocabulary)."""
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
