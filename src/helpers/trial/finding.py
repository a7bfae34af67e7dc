"""What an experiment found: a verdict, its reason, and the numbers behind both."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

HOLDS = "holds here"
PARTLY = "holds partly"
NOT = "did not hold here"
UNTESTED = "cannot be tested here"
OVERTAKEN = "overtaken since"
LEFT_OUT = "left out of this run"

VERDICTS = (HOLDS, PARTLY, NOT, UNTESTED, OVERTAKEN)


@dataclass(frozen=True)
class Finding:
    """One claim after its experiment.

    Attributes:
        claim: its id.
        verdict: one of :data:`VERDICTS`, or "left out of this run".
        because: the finding in one sentence, with its numbers; the chart's title.
        details: further sentences, the paired comparisons among them.
        marks: the measured values, one mapping a mark of the chart: ``series``, ``label``, ``value``, ``low`` and
            ``high`` (None where there is no interval), and ``x`` where the chart is a curve.
        axis: what the values are, with their unit.
        x_axis: what ``x`` is, for curves.
        reading: how to read the chart, one sentence.
        log: whether each step of the axis is a factor of ten.
        numbers: measured numbers that other claims build on.
        sources: date and source of each fact used.
    """

    claim: str
    verdict: str
    because: str = ""
    details: tuple[str, ...] = ()
    marks: tuple[Mapping[str, Any], ...] = ()
    axis: str = ""
    x_axis: str = ""
    reading: str = ""
    log: bool = False
    numbers: Mapping[str, float] = field(default_factory=dict)
    sources: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A JSON value."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Finding:
        """The finding that :meth:`to_json` gave."""
        tuples = {name: tuple(value[name]) for name in ("details", "marks", "sources")}
        return cls(**{**value, **tuples})


@dataclass(frozen=True)
class Claim:
    """One claim of the article, in our words."""

    id: str
    says: str
    looks_at: str


@cache
def claims() -> tuple[Claim, ...]:
    """All claims, in the order of the notebook."""
    text = Path(__file__).with_name("claims.toml").read_text(encoding="utf-8")
    return tuple(Claim(**one) for one in tomllib.loads(text)["claim"])


def mark(series: str, label: str, value: float, low: float | None = None, high: float | None = None, **more) -> dict:
    """One mark of a chart.

    Args:
        series: marks of one series share a colour.
        label: what stands beside the mark.
        value: in the unit of the chart's axis.
        low: lower end of the interval; None where there is none.
        high: its upper end.
        more: ``x``, where the chart is a curve.
    """
    return {"series": series, "label": label, "value": value, "low": low, "high": high, **more}
