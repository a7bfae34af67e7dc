"""The lessons in their order, and how to run one for real in a home of its own."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from html import unescape
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

TOP = Path(__file__).resolve().parents[1]
NOTEBOOKS = TOP / "notebooks"
LESSON = re.compile(r"\d\d_\w+|your_project")
"""Names of lessons; whatever else lies in the folder is a reader's own."""
ORDER = tuple(sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb") if LESSON.fullmatch(path.stem)))


@contextlib.contextmanager
def own_home(home: Path, *, fresh: bool = True):
    """A home that shares the fetched assets, so that nobody's own projects and jobs are touched.

    Args:
        home: the folder that ``$KIT_HOME`` names meanwhile.
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


def set_parameters(notebook: nbformat.NotebookNode, values: Mapping[str, Any]) -> None:
    """Put a cell behind the one tagged ``parameters`` that gives these names other values.

    Raises:
        KeyError: a name that the parameters cell does not have.
    """
    place = next(n for n, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", ()))
    nodes = ast.walk(ast.parse(notebook.cells[place].source))
    known = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    if unknown := set(values) - known:
        raise KeyError(f"no parameters: {', '.join(sorted(unknown))}")
    source = "\n".join(f"{name} = {value!r}" for name, value in values.items())
    notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(source))


def execute(
    path: Path, say: Callable[[str], None] = print, parameters: Mapping[str, Any] | None = None
) -> nbformat.NotebookNode:
    """Run one notebook from top to bottom in the folder it lies in; raises at the first error.

    Args:
        path: the notebook's file.
        say: takes one line of progress at a time.
        parameters: values for names of the parameters cell, in place of the notebook's own.
    """
    notebook = nbformat.read(path, as_version=4)
    if parameters:
        set_parameters(notebook, parameters)
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


def title(lesson: str) -> str:
    """A lesson's heading without its number: "A brand's voice"."""
    first = json.loads((NOTEBOOKS / f"{lesson}.ipynb").read_text(encoding="utf-8"))["cells"][0]
    return "".join(first["source"]).splitlines()[0].removeprefix("# ").split(" · ")[-1]


def said_in(lesson: str) -> str:
    """All that a lesson's committed cells ask and print, as plain text with single blanks."""
    texts = []
    for cell in json.loads((NOTEBOOKS / f"{lesson}.ipynb").read_text(encoding="utf-8"))["cells"]:
        texts.append("".join(cell["source"]))
        for output in cell.get("outputs", []):
            shown = output.get("data", {})
            texts.append("".join(output.get("text") or shown.get("text/html") or shown.get("text/plain") or ""))
    return plain(unescape(re.sub(r"<[^>]+>", " ", " ".join(texts))))


def plain(text: str) -> str:
    """The text with single blanks between its words."""
    return " ".join(text.split())
