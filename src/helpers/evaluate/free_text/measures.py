"""The measures of free text that one answer has by itself, as metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from helpers.data.tasks import Task
from helpers.errors import EvaluationError
from helpers.evaluate import metrics
from helpers.evaluate.free_text.copying import copied
from helpers.evaluate.free_text.faithfulness import distinct, invented, mentions
from helpers.evaluate.metrics import Metric
from helpers.evaluate.metrics.text_rules import Rule, broken, check_rules, load_rules, rule_check, version
from helpers.formatting import plural
from helpers.records import Example


def measures(rules: Sequence[Rule], train: Sequence[Example], *, facts: bool = True) -> list[Metric]:
    """Rules and facts together (the headline), rules kept, all of them kept, nothing invented, words copied, length.

    The headline is no weighted score: a text passes when it keeps every rule *and* invents nothing. Either alone can be
    had cheaply: another product's copy keeps every rule, and a text that says nothing invents nothing.

    Args:
        rules: what a text must keep; none leaves the measures of rules out.
        train: training rows, with which copied words are looked for.
        facts: whether what an answer says of numbers, materials and colours must stand in its question. Without rules,
            likeness to the ideal answer comes first, and decides nothing: a text that says nothing would be the best.

    Raises:
        EvaluationError: rules that cannot be used.
    """
    always = [copied(train), metrics.length]
    if not rules:
        return [metrics.similarity, *[nothing_invented] * facts, *always]
    every = rule_check(rules, "all_rules")
    if not facts:
        return [every, rules_kept(rules), *always]
    both = replace(
        every, name="rules_and_facts",
        score=lambda answer, example: every(answer, example) * nothing_invented(answer, example),
    )  # fmt: skip
    return [both, rules_kept(rules), every, nothing_invented, *always]


def for_task(about: Task, rules: Any, train: Sequence[Example], *, facts: bool = False) -> list[Metric]:
    """The measures of a reader's project: :func:`measures` where its answers are free text with rules or facts to keep,
    else those of ``metrics.for_task``. A check or metrics of the reader's own come first, with facts after them.

    Args:
        about: the kind of task, from ``data.task``.
        rules: as for ``metrics.for_task``: a TOML file or list of rules, the name of a check, metrics, or None.
        train: training rows, with which copied words are looked for.
        facts: as for :func:`measures`.

    Raises:
        EvaluationError: rules that cannot be used, or rules or facts for a kind of task that is not free text.
    """
    usual = metrics.for_task(about, rules)
    if facts and about.kind not in ("text", "turns"):
        raise EvaluationError(f"FACTS is for free text; these rows are {about.kind}.", fix="Set FACTS = False.")
    table = rules_of(rules)
    if not (table or facts):
        return usual
    own = usual if rules is not None and not table else []
    names = [one.name for one in own]
    likeness = [metrics.similarity] if table else []  # without rules it comes first
    return [*own, *(one for one in [*measures(table, train, facts=facts), *likeness] if one.name not in names)]


def rules_of(rules: Any) -> list[Rule]:
    """The table of rules in what a reader gave as ``RULES``; empty for the name of a check, for metrics, for None."""
    if isinstance(rules, Path) or (isinstance(rules, str) and rules.endswith(".toml")):
        return load_rules(rules)
    listed = list(rules) if isinstance(rules, list | tuple) else []
    return check_rules(listed) if listed and not any(isinstance(one, Metric) for one in listed) else []


def rules_kept(rules: Sequence[Rule]) -> Metric:
    """The share of the rules that a text keeps.

    Raises:
        EvaluationError: rules that cannot be used.
    """
    checked = check_rules(rules)
    return Metric(
        "rules_kept", lambda answer, example: 1 - len(broken(checked, answer)) / len(checked), version=version(checked)
    )


nothing_invented = Metric("nothing_invented", lambda answer, example: float(not invented(answer, example.question)))
"""1 when every number, material and colour in the answer stands in the question, as far as patterns can tell, else 0.

A text that says nothing of the kind invents nothing: read it beside ``profile``'s facts told.
"""


def remarks(copy: str, sheet: str, rules: Sequence[Rule] = ()) -> list[str]:
    """What there is to say of one text: the rules that it breaks, and what it says that is not on the sheet.

    Args:
        copy: the text that is checked.
        sheet: the facts that it was written from.
        rules: what it must keep; none leaves rules out.
    """
    gone = broken(rules, copy)
    broke = "; ".join(rule.get("description", rule["id"]) for rule in rules if rule["id"] in gone)
    kept = f"Breaks {len(gone)} of {len(rules)} rules: {broke}." if gone else f"Keeps all {len(rules)} rules."
    told = distinct(mentions(copy, sheet))
    wrong = [f"“{one.text}”" for one in told if not one.stands]
    facts = (
        f"Not on the sheet: {', '.join(wrong)}." if wrong else f"{plural(len(told), 'fact')} found, all on the sheet."
    )
    return [kept] * bool(rules) + [facts if told else "No number, material or colour found."]
