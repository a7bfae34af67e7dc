"""Requests put together at random from good, bad and broken parts: never a 5xx, never a hang."""

from __future__ import annotations

import json
from collections import Counter
from random import Random
from typing import Any

import pytest
from running_api import TINY, Api, chat_rows

from helpers.local_api.http.schemas.chat import NEUTRAL, ChatRequest
from helpers.local_api.http.schemas.jobs import CreateJob

HELLO = [{"role": "user", "content": "Hello"}]
CHAT = {"model": TINY, "messages": HELLO, "max_tokens": 1}
ATOMS = [None, True, -1, 0, 1.5, 10**30, "", "auto", TINY, "x" * 300, "\0", "ü\u202e", [], {}, [[]], HELLO, "file-x"]
NAMES = [*NEUTRAL, *ChatRequest.model_fields, *CreateJob.model_fields, "n_epochs", "type", "supervised", "role"]
NAMES += ["content", "json_schema", "name", "schema"]
PATHS = ["chat/completions", "fine_tuning/jobs", "files", "models", "models/tiny", "fine_tuning/jobs/x/cancel", "ü/%00"]
METHODS = ["POST", "POST", "POST", "GET", "DELETE", "PUT"]
JSON, FORM = "application/json", "multipart/form-data; boundary=B"
UPLOAD = (
    b'--B\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n--B\r\n'
    b'Content-Disposition: form-data; name="file"; filename="x.jsonl"\r\n\r\n' + chat_rows(10) + b"\r\n--B--\r\n"
)


def test_five_hundred_fuzzed_requests(local_api: Api):
    fuzz(local_api, 500)


@pytest.mark.soak
def test_fifty_thousand_fuzzed_requests(local_api: Api):
    fuzz(local_api, 50_000)


def fuzz(api: Api, times: int) -> None:
    chance, seen = Random(times), Counter()
    with api.raw() as http:
        for _ in range(times):
            method, path = chance.choice(METHODS), chance.choice(PATHS)
            body, kind = chance.choice([(UPLOAD, FORM), (json.dumps(wish(chance)).encode(), JSON)])
            if path == "chat/completions" and chance.random() < 0.9:
                body, kind = json.dumps(wish(chance)).encode(), JSON
            if chance.random() < 0.4:
                body = broken(chance, body)
            response = http.request(method, path, content=body, headers={"Content-Type": kind})
            seen[path, response.status_code] += 1
            assert response.status_code < 500, (method, path, body, response.text)
            if response.status_code >= 400:
                assert response.json()["error"]["message"]
            elif method == "POST" and path == "files":
                assert http.delete(f"files/{response.json()['id']}").status_code == 200
    assert api.process.poll() is None and "Traceback" not in api.log
    assert all(seen[path, code] for path in ("chat/completions", "files") for code in (200, 400)), seen


def wish(chance: Random) -> Any:
    """A chat request of which little, much or all is nonsense."""
    if chance.random() < 0.1:
        return value(chance)
    return CHAT | {chance.choice(NAMES): value(chance) for _ in range(chance.randrange(3))}


def value(chance: Random, depth: int = 0) -> Any:
    kind = chance.random()
    if depth > 4 or kind < 0.6:
        return chance.choice(ATOMS)
    if kind < 0.85:
        return {chance.choice(NAMES): value(chance, depth + 1) for _ in range(chance.randrange(5))}
    return [value(chance, depth + 1) for _ in range(chance.randrange(4))]


def broken(chance: Random, body: bytes) -> bytes:
    """A few bytes replaced, or the end cut off."""
    spot = chance.randrange(len(body) + 1)
    if chance.random() < 0.2:
        return body[:spot]
    return body[:spot] + chance.randbytes(chance.randrange(4)) + body[spot + 1 :]
