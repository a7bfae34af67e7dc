"""Imports between files: no circles anywhere, and one direction between the rooms of the local API."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from test_walls import SOURCE, imported

FILES = {
    ".".join(["helpers", *path.relative_to(SOURCE).with_suffix("").parts]).removesuffix(".__init__"): path
    for path in sorted(SOURCE.rglob("*.py"))
}
MAY_IMPORT = {
    "http": {"http", "training", "engine", "store"},
    "training": {"training", "engine", "store"},
    "engine": {"engine"},
    "store": {"store"},
    "export": {"engine", "formats"},
    "formats": {"formats", "engine"},
    "__main__": {"http", "training", "store"},
}
"""Room or file of the local API, and what else of it that imports."""


def files_behind(names: set[str]) -> set[str]:
    """The files that dotted names lead to: a module itself, or the one that has the name."""
    return {name if name in FILES else name.rpartition(".")[0] for name in names} & set(FILES)


def test_no_files_import_each_other():
    """Functions that import when they are called count, too."""
    graph = {name: files_behind(imported(path)) - {name} for name, path in FILES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("a circle: " + " -> ".join(reversed(error.args[1])))


def in_local_api(name: str) -> str | None:
    parts = name.split(".")
    return parts[2] if parts[:2] == ["helpers", "local_api"] and len(parts) > 2 else None


@pytest.mark.parametrize("path", sorted((SOURCE / "local_api").rglob("*.py")), ids=lambda p: str(p.relative_to(SOURCE)))
def test_rooms_of_the_local_api_import_in_one_direction(path: Path):
    room = path.relative_to(SOURCE / "local_api").parts[0].removesuffix(".py")
    rooms = {in_local_api(name) for name in files_behind(imported(path))} - {None}
    assert rooms <= MAY_IMPORT.get(room, set()), f"{room} may import {sorted(MAY_IMPORT.get(room, set()))} only"


def test_what_turns_text_into_tokens_knows_nothing_of_the_engine():
    text = SOURCE / "local_api/engine/text"
    names = {name for path in text.glob("*.py") for name in files_behind(imported(path)) if in_local_api(name)}
    assert names and all(name.startswith("helpers.local_api.engine.text.") for name in names)
