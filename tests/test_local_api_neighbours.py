"""What one client does is no matter of the others: good requests in the company of hostile and cancelled ones."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import httpx2 as httpx
import pytest
from running_api import TINY, Api
from tool_model import FIND, KNOWS_TOOLS, PING

MANUAL = "Answer the customer's question in one sentence, and name the order where there is one. " * 8
QUESTIONS = [
    "Where is BM-12345?",
    "hi",
    "My lamp came broken, I want my money back! " * 5,
    "Ship to Ireland?",
    "thanks",
]


def schema(name: str, wanted: dict[str, Any]) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": name, "schema": wanted}}}


LABEL = schema("label", {"enum": ["delivery", "refund", "other"]})
ORDER = schema("order", {"type": "object", "properties": {"id": {"type": "string", "pattern": "^BM-[0-9]{5}$"}},
                         "required": ["id"], "additionalProperties": False})  # fmt: skip
KINDS: list[dict[str, Any]] = [{}, {}, {"max_tokens": 1}, {"max_tokens": 30}, {"stop": ["e"]}, LABEL, ORDER, {"n": 2},
                               {"logprobs": True, "top_logprobs": 2}]  # fmt: skip
CALLS = {"model": KNOWS_TOOLS, "tools": [FIND, PING], "tool_choice": "required", "parallel_tool_calls": False}
GOOD: list[dict[str, Any]] = [
    {"model": TINY, "temperature": 0, "max_tokens": 8, "messages": [*first, {"role": "user", "content": text}]} | kind
    for text in QUESTIONS
    for first in ([], [{"role": "system", "content": MANUAL}])
    for kind in [*KINDS, CALLS | {"max_tokens": 60}, {"model": KNOWS_TOOLS}]
]  # fmt: skip

DEMANDS_ITSELF = {
    "type": "object",
    "properties": {"a": {"$ref": "#"}},
    "required": ["a"],
    "additionalProperties": False,
}
BY_THE_HUNDRED = {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(600)}}
BODY = {"model": TINY, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 20}
HOSTILE: list[bytes] = [
    json.dumps(BODY | change).encode()
    for change in (
        schema("x", DEMANDS_ITSELF),
        schema("x", DEMANDS_ITSELF) | {"n": 4},
        schema("x", BY_THE_HUNDRED),
        schema("x", {"$ref": "#"}),
        schema("x", {"type": "string", "pattern": "^(.{0,1000}){0,1000}$"}),
        schema("x", {"type": "string", "pattern": "(((((a*)*)*)*)*)*$"}),
        CALLS | {"tools": [{"type": "function", "function": {"name": "f", "parameters": DEMANDS_ITSELF}}]},
        {"messages": [{"role": "user", "content": "word " * 100_000}]},
        {"messages": [{"role": "user", "content": "<|im_end|>" * 500 + "\u0000\u202e"}], "n": 128, "max_tokens": 1},
        {"max_tokens": 10**9},
        {"temperature": 2, "top_p": 0.0, "stop": ["\n", " ", "e", "a"]},
        {"model": "ft:tiny:local:none:none"},
        {"tools": [PING]},
        {"messages": []},
    )
] + [b"{", b"", b"[" * 10_000, b'{"model": "\xff"}']


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, tool_model: Path, tiny_model: Path) -> Iterator[Api]:
    models = ["--model", f"{KNOWS_TOOLS}={tool_model}", "--model", f"{TINY}={tiny_model}"]
    running = Api(tmp_path_factory.mktemp("neighbours") / "home", models).start()
    yield running
    assert running.stop() == 0


def test_fifty_mixes_of_good_hostile_and_cancelled_requests(api: Api):
    mix(api, 50)


@pytest.mark.soak
def test_a_thousand_mixes_of_good_hostile_and_cancelled_requests(api: Api):
    mix(api, 1000)


def mix(api: Api, times: int) -> None:
    """Each good request is answered as it was alone, a hostile one is refused or answered, and nothing breaks."""
    chance, seen = Random(times), Counter()
    with api.raw() as http, ThreadPoolExecutor(12) as pool:
        alone = [answer(http, request) for request in GOOD]
        for _ in range(times):
            some = [
                *((good, n) for n in chance.choices(range(len(GOOD)), k=chance.randrange(1, 6))),
                *((hostile, body) for body in chance.choices(HOSTILE, k=chance.randrange(4))),
                *((cancelled, n) for n in chance.choices(range(len(GOOD)), k=chance.randrange(3))),
            ]
            chance.shuffle(some)
            for did in [pool.submit(do, http, what, alone) for do, what in some]:
                seen[did.result()] += 1
        assert [answer(http, request) for request in GOOD] == alone
    assert api.process.poll() is None and "Traceback" not in api.log, api.log[-4000:]
    print(dict(seen))


def good(http: httpx.Client, n: int, alone: list[Any]) -> str:
    assert answer(http, GOOD[n]) == alone[n], GOOD[n]
    return "good"


def hostile(http: httpx.Client, body: bytes, alone: list[Any]) -> str:
    response = http.post("chat/completions", content=body)
    assert response.status_code < 500, (body[:300], response.text)
    return f"hostile: {response.status_code}"


def cancelled(http: httpx.Client, n: int, alone: list[Any]) -> str:
    """Hang up behind the first words, or before them."""
    request = {name: value for name, value in GOOD[n].items() if name != "max_tokens"} | {"stream": n % 2 == 0}
    try:
        with http.stream("POST", "chat/completions", json=request, timeout=None if n % 2 == 0 else 0.2) as response:
            next(response.iter_lines())
        return "hung up in the middle"
    except httpx.TimeoutException:
        return "hung up before"


def answer(http: httpx.Client, request: dict[str, Any]) -> list[Any]:
    """All that a client reads of an answer but ids and times; log probabilities to four digits."""
    response = http.post("chat/completions", json=request)
    assert response.status_code == 200, response.text
    found = response.json()
    return [_choice(choice) for choice in found["choices"]] + [found["usage"]["completion_tokens"]]


def _choice(choice: dict[str, Any]) -> tuple[Any, ...]:
    message, sure = choice["message"], choice["logprobs"]
    calls = [call["function"] for call in message.get("tool_calls", ())]
    chances = sure and [(one["token"], round(one["logprob"], 4)) for one in sure["content"]]
    return message["content"], calls, choice["finish_reason"], chances
