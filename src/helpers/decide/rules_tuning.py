"""The last rules, once a target model's score is known: whether tuning won, whether the data carries it, and where."""

from __future__ import annotations

from helpers.decide import hosts
from helpers.decide.case import Case, points
from helpers.decide.checklist import questions
from helpers.decide.judgements import (
    NO_ROOM,
    as_good,
    cost_sentence,
    gain,
    lead_sentence,
    more_rows,
    pays,
    plateau_sentence,
    target_sentence,
    untried_techniques,
    won,
)
from helpers.decide.ruling import CHECK_EXAMPLES, LESSON, Ruling, ask

BEFORE_TRAINING = (
    "flexibility", "consistency", "techniques", "examples", "quality", "rights", "privacy", "maintenance",
)  # fmt: skip
"""Questions that have to be answered before any verdict says "fine-tune"."""


# ------------------------------------------------------------------ from here on a target model's score is known


def the_comparison_is_void(case: Case) -> Ruling | None:
    """Test rows that also stand in the training file make the tuned model look better than it is."""
    if not case.leaks:
        return None
    return Ruling(
        "fix_data",
        why="test rows have leaked into the training data",
        because=("quality",),
        measured=(f"{case.leaks:,} test rows also stand in the training data: a comparison on them is void",),
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
    """A prompt that is nearly always right leaves little to win."""
    if not case.says("gap", "behaviour") or case.best_target["low"] < NO_ROOM or case.says("consistency", "critical"):
        return None
    if won(case):
        return None
    return Ruling(
        "keep_prompting",
        why="little is left to win",
        because=("consistency",),
        measured=lead_sentence(case) + plateau_sentence(case) + target_sentence(case),
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
        measured=plateau_sentence(case) + target_sentence(case),
        steps=(f"Label more validation rows and test the last prompts again: {LESSON['decide']}.",),
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
    curve = case.evidence.learning_curve or {}
    if case.lead is None or won(case) or case.says("gap", "cost_or_speed") or not curve.get("low", 0) > 0:
        return None
    return Ruling(
        "fix_data",
        why="the learning curve still rises",
        because=("examples",),
        measured=lead_sentence(case)
        + (f"doubling the rows gains {points(curve['gain_from_doubling'])}, at least {points(curve['low'])}",),
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
        measured=lead_sentence(case) + plateau_sentence(case) + cost_sentence(case) + target_sentence(case),
        steps=(
            *more_rows(case),
            *untried_techniques(case),
            f"Do the sums for your own volume, hosting and people's hours included: {LESSON['record']}.",
            "Look again when volume, prices or the task change.",
        ),
        needs=("target", "comparison", "cost") if case.says("gap", "cost_or_speed") else ("target", "comparison"),
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
    return Ruling("fix_data", why, because=(weak, "gap"), measured=measured, steps=(step,), needs=("target", "data"))


def _tune(
    case: Case,
    choice: str,
    because: tuple[str, ...],
    where: str,
    facts: tuple[str, ...] = (),
    before: tuple[str, ...] = (),
) -> Ruling:
    """A verdict to train: ``before`` are the steps that come ahead of splitting, training, testing and releasing."""
    plan = "Plan the safety test now: probes for refusals and neighbouring tasks, before and after."
    steps = (
        *untried_techniques(case),
        *before,
        f"Split without leaks and check the file for the host: {LESSON['data']}.",
        f"Train, with the estimate shown before: {LESSON['train']}.",
        f"Open the test rows once, against the best prompted rivals: {LESSON['evaluate']}.",
        *((plan,) if case.says("safety", "no_plan") or not case.knows("safety") else ()),
        f"Pass the release gate (quality, safety probes, a way back) before anyone uses it: {LESSON['deploy']}.",
    )
    return Ruling(
        choice,
        why=gain(case),
        because=("gap", "effort", "techniques", "consistency", "examples", "quality", *because),
        measured=lead_sentence(case) + plateau_sentence(case) + cost_sentence(case) + target_sentence(case),
        facts=facts,
        steps=steps,
        needs=("target", "plateau", "comparison", "cost", "data"),
        where=where,
    )


def it_must_run_on_your_own_machines(case: Case) -> Ruling | None:
    if not case.says("privacy", "stays") and not case.says("latency", "offline"):
        return None
    return _tune(case, "tune_yourself", ("privacy", "latency"), "on your own machines")


def your_host_trains(case: Case) -> Ruling | None:
    """A host that the reader is tied to is named first, if the facts say that it is open."""
    host = case.answers.get("host", "none")
    if not hosts.open_to_new(host, case.today):
        return None
    return _tune(case, "tune_at_provider", ("host", "privacy"), hosts.name(host), (hosts.about(host, case.today),))


def your_own_people_can(case: Case) -> Ruling | None:
    if not case.says("maintenance", "team"):
        return None
    return _tune(case, "tune_yourself", ("maintenance",), "with your own people")


def a_host_is_named(case: Case) -> Ruling | None:
    """The most portable open host; with none open, the reader's own machine is left."""
    host = hosts.best_host(case.today)
    if host is None:
        return _tune(case, "tune_yourself", ("host",), "because no host in the table is open")
    tied_to = case.answers.get("host", "none")
    named = (host,) if tied_to in ("none", "other") else (host, tied_to)
    said = tuple(hosts.about(one, case.today) for one in named)
    before = _before_a_host_gets_data(case, hosts.name(host))
    return _tune(case, "tune_at_provider", ("host", "maintenance", "privacy"), hosts.name(host), said, before)


def _before_a_host_gets_data(case: Case, name: str) -> tuple[str, ...]:
    """What to settle before rows go to a host that the kit names and the reader did not."""
    ask_yours = "Ask your own host first whether it fine-tunes models: the kit's table does not know it."
    approve = (
        f"Send no row to {name} before it is approved for your data. An approved host that trains, or that rents out "
        "plain GPUs, would do as well."
    )
    return ((ask_yours,) if case.says("host", "other") else ()) + (
        (approve,) if case.says("privacy", "some_hosts") else ()
    )
