"""``/v1/chat/completions``: answers of base and tuned models, whole or streamed as they are written."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator, Mapping
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from helpers.errors import KitError
from helpers.local_api.generate import Event, Generation, GenerationResult
from helpers.local_api.refusal import Refusal
from helpers.local_api.schemas import ChatRequest, read_request
from helpers.local_api.serving import Serving, refusal_of
from helpers.local_api.store import new_id

FINGERPRINT = f"fp_local_{version('prompt-or-fine-tune')}"
"""What computes: the same seed gives the same answer as long as this stays."""

log = logging.getLogger(__name__)


def router(serving: Serving) -> APIRouter:
    routes = APIRouter()

    @routes.post("/chat/completions", response_model=None)
    async def create(request: Request) -> dict[str, Any] | StreamingResponse:
        asked = await read_request(request, ChatRequest)
        answer = Answer()
        answer.generation = await asyncio.to_thread(serving.submit, asked, answer.hear)
        head = {"id": new_id("chatcmpl-"), "created": int(time.time()), "model": asked.model}
        if asked.stream:
            with_usage = bool(asked.stream_options and asked.stream_options.include_usage)
            return StreamingResponse(_stream(head, answer, with_usage), media_type="text/event-stream")
        return await _whole(request, head, answer)

    return routes


class Answer:
    """An answer on its way from the engine's thread to this event loop."""

    generation: Generation

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event] = asyncio.Queue()

    def hear(self, event: Event) -> None:
        """The engine's listener; called in its thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: the server stops
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)

    async def events(self) -> AsyncIterator[str | GenerationResult]:
        """Texts as they come, then the result.

        Raises:
            Exception: what went wrong in the engine.
        """
        while isinstance(event := await self._events.get(), str):
            yield event
        if isinstance(event, Exception):
            raise event
        yield event

    async def result(self) -> GenerationResult:
        """The result, when it is there."""
        return [event async for event in self.events()][-1]


async def _whole(request: Request, head: Mapping[str, Any], answer: Answer) -> dict[str, Any]:
    """The complete answer; a client that hangs up cancels it."""
    leaving = asyncio.create_task(_hung_up(request))
    writing = asyncio.create_task(answer.result())
    try:
        await asyncio.wait({leaving, writing}, return_when=asyncio.FIRST_COMPLETED)
        if not writing.done():
            raise Refusal(499, "The client closed the connection.")  # nobody reads it
        result = writing.result()
    except KitError as error:
        raise refusal_of(error) from None
    finally:
        answer.generation.cancel()
        leaving.cancel()
        writing.cancel()
    message = {"role": "assistant", "content": result.text, "refusal": None, "annotations": []}
    return {
        **head,
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "finish_reason": result.finish_reason, "logprobs": None}],
        "usage": _usage(result),
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    }


async def _stream(head: Mapping[str, Any], answer: Answer, with_usage: bool) -> AsyncIterator[str]:
    """Server-sent events; when the client hangs up this generator is closed, and that cancels the answer."""
    head = {**head, "object": "chat.completion.chunk", "service_tier": "default", "system_fingerprint": FINGERPRINT}

    def chunk(delta: Mapping[str, Any], finish_reason: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        return _event({**head, "choices": [choice], **({"usage": None} if with_usage else {})})

    try:
        yield chunk({"role": "assistant", "content": "", "refusal": None})
        async for event in answer.events():
            if isinstance(event, str):
                yield chunk({"content": event})
                continue
            yield chunk({}, event.finish_reason)
            if with_usage:
                yield _event({**head, "choices": [], "usage": _usage(event)})
        yield "data: [DONE]\n\n"
    except KitError as error:  # the status is sent already: the error travels as an event, as at OpenAI
        yield _event({"error": refusal_of(error).error})
    except Exception:
        log.exception("an answer broke off")
        yield _event({"error": Refusal(500, "The server had an error; its log says more.", kind="server_error").error})
    finally:
        answer.generation.cancel()


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _event(data: Mapping[str, Any]) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"


def _usage(result: GenerationResult) -> dict[str, Any]:
    return {
        "prompt_tokens": result.prompt_tokens,
        "completion_tokens": result.completion_tokens,
        "total_tokens": result.prompt_tokens + result.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": result.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
