"""The process that trains one job, whether this server started it or one that was killed did.

An orphan is recognised by its command line, which names the job's folder: no process-id file can go stale, and nobody
else's process can be mistaken for it. The trainer holds a lock on the folder, so even a race cannot double it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

MODULE = "helpers.local_api.training"
FORMER_MODULE = "helpers.local_api.train"
"""What the trainer was called before: one that an earlier version of the kit left running is still adopted."""
STOP_SECONDS = 15
READ_BYTES = 2**20

log = logging.getLogger(__name__)


class TrainerProcess:
    """The trainer of the job in ``folder``; nothing runs until :meth:`adopt` or :meth:`start`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.progress = folder / "progress.jsonl"
        self._process: subprocess.Popen[bytes] | psutil.Process | None = None

    def adopt(self) -> bool:
        """Take over a living trainer of this folder; False when there is none."""
        commands = [["-m", module, str(self.folder)] for module in (MODULE, FORMER_MODULE)]
        for process in psutil.process_iter(["cmdline"]):
            if (process.info["cmdline"] or [])[-3:] in commands and _lives(process):
                self._process = process
                return True
        return False

    def start(self) -> None:
        """Start a trainer; it goes on from the last state that it saved by itself."""
        self._cut_torn_line()
        environment = {name: value for name, value in os.environ.items() if name != "KIT_LOCAL_KEY"}
        with open(self.folder / "trainer.log", "ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", MODULE, str(self.folder)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,  # Ctrl-C in the server's terminal is the server's business
            )

    def alive(self) -> bool:
        """Whether it runs."""
        if isinstance(self._process, subprocess.Popen):
            return self._process.poll() is None
        return self._process is not None and _lives(self._process)

    def stop(self) -> None:
        """Ask it to stop cleanly; kill it when it does not."""
        for ask in ("terminate", "kill"):
            if not self.alive():
                return
            with contextlib.suppress(psutil.Error, subprocess.TimeoutExpired, OSError):
                getattr(self._process, ask)()
                self._process.wait(STOP_SECONDS)

    def lines(self, offset: int) -> tuple[list[Mapping[str, Any]], int]:
        """Complete progress lines from byte ``offset`` on, and the offset behind them. A line that is not a JSON object
        is logged and passed over."""
        try:
            with open(self.progress, "rb") as file:
                file.seek(offset)
                block = file.read(READ_BYTES)
        except FileNotFoundError:
            return [], offset
        complete = block[: block.rfind(b"\n") + 1]
        found = []
        for raw in complete.splitlines():
            try:
                line = json.loads(raw)
            except ValueError:
                line = None
            if isinstance(line, dict):
                found.append(line)
            else:
                log.warning("%s: a line of %d bytes is not a JSON object", self.progress, len(raw))
        return found, offset + len(complete)

    def last_words(self) -> str:
        """How it ended, for a person: the signal or exit code where known, and the last line that it printed."""
        code = self._process.poll() if isinstance(self._process, subprocess.Popen) else None
        if code is None:
            how = "ended"
        elif code < 0:
            how = f"was ended by signal {-code}" + (" (out of memory?)" if code == -9 else "")
        else:
            how = f"ended with exit code {code}"
        with contextlib.suppress(OSError):
            said = (self.folder / "trainer.log").read_text(errors="replace").strip().splitlines()
            if said:
                return f"{how}; its last line: {said[-1][:300]}"
        return how

    def _cut_torn_line(self) -> None:
        """A killed trainer may leave half a line; the next one must not append to it."""
        with contextlib.suppress(FileNotFoundError), open(self.progress, "r+b") as file:
            file.truncate(file.read().rfind(b"\n") + 1)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
