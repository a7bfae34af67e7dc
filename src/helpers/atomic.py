"""The kit's own files: the folder that keeps them, and writing one so that nobody ever sees half of it."""

from __future__ import annotations

import os
from pathlib import Path


def kit_home() -> Path:
    """The folder for everything that stays on this machine: ``$KIT_HOME``, or ``.local`` in the repository."""
    here = os.environ.get("KIT_HOME")
    return Path(here).expanduser().resolve() if here else Path(__file__).resolve().parents[2] / ".local"


def write_atomically(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 to a temporary file beside ``path``, flush it to disk, and rename it into place.

    Args:
        path: the file to write; its folder is made where it is missing.
        text: all of its content.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with open(temporary, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
