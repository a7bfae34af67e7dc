"""Judgements and sentences that several rules share. What is a judgement and not a measurement is named here."""

from __future__ import annotations

import math
from datetime import date
from functools import cache

from helpers import facts, proportions
from helpers.costs import ladder_cost
from helpers.decide import hosts
from helpers.decide.case import Case, Lead
from helpers.decide.ruling import LESSON
from helpers.errors import KitError
from helpers.formatting import amount, percent, points
from helpers.records import Measurement

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
"""Cheaper with this probability or more counts as cheaper."""

TRIAL_TOKENS = 300
"""Assumed tokens of a training example, for a trial's price before the data is counted: the sample's has about 110,
a page of text about 500."""

TRIAL_EPOCHS = 3


def room(case: Case) -> float:
    """What is left for tuning to win over the best prompted target, as a share: wrong labels are out of reach."""
    return 1 - LABEL_ERRORS - case.best_target.score


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


def as_good(case: Case) -> bool:
    """The same quality within a measured margin, and cheaper, faster or offline."""
    lead = case.lead
    if lead is None or lead.low < -AS_GOOD or lead.high < 0 or lead.n < enough_rows(case.worth):
        return False
    return beats_code(case) and ((case.cheaper or 0) >= PROBABLY or needs_speed(case))


def pays(case: Case) -> bool:
    """Whether anything measured, or a plateau where consistency or size counts, would pay tuning back."""
    if won(case) or as_good(case):
        return True
    if case.lead is not None:
        return leads_unproven(case)
    if case.says("gap", "cost_or_speed"):
        return (case.cheaper or 0) >= PROBABLY or needs_speed(case)
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
    if case.cheaper is None or case.cheaper > 1 - PROBABLY or as_good(case) or case.lead is None:
        return False
    own = must_run_locally(case) or case.says("privacy", "stays")
    clear = case.lead.difference >= CLEAR * case.worth and not case.says("consistency", "low")
    return not own and not clear and not case.says("consistency", "critical")


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


# ------------------------------------------------------------------ sentences


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
    tuned = ""
    if leads:
        least = min(leads, key=lambda lead: lead.difference)
        tuned = (
            f", and tuning it gained {points(least.difference)} over its best prompt "
            f"(interval {points(least.low)} to {points(least.high)})"
        )
    return (
        f"the prompts were scored on a teaching model only ({best.model}, best {percent(best.score)}){tuned}: "
        "under a billion parameters prompting looks hopeless and tuning magical, which says nothing about real rivals",
    )


def lead_sentence(case: Case) -> tuple[str, ...]:
    return _leads(case.lead, "a prompted target model") + code_lead_sentence(case)


def code_lead_sentence(case: Case) -> tuple[str, ...]:
    return _leads(case.lead_over_code, "a rival without a language model")


def _leads(lead: Lead | None, what: str) -> tuple[str, ...]:
    if lead is None:
        return ()
    return (
        f"tuned against {lead.over.name} ({lead.over.model}), {what}: {points(lead.difference)} "
        f"(interval {points(lead.low)} to {points(lead.high)}, {lead.n:,} {lead.of.split} rows)",
    )


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
        f"{code.name} ({code.model}) needs no language model, costs nothing to run and scores {percent(code.score)} "
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


# ------------------------------------------------------------------ steps


def more_rows(case: Case) -> tuple[str, ...]:
    """The step that settles an undecided comparison, or one on too few rows."""
    if leads_unproven(case):
        return (
            f"Score both on at least {enough_rows(case.worth):,} test rows that nothing was chosen on: the "
            f"{case.lead.n:,} {case.lead.of.split} rows are no basis for a decision, however large the lead. "
            f"{LESSON['evaluate']}.",
        )
    if not undecided(case):
        return ()
    lead = case.lead
    return (
        f"Score more test rows: with an interval of {points(lead.low)} to {points(lead.high)} these {lead.n:,} rows "
        f"neither show nor rule out a gain worth having ({points(case.worth)}). How many it takes: "
        f"{LESSON['evaluate']}.",
    )


def more_validation_rows(case: Case) -> str:
    """How to see smaller differences on validation rows: those that lie there first, then new labels."""
    if not case.unused_rows:
        return "Label more validation rows"
    return f"Raise ROWS to {case.data.validation:,} ({case.unused_rows:,} validation rows have not been asked yet)"


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


def parts_for_code_step(case: Case) -> tuple[str, ...]:
    """The step that lets plain code give the fields in which it beats the best prompt."""
    names = list(dict.fromkeys(f"“{lead.of.metric}” ({lead.of.name})" for lead in case.parts_for_code))
    if not names:
        return ()
    return (f"Let a rival without a language model give {', '.join(names)}: it beats the best prompt there.",)


def gain_that_counts(case: Case) -> float:
    """The gain that a trial is to show: half of what is left to win, and at least the smallest gain worth having."""
    return max(case.worth, room(case) / 2) if case.targets else case.worth


@cache
def rows_to_show(difference: float) -> int:
    """Test rows that show such a gain four times in five (exact McNemar test)."""
    return proportions.rows_needed(difference, disagree=max(0.3, min(1.0, 2 * difference)))


def price_of_a_trial(case: Case) -> str:
    """Money and minutes of one training run on the reader's rows, with date and source."""
    rows = case.data.rows or {"under_10": 10, "10_49": 50, "50_199": 200, "200_999": 500}.get(
        case.effective.get("examples", ""), 1000
    )
    tokens = rows * TRIAL_TOKENS * TRIAL_EPOCHS
    said = f"about {rows:,} rows of {TRIAL_TOKENS} tokens, {TRIAL_EPOCHS} passes"
    return f"{said}: {_minutes(tokens)}; {_money(tokens, case.today)}"


def _minutes(tokens: int) -> str:
    run = next(row for row in facts.rows("durations") if row["provider"] == "local")
    minutes = tokens / run["trained_tokens"] * run["minutes"]
    return f"about {minutes:,.0f} minutes for {run['model']} on {run['hardware']} ({run.how_known})"


def _money(tokens: int, today: date) -> str:
    """The cheapest published price per trained token at the host that the kit would name."""
    host = hosts.best_host(today)
    priced = [row for row in facts.rows("tunable") if row["provider"] == host and row["method"] == "supervised"
              and row["train"] is not None]  # fmt: skip
    if not priced:
        return "what a host takes is not known"
    least = min(priced, key=lambda row: row["train"])
    usd = tokens / 1e6 * least["train"]
    return f"from ${usd:,.2f} at {hosts.name(host)} ({least['label']}, {least.cite})"


@cache
def price_of_measuring(rows: int, today: date, prompts: int = 3) -> str:
    """What a prompt ladder costs on the cheapest small frontier model, in cents, with date and source.

    Args:
        rows: how many rows each prompt is asked on.
        today: the day whose prices count.
        prompts: how many prompts are asked; one is priced as the longest.
    """
    try:
        lengths = {"prompt_tokens": (700,)} if prompts == 1 else {}
        cost = ladder_cost(rows=rows, on=today, **lengths)
    except KitError as error:
        return f"its price is not known ({error.what})"
    if cost.total is None:
        return "its price is not known"
    cents = cost.total * 100
    said = f"{cents:.2g}" if cents < 10 else f"{cents:,.0f}"
    return f"about {said} cents ({cost.what}; prices as of {cost.as_of}, {cost.how_known}, {cost.source})"
