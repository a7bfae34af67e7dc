"""Public functions say what their arguments mean and what they raise: read off the source itself.

Ruff's D417 finds arguments that an `Args:` section leaves out; this finds functions without the section.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from helpers import errors

SOURCE = Path(__file__).resolve().parents[1] / "src" / "helpers"
ERRORS = {name for name, thing in vars(errors).items() if isinstance(thing, type) and issubclass(thing, Exception)}
OVERRIDES = {"handle_starttag", "handle_endtag", "handle_data"}
"""Methods whose arguments a library defines (`html.parser`)."""


class Public(NamedTuple):
    """A public function or method; or a class, whose docstring describes the arguments of its `__init__`."""

    name: str
    arguments: list[str]
    doc: str
    raised: set[str]

    def missing(self) -> list[str]:
        """What its docstring does not say."""
        said = section(self.doc, "Args") | section(self.doc, "Attributes")
        unsaid = [one for one in self.arguments if one not in said] if len(self.arguments) > 1 else []
        return unsaid + sorted(f"raises {error}" for error in self.raised - section(self.doc, "Raises"))


def public(source: str) -> Iterator[Public]:
    """Every public function of a module, its methods too; nested functions are nobody's business.

    A class that a documented function of its module makes needs no arguments of its own: its docstring names that
    function as ``:func:`name```.
    """
    tree = ast.parse(source)
    makers = {
        one.name for one in tree.body if isinstance(one, ast.FunctionDef) and section(ast.get_docstring(one), "Args")
    }
    for node, name in _below(tree, ""):
        doc = ast.get_docstring(node) or ""
        if isinstance(node, ast.ClassDef):
            made = makers & set(re.findall(r":func:`(\w+)`", doc))
            function = next((one for one in node.body if getattr(one, "name", "") == "__init__"), None)
            if function and not made:
                yield Public(name, _arguments(function), doc, _raised(function))
        else:
            yield Public(name, _arguments(node), doc, _raised(node))


def _below(node: ast.Module | ast.ClassDef, before: str) -> Iterator[tuple[ast.stmt, str]]:
    for child in node.body:
        name = getattr(child, "name", "_")
        if name.startswith("_") or name in OVERRIDES:
            continue
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield child, before + name
        if isinstance(child, ast.ClassDef):
            yield from _below(child, f"{before}{name}.")


def _arguments(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    given = function.args
    rest = [one for one in (given.vararg, given.kwarg) if one]
    names = [one.arg for one in [*given.posonlyargs, *given.args, *given.kwonlyargs, *rest]]
    return [name for name in names if name not in ("self", "cls") and not name.startswith("_")]


def _raised(function: ast.AST) -> set[str]:
    """The kit's errors that a function raises in its own lines."""
    found = set()
    for child in ast.iter_child_nodes(function):
        if isinstance(child, ast.Raise) and isinstance(child.exc, ast.Call) and isinstance(child.exc.func, ast.Name):
            found |= {child.exc.func.id} & ERRORS
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            found |= _raised(child)
    return found


def section(doc: str | None, title: str) -> set[str]:
    """The names that a Google-style section lists, each on a line of its own: `name: what it is`."""
    found = re.search(rf"^{title}:\n((?:[ ]+.*\n|\n)*)", f"{doc}\n", re.MULTILINE)
    return set(re.findall(r"^ {4}\**(\w+):", found.group(1), re.MULTILINE)) if found else set()


def place(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def gaps(path: Path) -> list[str]:
    found = public(path.read_text(encoding="utf-8"))
    return [f"{one.name}: {', '.join(one.missing())}" for one in found if one.missing()]


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=place)
def test_arguments_and_errors_are_described(path):
    assert not gaps(path), f"{place(path)} needs `Args:` or `Raises:`\n" + "\n".join(gaps(path))


def test_the_linter_leaves_no_file_out():
    settings = tomllib.loads((SOURCE.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
    assert settings["pydocstyle"] == {"convention": "google"} and "D417" in settings["select"]
    assert "per-file-ignores" not in settings


def test_a_gap_is_found_where_there_is_one():
    source = '''
def one(a): "No need."
def two(a, b, *c):
    """Says what one is.

    Args:
        a: said.
    """
    if a:
        raise DataError("Not said.")
class Made:
    """What :func:`maker` makes."""
    def __init__(self, a, b): ...
    def method(self, a, *, b): ...
    def _own(self, a, b): ...
class Bare:
    """Nobody describes it."""
    def __init__(self, a, b): ...
def maker(a, b):
    """Make it.

    Args:
        a: said.
        b: said.

    Raises:
        DataError: always.
    """
    raise DataError("Said.")
'''
    assert {one.name: one.missing() for one in public(source)} == {
        "one": [], "two": ["b", "c", "raises DataError"], "Made.method": ["a", "b"], "Bare": ["a", "b"], "maker": [],
    }  # fmt: skip
