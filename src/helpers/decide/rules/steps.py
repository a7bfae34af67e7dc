"""Next steps that several rules share, with their prices."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Any

from helpers import facts
from helpers.costs import ladder_cost
from helpers.decide import hosts
from helpers.decide.case import Case
from helpers.decide.rules.criteria import enough_rows, leads_unproven, undecided
from helpers.decide.rules.ruling import LESSON
from helpers.errors import KitError
from helpers.formatting import points
from helpers.records import Measurement

TRIAL_TOKENS = 300
"""Assumed tokens of a training example, for a trial's price before the data is counted: the sample's has about 110,
a page of text about 500."""

TRIAL_EPOCHS = 3


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
def price_of_measuring(
    rows: int, today: date, prompts: tuple[Measurement, ...] = (), *, one_prompt: bool = False
) -> str:
    """What measuring costs on the cheapest small frontier model, in cents, with date and source.

    Args:
        rows: how many rows each prompt is asked on.
        today: the day whose prices count.
        prompts: those that were measured. Unless the tokens of all are known an example is priced: a ladder of three.
        one_prompt: whether the example is one prompt, as long as the ladder's longest.
    """
    known = bool(prompts) and all(one.prompt_tokens and one.answer_tokens for one in prompts)
    lengths: dict[str, Any] = {"prompt_tokens": (700,)} if one_prompt else {}
    if known:
        answers = sum(one.answer_tokens for one in prompts) / len(prompts)
        lengths = {"prompt_tokens": tuple(one.prompt_tokens for one in prompts), "tokens_out": answers}
    try:
        cost = ladder_cost(rows=rows, on=today, **lengths)
    except KitError as error:
        return f"its price is not known ({error.what})"
    if cost.total is None:
        return "its price is not known"
    cents = cost.total * 100
    said = f"{cents:.2g}" if cents < 10 else f"{cents:,.0f}"
    example = "" if known else "for example "
    return f"about {said} cents ({example}{cost.what}; prices as of {cost.as_of}, {cost.how_known}, {cost.source})"
