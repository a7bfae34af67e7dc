"""The last step: a gate before release, a name that programs call, a way back, and ways out.

In the order in which a release needs them::

    gate        rules that a model has to meet before programs may call it
    card        the model card, on one page
    aliases     a name that programs call, moved between models and back
    calling     the lines to paste into a program
    drift       is the traffic still what the model was trained on?
    export      take the model elsewhere; elsewhere: does it answer the same there?
    retire      keep a test set of its answers before it is gone
"""

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
