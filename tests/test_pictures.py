"""The lessons' pictures: drawn from what they show, readable without seeing them, self-contained, and all in use."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pytest

TOP = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TOP / "tools"))
import pictures  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"
DRAWN = sorted(pictures.PICTURES.glob("*.svg"))
NOTEBOOKS = [p for p in sorted((TOP / "notebooks").rglob("*.ipynb")) if not p.name.startswith("my_")]
IMAGE = re.compile(r"!\[(?P<alt>[^\]]*)\]\((?P<file>[^)]+)\)")


def images(path: Path) -> list[tuple[str, str]]:
    """Alternative text and file of each picture in a page's prose."""
    if path.suffix == ".ipynb":
        cells = nbformat.read(path, as_version=4).cells
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    else:
        text = path.read_text(encoding="utf-8")
    return [(hit["alt"], hit["file"]) for hit in IMAGE.finditer(text)]


def test_the_committed_pictures_are_what_the_tool_draws():
    assert {name for name, svg in pictures.pictures().items() if (pictures.PICTURES / name).read_text() != svg} == set()
    assert {path.name for path in DRAWN} == set(pictures.pictures())


@pytest.mark.parametrize("path", DRAWN, ids=lambda p: p.stem)
def test_a_picture_describes_itself_and_needs_nothing_from_elsewhere(path):
    text = path.read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)
    assert root.get("role") == "img" and root.find(f"{SVG}title").text and root.find(f"{SVG}desc").text
    assert re.findall(r"(?:href|src|@import|url\()\s*=?\s*[\"']?(?!#tip)[^\"')\s]+", text) == []
    assert "<script" not in text and "<foreignObject" not in text
    assert "prefers-color-scheme:dark" in text


@pytest.mark.parametrize("path", DRAWN, ids=lambda p: p.stem)
def test_no_line_of_text_leaves_the_picture(path):
    root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    for text in root.iter(f"{SVG}text"):
        wide = len(text.text) * float(text.get("font-size")) * 0.62
        left = float(text.get("x")) - (wide / 2 if text.get("text-anchor") == "middle" else 0)
        assert left >= -8 and left + wide <= float(root.get("width")) + 8, text.text


@pytest.mark.parametrize("page", [*NOTEBOOKS, TOP / "README.md"], ids=lambda p: p.stem)
def test_every_picture_of_a_page_is_there_and_has_a_text_in_its_place(page):
    for alt, file in images(page):
        assert (page.parent / file).is_file(), file
        assert len(alt.split()) >= 4, f"{file}: {alt!r}"


def test_every_picture_is_shown_somewhere():
    shown = {Path(file).name for page in [*NOTEBOOKS, TOP / "README.md"] for _, file in images(page)}
    assert {path.name for path in DRAWN} - shown == set()


@pytest.mark.parametrize("stop", [stop for stop, _, _ in pictures.STOPS])
def test_each_lesson_says_where_it_stands(stop):
    [path] = [p for p in NOTEBOOKS if p.parent.name == "notebooks" and p.stem.startswith(stop)]
    alt, file = images(path)[0]
    assert file == f"pictures/here_{stop}.svg" and alt.startswith("You are here:")


def test_a_quote_that_no_lesson_prints_any_more_is_refused(monkeypatch):
    monkeypatch.setattr(pictures, "said_in", lambda lesson: "something else")
    with pytest.raises(SystemExit, match="not in the lesson any more"):
        pictures.quotes()


def test_the_recorded_rungs_are_those_of_lesson_0():
    record = json.loads((pictures.PICTURES / "one_message.json").read_text(encoding="utf-8"))
    said = pictures.said_in("00_should_you_fine_tune")
    assert record["message"] in said and len(record["answers"]) == 11
    assert [one["candidate"] for one in record["answers"] if one["candidate"] not in said] == []
