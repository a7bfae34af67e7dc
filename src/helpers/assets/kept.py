"""The folders of assets that are whole: fetched when something is missing, read again only when it has changed.

A file is read when it is new here, or has another size or time than when it was read last. What it was then is kept in
``verified.json``.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from helpers.assets.fetching import disk_full, fetch, folder, locked, need_free, package_folder, say, sha256_of
from helpers.assets.pinned import (
    BASE_WEIGHTS,
    CONVERTED,
    CONVERTED_MB,
    EMBEDDER,
    EMBEDDER_FOLDER,
    VOCABULARIES,
    Asset,
)
from helpers.errors import AssetError
from helpers.project import write_atomically

RECORD = "verified.json"


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
    with locked():
        if not _whole(target, CONVERTED, deep):
            if target.exists():
                say(f"{target} is damaged: it is made again")
            weights = fetch(BASE_WEIGHTS)
            need_free(CONVERTED_MB)
            say(f"converting {weights.name} to safetensors (once, {CONVERTED_MB} MB on disk)")
            _convert(weights, target)
            _remember(target, {name: sha256_of(target / name) for name in CONVERTED})
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
        with locked(), package_folder() as packages:
            if said:
                say(said)
            for asset in files:
                fetch(asset, packages)
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
        if (deep or known.get(name, {}).get("state") != _state(place)) and sha256_of(place) != found[name]:
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


def _convert(weights: Path, target: Path) -> None:
    """De-quantise in a process of its own: torch stays out of whoever asked."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".part-") as scratch:
        out = Path(scratch) / "model"
        command = [sys.executable, "-m", "helpers.local_api.formats.convert", str(weights), str(out)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=900)
        if done.returncode:
            if "No space left" in done.stderr:
                raise disk_full()
            raise AssetError(
                f"Could not convert {weights.name}.",
                got=done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit status {done.returncode}",
                fix="Run `python -m helpers.doctor`; it checks the packages that the conversion needs.",
            )
        shutil.rmtree(target, ignore_errors=True)
        os.replace(out, target)
