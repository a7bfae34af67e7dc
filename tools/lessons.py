"""The lessons in their order, and how to run one for real in a home of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbclient import NotebookClient

TOP = Path(__file__).resolve().parents[1]
NOTEBOOKS = TOP / "notebooks"
ORDER = (
    "00_should_you_fine_tune",
    "01_prepare_data",
    "02_upload",
    "03_train",
    "04_evaluate",
    "05_deploy",
    "06_decide",
    "your_project",
)


@contextlib.contextmanager
def own_home(home: Path, *, fresh: bool = True):
    """A home that shares the fetched assets, so that nobody's own projects and jobs are touched.

    Args:
        fresh: start with nothing in it; else what earlier runs left is used again.
    """
    from helpers import assets

    assets.base_model(), assets.vocabularies()
    if fresh:
        shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "assets").exists():
        (home / "assets").symlink_to(assets.folder())
    before = os.environ.get("KIT_HOME")
    os.environ["KIT_HOME"] = str(home)
    try:
        yield home
    finally:
        subprocess.run([sys.executable, "-m", "helpers.providers", "stop"], stdout=subprocess.DEVNULL)
        os.environ.pop("KIT_HOME")
        if before is not None:
            os.environ["KIT_HOME"] = before


def execute(path: Path, say: Callable[[str], None] = print) -> nbformat.NotebookNode:
    """Run one notebook from top to bottom in the folder it lies in; raises at the first error."""
    notebook = nbformat.read(path, as_version=4)
    code = [index for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    began = time.monotonic()

    def started(cell, cell_index):
        if cell_index in code and sys.stderr.isatty():
            print(f"\r  {path.stem}: cell {code.index(cell_index) + 1} of {len(code)}", end="", file=sys.stderr)

    client = NotebookClient(
        notebook,
        timeout=1800,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_start=started,
        extra_arguments=["--IPKernelApp.log_level=40"],
    )
    client.execute()
    say(f"  {path.stem}: {len(code)} cells in {time.monotonic() - began:.0f} s")
    return notebook
