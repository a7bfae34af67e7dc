"""The last step: a gate before release, a name that programs call, and a way back."""

from helpers.deploy.aliases import Alias, current, promote, rollback
from helpers.deploy.gate import Gate, gate

__all__ = ["Alias", "Gate", "current", "gate", "promote", "rollback"]
