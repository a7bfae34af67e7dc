"""A file at an address: fetched once, only when the reader says so, kept below ``.local/downloads``."""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import pooch

from helpers.data.reading.opening import ADDRESS, located, refuse_foreign
from helpers.errors import DataError
from helpers.project import kit_home

LARGEST = 2 * 2**30
"""Bytes that are fetched at most."""

SECONDS = 30
"""Without an answer for so long a download is given up."""

DIRECT = (
    (re.compile(r"^https://github\.com/([^/]+/[^/]+)/blob/(.+)$"), r"https://raw.githubusercontent.com/\1/\2"),
    (re.compile(r"^(https://huggingface\.co/.+)/blob/(.+)$"), r"\1/resolve/\2"),
)
"""Addresses of pages that show a file, and where the file itself lies."""

GOOGLE_SHEET = re.compile(r"(https://docs\.google\.com/spreadsheets/d/[^/?#]+)(?:/|/edit|/view)?(?:[?#].*)?")
"""The page of a Google workbook; ``gid`` in its address is the sheet that it shows, without it the first one."""


def fetch(source: Any, *, may_download: bool = False) -> Any:
    """``source`` itself, unless it is an address: then the path of its file on this machine.

    Nothing is sent but the request for the file. A file that was fetched before is not fetched again; delete it from
    ``.local/downloads`` to get a new one.

    Args:
        source: whatever ``read`` takes, or an ``https://`` address (``http://`` on this machine only).
        may_download: the reader's consent, ``MAY_DOWNLOAD`` in the parameters cell.

    Raises:
        DataError: the address may not or cannot be fetched, is a web page, or larger than 2 GiB.
    """
    if not isinstance(source, (str, Path)) or not ADDRESS.match(str(source)):
        return source
    if not may_download:
        located(source)  # says what to set
    address, part = _direct(str(source))
    parts = urlsplit(address)
    if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "localhost"):
        raise DataError("The address is not encrypted.", got=address, fix="Use its https:// form.")
    place = _place(address)
    if not place.exists():
        _download(address, place)
    return f"{place}#{part}" if part else place


def _direct(address: str) -> tuple[str, str]:
    """Where the file of an address lies, and the part of it that is meant."""
    if workbook := GOOGLE_SHEET.fullmatch(address):
        sheet = re.search(r"[?&#](gid=\d+)", address)
        return f"{workbook[1]}/export?format=csv" + (f"&{sheet[1]}" if sheet else ""), ""
    address, _, part = address.partition("#")
    for page, file in DIRECT:
        address = page.sub(file, address)
    return address, part


def _place(address: str) -> Path:
    """A file of the same name and ending, in a folder of the address's own."""
    name = re.sub(r"[^\w.-]", "_", PurePosixPath(unquote(urlsplit(address).path)).name) or "file"
    return kit_home() / "downloads" / hashlib.sha256(address.encode()).hexdigest()[:12] / name[-100:]


def _download(address: str, place: Path) -> None:
    pooch.get_logger().setLevel("WARNING")  # it would print a hash for programmers
    download = pooch.HTTPDownloader(progressbar=_AtMost(LARGEST), timeout=SECONDS)
    try:
        pooch.retrieve(address, known_hash=None, fname=place.name, path=place.parent, downloader=download)
        with open(place, "rb") as file:
            refuse_foreign(file.read(512), f"What {address} gives")
    except DataError:
        place.unlink(missing_ok=True)
        raise
    except Exception as error:  # a name that does not resolve, a refusal, a broken line: each in a way of its own
        raise DataError(
            f"{address} could not be fetched.",
            got=str(error)[:200],
            fix="Check the address and the network, or download the file in a browser and give its path.",
        ) from error


class _AtMost:
    """pooch's progress bar, which also ends a download that grows too large."""

    def __init__(self, most: int) -> None:
        self.most, self.total, self.done = most, 0, 0

    def update(self, size: int) -> None:
        self.done += size
        if max(self.done, self.total) > self.most:
            raise DataError(f"The file is larger than {self.most / 2**30:g} GiB.", fix="Download a part of it.")
        if sys.stderr.isatty():
            print(f"\r{self.done / 1e6:,.1f} MB", end="", file=sys.stderr)

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        pass
