"""Worlds: the notebooks from end to end against a server of planted accuracy, and the verdict that an expert expects.

A few run always, all of them with ``--all-worlds``. See ``worlds/worlds.toml``.
"""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from lessons import set_parameters
from worlds.running import Life, World, live, named, own_home, worlds

from helpers import show

ALWAYS = ("88 against 39", "a project where tuning wins", "flat at 60, a large tuned model wins")

MAX_TEST_ROWS = {"lessons": 200, "your_project": 300}
"""How often a model answers one kind of prompt at most: your_project has three rungs of one kind on 100 test rows."""

RUNGS = {("lessons", "schema"): 2}
"""Rungs of one kind in lesson 4: eight examples with the schema, and those that lesson 0's search found for it."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "world" not in metafunc.fixturenames:
        return
    everything = metafunc.config.getoption("--all-worlds")
    chosen = [world for world in worlds() if everything or world.name in ALWAYS]
    metafunc.parametrize("world", chosen, ids=lambda world: world.name)


def test_steps_name_models_that_are_planted():
    for world in worlds():
        for step in world.steps:
            models = [model for role in ("lesson 0 on", "tuned", "target", "trains") for model in named(role, step)]
            assert set(models) <= set(world.models), f"{world.name}: {step}"


def test_parameters_replace_what_the_cell_has_and_nothing_else():
    tagged = nbformat.v4.new_code_cell("A, B = 1, 2", metadata={"tags": ["parameters"]})
    notebook = nbformat.v4.new_notebook(cells=[tagged, nbformat.v4.new_code_cell("A")])
    set_parameters(notebook, {"B": "x"})
    assert [cell.source for cell in notebook.cells] == ["A, B = 1, 2", "B = 'x'", "A"]
    with pytest.raises(KeyError, match="no parameters: C"):
        set_parameters(notebook, {"C": 3})


def begun(name: str, home: Path) -> Life:
    return Life(next(world for world in worlds() if world.name == name), home)


def test_the_bill_is_left_where_the_calculator_reads_it():
    with own_home() as home:
        life = begun("a win that does not pay back", home)
        unsure = life.bill(life.world.steps[-1])
        calculator = show.calculator(project=life.project)
        life.host.close()
    assert calculator.workload.calls_per_month == 2_000
    assert unsure["NOT_SURE"]["calls_per_month"] == (1_000, 4_000)
    assert calculator.pair[0].startswith("own:") and not calculator.pair[0].endswith("this-machine")


def test_leaks_are_planted_and_found():
    with own_home() as home:
        life = begun("test rows in the training file", home)
        life.host.close()
        assert life.project.get("evidence")["data"]["leaks"] == 30
        assert life.project.get("splits")["train"]["rows"] == 270


def test_the_verdict_is_an_experts(world: World) -> None:
    outcome = live(world)
    assert outcome.choice in world.expect, f"{outcome.headline} ({world.why})"
    assert outcome.record["verdict"]["choice"] == outcome.choice
    for (_, kind, split), count in outcome.answered.items():
        if split == "test":
            assert count <= MAX_TEST_ROWS[world.route] * RUNGS.get((world.route, kind), 1), "a test row was asked twice"
    if world.expect_midway:
        assert outcome.choices[0] in world.expect_midway
