"""The scenario table as objects: short forms of evidence become records. Used by the tests of the decision room."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from helpers.records import Comparison, Evidence

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


def score(name: str, model: str, yardstick: str, numbers: dict[str, float]) -> dict[str, Any]:
    """One prompted candidate's score as the evaluation room reports it."""
    return {
        "name": name, "model": model, "yardstick": yardstick, "metric": "all fields", "split": "validation", **numbers,
    }  # fmt: skip


def tuned_against(name: str, difference: float, low: float, high: float, n: int) -> Comparison:
    """The tuned model minus a prompted one."""
    sentence = f"tuned minus {name}: {difference:+.3f}"
    return Comparison(
        "tuned", name, "all fields", n, 0.5 + difference / 2, 0.5 - difference / 2, difference, low, high, 0.95, 0.01,
        sentence,
    )  # fmt: skip


def evidence_from(short: dict[str, Any]) -> Evidence:
    """Evidence from the table's short form; an unknown key is an error, so that a typing slip cannot pass."""
    short = dict(short)
    scores, comparisons = [], []
    for key, name, model in (("teaching", "teaching prompt", TEACHING), ("target", "target prompt", TARGET)):
        if key in short:
            scores.append(score(name, model, key, short.pop(key)))
        if (pair := f"tuned_vs_{key}") in short:
            if not any(s["name"] == name for s in scores):
                raise ValueError(f"{pair} without a score of {key}")
            comparisons.append(tuned_against(name, **short.pop(pair)))
    curve = short.pop("curve", None)
    if curve:
        curve = {"gain_from_doubling": curve["gain"], "low": curve["low"], "high": curve["high"], "sentence": ""}
    evidence = Evidence(
        data=short.pop("data", None),
        prompt_scores=tuple(scores),
        plateau={**short.pop("plateau"), "sentence": ""} if "plateau" in short else None,
        comparisons=tuple(comparisons),
        cost={"sentence": "", **short.pop("cost")} if "cost" in short else None,
        learning_curve=curve,
    )
    if short:
        raise ValueError(f"unknown evidence: {sorted(short)}")
    return evidence


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
