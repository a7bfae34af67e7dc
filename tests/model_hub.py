"""A web server on this machine that plays the model hub: ranges, broken connections, wrong bytes, refusals."""

from __future__ import annotations

import hashlib
import http.server
import re
import threading
from pathlib import Path


class Hub:
    """Serves ``/ORG/NAME/resolve/REVISION/FILE`` from a folder of ``ORG/NAME/FILE``.

    Attributes:
        cut_after: bytes of a file after which the connection is closed, once for each entry (0: at once).
        ranges: whether it knows ``Range``.
        wrong: names of files that it serves with a flipped byte.
        refuse: status for every request, or None.
        elsewhere: address of another server that requests are sent on to, as the hub does for large files.
        asked: (path, Range header, Authorization header) of each request.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.cut_after, self.ranges, self.wrong = folder, [], True, set()
        self.refuse: int | None = None
        self.elsewhere = ""
        self.asked: list[tuple[str, str | None, str | None]] = []
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub._answer(self)

            def log_message(self, *_) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def _answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        span = request.headers.get("Range")
        self.asked.append((request.path, span, request.headers.get("Authorization")))
        if self.elsewhere:
            request.send_response(302)
            request.send_header("Location", self.elsewhere + request.path)
            request.end_headers()
            return
        found = re.fullmatch(r"/(.+?/.+?)/resolve/(\w+)/(.+)", request.path)
        file = self.folder / found[1] / found[3] if found else self.folder / "none"
        if self.refuse or not file.is_file():
            request.send_error(self.refuse or 404)
            return
        content = file.read_bytes()
        if file.name in self.wrong:
            content = content[:-1] + bytes([content[-1] ^ 1])
        first = int(span.removeprefix("bytes=").removesuffix("-")) if span and self.ranges else 0
        if first >= len(content):
            request.send_response(416)
            request.send_header("Content-Range", f"bytes */{len(content)}")
            request.end_headers()
            return
        request.send_response(206 if first else 200)
        if first:
            request.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        request.send_header("Content-Length", str(len(content) - first))
        request.end_headers()
        last = len(content)
        if self.cut_after and len(content) > 1000:  # in the middle of weights
            last = min(last, first + self.cut_after.pop(0))
        request.wfile.write(content[first:last])
        if last < len(content):
            request.wfile.flush()
            request.connection.close()


def row(name: str, hub: str, folder: Path, pinned: bool = True, **more: object) -> str:
    """A row of ``models.toml`` for a folder's files."""
    shown = {
        "name": name, "title": name.title(), "hub": hub, "revision": "c" * 40, "licence": "Apache-2.0",
        "parameters": 1_000_000, "embedding": 200_000, "layers": 4, "width": 32, "cache": 64, "context": 512,
        "template": "its own", "engine": "layer by layer", "source": "this test", "why": "to be fetched",
    } | more  # fmt: skip
    lines = [
        "[[model]]",
        *(f"{key} = {_toml(value)}" for key, value in shown.items()),
        "as_of = 2026-11-30",
        "files = [",
    ]
    for file in sorted(path for path in folder.iterdir() if path.is_file()):
        content = file.read_bytes()
        pin = f', sha256 = "{hashlib.sha256(content).hexdigest()}", bytes = {len(content)}' if pinned else ""
        lines.append(f'    {{ name = "{file.name}"{pin} }},')
    return "\n".join([*lines, "]", ""])


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, int) else f'"{value}"'
