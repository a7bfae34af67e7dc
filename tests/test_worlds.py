"""Worlds: the notebooks from end to end against a server of planted accuracy, and the verdict that an expert expects.

A few run always, all of them with ``--all-worlds``. See ``worlds/worlds.toml``.
"""

from __future__ import annotations

import pytest
from worlds.running import World, live, worlds

ALWAYS = ("88 against 39", "a project where tuning wins", "flat at 60, a large tuned model wins")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    everything = metafunc.config.getoption("--all-worlds")
    chosen = [world for world in worlds() if everything or world.name in ALWAYS]
    metafunc.parametrize("world", chosen, ids=lambda world: world.name)


def test_the_verdict_is_an_experts(world: World) -> None:
    outcome = live(world)
    assert outcome.choice in world.expect, f"{outcome.headline} ({world.why})"
    assert outcome.record["verdict"]["choice"] == outcome.choice
    if world.expect_midway:
        assert outcome.choices[0] in world.expect_midway
