"""A small real HTTP server that speaks chat completions, with faults to order, for the tests of the evaluation room.

Its "model" answers from the last user message: ``say X`` gives X, anything else its length. It counts every call.
"""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import openai

Fault = Callable[[dict, int], tuple[int, dict, dict] | str | None]
"""``fault(request body, calls with this very body that came before)`` → (status, headers, body), "hang up", or None."""


class Host:
    """Runs on a free loopback port; ``calls`` are the bodies that came, in order."""

    def __init__(self, fault: Fault | None = None, delay: float = 0.0) -> None:
        self.calls: list[dict] = []
        self.times: list[float] = []
        self.fault, self.delay = fault, delay
        self.under_way = self.most_under_way = 0
        self.lock = threading.Lock()
        host = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # head and body are two writes: the second would wait 40 ms for the first

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with host.lock:
                    before = host.calls.count(body)
                    host.calls.append(body)
                    host.times.append(time.monotonic())
                    host.under_way += 1
                    host.most_under_way = max(host.most_under_way, host.under_way)
                time.sleep(host.delay)
                answer = host.fault(body, before) if host.fault else None
                with host.lock:
                    host.under_way -= 1
                if answer == "hang up":
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                status, headers, reply = answer or (200, {}, completion(body))
                data = json.dumps(reply).encode()
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.base_url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def client(self) -> openai.OpenAI:
        http = openai.DefaultHttpxClient(trust_env=False)
        return openai.OpenAI(base_url=self.base_url, api_key="test", http_client=http)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def completion(body: dict, text: str | None = None, finish: str = "stop", **message) -> dict:
    """A chat completion that answers ``body``; tokens are counted as words."""
    question = next(m["content"] for m in reversed(body["messages"]) if m["role"] == "user")
    if text is None and "content" not in message:
        text = question.removeprefix("say ") if question.startswith("say ") else str(len(question))
    prompt = sum(len(m["content"].split()) for m in body["messages"])
    tokens = len((text or "").split())
    usage = {
        "prompt_tokens": prompt, "completion_tokens": tokens, "total_tokens": prompt + tokens,
        "prompt_tokens_details": {"cached_tokens": prompt // 2},
    }  # fmt: skip
    choice = {
        "index": 0, "finish_reason": finish, "logprobs": None,
        "message": {"role": "assistant", "content": text, "refusal": None} | message,
    }  # fmt: skip
    return {"id": "c", "object": "chat.completion", "created": 1, "model": body["model"], "choices": [choice],
            "usage": usage}  # fmt: skip


def error(status: int, message: str, *, code: str | None = None, param: str | None = None, **headers: str):
    """An error in OpenAI's shape."""
    return status, headers, {"error": {"message": message, "type": "error", "code": code, "param": param}}


def killed_after(calls: int, program: str, server: Host, store: Path) -> tuple[int, int]:
    """Runs a program that asks ``server``, four calls at once, and kills it after so many calls: how many were sent,
    and how many answers it has kept in ``store``."""
    process = subprocess.Popen([sys.executable, "-c", program])
    while len(server.calls) < calls and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(0.1)  # calls that were under way end at the server
    sent = len(server.calls)
    kept = sqlite3.connect(store).execute("SELECT COUNT(*) FROM replies").fetchone()[0]
    assert calls <= sent and sent - 4 <= kept <= sent  # at most the four under way went unanswered
    return sent, kept
