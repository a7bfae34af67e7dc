"""Gate and alias: nothing passes unmeasured, and there is always a way back."""

from __future__ import annotations

import threading

import pytest

from helpers import deploy
from helpers.errors import DeployError
from helpers.project import Project

RULES = {"valid_json": {"at_least": 0.97}, "seconds": {"at_most": 2.0}}


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("KIT_HOME", str(tmp_path))
    return Project("demo")


@pytest.mark.parametrize(
    "measured, passed, failing",
    [
        ({"valid_json": 0.97, "seconds": 2.0}, True, []),
        ({"valid_json": 0.969, "seconds": 2.0}, False, ["valid_json"]),
        ({"valid_json": 1.0, "seconds": 2.1}, False, ["seconds"]),
        ({"valid_json": 1.0}, False, ["seconds"]),
        ({"valid_json": float("nan"), "seconds": None}, False, ["valid_json", "seconds"]),
    ],
)
def test_every_rule_is_held_and_what_is_unmeasured_fails(measured, passed, failing):
    answer = deploy.gate(measured, RULES)
    assert answer.passed is passed
    assert [r[2:].split(":")[0] for r in answer.reasons if r.startswith("✗")] == failing


@pytest.mark.parametrize("rules", [{}, {"a": {}}, {"a": {"about": 1.0}}])
def test_a_gate_without_usable_rules_is_refused(rules):
    with pytest.raises(DeployError):
        deploy.gate({"a": 1.0}, rules)


def test_promote_rollback_and_forward_again(project):
    deploy.promote(project, "one", "local")
    deploy.promote(project, "two", "local")
    assert deploy.current(project).model == "two"
    assert deploy.rollback(project).model == "one"
    assert deploy.rollback(project).model == "two"


def test_promoting_the_same_model_twice_keeps_the_way_back(project):
    for model in ("one", "two", "two"):
        deploy.promote(project, model, "local")
    assert deploy.rollback(project).model == "one"


def test_no_alias_and_no_way_back_are_clear_errors(project):
    with pytest.raises(DeployError, match="lesson 5"):
        deploy.current(project)
    deploy.promote(project, "one", "local")
    with pytest.raises(DeployError, match="one model only"):
        deploy.rollback(project)


def test_a_reader_never_sees_half_a_switch(project):
    deploy.promote(project, "one", "host-of-one")
    deploy.promote(project, "two", "host-of-two")
    seen, stop = set(), threading.Event()

    def read():
        while not stop.is_set():
            alias = deploy.current(project)
            seen.add((alias.model, alias.host))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(60):
        deploy.rollback(project)
    stop.set()
    reader.join()
    assert seen <= {("one", "host-of-one"), ("two", "host-of-two")} and len(seen) == 2
