"""Imports between files and between rooms: no circles anywhere; one direction in the local API, ``data`` and
``show``."""

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


MAX_FILES = 12
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


@pytest.mark.parametrize("package", ROOMED)
def test_no_room_holds_more_files_than_one_can_take_in(package: str):
    assert len(list(FILES[package].parent.glob("*.py"))) <= MAX_FILES


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


COMMON = {"report", "codes", "duplicates"}
ROOMS = {
    "data": {
        "shapes": set(),
        "sensitive": COMMON,
        "columns": {"shapes"},
        "reading": {"columns", "shapes"} | COMMON,
        "checking": {"reading", "columns", "shapes", "sensitive"} | COMMON,
        "repairing": {"checking", "reading", "columns", "shapes", "sensitive", "writing"} | COMMON,
        "report": {"codes"},
        "codes": set(),
        "duplicates": set(),
        "splitting": {"duplicates"},
        "drawing": {"splitting"},
        "writing": {"report"},
        "tasks": set(),
        "origin": set(),
    },
    "show": {"html": set(), "charts": {"html"}, "panels": {"charts", "html"}, "exercise": set()},
}
"""Room, and for each room or file in it what else of the same room that imports."""

LIBRARY_OF = {"plotly": "charts", "ipywidgets": "panels"}


def inside(room: str) -> list[Path]:
    return sorted(path for path in (SOURCE / room).rglob("*.py") if path != SOURCE / room / "__init__.py")


def part_of(path: Path) -> tuple[str, str]:
    """The room of a file, and the room or file in it: ``data/reading/tables.py`` is ("data", "reading")."""
    room, part, *_ = path.relative_to(SOURCE).parts
    return room, part.removesuffix(".py")


@pytest.mark.parametrize(
    "path", [path for room in ROOMS for path in inside(room)], ids=lambda path: str(path.relative_to(SOURCE))
)
def test_rooms_within_a_room_import_in_one_direction(path: Path):
    room, part = part_of(path)
    names = files_behind(imported(path)) - {f"helpers.{room}"}
    others = {part_of(FILES[name])[1] for name in names if name.startswith(f"helpers.{room}.")} - {part}
    assert others <= ROOMS[room][part], f"{part} may import {sorted(ROOMS[room][part])} only"
    assert f"helpers.{room}" not in files_behind(imported(path)), "a room does not import its own front door"


@pytest.mark.parametrize("room", ROOMS)
def test_what_rooms_may_import_makes_no_circle_and_names_what_is_there(room: str):
    assert list(TopologicalSorter(ROOMS[room]).static_order())
    assert {part_of(path)[1] for path in inside(room)} == set(ROOMS[room])


@pytest.mark.parametrize("path", inside("show"), ids=lambda path: str(path.relative_to(SOURCE)))
def test_each_library_of_views_stays_in_its_room(path: Path):
    used = {LIBRARY_OF[root] for name in imported(path) if (root := name.partition(".")[0]) in LIBRARY_OF}
    assert used <= {part_of(path)[1]}
