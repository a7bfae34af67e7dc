"""A case: answers and measurements brought together, with the rule that a measurement beats an answer.

The one exception is the teaching model: its prompted scores never count as evidence about prompting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from helpers.decide.checklist import questions
from helpers.errors import DecisionError
from helpers.records import Evidence

BUCKETS = ((1000, "1000_plus"), (200, "200_999"), (50, "50_199"), (10, "10_49"), (0, "under_10"))
PLATEAU = {
    "plateaued": ("plateau", "the prompts of the target model have plateaued"),
    "still rising": ("improving", "the prompts of the target model are still rising"),
}
"""State of a plateau test on a target model: the answer that it gives to the question on effort, and its words."""


@dataclass(frozen=True)
class Lead:
    """The tuned model minus a prompted target model, on the same test rows; the strongest such rival counts."""

    rival: str
    difference: float
    low: float
    high: float
    n: int
    sentence: str


@dataclass(frozen=True)
class Case:
    """What the rules look at.

    Attributes:
        answers: what the reader answered (already checked).
        evidence: what was measured.
        today: the day on which life dates are read.
    """

    answers: Mapping[str, str]
    evidence: Evidence
    today: date

    @cached_property
    def measured(self) -> dict[str, tuple[str, str]]:
        """Questions that a measurement answers: id to (option, the measurement in words)."""
        found: dict[str, tuple[str, str]] = {}
        data = self.evidence.data or {}
        if (rows := data.get("rows")) is not None:
            bucket = next(name for least, name in BUCKETS if rows >= least)
            found["examples"] = (bucket, f"the data report counts {rows:,} good training rows")
        if data.get("errors"):
            found["quality"] = ("mixed", f"the data report counts {data['errors']:,} errors")
        if self.evidence.prompt_scores:
            found["evaluation"] = ("fixed_set", "prompts were scored on a fixed split")
            if self.answers.get("effort", "none") == "none":
                found["effort"] = ("days", f"{len(self.evidence.prompt_scores)} prompts were scored")
        if self.target_scores:
            best = self.best_target
            found["models_tried"] = ("measured", f"{best['model']} was prompted and scored {percent(best['score'])}")
        if self.plateau in PLATEAU:
            found["effort"] = PLATEAU[self.plateau]
        return found

    @cached_property
    def effective(self) -> dict[str, str]:
        """Answers after measurements have had their say."""
        return {**self.answers, **{name: value for name, (value, _) in self.measured.items()}}

    def says(self, question: str, *options: str) -> bool:
        """Whether the effective answer to ``question`` is one of ``options``."""
        return self.effective.get(question) in options

    def knows(self, question: str) -> bool:
        return question in self.effective

    @cached_property
    def disagreements(self) -> list[str]:
        """Where an answer and a measurement differ: both, in one sentence each."""
        found = []
        for name, (value, words) in self.measured.items():
            answer = self.answers.get(name)
            if answer is not None and answer != value and not (name == "effort" and answer == "none"):
                option = questions()[name].option(answer)
                found.append(f"You answered that {option.says}, but {words}. The measurement counts.")
        return found

    # ------------------------------------------------------------------ measurements, read once

    @cached_property
    def target_scores(self) -> list[Mapping[str, Any]]:
        return [score for score in self.evidence.prompt_scores if score["yardstick"] == "target"]

    @cached_property
    def best_target(self) -> Mapping[str, Any]:
        return max(self.target_scores, key=lambda score: score["score"])

    @cached_property
    def plateau(self) -> str:
        """State of the plateau test when it was made on a target model; empty otherwise."""
        test = self.evidence.plateau or {}
        return test["state"] if test.get("yardstick") == "target" else ""

    @cached_property
    def lead(self) -> Lead | None:
        """Tuned against the prompted target model that it beats least, or None when no such pair was measured."""
        targets = {score["name"] for score in self.target_scores}
        prompted = {score["name"] for score in self.evidence.prompt_scores}
        leads = []
        for c in self.evidence.comparisons:
            if c.b in targets and c.a not in prompted:
                leads.append(Lead(c.b, c.difference, c.low, c.high, c.n, c.sentence))
            elif c.a in targets and c.b not in prompted:
                leads.append(Lead(c.a, -c.difference, -c.high, -c.low, c.n, c.sentence))
        return min(leads, key=lambda lead: lead.difference, default=None)

    @cached_property
    def cheaper(self) -> float | None:
        """Probability that tuning is cheaper, or None when the sums were not done."""
        return (self.evidence.cost or {}).get("probability")

    @property
    def rows_measured(self) -> int:
        """Rows of the largest prompt score; 200, as in the sample, when there is none."""
        return max((int(score["n"]) for score in self.evidence.prompt_scores), default=200)

    @cached_property
    def leaks(self) -> int:
        return int((self.evidence.data or {}).get("leaks") or 0)


def percent(share: float) -> str:
    """A share as whole percent."""
    return f"{share:.0%}".replace("%", " %")


def points(share: float) -> str:
    """A difference of shares as points, with its sign."""
    return f"{share * 100:+.1f}".replace("-", "−") + " points"


def checked_evidence(evidence: Evidence | None) -> Evidence:
    """The evidence, when its parts have what the rules read; None becomes empty evidence.

    Raises:
        DecisionError: something is missing or of the wrong kind; all such problems at once.
    """
    if evidence is None:
        return Evidence()
    found: list[str] = []
    if not isinstance(evidence, Evidence):
        found.append(f"a {type(evidence).__name__} instead of records.Evidence")
    else:
        for index, score in enumerate(evidence.prompt_scores):
            lacking = [key for key in ("name", "model", "yardstick", "score", "low", "high", "n") if key not in score]
            if lacking:
                found.append(f"prompt_scores[{index}] lacks {', '.join(lacking)}")
            elif score["yardstick"] not in ("teaching", "target"):
                found.append(f"prompt_scores[{index}] has yardstick {score['yardstick']!r}, not 'teaching' or 'target'")
        states = ("plateaued", "still rising", "cannot tell")
        if evidence.plateau is not None and evidence.plateau.get("state") not in states:
            found.append(f"plateau state {evidence.plateau.get('state')!r} is not one of {', '.join(states)}")
        for key in ("rows", "errors", "warnings", "leaks"):
            value = (evidence.data or {}).get(key)
            if value is not None and (not isinstance(value, int) or value < 0):
                found.append(f"data[{key!r}] is {value!r}, not a count")
        chance = (evidence.cost or {}).get("probability")
        if chance is not None and not 0 <= chance <= 1:
            found.append(f"cost['probability'] is {chance!r}, not between 0 and 1")
    if found:
        raise DecisionError(
            "The evidence cannot be read.", got="; ".join(found), fix="See records.Evidence for the shape."
        )
    return evidence
