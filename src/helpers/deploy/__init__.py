"""The last step: a gate before release, a name that programs call, a way back, and ways out."""

from helpers.deploy.aliases import Alias, current, promote, rollback
from helpers.deploy.calling import how_to_call
from helpers.deploy.card import card
from helpers.deploy.drift import Drift, drift
from helpers.deploy.elsewhere import SameAnswers, same_answers
from helpers.deploy.export import export, take_home
from helpers.deploy.gate import Gate, gate, measured
from helpers.deploy.retire import freeze

__all__ = [
    "Alias",
    "Drift",
    "Gate",
    "SameAnswers",
    "card",
    "current",
    "drift",
    "export",
    "freeze",
    "gate",
    "how_to_call",
    "measured",
    "promote",
    "rollback",
    "same_answers",
    "take_home",
]
