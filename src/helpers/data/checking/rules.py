"""What a provider takes: its rules, from the tables of facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from helpers import facts
from helpers.data.report import GENERAL
from helpers.data.shapes.chat import CHAT_KEYS
from helpers.formatting import host_called

ROLES = frozenset(("system", "developer", "user", "assistant", "tool", "function"))


@dataclass(frozen=True)
class Rules:
    """What a provider takes, from the facts tables; None where nothing is known. ``plain``: roles that only speak."""

    provider: str
    shapes: tuple[str, ...]
    roles: frozenset[str]
    plain: frozenset[str]
    keys: tuple[str, ...]
    parts: bool
    bom: bool
    max_images: int | None
    min_examples: int | None
    max_examples: int | None
    max_file_bytes: int | None
    max_example_tokens: int | None

    @property
    def called(self) -> str:
        """What a sentence calls the provider."""
        return host_called(self.provider)


ANY_SHAPE = ("chat", "prompt_completion", "preference", "question_answer")
"""Shapes from which chat rows can be made."""


def rules_for(provider: str, model: str | None = None) -> Rules:
    """The provider's rules.

    :data:`GENERAL` names the rules that hold wherever chat rows are used: for a host that trains nothing, or of which
    no limits are known.

    Args:
        provider: a host's id, or :data:`GENERAL`.
        model: the one that will be trained, where limits depend on it.

    Raises:
        FactsError: no limits of this provider are known.
    """
    known: Mapping[str, Any] = {"shapes": ANY_SHAPE} if provider == GENERAL else facts.limits(provider, model)
    roles = frozenset(known.get("roles", ROLES))
    return Rules(
        provider=provider,
        shapes=known["shapes"],
        roles=roles,
        plain=roles & {"system", "developer", "user", "assistant"},
        keys=known.get("keys", CHAT_KEYS),
        parts=known.get("parts", True),
        bom=known.get("bom", False),
        max_images=known.get("max_images"),
        min_examples=known.get("min_examples"),
        max_examples=known.get("max_examples"),
        max_file_bytes=known.get("max_file_bytes"),
        max_example_tokens=known.get("max_example_tokens"),
    )
