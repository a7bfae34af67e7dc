"""What works on this machine and what to do about the rest: ``python -m helpers.doctor``.

With ``--deep`` every byte of the assets is read, not only of those that have changed since they were read last.
Prints one ``[OK]``, ``[NOTE]`` or ``[FAIL] … do this`` line a check; the exit status says whether the local path works.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import helpers
from helpers import assets
from helpers.errors import KitError
from helpers.project import kit_home

NEED_MEMORY_GB = 4
NEED_DISK_MB = 1500
OK, NOTE, FAIL = "[OK]", "[NOTE]", "[FAIL]"


def checks(deep: bool = False) -> Iterator[tuple[str, str]]:
    """(mark, sentence) for every check, cheapest first; ``deep``: read all bytes of the assets."""
    yield _python()
    yield _shadow()
    yield _packages()
    yield _memory()
    yield _disk()
    assets_line = _assets(deep)
    yield assets_line
    yield _local_api() if assets_line[0] == OK else (FAIL, "local API: needs the assets first")
    yield from _local_servers()
    yield from _provider_keys()


def _python() -> tuple[str, str]:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < (3, 11):
        return FAIL, f"Python {version} is too old: install Python 3.11 or newer, delete .venv, run make again"
    return OK, f"Python {version}"


def _shadow() -> tuple[str, str]:
    """A file called helpers.py beside a copied notebook hides this package."""
    import_first = [Path(p or ".") for p in sys.path]
    own = Path(helpers.__file__).resolve().parent
    for folder in import_first:
        stranger = folder / "helpers.py"
        if stranger.exists():
            return FAIL, f"{stranger.resolve()} hides the kit's package: rename that file and restart the kernel"
        if (folder / "helpers").resolve() == own:
            break
    return OK, "the name `helpers` means this kit"


def _packages() -> tuple[str, str]:
    """Compare what is installed with what the package declares."""
    wrong = []
    for line in importlib.metadata.requires("prompt-or-fine-tune") or []:
        if "extra ==" in line:
            continue
        name = re.match(r"[A-Za-z0-9._-]+", line).group()
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(name)
    if wrong:
        return FAIL, f"packages missing: {', '.join(wrong)}: run make lab again (or pip install -e .)"
    return OK, "packages are installed"


def _memory() -> tuple[str, str]:
    import psutil

    free = psutil.virtual_memory().available / 1e9
    if free < NEED_MEMORY_GB:
        return FAIL, f"memory: {free:.1f} GB free, training needs about {NEED_MEMORY_GB}: close other programs"
    return OK, f"memory: at least {NEED_MEMORY_GB} GB free"


def _disk() -> tuple[str, str]:
    place = kit_home()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free // 1_000_000
    if free < NEED_DISK_MB:
        return (
            FAIL,
            f"disk: {free} MB free at {place}, {NEED_DISK_MB} needed: free some, or set KIT_HOME to another disk",
        )
    return OK, f"disk: at least {NEED_DISK_MB / 1000:g} GB free"


def _assets(deep: bool) -> tuple[str, str]:
    try:
        assets.base_model(deep=deep)
        assets.vocabularies(deep=deep)
    except KitError as error:
        return FAIL, f"assets: {error}"
    return OK, "assets: base model and vocabularies are here and verified" + (", every byte" if deep else "")


def _local_api() -> tuple[str, str]:
    from helpers import providers

    try:
        models = [m.id for m in providers.connect("local").models.list()]
    except Exception as error:  # whatever happens here, the reader needs the line, not a traceback
        return FAIL, f"local API: {error}"
    return OK, f"local API answers; it serves {', '.join(models[:3])}{' …' if len(models) > 3 else ''}"


def _local_servers() -> Iterator[tuple[str, str]]:
    """A line a model server of this machine with the line that measures it, and one for each of its traps."""
    from helpers import providers

    found = providers.local_servers()
    if not found:
        yield OK, f"no model server answered on this machine (looked for {_looked_for()}); the lessons need none"
    for server in found:
        named = [f"{m.name} ({m.described})" for m in server.models]
        shown = ", ".join(named[:5]) + (f" and {len(named) - 5} more" if len(named) > 5 else "")
        yield OK, f"{server.kind} answers at {server.base_url}: {shown or 'no model to prompt'}"
        if server.best:
            yield OK, f"  to measure it: {server.line()}"
        for trap in server.traps:
            yield NOTE, f"  {server.kind}: {trap}"


def _looked_for() -> str:
    from helpers.providers import serving

    if (only := os.environ.get("KIT_LOCAL_SERVERS")) is not None:
        return f"{only or 'none'}, as KIT_LOCAL_SERVERS says"
    return ", ".join((serving.OLLAMA, serving.LLAMA_CPP, serving.LM_STUDIO, serving.VLLM, serving.DOCKER))


def _provider_keys() -> Iterator[tuple[str, str]]:
    """One line a provider whose key is present: does the key work? Nothing is sent but a list request."""
    from helpers import providers

    for host in providers.HOSTS.values():
        if not host.leaves_machine or not os.environ.get(host.key_variable):
            continue
        try:
            client = providers.connect(
                host.name, may_train_on_prompts=host.name
            )  # a list is asked for, nothing is sent
            client.with_options(timeout=10, max_retries=0).models.list()
            yield OK, f"{host.name}: the key in {host.key_variable} works"
        except Exception as error:
            yield (
                NOTE,
                f"{host.name}: {type(error).__name__} with the key in {host.key_variable}: check it before lesson 02",
            )


def run(deep: bool = False) -> bool:
    """Print every line; True when nothing failed, so the local path works."""
    good = True
    for mark, line in checks(deep):
        print(f"{mark:7}{line}", flush=True)
        good &= mark != FAIL
    print(
        "The local path works: you can run every lesson."
        if good
        else "Do what the [FAIL] lines say, then run this again."
    )
    return good


if __name__ == "__main__":
    sys.exit(0 if run(deep="--deep" in sys.argv[1:]) else 1)
