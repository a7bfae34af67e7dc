"""A target's prompt score: the ladder once more, asked of a model that one would really use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import openai

from helpers import facts, providers
from helpers.evaluate.inference.pace import Pace
from helpers.evaluate.inference.spending import Price
from helpers.evaluate.metrics import Metric
from helpers.evaluate.prompts.candidates import messages
from helpers.evaluate.results.keeping import keep
from helpers.evaluate.results.plateau import plateau
from helpers.evaluate.results.results import Results
from helpers.evaluate.runs.forecasting import forecast
from helpers.evaluate.runs.runner import requests_of, run
from helpers.project import Project
from helpers.providers import LocalServer, connect
from helpers.records import Candidate, Example

FEWEST_ROWS = 10
"""Asked even of a slow local model; with fewer, an interval says nothing."""


@dataclass(frozen=True)
class Target:
    """A model to measure, where it answers, and what the reader allows there.

    Attributes:
        host, model: as ``providers.connect`` takes it, and the model's id there.
        declared: see ``Candidate``.
        price, spend_limit_usd: as for ``evaluate.run``; without a price at a host with a free tier, that is used.
        may_train_on_prompts, limits: as for ``providers.connect``.
    """

    host: str
    model: str
    declared: str = ""
    price: Price | None = None
    spend_limit_usd: float = 0.0
    may_train_on_prompts: str = ""
    limits: Mapping[str, float] | None = None


def local_target(servers: Sequence[LocalServer], model: str | None = "") -> Target | None:
    """The model of a local server to measure: the largest target that is not passed on to another machine.

    Args:
        servers: from ``providers.local_servers``.
        model: one of the servers' models, of any size; "": choose; None: none.
    """
    for server in servers:
        for one in server.models:
            if model and one.name == model:
                return Target(server.host, model)
    named = [server for server in servers if "://" not in server.host]  # others may be proxies to a paid host
    best = [(server, server.best) for server in named if server.best and server.best.role == "target"]
    if model != "" or not best:
        return None
    server, one = max(best, key=lambda pair: pair[1].parameters or 0)
    return Target(server.host, one.name)


def measure_target(
    project: Project, target: Target | None, ladder: Sequence[Candidate], rows: Sequence[Example],
    metrics: Sequence[Metric], *, worth: float, store: Path | str, minutes: float = 15, concurrency: int = 8,
) -> Results | None:  # fmt: skip
    """The ladder, asked of the target and kept in the project's ledger; None where there is no target, or where a local
    server does not answer.

    Before anything of the rows is sent, it is said where they go, and how many calls, minutes, days and dollars that
    takes. A local model is asked as many rows as the minutes allow.

    Args:
        project: whose ledger keeps the scores.
        target: what to ask; None, or one without a host: nothing is done.
        ladder: the prompts; their model is replaced by the target.
        rows: validation rows.
        metrics: the first one is the headline.
        worth: the smallest gain that would be worth having, for the plateau test (``decide.worth``).
        store: SQLite file that keeps the answers.
        minutes: that a local model may take.
        concurrency: calls at once.

    Raises:
        ConsentError: the price is above the limit or not known, or prompts may be trained on without consent.
        HostError: as ``evaluate.run``.
        AllowanceError: a free tier's day is used up, and the message says when to go on.
    """
    if target is None or not target.host:
        return None
    client = connect(target.host, may_train_on_prompts=target.may_train_on_prompts, limits=target.limits)
    host = providers.host_of(client)
    asked = [replace(one, model=target.model, declared=target.declared) for one in ladder]
    options: dict[str, Any] = {"store": store, "concurrency": concurrency, "price": target.price}
    options["spend_limit_usd"] = target.spend_limit_usd
    print(f"{target.model} at {target.host}: what is sent {host.whereabouts}.")
    if host.leaves_machine or not providers.is_free(client):
        print(forecast(client, asked, rows, **options).sentence)
    elif not _answers(client, target):
        return None
    else:
        rows = _in_time(client, asked, rows, minutes, options)
    results = run(client, asked, rows, metrics, **options)
    keep(project, results, plateau(results, worth=worth))
    return results


def free_tiers(ladder: Sequence[Candidate], rows: Sequence[Example]) -> list[dict[str, Any]]:
    """What this ladder takes at each free tier, a row a host, for display; nothing is sent.

    Args:
        ladder: the prompts.
        rows: rows that each of them would answer.
    """
    requests = [request for one in ladder for request in requests_of(one, rows)]
    found = []
    for host in providers.HOSTS.values():
        if tier := providers.tier_of(host, None):
            plan, trains = Pace(tier).plan(requests), facts.free_tier(host.free_tier)["trains_on_prompts"]
            found.append(
                {
                    "FREE_HOST": host.name,
                    "calls": plan.calls,
                    "minutes of calls, at least": plan.minutes,
                    "spread over days": plan.days,
                    "free within": f"{tier.limits} ({tier.cite})",
                    "your prompts": _use_of_prompts(host, trains),
                    "key in": host.key_variable,
                }
            )
    return found


def _use_of_prompts(host: providers.Host, trains: str) -> str:
    if trains == "no":
        return "not trained on, as far as is known"
    return f'{providers.TRAINS[trains]}; your consent: MAY_TRAIN_ON_PROMPTS = "{host.name}"'


def _answers(client: openai.OpenAI, target: Target) -> bool:
    """Whether a local server answers at all; what it keeps of a seed and a schema is printed."""
    try:
        print(*providers.try_out(client, target.model), sep="\n")
    except openai.OpenAIError as error:
        print(f"{target.host} does not answer as {target.model} ({str(error)[:200]}). Nothing was measured.")
        return False
    return True


def _in_time(
    client: openai.OpenAI, asked: Sequence[Candidate], rows: Sequence[Example], minutes: float, options: dict[str, Any]
) -> Sequence[Example]:
    """As many rows as fit in these minutes: the rung with the longest prompts is timed, and stands for all."""
    longest = max(asked, key=lambda one: sum(len(str(m["content"])) for m in messages(one, rows[0])))
    timed = forecast(client, [longest], rows, **options)
    needed = (timed.minutes or 0.0) * len(asked)
    if needed <= minutes:
        print(f"{len(rows)} rows, free of charge; at most about {max(1, round(needed))} minutes.")
        return rows
    fewer = rows[: max(FEWEST_ROWS, int(len(rows) * minutes / needed))]
    print(
        f"All {len(rows)} rows could take {needed:.0f} minutes, so {len(fewer)} are asked, for about "
        f"{needed * len(fewer) / len(rows):.0f} (TARGET_MINUTES = {minutes:g}), free of charge."
    )
    return fewer
