"""``decide()``: from answers and evidence to a verdict that can explain itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

from helpers import facts
from helpers.decide import hosts
from helpers.decide.case import Case, is_by_rules, is_by_rules_alone
from helpers.decide.checklist import checked, questions, unanswered
from helpers.decide.counterfactuals import what_would_change_it
from helpers.decide.evidence import checked_evidence
from helpers.decide.rules.criteria import code_leads, undecided
from helpers.decide.rules.order import rule
from helpers.decide.rules.ruling import CHECK_EXAMPLES, CHOICES, TRAINING, Ruling, placed
from helpers.decide.rules.sentences import code_sentence
from helpers.records import PROMPTED, Comparison, Evidence, Measurement, Verdict

EVIDENCE = {
    "target": "a prompted score of a model that you would really use (lesson 00_should_you_fine_tune)",
    "plateau": "a test whether prompting that model has plateaued (lesson 00_should_you_fine_tune)",
    "comparison": "the tuned model against that prompted model on the test rows (lesson 04_evaluate)",
    "cost": "the cost calculation: the probability that tuning is cheaper (lesson 06_decide)",
    "data": "a report on the training data (lesson 01_prepare_data)",
    "code": "a rival without a language model (lesson 00_should_you_fine_tune)",
    "ladder": "a prompt ladder (lesson 00_should_you_fine_tune)",
    "curve": "what more data would bring (extra/how_much_data)",
}
"""What a verdict may want to rest on, in words, with the lesson that measures it."""

BLOCKING = {
    "rights": ("no", "unclear"),
    "maintenance": ("nobody",),
    "good_output": ("no",),
    "flexibility": ("often",),
    "evaluation": ("none", "by_eye"),
    "techniques": ("none", "some"),
    "examples": ("under_10", "10_49"),
    "quality": ("unknown", "mixed"),
    "safety": ("no_plan",),
}
"""Answers that stand in the way of tuning, or of releasing what was tuned."""

MAX_NAMED = 3
"""Unanswered questions that a verdict names; it counts the rest, which the checklist shows."""

TO_BE_APPROVED = "would have to be approved for your data first"
"""Said of every host that the kit names to a reader whose data may go to approved hosts only."""


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
        headline=_headline(case, ruling),
        confidence=_confidence(case, ruling),
        reasons=_reasons(case, ruling),
        blockers=_blockers(case, ruling),
        what_would_change_it=_placed(case, what_would_change_it(case, ruling)),
        next_steps=_placed(case, _next_steps(case, ruling)),
        not_measured=_placed(case, _not_measured(case)),
        allows_training=ruling.choice in TRAINING,
    )


def worth(answers: Mapping[str, Any]) -> float:
    """The smallest gain worth having by these answers, as a share; what a plateau test and a comparison should use."""
    return Case(checked(answers), Evidence(), facts.today()).worth


def deciding(
    answers: Mapping[str, Any], evidence: Evidence, today: date | None = None
) -> tuple[tuple[Measurement, ...], tuple[Comparison, ...]]:
    """What a verdict rests on: the measurements by one metric on one set of rows, and what the judged tuned model (else
    the best rival without a language model) was compared with there.

    Args:
        answers: question's id → option's value.
        evidence: what was measured.
        today: the day whose facts count; today by default.
    """
    case = Case(checked(answers), checked_evidence(evidence), today or facts.today())
    here = tuple(one for one in case.deciding if one.rows == case.rows)
    first = case.judged or case.best_code
    return here, tuple(pair for pair in case.evidence.comparisons if first is not None and pair.a_id == first.id)


def _headline(case: Case, ruling: Ruling) -> str:
    approval = f", which {TO_BE_APPROVED}" if _names_a_host_to_approve(case, ruling) else ""
    where = f" ({ruling.where}{approval})" if ruling.where else ""
    return f"{CHOICES[ruling.choice]}{where}, because {ruling.why}."


def _names_a_host_to_approve(case: Case, ruling: Ruling) -> bool:
    """Whether data may go to approved hosts only and the ruling names one that the reader has not named."""
    theirs = hosts.name(case.answers.get("host", "none"))
    return case.says("privacy", "some_hosts") and ruling.data_goes_there and ruling.where != theirs


def _placed(case: Case, sentences: tuple[str, ...]) -> tuple[str, ...]:
    evidence = case.evidence
    task = evidence.task or ("voice" if any(map(is_by_rules, evidence.measurements)) else "")
    return tuple(placed(sentence, evidence.project, task) for sentence in sentences)


def _next_steps(case: Case, ruling: Ruling) -> tuple[str, ...]:
    """The ruling's steps, and the one for doubtful examples, which would otherwise be a blocker without a way out."""
    doubtful = case.says("quality", *BLOCKING["quality"]) and CHECK_EXAMPLES not in ruling.steps
    return (*ruling.steps, CHECK_EXAMPLES) if doubtful else ruling.steps


def _measured(case: Case) -> dict[str, bool]:
    evidence = case.evidence
    return {
        "target": bool(case.targets),
        "plateau": bool(case.plateau),
        "comparison": case.lead is not None,
        "cost": case.cheaper is not None,
        "data": evidence.data is not None,
        "code": bool(case.code),
        "ladder": bool(case.prompted),
        "curve": evidence.learning_curve is not None,
    }


def _confidence(case: Case, ruling: Ruling) -> Literal["low", "medium", "high"]:
    """High when all that this ruling would like to rest on is there; one or two pieces missing: medium; more: low.

    Unanswered questions count as one missing piece for rulings that rest on evidence, and so does a comparison that
    neither shows nor rules out a gain worth having, for those that rest on its showing none.
    """
    if ruling.choice == "not_enough":
        return "low"
    measured = _measured(case)
    missing = sum(not measured[need] for need in ruling.needs)
    if ruling.needs and _open_questions(case):
        missing += 1
    if ruling.choice == "keep_prompting" and "comparison" in ruling.needs and undecided(case):
        missing += 1
    return "high" if missing == 0 else "medium" if missing <= 2 else "low"


def _open_questions(case: Case) -> list[str]:
    """Unanswered questions that could move the verdict."""
    return [name for name in unanswered(case.effective) if not questions()[name].optional]


def _reasons(case: Case, ruling: Ruling) -> tuple[str, ...]:
    """Facts, then measurements, then answers, then where they disagree."""
    found = [f"Fact: {sentence}" for sentence in ruling.facts]
    found += [f"Measured: {sentence}." for sentence in ruling.measured]
    if code_leads(case) and not any(case.best_code.name in sentence for sentence in ruling.measured):
        found += [f"Measured: {sentence}." for sentence in code_sentence(case)]
    for name in dict.fromkeys(ruling.because):
        if name in case.measured:
            sentence = f"Measured: {case.measured[name][1]}."
        elif name in case.answers:
            sentence = f"Your answer: {questions()[name].option(case.answers[name]).says}."
        else:
            continue
        if sentence not in found:
            found.append(sentence)
    found += [f"Disagreement: {sentence}" for sentence in case.disagreements]
    if case.evidence.plateaus and not case.targets and ruling.choice == "measure_target":
        found.append("Measured: the plateau test was made on a teaching model, so it is not counted.")
    return tuple(found)


def _blockers(case: Case, ruling: Ruling) -> tuple[str, ...]:
    found = []
    if not case.targets:
        found.append("No prompted target model has been measured.")
    if case.data.leaks:
        found.append(f"{case.data.leaks:,} test rows also stand in the training data.")
    for name, options in BLOCKING.items():
        if case.says(name, *options):
            says = questions()[name].option(case.effective[name]).says
            found.append(f"{says[0].upper()}{says[1:]}." if name in case.measured else _answered(case, name, says))
    host = case.answers.get("host", "none")
    tied = host not in ("none", "other")
    obstacle = hosts.obstacle(host, case.today, customer=case.says("tuned_now", "yes")) if tied else ""
    if obstacle:
        found.append(obstacle)
    if _names_a_host_to_approve(case, ruling):
        found.append(f"{ruling.where} {TO_BE_APPROVED}.")
    elif obstacle and case.says("privacy", "some_hosts"):
        found.append(f"Another host {TO_BE_APPROVED}.")
    return tuple(found)


def _answered(case: Case, name: str, says: str) -> str:
    """A blocker that nobody measured; of techniques, that a teaching model's prompts do not contradict it."""
    beside = name == "techniques" and case.teaching and not case.targets
    return f"Your answer: {says}{' (prompts that a teaching model answered do not count)' if beside else ''}."


def _not_measured(case: Case) -> tuple[str, ...]:
    by_likeness = [one for one in case.evidence.measurements if one.unit == "likeness" and one.headline]
    seen = {
        "code": any(one.role == "no language model" for one in case.evidence.measurements if one.headline),
        "ladder": any(one.role in PROMPTED for one in by_likeness),
    }  # they were run, and have no score that counts
    found = [EVIDENCE[name] for name, there in _measured(case).items() if not there and not seen.get(name)]
    found += [one for one in case.evidence.not_measured if one not in found]
    if by_likeness:
        found.append("a score of free text that can decide: likeness to the ideal answer only finds odd rows")
    if any(is_by_rules_alone(one) for one in case.evidence.measurements if one.headline):
        found.append("whether answers state facts that their question does not give (`FACTS = True` in your project)")
    if open_questions := _open_questions(case):
        asked = " ".join(f"“{questions()[name].text}”" for name in open_questions[:MAX_NAMED])
        rest = len(open_questions) - MAX_NAMED
        more = f" and {rest} more that could change the verdict" if rest > 0 else ""
        found.append(f"unanswered questions: {asked}{more}")
    return tuple(found)
