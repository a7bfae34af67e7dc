"""Criteria that several rules share. What is a judgement and not a measurement is named here."""

from __future__ import annotations

import math
from functools import cache

from helpers import proportions
from helpers.decide.case import Case, Lead

AS_GOOD = 0.03
"""A tuned model counts as "as good" when its interval rules out a loss of more than 3 points: money saved for a loss
that few would notice. A judgement, stated wherever it is used."""

LABEL_ERRORS = 0.033
"""Share of wrong labels in test sets: 3.3 % on average in ten well-known ones (Northcutt, Athalye and Mueller 2021,
arXiv 2103.14749). Above 96.7 % right a score measures the labels' mistakes."""

MIN_ROWS = 50
"""Never decide on fewer test rows, however large the difference on them: they are too few to stand for the task."""

MIN_TRIES = 3
"""Prompts of a target that must have been answered before its score stands for what prompting can do."""

MARGIN = 5
"""A score must be known to within this many times the smallest gain worth having, or its rows are too few."""

CLEAR = 5
"""A lead of this many times the smallest gain worth having makes another product: its bill is a price, no veto."""

PROBABLY = 0.8
"""Cheaper with this probability or more counts as cheaper, dearer with it or more as dearer."""


def room(case: Case) -> float:
    """What is left for tuning to win over the best prompted target, as a share: wrong labels are out of reach."""
    return round(1 - LABEL_ERRORS - case.best_target.score, 6)  # 1 - 0.033 - 0.917 is five points


def has_room(case: Case) -> bool:
    return room(case) >= case.worth


def enough_rows(worth: float) -> int:
    """Test rows on which a decision may rest: a share is then known to within ``MARGIN`` times the smallest gain worth
    having (half the width of a 95 % interval at 50 %)."""
    return max(MIN_ROWS, math.ceil(0.25 * (proportions.normal_quantile(0.95) / (MARGIN * worth)) ** 2))


def _beats(case: Case, lead: Lead | None) -> bool:
    """More than noise, worth having, and measured on rows on which a decision may rest."""
    return lead is not None and _low(lead) > 0 and lead.difference >= case.worth and _may_decide(case, lead)


def _low(lead: Lead) -> float:
    """The interval's lower end, wider where the test rows were opened several times: each look at them is one more
    chance to be lucky (Bonferroni)."""
    looks = max(1, lead.of.openings)
    wider = proportions.normal_quantile(1 - 0.05 / looks) / proportions.normal_quantile(0.95)
    return lead.difference - (lead.difference - lead.low) * wider


def _may_decide(case: Case, lead: Lead) -> bool:
    """Enough rows, and none that prompts or training runs were chosen on."""
    return lead.n >= enough_rows(case.worth) and lead.of.split != "validation"


def leads_unproven(case: Case) -> bool:
    """The tuned model is ahead, on rows on which no decision may rest."""
    return case.lead is not None and case.lead.difference > 0 and not _may_decide(case, case.lead)


def beats_code(case: Case) -> bool:
    """No rival without a language model was measured beside the tuned model, or the tuned model beats each."""
    return case.lead_over_code is None or _beats(case, case.lead_over_code)


def won(case: Case) -> bool:
    """The tuned model beat every rival on the same rows, and no test row leaked into its training data."""
    return _beats(case, case.lead) and beats_code(case) and not case.data.leaks


def undecided(case: Case) -> bool:
    """The interval of the tuned model's lead holds both a gain worth having and one that is none."""
    return case.lead is not None and not won(case) and case.lead.low < case.worth <= case.lead.high


def must_run_locally(case: Case) -> bool:
    return case.says("latency", "offline", "tiny_device")


def needs_speed(case: Case) -> bool:
    """Answers must come faster than a hosted model gives them, or where none can be reached."""
    return case.says("latency", "fast") or must_run_locally(case)


def probably_cheaper(case: Case) -> bool:
    """The sums were done, and say that tuning is cheaper with the probability ``PROBABLY`` or more."""
    return case.cheaper is not None and case.cheaper >= PROBABLY


def as_good(case: Case) -> bool:
    """The same quality within a measured margin, and cheaper, faster or offline."""
    lead = case.lead
    if lead is None or lead.low < -AS_GOOD or lead.high < 0 or lead.n < enough_rows(case.worth):
        return False
    return beats_code(case) and (probably_cheaper(case) or needs_speed(case))


def pays(case: Case) -> bool:
    """Whether anything measured, or a plateau where consistency or size counts, would pay tuning back."""
    if won(case) or as_good(case):
        return True
    if case.lead is not None:
        return leads_unproven(case)
    if case.says("gap", "cost_or_speed"):
        return probably_cheaper(case) or needs_speed(case)
    pull = (
        case.says("consistency", "matters", "critical")
        or case.says("prompt_length", "long")
        or case.says("volume", "high")
        or needs_speed(case)
    )
    return case.says("effort", "plateau") and pull


def bill_forbids(case: Case) -> bool:
    """The sums say that tuning is dearer, and what it wins is too little to call it another product.

    Where consistency is critical the reader has said what an unlike answer costs, and where it matters a clear lead is
    worth its price; on a reader's own machines the sums, which are a provider's, do not hold.
    """
    if case.cheaper is None or case.lead is None or as_good(case):
        return False
    dearer = round(1 - case.cheaper, 6) >= PROBABLY
    own = must_run_locally(case) or case.says("privacy", "stays")
    clear = case.lead.difference >= CLEAR * case.worth and not case.says("consistency", "low")
    return dearer and not own and not clear and not case.says("consistency", "critical")


def few_prompts(case: Case) -> bool:
    """So few prompts of the target were answered that anything would beat the best of them, unless tuning lost even
    to these."""
    test = case.plateau_test
    lost = case.lead is not None and case.lead.high < 0
    return test is not None and 0 < test.tries < MIN_TRIES and not lost


def code_suffices(case: Case) -> bool:
    """A rival without a language model is as good as the best prompted target, interval and all, and no tuned model
    that was measured beside it beats it."""
    lead = case.code_against_target
    if lead is None or lead.low <= -case.worth or lead.n < MIN_ROWS or case.data.leaks:
        return False
    return case.lead_over_code is None or not _beats(case, case.lead_over_code)


def code_leaves_no_gain(case: Case) -> bool:
    """No target was measured, and none is needed: a rival without a language model leads what was measured, and is
    wrong in fewer rows than the smallest gain worth having."""
    code = case.best_code
    if case.targets or not code_leads(case) or code.n < MIN_ROWS or case.data.leaks:
        return False
    return round(1 - code.score, 6) < case.worth


def code_leads(case: Case) -> bool:
    """A rival without a language model scored better than all else that was measured beside it."""
    code = case.best_code
    others = [one.score for one in case.deciding if case.counts_as(one) not in ("", "no language model")]
    return code is not None and bool(others) and code.score > max(others)


def gain_that_counts(case: Case) -> float:
    """The gain that a trial is to show: half of what is left to win, and at least the smallest gain worth having."""
    return max(case.worth, room(case) / 2) if case.targets else case.worth


@cache
def rows_to_show(difference: float) -> int:
    """Test rows that show such a gain four times in five (exact McNemar test)."""
    return proportions.rows_needed(difference, disagree=max(0.3, min(1.0, 2 * difference)))
