"""One file from an address, in pieces if need be: a download that broke goes on where it stopped."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from tqdm.auto import tqdm

SECONDS_OF_SILENCE = 30
"""So long may a server say nothing before the connection counts as broken."""
FRUITLESS_TRIES = 4
"""So often in a row may a connection break before a single byte has come."""
WAIT = 1.0
"""Seconds before a broken connection is tried again; twice as long each time."""
CHUNK = 1 << 20
HEADERS = {"Accept-Encoding": "identity", "User-Agent": "prompt-or-fine-tune"}


class NotThereError(Exception):
    """The address has no such file, or does not let us have it: asking again will not help.

    Args:
        status: HTTP status of the refusal.
        words: what to tell the reader.
    """

    def __init__(self, status: int, words: str) -> None:
        self.status = status
        super().__init__(words)


def download(address: str, place: Path, bar: tqdm, secret: Mapping[str, str] | None = None) -> None:
    """Bring a file to ``place``, going on from what is there.

    Args:
        address: of the file.
        place: the file to write; what it holds already is not fetched again.
        bar: moved on by the bytes that come.
        secret: headers for this address alone; they are not sent on where it points elsewhere.

    Raises:
        NotThereError: the server refuses.
        OSError: the connection broke too often, or the disk is full.
    """
    fruitless = 0
    while fruitless < FRUITLESS_TRIES:
        before = place.stat().st_size if place.exists() else 0
        try:
            if _more(address, place, bar, secret or {}):
                return
            problem: Exception = OSError("the connection broke")
        except urllib.error.HTTPError as error:
            if error.code == 416:
                if error.headers.get("Content-Range", "").endswith(f"/{before}"):
                    return  # it is all there
                bar.update(-before)  # what is there is no beginning of the file
                place.unlink()
                problem = error
            elif error.code < 500 and error.code != 429:
                raise NotThereError(error.code, f"{error.code} {error.reason}") from None
            else:
                problem = error
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
            problem = error
        now = place.stat().st_size if place.exists() else 0
        fruitless = 0 if now > before else fruitless + 1
        if fruitless < FRUITLESS_TRIES:
            time.sleep(WAIT * 2**fruitless)
    raise OSError(f"{place.name}: {problem}")


def _more(address: str, place: Path, bar: tqdm, secret: Mapping[str, str]) -> bool:
    """One connection; whether the file is whole now."""
    have = place.stat().st_size if place.exists() else 0
    request = urllib.request.Request(address, headers=HEADERS)
    if have:
        request.add_header("Range", f"bytes={have}-")
    for name, value in secret.items():
        request.add_unredirected_header(name, value)
    with urllib.request.urlopen(request, timeout=SECONDS_OF_SILENCE) as answer:
        goes_on = answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if have and not goes_on:  # the server knows no ranges: from the beginning
            bar.update(-have)
            have = 0
        left = int(answer.headers.get("Content-Length") or -1)
        with open(place, "ab" if have else "wb") as out:
            while chunk := answer.read(CHUNK):
                out.write(chunk)
                bar.update(len(chunk))
                left -= len(chunk)
    return left <= 0  # below, where the server did not say how much would come
