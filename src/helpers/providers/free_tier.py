"""Free tiers of hosts: limits instead of a price, and consent where prompts may be trained on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace

from helpers import facts
from helpers.errors import ConsentError, HostError
from helpers.providers.host import Host

TRAINS = {
    "yes": "what you send is used to improve its models",
    "depends": "the host behind a model may train on what you send",
    "unknown": "whether it trains on what you send is not known",
}
"""What ``trains_on_prompts`` of the table means, where it is not "no"."""


@dataclass(frozen=True)
class Limits:
    """What a free tier allows; None: not known, and then not kept. All models of the host count together: some hosts
    count each model on its own, and then this is slower than they ask for."""

    requests_per_minute: float | None = None
    requests_per_day: float | None = None
    tokens_per_minute: float | None = None
    tokens_per_day: float | None = None

    def __str__(self) -> str:
        """In words, or that nothing is known."""
        said = [
            f"{value:,.0f} {field.name.replace('_per_', ' a ')}"
            for field in fields(self)
            if (value := getattr(self, field.name)) is not None
        ]
        return ", ".join(said) or "limits that are not known"


@dataclass(frozen=True)
class FreeTier:
    """The free tier that a client's calls fall under.

    Attributes:
        host: name of the host.
        limits: of the dated table, or the reader's own where those were given to ``connect``.
        cite: date and source of the limits.
    """

    host: str
    limits: Limits
    cite: str


def tier_of(host: Host, own: Mapping[str, float] | None) -> FreeTier | None:
    """The free tier of a host; None where it has none.

    Args:
        host: one of ``providers.hosts()``.
        own: limits of the reader's account, in place of those of the table.

    Raises:
        HostError: limits of an unknown name, or below one.
    """
    if not host.free_tier:
        return None
    row = facts.free_tier(host.free_tier)
    listed = Limits(**{field.name: row[field.name] for field in fields(Limits)})
    if not own:
        return FreeTier(host.name, listed, row.cite)
    names = [field.name for field in fields(Limits)]
    wrong = [
        name for name, value in own.items() if name not in names or not isinstance(value, int | float) or value < 1
    ]
    if wrong:
        raise HostError(
            f"LIMITS of {host.name} cannot be used.", got=", ".join(f"{name}: {own[name]!r}" for name in wrong),
            fix=f"Give numbers from 1 up, of {', '.join(names)}.",
        )  # fmt: skip
    return FreeTier(host.name, replace(listed, **own), "as you gave them (LIMITS)")


def require_consent(host: Host, may_train_on_prompts: str) -> None:
    """Pass where nothing that is sent may be trained on, or the reader allows it for this very host.

    Args:
        host: one of ``providers.hosts()``; one without a free tier passes.
        may_train_on_prompts: the name of the one host that the reader allows.

    Raises:
        ConsentError: it may be, and ``may_train_on_prompts`` does not name the host; or the free tier has ended.
    """
    if not host.free_tier:
        return
    row = facts.free_tier(host.free_tier)
    if row["ended"] and row["ended"] <= facts.today():
        raise ConsentError(f"The free tier of {host.name} has ended, on {row['ended']}.", got=row.cite)
    if (trains := TRAINS.get(row["trains_on_prompts"])) and may_train_on_prompts != host.name:
        raise ConsentError(
            f"{row['name']}: {trains}. So nothing is sent there without your consent.",
            got=row.cite,
            fix=f'If your rows may be used so, set MAY_TRAIN_ON_PROMPTS = "{host.name}" in the parameters cell.',
        )


def ended(name: str) -> str:
    """What is to be said of a free tier that is no host of this kit any more; empty for other names."""
    over: Iterable[facts.FactRow] = (row for row in facts.rows("free_tiers") if row["ended"])
    return next((f"{r['name']} ended on {r['ended']} ({r.cite})." for r in over if r["provider"] == name), "")
