"""Decisions for the page, drawn at random with a fixed seed, and records with evidence: the same for every Python."""

from __future__ import annotations

import random
from datetime import date, timedelta
from urllib.parse import urlencode

import decide_cases

from helpers import costs, decide
from helpers.costs.workload import bounds

FIRST_DAY = date(2026, 11, 1)
FILES = ("decide_measured.toml", "decide_scenarios.toml")


def fragments(count: int, seed: int = 24) -> list[tuple[str, str]]:
    """Day and address of so many decisions: some questions open, some numbers moved, other options and pairs."""
    draw = random.Random(seed)
    return [_one(draw) for _ in range(count)]


def _one(draw: random.Random) -> tuple[str, str]:
    day = FIRST_DAY + timedelta(days=draw.randrange(500))
    asked = draw.random() ** 0.3
    answers = {
        name: draw.choice(question.values) for name, question in decide.questions().items() if draw.random() < asked
    }
    numbers = {f"n.{name}": f"{_number(name, draw):.6g}" for name in _moved(draw)}
    known = [option.id for option in costs.options(day)]
    parts = {"v": "1", **answers, **numbers}
    if draw.random() < 0.5:
        parts["options"] = ",".join(draw.sample(known, draw.randint(0, len(known))))
    if draw.random() < 0.7:
        parts["pair"] = ",".join(draw.sample(known, 2))
    if draw.random() < 0.7:
        parts["bill"] = "counts"
    return day.isoformat(), urlencode(parts)


def _moved(draw: random.Random) -> list[str]:
    names = [name for name in (*costs.DIALS, *costs.FIELDS) if name not in ("cacheable", "tokens_in")]
    return draw.sample(names, draw.randint(0, 12))


def _number(name: str, draw: random.Random) -> float:
    """Mostly around the usual number, sometimes at an end of what may be."""
    least, most = bounds(name)
    usual = getattr(costs.Workload(), name) or 1
    value = usual * 10 ** draw.uniform(-2, 2) if draw.random() < 0.9 else draw.choice((least, min(most, 1e6)))
    return min(max(value, least), most)


def records(count: int) -> list[tuple[str, str]]:
    """Day and JSON of so many records with evidence, from the cases that test the rules."""
    cases = [case for name in FILES for case in decide_cases.cases(name) if case.evidence is not None]
    step = max(1, len(cases) // count)
    return [
        (case.today.isoformat(), decide.Record(case.name, case.answers, case.evidence, case.today).json())
        for case in cases[::step][:count]
    ]
