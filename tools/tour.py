"""The whole journey without a browser: `make tour` runs every lesson for real and keeps the pages and the record.

It works in a home of its own, so it neither sees nor changes what you did in the lessons.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import nbconvert

sys.path.insert(0, str(Path(__file__).parent))
from lessons import NOTEBOOKS, ORDER, execute, own_home

from helpers.project import Project, kit_home, write_atomically


def main() -> int:
    """Run the lessons in order; print the verdict and where the pages and the record lie."""
    out = kit_home() / "tour"
    out.mkdir(parents=True, exist_ok=True)
    os.environ["PLOTLY_RENDERER"] = "notebook_connected"
    takes = "a quarter of an hour" if os.environ.get("KIT_BRIEF") else "an hour (KIT_BRIEF=1: a quarter, with few rows)"
    print(f"The tour runs {len(ORDER)} notebooks for real; on two cores it takes about {takes}.", flush=True)
    with own_home(out / "home") as home:
        for name in ORDER:
            notebook = execute(NOTEBOOKS / f"{name}.ipynb", lambda line: print(line, flush=True))
            page, _ = nbconvert.HTMLExporter().from_notebook_node(notebook)
            write_atomically(out / f"{name}.html", page)
        project = Project("sample")
        verdict = project.require("verdict")
        for record in sorted(project.folder.glob("record.*")):
            shutil.copy(record, out)
        print(f"\nVerdict: {verdict['headline']}")
        print(f"Pages and record: {out}")
        print(f"The tour's models and files: {home}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
