"""What ``facts``, ``costs`` and ``decide`` compute needs the standard library alone, so that a browser can run it."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src"
ROOMS = ("facts", "costs", "decide")
SINGLE = ("errors", "records", "formatting", "atomic", "proportions", "today")
AROUND = {
    "facts/frames.py", "facts/library.py", "facts/review.py", "facts/__main__.py",
    "costs/tables/frames.py", "costs/tables/article.py", "costs/counted.py",
    "decide/record/begun.py", "decide/record/gathering.py", "decide/record/record.py", "decide/__main__.py",
}  # fmt: skip
"""Put around the core: tables, token counts, what lessons measured, the record's pages. Nothing else may need more."""

CORE = [
    *(f"{name}.py" for name in SINGLE),
    *(
        str(path.relative_to(SOURCE / "helpers"))
        for room in ROOMS
        for path in sorted((SOURCE / "helpers" / room).rglob("*.py"))
        if str(path.relative_to(SOURCE / "helpers")) not in AROUND
    ),
]


def imports(path: Path) -> set[str]:
    """Dotted names that a file imports, at any depth; functions that import when called do not escape."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("name", CORE)
def test_the_core_imports_the_standard_library_and_itself(name):
    parts = {Path(one).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__") for one in CORE}
    outside = set()
    for one in imports(SOURCE / "helpers" / name):
        root, _, rest = one.partition(".")
        if root == "helpers":
            fine = not rest or rest in parts or rest.rpartition(".")[0] in parts
            outside |= set() if fine else {one}
        elif root not in sys.stdlib_module_names and root != "__future__":
            outside.add(one)
    assert not outside


def test_every_module_around_the_core_is_there():
    assert [name for name in AROUND if not (SOURCE / "helpers" / name).exists()] == []


BARE = """
import sys, json
sys.path.insert(0, sys.argv[1])
from datetime import date
from helpers import costs, decide, facts
day = date(2026, 11, 29)
answers = {name: question.values[-1] for name, question in decide.questions().items()}
verdict = decide.decide(answers, decide.suppose(None, 0.7, plateau="plateaued"), day)
workload = costs.Workload()
rows, age = costs.bills(workload, on=day)
pair = [next(row["option"] for row in rows if row["kind"] == kind) for kind in ("tuned", "prompt")]
chance = costs.probability_cheaper(workload, *pair, {"calls_per_month": (5_000, 100_000)}, day)
print(json.dumps([verdict.headline, verdict.what_would_change_it, rows[0]["total"],
                  costs.break_even(workload, *pair, day).sentence, chance.sentence, facts.next_shutdown(day)]))
assert not {"numpy", "pandas", "scipy", "jinja2", "filelock"} & set(sys.modules)
"""


def test_it_decides_and_sums_up_where_nothing_is_installed():
    """A Python without its site-packages, as a browser's is; and it says what this Python says, libraries and all."""
    bare = subprocess.run(
        [sys.executable, "-I", "-S", "-c", BARE, str(SOURCE)], capture_output=True, text=True, check=True
    )
    whole = subprocess.run(
        [sys.executable, "-c", BARE.rsplit("assert", 1)[0], str(SOURCE)], capture_output=True, text=True, check=True
    )
    assert json.loads(bare.stdout) == json.loads(whole.stdout)
    assert all(json.loads(bare.stdout))


def test_tables_are_asked_for_by_the_names_they_always_had():
    from helpers import costs, decide, facts

    for room in (facts, costs, decide):
        assert [name for name in room.__all__ if not hasattr(room, name)] == []
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = facts.nonsense
