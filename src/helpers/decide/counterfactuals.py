"""What would change a verdict: every single input moved, and the rules asked again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from helpers import facts, proportions
from helpers.decide.case import Case
from helpers.decide.checklist import checked, questions
from helpers.decide.evidence import checked_evidence
from helpers.decide.rules.criteria import enough_rows
from helpers.decide.rules.order import rule
from helpers.decide.rules.ruling import CHOICES, TRAINING, Ruling
from helpers.errors import DecisionError
from helpers.formatting import percent
from helpers.records import Comparison, CostForecast, Evidence, Measurement, PlateauTest, Role

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

    For "what if" questions only: the supposed model is called "a target model", and its interval is Wilson's.

    Args:
        evidence: what was measured; None for nothing.
        score: share of right rows, 0 to 1.
        rows: how many rows it is supposed to be measured on; they set the width of the interval.
        plateau: what its plateau test would have said ("plateaued", "still rising", "cannot tell"); None: not made.

    Raises:
        DecisionError: the score is no share, or there are no rows.
    """
    if not 0 <= score <= 1 or rows < 1:
        raise DecisionError(
            "A supposed score is a share of rows.", got=f"{score!r} of {rows!r} rows", fix="Use a share from 0 to 1."
        )
    evidence = evidence or Evidence()
    metric = next((m.metric for m in reversed(evidence.measurements) if m.headline and m.unit == "share"), "score")
    low, high = proportions.wilson(round(score * rows), rows)
    supposed = Measurement(
        candidate=SUPPOSED, name=SUPPOSED, model=SUPPOSED, host="", role="target", known_by="supposed", metric=metric,
        split="validation", rows=SUPPOSED, n=rows, score=score, low=min(low, score), high=max(high, score), day="",
    )  # fmt: skip
    tests = evidence.plateaus + ((_plateau(supposed, plateau),) if plateau else ())
    return checked_evidence(replace(evidence, measurements=(*evidence.measurements, supposed), plateaus=tests))


def _plateau(of: Measurement, state: str) -> PlateauTest:
    return PlateauTest(state, of.model, of.host, of.role, of.metric, of.rows, (of.candidate,))


def flips(answers: Mapping[str, Any], evidence: Evidence | None = None, today: date | None = None) -> list[Flip]:
    """Every single change of one input that leads to another choice, nearest first.

    Of several changes of one input that lead to the same choice, the smallest is listed.

    Args:
        answers: question's id → option's value.
        evidence: what was measured; None for nothing.
        today: the day whose facts count; today by default.

    Raises:
        DecisionError: as :func:`decide`.
    """
    case = Case(checked(answers), checked_evidence(evidence), today or facts.today())
    return _flips(case, rule(case)[1])


def what_would_change_it(case: Case, ruling: Ruling) -> tuple[str, ...]:
    """The nearest flips as sentences, and the nearest one to training where none of these leads there.

    Args:
        case: the inputs.
        ruling: what :func:`helpers.decide.rules.order.rule` made of them.
    """
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
        leads_to = f"“{CHOICES[other.choice]}”"
        if (ruling.choice, other.choice) == ("measure_target", "keep_prompting"):  # else it reads as no change
            leads_to += ", whatever a stronger model would score"
        flip = Flip(name, distance, f"{words}: {leads_to}.", other.choice, answers, evidence)
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
    if not case.targets:
        score = max(0.8, (1 + case.best_code.score) / 2) if case.best_code else 0.8
        words = f"If a target model were prompted, measured, and found right in {percent(score)} of the rows"
        yield "target score", words, suppose(evidence, score, rows=case.rows_measured)
    else:
        for state in ("plateaued", "still rising", "cannot tell"):
            if state != case.plateau:
                words = f"If the plateau test on the target model said “{state}”"
                yield (
                    "plateau",
                    words,
                    replace(evidence, plateaus=(*evidence.plateaus, _plateau(case.best_target, state))),
                )
        yield from _other_scores(case)
        yield from _other_rivals(case)
    for chance in (0.95, 0.05):
        cost = replace(evidence.cost or CostForecast(), probability=chance)
        words = f"If the cost calculation gave tuning a {percent(chance)} chance of being cheaper"
        yield "cost", words, replace(evidence, cost=cost)
    if evidence.data:
        if evidence.data.leaks or evidence.data.errors:
            words = "If the data report showed no errors and no leaks"
            yield "data report", words, replace(evidence, data=replace(evidence.data, errors=0, leaks=0))
        for rows in (20, 60, 300):
            words = f"If the data report counted {rows} good training rows"
            yield "training rows", words, replace(evidence, data=replace(evidence.data, rows=rows))


def _other_scores(case: Case) -> Iterator[tuple[str, str, Evidence]]:
    """The best target's score moved, where nothing was compared with it."""
    if case.lead or case.code_against_target:
        return
    best = case.best_target
    for score in (0.60, 0.97):
        low, high = proportions.wilson(round(score * best.n), best.n)
        moved = replace(best, score=score, low=min(low, score), high=max(high, score))
        words = f"If the best prompt of {best.model} were right in {percent(score)} of the rows"
        yield "target score", words, _with(case, measurements=(moved,), instead_of=(best,))


def _other_rivals(case: Case) -> Iterator[tuple[str, str, Evidence]]:
    """The tuned model, or a rival without a language model, clearly ahead or behind on the rows that decide."""
    best, n = case.best_target, max(case.best_target.n, enough_rows(case.worth))
    ahead, behind = case.worth + 0.05, -case.worth - 0.05
    for middle, words in ((ahead, "beat every rival by"), (behind, "were behind every rival by")):
        tuned = case.judged or _supposed(best, "tuned", middle)
        rivals = (best, *(one for one in case.code if one.rows == best.rows))
        pairs = tuple(_pair(tuned, rival, middle, n) for rival in rivals)
        least, most = sorted((abs(middle) - 0.04, abs(middle) + 0.04))
        told = f"If a tuned model {words} {100 * least:.0f} to {100 * most:.0f} points on {n:,} test rows"
        yield "comparison", told, _with(case, measurements=(tuned,), comparisons=pairs)
    code = case.best_code if case.best_code and case.best_code.rows == best.rows else None
    code = code or _supposed(best, "no language model", 0.0)
    pairs = (_pair(code, best, 0.05, n), *((_pair(case.judged, code, -0.05, n),) if case.judged else ()))
    words = "If a rival without a language model beat the best prompt and every tuned model by 1 to 9 points"
    yield "rival without a language model", words, _with(case, measurements=(code,), comparisons=pairs)


def _supposed(like: Measurement, role: Role, difference: float) -> Measurement:
    """A measurement of that role on the same rows, so much better or worse."""
    score = min(1.0, max(0.0, like.score + difference))
    return replace(
        like, candidate=f"a supposed {role}", name=f"a supposed {role}", model=f"a supposed {role}", role=role,
        score=score, low=score, high=score, known_by="supposed",
    )  # fmt: skip


def _pair(a: Measurement, b: Measurement, difference: float, n: int) -> Comparison:
    """A supposed comparison, known to within 4 points."""
    return Comparison(
        a.name, b.name, a.metric, n, a.score, b.score, difference, difference - 0.04, difference + 0.04, 0.95, 0.001,
        "", a_id=a.id, b_id=b.id,
    )  # fmt: skip


def _with(
    case: Case, *, measurements: tuple[Measurement, ...] = (), comparisons: tuple[Comparison, ...] = (),
    instead_of: tuple[Measurement, ...] = (),
) -> Evidence:  # fmt: skip
    """The evidence with these measurements and comparisons in place of what it holds under the same ids."""
    gone = {one.id for one in (*measurements, *instead_of)}
    pairs = {frozenset((one.a_id, one.b_id)) for one in comparisons}
    return replace(
        case.evidence,
        measurements=(*(m for m in case.evidence.measurements if m.id not in gone), *measurements),
        comparisons=(
            *(c for c in case.evidence.comparisons if frozenset((c.a_id, c.b_id)) not in pairs),
            *comparisons,
        ),
    )
