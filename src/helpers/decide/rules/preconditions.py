"""The first rules: a date that forces a move, the wrong tool, no need, or the wrong time."""

from __future__ import annotations

from helpers.decide import hosts
from helpers.decide.case import Case
from helpers.decide.rules.ruling import LESSON, Ruling, ask
from helpers.decide.rules.sentences import target_sentence


def the_host_is_closing(case: Case) -> Ruling | None:
    """A tuned model in use dies with its host or its base model; nothing else is as urgent."""
    host = case.answers.get("host", "none")
    why = hosts.end_in_sight(host, case.today) if case.says("tuned_now", "yes") else ""
    if not why:
        return None
    record = (
        f"Record what the tuned model answers today on a frozen set of rows, while it still answers: {LESSON['leave']}."
    )
    gather = (
        "Nothing that was tuned there answers on this day: gather what it answered from logs and exports, as the test "
        f"of its successor ({LESSON['leave']})."
    )
    return Ruling(
        "move_off",
        why=hosts.end_in_words(host, case.today),
        because=("tuned_now", "host"),
        facts=(why,),
        steps=(
            record if hosts.still_answers(host, case.today) else gather,
            f"Measure its successors by prompt on these rows first: {LESSON['evaluate']}.",
            f"Only if prompting loses there: retrain an open model from the original data, {LESSON['train']}.",
        ),
        where=hosts.name(host),
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
    return ask(*missing) if missing else None
