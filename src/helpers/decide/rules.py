"""The rules: read from top to bottom, the first one that speaks decides.

Each rule is a small function that looks at a :class:`Case` and returns a :class:`Ruling`, or None to pass. The order is
the argument: a date that forces a move, then the wrong tool, then no need, then prompting that has not had its chance,
then the missing number of a target model, and only then whether tuning won, whether the data carries it, and where.
"""

from __future__ import annotations

from collections.abc import Callable

from helpers.decide import hosts
from helpers.decide.case import Case, points
from helpers.decide.checklist import questions
from helpers.decide.judgements import (
    NO_ROOM,
    as_good,
    cost_sentence,
    gain,
    lead_sentence,
    pays,
    plateau_sentence,
    price_of_measuring,
    target_sentence,
    teaching_sentence,
    won,
)
from helpers.decide.ruling import LESSON, Ruling

BEFORE_TRAINING = ("flexibility", "consistency", "examples", "quality", "rights", "privacy", "maintenance")
"""Questions that have to be answered before any verdict says "fine-tune"."""


Rule = Callable[[Case], Ruling | None]


def _ask(*ids: str) -> Ruling:
    return Ruling(
        "not_enough",
        why=f"{len(ids)} deciding question{'s are' if len(ids) > 1 else ' is'} open",
        because=("examples", "gap", "effort"),
        steps=tuple(f"Answer first: “{questions()[name].text}”" for name in ids),
    )


# ------------------------------------------------------------------ dates, wrong tool, no need, wrong time


def the_host_is_closing(case: Case) -> Ruling | None:
    """A tuned model in use dies with its host or its base model; nothing else is as urgent."""
    why = hosts.end_in_sight(case.answers.get("host", "none"), case.today) if case.says("tuned_now", "yes") else ""
    if not why:
        return None
    return Ruling(
        "move_off",
        why=f"the end of fine-tuning at {hosts.name(case.answers['host'])} is announced",
        because=("tuned_now", "host"),
        facts=(why,),
        steps=(
            "Record what the tuned model answers today on a frozen set of rows, while it still answers: "
            f"{LESSON['leave']}.",
            f"Measure its successors by prompt on these rows first: {LESSON['evaluate']}.",
            f"Only if prompting loses there: retrain an open model from the original data, {LESSON['train']}.",
        ),
        where=hosts.name(case.answers["host"]),
    )


def knowledge_is_missing(case: Case) -> Ruling | None:
    """Tuning teaches behaviour; facts, above all changing ones, belong into the context of the call."""
    if not case.says("gap", "knowledge", "both"):
        return None
    return Ruling(
        "use_retrieval",
        why="tuning teaches behaviour, not facts",
        because=("gap", "flexibility"),
        steps=(
            "Put the facts into the context of each call (retrieval), with the question that needs them.",
            "Test on questions whose answer changed last month; a tuned model would answer as of its training day.",
            f"If behaviour still falls short with the facts in place, come back to {LESSON['decide']}.",
        ),
    )


def it_is_good_enough(case: Case) -> Ruling | None:
    """Where nothing is missing, there is nothing for tuning to mend."""
    if not case.says("gap", "nothing"):
        return None
    return Ruling(
        "keep_prompting",
        why="nothing is missing in the answers",
        because=("gap",),
        measured=target_sentence(case),
        steps=(
            f"Put 100 to 200 rows aside as a fixed test, so that you notice when it stops being so: {LESSON['data']}.",
            "Try a cheaper model on these rows.",
        ),
        needs=("target",),
    )


def good_output_is_unknown(case: Case) -> Ruling | None:
    """Nobody can teach, or test, what nobody has settled."""
    if not case.says("good_output", "no"):
        return None
    return Ruling(
        "keep_prompting",
        why="it is not settled what a good answer is",
        because=("good_output", "examples", "quality"),
        steps=(
            "Write 20 ideal answers with a second person, settle where you differ, and write down the rule.",
            f"Then measure prompts against them: {LESSON['decide']}.",
        ),
    )


def the_task_keeps_changing(case: Case) -> Ruling | None:
    """A changed rule is an edit in a prompt, and relabelling and retraining in a tuned model."""
    if not case.says("flexibility", "often"):
        return None
    return Ruling(
        "keep_prompting",
        why="a prompt can be changed as often as the task",
        because=("flexibility", "gap"),
        measured=target_sentence(case),
        steps=(
            "Keep the rules in one place in the prompt, under version control.",
            "If one part of the task is stable and large, split it off and decide on that part alone.",
        ),
    )


def not_enough_is_known(case: Case) -> Ruling | None:
    """Three things must be known before anything is said: what is missing, what good is, what prompting has done."""
    missing = [name for name in ("gap", "good_output", "effort") if not case.knows(name)]
    return _ask(*missing) if missing else None


# ------------------------------------------------------------------ prompting has not had its chance


def prompting_has_not_been_tried(case: Case) -> Ruling | None:
    """An afternoon of prompting comes before anything else, and gives the number to beat."""
    if not case.says("effort", "none"):
        return None
    return Ruling(
        "improve_prompt",
        why="prompting has not had its chance",
        because=("effort", "techniques"),
        steps=(
            f"Climb the prompt ladder (instructions, worked examples, nearest examples, schema): {LESSON['decide']}.",
            "Measure each rung on the same validation rows.",
        ),
    )


def nothing_is_evaluated(case: Case) -> Ruling | None:
    """Without fixed rows and a score, neither a plateau nor a gain can be seen."""
    if not case.says("evaluation", "none", "by_eye"):
        return None
    return Ruling(
        "improve_prompt",
        why="nobody can see yet whether a change helps",
        because=("evaluation", "effort"),
        steps=(
            f"Put 100 to 200 rows with ideal answers aside and choose a score: {LESSON['data']}.",
            f"Measure your present prompt, then each change, on these rows: {LESSON['decide']}.",
        ),
    )


# ------------------------------------------------------------------ tuning cannot be done here


def training_is_forbidden(case: Case) -> Ruling | None:
    if not case.says("rights", "no"):
        return None
    return Ruling(
        "keep_prompting",
        why="the examples may not be used for training",
        because=("rights",),
        measured=target_sentence(case),
        steps=("Look for examples that you may use, or have some written, before you think of tuning.",),
    )


def nobody_would_maintain_it(case: Case) -> Ruling | None:
    """Base models are retired; a tuned model that nobody can make again is a hole with a date."""
    if not case.says("maintenance", "nobody"):
        return None
    return Ruling(
        "keep_prompting",
        why="a tuned model without an owner ends with its base model",
        because=("maintenance",),
        measured=target_sentence(case) + lead_sentence(case),
        steps=("Find an owner for data, test and retraining first; a prompt moves to the next model without one.",),
    )


# ------------------------------------------------------------------ the number of a target model is missing


def no_target_was_measured(case: Case) -> Ruling | None:
    """Without a target model's prompt score no verdict says "fine-tune"."""
    if case.target_scores:
        return None
    price = price_of_measuring(case.rows_measured, case.today)
    measure = f"Measure a target model with the same prompts on the same rows: {price}. Do it in {LESSON['decide']}."
    if case.says("privacy", "stays") or case.says("latency", "offline"):
        measure = (
            "Prompt the strongest open model that your own machine can run, on the same rows: no data leaves and it "
            f"costs machine time only. Or try a hosted one on invented rows: {price}."
        )
    elif case.says("models_tried", "measured"):
        measure = f"You have measured other models elsewhere: bring these scores in, or measure here, {price}."
    return Ruling(
        "measure_target",
        why="the number that tuning would have to beat is not known",
        because=("models_tried", "effort", "gap"),
        measured=teaching_sentence(case),
        steps=(measure, f"Then decide again with that number: {LESSON['record']}."),
        needs=("ladder", "data"),
    )


# ------------------------------------------------------------------ from here on a target model's score is known


def the_comparison_is_void(case: Case) -> Ruling | None:
    """Test rows that also stand in the training file make the tuned model look better than it is."""
    if not case.leaks:
        return None
    return Ruling(
        "fix_data",
        why="test rows have leaked into the training data",
        because=("quality",),
        measured=(f"{case.leaks} test rows also stand in the training data: a comparison on them is void",),
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
        measured=target_sentence(case),
        steps=("Look at the remaining errors one by one: often the label is wrong, or the rule is unclear.",),
        needs=("target", "comparison"),
    )


def the_prompt_still_gets_better(case: Case) -> Ruling | None:
    """Do not leave a staircase before it ends, unless tuning has already won."""
    if case.says("gap", "cost_or_speed") or won(case) or not case.says("effort", "improving"):
        return None
    return Ruling(
        "improve_prompt",
        why="it still gets better",
        because=("effort", "techniques"),
        measured=plateau_sentence(case) + target_sentence(case),
        steps=(f"Go on until the plateau test says that the last changes brought nothing: {LESSON['decide']}.",),
        needs=("target", "plateau"),
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
    """Examples, schemas and caching are the cheapest points, and pounds, on the table."""
    if case.lead is not None or case.plateau == "plateaued" or case.says("latency", "offline"):
        return None
    few_tries = case.says("effort", "days") and not case.says("gap", "cost_or_speed")
    if not case.says("techniques", "none") and not few_tries:
        return None
    return Ruling(
        "improve_prompt",
        why="cheaper techniques are untried",
        because=("techniques", "effort"),
        measured=target_sentence(case),
        steps=(
            f"Try nearest examples, many examples and structured outputs on the target model: {LESSON['decide']}.",
            "Turn prompt caching on and put the fixed part of the prompt first: long instructions then cost little.",
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
        because=("gap", "consistency", "volume", "prompt_length", "latency"),
        measured=lead_sentence(case) + cost_sentence(case) + target_sentence(case),
        steps=(
            f"Do the sums for your own volume, hosting and people's hours included: {LESSON['record']}.",
            "Look again when volume, prices or the task change.",
        ),
        needs=("target", "comparison", "cost") if case.says("gap", "cost_or_speed") else ("target", "comparison"),
    )


# ------------------------------------------------------------------ tuning would pay: does the data carry it, and where


def questions_before_training(case: Case) -> Ruling | None:
    missing = [name for name in BEFORE_TRAINING if not case.knows(name)]
    return _ask(*missing) if missing else None


def the_data_does_not_carry_it(case: Case) -> Ruling | None:
    """Rights, quality and number of rows; a measured win settles the number, not the rest."""
    if case.says("rights", "unclear"):
        weak, why = "rights", "the right to train on the data is not cleared"
        step = "Clear the rights to the data and the base model's licence, in writing."
    elif case.says("quality", "unknown", "mixed"):
        weak, why = "quality", "the examples are not good enough to copy"
        step = f"Have the rows read by someone who knows, and repair what the check finds: {LESSON['data']}."
    elif case.says("examples", "under_10", "10_49") and not won(case) and not as_good(case):
        weak, why = "examples", "there are too few good examples"
        step = f"Collect at least 50 good rows, better 200: {LESSON['data']}."
    else:
        return None
    measured = (case.measured[weak][1],) if weak in case.measured else ()
    return Ruling("fix_data", why, because=(weak, "gap"), measured=measured, steps=(step,), needs=("target", "data"))


def _tune(case: Case, choice: str, because: tuple[str, ...], where: str, facts: tuple[str, ...] = ()) -> Ruling:
    steps = [
        f"Split without leaks and check the file for the host: {LESSON['data']}.",
        f"Train, with the estimate shown before: {LESSON['train']}.",
        f"Open the test rows once, against the best prompted rivals: {LESSON['evaluate']}.",
        f"Pass the release gate (quality, safety probes, a way back) before anyone uses it: {LESSON['deploy']}.",
    ]
    if case.says("safety", "no_plan") or not case.knows("safety"):
        steps.insert(3, "Plan the safety test now: probes for refusals and neighbouring tasks, before and after.")
    return Ruling(
        choice,
        why=gain(case),
        because=("gap", "effort", "consistency", "examples", "quality", *because),
        measured=lead_sentence(case) + plateau_sentence(case) + cost_sentence(case) + target_sentence(case),
        facts=facts,
        steps=tuple(steps),
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
    host = hosts.best_host(case.answers.get("host", "none"), case.today)
    if host is None:
        return _tune(case, "tune_yourself", ("host",), "because no host in the table is open")
    tied_to = case.answers.get("host", "none")
    named = (host,) if tied_to in ("none", "other") else (host, tied_to)
    said = tuple(hosts.about(one, case.today) for one in named)
    return _tune(case, "tune_at_provider", ("host", "maintenance"), hosts.name(host), said)


RULES: tuple[Rule, ...] = (
    the_host_is_closing,
    knowledge_is_missing,
    it_is_good_enough,
    good_output_is_unknown,
    the_task_keeps_changing,
    not_enough_is_known,
    prompting_has_not_been_tried,
    nothing_is_evaluated,
    training_is_forbidden,
    nobody_would_maintain_it,
    no_target_was_measured,
    the_comparison_is_void,
    tuning_lost,
    there_is_no_room,
    the_prompt_still_gets_better,
    the_rows_cannot_tell,
    cheap_techniques_are_untried,
    more_data_would_help,
    nothing_would_pay_it_back,
    questions_before_training,
    the_data_does_not_carry_it,
    it_must_run_on_your_own_machines,
    your_host_trains,
    your_own_people_can,
    a_host_is_named,
)
"""In order; the last one always speaks."""


def rule(case: Case) -> tuple[str, Ruling]:
    """Name and ruling of the first rule that speaks."""
    for each in RULES:
        ruling = each(case)
        if ruling is not None:
            return each.__name__, ruling
    raise AssertionError("the last rule always speaks")
