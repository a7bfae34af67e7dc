"""Whatever a client sends, it gets a 4xx that says what and where, and the API stays up."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from running_api import Api, chat_rows

ROW = json.loads(chat_rows(1))
HELLO = [{"role": "user", "content": "Hello"}]


def row(**changes) -> bytes:
    return json.dumps(ROW | changes).encode() + b"\n"


GOOD_THEN = chat_rows(12)
TOOL_ROW = row(messages=[*HELLO, {"role": "tool", "tool_call_id": "x", "content": "5"}, ROW["messages"][1]])
CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
IMAGE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x/y.png"}}]}]

FILES = {
    "empty file": (b"", "No example"),
    "only blank lines": (b"\n\n\n", "line 1"),
    "not UTF-8": (GOOD_THEN + b'{"messages": "\xff\xfe"}\n', "line 13"),
    "a line of 10 MB": (GOOD_THEN + b'{"messages": "' + b"x" * 10_000_000 + b'"}\n', "line 13"),
    "broken JSON": (GOOD_THEN + b'{"messages": [\n', "line 13"),
    "not an object": (GOOD_THEN + b"[1, 2]\n", "line 13"),
    "depth bomb": (GOOD_THEN + b"[" * 100_000 + b"]" * 100_000 + b"\n", "line 13"),
    "no messages": (GOOD_THEN + b'{"prompt_": 1}\n', "line 13"),
    "no assistant": (GOOD_THEN + row(messages=HELLO), "line 13"),
    "a tool's message": (GOOD_THEN + TOOL_ROW, "line 13"),
    "an image": (GOOD_THEN + row(messages=[*IMAGE, ROW["messages"][1]]), "line 13"),
    "null content": (GOOD_THEN + row(messages=[*HELLO, {"role": "assistant", "content": None}]), "line 13"),
    "unknown role": (GOOD_THEN + row(messages=[{"role": "wizard", "content": "x"}, ROW["messages"][1]]), "line 13"),
    "no text at all": (bytes(range(256)) * 50, "line"),
}


@pytest.mark.parametrize(("content", "words"), FILES.values(), ids=FILES)
def test_bad_files_are_refused_with_the_line(local_api: Api, content: bytes, words: str):
    error = refused(local_api, "POST", "files", files={"file": ("x.jsonl", content)}, data={"purpose": "fine-tune"})
    assert words in error["message"]
    assert error["param"] == "file" and error["code"] == "invalid_file"


def test_all_problems_of_a_file_are_told_at_once(local_api: Api):
    content = GOOD_THEN + row(messages=HELLO) + TOOL_ROW + b"{\n"
    error = refused(local_api, "POST", "files", files={"file": ("x.jsonl", content)}, data={"purpose": "fine-tune"})
    assert all(f"line {line}" in error["message"] for line in (13, 14, 15))
    assert {13, 14, 15} == {problem["line"] for problem in error["problems"]}


NAMES = {
    "parent folders": "../../../etc/passwd",
    "absolute path": "/etc/passwd",
    "backslashes": "..\\..\\x.jsonl",
    "only dots": "..",
    "line break": "a\r\nb.jsonl",
    "NUL byte": "a\0b.jsonl",
    "too long": "x" * 300,
    "invisible turn of direction": "x\u202elnosj.exe",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_tricks_in_file_names_are_refused(local_api: Api, name: str):
    before = sorted(p.name for p in local_api.home.rglob("*"))
    head = b'--B\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n--B\r\n'
    part = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
    body = head + part + GOOD_THEN + b"\r\n--B--\r\n"
    error = refused(
        local_api, "POST", "files", content=body, headers={"Content-Type": "multipart/form-data; boundary=B"}
    )
    assert error["code"] in ("invalid_filename", "invalid_form")
    assert sorted(p.name for p in local_api.home.rglob("*")) == before


MULTIPART = {"Content-Type": "multipart/form-data; boundary=B"}
FILE_PART = b'--B\r\nContent-Disposition: form-data; name="file"; filename="x.jsonl"\r\n\r\n' + GOOD_THEN
GOOD_FILE = ("x.jsonl", GOOD_THEN)
FORMS = {
    "no file": ({"data": {"purpose": "fine-tune"}, "files": {"other": GOOD_FILE}}, "other"),
    "file as a plain field": ({"files": {"purpose": (None, "fine-tune"), "file": (None, "text")}}, "file"),
    "wrong purpose": ({"files": {"file": GOOD_FILE}, "data": {"purpose": "assistants"}}, "purpose"),
    "no purpose": ({"files": {"file": GOOD_FILE}}, "purpose"),
    "half an expiry": (
        {"files": {"file": GOOD_FILE}, "data": {"purpose": "fine-tune", "expires_after[anchor]": "created_at"}},
        "expires_after[seconds]",
    ),
    "two files": (
        {"files": [("file", GOOD_FILE), ("file", GOOD_FILE)], "data": {"purpose": "fine-tune"}},
        "Too many files",
    ),
    "JSON instead of a form": ({"json": {"file": "x"}}, "multipart"),
    "no boundary": ({"content": FILE_PART, "headers": {"Content-Type": "multipart/form-data"}}, "boundary"),
    "form cut short": ({"content": FILE_PART, "headers": MULTIPART}, "file"),
    "garbage as a form": ({"content": b"\0\xff--B" * 99, "headers": MULTIPART}, "form"),
}


@pytest.mark.parametrize(("request_", "words"), FORMS.values(), ids=FORMS)
def test_bad_forms_are_refused(local_api: Api, request_: dict, words: str):
    assert words in refused(local_api, "POST", "files", **request_)["message"]


JOB = {"model": "tiny", "training_file": "FILE"}


def hyper(**settings) -> dict:
    return {"method": {"type": "supervised", "supervised": {"hyperparameters": settings}}}


JOBS = {
    "unknown model": ({"model": "gpt-9"}, "model", "tiny"),
    "unknown training file": ({"training_file": "file-none"}, "training_file", "file-none"),
    "a path as a file": ({"training_file": "../../key"}, "training_file", "../../key"),
    "unknown validation file": ({"validation_file": "file-none"}, "validation_file", "file-none"),
    "negative epochs": (hyper(n_epochs=-1), "n_epochs", "-1"),
    "no epochs": (hyper(n_epochs=0), "n_epochs", "1 to 50"),
    "half an epoch": (hyper(n_epochs=0.5), "n_epochs", "0.5"),
    "epochs as text": (hyper(n_epochs="3"), "n_epochs", "'3'"),
    "epochs as truth": (hyper(n_epochs=True), "n_epochs", "True"),
    "huge batch": (hyper(batch_size=100_000), "batch_size", "1 to 256"),
    "learning rate 0": (hyper(learning_rate_multiplier=0), "learning_rate_multiplier", "above 0"),
    "unknown recipe": (hyper(recipe="magic"), "recipe", "thorough"),
    "unknown way to keep": (hyper(keep="first"), "keep", "'last' or 'best'"),
    "the best by no validation rows": (hyper(keep="best"), "validation_file", "keep"),
    "unknown hyperparameter": (hyper(epochs=3), "epochs", "epochs"),
    "old place, too": ({"hyperparameters": {"n_epochs": -4}}, "n_epochs", "-4"),
    "two places that differ": (hyper(n_epochs=2) | {"hyperparameters": {"n_epochs": 3}}, None, "differ"),
    "suffix with a path": ({"suffix": "../x"}, "suffix", "suffix"),
    "suffix too long": ({"suffix": "x" * 65}, "suffix", "64"),
    "negative seed": ({"seed": -1}, "seed", "-1"),
    "metadata not text": ({"metadata": {"a": 1}}, "metadata.a", "a"),
    "too much metadata": ({"metadata": {str(i): "x" for i in range(17)}}, "metadata", "16"),
    "preference training": ({"method": {"type": "dpo"}}, "method", "dpo"),
    "a service that data would go to": ({"integrations": [{"type": "wandb"}]}, "integrations", "integrations"),
    "unknown field": ({"colour": "red"}, "colour", "colour"),
    "no model": ({"model": None}, "model", "model"),
}


@pytest.mark.parametrize(("changes", "param", "words"), JOBS.values(), ids=JOBS)
@pytest.mark.parametrize("path", ["fine_tuning/jobs", "fine_tuning/jobs/estimate"])
def test_bad_jobs_are_refused(local_api: Api, file_id: str, path: str, changes: dict, param: str | None, words: str):
    body = JOB | {"training_file": file_id} | changes
    error = refused(local_api, "POST", path, json=body)
    assert words in error["message"]
    assert (error["param"] or "").endswith(param or "")


def test_all_problems_of_a_request_are_told_at_once(local_api: Api):
    error = refused(local_api, "POST", "fine_tuning/jobs", json={"seed": "x", "suffix": "", "training_file": 7})
    assert all(name in error["message"] for name in ("seed", "suffix", "training_file", "model"))


CHAT = {
    "unknown model": ({"model": "gpt-9"}, "model"),
    "unknown tuned model": ({"model": "ft:tiny:local:x:none"}, "model"),
    "no messages": ({"messages": []}, "messages"),
    "messages as text": ({"messages": "Hello"}, "messages"),
    "unknown role": ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role"),
    "a tool's message": ({"messages": [{"role": "tool", "tool_call_id": "a", "content": "x"}]}, "messages[0]"),
    "a tool call": (
        {"messages": [*HELLO, {"role": "assistant", "content": None, "tool_calls": [CALL]}]},
        "messages[1]",
    ),
    "half a tool call": (
        {"messages": [*HELLO, {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}]},
        "messages[1].tool_calls[0].function",
    ),
    "an image": ({"messages": IMAGE}, "messages[0].content"),
    "no content": ({"messages": [{"role": "user"}]}, "messages[0].content"),
    "a name that is none": ({"messages": [{"role": "user", "content": "x", "name": "B/b"}]}, "messages[0].name"),
    "too hot": ({"temperature": 2.1}, "temperature"),
    "temperature as text": ({"temperature": "0"}, "temperature"),
    "top_p below 0": ({"top_p": -0.1}, "top_p"),
    "no tokens": ({"max_tokens": 0}, "max_tokens"),
    "two lengths": ({"max_tokens": 5, "max_completion_tokens": 6}, ""),
    "no answers": ({"n": 0}, "n"),
    "too many answers": ({"n": 129}, "n"),
    "tools": ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
    "likeliest tokens without logprobs": ({"top_logprobs": 2}, ""),
    "too many likeliest tokens": ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
    "logit bias": ({"logit_bias": {"5": 1}}, "logit_bias"),
    "penalty": ({"frequency_penalty": 0.5}, "frequency_penalty"),
    "reasoning": ({"reasoning_effort": "high"}, "reasoning_effort"),
    "five stops": ({"stop": list("abcde")}, "stop"),
    "empty stop": ({"stop": ""}, "stop"),
    "unknown format": ({"response_format": {"type": "xml"}}, "response_format.type"),
    "format without schema": ({"response_format": {"type": "json_schema"}}, "response_format"),
    "usage without stream": ({"stream_options": {"include_usage": True}}, ""),
    "unknown parameter": ({"max_token": 5}, "max_token"),
    "too long for the model": ({"messages": [{"role": "user", "content": "word " * 20_000}]}, "messages"),
    "a schema that is none": (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "no such"}}}},
        "response_format",
    ),
    "a schema too deep": (
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "x", "schema": json.loads('{"not":' * 150 + "{}" + "}" * 150)},
            }
        },
        "response_format",
    ),
}


@pytest.mark.parametrize(("changes", "param"), CHAT.values(), ids=CHAT)
def test_bad_chat_requests_are_refused(local_api: Api, changes: dict, param: str):
    error = refused(local_api, "POST", "chat/completions", json={"model": "tiny", "messages": HELLO} | changes)
    assert (error["param"] or "") == param


BODIES = {
    "not JSON": b"{'model': 'tiny'}",
    "cut short": b'{"model": "tiny"',
    "empty": b"",
    "a list": b"[]",
    "null": b"null",
    "not UTF-8": b'{"model": "\xff\xfe"}',
    "half a surrogate": b'{"model": "\\ud800"}',
    "depth bomb": b"[" * 1_000_000,
    "depth bomb of objects": b'{"model":' * 200_000,
    "NaN": b'{"model": "tiny", "messages": [], "temperature": NaN}',
    "a number beyond all numbers": b'{"model": "tiny", "messages": [], "seed": 1' + b"0" * 10_000 + b"}",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("path", ["chat/completions", "fine_tuning/jobs"])
def test_bad_bodies_are_refused(local_api: Api, path: str, body: bytes):
    assert refused(local_api, "POST", path, content=body)["type"] == "invalid_request_error"


ADDRESSES = {
    "unknown file": ("GET", "files/file-none"),
    "content of an unknown file": ("GET", "files/file-none/content"),
    "the key as a file": ("GET", "files/..%2Fkey/content"),
    "NUL byte": ("GET", "files/%00"),
    "deleting an unknown file": ("DELETE", "files/file-none"),
    "unknown job": ("GET", "fine_tuning/jobs/ftjob-none"),
    "cancelling an unknown job": ("POST", "fine_tuning/jobs/ftjob-none/cancel"),
    "pausing an unknown job": ("POST", "fine_tuning/jobs/ftjob-none/pause"),
    "events of an unknown job": ("GET", "fine_tuning/jobs/ftjob-none/events"),
    "checkpoints of an unknown job": ("GET", "fine_tuning/jobs/ftjob-none/checkpoints"),
    "unknown model": ("GET", "models/gpt-9"),
    "deleting an unknown model": ("DELETE", "models/gpt-9"),
    "deleting a base model": ("DELETE", "models/tiny"),
    "no such address": ("GET", "embeddings"),
    "no such method": ("PUT", "files"),
    "no room on a page": ("GET", "files?limit=0"),
    "a page too large": ("GET", "fine_tuning/jobs?limit=101"),
    "limit as text": ("GET", "fine_tuning/jobs?limit=many"),
    "limit of many digits": ("GET", "fine_tuning/jobs?limit=" + "9" * 5000),
    "limit behind zeros": ("GET", "fine_tuning/jobs?limit=000000001999999"),
    "metadata that is no pair": ("GET", "fine_tuning/jobs?metadata=foo"),
    "metadata pairs without end": ("GET", "fine_tuning/jobs?" + "&".join(f"metadata[k{n}]=v" for n in range(1100))),
    "metadata of files": ("GET", "files?metadata[k]=v"),
    "unknown cursor": ("GET", "fine_tuning/jobs?after=ftjob-none"),
    "unknown order": ("GET", "files?order=random"),
    "unknown query": ("GET", "files?colour=red"),
}


@pytest.mark.parametrize(("method", "address"), ADDRESSES.values(), ids=ADDRESSES)
def test_unknown_things_are_refused(local_api: Api, method: str, address: str):
    refused(local_api, method, address)


HEADERS = {
    "wrong key": ({"Authorization": "Bearer wrong"}, 401, "key"),
    "empty key": ({"Authorization": "Bearer"}, 401, "key"),
    "other scheme": ({"Authorization": "Basic bG9jYWw6eA=="}, 401, "key"),
    "a page that re-pointed its name": ({"Host": "evil.example"}, 403, "evil.example"),
    "a host that begins well": ({"Host": "127.0.0.1.evil.example"}, 403, "evil.example"),
    "a user before the host": ({"Host": "evil@127.0.0.1:x"}, 403, "Host"),
    "a page of another site": ({"Origin": "https://evil.example"}, 403, "evil.example"),
    "a page without a site": ({"Origin": "null"}, 403, "null"),
}


@pytest.mark.parametrize(("headers", "status", "words"), HEADERS.values(), ids=HEADERS)
def test_strangers_are_refused(local_api: Api, headers: dict, status: int, words: str):
    error = refused(local_api, "GET", "models", headers=headers, status=status)
    assert words in error["message"]
    assert local_api.key not in error["message"]


def test_no_key_at_all(local_api: Api):
    with local_api.raw() as http:
        del http.headers["Authorization"]
        assert http.get("models").status_code == 401


@pytest.mark.parametrize("path", ["files", "chat/completions"])
def test_too_large_is_refused_at_once_and_without_memory(local_api: Api, path: str):
    """A request that announces 1 GB is refused before any of it came."""
    began = time.monotonic()
    answer = exchange(local_api, path, b"Content-Length: 1000000000\r\n", [b"--B\r\n"])
    assert b" 413 " in answer.split(b"\r\n")[0] and b"MiB" in answer
    assert time.monotonic() - began < 5


def test_a_client_that_sends_a_huge_file_reads_the_refusal(local_api: Api):
    """Not a broken pipe: what it sends is read and thrown away, in memory and on disk there is nothing of it."""
    before, piece = memory_mb(local_api), b" " * 2**20
    size = 600 * len(piece)
    with local_api.raw() as http:
        headers = MULTIPART | {"Content-Length": str(size)}
        response = http.post("files", content=(piece for _ in range(600)), headers=headers)
    assert response.status_code == 413 and "MiB" in response.json()["error"]["message"]
    assert memory_mb(local_api) - before < 100


def test_too_large_without_an_announcement(local_api: Api):
    """Chunks that never end are refused where the limit is, whatever they said before."""
    before = memory_mb(local_api)
    chunk = b"100000\r\n" + b" " * 2**20 + b"\r\n"
    answer = exchange(local_api, "chat/completions", b"Transfer-Encoding: chunked\r\n", [chunk] * 20 + [b"0\r\n\r\n"])
    assert b" 413 " in answer.split(b"\r\n")[0]
    assert memory_mb(local_api) - before < 100


@pytest.mark.soak  # seconds count, so the machine has to be quiet
def test_prompts_of_16_mib_hold_up_nobody_and_keep_no_memory(local_api: Api):
    """Twenty at once. Lists are answered in between, each prompt is refused with what it has and what fits."""
    text = "the kettle came late, again. " * (15 * 2**20 // 29)
    body = json.dumps({"model": "tiny", "messages": [{"role": "user", "content": text}]}).encode()

    def send(n: int) -> dict:
        return refused(local_api, "POST", "chat/completions", content=body, status=400)

    told, before, after = beside_lists(local_api, [partial(send, n) for n in range(20)])
    for error in told:
        assert f"{len(text):,} characters" in error["message"] and "2048" in error["message"]
    assert after - before < 200


@pytest.mark.soak  # the same
def test_a_training_row_of_16_mib_holds_up_nobody(local_api: Api):
    """It is taken, as every row of a right form: which model is to read it is said by the job, which names the row."""
    long = row(
        messages=[{"role": "user", "content": "the kettle came late, again. " * (16 * 2**20 // 29)}, ROW["messages"][1]]
    )

    def send() -> dict:
        with local_api.raw() as http:
            file = {"file": ("x.jsonl", GOOD_THEN + long)}
            return http.post("files", files=file, data={"purpose": "fine-tune"}).json()

    [file], before, after = beside_lists(local_api, [send])
    assert file["status"] == "processed"
    assert after - before < 200


SLOWEST_LIST_S = 0.5
MAX_MEMORY_MB = 1000


def beside_lists(api: Api, sends: list[Callable[[], dict]]) -> tuple[list[dict], float, float]:
    """What each of ``sends`` gives, all at once, while models are listed; and the memory before and after, in MB.

    No list may take longer than ``SLOWEST_LIST_S`` (than the slowest one before, where the machine is busy).
    """
    with ThreadPoolExecutor(20) as pool, api.raw() as http:
        usual = max(seconds_of_a_list(http) for _ in range(20))
        before = memory_mb(api)
        sent = [pool.submit(send) for send in sends]
        lists, most = [], before
        while not all(future.done() for future in sent):
            lists.append(seconds_of_a_list(http))
            most = max(most, memory_mb(api))
        print(
            f"{len(lists)} lists, slowest {max(lists):.3f} s (before: {usual:.3f} s); {most - before:+.0f} MB at most"
        )
        assert max(lists) <= SLOWEST_LIST_S + usual and most - before < MAX_MEMORY_MB
        return [future.result() for future in sent], before, memory_mb(api)


def seconds_of_a_list(http: Any) -> float:
    began = time.monotonic()
    assert http.get("models").status_code == 200
    return time.monotonic() - began


def refused(api: Api, method: str, path: str, status: int | None = None, **request) -> dict:
    """Send it; the error object of a refusal in OpenAI's shape."""
    with api.raw() as http:
        response = http.request(method, path, **request)
    assert 400 <= response.status_code < 500, f"{response.status_code} {response.text[:500]}"
    assert status in (None, response.status_code)
    error = response.json()["error"]
    assert error["type"] == "invalid_request_error" and len(error["message"]) > 10
    assert {"param", "code"} <= error.keys()
    return error


def exchange(api: Api, path: str, headers: bytes, body: list[bytes]) -> bytes:
    """A request by hand, and all of the answer."""
    place = urlsplit(api.ready["base_url"])
    start = (
        f"POST /v1/{path} HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {api.key}\r\nConnection: close\r\n"
    )
    with socket.create_connection((place.hostname, place.port), timeout=20) as connection:
        connection.sendall(start.encode() + b"Content-Type: multipart/form-data; boundary=B\r\n" + headers + b"\r\n")
        for piece in body:
            connection.sendall(piece)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def memory_mb(api: Api) -> float:
    status = Path(f"/proc/{api.process.pid}/status")
    if not status.exists():
        pytest.skip("the server's memory is read from /proc")
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


@pytest.fixture(scope="module")
def file_id(local_api: Api) -> str:
    return local_api.client().files.create(file=("good.jsonl", chat_rows(12)), purpose="fine-tune").id


@pytest.fixture(scope="module", autouse=True)
def still_up_and_unharmed(local_api: Api):
    """After everything above: alive, answering, and no request was an internal error."""
    yield
    assert local_api.process.poll() is None
    assert local_api.client().models.list().data
    assert "Traceback" not in local_api.log, local_api.log[-4000:]
