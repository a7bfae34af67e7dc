"""Answers in flight, and the batches that they are computed in."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from helpers.errors import KitError
from helpers.local_api.engine.adapters import AdapterFiles
from helpers.local_api.engine.requests import EngineClosedError, Generation, GenerationRequest, GenerationResult
from helpers.local_api.engine.sampling import Chances, Sampler
from helpers.local_api.engine.text.calls import CallStream
from helpers.local_api.engine.text.constrain import Constraint
from helpers.local_api.engine.text.detokenizer import Detokenizer

if TYPE_CHECKING:
    from torch import Tensor

    from helpers.local_api.engine.kv_cache import Rows

USUAL_ANSWER = 256
"""Tokens that are reserved at a time for an answer whose length is not limited. Where those of all exceed the memory,
the youngest step aside: they are forgotten, wait, and are read again with all that they had said."""

log = logging.getLogger(__name__)


class Answer:
    """A request in the engine, and its answer as it grows.

    Args:
        ids: token ids of the prompt.
        room: most tokens of the answer.
        adapter: with which it is computed; None: with the base model.
        request: what was asked.

    Attributes:
        asked: tokens of the prompt, as they are billed.
        number: its place in the order in which requests came.
        tokens: ids of the answer's tokens so far.
        shared: tokens of ``ids`` that its batch stores once for all rows.
        cached: tokens of the prompt that another request had computed.
    """

    def __init__(self, ids: list[int], room: int, adapter: AdapterFiles | None, request: GenerationRequest) -> None:
        self.ids, self.room, self.adapter, self.request = ids, room, adapter, request
        self.asked = len(ids)
        self.number = 0
        self.generation: Generation
        self.stream: Detokenizer
        self.constraint: Constraint | None = None
        self.chances: Chances | None = None
        self.calls: CallStream | None = None
        self.sampler = Sampler(request.temperature, request.top_p, request.seed)
        self.tokens: list[int] = []
        self.shared = self.cached = 0

    @property
    def limited(self) -> bool:
        """Whether its length is known, and all of it reserved."""
        return bool(self.request.max_tokens)

    @property
    def answer_kv_tokens(self) -> int:
        """Tokens to reserve for what is said behind ``ids``."""
        said_before = len(self.ids) - self.asked
        left, said = self.room - said_before, len(self.tokens) - said_before
        return left if self.limited else min(left, USUAL_ANSWER * (1 + said // USUAL_ANSWER))

    @property
    def kv_tokens(self) -> int:
        """Tokens to reserve memory for, the shared beginning apart."""
        return len(self.ids) - self.shared + self.answer_kv_tokens

    def step_aside(self) -> None:
        """Its row is gone: it has to be read again, with what it said."""
        self.ids, self.shared = [*self.ids[: self.asked], *self.tokens], 0

    @property
    def over(self) -> bool:
        """Whether it has been closed: complete, cancelled or failed."""
        return self.generation.over

    def mask(self, logits: Tensor) -> None:
        """Forbid what its schema forbids, in the logits of its next token, (vocabulary,)."""
        if self.constraint:
            import torch

            allowed = torch.from_numpy(self.constraint.allowed()).to(logits.device)
            logits.masked_fill_(~allowed[: len(logits)], -torch.inf)

    def take(self, likeliest: int, logits: Tensor, stops: frozenset[int]) -> None:
        """Add the next token; closes the answer when that completes it, or when nobody waits for it any more.

        Args:
            likeliest: id of the likeliest token.
            logits: of the next token, (vocabulary,), what is forbidden masked out.
            stops: ids of the tokens that end an answer.
        """
        if self.generation.cancelled:
            self.generation.close(EngineClosedError("The request was cancelled."))
            return
        token = likeliest if self.sampler.greedy else self.sampler.sample(logits)
        self.tokens.append(token)
        if token in stops:
            self._finish("stop")
            return
        if self.chances:
            self.chances.add(token, logits)
        self._say(self.stream.push(token))
        if self.constraint:
            self.constraint.take(token)
        if self.stream.stopped or (self.constraint and self.constraint.complete):
            self._finish("stop")
        elif len(self.tokens) == self.room:
            self._finish("length")

    def _finish(self, reason: str) -> None:
        self._say(self.stream.finish())
        if self.stream.stopped:
            reason = "stop"
        text, calls = self.stream.text, ()
        if self.calls:
            for said in self.calls.finish():
                self.generation.say(said)
            text, calls = self.calls.text, tuple(self.calls.calls)
        told = tuple(self.chances.told) if self.chances else ()
        result = GenerationResult(text, reason, self.asked, len(self.tokens), self.cached, told, calls)
        self.generation.close(result)

    def _say(self, text: str) -> None:
        if self.calls:
            for said in self.calls.push(text):
                self.generation.say(said)
        else:
            self.generation.say(self.chances.with_text(text) if self.chances else text)

    def fail(self, error: Exception) -> None:
        """Close it, if it is not closed yet, with what went wrong."""
        if not isinstance(error, KitError):
            log.error("an answer failed", exc_info=error)
        if not self.over:
            self.generation.close(error)


class Batch:
    """Answers in flight that share adapter and prefix.

    Args:
        adapter: with which all of them are computed; None: with the base model.
        prefix_ids: token ids of the beginning that all of them have, as their rows share it.
        answers: those in it, in the order of ``rows``.
        rows: their keys and values.
        logits: of each answer's next token, (answers, vocabulary).
    """

    def __init__(
        self,
        adapter: AdapterFiles | None,
        prefix_ids: tuple[int, ...],
        answers: list[Answer],
        rows: Rows,
        logits: Tensor,
    ) -> None:
        self.adapter, self.prefix_ids = adapter, prefix_ids
        self.answers, self.rows, self.logits = answers, rows, logits

    def take_in(self, answers: list[Answer], logits: Tensor) -> None:
        """Add answers whose prompts have been read into the batch's rows.

        Args:
            answers: in the order in which they were read.
            logits: of their next tokens, (answers, vocabulary).
        """
        import torch

        self.answers += answers
        self.logits = torch.cat([self.logits, logits])

    def let_go(self, gone: Sequence[int]) -> None:
        """Forget these rows, and their answers."""
        if len(gone) == len(self.answers):
            self.answers.clear()
        elif gone:
            self.answers[:] = [self.answers[n] for n in self.rows.drop(gone)]

    @property
    def tokens(self) -> list[int]:
        """The answers' latest, to be run next."""
        return [answer.tokens[-1] for answer in self.answers]
