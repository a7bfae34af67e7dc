"""Connections: those that never become a request are ended, and other machines may come in where that was allowed."""

from __future__ import annotations

import asyncio
import http.client
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import uvicorn
from running_api import Api, wait_until

from helpers.local_api.http import connections
from helpers.local_api.http.auth import close_to_others
from helpers.local_api.http.connections import Connection

# Half-open connections ----------------------------------------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[tuple[str, int], threading.Event]]:
    """A server with the API's connections that waits half a second for a head; it answers when the event is set."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.5)
    may_answer, listening = threading.Event(), socket.create_server(("127.0.0.1", 0))

    async def app(scope, receive, send):
        while not may_answer.is_set():
            await asyncio.sleep(0.01)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    server = uvicorn.Server(uvicorn.Config(app, http=Connection, ws="none", lifespan="off", log_config=None))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield listening.getsockname(), may_answer
    may_answer.set()
    server.should_exit = True
    thread.join()


def test_connections_without_a_whole_head_are_ended(impatient):
    """Silent, with half a head, and with one that grows byte by byte."""
    address, _ = impatient
    silent = [socket.create_connection(address, timeout=10) for _ in range(20)]
    half = [socket.create_connection(address, timeout=10) for _ in range(20)]
    for connection in half:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow:")
    assert [connection.recv(100) for connection in silent + half] == [b""] * 40
    dripping = socket.create_connection(address, timeout=0.05)
    dripping.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")

    def ended() -> bool:
        try:
            dripping.sendall(b"x")
            return dripping.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True

    wait_until(ended, 10)


def test_a_request_may_take_longer_to_answer_and_its_connection_stays(impatient):
    (host, port), may_answer = impatient
    line = http.client.HTTPConnection(host, port, timeout=10)
    line.request("GET", "/")
    silent = socket.create_connection((host, port), timeout=10)
    assert silent.recv(1) == b"", "the time for heads is over"
    may_answer.set()
    assert line.getresponse().read() == b"ok"
    used = line.sock
    silent = socket.create_connection((host, port), timeout=10)
    assert silent.recv(1) == b"", "and once more"
    line.request("GET", "/")
    assert line.getresponse().read() == b"ok" and line.sock is used


# Other machines -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def open_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    home = tmp_path_factory.mktemp("open") / "home"
    api = Api(home, ["--host", "0.0.0.0", "--allow-network"]).start()
    yield api
    assert api.stop() == 0


@pytest.mark.parametrize("host", ["192.0.2.7", "[2001:db8::7]", socket.gethostname(), "localhost"])
def test_other_machines_reach_it_by_address_or_name(open_api: Api, local_api: Api, host: str):
    """By whatever address: a translated one is none of this machine's. A page cannot re-point an address."""
    assert answer(open_api, host) == 200
    assert answer(local_api, host) == (200 if host == "localhost" else 403), "only where it was allowed"


def test_names_of_strangers_stay_refused(open_api: Api):
    for host in ("evil.example", "192.0.2.7.evil.example", ""):
        assert answer(open_api, host) == 403
    assert answer(open_api, "192.0.2.7", Origin="http://192.0.2.9") == 403, "a page of another machine"
    assert answer(open_api, "192.0.2.7", Authorization="Bearer wrong") == 401


def test_the_address_that_is_told_can_be_reached(open_api: Api):
    assert urlsplit(open_api.ready["base_url"]).hostname == "127.0.0.1"
    assert open_api.client().models.list().data


def answer(api: Api, host: str, **headers: str) -> int:
    port = urlsplit(api.ready["base_url"]).port
    with api.raw() as http:
        return http.get("models", headers={"Host": f"{host}:{port}" if host else "", **headers}).status_code


# Who may read the home ----------------------------------------------------------------------------------------------


def modes(home: Path) -> dict[str, int]:
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.rglob("*") if not path.is_symlink()}
    return {".": stat.S_IMODE(home.stat().st_mode), **found}


@pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX's")
def test_a_home_that_the_kit_makes_is_its_owners(tmp_path: Path):
    """Also one that an earlier version left open to all."""
    program = "from helpers.providers import local; print(local.start().base_url); local.stop()"
    for round_ in range(2):
        command = [sys.executable, "-c", program]
        environment = os.environ | {"KIT_HOME": str(tmp_path), "KIT_ASSETS_FROM": ""}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, umask=0o022, timeout=120)
        assert done.stdout.startswith("http"), done.stderr
        home = tmp_path / "local_api"
        assert {"api.sqlite3", "server.log", "key", "files", "."} <= modes(home).keys()
        assert not {name: oct(mode) for name, mode in modes(home).items() if mode & 0o077}, f"round {round_}"
        for path in (home, home / "api.sqlite3", home / "server.log", home / "lock"):
            path.chmod(0o755 if path.is_dir() else 0o644)


def test_a_folder_with_other_things_in_it_stays_as_it_is(tmp_path: Path):
    (tmp_path / "api.sqlite3").touch(0o644)
    (tmp_path / "thesis.txt").touch(0o644)
    tmp_path.chmod(0o755)
    close_to_others(tmp_path)
    assert modes(tmp_path) == {".": 0o755, "api.sqlite3": 0o600, "thesis.txt": 0o644}
