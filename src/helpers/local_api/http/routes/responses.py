"""``/v1/responses``: OpenAI's newer interface, for text and structured output; nothing is stored.

A response is the chat answer to the same messages, told in another shape.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from helpers.local_api.engine.requests import GenerationResult
from helpers.local_api.engine.sampling import Chance
from helpers.local_api.http.answers import Answers, complete, sse, told_in_a_stream
from helpers.local_api.http.body import read_request
from helpers.local_api.http.errors import ApiError
from helpers.local_api.http.routes.chat import logprobs
from helpers.local_api.http.schemas.responses import ResponseRequest
from helpers.local_api.http.serving import Serving
from helpers.local_api.store.records import new_id

RENAMED = {"messages": "input", "response_format": "text.format"}
"""What chat calls a parameter, and what it is called here."""


def router(serving: Serving) -> APIRouter:
    """The routes of this file; ``serving`` answers."""
    routes = APIRouter()

    @routes.post("/responses", response_model=None)
    async def create(request: Request) -> dict[str, Any] | StreamingResponse:
        asked = await read_request(request, ResponseRequest)
        told = Response(asked)
        try:
            answers = await Answers.begin(serving, asked.as_chat())
            if asked.stream:
                return StreamingResponse(_stream(told, answers), media_type="text/event-stream")
            [result] = await complete(request, answers)
        except ApiError as refusal:
            refusal.error["param"] = RENAMED.get(refusal.error["param"], refusal.error["param"])
            raise
        return told.ended(result)

    @routes.api_route("/responses/{path:path}", methods=["GET", "POST", "DELETE"])
    def not_kept(path: str) -> None:
        raise ApiError(404, f"This API stores no responses, and has no /v1/responses/{path[:100]}.", code="not_found")

    return routes


class Response:
    """One response, as it is shown at its beginning and at its end."""

    def __init__(self, asked: ResponseRequest) -> None:
        self._asked, self.item_id = asked, new_id("msg_")
        self._head = {"id": new_id("resp_"), "object": "response", "created_at": int(time.time()), "model": asked.model}

    def begun(self) -> dict[str, Any]:
        """As it is shown before it has any text."""
        return self._shown("in_progress", [])

    def ended(self, result: GenerationResult) -> dict[str, Any]:
        """As it is shown when it is complete, or was cut short by its limit of tokens."""
        status = _status_of(result)
        why = None if status == "completed" else {"reason": "max_output_tokens"}
        output = [self.item(status, [_part(result.text, result.chances)])]
        return self._shown(status, output, incomplete_details=why, usage=_usage(result))

    def failed(self, refusal: ApiError) -> dict[str, Any]:
        """As a stream shows it that had begun before something went wrong."""
        code = "server_error" if refusal.status >= 500 else "invalid_prompt"
        return self._shown("failed", [], error={"code": code, "message": refusal.error["message"]})

    def item(self, status: str, content: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The one output item, a message.

        Args:
            status: ``"in_progress"``, ``"completed"`` or ``"incomplete"``.
            content: its parts; none yet while it is in progress.
        """
        message = {"id": self.item_id, "type": "message", "role": "assistant", "status": status}
        return {**message, "content": list(content)}

    def _shown(self, status: str, output: list[Any], **more: Any) -> dict[str, Any]:
        asked = self._asked
        return {
            **self._head,
            "status": status,
            "output": output,
            "error": None,
            "incomplete_details": None,
            "instructions": asked.instructions,
            "max_output_tokens": asked.max_output_tokens,
            "metadata": asked.metadata or {},
            "background": False,
            "parallel_tool_calls": True,
            "previous_response_id": None,
            "reasoning": None,
            "service_tier": "default",
            "store": False,
            "temperature": 1.0 if asked.temperature is None else asked.temperature,
            "text": {"format": _format(asked)},
            "tool_choice": "auto",
            "tools": [],
            "top_logprobs": asked.top_logprobs or 0,
            "top_p": 1.0 if asked.top_p is None else asked.top_p,
            "truncation": "disabled",
            **more,
        }


def _status_of(result: GenerationResult) -> str:
    return "completed" if result.finish_reason == "stop" else "incomplete"


def _part(text: str, chances: Sequence[Chance] = ()) -> dict[str, Any]:
    """A message's text, as an answer carries it."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs(chances)["content"]}


async def _stream(told: Response, answers: Answers) -> AsyncIterator[str]:
    """Server-sent events, numbered; when the client hangs up this generator is closed, and that cancels the answer."""
    numbers = count()

    def event(kind: str, **data: Any) -> str:
        return sse({"type": kind, "sequence_number": next(numbers), **data}, kind)

    place = {"item_id": told.item_id, "output_index": 0, "content_index": 0}
    try:
        yield event("response.created", response=told.begun())
        yield event("response.in_progress", response=told.begun())
        yield event("response.output_item.added", output_index=0, item=told.item("in_progress", []))
        yield event("response.content_part.added", **place, part=_part(""))
        async for _, said in answers.events():
            if isinstance(said, str):
                chances = logprobs(getattr(said, "chances", ()))["content"]
                yield event("response.output_text.delta", **place, delta=str(said), logprobs=chances)
            else:
                for kind, data in _ending(told, said, place):
                    yield event(kind, **data)
    except Exception as error:
        yield event("response.failed", response=told.failed(told_in_a_stream(error)))
    finally:
        answers.cancel()


def _ending(told: Response, result: GenerationResult, place: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    status, whole = _status_of(result), _part(result.text, result.chances)
    yield "response.output_text.done", {**place, "text": result.text, "logprobs": whole["logprobs"]}
    yield "response.content_part.done", {**place, "part": whole}
    yield "response.output_item.done", {"output_index": 0, "item": told.item(status, [whole])}
    yield f"response.{status}", {"response": told.ended(result)}


def _format(asked: ResponseRequest) -> dict[str, Any]:
    return asked.format.model_dump(by_alias=True, exclude_none=True)


def _usage(result: GenerationResult) -> dict[str, Any]:
    return {
        "input_tokens": result.prompt_tokens,
        "input_tokens_details": {"cached_tokens": result.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": result.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": result.prompt_tokens + result.completion_tokens,
    }
