"""``/v1/chat/completions``: answers of base and tuned models, whole or streamed as they are written."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from helpers.local_api.engine.requests import GenerationResult
from helpers.local_api.engine.sampling import Chance
from helpers.local_api.engine.text.calls import Call
from helpers.local_api.http.answers import Answers, complete, sse, told_in_a_stream
from helpers.local_api.http.body import read_request
from helpers.local_api.http.errors import ApiError
from helpers.local_api.http.schemas.chat import ChatRequest, Seen
from helpers.local_api.http.serving import Serving
from helpers.local_api.store.records import new_id

FINGERPRINT = f"fp_local_{version('prompt-or-fine-tune')}"
"""What computes: the same seed gives the same answer as long as this stays."""


def router(serving: Serving) -> APIRouter:
    """The routes of this file; ``serving`` answers."""
    routes = APIRouter()

    @routes.post("/chat/completions", response_model=None)
    async def create(request: Request) -> dict[str, Any] | StreamingResponse:
        asked = await read_request(request, ChatRequest)
        answers = await Answers.begin(serving, asked)
        head = {"id": new_id("chatcmpl-"), "created": int(time.time()), "model": asked.model}
        if asked.stream:
            with_usage = bool(asked.stream_options and asked.stream_options.include_usage)
            events = _stream(head, answers, with_usage, bool(asked.logprobs))
            return StreamingResponse(events, media_type="text/event-stream")
        return _whole(head, await complete(request, answers), bool(asked.logprobs))

    @routes.post("/chat/seen")
    async def seen(request: Request) -> dict[str, Any]:
        """This API only, not in OpenAI's protocol: the text that the model sees of a conversation, and, where it ends
        with an answer, which stretches of it a training would learn."""
        return await asyncio.to_thread(serving.seen, await read_request(request, Seen))

    @routes.post("/completions")
    def older(request: Request) -> None:
        raise ApiError(
            404,
            "This API has no /v1/completions: its models are chat models. Send the prompt to /v1/chat/completions as "
            'messages=[{"role": "user", "content": PROMPT}].',
            code="unknown_url",
        )

    return routes


def _whole(head: Mapping[str, Any], results: Sequence[GenerationResult], with_chances: bool) -> dict[str, Any]:
    choices = [
        {
            "index": n,
            "message": _message(result),
            "finish_reason": _reason(result),
            "logprobs": logprobs(result.chances) if with_chances else None,
        }
        for n, result in enumerate(results)
    ]
    return {
        **head,
        "object": "chat.completion",
        "choices": choices,
        "usage": _usage(results),
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    }


def _message(result: GenerationResult) -> dict[str, Any]:
    calls = [_call(call) for call in result.calls]
    content = result.text or (None if calls else "")
    message = {"role": "assistant", "content": content, "refusal": None, "annotations": []}
    return {**message, "tool_calls": calls} if calls else message


def _call(call: Call) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": new_id("call_"), "type": "function", "function": function}


def _reason(result: GenerationResult) -> str:
    return "tool_calls" if result.calls and result.finish_reason == "stop" else result.finish_reason


async def _stream(
    head: Mapping[str, Any], answers: Answers, with_usage: bool, with_chances: bool
) -> AsyncIterator[str]:
    """Server-sent events; when the client hangs up this generator is closed, and that cancels the answers."""
    head = {**head, "object": "chat.completion.chunk", "service_tier": "default", "system_fingerprint": FINGERPRINT}

    def chunk(n: int, delta: Mapping[str, Any], finish_reason: str | None = None, chances: Any = None) -> str:
        choice = {"index": n, "delta": delta, "finish_reason": finish_reason, "logprobs": chances}
        return sse({**head, "choices": [choice], **({"usage": None} if with_usage else {})})

    results, called = [], [0] * answers.number
    try:
        for n in range(answers.number):
            yield chunk(n, {"role": "assistant", "content": "", "refusal": None})
        async for n, event in answers.events():
            if isinstance(event, str):
                yield chunk(n, {"content": str(event)}, chances=logprobs(event.chances) if with_chances else None)
            elif isinstance(event, Call):
                yield chunk(n, {"tool_calls": [{"index": called[n], **_call(event)}]})
                called[n] += 1
            else:
                results.append(event)
                yield chunk(n, {}, _reason(event))
        if with_usage:
            yield sse({**head, "choices": [], "usage": _usage(results)})
        yield "data: [DONE]\n\n"
    except Exception as error:
        yield sse({"error": told_in_a_stream(error).error})
    finally:
        answers.cancel()


def logprobs(chances: Sequence[Chance]) -> dict[str, Any]:
    """Chances as the protocol shows them."""
    content = [
        {**_token(chance.token, chance.logprob), "top_logprobs": [_token(*near) for near in chance.likeliest]}
        for chance in chances
    ]
    return {"content": content, "refusal": None}


def _token(token: bytes, logprob: float) -> dict[str, Any]:
    return {"token": token.decode(errors="replace"), "logprob": logprob, "bytes": list(token)}


def _usage(results: Sequence[GenerationResult]) -> dict[str, Any]:
    """The prompt is billed once, however many answers there are."""
    prompt, made = results[0].prompt_tokens, sum(result.completion_tokens for result in results)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": made,
        "total_tokens": prompt + made,
        "prompt_tokens_details": {"cached_tokens": results[0].cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
