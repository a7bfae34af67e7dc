"""Reading a request's body within bounds, and telling what is wrong with it: every problem at once, the first as
``param``.

The JSON parser's own limit on nesting (200 levels) ends depth bombs.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from helpers.local_api.http.errors import ApiError, shortened

MAX_JSON_BYTES = 16 * 2**20
"""Far above any prompt that fits a model's context, far below what memory minds."""
IDLE_SECONDS = 60.0
"""A client that sends nothing for so long in the middle of a request is given up."""
MAX_TOLD = 20
"""Problems that one answer spells out; of more it says how many there are."""

Body = TypeVar("Body", bound=BaseModel)


async def limited(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The body's chunks as they come.

    Args:
        request: its body has not been read yet.
        limit: most bytes of all chunks together.

    Raises:
        ApiError: 413 as soon as more than ``limit`` bytes came or were announced; 408 when the client fell silent.
    """
    too_large = ApiError(
        413,
        f"The request is larger than this API's limit of {limit / 2**20:.0f} MiB. Send less at a time.",
        code="request_too_large",
    )
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced[:20]) > limit:
        raise too_large
    read, chunks = 0, request.stream()
    while True:
        try:
            chunk = await asyncio.wait_for(anext(chunks), IDLE_SECONDS)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise ApiError(408, f"No bytes came for {IDLE_SECONDS:.0f} s in the middle of the request.") from None
        read += len(chunk)
        if read > limit:
            raise too_large
        yield chunk


async def read_request(request: Request, schema: type[Body]) -> Body:
    """The request's JSON body.

    Args:
        request: its body has not been read yet.
        schema: the model of the endpoint's requests.

    Raises:
        ApiError: 400 with every problem, its place and what was got; 413 or 408 as :func:`limited`.
    """
    raw = b"".join([chunk async for chunk in limited(request, MAX_JSON_BYTES)])
    try:
        return schema.model_validate_json(raw)
    except ValidationError as error:
        raise as_api_error(error) from None


def as_api_error(error: ValidationError) -> ApiError:
    """A pydantic error in OpenAI's shape."""
    problems = [(_place(problem["loc"]), problem) for problem in error.errors(include_url=False)]
    first_place, first = problems[0]
    if first["type"] == "json_invalid":
        return ApiError(
            400,
            f"We could not parse the JSON body of your request: {first['ctx']['error']}.",
            code="invalid_json",
        )
    sentences = [_sentence(place, problem) for place, problem in problems[:MAX_TOLD]]
    if len(problems) > MAX_TOLD:
        sentences.append(f"and {len(problems) - MAX_TOLD} more problems")
    codes = {"missing": "missing_required_parameter", "extra_forbidden": "unknown_parameter"}
    code = codes.get(first["type"], "invalid_value")
    return ApiError(400, "; ".join(sentences) + ".", param=first_place or None, code=code)


def _sentence(place: str, problem: Mapping[str, Any]) -> str:
    if problem["type"] == "missing":
        return f"Missing required parameter: '{place}'"
    if problem["type"] == "extra_forbidden":
        return f"Unrecognized request argument supplied: '{place}'"
    message = problem["msg"].removeprefix("Value error, ")
    return f"Invalid '{place or 'request'}': {message}, got {shortened(problem['input'])}"


def _place(location: tuple[int | str, ...]) -> str:
    """``messages[2].content`` from pydantic's location; the branch names that it adds for unions are left out."""
    place = ""
    for part in location:
        if isinstance(part, int):
            place += f"[{part}]"
        elif re.fullmatch(r"[a-z][a-z_]*", part):
            if part not in ("str", "int", "float", "bool"):
                place += f".{part}" if place else part
        elif not re.match(r"list\[|function-|dict\[", part):
            place += f".{part[:40]}" if place else part[:40]
    return place
