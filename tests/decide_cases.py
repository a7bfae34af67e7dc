"""The tables of cases as objects: short forms of evidence become records. Used by the tests of the decision room."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from helpers import facts, statistics
from helpers.decide.case import Case
from helpers.decide.checklist import checked
from helpers.decide.evidence import checked_evidence
from helpers.decide.rules.order import rule
from helpers.facts.names import base_of, size_in_name
from helpers.records import Comparison, CostForecast, DataGain, DataSummary, Evidence, Measurement, PlateauTest

TEACHING, TARGET = "smollm2-135m-instruct", "small-frontier"


@dataclass(frozen=True)
class Scenario:
    name: str
    answers: dict[str, str]
    evidence: Evidence | None
    today: date
    expect: str
    also_fine: tuple[str, ...]
    why: str
    must_say: tuple[str, ...]
    must_not_say: tuple[str, ...]


def rule_name(answers: dict[str, str], evidence: Evidence | None = None, today: date | None = None) -> str:
    """Name of the rule that decides."""
    return rule(Case(checked(answers), checked_evidence(evidence), today or facts.today()))[0]


def measurement(role: str, *, key: str = "", model: str = "", rows: str = "test", n: int = 200, score: float = 0.5,
                **more: Any) -> Measurement:  # fmt: skip
    """A measurement of this role; its interval is Wilson's where none is given."""
    key = key or role
    low, high = statistics.wilson(round(score * n), n)
    more = {
        "low": min(low, score),
        "high": max(high, score),
        "split": rows,
        "metric": "all_fields",
        "day": "2026-11-23",
    } | more
    more.setdefault("headline", True)
    return Measurement(
        candidate=key, name=key, model=model or key, host="host", role=role, known_by="known", rows=rows, n=n,
        score=score, base=base_of(model) if role == "tuned" else "",
        **{"parameters": size_in_name(base_of(model))} | more,
    )  # fmt: skip


def pair(
    a: Measurement, b: Measurement, difference: float, low: float, high: float, n: int | None = None
) -> Comparison:
    """*a* minus *b* on their rows."""
    return Comparison(
        a.name, b.name, a.metric, n or min(a.n, b.n), a.score, b.score, difference, low, high, 0.95, 0.01,
        f"{a.name} minus {b.name}: {difference:+.3f}", a_id=a.id, b_id=b.id,
    )  # fmt: skip


def plateau(of: Measurement, state: str) -> PlateauTest:
    return PlateauTest(state, of.model, of.host, of.role, of.metric, of.rows, (of.candidate,))


def evidence_from(short: dict[str, Any]) -> Evidence:
    """Evidence from a table's short form; an unknown key is an error, so that a typing slip cannot pass."""
    short = dict(short)
    measured = _measured(short.pop("measured", ()), short.pop("opened", {}))
    pairs = [
        pair(measured[one["a"]], measured[one["b"]], one["difference"], one["low"], one["high"], one.get("n"))
        for one in short.pop("pairs", ())
    ]
    for role, model in (("teaching", TEACHING), ("target", TARGET)):
        rows = f"rows of {role}"
        if role in short:
            measured[role] = measurement(role, model=model, rows=rows, split="validation", **short.pop(role))
        if (lead := f"tuned_vs_{role}") in short:
            said = short.pop(lead)
            if role not in measured:
                raise ValueError(f"{lead} without a score of {role}")
            score = min(1.0, max(0.0, measured[role].score + said["difference"]))
            tuned = measurement("tuned", key=f"tuned {role}", model="ft:x", rows=rows, n=said["n"], score=score)
            measured[tuned.candidate] = tuned
            pairs.append(pair(tuned, measured[role], **said))
    evidence = Evidence(
        measurements=tuple(measured.values()),
        comparisons=tuple(pairs),
        plateaus=_plateaus(short.pop("plateau", None), measured),
        data=DataSummary(**short.pop("data")) if "data" in short else None,
        cost=CostForecast(**short.pop("cost")) if "cost" in short else None,
        learning_curve=_curve(short.pop("curve", None)),
    )
    if short:
        raise ValueError(f"unknown evidence: {sorted(short)}")
    return evidence


def _measured(lines: Any, opened: dict[str, Any]) -> dict[str, Measurement]:
    found: dict[str, Measurement] = {}
    whole = {(line["role"], line.get("model")) for line in lines if "metric" not in line}
    for line in lines:  # a field of an answer is the main metric of whoever has no score of the whole answer
        line = {"headline": "metric" not in line or (line["role"], line.get("model")) not in whole, **line}
        times = opened.get("times", 0) if line["rows"] == opened.get("rows") else 0
        # several metrics of one candidate stand under keys of their own: the candidate is its role and model
        same = next((m for m in found.values() if (m.role, m.model) == (line["role"], line.get("model", ""))), None)
        one = measurement(line.pop("role"), openings=times, **line)
        if same is not None and one.metric != same.metric and one.rows == same.rows:
            one = Measurement(**{**vars(one), "candidate": same.candidate})
        found[line["key"]] = one
    return found


def _plateaus(test: dict[str, str] | None, measured: dict[str, Measurement]) -> tuple[PlateauTest, ...]:
    """A test of somebody's prompts; without a score of that model's it is one of a model that nobody measured."""
    if test is None:
        return ()
    key = test.get("of") or test["yardstick"]
    return (plateau(measured.get(key) or measurement("teaching", model="unmeasured"), test["state"]),)


def _curve(short: dict[str, float] | None) -> DataGain | None:
    return None if short is None else DataGain(short["gain"], short["low"], short["high"])


def cases(file: str = "decide_scenarios.toml") -> list[Scenario]:
    """Every scenario of one table."""
    table = tomllib.loads((Path(__file__).parent / file).read_text(encoding="utf-8"))
    return [
        Scenario(
            name=row["name"],
            answers={**table["bases"][row["base"]], **row.get("answers", {})},
            evidence=evidence_from(row["evidence"]) if "evidence" in row else None,
            today=table["today"],
            expect=row["expect"],
            also_fine=tuple(row.get("also_fine", ())),
            why=row["why"],
            must_say=tuple(row.get("must_say", ())),
            must_not_say=tuple(row.get("must_not_say", ())),
        )
        for row in table["case"]
    ]
