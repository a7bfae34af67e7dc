"""Remove everything that the kit made on this machine, after showing it and asking: `make purge`.

What else exists is told and left alone: the environment, keys, copies of lessons, and what lies at other hosts.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
HOME = Path(os.environ.get("KIT_HOME") or REPOSITORY / ".local").expanduser()


def size_mb(path: Path) -> float:
    files = [path] if path.is_file() else [f for f in path.rglob("*") if f.is_file() and not f.is_symlink()]
    return sum(f.stat().st_size for f in files) / 1e6


def elsewhere(home: Path, repository: Path) -> Iterator[str]:
    """What the kit or its reader made and a purge does not remove, a line each."""
    if (repository / ".venv").exists():
        yield f"{repository / '.venv'}: the Python environment (remove the folder)"
    if (repository / ".env").exists():
        yield f"{repository / '.env'}: keys of providers"
    copies = sorted(path.name for path in (repository / "notebooks").glob("my_*"))
    if copies:
        yield f"{repository / 'notebooks'}: your copies of lessons ({', '.join(copies)})"
    for file in sorted(home.glob("projects/*/project.json")):
        yield from at_other_hosts(file)


def at_other_hosts(file: Path) -> Iterator[str]:
    """What a project's state file says of uploads and jobs that are not on this machine."""
    try:
        state = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        yield f"{file} cannot be read: whether its project sent anything to other hosts is not known"
        return
    for key, what in (("upload", "uploaded files"), ("jobs", "fine-tuning jobs and the models that they made")):
        made = state.get(key) or {}
        host = made.get("host", "local")
        ids = [*made.get("ids", ()), *(value for name, value in made.items() if name.endswith("_file") and value)]
        if host != "local" and ids:
            yield f"at {host}: {what} of project {file.parent.name} ({', '.join(map(str, ids))}): delete them there"


def main() -> None:
    """List, ask, delete."""
    if not HOME.exists():
        print(f"Nothing to remove: {HOME} does not exist.")
        return
    print(f"{HOME} holds:")
    for path in sorted(HOME.iterdir()):
        print(f"  {size_mb(path):8.1f} MB  {path.name}")
    print(
        "Uploaded files, trained models, results, projects and downloads would be gone. Stop the API first (make stop)."
    )
    if others := list(elsewhere(HOME, REPOSITORY)):
        print("This exists, too, and stays:", *(f"  {line}" for line in others), sep="\n")
    if input(f"Type the word purge to remove what {HOME.name} holds: ").strip() != "purge":
        print("Nothing was removed.")
        return
    shutil.rmtree(HOME)
    print("Removed.")


if __name__ == "__main__":
    main()
