"""Answers on their way from the engine's thread to the event loop, for whichever protocol they are told in."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

from fastapi import Request

from helpers.errors import KitError
from helpers.local_api.engine.requests import AnswerEvent, Generation, GenerationResult
from helpers.local_api.engine.text.calls import Call
from helpers.local_api.http.errors import ApiError
from helpers.local_api.http.schemas.chat import ChatRequest
from helpers.local_api.http.serving import Serving, api_error_of

log = logging.getLogger(__name__)


class Answers:
    """One or several answers to the same request; made by :meth:`begin`."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[tuple[int, AnswerEvent]] = asyncio.Queue()
        self._generations: list[Generation] = []

    @classmethod
    async def begin(cls, serving: Serving, asked: ChatRequest) -> Answers:
        """Start as many as the request wants.

        Args:
            serving: whose engine computes them.
            asked: the request.

        Raises:
            ApiError: the request cannot be answered.
        """
        answers = cls(asked.n or 1)
        listeners = [answers._listener(n) for n in range(answers.number)]
        answers._generations = await asyncio.to_thread(serving.submit, asked, *listeners)
        return answers

    def _listener(self, n: int) -> Any:
        def hear(event: AnswerEvent) -> None:
            """Called in the engine's thread."""
            with contextlib.suppress(RuntimeError):  # the loop is closed: the server stops
                self._loop.call_soon_threadsafe(self._events.put_nowait, (n, event))

        return hear

    def cancel(self) -> None:
        """Nobody reads them any more; those that are complete do not mind."""
        for generation in self._generations:
            generation.cancel()

    async def events(self) -> AsyncIterator[tuple[int, str | Call | GenerationResult]]:
        """The number of an answer, and its next text or call, at its end its result; over when all of them are.

        Raises:
            Exception: what went wrong in the engine, with any of them.
        """
        left = self.number
        while left:
            n, event = await self._events.get()
            if isinstance(event, Exception):
                raise event
            left -= isinstance(event, GenerationResult)
            yield n, event

    async def results(self) -> list[GenerationResult]:
        """All results, when they are there."""
        found = {n: event async for n, event in self.events() if isinstance(event, GenerationResult)}
        return [found[n] for n in range(self.number)]


async def complete(request: Request, answers: Answers) -> list[GenerationResult]:
    """The complete answers; a client that hangs up cancels them.

    Args:
        request: the one that is being answered.
        answers: those to it.

    Raises:
        ApiError: an answer could not be completed.
    """
    leaving = asyncio.create_task(_hung_up(request))
    writing = asyncio.create_task(answers.results())
    try:
        await asyncio.wait({leaving, writing}, return_when=asyncio.FIRST_COMPLETED)
        if not writing.done():
            raise ApiError(499, "The client closed the connection.")  # nobody reads it
        return writing.result()
    except KitError as error:
        raise api_error_of(error) from None
    finally:
        answers.cancel()
        leaving.cancel()
        writing.cancel()


def told_in_a_stream(error: Exception) -> ApiError:
    """What a stream says of an exception: its status is sent already, so the error travels as an event."""
    if isinstance(error, KitError):
        return api_error_of(error)
    log.error("an answer broke off", exc_info=error)
    return ApiError(500, "The server had an error; its log says more.", kind="server_error")


def sse(data: Mapping[str, Any], kind: str | None = None) -> str:
    """A server-sent event.

    Args:
        data: what it says, as JSON.
        kind: its name; None: it has none, as in chat completions.
    """
    return (f"event: {kind}\n" if kind else "") + f"data: {json.dumps(data, ensure_ascii=False)}\n\n"


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
