"""Which prompts are the same, or almost: found in time that grows with the number of prompts, and each pair verified.

Two prompts are *almost the same* when, in lower case and without punctuation, they share 90 % of their bytes in order
(the normalised indel similarity, ``2·LCS / (a + b)``). What most prompts begin or end with (an instruction before
the real question) is left out of the comparison, or everything would resemble everything.

Up to ``ALL_PAIRS`` different prompts of ``ALL_CHARACTERS`` together every pair is compared. Above, MinHash proposes the
pairs, so that some are missed: ``benchmarks/check_speed.py`` measures the share. Of a prompt longer than ``LONGEST``
only the beginning and the end are compared.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from rapidfuzz.distance import Indel
from rapidfuzz.process import cdist

SIMILAR = 0.9
ALL_PAIRS = 1_000
ALL_CHARACTERS = 300_000
LONGEST = 8_000
BANDS, BAND_ROWS = 32, 4
NEIGHBOURS = 3
"""Members of one bucket that each member is compared with: keeps a bucket of thousands from costing its square."""

ESTIMATE_FLOOR = 0.3
"""Estimated shingle overlap below which a proposed pair is not verified."""

BATCH = 1_024
SAID_BY_MOST = 0.5
FRAME_SAMPLE = 5_000
"""Texts that tell what most begin or end with."""

NOT_A_LETTER = re.compile(r"[\W_]+")


class Pair(NamedTuple):
    """Two prompts, the earlier first, and their similarity from 0.9 to 1."""

    a: int
    b: int
    similarity: float


def normalise(text: str) -> str:
    """Lower case, letters and digits only, single blanks between."""
    return NOT_A_LETTER.sub(" ", text.casefold()).strip()


def tidy(text: str) -> bytes:
    """What of a prompt is compared: its normal form, of a long one the beginning and the end, as UTF-8."""
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]} {text[-LONGEST // 2 :]}"
    return normalise(text).encode("utf-8", "replace")


def near_pairs(texts: Sequence[bytes]) -> list[Pair]:
    """Pairs of positions whose tidy texts are (almost) the same; of a large group enough pairs to join it, not all.

    Texts without a letter or digit are never paired.
    """
    first: dict[bytes, int] = {}
    pairs = []
    for position, text in enumerate(_without_frame(texts)):
        if not text:
            continue
        if text in first:
            pairs.append(Pair(first[text], position, 1.0))
        else:
            first[text] = position
    different, positions = list(first), list(first.values())
    few = len(different) <= ALL_PAIRS and sum(map(len, different)) <= ALL_CHARACTERS
    found = _every_pair(different) if few else _proposed_pairs(different)
    pairs += (Pair(*sorted((positions[i], positions[j])), similarity) for i, j, similarity in found)
    return pairs


def clusters(size: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """For each of ``size`` positions the smallest position that it is connected with by ``pairs``.

    Args:
        size: how many positions there are, from 0.
        pairs: positions that belong together.
    """
    root = list(range(size))

    def find(i: int) -> int:
        while root[i] != i:
            root[i] = root[root[i]]
            i = root[i]
        return i

    for i, j in pairs:
        low, high = sorted((find(i), find(j)))
        root[high] = low
    return [find(i) for i in range(size)]


def _without_frame(texts: Sequence[bytes]) -> Sequence[bytes]:
    """Texts without the beginning and the end that more than half of them share."""
    sample = sorted(set(texts[:: len(texts) // FRAME_SAMPLE + 1]))
    if len(sample) < 10:
        return texts
    if head := _shared_beginning(sample):
        texts = [text.removeprefix(head) for text in texts]
        sample = [text.removeprefix(head) for text in sample]
    if tail := _shared_beginning(sorted(text[::-1] for text in sample))[::-1]:
        texts = [text.removesuffix(tail) for text in texts]
    return texts


def _shared_beginning(ordered: list[bytes]) -> bytes:
    """The longest beginning, in whole words, that more than half of the different texts share.

    In sorted order such texts stand together and cover the middle, so the middle text begins with it.
    """
    middle = ordered[len(ordered) // 2]

    def shared(length: int) -> bool:
        start = middle[:length]
        count = bisect_right(ordered, start + b"\xff") - bisect_left(ordered, start)
        return count > SAID_BY_MOST * len(ordered)

    low, high = 0, len(middle)
    while low < high:
        length = (low + high + 1) // 2
        low, high = (length, high) if shared(length) else (low, length - 1)
    return middle[: middle.rfind(b" ", 0, low + 1) + 1]


def _every_pair(texts: list[bytes]) -> Iterator[tuple[int, int, float]]:
    if not texts:
        return
    similar = cdist(texts, texts, scorer=Indel.normalized_similarity, score_cutoff=SIMILAR, dtype=np.float32)
    for i, j in zip(*np.nonzero(np.triu(similar, 1)), strict=True):
        yield int(i), int(j), float(similar[i, j])


def _proposed_pairs(texts: list[bytes]) -> Iterator[tuple[int, int, float]]:
    sketches = _sketches(texts)
    for i, j in _candidates(sketches):
        similarity = Indel.normalized_similarity(texts[i], texts[j], score_cutoff=SIMILAR)
        if similarity:
            yield i, j, similarity


def _sketches(texts: list[bytes]) -> np.ndarray:
    """MinHash of each text's runs of four bytes, one row a text; the lower half of each number suffices."""
    from rensa import RMinHash

    rows = np.empty((len(texts), BANDS * BAND_ROWS), dtype=np.uint16)
    for start in range(0, len(texts), BATCH):
        batch = [b"  " + text + b"  " for text in texts[start : start + BATCH]]
        ends = np.cumsum([len(text) for text in batch])
        joined = b"".join(batch) + bytes(4)
        runs = np.ndarray(len(joined) - 4, dtype="<u4", buffer=joined, strides=(1,)).astype(np.uint64)
        runs = (runs + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)  # spreads the four bytes over all 64 bits
        offsets = np.concatenate(([0], ends)).astype(np.uint64)
        matrix = RMinHash.digest_matrix_from_flat_token_hashes(runs, offsets, rows.shape[1], 1)
        rows[start : start + len(batch)] = np.array(matrix.to_rows(), dtype=np.uint32) & 0xFFFF
    return rows


def _candidates(sketches: np.ndarray) -> list[tuple[int, int]]:
    """Pairs whose sketches agree on a whole band and, over all bands, on enough to be worth verifying."""
    seen: list[np.ndarray] = []
    for band in range(BANDS):
        part = np.ascontiguousarray(sketches[:, band * BAND_ROWS : (band + 1) * BAND_ROWS])
        keys = part.view(np.uint64).ravel()
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        for step in range(1, NEIGHBOURS + 1):
            same = ordered[step:] == ordered[:-step]
            left, right = order[:-step][same], order[step:][same]
            seen.append(np.minimum(left, right) * np.int64(len(keys)) + np.maximum(left, right))
    pairs = np.unique(np.concatenate(seen))
    left, right = np.divmod(pairs, len(sketches))
    kept = np.concatenate(
        [
            (sketches[left[at : at + 8192]] == sketches[right[at : at + 8192]]).mean(axis=1) >= ESTIMATE_FLOOR
            for at in range(0, len(left), 8192)
        ]
        or [np.empty(0, dtype=bool)]
    )
    return list(zip(left[kept].tolist(), right[kept].tolist(), strict=True))
