"""From a checklist and what was measured to a verdict that explains itself, and its record.

``decide(answers, evidence, today)`` gives a :class:`helpers.records.Verdict`. The questions are data
(``checklist.toml``), the rules stand in ``rules.py`` in the order in which they speak, and ``flips`` lists what would
change the verdict. ``python -m helpers.decide record.json`` runs a record again.
"""

from helpers.decide.answers import Answers, load, save
from helpers.decide.checklist import Option, Question, groups, questions, unanswered
from helpers.decide.rules import CHOICES, RULES
from helpers.decide.verdict import Flip, decide, flips, rule_name

__all__ = [
    "CHOICES",
    "RULES",
    "Answers",
    "Flip",
    "Option",
    "Question",
    "decide",
    "flips",
    "groups",
    "load",
    "questions",
    "rule_name",
    "save",
    "unanswered",
]
