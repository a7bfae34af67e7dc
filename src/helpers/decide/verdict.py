"""``decide()``: from answers and evidence to a verdict that can explain itself, and what would change it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

from helpers import facts
from helpers.decide import hosts
from helpers.decide.case import Case, checked_evidence, percent
from helpers.decide.checklist import checked, questions, unanswered
from helpers.decide.rules import CHOICES, TRAINING, Ruling, rule
from helpers.records import Comparison, Evidence, Verdict

EVIDENCE = {
    "target": "a target model's prompt score",
    "plateau": "a plateau test on a target model",
    "comparison": "the tuned model against a prompted target model on the test rows",
    "cost": "the sums: the probability that tuning is cheaper",
    "data": "a report on the training data",
    "ladder": "a prompt ladder",
    "curve": "a learning curve",
}
"""What a verdict may want to rest on, in words."""

SHOWN_FLIPS = 6

BLOCKING = {
    "rights": ("no", "unclear"),
    "maintenance": ("nobody",),
    "good_output": ("no",),
    "flexibility": ("often",),
    "evaluation": ("none", "by_eye"),
    "examples": ("under_10", "10_49"),
    "quality": ("unknown", "mixed"),
    "safety": ("no_plan",),
}
"""Answers that stand in the way of tuning, or of releasing what was tuned."""

CALL_TOKENS = (500, 40)
"""Tokens in and out of one call of the sample ladder, for the price of measuring a target model before it is known."""


def decide(answers: Mapping[str, Any], evidence: Evidence | None = None, today: date | None = None) -> Verdict:
    """The verdict for these answers and measurements.

    Pure when ``today`` is given: the same input and facts tables give the same verdict.

    Args:
        answers: question id to option value (see :func:`questions`); unanswered ones may be missing or None.
        evidence: what was measured; None for nothing.
        today: the day on which prices and life dates are read; the facts' today by default.

    Raises:
        DecisionError: answers or evidence cannot be read; all problems at once.
    """
    case = Case(checked(answers), checked_evidence(evidence), today or facts.today())
    _, ruling = rule(case)
    return Verdict(
        choice=ruling.choice,
        headline=_headline(ruling),
        confidence=_confidence(case, ruling),
        reasons=_reasons(case, ruling),
        blockers=_blockers(case),
        what_would_change_it=tuple(flip.sentence for flip in _flips(case, ruling)[:SHOWN_FLIPS]),
        next_steps=_next_steps(case, ruling),
        not_measured=_not_measured(case),
        allows_training=ruling.choice in TRAINING,
    )


def rule_name(answers: Mapping[str, Any], evidence: Evidence | None = None, today: date | None = None) -> str:
    """Name of the rule that decides: the function of that name in ``helpers.decide.rules`` says why it does."""
    return rule(Case(checked(answers), checked_evidence(evidence), today or facts.today()))[0]


def _headline(ruling: Ruling) -> str:
    where = f" ({ruling.where})" if ruling.where else ""
    return f"{CHOICES[ruling.choice]}{where}, because {ruling.why}."


def _measured(case: Case) -> dict[str, bool]:
    evidence = case.evidence
    return {
        "target": bool(case.target_scores),
        "plateau": bool(case.plateau),
        "comparison": case.lead is not None,
        "cost": case.cheaper is not None,
        "data": evidence.data is not None,
        "ladder": bool(evidence.prompt_scores),
        "curve": evidence.learning_curve is not None,
    }


def _confidence(case: Case, ruling: Ruling) -> Literal["low", "medium", "high"]:
    """High when all that this ruling would like to rest on is there; one or two pieces missing: medium; more: low.

    Unanswered questions count as one missing piece for rulings that rest on evidence.
    """
    if ruling.choice == "not_enough":
        return "low"
    measured = _measured(case)
    missing = sum(not measured[need] for need in ruling.needs)
    if ruling.needs and unanswered(case.effective):
        missing += 1
    return "high" if missing == 0 else "medium" if missing <= 2 else "low"


def _reasons(case: Case, ruling: Ruling) -> tuple[str, ...]:
    """Facts, then measurements, then answers, then where they disagree."""
    found = [f"Fact: {sentence}" for sentence in ruling.facts]
    found += [f"Measured: {sentence}." for sentence in ruling.measured]
    for name in dict.fromkeys(ruling.because):
        if name in case.measured:
            sentence = f"Measured: {case.measured[name][1]}."
        elif name in case.answers:
            sentence = f"Your answer ({name}): {questions()[name].option(case.answers[name]).says}."
        else:
            continue
        if sentence not in found:
            found.append(sentence)
    found += [f"Disagreement: {sentence}" for sentence in case.disagreements]
    teaching_plateau = (case.evidence.plateau or {}).get("yardstick") == "teaching"
    if teaching_plateau and ruling.choice == "measure_target":
        found.append("Measured: the plateau test was made on a teaching model, so it is not counted.")
    return tuple(found)


def _blockers(case: Case) -> tuple[str, ...]:
    found = []
    if not case.target_scores:
        found.append("No prompted target model has been measured.")
    if case.leaks:
        found.append(f"{case.leaks} test rows also stand in the training data.")
    for name, options in BLOCKING.items():
        if case.says(name, *options):
            says = questions()[name].option(case.effective[name]).says
            found.append(f"{says[0].upper()}{says[1:]}.")
    host = case.answers.get("host", "none")
    if host not in ("none", "other") and not hosts.open_to_new(host, case.today):
        found.append(f"Fine-tuning at {hosts.name(host)} is not open to new customers, or this is not verified.")
        if case.says("privacy", "some_hosts"):
            found.append("Another host would have to be approved for your data first.")
    return tuple(found)


def _not_measured(case: Case) -> tuple[str, ...]:
    found = [EVIDENCE[name] for name, there in _measured(case).items() if not there]
    found += [one for one in case.evidence.not_measured if one not in found]
    open_questions = unanswered(case.effective)
    if open_questions:
        found.append(f"unanswered questions: {', '.join(open_questions)}")
    return tuple(found)


def _next_steps(case: Case, ruling: Ruling) -> tuple[str, ...]:
    if ruling.choice != "measure_target":
        return ruling.steps
    again = "Then decide again with that number: lesson 06_decide."
    if case.says("privacy", "stays") or case.says("latency", "offline"):
        return (
            "Prompt the strongest open model that your own machine or an approved one can run, on the same rows; it "
            "costs no tokens, only machine time: lesson 00_should_you_fine_tune. Or measure a hosted one on invented rows: "
            f"{price_of_measuring(case)}.",
            again,
        )
    return (
        "Measure a target model with the same prompts on the same rows: "
        f"{price_of_measuring(case)}: lesson 00_should_you_fine_tune.",
        again,
    )


def price_of_measuring(case: Case) -> str:
    """What one rung of the ladder costs on the cheapest small frontier model, in cents, with date and source."""
    rows = max((int(score["n"]) for score in case.evidence.prompt_scores), default=200)
    try:
        model = facts.cheapest_target(case.today)
    except facts.FactsError:
        return "no price is known for that day"
    tokens_in, tokens_out = CALL_TOKENS
    cents = rows * (tokens_in * model["input"] + tokens_out * model["output"]) / 1e6 * 100
    return f"about {cents:.2g} cents for {rows} rows on {model['label']} ({model.cite})"


# ------------------------------------------------------------------ what would change it


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


def flips(answers: Mapping[str, Any], evidence: Evidence | None = None, today: date | None = None) -> list[Flip]:
    """Every single change of one input that leads to another choice, nearest first.

    Of several changes of one input that lead to the same choice, the smallest is listed.

    Raises:
        DecisionError: as :func:`decide`.
    """
    case = Case(checked(answers), checked_evidence(evidence), today or facts.today())
    return _flips(case, rule(case)[1])


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
            words = f"If {option.says}" + ("" if here else f" (“{question.id}” is unanswered)")
            yield question.id, distance, words, {**case.answers, question.id: option.value}, case.evidence


def _other_measurements(case: Case) -> Iterator[tuple[str, str, Evidence]]:
    evidence = case.evidence
    if not case.target_scores:
        rows = max((int(score["n"]) for score in evidence.prompt_scores), default=200)
        score = {
            "name": "a target model", "model": "a target model", "yardstick": "target", "metric": "score",
            "score": 0.8, "low": 0.74, "high": 0.85, "n": rows, "split": "validation",
        }  # fmt: skip
        words = "If a target model were prompted, measured, and found right in 80 % of the rows"
        yield "target score", words, replace(evidence, prompt_scores=(*evidence.prompt_scores, score))
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
