"""What the README promises is there."""

from __future__ import annotations

import re
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
README = (TOP / "README.md").read_text(encoding="utf-8")
MAKEFILE = (TOP / "Makefile").read_text(encoding="utf-8")


def test_every_link_leads_somewhere():
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links and [link for link in links if not (TOP / link).exists()] == []


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
    named = set(re.findall(r"`?make ([a-z-]+)", README)) - {"and"}
    assert named and named <= targets
    for folder in re.findall(r"^([a-z]+(?:/[a-z]+)*)/ +", README, re.MULTILINE):
        assert (TOP / folder).is_dir() or (TOP / "src/helpers" / folder).is_dir(), folder


def test_what_it_says_of_python_is_what_the_package_demands():
    assert "Python 3.11 or newer" in README
    assert 'requires-python = ">=3.11"' in (TOP / "pyproject.toml").read_text()
