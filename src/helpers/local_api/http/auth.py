"""Who may talk to this API, and how a refusal reaches them.

The server listens on the loopback interface, yet any web page that the reader's browser shows can send requests there.
Three checks stand in the way: the ``Host`` header must name this machine (a page that re-points its own DNS name at
127.0.0.1 cannot forge it), an ``Origin`` must too, and each request carries the key.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ipaddress
import os
import secrets
import socket
from collections.abc import Collection
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from helpers.errors import HostError
from helpers.local_api.http.errors import ApiError
from helpers.local_api.store.records import new_id

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
DATABASE = {"api.sqlite3", "api.sqlite3-shm", "api.sqlite3-wal"}
KEPT_IN_HOME = DATABASE | {"files", "jobs", "tmp", "reserve", "key", "lock", ".starting", "server.json", "server.log"}
DRAIN_SECONDS, DRAIN_IDLE_SECONDS = 20.0, 1.0
"""How long a refused request's body is read and thrown away, so that its client lives to read the refusal: in all, and
while nothing comes."""


def read_or_make_key(home: Path) -> tuple[str, Path | None]:
    """The API's key, and the file it lies in (None: it came from ``KIT_LOCAL_KEY``).

    Raises:
        HostError: the key could not travel in a header.
    """
    given = os.environ.get("KIT_LOCAL_KEY")
    if given:
        return _usable(given, "KIT_LOCAL_KEY", "unset it"), None
    path = home / "key"
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write("local-" + secrets.token_urlsafe(24) + "\n")
    except FileExistsError:
        path.chmod(0o600)
    key = path.read_text(encoding="utf-8", errors="replace").strip()
    if not key:  # a kill between making and writing it
        path.unlink()
        return read_or_make_key(home)
    return _usable(key, str(path), "remove that file"), path


def _usable(key: str, place: str, remedy: str) -> str:
    if not key.isascii() or not key.isprintable() or " " in key or len(key) < 8:
        raise HostError(
            f"{place} cannot be used as a key.",
            got=f"{len(key)} characters, or characters that no header may carry",
            fix=f"Put 8 or more printable ASCII characters without spaces there, or {remedy} to have a key made.",
        )
    return key


class AuthMiddleware:
    """ASGI middleware: answers what may not pass, lets the rest through.

    Args:
        app: the application behind it.
        key: the key that each request must carry.
        hosts: names and addresses that ``Host`` and ``Origin`` may name.
        any_address: let ``Host`` name any address, for clients of other machines: a translated one is none of this
            machine's, and only a name, never an address, can be re-pointed by a page.
    """

    def __init__(self, app: ASGIApp, key: str, hosts: Collection[str] = LOOPBACK, any_address: bool = False) -> None:
        self.app, self.key, self.any_address = app, key.encode(), any_address
        self.hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # websockets: nobody needs them here, so nobody gets them
            return
        body = _Body(receive)
        send = body.read_to_its_end_before(_with_id(send))
        try:
            self._check(Headers(scope=scope))
        except ApiError as refusal:
            await refusal.response()(scope, body.receive, send)
        else:
            await self.app(scope, body.receive, send)

    def _check(self, headers: Headers) -> None:
        host, origin = headers.get("host", ""), headers.get("origin")
        name = _hostname("//" + host)
        if name not in self.hosts and not (self.any_address and _is_address(name)):
            way_out = "its address or its host name" if self.any_address else "the base_url that the server printed"
            raise ApiError(
                403, f"The Host header {host!r} does not name this machine. Use {way_out}.", code="foreign_host"
            )
        if origin is not None and _hostname(origin) not in self.hosts:
            raise ApiError(403, f"Requests from web pages of {origin!r} are refused.", code="foreign_origin")
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not given.strip():
            raise ApiError(
                401,
                "You didn't provide an API key. Send it as 'Authorization: Bearer KEY'; the server's first line of "
                "output names the file that holds it.",
            )
        if not hmac.compare_digest(given.strip().encode(), self.key):
            raise ApiError(
                401,
                "Incorrect API key provided. Read it from the key_file that the server names in its first line of "
                "output, or, where that is null, from the KIT_LOCAL_KEY that it was started with.",
                code="invalid_api_key",
            )


def _with_id(send: Send) -> Send:
    """Each answer carries an id of its own, which clients show when they report an error."""

    async def send_with_id(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], (b"x-request-id", new_id("req_").encode())]}
        await send(message)

    return send_with_id


class _Body:
    """A request's body on its way in. Closing a connection on unread bytes resets it, and the client then reports a
    broken pipe instead of the answer: so what is left is read, for a while, before an answer starts."""

    def __init__(self, receive: Receive) -> None:
        self._receive, self._ended = receive, False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            self._ended = True
        return message

    def read_to_its_end_before(self, send: Send) -> Send:
        async def send_when_read(message: Message) -> None:
            if message["type"] == "http.response.start" and not self._ended:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(DRAIN_SECONDS):
                        while not self._ended:
                            await asyncio.wait_for(self.receive(), DRAIN_IDLE_SECONDS)
            await send(message)

        return send_when_read


def names_of_this_machine() -> frozenset[str]:
    """Host names by which other machines may know this one."""
    name = socket.gethostname().lower()
    return frozenset({name, f"{name}.local", socket.getfqdn().lower()}) - {""}


def close_to_others(home: Path) -> None:
    """Take from others the right to read what the API keeps; earlier versions left it open.

    A folder that holds anything else is somebody's own, and only what is the API's in it is closed.
    """
    inside = list(home.iterdir())
    ours = [path for path in inside if path.name in KEPT_IN_HOME]
    for path in ours if len(ours) < len(inside) else [*ours, home]:
        path.chmod(0o700 if path.is_dir() else 0o600)


def _is_address(host: str | None) -> bool:
    try:
        return bool(ipaddress.ip_address(host or ""))
    except ValueError:
        return False


def _hostname(address: str) -> str | None:
    """The lower-case host of ``//host:port`` or a URL; None when it cannot be read."""
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018 (raises on a malformed port)
        return parts.hostname
    except ValueError:
        return None
