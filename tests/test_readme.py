"""What the README and the pages beside it promise is there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

TOP = Path(__file__).resolve().parents[1]
README = (TOP / "README.md").read_text(encoding="utf-8")
MEASURED = (TOP / "docs/measured.md").read_text(encoding="utf-8")
MAKEFILE = (TOP / "Makefile").read_text(encoding="utf-8")
PAGES = ("README.md", "docs/measured.md", "notebooks/glossary.md")


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    text = (TOP / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert links and [link for link in links if not ((TOP / page).parent / link).exists()] == []


def test_the_first_screen_shows_what_it_is_and_how_to_start():
    first = README[: README.index("## What is real")]
    for promise in (
        "docs/pictures/checklist.png",
        "docs/pictures/record.png",
        "make lab\n",
        "make test\n",
        "The verdict:",
    ):
        assert promise in first
    for shot in (TOP / "docs/pictures").glob("*.png"):
        assert shot.stat().st_size <= 150_000, shot.name


def test_every_measurement_says_how_to_repeat_it():
    rows = [line.strip("| ").split(" | ") for line in MEASURED.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 10 and {len(row) for row in rows} == {3}
    for *_, command in rows:
        assert command.startswith("`") or command == "the same", command
    assert [file for file in re.findall(r"benchmarks/\w+\.py", MEASURED) if not (TOP / file).exists()] == []


def test_the_citation_and_the_dev_container_can_be_read():
    citation = yaml.safe_load((TOP / "CITATION.cff").read_text(encoding="utf-8"))
    assert f'version = "{citation["version"]}"' in (TOP / "pyproject.toml").read_text()
    text = (TOP / ".devcontainer/devcontainer.json").read_text(encoding="utf-8")
    container = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
    target = container["postCreateCommand"].removeprefix("make ")
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)


def test_every_lesson_is_listed_once():
    shipped = [
        p.relative_to(TOP)
        for where in ("*.ipynb", "extra/*.ipynb")
        for p in (TOP / "notebooks").glob(where)
        if p.name[:3] != "my_"
    ]
    assert len(shipped) >= 9
    assert [str(path) for path in shipped if README.count(f"]({path})") != 1] == []


def test_every_make_command_exists_and_every_folder_too():
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", README + MEASURED, re.MULTILINE))
    assert named and named <= targets
    for folder in re.findall(r"^([a-z]+(?:/[a-z]+)*)/ +", README, re.MULTILINE):
        assert (TOP / folder).is_dir() or (TOP / "src/helpers" / folder).is_dir(), folder


def test_what_it_says_of_python_is_what_the_package_demands():
    assert "Python 3.11 or newer" in README
    assert 'requires-python = ">=3.11"' in (TOP / "pyproject.toml").read_text()
