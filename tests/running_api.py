"""The local API as tests meet it: a process of its own, reached through the official SDK with strict validation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openai

TINY = "tiny"
"""Id of a randomly initialised model with the real tokenizer: it says nonsense, fast."""


@dataclass
class Api:
    """A running server, and how to kill it and start it again on the same home."""

    home: Path
    arguments: list[str] = field(default_factory=list)
    wrapper: list[str] = field(default_factory=list)
    process: subprocess.Popen[str] | None = None
    ready: dict[str, Any] = field(default_factory=dict)

    def start(self) -> Api:
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                [*self.wrapper, sys.executable, "-m", "helpers.local_api", "--home", str(self.home), *self.arguments],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.ready = json.loads(self.process.stdout.readline() or "{}")
        assert self.ready, f"the server did not start: {self.log[-3000:]}"
        return self

    @property
    def log_file(self) -> Path:
        return self.home.with_suffix(".log")

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    @property
    def key(self) -> str:
        return os.environ.get("KIT_LOCAL_KEY") or Path(self.ready["key_file"]).read_text().strip()

    def client(self, **options: Any) -> openai.OpenAI:
        """A client as ``providers.connect("local")`` makes it, and strict on top."""
        settings = {"base_url": self.ready["base_url"], "api_key": self.key, "max_retries": 0, "timeout": 60} | options
        return openai.OpenAI(
            **settings,
            http_client=openai.DefaultHttpxClient(trust_env=False),
            _strict_response_validation=True,
        )

    def raw(self) -> Any:
        """A plain HTTP client with the key, for requests that the SDK would never send."""
        return openai.DefaultHttpxClient(
            trust_env=False,
            base_url=self.ready["base_url"],
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=120,
        )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(90)


def wait_until(true: Callable[[], Any], seconds: float = 300, every: float = 0.1) -> Any:
    """The first truthy value of ``true()``; fails after ``seconds``."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := true():
            return found
        time.sleep(every)
    raise AssertionError(f"not within {seconds} s")


def chat_rows(n: int, words: int = 6) -> bytes:
    """``n`` small training rows as JSONL."""
    rows = (
        {
            "messages": [
                {"role": "user", "content": f"Where is parcel {i}? " + "please " * (i % words)},
                {"role": "assistant", "content": json.dumps({"category": "delivery", "order_id": f"BM-{10000 + i}"})},
            ]
        }
        for i in range(n)
    )
    return "".join(json.dumps(row) + "\n" for row in rows).encode()
