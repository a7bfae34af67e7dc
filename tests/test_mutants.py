"""`make mutants`: what is changed and what is not, ids that outlive a move, and a table whose files are there."""

from __future__ import annotations

import tomllib
from pathlib import Path

import mutants as driver
import pytest
from mutating import mutants, mutated

CODE = '''
"""A docstring of 2 lines."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bill:
    months: int | None = 12


def per_call(total: float, calls: int | None) -> float | None:
    """At 0 calls there is none."""
    if not calls or total < 0 or calls is None:
        return None
    pairs = zip([total], [calls], strict=True)
    return f"{total / calls:.2f}", [-n for n, _ in pairs]
'''


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "bill.py").write_text(CODE)
    return tmp_path / "bill.py"


def test_each_operator_of_the_code_is_changed_and_nothing_else(file: Path):
    assert {(one.was, one.now) for one in mutants(file, file.parent)} == {
        ("months: int | None = 12", "months: int | None = 13"),
        ("not calls or total < 0 or calls is None", "not calls and total < 0 and (calls is None)"),
        ("not calls", "not not calls"),
        ("total < 0", "total <= 0"),
        ("total < 0", "total < 1"),
        ("calls is None", "calls is not None"),
        ("return (f'{total / calls:.2f}', [-n for n, _ in pairs])", "return None"),
        ("total / calls", "total * calls"),
        ("-n", "+n"),
    }


def test_a_mutant_is_the_file_with_one_change(file: Path):
    before = file.read_text()
    for one in mutants(file, file.parent):
        source = mutated(file, one.number)
        compile(source, "bill.py", "exec")
        assert one.now.removeprefix("months: int | None = ") in source
    assert file.read_text() == before
    with pytest.raises(LookupError, match="Start again"):
        mutated(file, 99)


def test_an_id_stays_when_lines_or_the_file_move_and_is_a_changes_own(file: Path):
    ids = [one.id for one in mutants(file, file.parent)]
    assert len(set(ids)) == len(ids)
    moved = file.parent / "room" / "bill.py"
    moved.parent.mkdir()
    moved.write_text(CODE.replace("class Bill", "\n\n\nclass Bill"))
    assert [one.id for one in mutants(moved, file.parent)] == ids
    twice = CODE + "\n\ndef twice(n):\n    return n + n + 1, n + 1\n"
    file.write_text(twice)
    assert len({one.id for one in mutants(file, file.parent)}) == len(mutants(file, file.parent))


def test_the_table_names_files_that_are_there_and_equal_changes_that_can_be_made():
    table = tomllib.loads(Path(driver.__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    for room in table["rooms"].values():
        assert all(any(driver.TOP.glob(pattern)) for pattern in room["files"]), room["files"]
        assert all((driver.TOP / test).is_file() for test in room["tests"] if test[0] != "-"), room["tests"]
    files = {file for room in table["rooms"].values() for pattern in room["files"] for file in driver.TOP.glob(pattern)}
    known = {one.id for file in files for one in mutants(file, driver.TOP)}
    assert [one["what"] for one in table.get("equal", ()) if one["id"] not in known] == [], "changed since: remove them"
    assert all(one["why"] for one in table.get("equal", ()))
