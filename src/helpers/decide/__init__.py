"""From a checklist and what was measured to a verdict that explains itself, and its record.

``decide(answers, evidence, today)`` gives a :class:`helpers.records.Verdict`. From what goes in to what comes out::

    checklist        the questions, read from checklist.toml, and the check of answers; answers: as files
    hosts            what the facts say about hosts on a day
    evidence         the check of what was measured
    case             answers and evidence together: a measurement beats an answer
    rules            the rules, in the order in which they speak (rules/order.py)
    counterfactuals  what would change the verdict: ``flips``
    verdict          ``decide`` itself
    record           the record: its pages, its file, and evidence as files and projects hold it

Each imports only what stands above it. ``python -m helpers.decide record.json`` runs a record again.
"""

from importlib import import_module
from typing import Any

from helpers.decide.answers import Answers, load, save
from helpers.decide.checklist import Option, Question, article, checked, groups, questions, unanswered
from helpers.decide.counterfactuals import Flip, flips, suppose
from helpers.decide.rules.order import RULES
from helpers.decide.rules.ruling import CHOICES
from helpers.decide.verdict import decide, deciding, worth

__all__ = [
    "CHOICES",
    "RULES",
    "Answers",
    "Flip",
    "Option",
    "Question",
    "Record",
    "article",
    "checked",
    "collect",
    "decide",
    "deciding",
    "flips",
    "given",
    "groups",
    "load",
    "load_record",
    "questions",
    "save",
    "suppose",
    "unanswered",
    "versions",
    "worth",
]

_AROUND = {
    "record.gathering": ("collect", "versions"), "record.record": ("Record", "load_record"), "record.begun": ("given",),
}  # fmt: skip
"""What lessons have measured, and the record's pages, which need more than the standard library."""


def __getattr__(name: str) -> Any:
    for module, names in _AROUND.items():
        if name in names:
            return getattr(import_module(f"helpers.decide.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
