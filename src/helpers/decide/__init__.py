"""From a checklist and what was measured to a verdict that explains itself, and its record.

``decide(answers, evidence, today)`` gives a :class:`helpers.records.Verdict`. The questions are data
(``checklist.toml``), the rules stand in ``rules.py`` in the order in which they speak, and ``flips`` lists what would
change the verdict. ``python -m helpers.decide record.json`` runs a record again.
"""

from importlib import import_module
from typing import Any

from helpers.decide.answers import Answers, load, save
from helpers.decide.checklist import Option, Question, article, checked, groups, questions, unanswered
from helpers.decide.counterfactuals import Flip, flips, suppose
from helpers.decide.rules import RULES
from helpers.decide.ruling import CHOICES
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

_AROUND = {"gathering": ("collect", "versions"), "record": ("Record", "load_record"), "begun": ("given",)}
"""What lessons have measured, and the record's pages, which need more than the standard library."""


def __getattr__(name: str) -> Any:
    for module, names in _AROUND.items():
        if name in names:
            return getattr(import_module(f"helpers.decide.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
