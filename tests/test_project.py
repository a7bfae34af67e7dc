"""The project file: atomic, shared by several notebooks, and clear about what is missing."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor

import pytest

from helpers.errors import ProjectError
from helpers.project import MADE_BY, Project


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("KIT_HOME", str(tmp_path))
    return tmp_path


def test_values_survive_and_other_keys_stay():
    Project("demo").set("splits", {"train": 240})
    Project("demo").set("ladder", [1, 2])
    assert Project("demo").get("splits") == {"train": 240}
    assert Project("demo").require("ladder") == [1, 2]


def test_two_notebooks_do_not_lose_each_others_keys():
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: Project("demo").set(f"key{n}", n), range(40)))
    assert Project("demo").read() == {f"key{n}": n for n in range(40)}


def _write_for_ever(home):
    import os

    os.environ["KIT_HOME"] = str(home)
    while True:
        Project("demo").set("big", "x" * 200_000)


def test_a_killed_writer_leaves_a_whole_file(home):
    Project("demo").set("kept", 1)
    for _ in range(5):
        writer = multiprocessing.get_context("spawn").Process(target=_write_for_ever, args=(home,))
        writer.start()
        writer.join(0.7)
        writer.kill()
        writer.join()
        assert Project("demo").get("kept") == 1


@pytest.mark.parametrize("key", MADE_BY)
def test_what_is_missing_names_the_lesson_that_makes_it(key):
    with pytest.raises(ProjectError, match=rf"notebooks/{MADE_BY[key][0]}\.ipynb first \(about \d+ min\)"):
        Project("demo").require(key)


@pytest.mark.parametrize("content", ["", "{", "[]", "\x00\x00", '{"a": NaN'])
def test_a_damaged_file_is_one_clear_error(home, content):
    file = Project("demo").file
    file.write_text(content)
    with pytest.raises(ProjectError, match="cannot be read"):
        Project("demo")
    assert file.read_text() == content


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 65, "a\nb"])
def test_a_name_is_a_plain_folder_name(name):
    with pytest.raises(ProjectError, match="folder name"):
        Project(name)


def test_splits_are_remembered_by_content(home):
    files = {}
    for name, rows in {"train": 3, "validation": 2, "test": 1}.items():
        files[name] = home / f"{name}.jsonl"
        files[name].write_text("{}\n" * rows)
    project = Project("demo")
    project.keep_splits(files)
    before = Project("demo").require("splits")
    assert {name: split["rows"] for name, split in before.items()} == {"train": 3, "validation": 2, "test": 1}
    files["test"].write_text("[]\n")
    project.keep_splits(files)
    assert project.require("splits")["test"]["sha256"] != before["test"]["sha256"]


def test_keeping_one_thing_in_a_group_leaves_the_others():
    Project("demo").keep("evidence", "data", {"rows": 240})
    Project("demo").keep("evidence", "plateau", None)
    assert Project("demo").get("evidence") == {"data": {"rows": 240}, "plateau": None}
