"""Remove everything that the kit made on this machine, after showing it and asking: `make purge`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

HOME = Path(os.environ.get("KIT_HOME") or Path(__file__).resolve().parents[1] / ".local").expanduser()


def size_mb(path: Path) -> float:
    files = [path] if path.is_file() else [f for f in path.rglob("*") if f.is_file() and not f.is_symlink()]
    return sum(f.stat().st_size for f in files) / 1e6


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
    if input("Type the word purge to remove all of it: ").strip() != "purge":
        print("Nothing was removed.")
        return
    shutil.rmtree(HOME)
    print("Removed.")


if __name__ == "__main__":
    main()
