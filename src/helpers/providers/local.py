"""Find, start or stop the fine-tuning API on this machine.

It runs as a process of its own and outlives the notebook that started it, so that a job goes on when a kernel restarts.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from filelock import FileLock
from openai import DefaultHttpxClient

from helpers.errors import HostError
from helpers.project import kit_home
from helpers.providers.keys import without_keys

START_SECONDS = 180
"""Imports alone take a minute where other programs want the processor, too; one that fails is noticed at once."""
ANSWER_SECONDS = 20
"""Patience with a running API on a busy machine; one that is gone refuses the connection at once."""


@dataclass(frozen=True)
class Server:
    """A running local API: its address, its key (read from a 0600 file), and its process."""

    base_url: str
    key: str
    pid: int


def usual_home() -> Path:
    """Folder of the local API's state: files, jobs, models, its database and its key."""
    return kit_home() / "local_api"


def start(home: Path | None = None, *options: str) -> Server:
    """The running API, started first if need be. Safe to call from several notebooks at once.

    Args:
        home: its folder; another one than the usual is another API, with files, models and a key of its own.
        options: further ones of ``python -m helpers.local_api``; they count when it is started, not when it runs.

    Raises:
        HostError: it did not answer in time; the message quotes the end of its log.
    """
    home = home or usual_home()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with FileLock(home / ".starting", timeout=START_SECONDS + 30, mode=0o600):
        return running(home) or _launch(home, options)


def running(home: Path | None = None) -> Server | None:
    """The API if it answers with its own key, else None."""
    try:
        known = json.loads(((home or usual_home()) / "server.json").read_text())
        server = Server(known["base_url"], _key(known["key_file"]), known["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return server if _answers(server) else None


def address(home: Path) -> str:
    """The address that the API of this home answers at, as it left it at its last start; empty when it never ran."""
    try:
        return str(json.loads((home / "server.json").read_text())["base_url"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def key(home: Path) -> str:
    """The key of the API of this home; empty when it never ran, or when its file is gone."""
    try:
        return _key(json.loads((home / "server.json").read_text()).get("key_file"))
    except (OSError, ValueError, AttributeError, TypeError):
        return ""


def stop(home: Path | None = None) -> bool:
    """Ask the API to stop; a running job is kept and goes on at the next start. False when none was running."""
    server = running(home)
    if server is None:
        return False
    process = psutil.Process(server.pid)
    process.terminate()
    with contextlib.suppress(psutil.TimeoutExpired):
        process.wait(timeout=20)
    return True


def _launch(home: Path, options: Sequence[str]) -> Server:
    log = home / "server.log"
    command = [sys.executable, "-m", "helpers.local_api", "--home", str(home), *options]
    with open(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as errors:  # its owner's only
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=without_keys(os.environ),
            start_new_session=True,
            text=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if server := running(home):
            return server
        time.sleep(0.1)
    tail = " | ".join(log.read_text(errors="replace").strip().splitlines()[-3:])
    raise HostError(
        "The local fine-tuning API did not start.",
        got=tail or f"no answer within {START_SECONDS} s",
        fix=f"Run `python -m helpers.doctor` and read {log}.",
    )


def _answers(server: Server) -> bool:
    try:
        with DefaultHttpxClient(trust_env=False, timeout=ANSWER_SECONDS) as http:
            reply = http.get(f"{server.base_url}/models", headers={"Authorization": f"Bearer {server.key}"})
        return reply.status_code == 200
    except Exception:  # not up yet, gone, or something else on that port
        return False


def _key(file: str | None) -> str:
    """``KIT_LOCAL_KEY``, or what the file holds; "" where the API has its key from an environment that is not this."""
    return os.environ.get("KIT_LOCAL_KEY") or (Path(file).read_text().strip() if file else "")
