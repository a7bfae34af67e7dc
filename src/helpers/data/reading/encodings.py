"""Which encoding the bytes of a file are in: told by a byte-order mark, by being UTF-8, or detected."""

from __future__ import annotations

from helpers.data.reading.row import HEAD
from helpers.data.report import Findings

ENOUGH_TO_TELL = 30
ASCII = bytes(range(128))
"""Bytes beyond ASCII from which an encoding can be told; with fewer, detectors guess rare ones."""


def marked_encoding(head: bytes) -> str | None:
    """The encoding that a byte-order mark names, beside UTF-8."""
    return "utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else None


def foreign_lines(head: bytes) -> bytes:
    """The whole lines of ``head`` that are not UTF-8."""
    return b"\n".join(line for line in head.split(b"\n")[:-1] or [head] if not _is_utf8(line))


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def encoding_of(sample: bytes) -> str:
    """The encoding of bytes that are not UTF-8: detected where there is enough to tell, else the Western usual."""
    if len(sample.translate(None, ASCII)) >= ENOUGH_TO_TELL:
        from charset_normalizer import from_bytes

        best = from_bytes(sample[:20_000]).best()
        if best is not None:
            return best.encoding
    return "cp1252"


def table_encoding(head: bytes, found: Findings) -> str:
    """The encoding of a table as text.

    Args:
        head: the first :data:`HEAD` bytes of the file, or all of it.
        found: takes the problem where it is not UTF-8.
    """
    if marked := marked_encoding(head):
        return marked
    try:
        head[: -4 if len(head) == HEAD else None].decode("utf-8")
        return "utf-8-sig"
    except UnicodeDecodeError:
        name = encoding_of(head)
        found.add("encoding", 0, "file", f"The table is not UTF-8; it reads as {name}.")
        return name
