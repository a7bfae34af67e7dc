"""What is asked of the engine, what comes back, and what goes wrong with it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from helpers.errors import KitError
from helpers.local_api.engine.sampling import Chance
from helpers.local_api.engine.text.calls import Call, Calling
from helpers.local_api.engine.text.constrain import Schema


class ContextLengthError(KitError):
    """The prompt, or the prompt and the answer that was asked for, exceeds the model's context."""


class UnknownAdapterError(KitError):
    """No adapter of this name is loaded."""


class EngineClosedError(KitError):
    """The engine was closed, or could not load its model."""


@dataclass(frozen=True)
class GenerationRequest:
    """What is asked.

    Attributes:
        messages: the conversation; or give ``prompt_ids``.
        prompt_ids: token ids that end where the answer begins.
        adapter: name of a loaded adapter; None: the base model.
        temperature: 0 is greedy.
        top_p: sample from the likeliest tokens that make up this share; 0: from the likeliest one only.
        max_tokens: most tokens of the answer; None: as many as the context has room for.
        stop: strings that end the answer.
        seed: of the sampling; None: another answer each time.
        schema: a JSON schema, or ``"json_object"``.
        calling: which tools the answer may call; None: calls are not looked for.
        likeliest: tell each token's chance, and those of so many of the likeliest at its place (0: its own only); None:
            tell none.
    """

    messages: Sequence[Mapping[str, Any]] = ()
    prompt_ids: Sequence[int] | None = None
    adapter: str | None = None
    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int | None = None
    stop: Sequence[str] = ()
    seed: int | None = None
    schema: Schema | None = None
    calling: Calling | None = None
    likeliest: int | None = None


@dataclass(frozen=True)
class GenerationResult:
    """An answer.

    Attributes:
        text: without the stop string and without calls.
        finish_reason: ``"stop"`` or ``"length"``.
        prompt_tokens: tokens of the prompt, template included.
        completion_tokens: tokens that the model made, the one that ended the answer included.
        cached_tokens: tokens of the prompt that were not computed for this request, because another had computed them.
        chances: of the tokens that the text is made of, where they were asked for.
        calls: of tools; the last one is cut short where the answer is.
    """

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    chances: tuple[Chance, ...] = ()
    calls: tuple[Call, ...] = ()


AnswerEvent = str | Call | GenerationResult | Exception


class Generation:
    """One request on its way: iterate over it for text as it comes (:class:`Piece` where chances were asked for), and
    calls, each when it is complete; then :meth:`result`.

    With a ``listener``, each text and call, and at the end the result or an exception, is handed to it instead, in the
    engine's thread: it must return at once.
    """

    def __init__(self, listener: Callable[[AnswerEvent], None] | None = None) -> None:
        self._events: queue.SimpleQueue[AnswerEvent] = queue.SimpleQueue()
        self._listener = listener or self._events.put
        self._over = threading.Event()
        self._end: GenerationResult | Exception | None = None
        self.cancelled = False

    @property
    def over(self) -> bool:
        """Whether it has been closed: complete, cancelled or failed."""
        return self._over.is_set()

    def cancel(self) -> None:
        """Nobody waits for the answer any more: it is dropped at the next step."""
        self.cancelled = True

    def __iter__(self) -> Iterator[str | Call]:
        while isinstance(event := self._events.get(), str | Call):
            yield event
        if isinstance(event, Exception):
            raise event

    def result(self, timeout: float | None = None) -> GenerationResult:
        """Wait for the answer.

        Raises:
            TimeoutError: it did not come in ``timeout`` seconds.
            KitError: what went wrong.
        """
        if not self._over.wait(timeout):
            raise TimeoutError(f"no answer within {timeout} s")
        if isinstance(self._end, Exception):
            raise self._end
        return self._end

    def say(self, said: str | Call) -> None:
        """Hand on a text or a call; called by the engine."""
        if said or getattr(said, "chances", ()):
            self._listener(said)

    def close(self, end: GenerationResult | Exception) -> None:
        """End it, with its result or with what went wrong; called by the engine."""
        self._end = end
        self._over.set()
        self._listener(end)
