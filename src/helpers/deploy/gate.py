"""The release gate: rules that a model has to meet before programs may call it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from helpers.errors import DeployError
from helpers.evaluate import Results
from helpers.evaluate.probes import Damage
from helpers.ledger import COMPARED_UNIT

BOUNDS = {"at_least": lambda value, bound: value >= bound, "at_most": lambda value, bound: value <= bound}


@dataclass(frozen=True)
class Gate:
    """The answer: ``passed``, and one sentence a rule in ``reasons``, failures first."""

    passed: bool
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(["PASS" if self.passed else "FAIL", *self.reasons])


def measured(
    results: Results, candidate: str, incumbent: str, *, probes: Damage | None = None,
    data: Mapping[str, Any] | None = None,
) -> dict[str, float | None]:  # fmt: skip
    """What a gate can hold rules against, by name; what was not measured is None.

    Each metric's own name is its mean over the rows. ``gain, low end`` is the lower end of the paired interval of the
    headline metric's gain over ``incumbent`` (None for likeness, which decides nothing); ``seconds a call, median`` and
    ``USD for 1,000 calls`` are the candidate's; ``change in probes kept`` is a share of the probes, after tuning minus
    before; ``errors in the training data`` and ``leaks between splits`` come from the data report that lesson 1 keeps
    in the project.

    Args:
        results: with both candidates on the same rows.
        candidate: what is to be released.
        incumbent: what programs would call otherwise.
        probes: the probe set before and after tuning.
        data: ``errors`` and ``leaks`` of the training data.
    """
    line, report = results.table().loc[candidate], data or {}
    shares = {metric: float(pd.Series(results.scores(candidate, metric)).mean()) for metric in results.metrics}
    return {
        **shares,
        "gain, low end": results.compare(candidate, incumbent).low if results.scale()[0] == COMPARED_UNIT else None,
        "seconds a call, median": float(line["seconds"]),
        "USD for 1,000 calls": float(line["usd_per_1000"]),
        "change in probes kept": probes.comparison.difference if probes else None,
        "errors in the training data": report.get("errors"),
        "leaks between splits": report.get("leaks"),
    }


def gate(measured: Mapping[str, float | None], rules: Mapping[str, Mapping[str, float]]) -> Gate:
    """Hold every rule against what was measured; what was not measured fails.

    Args:
        measured: name → value, such as ``{"valid_json": 0.995, "gain over the best prompt, low end": 0.31}``.
        rules: name → ``{"at_least": bound}`` or ``{"at_most": bound}``, or both.

    Raises:
        DeployError: no rules, or a bound of an unknown kind: a gate that lets everything through is no gate.
    """
    unknown = sorted({kind for rule in rules.values() for kind in rule} - set(BOUNDS))
    if unknown or not rules or not all(rules.values()):
        raise DeployError(
            "The gate has no usable rules.",
            got=", ".join(unknown) or "an empty rule",
            fix="Give each rule at_least or at_most.",
        )
    failed, kept = [], []
    for name, rule in rules.items():
        value = measured.get(name)
        wanted = " and ".join(f"{kind.replace('_', ' ')} {bound:g}" for kind, bound in rule.items())
        if value is None or math.isnan(value):
            failed.append(f"✗ {name}: not measured (wanted {wanted})")
        elif all(BOUNDS[kind](value, bound) for kind, bound in rule.items()):
            kept.append(f"✓ {name}: {value:.3g} ({wanted})")
        else:
            failed.append(f"✗ {name}: {value:.3g} (wanted {wanted})")
    return Gate(not failed, (*failed, *kept))
