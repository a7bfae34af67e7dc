"""The choice of the next token, and how likely it was: told together with the text that the token became."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from tokenizers import Tokenizer

if TYPE_CHECKING:
    from torch import Tensor

LIKELY = 1000
"""Tokens that are sorted first; they nearly always hold the share that ``top_p`` asks for."""


class Sampler:
    """Greedy at temperature 0; else samples, the same way each time for the same seed and the same logits.

    Args:
        temperature: what the logits are divided by; 0: the likeliest token, always.
        top_p: share of the likeliest tokens that are sampled from.
        seed: None: another one each time.
    """

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


@dataclass(frozen=True)
class Chance:
    """A token that was said.

    Attributes:
        token: its bytes (a character may be spread over several tokens).
        logprob: natural logarithm of its share among the tokens that could have come, before temperature and ``top_p``.
            With a schema only what it allows could have come.
        likeliest: the likeliest tokens at its place, each with the same logarithm, the likeliest first.
    """

    token: bytes
    logprob: float
    likeliest: tuple[tuple[bytes, float], ...]


class Piece(str):
    """Text of an answer, with the tokens that it is made of."""

    chances: tuple[Chance, ...] = ()

    @classmethod
    def of(cls, text: str, chances: Sequence[Chance]) -> Piece:
        """A text with its tokens.

        Args:
            text: some of an answer.
            chances: of the tokens that are complete with it.
        """
        piece = cls(text)
        piece.chances = tuple(chances)
        return piece


class Chances:
    """The chances of one answer's tokens, handed out as their text is.

    Args:
        tokenizer: gives each token its bytes.
        likeliest: how many of the likeliest tokens are kept for each place.
    """

    def __init__(self, tokenizer: Tokenizer, likeliest: int) -> None:
        self._tokenizer, self._likeliest = tokenizer, likeliest
        self._waiting: list[Chance] = []
        self._told_bytes = self._text_bytes = 0
        self.told: list[Chance] = []

    def add(self, token: int, logits: Tensor) -> None:
        """Keep a token's chance until its text goes out.

        Args:
            token: id of the token that was chosen.
            logits: that it was chosen from, (vocabulary,).
        """
        shares = logits.float().log_softmax(-1)
        values, ids = shares.topk(self._likeliest) if self._likeliest else ((), ())
        near = tuple(
            (_bytes_of(self._tokenizer, int(i)), float(value))
            for i, value in zip(ids, values, strict=True)
            if value > -float("inf")  # a schema may allow fewer than were asked for
        )
        self._waiting.append(Chance(_bytes_of(self._tokenizer, token), float(shares[token]), near))

    def with_text(self, text: str) -> Piece:
        """The text that goes out now, with the tokens that it completes."""
        self._text_bytes += len(text.encode())
        complete = 0
        for chance in self._waiting:
            if self._told_bytes + len(chance.token) > self._text_bytes:
                break
            self._told_bytes += len(chance.token)
            complete += 1
        now, self._waiting = self._waiting[:complete], self._waiting[complete:]
        self.told += now
        return Piece.of(text, now)


def _bytes_of(tokenizer: Tokenizer, token: int) -> bytes:
    """What a token of a byte-level vocabulary stands for."""
    written = tokenizer.id_to_token(token) or ""
    alphabet = _byte_of_character()
    if all(character in alphabet for character in written):
        return bytes(alphabet[character] for character in written)
    return written.encode()


@cache
def _byte_of_character() -> dict[str, int]:
    """GPT-2's alphabet: printable bytes stand for themselves, the others for the characters from U+0100 on."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(others)}
