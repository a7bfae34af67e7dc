"""Two other ways to teach a model: reinforcement fine-tuning, by a grader, and distillation, by a stronger model.

The kit trains neither. It says where the answers to the checklist point to one of them, and what limits it.
"""

from __future__ import annotations

from helpers import facts
from helpers.decide import hosts
from helpers.decide.case import Case


def other_ways(case: Case) -> tuple[str, ...]:
    """The steps for what the reader has: a program that grades answers, a stronger model that may teach."""
    return (*_by_a_grader(case), *_by_a_stronger_model(case))


def _by_a_grader(case: Case) -> tuple[str, ...]:
    if not case.says("grader", "yes"):
        return ()
    return (
        "Since a program can grade an answer, look at reinforcement fine-tuning too: it needs questions and a grader, "
        "not ideal answers. It works where the prompted model is right sometimes already, learns to please the grader "
        f"where that can be fooled, and takes longer. {_who_offers_it(case)}",
    )


def _who_offers_it(case: Case) -> str:
    """Hosts at which somebody new can start such a job on this day, by the facts."""
    rows = [row for row in facts.rows("tunable") if row["method"] == "reinforcement"]
    open_rows = [row for row in rows if facts.standing(row["model"], row["provider"], case.today).state == "open"]
    if not open_rows:
        return "No host in the kit's table offers it to newcomers; open libraries (TRL) do it on GPUs of your own."
    names = ", ".join(dict.fromkeys(hosts.name(row["provider"]) for row in open_rows))
    return f"Open to newcomers as far as the table knows: {names} ({open_rows[0].cite})."


def _by_a_stronger_model(case: Case) -> tuple[str, ...]:
    if not case.says("teacher", "yes") or not case.says("gap", "behaviour", "cost_or_speed"):
        return ()
    return (
        "Since a stronger model may teach, let it answer your own questions and have people check the answers "
        "(distillation): rows in days, not weeks. A student seldom beats its teacher, copies its mistakes, and is "
        "measured against it on rows that people answered.",
    )
