"""Worlds: the notebooks from end to end against a server of planted accuracy, and the verdict that an expert expects.

A few run always, all of them with ``--all-worlds``. See ``worlds/worlds.toml``.
"""

from __future__ import annotations

import nbformat
import pytest
from lessons import set_parameters
from worlds.running import World, live, named, worlds

ALWAYS = ("88 against 39", "a project where tuning wins", "flat at 60, a large tuned model wins")


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


def test_the_verdict_is_an_experts(world: World) -> None:
    outcome = live(world)
    assert outcome.choice in world.expect, f"{outcome.headline} ({world.why})"
    assert outcome.record["verdict"]["choice"] == outcome.choice
    if world.expect_midway:
        assert outcome.choices[0] in world.expect_midway
