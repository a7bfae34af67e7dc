"""Which requests run together, and the beginnings that are kept for the next ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor

    from helpers.local_api.engine.adapters import AdapterFiles

KEPT_BYTES = 256 * 2**20
"""Memory for kept beginnings: about 5,800 tokens of the base model."""
SHORTEST = 8
"""A shared beginning of fewer tokens is not worth a copy of its own."""
COST_OF_A_BATCH = 128
"""A group apart costs about as much as reading so many tokens: in each step its attention is its own."""
ROOM_FOR_UNLIKE = 4
"""Each row of a batch has room for its longest. So long and short ones run together only as far as this room, most of
it never written, stays below so many times the memory that they are allowed."""
MAX_COMPARED = 256
"""Of a longer queue, only so many are looked at."""


class Request(Protocol):
    """What planning looks at: a prompt, its adapter, and tokens to reserve for the answer."""

    ids: list[int]
    adapter: AdapterFiles | None

    @property
    def answer_kv_tokens(self) -> int: ...


@dataclass(frozen=True, eq=False)
class Entry:
    """A kept beginning: its token ids, and their keys and values (layers, 2, heads, tokens, width)."""

    adapter: AdapterFiles | None
    ids: list[int]
    kv: Tensor


@dataclass(frozen=True)
class Plan:
    """Requests to start together.

    Attributes:
        members: they share an adapter and their first ``length`` tokens.
        length: tokens of the shared prefix; 0: they share nothing worth sharing.
        entry: a kept beginning that has the first ``known`` of these.
    """

    members: list[Any]
    length: int
    entry: Entry | None
    known: int


class PrefixCache:
    """Recently used beginnings, the oldest dropped first.

    Args:
        bytes_per_token: size of one token's keys and values.
    """

    def __init__(self, bytes_per_token: int) -> None:
        self._most_tokens = KEPT_BYTES // bytes_per_token
        self._entries: list[Entry] = []

    def best(self, adapter: AdapterFiles | None, ids: Sequence[int]) -> tuple[Entry | None, int]:
        """The entry that has most of a prompt's beginning, and how many tokens of it; it counts as used now.

        Args:
            adapter: with which the prompt is to be read; what another one computed is of no use.
            ids: the prompt's token ids.
        """
        fitting = [entry for entry in self._entries if entry.adapter is adapter]
        known, _, entry = max(((common(e.ids, ids), n, e) for n, e in enumerate(fitting)), default=(0, 0, None))
        if entry is not None and known:
            self._entries.remove(entry)
            self._entries.append(entry)
        return entry, known

    def keep(self, adapter: AdapterFiles | None, ids: Sequence[int], kv: Tensor) -> Tensor:
        """Keep a beginning, if it fits; entries that it contains are dropped.

        Args:
            adapter: with which it was computed.
            ids: its token ids.
            kv: its keys and values, (layers, 2, heads, tokens, width).

        Returns:
            ``kv``.
        """
        mine = [entry for entry in self._entries if entry.adapter is adapter]
        if len(ids) <= self._most_tokens and not any(common(entry.ids, ids) == len(ids) for entry in mine):
            others = [e for e in self._entries if e.adapter is not adapter or common(e.ids, ids) < len(e.ids)]
            self._entries = [*others, Entry(adapter, list(ids), kv)]
            while sum(len(entry.ids) for entry in self._entries) > self._most_tokens:
                self._entries.pop(0)
        return kv

    def forget(self, adapter: AdapterFiles) -> None:
        """Drop what was computed with an adapter."""
        self._entries = [entry for entry in self._entries if entry.adapter is not adapter]


def plan(waiting: Sequence[Request], cache: PrefixCache, slots: int, kv_tokens: int) -> Plan:
    """Choose the requests to start with the oldest one, and how much of their beginning they share.

    Of all shared lengths the one that saves most work is taken. An oldest request that shares nothing takes along the
    others like it; those that would save by running with each other wait for their turn.

    Args:
        waiting: oldest first.
        cache: beginnings that need not be computed again.
        slots: most members.
        kv_tokens: tokens that there is memory for (one member is always taken).
    """
    first = waiting[0]
    peers = [request for request in waiting if request.adapter is first.adapter][:MAX_COMPARED]
    entry, known = cache.best(first.adapter, first.ids)
    length, fitting = _best_length(peers, known, others=False)
    if not length:
        fitting = [first, *_unshared(peers[1:])]
    members: list[Request] = []
    longest, most = 0, ROOM_FOR_UNLIKE * kv_tokens
    for peer in fitting[:slots]:
        needed = len(peer.ids) + peer.answer_kv_tokens - length
        kv_tokens, longest = kv_tokens - needed, max(longest, needed)
        if members and (kv_tokens < 0 or (len(members) + 1) * longest > most):
            break
        members.append(peer)
    return Plan(members, length, entry, min(known, length))


def _best_length(peers: Sequence[Request], known: int, others: bool) -> tuple[int, list[Request]]:
    """The length of a beginning of the first peer that saves most, and who has it: (0, all) where nothing is saved.

    Args:
        peers: oldest first.
        known: tokens of the first one's beginning that need not be computed at all.
        others: whether somebody beside these peers waits, so that they cost a batch of their own in any case.
    """
    first = peers[0]
    # a prompt's last token is always run: its logits are needed
    shared = [min(len(first.ids) - 1, len(peer.ids) - 1, common(first.ids, peer.ids)) for peer in peers]
    known = min(known, shared[0])

    def saved(length: int) -> int:
        members = sum(length <= n for n in shared)
        apart = COST_OF_A_BATCH if others or members < len(peers) else 0
        return (members - 1) * length + min(known, length) - apart

    length = max({0, known, *shared}, key=lambda length: (saved(length), -length))
    if length < SHORTEST or saved(length) <= 0:
        return 0, list(peers)
    return length, [peer for peer, n in zip(peers, shared, strict=True) if n >= length]


def _unshared(peers: Sequence[Request]) -> list[Request]:
    """Those that save nothing by running with others among them."""
    alone, left = [], list(peers)
    while left:
        length, members = _best_length(left, known=0, others=True)
        if length:
            together = set(map(id, members))
            left = [peer for peer in left if id(peer) not in together]
        else:
            alone.append(left.pop(0))
    return alone


def common(a: Sequence[int], b: Sequence[int]) -> int:
    """How many tokens two prompts have in common, from the first on.

    Args:
        a: token ids.
        b: token ids, in a sequence of the same type: slices of both are compared.
    """
    shorter = min(len(a), len(b))
    if a[:shorter] == b[:shorter]:
        return shorter
    low, high = 0, shorter  # a[:low] is equal, a[:high] is not: halve, slices compare fast
    while high - low > 1:
        middle = (low + high) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle
    return low


def pieces(batch: Sequence[int], lengths: Sequence[int], most_tokens: int) -> list[list[int]]:
    """Split a batch into pieces that are run one after the other, rows of like length together.

    Args:
        batch: row numbers.
        lengths: tokens of each row, by its number.
        most_tokens: of a piece, padded to its longest row; one row always fits.

    Returns:
        The row numbers of each piece, shorter rows first.
    """
    parts: list[list[int]] = []
    width = 0
    for i in sorted(batch, key=lambda i: lengths[i]):
        width = max(width, lengths[i])
        if parts and (len(parts[-1]) + 1) * width <= most_tokens:
            parts[-1].append(i)
        else:
            parts.append([i])
            width = lengths[i]
    return parts
