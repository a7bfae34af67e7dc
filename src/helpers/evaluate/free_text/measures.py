"""The measures of free text that one answer has by itself, as metrics."""

from __future__ import annotations

from collections.abc import Sequence

from helpers.evaluate import metrics
from helpers.evaluate.free_text.copying import copied
from helpers.evaluate.free_text.faithfulness import distinct, invented, mentions
from helpers.evaluate.metrics import Metric
from helpers.evaluate.rules import Rule, broken, check_rules, rule_check
from helpers.records import Example
from helpers.wording import plural


def measures(rules: Sequence[Rule], train: Sequence[Example], *, facts: bool = True) -> list[Metric]:
    """Rules and facts together (the headline), rules kept, all of them kept, nothing invented, words copied, length.

    The headline is no weighted score: a text passes when it keeps every rule *and* invents nothing. Either alone can be
    had cheaply: another product's copy keeps every rule, and a text that says nothing invents nothing.

    Args:
        rules: what a text must keep; none leaves the measures of rules out.
        facts: whether what an answer says of numbers, materials and colours must stand in its question. Where neither
            rules nor facts are asked for, likeness to the ideal answer comes first, and decides nothing.

    Raises:
        EvaluationError: rules that cannot be used.
    """
    always = [copied(train), metrics.length]
    if not rules:
        return [nothing_invented if facts else metrics.similarity, *always]
    every = rule_check(rules, "all_rules")
    if not facts:
        return [every, rules_kept(rules), *always]
    both = Metric("rules_and_facts", lambda answer, example: every(answer, example) * nothing_invented(answer, example))
    return [both, rules_kept(rules), every, nothing_invented, *always]


def rules_kept(rules: Sequence[Rule]) -> Metric:
    """The share of the rules that a text keeps.

    Raises:
        EvaluationError: rules that cannot be used.
    """
    checked = check_rules(rules)
    return Metric("rules_kept", lambda answer, example: 1 - len(broken(checked, answer)) / len(checked))


nothing_invented = Metric("nothing_invented", lambda answer, example: float(not invented(answer, example.question)))
"""1 when every number, material and colour in the answer stands in the question, as far as patterns can tell, else 0.

A text that says nothing of the kind invents nothing: read it beside ``profile``'s facts told.
"""


def remarks(copy: str, sheet: str, rules: Sequence[Rule] = ()) -> list[str]:
    """What there is to say of one text: the rules that it breaks, and what it says that is not on the sheet."""
    gone = broken(rules, copy)
    broke = "; ".join(rule.get("description", rule["id"]) for rule in rules if rule["id"] in gone)
    kept = f"Breaks {len(gone)} of {len(rules)} rules: {broke}." if gone else f"Keeps all {len(rules)} rules."
    told = distinct(mentions(copy, sheet))
    wrong = [f"“{one.text}”" for one in told if not one.stands]
    facts = (
        f"Not on the sheet: {', '.join(wrong)}." if wrong else f"{plural(len(told), 'fact')} found, all on the sheet."
    )
    return [kept] * bool(rules) + [facts if told else "No number, material or colour found."]
