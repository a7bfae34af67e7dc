"""A real TCP proxy in front of a host, which spoils requests to order: what a bad network and a bad day look like."""

from __future__ import annotations

import email.utils
import http.client
import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FAULTS = (
    "429",  # turned away, without a word on when to come back
    "429 in a moment",  # with Retry-After in seconds
    "429 at a time",  # with Retry-After as a date of a clock that is an hour off
    "500",  # before anything was done
    "500 though done",  # after it was done
    "502 page",  # an HTML page from a gateway
    "drop",  # the connection breaks before the request arrives
    "drop though done",  # after it was done, before the answer
    "cut upload",  # in the middle of the request's body
    "cut answer",  # in the middle of the answer
    "silence though done",  # done, but the answer comes after the client gave up
    "late",  # the connection breaks, and the request arrives a moment later all the same
)
CLIENT_GIVES_UP = 0.4
"""Seconds that clients of this proxy wait for an answer."""
LATE_BY = 0.05


class FaultyProxy:
    """Forwards to ``port`` on this machine.

    Args:
        port: where the host listens.
        plan: called with (method, path); names a fault, or None.
    """

    def __init__(self, port: int, plan: Callable[[str, str], str | None]) -> None:
        self.plan, self.target = plan, port
        self.injected: Counter[str] = Counter()
        self.lock = threading.Lock()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                with proxy.lock:
                    fault = proxy.plan(self.command, self.path)
                    if fault:
                        proxy.injected[fault] += 1
                self.spoil(fault) if fault else self.give(*self.forward())

            do_GET = do_POST = do_DELETE = handle_any

            def body(self) -> bytes:
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))

            def forward(self, body: bytes | None = None) -> tuple[int, list[tuple[str, str]], bytes]:
                body = self.body() if body is None else body
                there = http.client.HTTPConnection("127.0.0.1", proxy.target, timeout=60)
                headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                there.request(self.command, self.path, body or None, headers)
                answer = there.getresponse()
                data = answer.read()
                kept = [(n, v) for n, v in answer.getheaders() if n.lower() in ("content-type", "retry-after")]
                there.close()
                return answer.status, kept, data

            def give(self, status: int, headers: Sequence[tuple[str, str]], data: bytes) -> None:
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def refuse(self, status: int, *headers: tuple[str, str]) -> None:
                data = json.dumps({"error": {"message": "bad day", "type": "server_error", "code": None}}).encode()
                self.give(status, [("Content-Type", "application/json"), *headers], data)

            def hang_up(self) -> None:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)

            def spoil(self, fault: str) -> None:
                if fault == "drop":
                    return self.hang_up()
                if fault == "cut upload":
                    self.rfile.read(int(self.headers.get("Content-Length") or 0) // 2)
                    return self.hang_up()
                body = self.body()
                match fault:
                    case "429":
                        self.refuse(429)
                    case "429 in a moment":
                        self.refuse(429, ("Retry-After", "0.05"))
                    case "429 at a time":
                        self.refuse(429, ("Retry-After", email.utils.formatdate(time.time() + 3600, usegmt=True)))
                    case "500":
                        self.refuse(500)
                    case "500 though done":
                        self.forward(body)
                        self.refuse(503)
                    case "502 page":
                        self.give(502, [("Content-Type", "text/html")], b"<html>Bad gateway</html>")
                    case "drop though done":
                        self.forward(body)
                        self.hang_up()
                    case "cut answer":
                        status, headers, data = self.forward(body)
                        self.send_response(status)
                        for name, value in [*headers, ("Content-Length", str(len(data)))]:
                            self.send_header(name, value)
                        self.end_headers()
                        self.wfile.write(data[: len(data) // 2])
                        self.hang_up()
                    case "silence though done":
                        self.forward(body)
                        time.sleep(CLIENT_GIVES_UP * 1.5)
                        self.close_connection = True
                    case "late":
                        self.hang_up()
                        time.sleep(LATE_BY)
                        self.forward(body)

            def date_time_string(self, timestamp: float | None = None) -> str:
                return email.utils.formatdate(time.time() + 3600, usegmt=True)  # an hour ahead of everybody

            def log_message(self, *_: object) -> None:
                pass

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except OSError:  # the client is gone: that was the point
                    self.close_connection = True

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.base_url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def at_random(seed: int, share: float, most_in_a_row: int = 3) -> Callable[[str, str], str | None]:
    """A plan that spoils about ``share`` of the requests, never more than a few of the same kind in a row."""
    chance, row = random.Random(seed), Counter()

    def plan(method: str, path: str) -> str | None:
        kind = f"{method} {path.split('?')[0]}"
        if row[kind] >= most_in_a_row or chance.random() > share:
            row[kind] = 0
            return None
        row[kind] += 1
        return chance.choice(FAULTS)

    return plan
