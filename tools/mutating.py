"""Small changes to Python code that its tests should notice: what `make mutants` runs (see ``mutants.py``).

The operators are the standard ones: comparison, arithmetic, boolean, constant (a number becomes one more, True becomes
False) and return (None instead). Messages are not changed: a test that holds every word holds nothing.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAIRS = (
    (ast.Add, ast.Sub), (ast.Mult, ast.Div), (ast.BitAnd, ast.BitOr), (ast.And, ast.Or), (ast.Eq, ast.NotEq),
    (ast.Lt, ast.LtE), (ast.Gt, ast.GtE), (ast.Is, ast.IsNot), (ast.In, ast.NotIn),
)  # fmt: skip
SWAPS = {ast.FloorDiv: ast.Div, ast.Mod: ast.Mult, ast.Pow: ast.Mult} | dict(PAIRS) | {b: a for a, b in PAIRS}
NOT_RUN = {"annotation", "returns", "decorator_list"}
"""Parts of the syntax without behaviour that a test should hold: type annotations, and whether a class is frozen."""


@dataclass(frozen=True)
class Mutant:
    """One change: where it is, what it changes, and its number among the changes of its file.

    The id depends on the function and the change alone: it stays when lines move or the file moves to another folder.
    """

    id: str
    file: Path
    line: int
    was: str
    now: str
    number: int


def changes(node: ast.AST) -> Iterator[tuple[str, Any]]:
    """What can be changed in a node: the name of one of its fields, and the field's new value."""
    match node:
        case ast.BinOp(op=op) | ast.AugAssign(op=op) | ast.BoolOp(op=op) if type(op) in SWAPS:
            yield "op", SWAPS[type(op)]()
        case ast.Compare(ops=ops):
            for at, op in enumerate(ops):
                yield "ops", [*ops[:at], SWAPS[type(op)](), *ops[at + 1 :]]
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "operand", ast.UnaryOp(ast.Not(), operand)
        case ast.UnaryOp(op=ast.USub()):
            yield "op", ast.UAdd()
        case ast.Constant(value=bool() as value):
            yield "value", not value
        case ast.Constant(value=int() | float() as value):
            yield "value", value + 1
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield "value", ast.Constant(None)


def sites(node: ast.AST, parent: ast.AST, scope: str) -> Iterator[tuple[ast.AST, ast.AST, str, str, Any]]:
    """Every change below a node: the node, what shows it in its context, its function, the field and its new value."""
    for name, value in changes(node):
        yield node, parent if isinstance(node, ast.Constant) else node, scope, name, value
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        scope = f"{scope}.{node.name}"
    for name, inside in ast.iter_fields(node):
        for each in inside if isinstance(inside, list) else [inside]:
            # zip(strict=True) asserts what the code takes for granted; a test cannot make it untrue
            strict = isinstance(each, ast.keyword) and each.arg == "strict"
            if isinstance(each, ast.AST) and name not in NOT_RUN and not strict:
                yield from sites(each, node, scope)


@contextlib.contextmanager
def changed(node: ast.AST, name: str, value: Any) -> Iterator[None]:
    before = getattr(node, name)
    setattr(node, name, value)
    yield
    setattr(node, name, before)


def mutants(file: Path, top: Path) -> list[Mutant]:
    """All mutants of a file below ``top``, in the order of the syntax tree."""
    found: list[Mutant] = []
    seen: Counter[tuple[str, ...]] = Counter()
    module = ast.parse(file.read_text(encoding="utf-8"))
    for number, (node, context, scope, name, value) in enumerate(sites(module, module, file.stem)):
        was = ast.unparse(context).partition("\n")[0]
        with changed(node, name, value):
            now = ast.unparse(context).partition("\n")[0]
        seen[what := (scope, was, now)] += 1
        key = hashlib.sha256(repr((*what, seen[what])).encode()).hexdigest()[:8]
        found.append(Mutant(key, file.relative_to(top), node.lineno, was, now, number))
    return found


def mutated(file: Path, number: int) -> str:
    """The source of a file with its change of this number, as :func:`mutants` counts them."""
    module = ast.parse(file.read_text(encoding="utf-8"))
    for at, (node, _, _, name, value) in enumerate(sites(module, module, "")):
        if at == number:
            with changed(node, name, value):
                return ast.unparse(module)
    raise LookupError(f"{file} has no change {number}: was it changed while its mutants were run? Start again.")
