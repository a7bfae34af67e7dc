"""What would change a verdict: every single input moved, and the rules asked again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from statsmodels.stats.proportion import proportion_confint

from helpers import facts
from helpers.decide.case import Case, checked_evidence, percent
from helpers.decide.checklist import checked, questions
from helpers.decide.rules import rule
from helpers.decide.ruling import CHOICES, TRAINING, Ruling
from helpers.errors import DecisionError
from helpers.records import Comparison, Evidence

SHOWN_FLIPS = 6
SUPPOSED = "a target model"


@dataclass(frozen=True)
class Flip:
    """One input changed, and the verdict that this leads to.

    Attributes:
        input: question id, or "evidence: …".
        distance: how far the input moves (steps between options; 1 for a measurement).
        sentence: the flip in words.
        choice: code of the other verdict.
        answers: all answers, with the change.
        evidence: all evidence, with the change.
    """

    input: str
    distance: int
    sentence: str
    choice: str
    answers: Mapping[str, str]
    evidence: Evidence


def suppose(evidence: Evidence | None, score: float, *, rows: int = 200, plateau: str | None = None) -> Evidence:
    """The evidence as it would be if a target model had been prompted, with this share of ``rows`` right.

    For "what if" questions only: the supposed score is called "a target model", and its interval is Wilson's.

    Args:
        plateau: what its plateau test would have said ("plateaued", "still rising", "cannot tell"); None: not made.

    Raises:
        DecisionError: the score is no share, or there are no rows.
    """
    if not 0 <= score <= 1 or rows < 1:
        raise DecisionError(
            "A supposed score is a share of rows.", got=f"{score!r} of {rows!r} rows", fix="Use a share from 0 to 1."
        )
    low, high = proportion_confint(round(score * rows), rows, method="wilson")
    supposed = {
        "name": SUPPOSED, "model": SUPPOSED, "yardstick": "target", "metric": "score", "score": score,
        "low": float(low), "high": float(high), "n": rows, "split": "validation",
    }  # fmt: skip
    evidence = evidence or Evidence()
    said = {"state": plateau, "yardstick": "target", "sentence": ""} if plateau else evidence.plateau
    return checked_evidence(replace(evidence, prompt_scores=(*evidence.prompt_scores, supposed), plateau=said))


def flips(answers: Mapping[str, Any], evidence: Evidence | None = None, today: date | None = None) -> list[Flip]:
    """Every single change of one input that leads to another choice, nearest first.

    Of several changes of one input that lead to the same choice, the smallest is listed.

    Raises:
        DecisionError: as :func:`decide`.
    """
    case = Case(checked(answers), checked_evidence(evidence), today or facts.today())
    return _flips(case, rule(case)[1])


def what_would_change_it(case: Case, ruling: Ruling) -> tuple[str, ...]:
    found = _flips(case, ruling)
    shown = tuple(flip.sentence for flip in found[:SHOWN_FLIPS])
    if ruling.choice in TRAINING or any(flip.choice in TRAINING for flip in found[:SHOWN_FLIPS]):
        return shown
    nearest = next((flip.sentence for flip in found if flip.choice in TRAINING), None)
    return (*shown, nearest or "No single change leads to fine-tuning from here.")


def _flips(case: Case, ruling: Ruling) -> list[Flip]:
    found: dict[tuple[str, str], Flip] = {}
    for name, distance, words, answers, evidence in _changes(case):
        _, other = rule(Case(answers, evidence, case.today))
        if other.choice == ruling.choice:
            continue
        flip = Flip(name, distance, f"{words}: “{CHOICES[other.choice]}”.", other.choice, answers, evidence)
        known = found.get((name, other.choice))
        if known is None or distance < known.distance:
            found[name, other.choice] = flip
    return sorted(found.values(), key=lambda flip: flip.distance)


Change = tuple[str, int, str, Mapping[str, str], Evidence]


def _changes(case: Case) -> Iterator[Change]:
    """Measurements first (they weigh more), then each answer moved to each other option."""
    for name, words, evidence in _other_measurements(case):
        yield f"evidence: {name}", 1, words, case.answers, evidence
    for question in questions().values():
        here = case.answers.get(question.id)
        at = question.values.index(here) if here else None
        for index, option in enumerate(question.options):
            if index == at:
                continue
            distance = 1 if at is None else abs(index - at)
            words = f"If {option.says}" if here else f"If you answered that {option.says}"
            yield question.id, distance, words, {**case.answers, question.id: option.value}, case.evidence


def _other_measurements(case: Case) -> Iterator[tuple[str, str, Evidence]]:
    evidence = case.evidence
    if not case.target_scores:
        words = "If a target model were prompted, measured, and found right in 80 % of the rows"
        yield "target score", words, suppose(evidence, 0.8, rows=case.rows_measured)
    else:
        for state in ("plateaued", "still rising", "cannot tell"):
            if state != case.plateau:
                plateau = {"state": state, "yardstick": "target", "sentence": ""}
                words = f"If the plateau test on the target model said “{state}”"
                yield "plateau", words, replace(evidence, plateau=plateau)
        for low, difference, high, words in (
            (0.03, 0.08, 0.13, "beat the best prompted target model by 3 to 13 points"),
            (-0.13, -0.08, -0.03, "were 3 to 13 points worse than the best prompted target model"),
        ):
            lead = Comparison(
                "tuned", case.best_target["name"], "score", 200, case.best_target["score"] + difference,
                case.best_target["score"], difference, low, high, 0.95, 0.002, "",
            )  # fmt: skip
            yield "comparison", f"If the tuned model {words}", replace(evidence, comparisons=(lead,))
    for chance in (0.95, 0.05):
        cost = {**(evidence.cost or {}), "probability": chance}
        words = f"If the sums gave tuning a {percent(chance)} chance of being cheaper"
        yield "cost", words, replace(evidence, cost=cost)
    if evidence.data:
        if evidence.data.get("leaks") or evidence.data.get("errors"):
            words = "If the data report showed no errors and no leaks"
            yield "data report", words, replace(evidence, data={**evidence.data, "errors": 0, "leaks": 0})
        for rows in (20, 60, 300):
            words = f"If the data report counted {rows} good training rows"
            yield "training rows", words, replace(evidence, data={**evidence.data, "rows": rows})
