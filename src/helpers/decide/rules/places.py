"""Where a model would be trained: on the reader's own machines, at their host, or at the most portable open one."""

from __future__ import annotations

from dataclasses import dataclass

from helpers.decide import hosts
from helpers.decide.case import Case
from helpers.decide.rules.criteria import must_run_locally


@dataclass(frozen=True)
class Place:
    """A place to train.

    Attributes:
        choice: the verdict that names it, in :data:`CHOICES`.
        name: host or machine, for the headline.
        because: ids of the questions whose answers lead there.
        facts: what the facts say of it.
        before: steps that come ahead of everything else there.
    """

    choice: str
    name: str
    because: tuple[str, ...]
    facts: tuple[str, ...] = ()
    before: tuple[str, ...] = ()


def place(case: Case) -> Place:
    """Data or network first, then the reader's host if it is open, then their own people, then another host."""
    if case.says("privacy", "stays") or must_run_locally(case):
        return Place("tune_yourself", "on your own machines", ("privacy", "latency"))
    host = case.answers.get("host", "none")
    if hosts.open_to_new(host, case.today):
        return Place("tune_at_provider", hosts.name(host), ("host", "privacy"), (hosts.about(host, case.today),))
    if case.says("maintenance", "team"):
        return Place("tune_yourself", "with your own people", ("maintenance",))
    return _at_a_host_to_be_named(case, host)


def _at_a_host_to_be_named(case: Case, tied_to: str) -> Place:
    """The most portable open host; with none open, the reader's own machine is left."""
    host = hosts.best_host(case.today)
    if host is None:
        return Place("tune_yourself", "because no host in the table is open", ("host",))
    named = (host,) if tied_to in ("none", "other") else (host, tied_to)
    return Place(
        "tune_at_provider",
        hosts.name(host),
        ("host", "maintenance", "privacy"),
        tuple(hosts.about(one, case.today) for one in named),
        _before_a_host_gets_data(case, hosts.name(host)),
    )


def _before_a_host_gets_data(case: Case, name: str) -> tuple[str, ...]:
    """What to settle before rows go to a host that the kit names and the reader did not."""
    ask_yours = "Ask your own host first whether it fine-tunes models: the kit's table does not know it."
    approve = (
        f"Send no row to {name} before it is approved for your data. An approved host that trains, or that rents out "
        "plain GPUs, would do as well."
    )
    return ((ask_yours,) if case.says("host", "other") else ()) + (
        (approve,) if case.says("privacy", "some_hosts") else ()
    )
