"""Sentences that several rules share: what was measured, in words."""

from __future__ import annotations

from helpers.decide.case import Case, Lead
from helpers.decide.rules.criteria import AS_GOOD, LABEL_ERRORS, leads_unproven, room, won
from helpers.formatting import amount, percent, points
from helpers.records import Measurement


def gain(case: Case) -> str:
    """What tuning is for, as the headline's "because"."""
    if won(case):
        beside = " and every rival without a language model" if case.lead_over_code else ""
        return f"the tuned model beat the best prompted target model{beside} on the same test rows"
    return f"the tuned model is as good within {AS_GOOD * 100:.0f} points, and cheaper or faster"


def hope(case: Case) -> str:
    """What a trial is for, as the headline's "because"."""
    if leads_unproven(case):
        return f"the tuned model leads, on {case.lead.n:,} {case.lead.of.split} rows only"
    if case.says("gap", "cost_or_speed"):
        return "it would be cheaper, faster or reachable; its quality is still to be measured"
    return "prompting a target model has stopped getting better, with room left"


def known_by(one: Measurement) -> str:
    """How a role is known, where it is the reader's word."""
    return ", declared by you as a target" if one.known_by.startswith("declared") else ""


def target_sentence(case: Case) -> tuple[str, ...]:
    if not case.targets:
        return ()
    best = case.best_target
    device = " for a device that holds nothing larger" if case.device_holds is not None else ""
    return (
        f"the best prompted target model{device}, {best.model}{known_by(best)}, scores {percent(best.score)} "
        f"(interval {percent(best.low)} to {percent(best.high)}, {best.n:,} {best.split} rows)",
    )


def room_sentence(case: Case) -> tuple[str, ...]:
    """What is left to win, and the smallest gain worth having beside it."""
    left = max(0.0, room(case))
    return (
        f"above {percent(case.best_target.score)} at most {100 * left:.1f} points are left to win, because about "
        f"{100 * LABEL_ERRORS:.1f} % of labels in test sets are wrong (arXiv 2103.14749); the smallest gain worth "
        f"having is {amount(case.worth)}",
    )


def teaching_sentence(case: Case) -> tuple[str, ...]:
    if not case.teaching:
        return ()
    best = max(case.teaching, key=lambda one: one.score)
    leads = [lead for tuned in case.tuned for other in case.teaching if (lead := case.lead_of(tuned, other))]
    tuned, why = "", "a model under a billion parameters says nothing about real rivals"
    if leads:
        least = min(leads, key=lambda lead: lead.difference)
        best = least.over
        interval = f"(interval {points(least.low)} to {points(least.high)})"
        tuned = f", and tuning it gained {points(least.difference)} over its best prompt {interval}"
        if least.difference < 0:
            tuned = f", and tuned it stands {points(least.difference)} from its best prompt {interval}"
        # Only a proven gain over a prompt that code beats, too, looks like that.
        if least.low > 0 and not (case.best_code and best.score > case.best_code.score):
            why = (
                "under a billion parameters prompting looks hopeless and tuning magical, which says nothing about "
                "real rivals"
            )
    return (
        f"the prompts were scored on a teaching model only ({best.model}, best {percent(best.score)} of {best.n:,} "
        f"{best.split} rows){tuned}: {why}",
    )


def lead_sentence(case: Case) -> tuple[str, ...]:
    return _leads(case.lead, "a prompted target model") + code_lead_sentence(case)


def code_lead_sentence(case: Case) -> tuple[str, ...]:
    return _leads(case.lead_over_code, "a rival without a language model")


def _leads(lead: Lead | None, what: str) -> tuple[str, ...]:
    if lead is None:
        return ()
    return (
        f"tuned against {_called(lead.over)}, {what}: {points(lead.difference)} "
        f"(interval {points(lead.low)} to {points(lead.high)}, {lead.n:,} {lead.of.split} rows)",
    )


def _called(one: Measurement) -> str:
    """Its name, and its model where the name does not say that."""
    return one.name if one.model in one.name else f"{one.name} ({one.model})"


def openings_sentence(case: Case) -> tuple[str, ...]:
    """That the deciding test rows were opened several times, which flatters whoever won on them."""
    times = max((one.openings for one in case.deciding if one.rows == case.rows and one.split == "test"), default=0)
    if times < 2:
        return ()
    return (f"these test rows have been opened {times} times, which makes the winner look a little better than it is",)


def code_sentence(case: Case) -> tuple[str, ...]:
    """The best rival without a language model, and how it stands against the best target where that is known."""
    code = case.best_code
    if code is None:
        return ()
    text = (
        f"{_called(code)} needs no language model, costs nothing to run and scores {percent(code.score)} "
        f"(interval {percent(code.low)} to {percent(code.high)}, {code.n:,} {code.split} rows)"
    )
    if lead := case.code_against_target:
        text += (
            f"; against the best prompted target {points(lead.difference)} "
            f"(interval {points(lead.low)} to {points(lead.high)})"
        )
    return (text,)


def plateau_sentence(case: Case) -> tuple[str, ...]:
    if case.plateau == "cannot tell":
        return ("the plateau test on the target model cannot tell",)
    return (case.measured["effort"][1],) if case.plateau else ()


def cost_sentence(case: Case) -> tuple[str, ...]:
    return () if case.cheaper is None else (f"tuning is cheaper with a probability of {percent(case.cheaper)}",)
