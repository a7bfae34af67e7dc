"""Imports between files and between rooms: no circles anywhere, and one direction in the local API."""

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
    "store": set(),
    "export": {"engine", "formats"},
    "formats": {"formats", "engine"},
    "__main__": {"http", "training", "store"},
}
"""Room or file of the local API, and what else of it that imports."""


def files_behind(names: set[str]) -> set[str]:
    """The files that dotted names lead to: a module itself, or the one that has the name."""
    return {name if name in FILES else name.rpartition(".")[0] for name in names} & set(FILES)


def circle(graph: dict[str, set[str]]) -> str:
    """A circle in a graph of names, as ``a -> b -> a``; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return " -> ".join(reversed(error.args[1]))
    return ""


IMPORTS = {name: files_behind(imported(path)) - {name} for name, path in FILES.items()}
"""File → the files that it imports. Functions that import when they are called count, too."""


def test_no_files_import_each_other():
    assert not circle(IMPORTS)


def between_rooms(package: str, imports: dict[str, set[str]]) -> dict[str, set[str]]:
    """What stands directly in a package, each room with all files below it → what else there it imports."""
    inside = len(package.split(".")) + 1
    graph: dict[str, set[str]] = {}
    for name, others in imports.items():
        if name.startswith(package + "."):
            room = ".".join(name.split(".")[:inside])
            rooms = {".".join(other.split(".")[:inside]) for other in others if other.startswith(package + ".")}
            graph[room] = graph.get(room, set()) | rooms - {room}
    return graph


ROOMED = sorted({name for name in FILES if any(other.startswith(name + ".") for other in FILES)})


@pytest.mark.parametrize("package", ROOMED)
def test_no_rooms_import_each_other(package: str):
    """Of two rooms each may be free of circles, and still each import from the other."""
    assert not circle(between_rooms(package, IMPORTS))


def test_a_circle_between_rooms_is_found_where_no_two_files_import_each_other():
    imports = {
        "kit.a": set(), "kit.a.one": {"kit.b.one"}, "kit.a.two": set(),
        "kit.b.one": set(), "kit.b.two": {"kit.a.two", "kit.c"}, "kit.c": set(),
    }  # fmt: skip
    assert not circle(imports)
    assert between_rooms("kit", imports) == {"kit.a": {"kit.b"}, "kit.b": {"kit.a", "kit.c"}, "kit.c": set()}
    assert circle(between_rooms("kit", imports)) in ("kit.a -> kit.b -> kit.a", "kit.b -> kit.a -> kit.b")


@pytest.mark.parametrize(
    "package", [name for name in ROOMED if name.startswith(("helpers.evaluate", "helpers.decide"))]
)
def test_a_room_has_twelve_files_at_most(package: str):
    assert len(list(FILES[package].parent.glob("*.py"))) <= 12


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
