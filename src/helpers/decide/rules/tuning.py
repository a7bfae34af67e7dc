"""The last rules, once a target model's score is known: whether tuning won, whether the data carries it, and where."""

from __future__ import annotations

from helpers.decide.case import Case
from helpers.decide.checklist import questions
from helpers.decide.rules.criteria import (
    as_good,
    bill_forbids,
    enough_rows,
    gain_that_counts,
    has_room,
    leads_unproven,
    pays,
    rows_to_show,
    won,
)
from helpers.decide.rules.other_ways import other_ways
from helpers.decide.rules.places import place
from helpers.decide.rules.ruling import CHECK_EXAMPLES, LESSON, Ruling, ask
from helpers.decide.rules.sentences import (
    code_sentence,
    cost_sentence,
    gain,
    hope,
    lead_sentence,
    openings_sentence,
    plateau_sentence,
    room_sentence,
    target_sentence,
)
from helpers.decide.rules.steps import (
    more_rows,
    more_validation_rows,
    parts_for_code_step,
    price_of_a_trial,
    untried_techniques,
)
from helpers.formatting import points

BEFORE_TRAINING = (
    "flexibility", "consistency", "techniques", "examples", "quality", "rights", "privacy", "maintenance",
)  # fmt: skip
"""Questions that have to be answered before any verdict says "fine-tune"."""


# ------------------------------------------------------------------ from here on a target model's score is known


def the_comparison_is_void(case: Case) -> Ruling | None:
    """Test rows that also stand in the training file make the tuned model look better than it is."""
    if not case.data.leaks:
        return None
    return Ruling(
        "fix_data",
        why="test rows have leaked into the training data",
        because=("quality",),
        measured=(f"{case.data.leaks:,} test rows also stand in the training data: a comparison on them is void",),
        steps=(f"Split again without leaks and compare again: {LESSON['data']}.",),
    )


def tuning_lost(case: Case) -> Ruling | None:
    """Measured and lost, beyond what a saving could excuse."""
    if case.lead is None or case.lead.high >= 0 or as_good(case):
        return None
    return Ruling(
        "keep_prompting",
        why="the tuned model was measured and did worse",
        because=("gap",),
        measured=lead_sentence(case) + target_sentence(case),
        steps=("Use the prompted model; keep the test rows for the next model that comes out.",),
        needs=("target", "comparison"),
    )


def there_is_no_room(case: Case) -> Ruling | None:
    """A prompt that is right wherever the labels are leaves nothing to win."""
    if not case.says("gap", "behaviour") or has_room(case) or won(case):
        return None
    return Ruling(
        "keep_prompting",
        why="little is left to gain",
        because=("consistency", "worth"),
        measured=room_sentence(case) + lead_sentence(case) + plateau_sentence(case) + target_sentence(case),
        steps=(
            "Look at the remaining errors one by one: often the label is wrong, or the rule is unclear.",
            *more_rows(case),
        ),
        needs=("target", "comparison"),
    )


def the_rows_cannot_tell(case: Case) -> Ruling | None:
    """A plateau test that cannot tell needs more rows, not a training run."""
    if case.says("gap", "cost_or_speed") or case.lead is not None or case.plateau != "cannot tell":
        return None
    return Ruling(
        "improve_prompt",
        why="these rows cannot tell whether it has stopped getting better",
        because=("effort",),
        measured=plateau_sentence(case) + target_sentence(case) + code_sentence(case),
        steps=(f"{more_validation_rows(case)} and test the last prompts again: {LESSON['decide']}.",),
        needs=("target", "plateau"),
    )


def cheap_techniques_are_untried(case: Case) -> Ruling | None:
    """Examples, schemas and optimisers are the cheapest points on the table.

    A plateau without any of them is one of wording, and a lead over such a prompt is one over a weak rival.
    """
    if case.says("gap", "cost_or_speed"):
        return None
    few_tries = case.says("effort", "days") and case.lead is None
    if not case.says("techniques", "none") and not few_tries:
        return None
    untried = questions()["techniques"].option("none").says
    return Ruling(
        "improve_prompt",
        why=untried if case.says("techniques", "none") else "the prompt has had a few tries only",
        because=("techniques", "effort"),
        measured=plateau_sentence(case) + lead_sentence(case) + target_sentence(case),
        steps=(
            *untried_techniques(case),
            f"Test with these prompts whether the last changes still bring something: {LESSON['decide']}.",
        ),
        needs=("target", "plateau"),
    )


def more_data_would_help(case: Case) -> Ruling | None:
    """Not better yet, but a learning curve that still rises: rows are the cheapest next step."""
    curve = case.evidence.learning_curve
    if case.lead is None or won(case) or case.says("gap", "cost_or_speed") or not curve or not (curve.low or 0) > 0:
        return None
    return Ruling(
        "fix_data",
        why="the learning curve still rises",
        because=("examples",),
        measured=lead_sentence(case)
        + (f"doubling the rows gains {points(curve.gain_from_doubling)}, at least {points(curve.low)}",),
        steps=(f"Label as many rows again and repeat the comparison: {LESSON['how_much']}.",),
        needs=("comparison", "curve"),
    )


def nothing_would_pay_it_back(case: Case) -> Ruling | None:
    """Tuning needs a gain: a measured win, the same quality for less, or a plateau where consistency or size counts."""
    if pays(case):
        return None
    return Ruling(
        "keep_prompting",
        why="nothing measured so far would pay tuning back",
        because=("gap", "techniques", "consistency", "volume", "prompt_length", "latency"),
        measured=(
            lead_sentence(case)
            + plateau_sentence(case)
            + cost_sentence(case)
            + target_sentence(case)
            + code_sentence(case)
        ),
        steps=(
            *more_rows(case),
            *parts_for_code_step(case),
            *untried_techniques(case),
            f"Do the calculation for your own volume, hosting and people's hours included: {LESSON['record']}.",
            "Look again when volume, prices or the task change.",
        ),
        needs=("target", "comparison", "cost") if case.says("gap", "cost_or_speed") else ("target", "comparison"),
    )


def it_wins_and_does_not_pay_back(case: Case) -> Ruling | None:
    """A win that few would notice, at a bill that is higher."""
    if not bill_forbids(case):
        return None
    return Ruling(
        "keep_prompting",
        why="the tuned model is better, and what it wins does not pay for it",
        because=("volume", "consistency", "worth"),
        measured=lead_sentence(case) + cost_sentence(case) + target_sentence(case),
        steps=(
            "Say what one more right answer is worth to you in money, and compare it with the bill: "
            f"{LESSON['record']}.",
            "Keep the tuned model's score: volume, prices or the value of an answer may change.",
        ),
        needs=("target", "comparison", "cost"),
    )


# ------------------------------------------------------------------ tuning would pay: does the data carry it, and where


def questions_before_training(case: Case) -> Ruling | None:
    missing = [name for name in BEFORE_TRAINING if not case.knows(name)]
    return ask(*missing) if missing else None


def the_data_does_not_carry_it(case: Case) -> Ruling | None:
    """Rights, quality and number of rows; a measured win settles the number, not the rest."""
    if case.says("rights", "unclear"):
        weak, why = "rights", "the right to train on the data is not cleared"
        step = "Clear the rights to the data and the base model's licence, in writing."
    elif case.says("quality", "unknown", "mixed"):
        weak, why = "quality", "the examples are not good enough to copy"
        step = CHECK_EXAMPLES
    elif case.says("examples", "under_10", "10_49") and not won(case) and not as_good(case):
        weak, why = "examples", "there are too few good examples"
        step = f"Collect at least 50 good rows, better 200: {LESSON['data']}."
    else:
        return None
    measured = (case.measured[weak][1],) if weak in case.measured else ()
    steps = (step, *(other_ways(case) if weak == "examples" else ()))
    return Ruling("fix_data", why, because=(weak, "gap"), measured=measured, steps=steps, needs=("target", "data"))


def tuning_is_worth_a_trial(case: Case) -> Ruling | None:
    """No tuned model was measured beside the target, or on too few rows: try it, and measure before anything is done.

    Said with its price, its minutes, the rows it takes and the gain that would count.
    """
    if won(case) or as_good(case):
        return None
    where, counts = place(case), gain_that_counts(case)
    return Ruling(
        "worth_a_trial",
        why=hope(case),
        because=("gap", "effort", "techniques", "consistency", "worth", "examples", "quality", *where.because),
        measured=(
            plateau_sentence(case)
            + room_sentence(case)
            + lead_sentence(case)
            + cost_sentence(case)
            + target_sentence(case)
            + code_sentence(case)
        ),
        facts=where.facts,
        steps=(
            *(more_rows(case) if leads_unproven(case) else ()),
            *untried_techniques(case),
            *where.before,
            f"Know the price first: {price_of_a_trial(case)}. The job's own estimate counts: {LESSON['train']}.",
            f"Know first what would count: {points(counts)} or more over the best prompt and every rival without a "
            f"language model. It takes about {rows_to_show(counts):,} test rows to show that, and never fewer than "
            f"{enough_rows(case.worth):,}.",
            f"Split without leaks and check the file for the host: {LESSON['data']}.",
            f"Open the test rows once, against the best prompted rivals: {LESSON['evaluate']}.",
            f"Then decide again: {LESSON['record']}. A trial is not a release.",
            *other_ways(case),
        ),
        needs=("target", "plateau", "cost", "data"),
        where=where.name,
        data_goes_there=where.choice == "tune_at_provider",
    )


def tuning_won(case: Case) -> Ruling:
    """Measured on enough rows, and better than every rival, or as good for less."""
    where = place(case)
    plan = "Plan the safety test now: probes for refusals and neighbouring tasks, before and after."
    return Ruling(
        where.choice,
        why=gain(case),
        because=("gap", "effort", "techniques", "consistency", "worth", "examples", "quality", *where.because),
        measured=(
            lead_sentence(case)
            + openings_sentence(case)
            + plateau_sentence(case)
            + cost_sentence(case)
            + target_sentence(case)
            + code_sentence(case)
        ),
        facts=where.facts,
        steps=(
            *untried_techniques(case),
            *where.before,
            *((plan,) if case.says("safety", "no_plan") or not case.knows("safety") else ()),
            f"Pass the release gate (quality, safety probes, a way back) before anyone uses it: {LESSON['deploy']}.",
            f"Train again only with the estimate shown before: {LESSON['train']}.",
        ),
        needs=("target", "plateau", "comparison", "cost", "data"),
        where=where.name,
        data_goes_there=where.choice == "tune_at_provider",
    )
