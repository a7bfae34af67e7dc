"""Who may pass to the local API, and how a refusal reaches them: the middleware alone, in this process."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import PlainTextResponse

from helpers.errors import HostError
from helpers.local_api.http import auth

KEY = "local-of-the-tests"
RIGHT = {"host": "127.0.0.1:8000", "authorization": f"Bearer {KEY}"}


def ask(headers: dict[str, str], body: int = 1, *, silent: bool = False, **middleware: Any) -> dict[str, Any]:
    """One request: the answer's status, headers and JSON, and how many of its ``body`` pieces were read before.

    Args:
        headers: the request's.
        body: pieces that its body comes in.
        silent: no end follows them.
        middleware: options of the middleware.
    """
    read, sent = [], []

    async def receive() -> dict[str, Any]:
        if len(read) == body:
            await asyncio.sleep(30)
        read.append(1)
        return {"type": "http.request", "body": b"x", "more_body": silent or len(read) < body}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message | {"read": len(read)})

    inside = PlainTextResponse("in")
    scope = {"type": "http", "method": "POST", "path": "/v1/models", "query_string": b"",
             "headers": [(name.encode(), value.encode()) for name, value in headers.items()]}  # fmt: skip
    asyncio.run(auth.AuthMiddleware(inside, KEY, **middleware)(scope, receive, send))
    start, *rest = sent
    text = b"".join(message.get("body", b"") for message in rest)
    told = {name.decode(): value.decode() for name, value in start["headers"]}
    error = json.loads(text)["error"] if start["status"] >= 400 else {}
    return {"status": start["status"], "headers": told, "error": error, "read": start["read"]}


def code(headers: dict[str, str], **middleware: Any) -> tuple[int, str | None]:
    answer = ask(RIGHT | headers, **middleware)
    return answer["status"], answer["error"].get("code")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:1", "localhost:9", "LOCALHOST", "[::1]:80"])
def test_this_machine_by_any_of_its_names(host: str):
    assert code({"host": host}) == (200, None)


@pytest.mark.parametrize("host", ["", "evil.example", "192.0.2.7", "127.0.0.1:x", "127.0.0.1.evil.example", "[::1"])
def test_another_host_is_refused_and_its_name_repeated(host: str):
    answer = ask(RIGHT | {"host": host})
    assert (answer["status"], answer["error"]["code"]) == (403, "foreign_host") and repr(host) in str(answer["error"])


def test_any_address_means_addresses_and_no_names():
    assert code({"host": "192.0.2.7:8000"}, any_address=True) == (200, None)
    assert code({"host": "[2001:db8::7]"}, any_address=True) == (200, None)
    assert code({"host": "evil.example"}, any_address=True) == (403, "foreign_host")
    assert code({"host": ""}, any_address=True) == (403, "foreign_host")
    assert code({"host": "Shop.Local"}, hosts=["SHOP.local"]) == (200, None)


def test_only_pages_of_this_machine():
    assert code({"origin": "http://localhost:8888"}) == (200, None)
    assert code({"origin": "https://evil.example"}) == (403, "foreign_origin")
    assert code({"origin": "null"}) == code({"origin": ""}) == (403, "foreign_origin")
    assert code({"origin": "http://192.0.2.7"}, any_address=True) == (403, "foreign_origin"), "an address is no page"


def test_the_key_and_nothing_else():
    assert code({"authorization": f"bearer  {KEY} "}) == (200, None)
    for given in ("", "Bearer", "Bearer  ", f"Basic {KEY}", KEY):
        answer = ask(RIGHT | {"authorization": given})
        assert answer["status"] == 401 and answer["error"]["code"] is None and "Authorization" in str(answer["error"])
        assert answer["headers"]["www-authenticate"] == "Bearer"
    for given in (f"Bearer {KEY}x", f"Bearer {KEY[:-1]}", f"Bearer {KEY} {KEY}", "Bearer \u00fc"):
        assert code({"authorization": given}) == (401, "invalid_api_key")


def test_each_answer_has_an_id_of_its_own():
    ids = {ask(RIGHT)["headers"]["x-request-id"], ask({})["headers"]["x-request-id"]}
    assert len(ids) == 2 and all(one.startswith("req_") for one in ids)


def test_a_websocket_gets_nothing():
    def reached(*_: Any) -> None:
        raise AssertionError("it was let through, or answered")

    asyncio.run(auth.AuthMiddleware(reached, KEY)({"type": "websocket", "headers": []}, reached, reached))


def test_what_a_client_still_sends_is_read_before_it_is_refused():
    """Else its connection is reset, and it reports a broken pipe instead of the answer."""
    assert ask({}, body=5)["read"] == 5 and ask(RIGHT, body=5)["read"] == 5


def test_a_client_that_stops_sending_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch):
    assert auth.DRAIN_IDLE_SECONDS < auth.DRAIN_SECONDS <= 60
    monkeypatch.setattr(auth, "DRAIN_IDLE_SECONDS", 0.05)
    answer = ask({}, body=3, silent=True)
    assert answer["read"] == 3 and answer["status"] == 403


# The key ------------------------------------------------------------------------------------------------------------


def test_a_key_is_made_once_and_is_its_owners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("KIT_LOCAL_KEY", raising=False)
    key, path = auth.read_or_make_key(tmp_path)
    made = stat.S_IMODE(path.stat().st_mode)
    assert key.startswith("local-") and len(key) >= 6 + 32, "24 bytes of chance"
    assert auth.read_or_make_key(tmp_path) == (key, path) and path == tmp_path / "key"
    other, _ = auth.read_or_make_key(_folder(tmp_path / "other"))
    assert other != key
    if os.name == "posix":
        assert made == 0o600, "it is closed as it is made, not only when it is read again"
        path.chmod(0o644)
        assert auth.read_or_make_key(tmp_path)[0] == key and stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text("\n")  # a kill between making and writing it
    assert auth.read_or_make_key(tmp_path)[0] not in ("", key)


@pytest.mark.parametrize(("given", "taken"), [("8letters", True), ("7letter", False), ("a b c d e f", False),
                                              ("schl\u00fcssel", False), ("bell\x07ringer", False)])  # fmt: skip
def test_a_key_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, taken: bool):
    monkeypatch.setenv("KIT_LOCAL_KEY", given)
    if taken:
        assert auth.read_or_make_key(tmp_path) == (given, None) and not list(tmp_path.iterdir())
    else:
        with pytest.raises(HostError, match="KIT_LOCAL_KEY"):
            auth.read_or_make_key(tmp_path)
    monkeypatch.delenv("KIT_LOCAL_KEY")
    (tmp_path / "key").write_text(given, encoding="utf-8")
    if not taken:
        with pytest.raises(HostError, match="remove that file"):
            auth.read_or_make_key(tmp_path)


def test_names_of_this_machine_are_names():
    names = auth.names_of_this_machine()
    assert {socket.gethostname().lower(), f"{socket.gethostname().lower()}.local"} <= names and "" not in names
    assert all(name == name.lower() for name in names)


@pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX's")
def test_a_home_that_is_the_apis_alone_is_closed_as_a_whole(tmp_path: Path):
    home = _folder(tmp_path / "home")
    for name in ("api.sqlite3", "key"):
        (home / name).touch(0o644)
    _folder(home / "files")
    auth.close_to_others(home)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (home, *home.iterdir())}
    assert modes == {"home": 0o700, "api.sqlite3": 0o600, "key": 0o600, "files": 0o700}


def _folder(path: Path) -> Path:
    path.mkdir(mode=0o755)
    return path


def test_a_body_passes_whole():
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"whole", "more_body": False}

    assert asyncio.run(auth._Body(receive).receive())["body"] == b"whole"


@pytest.mark.parametrize("last", [{"type": "http.request", "body": b"x", "more_body": False},
                                  {"type": "http.request", "body": b"x"}, {"type": "http.disconnect"}])  # fmt: skip
def test_nobody_waits_for_more_once_a_body_has_ended_or_its_client_has_gone(last: dict[str, Any]):
    waiting = [{"type": "http.request", "body": b"x", "more_body": True}, last]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        assert waiting, "it was asked for more"
        return waiting.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    start = {"type": "http.response.start", "status": 403, "headers": []}
    asyncio.run(auth._Body(receive).read_to_its_end_before(send)(start))
    assert sent == [start] and not waiting


def test_a_foreign_folder_is_left_open_but_for_what_is_the_apis(tmp_path: Path):
    home = _folder(tmp_path / "home")
    for name in ("key", "somebody's"):
        (home / name).touch(0o644)
    auth.close_to_others(home)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (home, *home.iterdir())}
    assert os.name != "posix" or modes == {"home": 0o755, "key": 0o600, "somebody's": 0o644}


def test_what_refuses_says_the_way_out():
    assert "base_url that the server printed" in str(ask(RIGHT | {"host": "evil.example"})["error"])
    told = ask(RIGHT | {"host": "evil.example"}, any_address=True)["error"]
    assert "its address or its host name" in str(told)
    assert code({"host": "192.0.2.7"}) == (403, "foreign_host"), "no other address where nothing is said"
