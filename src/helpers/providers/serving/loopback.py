"""One page of a server on this machine, read with a limit on its time and on its size: anything may listen there."""

from __future__ import annotations

import http.client
import io
import json
import socket
import time
from typing import Any
from urllib.parse import urlsplit

MAX_BYTES = 4_000_000
"""A longer answer is no list of models. (A hundred models with their details take some 100 kB.)"""


def page(address: str, path: str, deadline: float, body: Any = None) -> Any:
    """The JSON that ``path`` answers; None where nothing, too much or something else comes before the deadline.

    A plain request by hand, because libraries limit the pause between two bytes, not the whole: a server that sends one
    byte a second would hold them for hours. Proxies of the environment play no part, and redirects are not followed.

    Args:
        address: ``http://127.0.0.1:PORT``.
        path: after the address, from its slash on.
        deadline: by ``time.monotonic()``.
        body: sent as JSON with POST; None: GET.
    """
    try:
        raw = _exchange(address, _request(address, path, body), deadline)
        reply = http.client.HTTPResponse(_Received(raw))
        reply.begin()
        return json.loads(reply.read()) if reply.status == 200 else None
    except (OSError, ValueError, RecursionError, http.client.HTTPException):
        return None


def _request(address: str, path: str, body: Any) -> bytes:
    data = b"" if body is None else json.dumps(body).encode()
    head = [
        f"{'GET' if body is None else 'POST'} {path} HTTP/1.1",
        f"Host: {urlsplit(address).netloc}",
        "Accept: application/json",
        "Connection: close",
    ]
    head += ["Content-Type: application/json", f"Content-Length: {len(data)}"] if data else []
    return "\r\n".join([*head, "", ""]).encode() + data


def _exchange(address: str, request: bytes, deadline: float) -> bytes:
    """What comes back until the server closes, has sent all that it announced, or its time or room is used up."""
    place, received = urlsplit(address), bytearray()
    with socket.create_connection((place.hostname, place.port), timeout=_left(deadline)) as connection:
        connection.sendall(request)
        while len(received) < MAX_BYTES and not _complete(received):
            connection.settimeout(_left(deadline))
            if not (more := connection.recv(65_536)):
                break
            received += more
    return bytes(received)


def _left(deadline: float) -> float:
    if (left := deadline - time.monotonic()) <= 0:
        raise TimeoutError
    return left


def _complete(received: bytearray) -> bool:
    """Whether all is there that the head announces, or the last chunk: some servers do not close."""
    head, end, rest = bytes(received).partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:") and line[15:].strip().isdigit():
            return bool(end) and len(rest) >= int(line[15:])
        if line.startswith(b"transfer-encoding:") and b"chunked" in line:
            return bool(end) and rest.endswith(b"0\r\n\r\n")
    return False


class _Received:
    """What was received, as ``http.client`` wants a socket."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    def makefile(self, *_: Any) -> io.BytesIO:
        return io.BytesIO(self.raw)
