"""Run the lessons and write their outputs back, normalised for committing: `make notebooks [ONLY=03_train]`.

Then the pictures are drawn again, for their numbers and quotes come from these outputs.

Metadata is kept by an allow-list, so new front-end noise cannot slip into a diff. Charts are stored as plotly data and
as SVG, which shows on code hosts too. Widgets keep no state: what they teach untouched is drawn beside them.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import nbformat

sys.path.insert(0, str(Path(__file__).parent))
from lessons import NOTEBOOKS, ORDER, execute, own_home

from helpers.project import kit_home, write_atomically

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
WIDGET = "application/vnd.jupyter.widget-view+json"
MAX_BYTES = 500_000
LINK_TO_A_COPY = re.compile(r"<a [^>]*\bdownload=[^>]*>(.*?)</a>")
"""A link that carries a whole file: in a notebook for everybody its text is enough."""


def main(only: list[str]) -> int:
    """Execute, normalise, write, draw; the exit status is 1 when a notebook grew too large."""
    os.environ["PLOTLY_RENDERER"] = "plotly_mimetype+svg"
    os.environ["KIT_LOCAL_SERVERS"] = ""  # what a maintainer's machine happens to run is no part of a lesson
    trips = [name for name in only if name.startswith("extra/")]
    too_large = []
    if lessons := [name for name in only or ORDER if name not in trips]:
        with own_home(kit_home() / "notebooks", fresh=not only):  # single lessons go on from the last whole run
            too_large += map(render, lessons)
    for name in trips:  # each keeps its home: what took long is found there again
        with own_home(kit_home() / "side-trips" / Path(name).name, fresh=False):
            too_large.append(render(name))
    import pictures  # not before: it loads torch, and the lessons need the memory

    pictures.main([])
    for line in filter(None, too_large):
        print(f"[FAIL] {line}, at most {MAX_BYTES:,}: show less in its outputs")
    return any(too_large)


def render(name: str) -> str:
    """Execute one notebook and write it back; the complaint when it grew too large, else nothing."""
    path = NOTEBOOKS / f"{name}.ipynb"
    text = nbformat.writes(normalise(execute(path))) + "\n"
    write_atomically(path, text)
    size = len(text.encode())
    return f"{name}: {size:,} bytes" if size > MAX_BYTES else ""


def normalise(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Keep what a reader sees; drop what differs from run to run or machine to machine."""
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}})
    runs = 0
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"
        cell.metadata = nbformat.from_dict({"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {})
        if cell.cell_type == "code":
            runs += 1  # nbval compares outputs only where a cell carries the number of its run
            cell.execution_count = runs
            cell.outputs = [kept for output in cell.outputs if (kept := _keep(output)) is not None]
    return notebook


def _keep(output: nbformat.NotebookNode) -> nbformat.NotebookNode | None:
    if output.output_type == "stream":
        return output if output.name == "stdout" else None
    if output.output_type == "error":
        return output
    if WIDGET in output.data:
        return None
    if page := output.data.get("text/html"):
        output.data["text/html"] = LINK_TO_A_COPY.sub(r"\1", page).replace(str(kit_home().resolve()), ".local")
    output.metadata = nbformat.from_dict({})
    if "execution_count" in output:
        output.execution_count = None
    return output


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
