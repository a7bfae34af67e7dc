"""Judgements and sentences that several rules share."""

from __future__ import annotations

from datetime import date
from functools import cache

from helpers.costs import ladder_cost
from helpers.decide.case import Case, percent, points
from helpers.decide.ruling import LESSON
from helpers.errors import KitError

AS_GOOD = 0.03
"""A tuned model counts as "as good" when its interval rules out a loss of more than 3 points: money saved for a loss
that few would notice. A judgement, stated wherever it is used."""

NO_ROOM = 0.95
"""With the prompted score's lower bound at 95 % there are at most 5 points left for tuning to win."""

PROBABLY = 0.8
"""Cheaper with this probability or more counts as cheaper."""


WORTH = 0.02
"""The smallest gain worth having, 2 points: training, hosting and retraining are not done for less."""


def won(case: Case) -> bool:
    """The tuned model's lead is real (its whole interval above zero, no leaks) and worth having."""
    return case.lead is not None and case.lead.low > 0 and case.lead.difference >= WORTH and not case.leaks


def undecided(case: Case) -> bool:
    """The interval of the tuned model's lead holds both a gain worth having and one that is none."""
    return case.lead is not None and not won(case) and case.lead.low < WORTH <= case.lead.high


def as_good(case: Case) -> bool:
    """The same quality within a measured margin, and cheaper, faster or offline."""
    if case.lead is None or case.lead.low < -AS_GOOD:
        return False
    return (case.cheaper or 0) >= PROBABLY or case.says("latency", "fast", "offline")


def pays(case: Case) -> bool:
    """Whether anything measured, or a plateau where consistency or size counts, would pay tuning back."""
    if as_good(case):
        return True
    if case.says("gap", "cost_or_speed"):
        return case.lead is None and ((case.cheaper or 0) >= PROBABLY or case.says("latency", "fast", "offline"))
    if case.lead is not None:
        return won(case)
    pull = (
        case.says("consistency", "matters", "critical")
        or case.says("prompt_length", "long")
        or case.says("volume", "high")
        or case.says("latency", "fast", "offline")
    )
    return case.says("effort", "plateau") and pull


def gain(case: Case) -> str:
    """What tuning is for, as the headline's "because"."""
    if won(case):
        return "the tuned model beat the best prompted target model on the same test rows"
    if as_good(case):
        return f"the tuned model is as good within {AS_GOOD * 100:.0f} points, and cheaper or faster"
    if case.says("gap", "cost_or_speed"):
        return "it would be cheaper, faster or reachable; its quality is still to be measured"
    return "prompting a target model has stopped getting better where consistency or size counts"


def target_sentence(case: Case) -> tuple[str, ...]:
    if not case.target_scores:
        return ()
    best = case.best_target
    return (
        f"the best prompted target model, {best['model']}, scores {percent(best['score'])} "
        f"(interval {percent(best['low'])} to {percent(best['high'])}, {best['n']:,} rows)",
    )


def teaching_sentence(case: Case) -> tuple[str, ...]:
    teaching = [score for score in case.evidence.prompt_scores if score["yardstick"] == "teaching"]
    if not teaching:
        return ()
    best = max(teaching, key=lambda score: score["score"])
    names = {score["name"] for score in teaching}
    leads = [
        (c.difference, c.low, c.high) if c.b in names else (-c.difference, -c.high, -c.low)
        for c in case.evidence.comparisons
        if {c.a, c.b} & names
    ]
    tuned = ""
    if leads:
        least, low, high = min(leads)
        tuned = (
            f", and tuning it gained {points(least)} over its best prompt (interval {points(low)} to {points(high)})"
        )
    return (
        f"the prompts were scored on a teaching model only ({best['model']}, best {percent(best['score'])}){tuned}: "
        "under a billion parameters prompting looks hopeless and tuning magical, which says nothing about real rivals",
    )


def lead_sentence(case: Case) -> tuple[str, ...]:
    if case.lead is None:
        return ()
    lead = case.lead
    return (
        f"tuned against {lead.rival}, a prompted target model: {points(lead.difference)} "
        f"(interval {points(lead.low)} to {points(lead.high)}, {lead.n:,} rows)",
    )


def more_rows(case: Case) -> tuple[str, ...]:
    """The step that settles an undecided comparison. How many rows it takes, the evaluation room works out."""
    if not undecided(case):
        return ()
    lead = case.lead
    return (
        f"Score more test rows: with an interval of {points(lead.low)} to {points(lead.high)} these {lead.n:,} rows "
        f"neither show nor rule out a gain worth having ({points(WORTH)}). How many it takes: {LESSON['evaluate']}.",
    )


def untried_techniques(case: Case) -> tuple[str, ...]:
    """The step that gives prompting its last chance: the techniques that the reader has left out, by name."""
    if case.says("techniques", "none"):
        return (
            "Try structured outputs, worked examples (many, and the nearest ones), a prompt optimiser and prompt "
            f"caching on the target model: {LESSON['decide']}. If the measured prompts used them, change that answer.",
        )
    if case.says("techniques", "some"):
        return (
            "Try what is still untried of structured outputs, many and nearest examples, prompt optimisers and "
            f"caching, so that tuning is compared with the best prompt: {LESSON['decide']}.",
        )
    return ()


def plateau_sentence(case: Case) -> tuple[str, ...]:
    if case.plateau == "cannot tell":
        return ("the plateau test on the target model cannot tell",)
    return (case.measured["effort"][1],) if case.plateau else ()


def cost_sentence(case: Case) -> tuple[str, ...]:
    return () if case.cheaper is None else (f"tuning is cheaper with a probability of {percent(case.cheaper)}",)


@cache
def price_of_measuring(rows: int, today: date) -> str:
    """What the prompt ladder costs on the cheapest small frontier model, in cents, with date and source."""
    try:
        cost = ladder_cost(rows=rows, on=today)
    except KitError as error:
        return f"its price is not known ({error.what})"
    if cost.total is None:
        return "its price is not known"
    cents = cost.total * 100
    said = f"{cents:.2g}" if cents < 10 else f"{cents:,.0f}"
    return f"about {said} cents ({cost.what}; prices as of {cost.as_of}, {cost.how_known}, {cost.source})"
