"""The rules on prompting: it has not had its chance, it suffices, something simpler does, or it still gets better.

They end with the rule that no verdict says "fine-tune" before a target model was measured.
"""

from __future__ import annotations

from helpers.decide.case import Case
from helpers.decide.rules.criteria import (
    bill_forbids,
    code_leads,
    code_leaves_no_gain,
    code_suffices,
    few_prompts,
    must_run_locally,
    needs_speed,
    probably_cheaper,
    won,
)
from helpers.decide.rules.ruling import LESSON, Ruling
from helpers.decide.rules.sentences import (
    code_lead_sentence,
    code_sentence,
    cost_sentence,
    lead_sentence,
    plateau_sentence,
    target_sentence,
    teaching_sentence,
)
from helpers.decide.rules.steps import more_rows, parts_for_code_step, price_of_measuring
from helpers.formatting import percent, plural, points
from helpers.records import Measurement

# ------------------------------------------------------------------ prompting has not had its chance


def prompting_has_not_been_tried(case: Case) -> Ruling | None:
    """An afternoon of prompting comes before anything else, and gives the number to beat.

    Prompts without an answer, such as those that a host cut, were not tried.
    """
    few = few_prompts(case)
    if not case.says("effort", "none") and not few:
        return None
    return Ruling(
        "improve_prompt",
        why="prompting has not had its chance",
        because=("effort", "techniques"),
        measured=target_sentence(case),
        steps=(
            *(_which_got_answers(case) if few else ()),
            f"Climb the prompt ladder (instructions, worked examples, nearest examples, schema): {LESSON['decide']}.",
            "Measure each rung on the same validation rows.",
        ),
    )


def _which_got_answers(case: Case) -> tuple[str, ...]:
    tries, model = case.plateau_test.tries, case.best_target.model
    return (
        f"Only {plural(tries, 'prompt')} of {model} got answers: see which did not, and why. A host "
        "that cuts long prompts is named in the notes of the run, with the way out.",
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


# ------------------------------------------------------------------ no language model, or no tuning, here


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


def code_leaves_nothing_to_gain(case: Case) -> Ruling | None:
    """Where plain code is right in nearly every row no model pays, whether one was measured or not."""
    if not code_leaves_no_gain(case):
        return None
    code = case.best_code
    left, most = points(1 - code.score).lstrip("+"), points(1 - code.low).lstrip("+")
    return Ruling(
        "no_language_model",
        why=f"{code.name} gets {percent(code.score)} right at no cost, and what is left is not worth a model",
        because=("gap", "worth"),
        measured=(
            *code_sentence(case),
            f"that leaves {left} for any model to gain (by the interval {most} at most), and less than "
            f"{100 * case.worth:.0f} is not worth having",
            *teaching_sentence(case),
        ),
        steps=(_use(code), *more_rows(case)),
        needs=("target", "code"),
    )


def _use(code: Measurement) -> str:
    return f"Put {code.name} into use, and keep the test rows to watch it: it is trained in seconds, also again."


def no_language_model_is_needed(case: Case) -> Ruling | None:
    """A classifier or plain code that is as good as the best prompt, once the prompt has had its chance.

    The burden of proof lies on the dearer rival: a tuned model counts against it only where it was shown to be better.
    """
    if not code_suffices(case) or case.says("techniques", "none"):
        return None
    code = case.best_code
    return Ruling(
        "no_language_model",
        why=f"{code.name} is as good as the best that was measured, and costs nothing to run",
        because=("gap", "worth"),
        measured=code_sentence(case) + code_lead_sentence(case) + target_sentence(case),
        steps=(
            _use(code),
            "Give what it is unsure of to the best prompt, if that is worth its price to you.",
            *more_rows(case),
        ),
        needs=("target", "code"),
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


# ------------------------------------------------------------------ more prompting, or the number of a target model


def the_prompt_still_gets_better(case: Case) -> Ruling | None:
    """Do not leave a staircase before it ends, unless tuning has already won and its bill allows it.

    Without a score of a target model the reader's word counts only if other models were measured too.
    """
    on_a_real_model = case.targets or case.says("models_tried", "measured")
    better_already = won(case) and not bill_forbids(case)
    if (
        case.says("gap", "cost_or_speed")
        or better_already
        or not on_a_real_model
        or not case.says("effort", "improving")
    ):
        return None
    go_on = f"Go on until the plateau test says that the last changes did not help: {LESSON['decide']}."
    return Ruling(
        "improve_prompt",
        why="it still gets better",
        because=("effort", "techniques"),
        measured=plateau_sentence(case) + target_sentence(case) + code_sentence(case),
        steps=(go_on, *parts_for_code_step(case)) if case.targets else (measure_a_target(case), go_on),
        needs=("target", "plateau"),
    )


def caching_is_untried(case: Case) -> Ruling | None:
    """Where only the bill is wrong, caching and a cheaper model are an afternoon's work."""
    if not case.says("gap", "cost_or_speed") or not case.says("techniques", "none") or case.lead is not None:
        return None
    if must_run_locally(case):
        return None
    return Ruling(
        "improve_prompt",
        why="caching and cheaper models are untried",
        because=("techniques", "prompt_length", "volume"),
        measured=target_sentence(case),
        steps=(
            "Put the fixed part of the prompt first and turn prompt caching on: long instructions then cost little.",
            measure_a_target(case),
        ),
    )


def the_bill_is_small(case: Case) -> Ruling | None:
    """Few calls cannot pay back training, hosting and people, unless the sums of this very case say so."""
    small = case.says("gap", "cost_or_speed") and case.says("volume", "low") and not needs_speed(case)
    if not small or probably_cheaper(case):
        return None
    return Ruling(
        "keep_prompting",
        why="few calls cannot pay tuning back",
        because=("gap", "volume"),
        measured=cost_sentence(case) + target_sentence(case),
        steps=(
            "Try a cheaper model on a fixed set of rows.",
            f"Do the calculation for your own volume: {LESSON['record']}.",
        ),
        needs=("cost",),
    )


def no_target_was_measured(case: Case) -> Ruling | None:
    """Without a target model's prompt score no verdict says "fine-tune"."""
    if case.targets:
        return None
    code, why, meanwhile = case.best_code, "the number that tuning would have to beat is not known", ()
    if code_leads(case):
        why = (
            f"“{code.name}”, without a language model, leads all that was measured on the {code.split} rows: no model "
            "is known to beat it"
        )
        meanwhile = (
            f"Until then “{code.name}” is the best that you have: use it where {percent(code.score)} is enough.",
        )
    return Ruling(
        "measure_target",
        why=why,
        because=("models_tried", "effort", "gap"),
        measured=teaching_sentence(case) + _number_to_beat(case),
        steps=(measure_a_target(case), *meanwhile, f"Then decide again with that number: {LESSON['record']}."),
        needs=("ladder", "data"),
    )


def _number_to_beat(case: Case) -> tuple[str, ...]:
    code = case.best_code
    if code is not None and percent(code.score) == percent(0):
        return (f"no rival without a language model that was tried gets any of the {code.n:,} {code.split} rows right",)
    return tuple(f"{sentence}: that is the number to beat for any model" for sentence in code_sentence(case))


def they_answered_different_rows(case: Case) -> Ruling | None:
    """Scores on different rows, or by different metrics, cannot be compared: the target's best prompt has to answer
    the tuned model's rows."""
    rival = case.rival_elsewhere
    tuned = case.judged if rival else case.on_other_rows
    if tuned is None:
        return None
    rival = rival or case.best_target
    price = price_of_measuring(tuned.n, case.today, (rival,), one_prompt=True)
    what = "answered different rows" if tuned.metric == rival.metric else "were scored by different metrics"
    return Ruling(
        "measure_target",
        why=f"{rival.model} and the tuned model {what}, so they cannot be compared",
        because=("evaluation",),
        measured=(
            *target_sentence(case),
            f"{tuned.model} was measured by {tuned.metric} on {tuned.n:,} {tuned.split} rows, {rival.model} "
            f"(“{rival.name}”, {percent(rival.score)}) by {rival.metric} on {rival.n:,} {rival.split} rows",
            *code_sentence(case),
        ),
        steps=(
            f"Score the best prompt of {rival.model}, “{rival.name}”, on the same {tuned.n:,} {tuned.split} rows, by "
            f"{tuned.metric}: {price}. Name it in TARGETS in {LESSON['evaluate']}.",
            f"Then decide again: {LESSON['record']}.",
        ),
        needs=("target", "comparison"),
    )


def measure_a_target(case: Case) -> str:
    """The step that every verdict without a target model's score begins with: what to measure, and its price."""
    rows = max((one.n for one in case.ladder), default=case.rows_to_choose_by)
    price = price_of_measuring(rows, case.today, case.ladder)
    if case.device_holds is not None:
        return (
            "Prompt the strongest model that fits the device (under a billion parameters), on the same rows: that is "
            f"the number to beat there. {LESSON['decide']}."
        )
    if case.says("privacy", "stays") or must_run_locally(case):
        return (
            "Prompt the strongest open model that your own machine can run, on the same rows: no data leaves and it "
            f"costs machine time only. Or try a hosted one on invented rows: {price}."
        )
    if case.says("models_tried", "measured") and not case.targets:
        return f"You have measured other models elsewhere: bring these scores in, or measure here, {price}."
    return (
        f"Measure a target model with the same prompts on the same rows: {price}. Do it in {LESSON['decide']}: "
        "set HOST, MODEL, PRICE and SPEND_LIMIT_USD at the top of the notebook and run it again, down to the plateau "
        "test."
    )
