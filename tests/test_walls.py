"""The house keeps its floors and its walls: who may import whom, read off the source itself."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "helpers"
FLOORS = [
    {"errors"},
    {"records", "formatting", "atomic", "proportions", "today"},
    {"statistics", "project"},
    {"ledger", "facts", "assets"},
    {"open_models"},
    {"tokens"},
    {"data", "costs", "providers"},
    {"jobs", "evaluate", "decide"},
    {"deploy", "trial"},
    {"show", "doctor", "your_project", "page"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
LOCAL_API_MAY_IMPORT = {"errors", "records", "today", "assets", "open_models", "project", "tokens", "data"}
ONLY_IN = {
    "torch": {"local_api"},
    "transformers": {"local_api"},
    "peft": {"local_api"},
    "trl": {"local_api"},
    "fastapi": {"local_api"},
    "plotly": {"show"},
    "ipywidgets": {"show"},
    "openai": {"providers", "jobs", "evaluate"},
}


def room_of(path: Path) -> str:
    first = path.relative_to(SOURCE).parts[0]
    return first.removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Dotted names that a file imports, at any depth; relative imports are resolved."""
    names = set()
    package = ["helpers", *path.relative_to(SOURCE).parent.parts]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in (node for top in tree.body if not _only_for_types(top) for node in ast.walk(top)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, node.module or ""]).strip(".")
            names |= {f"{stem}.{alias.name}" for alias in node.names}
    return names


def _only_for_types(node: ast.stmt) -> bool:
    """``if TYPE_CHECKING:``: names for annotations, never imported when the program runs."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


FILES = sorted(p for p in SOURCE.rglob("*.py") if p.parent != SOURCE or p.name != "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_a_room_imports_only_from_lower_floors(path):
    room = room_of(path)
    others = {name.split(".")[1] for name in imported(path) if name.startswith("helpers.")} - {room}
    assert "local_api" not in others, "nothing imports the local API: it is a program of its own"
    if room == "local_api":
        assert others <= LOCAL_API_MAY_IMPORT
        return
    assert room in FLOOR, f"{room} has no floor: add it to FLOORS and to the map in helpers/__init__.py"
    too_high = {other for other in others if other in FLOOR and FLOOR[other] >= FLOOR[room]}
    assert not too_high, f"{room} imports {too_high}, which is not on a lower floor"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_heavy_libraries_stay_behind_their_walls(path):
    roots = {name.split(".")[0] for name in imported(path)}
    out_of_place = {root for root in roots if root in ONLY_IN and room_of(path) not in ONLY_IN[root]}
    assert not out_of_place


def test_the_map_in_the_package_docstring_is_the_map_that_is_kept():
    import helpers

    text = " ".join(helpers.__doc__.split())
    drawn = re.search(r"errors < [a-z_, <]+ page", text).group()
    assert [set(floor.split(", ")) for floor in drawn.split(" < ")] == FLOORS


def test_everyday_rooms_do_not_pull_in_torch():
    """Importing what lessons import must stay quick: torch, transformers and peft load in the API's process only."""
    heavy = "{'torch', 'transformers', 'peft'}"
    code = f"import helpers.jobs, helpers.evaluate, helpers.data, sys; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
