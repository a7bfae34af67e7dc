"""Model servers of this machine: found by what they answer, with the traps of each; anything else is no model server.

What each server answers is written down from its documentation or source (``providers/serving`` names them);
llama.cpp's is run for real in ``test_llama_server.py``.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from evaluate_host import Host, completion

from helpers import doctor, providers, show
from helpers.providers import models, servers, serving

Pages = dict[str, object]


@pytest.fixture(autouse=True)
def looked_for(monkeypatch):
    monkeypatch.delenv("KIT_LOCAL_SERVERS")  # set for all tests, so that no other one meets a maintainer's servers


LLAMA_CPP: Pages = {
    "/v1/models": {
        "object": "list", "models": [{"name": "qwen3-4b.gguf"}],
        "data": [{
            "id": "/home/me/models/qwen3-4b.gguf", "object": "model", "owned_by": "llamacpp",
            "meta": {"n_ctx": 512, "n_ctx_train": 32768, "n_params": 4022468096},
        }],
    },
    "/props": {"default_generation_settings": {"n_ctx": 512}, "total_slots": 4, "model_path": "qwen3-4b.gguf"},
}  # fmt: skip
VLLM: Pages = {
    "/v1/models": {
        "object": "list",
        "data": [{"id": "Qwen/Qwen3-0.6B", "object": "model", "owned_by": "vllm", "max_model_len": 40960}],
    }
}
LM_STUDIO: Pages = {
    "/v1/models": {"object": "list", "data": [{"id": "gemma-3-270m-it-qat", "object": "model", "owned_by": "x"}]},
    "/api/v1/models": {
        "models": [
            {
                "type": "llm", "publisher": "lmstudio-community", "key": "gemma-3-270m-it-qat", "params_string": "270M",
                "loaded_instances": [{"id": "g", "config": {"context_length": 4096}}], "max_context_length": 32768,
            },
            {
                "type": "llm", "publisher": "qwen", "key": "qwen/qwen3-8b", "params_string": "8B",
                "loaded_instances": [], "max_context_length": 32768,
            },
            {"type": "embedding", "publisher": "nomic", "key": "nomic-v1.5", "params_string": None},
        ]
    },
}  # fmt: skip
OLLAMA: Pages = {
    "/v1/models": {"object": "list", "data": [{"id": "qwen3:8b", "object": "model", "owned_by": "library"}]},
    "/api/version": {"version": "0.30.1"},
    "/api/tags": {
        "models": [
            {"name": "qwen3:8b", "details": {"parameter_size": "8.2B"}},
            {"name": "mine:latest", "details": {"parameter_size": "494.03M"}},
            {"name": "gpt-oss:120b-cloud", "remote_host": "https://ollama.com:443", "details": {}},
            {"name": "nomic-embed-text:latest", "details": {"parameter_size": "137M"}},
        ]
    },
    "/api/ps": {"models": [{"name": "qwen3:8b", "context_length": 4096}]},
    "/api/show": {"parameters": 'num_ctx                        16384\nstop  "x"', "model_info": {}},
}
DOCKER: Pages = {
    "/engines/v1/models": {
        "object": "list",
        "data": [
            {
                "id": "docker.io/ai/smollm2:latest", "object": "model", "owned_by": "docker",
                "dmr": {"parameters": "361.82 M", "architecture": "llama"},
            }
        ],
    },
    "/api/tags": {"models": [{"name": "ai/smollm2:latest", "details": {}}]},  # it speaks Ollama's way, too
    "/api/version": {"version": "0.1.0"},
}  # fmt: skip
PROXY: Pages = {"/v1/models": {"object": "list", "data": [{"id": "gpt-6-luna", "object": "model"}]}}


class Pretender:
    """A server with these pages on a free port of this machine; a page may be bytes, sent as they are."""

    def __init__(self, pages: Pages) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                page = pages.get(self.path)
                data = page if isinstance(page, bytes) else json.dumps(page).encode()
                self.send_response(404 if page is None else 200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_POST = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def pretend() -> Iterator[Callable[[Pages], str]]:
    started: list[Pretender] = []

    def start(pages: Pages) -> str:
        started.append(Pretender(pages))
        return started[-1].address

    yield start
    for one in started:
        one.close()


@pytest.mark.parametrize(
    ("pages", "kind", "path", "found"),
    [
        (LLAMA_CPP, serving.LLAMA_CPP, "/v1", [("qwen3-4b.gguf", 4.022, 512, "target")]),
        (VLLM, serving.VLLM, "/v1", [("Qwen/Qwen3-0.6B", 0.6, 40960, "teaching")]),
        (
            LM_STUDIO, serving.LM_STUDIO, "/v1",
            [("gemma-3-270m-it-qat", 0.27, 4096, "teaching"), ("qwen/qwen3-8b", 8, None, "target")],
        ),
        (
            OLLAMA, serving.OLLAMA, "/v1",
            [
                ("qwen3:8b", 8.2, 4096, "target"), ("mine:latest", 0.494, 16384, "teaching"),
                ("gpt-oss:120b-cloud", 120, None, "target"),
            ],
        ),
        (DOCKER, serving.DOCKER, "/engines/v1", [("docker.io/ai/smollm2:latest", 0.362, None, "teaching")]),
        (PROXY, serving.OTHER, "/v1", [("gpt-6-luna", None, None, "target")]),
    ],
)  # fmt: skip
def test_each_kind_is_known_by_its_answers_wherever_it_listens(pages, kind, path, found, pretend):
    address = pretend(pages)
    server = providers.server_at(address)
    assert (server.kind, server.base_url) == (kind, address + path)
    assert server.host == server.base_url, "no host of the table is expected at this port"
    assert [(m.name, m.parameters and round(m.parameters, 3), m.context, m.role) for m in server.models] == found


@pytest.mark.parametrize(
    ("pages", "words"),
    [
        (LLAMA_CPP, ["512 tokens", "4 requests", "-np 1", "divided among", "qwen3-4b.gguf whatever MODEL says"]),
        (OLLAMA, ["4,096 tokens", "OLLAMA_CONTEXT_LENGTH=16384", "num_ctx", "Modelfile", "leaves this one", "seed"]),
        (LM_STUDIO, ["gemma-3-270m-it-qat", "--context-length 16384", "qwen/qwen3-8b: not loaded"]),
        (DOCKER, ["docker model configure --context-size"]),
        (PROXY, ["charge for it", "PRICE"]),
    ],
)
def test_traps_are_said_with_what_to_do(pages, words, pretend):
    said = " ".join(providers.server_at(pretend(pages)).traps)
    assert [word for word in words if word not in said] == []


def test_a_server_without_traps_has_none(pretend):
    assert providers.server_at(pretend(VLLM)).traps == ()
    roomy = json.loads(json.dumps(LLAMA_CPP).replace("512", "16384").replace('"total_slots": 4', '"total_slots": 1'))
    [said] = providers.server_at(pretend(roomy)).traps
    assert "whatever MODEL says" in said


CARS = {"object": "list", "data": [{"id": "golf", "object": "car"}]}


@pytest.mark.parametrize(
    "pages",
    [
        {},
        {"/v1/models": CARS, "/api/tags": {"models": [{"name": "golf"}]}, "/api/v1/models": {"models": ["golf"]}},
        {"/v1/models": {"data": [{"id": "golf"}]}, "/api/version": {"version": "2"}},
        {"/v1/models": b"<html>a page for people</html>", "/api/tags": b"\xff\xfe\x00"},
        {"/v1/models": {"object": "list", "data": [{"id": 7, "object": "model"}]}},
        {"/v1/models": {"object": "list", "data": []}, "/props": {"total_slots": True}},
        {"/v1/models": ("[" * 100_000).encode(), "/api/tags": b'{"models": NaN}'},
    ],
)
def test_another_service_on_such_a_port_is_no_model_server(pages, pretend):
    assert providers.server_at(pretend(pages)) is None


def test_wild_values_are_not_known_and_wild_names_are_not_shown(pretend):
    meta = {"n_params": "many", "n_ctx": -5}
    wild = {"id": 'a"b', "object": "model", "owned_by": "llamacpp", "meta": meta}
    hidden = [{**wild, "id": name} for name in ("\x1b[2Jgone", "long " * 100)]
    props = {"default_generation_settings": "none", "total_slots": 1e300}
    server = providers.server_at(pretend({"/v1/models": {"object": "list", "data": [wild, *hidden]}, "/props": props}))
    [model] = server.models
    assert (model.parameters, model.context, model.role) == (None, None, "teaching")
    assert r'"a\"b"' in server.line(model), "the line can be pasted"


def _raw(send: Callable[[socket.socket], None]) -> tuple[str, socket.socket]:
    """A server that does with each connection what it is told."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=send, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listening.getsockname()[1]}", listening


def _drip(connection: socket.socket) -> None:
    try:
        while True:
            connection.send(b"H")
            time.sleep(0.05)
    except OSError:
        pass


def _flood(connection: socket.socket) -> None:
    try:
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n[")
        while True:
            connection.send(b"1," * 100_000)
    except OSError:
        pass


@pytest.mark.parametrize("send", [_drip, _flood, lambda c: time.sleep(5), lambda c: c.close()])
def test_what_is_slow_endless_or_silent_costs_less_than_a_second(send):
    address, listening = _raw(send)
    started = time.monotonic()
    assert providers.server_at(address) is None
    assert time.monotonic() - started < 1.5  # the limit is serving.SECONDS; the rest is a busy machine
    listening.close()


def test_a_probe_of_empty_ports_is_quick_and_uses_no_proxy(monkeypatch, pretend):
    asked: list[str] = []
    monkeypatch.setattr(serving, "page", lambda address, *_: asked.append(address))
    started = time.monotonic()
    assert providers.local_servers() == []
    assert time.monotonic() - started < 1
    assert {address.rsplit(":")[-1] for address in asked} == {"11434", "8080", "1234", "12434", "8000"}
    monkeypatch.undo()
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert providers.server_at(pretend(VLLM)).kind == serving.VLLM


def _own_ports(monkeypatch, tmp_path, **addresses: str) -> None:
    """These hosts at free ports instead of their usual ones, where anything may run on this machine."""
    monkeypatch.setenv("KIT_HOME", str(tmp_path))
    places = {name: f"{address}/v1" for name, address in addresses.items()}
    known = {
        name: providers.host.replace(host, base_url=places.get(name, "http://127.0.0.1:9/v1"))
        for name, host in providers.HOSTS.items()
        if not host.leaves_machine and host.base_url
    }
    monkeypatch.setattr(servers, "hosts", lambda: known)


def test_the_doctor_lists_what_it_found(monkeypatch, tmp_path, pretend):
    addresses = {"ollama": pretend(OLLAMA), "llama.cpp": pretend(VLLM), "vllm": pretend({"/v1/models": CARS})}
    _own_ports(monkeypatch, tmp_path, **addresses)
    lines = list(doctor._local_servers())
    said = "\n".join(line for _, line in lines)
    assert {mark for mark, _ in lines} == {doctor.OK, doctor.NOTE}
    assert "Ollama" in said and "qwen3:8b (8.2 billion parameters, 4,096 tokens a request, target)" in said
    assert 'HOST, MODEL, DECLARED = "ollama", "gpt-oss:120b-cloud", ""' not in said, "nothing that leaves is proposed"
    assert 'HOST, MODEL, DECLARED = "ollama", "qwen3:8b", ""' in said and "golf" not in said
    assert f'"{addresses["llama.cpp"]}/v1", "Qwen/Qwen3-0.6B"' in said, "vLLM at llama.cpp's port goes by its address"
    _own_ports(monkeypatch, tmp_path)
    [(mark, line)] = doctor._local_servers()
    assert mark == doctor.OK and "the lessons need none" in line, "nothing is wrong with having none"


def test_a_lesson_shows_them_with_their_traps_or_says_how_to_get_one(pretend):
    shown = show.servers([providers.server_at(pretend(OLLAMA))]).data
    assert "OLLAMA_CONTEXT_LENGTH" in shown and "qwen3:8b" in shown and "4,096" in shown and "target" in shown
    assert "ollama pull" in show.servers([]).data


@pytest.mark.parametrize("name", ["ollama", "llama.cpp", "lmstudio", "vllm", "docker"])
def test_one_line_connects_to_each(name):
    client = providers.connect(name)
    assert providers.host_of(client).name == providers.identity(client) == name


def test_the_size_of_a_model_is_asked_of_the_server_that_runs_it(pretend):
    client = providers.connect(pretend(LLAMA_CPP) + "/v1")
    assert models.known(client, "qwen3-4b.gguf").parameters == pytest.approx(4.022, abs=0.001)
    assert models.known(client, "whatever").parameters == pytest.approx(4.022, abs=0.001), "it has but one model"
    studio = providers.connect(pretend(LM_STUDIO) + "/v1")
    assert models.known(studio, "gemma-3-270m-it-qat").is_small
    assert models.known(studio, "never heard of").how == ""


def test_a_seed_and_a_schema_are_tried_out():
    kept = {"count": 0}

    def keeps_both(body: dict, _: int):
        return (
            200,
            {},
            completion(body, '{"colour": "teal"}' if "response_format" in body else f"seed {body.get('seed')}"),
        )

    def keeps_neither(body: dict, _: int):
        kept["count"] += 1
        return 200, {}, completion(body, f"A sunny day, number {kept['count']}.")

    for fault, words in (
        (keeps_both, ("keeps a seed", "enforces a schema")),
        (keeps_neither, ("no seed", "not enforce")),
    ):
        host = Host(fault)
        said = " ".join(providers.try_out(host.client(), "m"))
        assert all(word in said for word in words) and len(host.calls) == 4
        host.close()
