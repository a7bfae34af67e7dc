"""``python -m helpers.local_api``: start the API, say where it is, serve until SIGTERM.

When it is ready it prints exactly one line on stdout, a JSON object with ``base_url``, ``key_file`` and ``home``; the
log goes to stderr. ``key_file`` is null where ``KIT_LOCAL_KEY`` brought the key. ``HOME/server.json`` says the same,
and the process id, to whoever comes later.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import re
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import uvicorn
from filelock import FileLock, Timeout

from helpers.errors import HostError, KitError
from helpers.local_api.http.auth import LOOPBACK, close_to_others, names_of_this_machine, read_or_make_key
from helpers.project import kit_home, write_atomically

TAKEN = 3
"""Exit status when another server holds the home."""


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    # torch's threads, the trainer's too, spin for half a millisecond when they wait for each other, then they sleep.
    # Asleep at once they are a third slower alone; with OpenMP's default of 300000 up to 20 times slower beside a busy
    # program (benchmarks/waiting_times.py)
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    home = options.home.expanduser().resolve()
    try:
        os.umask(0o077)  # files, log and database hold what readers uploaded
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        close_to_others(home)
        with FileLock(home / "lock", timeout=0, mode=0o600):  # the kernel frees it however the server ends
            return _serve(home, options)
    except Timeout:
        print(f"{_whereabouts(home)} It owns {home}; use that one, stop it, or choose another --home.", file=sys.stderr)
        return TAKEN
    except KitError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"The local API cannot start: {error}", file=sys.stderr)
        return 1


def _serve(home: Path, options: argparse.Namespace) -> int:
    """Serve from ``home`` until a signal ends it."""
    (home / "server.json").unlink(missing_ok=True)  # left by a killed server
    key, key_file = read_or_make_key(home)
    listening = _listen(options.host, options.port)
    # only now: a second server must not wait for imports to be told off
    from helpers.local_api.http.app import application
    from helpers.local_api.http.connections import Connection
    from helpers.local_api.http.serving import Serving
    from helpers.local_api.store.api_store import ApiStore
    from helpers.local_api.training.worker import Worker

    store = ApiStore(home)
    tempfile.tempdir = str(store.temporary)  # uploads go to the home's disk, not to a small or in-memory /tmp
    serving = Serving(store, options.model, options.shutdown_date)
    worker = Worker(store, serving.base_folder)
    from_outside = options.host not in LOOPBACK
    hosts = LOOPBACK | {options.host} | (names_of_this_machine() if from_outside else frozenset())
    api = application(store, serving, worker, key, hosts, any_address=from_outside)
    config = uvicorn.Config(
        api,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,  # longer than clients keep idle connections: they never write to a closing one
        timeout_graceful_shutdown=5,
    )
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # one that can be reached
    place = {
        "base_url": f"http://{f'[{host}]' if ':' in host else host}:{port}/v1",
        "key_file": key_file and str(key_file),
        "home": str(home),
    }
    worker.start()
    try:
        _Server(config, home, place).run(sockets=[listening])
    finally:
        worker.stop()
        serving.stop()
        store.close()
        (home / "server.json").unlink(missing_ok=True)
    return 0


class _Server(uvicorn.Server):
    """uvicorn's server, which says when it is ready and ends with status 0 on SIGTERM and Ctrl-C."""

    def __init__(self, config: uvicorn.Config, home: Path, place: dict[str, str | None]) -> None:
        super().__init__(config)
        self._home, self._place = home, place

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        await asyncio.to_thread(
            write_atomically, self._home / "server.json", json.dumps(self._place | {"pid": os.getpid()}) + "\n"
        )
        with contextlib.suppress(OSError):  # whoever started the server need not read on
            print(json.dumps(self._place), flush=True)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.handle_exit)
        yield


def _listen(host: str, port: int) -> socket.socket:
    """A bound socket; its port is known before anything is served.

    Raises:
        HostError: the address cannot be bound.
    """
    try:
        # asyncio switches Nagle's delay (40 ms a request) off only where the socket's protocol is named
        listening = socket.socket(socket.getaddrinfo(host, port)[0][0], socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(256)  # a class of notebooks may connect at once
        return listening
    except OSError as error:
        raise HostError(
            f"The local API cannot listen on {host}:{port}.", got=str(error), fix="Leave --port away to get a free one."
        ) from error


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m helpers.local_api", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--home", type=Path, default=kit_home() / "local_api", help="state, files, models and key")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument(
        "--model",
        type=_named_folder,
        action="append",
        default=[],
        metavar="NAME=FOLDER",
        help="a further base model: a local folder of a causal chat model (may be repeated)",
    )
    parser.add_argument(
        "--shutdown-date",
        type=date.fromisoformat,
        metavar="YYYY-MM-DD",
        help="announce this day as the end of every model, as a provider does that retires them (for rehearsals)",
    )
    parser.add_argument(
        "--allow-network",
        action="store_true",
        help="allow an address that other machines reach: the key then crosses the network unencrypted",
    )
    options = parser.parse_args(arguments)
    if options.host not in LOOPBACK and not options.allow_network:
        parser.error(f"{options.host} is not a loopback address: other machines could connect; add --allow-network")
    return options


def _named_folder(text: str) -> tuple[str, Path]:
    name, _, folder = text.partition("=")
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", name) or not (Path(folder) / "config.json").is_file():
        raise argparse.ArgumentTypeError(
            f"{text!r} must be NAME=FOLDER: small letters, digits, '.', '_', '-'; a folder with config.json"
        )
    return name, Path(folder).resolve()


def _whereabouts(home: Path) -> str:
    try:
        known = json.loads((home / "server.json").read_text())
        return f"A local API is already running at {known['base_url']} (process {known['pid']})."
    except (OSError, ValueError, KeyError):
        return "Another local API is just starting or stopping."


if __name__ == "__main__":
    sys.exit(main())
