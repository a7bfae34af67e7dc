"""What the two outcomes of a score are called: a text that keeps all rules is not thereby right."""

from __future__ import annotations

from typing import NamedTuple


class Outcomes(NamedTuple):
    """Words for a full score and for less: what such an answer does or is, and what its row is called."""

    good: str
    bad: str
    bad_row: str


RIGHT_OR_WRONG = Outcomes("right", "wrong", "wrong row")
RULES = Outcomes("keeps all rules", "breaks a rule", "failing row")
OTHER_WORDS = {
    "rules": RULES,
    "all_rules": RULES,
    "rules_kept": RULES,
    "nothing_invented": Outcomes("invents nothing", "invents something", "failing row"),
    "rules_and_facts": Outcomes(
        "keeps all rules and invents nothing", "breaks a rule or invents something", "failing row"
    ),
}
"""Metric → its words, where they are not right and wrong."""


def outcomes(metric: str) -> Outcomes:
    """The words for a metric's outcomes.

    Args:
        metric: its name.
    """
    return OTHER_WORDS.get(metric, RIGHT_OR_WRONG)
