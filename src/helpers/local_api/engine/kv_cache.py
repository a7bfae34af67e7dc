"""Keys and values of rows in flight, and attention to them.

A row's keys and values are kept in two parts. The *prefix* is stored once for all rows of a batch, and attention to it
is one matrix product for all of them; each row's own part follows. Transformers' layers call this through the library's
own registry of attentions, where it is called :data:`ATTENTION`.
"""

from __future__ import annotations

import mmap as mmapping
from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor
from transformers import AttentionInterface

ATTENTION = "prompt_or_fine_tune_shared_prefix"
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
        """The next pass reads a piece of new rows' prompts, each token seeing what stands before it.

        Args:
            first_row: of the new rows.
            rows: how many there are.
            first: column of the piece's first token, counted from the end of the shared prefix.
            last: the column behind its last one.
        """
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
            self.reserve(0, used, spare=GROW_BY)
        columns = torch.arange(used, device=self.prefix.device)
        beyond = columns[None] > self.lengths[:, None]
        hidden = torch.zeros(beyond.shape, device=self.prefix.device).masked_fill_(beyond, -torch.inf)
        self._hidden = hidden[:, None, None].expand(-1, 1, self.group, -1)

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scaling: float) -> Tensor:
        """Store the keys and values of this pass, and answer its queries.

        Args:
            layer: its number; each has keys and values of its own.
            query: (rows, query heads, tokens, width).
            key: (rows, heads, tokens, width).
            value: (rows, heads, tokens, width).
            scaling: what the products of queries and keys are multiplied by.

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

    def reserve(self, more: int, room: int, spare: int = 0) -> None:
        """Make room for more rows, and for more tokens of each.

        Args:
            more: rows that will come.
            room: tokens that the longest row has.
            spare: tokens that may follow; room is made for the first :data:`GROW_BY` of them, for now.
        """
        room += min(spare, GROW_BY)
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
    """Rows with different prefixes in one pass: attention is each group's own, every other product is one for all.

    Args:
        groups: each behind a prefix of its own.
    """

    def __init__(self, groups: Sequence[Rows]) -> None:
        self.groups = groups

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scaling: float) -> Tensor:
        """As :meth:`Rows.attend`, the groups' rows one after the other.

        Args:
            layer: its number.
            query: (all rows, query heads, 1, width).
            key: (all rows, heads, 1, width).
            value: (all rows, heads, 1, width).
            scaling: what the products of queries and keys are multiplied by.

        Returns:
            (all rows, 1, query heads, width).
        """
        sizes = [len(rows) for rows in self.groups]
        parts = zip(self.groups, query.split(sizes), key.split(sizes), value.split(sizes), strict=True)
        return torch.cat([rows.attend(layer, q, k, v, scaling) for rows, q, k, v in parts])


def _attend(module, query, key, value, attention_mask, scaling, dropout=0.0, *, rows: Rows | BatchGroup, **_):
    return rows.attend(module.layer_idx, query, key, value, scaling), None


AttentionInterface.register(ATTENTION, _attend)
