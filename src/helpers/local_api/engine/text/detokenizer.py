"""From token ids to text that may be sent: never half a character, never half a stop string."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream


class Detokenizer:
    """The text of one answer, as it grows.

    Args:
        tokenizer: the model's tokenizer; control tokens have no text.
        stops: strings that end the answer; they are not part of it.

    Attributes:
        stopped: whether a stop string was met. Nothing is added after that.
    """

    def __init__(self, tokenizer: Tokenizer, stops: Sequence[str] = ()) -> None:
        self._tokenizer, self._stops = tokenizer, [stop for stop in stops if stop]
        self._decoder = DecodeStream(skip_special_tokens=True)
        self._ids: list[int] = []
        self._decoded = 0
        self._held = ""
        self._sent: list[str] = []
        self.stopped = False

    @property
    def text(self) -> str:
        """All that was handed out."""
        return "".join(self._sent)

    def push(self, token: int) -> str:
        """Add a token; returns the text that is certain now, which may be empty."""
        self._ids.append(token)
        piece = self._decoder.step(self._tokenizer, token) or ""
        self._decoded += len(piece)
        return self._let_go(piece)

    def finish(self) -> str:
        """The answer is over: returns what was held back, an unfinished character as U+FFFD."""
        if self.stopped:
            return ""
        whole = self._tokenizer.decode(self._ids, skip_special_tokens=True)
        rest = self._let_go(whole[self._decoded :])
        if not self.stopped:
            rest += self._held
            self._sent.append(self._held)
        self._held = ""
        return rest

    def _let_go(self, piece: str) -> str:
        text = self._held + piece
        # the stop string that is complete first counts, so tokens may be cut anywhere: (its end, its beginning)
        found = [(at + len(stop), at) for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            self.stopped = True
            sure, self._held = text[: min(found)[1]], ""
        else:
            keep = max((overlap(text, stop) for stop in self._stops), default=0)
            sure, self._held = text[: len(text) - keep], text[len(text) - keep :]
        self._sent.append(sure)
        return sure


def overlap(text: str, stop: str) -> int:
    """How many characters at the end of a text may be the beginning of a stop string.

    Args:
        text: what was said so far.
        stop: not all of it can be at the end: then it would have been found.
    """
    return next((n for n in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:n])), 0)
