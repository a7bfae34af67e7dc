"""Fetching a model of the shelf: said before it begins, resumed where it broke, checked by its hashes.

Where from: the Hugging Face hub, or what ``KIT_MODEL_SOURCE`` names: an address that is laid out as the hub is (a
mirror, a company's server), or a folder (a copy by hand, a share, the cache of ``huggingface_hub``). Nothing else is
asked then.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock
from tqdm.auto import tqdm

from helpers import assets, facts
from helpers.atomic import write_atomically
from helpers.errors import AssetError, ConsentError
from helpers.open_models.downloading import NotThereError, download
from helpers.open_models.entries import File, OpenModel, on_shelf, shelf
from helpers.open_models.sizing import memory_of_this_machine, needs
from helpers.project import kit_home

HUB = "https://huggingface.co"
VARIABLE = "KIT_MODEL_SOURCE"
RECORD, SEEN = "fetched.json", "first_seen.json"
MEGABITS = 50
"""A connection of this many megabits a second gives the minutes that are announced."""
SPARE_BYTES = 200_000_000
"""What stays free on the disk."""


def home() -> Path:
    """Where fetched models live: ``.local/open_models``, or below ``$KIT_HOME``."""
    return kit_home() / "open_models"


def fetch(name: str, *, accept_licence: str = "", source: str | None = None, even_if_too_large: bool = False) -> Path:
    """Bring a model of the shelf to this machine; one that is there already is not touched.

    What it is, where it comes from, its size and the time that takes are printed before anything is fetched. A file
    without a pinned hash is taken as it comes the first time; its hash is kept, and later fetches must match.

    Args:
        name: as in :func:`shelf`.
        accept_licence: the licence's name, where the model asks for consent: it says that you have read and accept it.
        source: an address or a folder, instead of ``KIT_MODEL_SOURCE`` or the hub.
        even_if_too_large: fetch it although it will not fit this machine's memory.

    Returns:
        Its folder. The local API serves and trains it under the model's name from now on.

    Raises:
        AssetError: no such model; it will not fit memory or disk (the message says what would); it cannot be had; or
            the bytes are wrong.
        ConsentError: its licence asks for consent.
    """
    model = on_shelf(name)
    if model.comes_from:
        return assets.base_model()
    if (there := folder(name)) is not None:
        return there
    _check_consent(model, accept_licence)
    if not even_if_too_large:
        _check_memory(model)
    home().mkdir(parents=True, exist_ok=True)
    with FileLock(home() / f".{name}.lock", timeout=7200):
        if (there := folder(name)) is None:
            where = source or os.environ.get(VARIABLE) or HUB
            _check_disk(model)
            _say(announcement(model, where))
            there = _fetch_all(model, where)
    return there


def folder(name: str) -> Path | None:
    """The folder of a fetched model, if it is whole (by the sizes of its files); None else. Nothing is fetched."""
    model = on_shelf(name)
    if model.comes_from:
        place = assets.folder() / name
        return place if (place / "model.safetensors").is_file() else None
    place = home() / name
    try:
        files = json.loads((place / RECORD).read_text(encoding="utf-8"))["files"]
        whole = all((place / file).stat().st_size == known["bytes"] for file, known in files.items())
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return place if whole else None


def fetched() -> list[OpenModel]:
    """The models of the shelf that are on this machine."""
    return [model for model in shelf() if folder(model.name)]


def damaged(name: str) -> list[str]:
    """Files of a fetched model whose bytes are not those that were fetched. Reads them all.

    Raises:
        AssetError: the model is not here.
    """
    place = folder(name)
    if place is None:
        raise AssetError(f"{name} is not on this machine.", fix=f"Fetch it: python -m helpers.open_models {name}")
    if on_shelf(name).comes_from:
        return [] if assets.base_model(deep=True) else [name]
    files = json.loads((place / RECORD).read_text(encoding="utf-8"))["files"]
    return [file for file, known in files.items() if sha256_of(place / file) != known["sha256"]]


def announcement(model: OpenModel, where: str) -> str:
    """What a reader reads before a model is fetched.

    Args:
        model: an entry of the shelf.
        where: the address or folder that it comes from.
    """
    gigabytes, minutes = model.download / 1e9, model.download * 8 / MEGABITS / 1e6 / 60
    lines = [
        f"{model.title}, {model.parameters / 1e9:.2f} billion parameters, licence: {model.licence}.",
        f"{gigabytes:.1f} GB from {where} into {home() / model.name}"
        + ("" if is_folder(where) else f": {minutes:.0f} minutes at {MEGABITS} Mbit/s."),
        needs(model).sentence,
    ]
    if not model.pinned:
        names = ", ".join(file.name for file in model.files if not file.sha256)
        lines.append(
            f"Not pinned: {names}. Nobody has compared these bytes with ours: this fetch records what it gets, and "
            "later fetches must match (trust on first use)."
        )
    return "\n  ".join(lines)


def is_folder(where: str) -> bool:
    """Whether a source is a folder, and not an address."""
    return not where.startswith(("http://", "https://"))


def _check_consent(model: OpenModel, accepted: str) -> None:
    if model.consent and accepted != model.licence:
        raise ConsentError(
            f"{model.title} asks for your consent to {model.consent}.",
            got=repr(accepted) if accepted else "",
            fix=f"Read it; if you accept it, call fetch({model.name!r}, accept_licence={model.licence!r}), or in a "
            f'terminal: python -m helpers.open_models {model.name} --accept-licence "{model.licence}"',
        )


def _check_memory(model: OpenModel) -> None:
    memory = memory_of_this_machine()
    if needs(model).prompt > memory:
        raise AssetError(
            f"{model.title} will not fit this machine's memory: to answer it needs about "
            f"{needs(model).prompt / 1e9:.1f} GB.",
            got=f"{memory / 1e9:.1f} GB in all",
            fix=_what_fits(lambda other: needs(other).prompt <= memory)
            + " To fetch it for another machine: even_if_too_large=True.",
        )


def _check_disk(model: OpenModel) -> None:
    free, coming = shutil.disk_usage(home()).free - SPARE_BYTES, home() / f"{model.name}.part"
    have = sum(file.stat().st_size for file in coming.glob("*")) if coming.is_dir() else 0
    to_come = model.download - have
    if to_come > free:
        raise AssetError(
            f"{model.title} will not fit the disk that holds {home()}: {to_come / 1e9:.1f} GB are to come.",
            got=f"{max(free, 0) / 1e9:.1f} GB free",
            fix=_what_fits(lambda other: other.download <= free) + " Or set KIT_HOME to a folder on another disk.",
        )


def _what_fits(fits) -> str:
    names = [other.name for other in shelf() if fits(other)]
    return f"From the shelf, these would fit: {', '.join(names)}." if names else "Nothing on the shelf would fit."


@dataclass(frozen=True)
class Source:
    """Where a model's files come from."""

    where: str
    model: OpenModel

    def bring(self, file: File, place: Path, bar: tqdm) -> None:
        """Copy or download one file to ``place``.

        Args:
            file: one of the model's files.
            place: the file to write.
            bar: moved on by the bytes that come.

        Raises:
            NotThereError, OSError: it cannot be had.
        """
        if is_folder(self.where):
            shutil.copyfile(self._found(file), place)
            bar.update(place.stat().st_size)
        else:
            address = f"{self.where.rstrip('/')}/{self.model.hub}/resolve/{self.model.revision}/{file.name}"
            download(address, place, bar, self._secret())

    def _found(self, file: File) -> Path:
        """The file below the folder: under the model's name here or on the hub, or in a cache of huggingface_hub."""
        root, hub = Path(self.where).expanduser(), self.model.hub
        cached = f"models--{hub.replace('/', '--')}/snapshots/{self.model.revision}"
        places = [root / part / file.name for part in (self.model.name, hub, hub.split("/")[1], cached, "")]
        found = next((place for place in places if place.is_file()), None)
        if found is None:
            raise NotThereError(404, f"no {file.name} in {root / self.model.name}, {root / hub} or {root / cached}")
        return found

    def _secret(self) -> dict[str, str]:
        """The hub's token goes to the hub only."""
        token = os.environ.get("HF_TOKEN", "")
        return {"Authorization": f"Bearer {token}"} if token and self.where.rstrip("/") == HUB else {}


def _fetch_all(model: OpenModel, where: str) -> Path:
    coming, source, got = home() / f"{model.name}.part", Source(where, model), {}
    coming.mkdir(exist_ok=True)
    with tqdm(total=model.download, unit="B", unit_scale=True, desc=model.name, disable=None) as bar:
        for file in model.files:
            with _in_words(model, where, file):
                sha256 = _fetch_one(source, file, coming / file.name, bar)
            if sha256:
                got[file.name] = {"sha256": sha256, "bytes": (coming / file.name).stat().st_size}
    _remember_first(model, got)
    record = {"hub": model.hub, "revision": model.revision, "source": where, "on": facts.today().isoformat()}
    write_atomically(coming / RECORD, json.dumps(record | {"files": got}, indent=1) + "\n")
    shutil.rmtree(home() / model.name, ignore_errors=True)
    os.replace(coming, home() / model.name)
    return home() / model.name


def _fetch_one(source: Source, file: File, place: Path, bar: tqdm) -> str:
    """Bring a file and check it; returns its hash, or nothing where it is optional and not there.

    What an earlier attempt left is gone on from; where the whole is wrong then, it is fetched once more from the start.
    """
    expected = file.sha256 or _first_seen(source.model).get(file.name, "")
    if expected and place.is_file() and (not file.bytes or place.stat().st_size == file.bytes):
        if sha256_of(place) == expected:
            bar.update(place.stat().st_size)
            return expected
        place.unlink()
    left_over = place.is_file()
    if left_over:
        bar.update(place.stat().st_size)
    try:
        source.bring(file, place, bar)
    except NotThereError as error:
        if file.optional and error.status == 404:
            return ""
        raise
    found = sha256_of(place)
    if expected and found != expected:
        bar.update(-place.stat().st_size)
        place.unlink()
        if left_over:
            return _fetch_one(source, file, place, bar)
        first = "" if file.sha256 else ", which the first fetch recorded"
        raise AssetError(
            f"{file.name} of {source.model.title} has wrong bytes.",
            got=f"sha256 {found[:16]}…, expected {expected[:16]}…{first}",
            fix="Do not use that source; nothing of the file was kept. Try another one.",
        )
    return found


@contextlib.contextmanager
def _in_words(model: OpenModel, where: str, file: File) -> Iterator[None]:
    """What went wrong, as an :class:`AssetError`."""
    again = f"Run it again: it goes on from here. Another source: set {VARIABLE} to an address or a folder."
    try:
        yield
    except NotThereError as error:
        if error.status in (401, 403) and model.gated:
            again = (
                f"Its owner gives it only to accounts that accepted the licence: accept it at {HUB}/{model.hub} and "
                "set HF_TOKEN to a token of yours that may read."
            )
        what = f"{file.name} of {model.title} cannot be had from {where}."
        raise AssetError(what, got=str(error), fix=again) from None
    except OSError as error:
        if error.errno == errno.ENOSPC:
            again = "Free some space and run it again: it goes on from here."
        raise AssetError(f"{file.name} of {model.title} did not come whole.", got=str(error), fix=again) from None


def _first_seen(model: OpenModel) -> dict[str, str]:
    """Hashes that the first fetch of a revision recorded, for files that are not pinned."""
    return _seen().get(f"{model.hub}@{model.revision}", {})


def _seen() -> dict[str, dict[str, str]]:
    try:
        return dict(json.loads((home() / SEEN).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _remember_first(model: OpenModel, got: dict[str, dict[str, Any]]) -> None:
    new = {file.name: got[file.name]["sha256"] for file in model.files if not file.sha256 and file.name in got}
    if new:
        key = f"{model.hub}@{model.revision}"
        write_atomically(home() / SEEN, json.dumps(_seen() | {key: new}, indent=1) + "\n")


def sha256_of(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)
