"""What a sum of money is here: parts that add up, where each price comes from, and what is not known."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from helpers.errors import CostError
from helpers.facts import STALE_DAYS, FactRow, gone

MILLION = 1_000_000
HOURS_A_MONTH = 720
"""A month is 30 days of 24 hours, as in Microsoft's worked examples."""


@dataclass(frozen=True)
class Cost:
    """A bill.

    Attributes:
        what: what it is the bill of.
        parts: name → USD; None where a price is not known.
        rows: the fact rows it rests on.
        remarks: conflicts between sources, ended models, assumptions: what must be said beside the number.
    """

    what: str
    parts: Mapping[str, float | None]
    rows: tuple[FactRow, ...] = field(default=(), repr=False)
    remarks: tuple[str, ...] = ()

    @property
    def total(self) -> float | None:
        """The sum of the parts in USD; None as soon as one part is not known."""
        return None if self.unknown else self.known

    @property
    def known(self) -> float:
        """The sum of the parts that are known: the total is at least this."""
        return math.fsum(usd for usd in self.parts.values() if usd is not None)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Names of the parts without a price."""
        return tuple(name for name, usd in self.parts.items() if usd is None)

    @property
    def as_of(self) -> date | None:
        """The oldest date among the facts it rests on; None when it rests on none."""
        return min((row.as_of for row in self.rows), default=None)

    @property
    def source(self) -> str:
        """The addresses of those facts."""
        return "; ".join(dict.fromkeys(row.source for row in self.rows))

    @property
    def how_known(self) -> str:
        """How those facts are known, in plain words."""
        return "; ".join(dict.fromkeys(row.how_known for row in self.rows))

    @property
    def notes(self) -> tuple[str, ...]:
        """What stands beside the number, one thing each: addresses, how the facts are known, remarks."""
        sources, ways = ([getattr(row, name) for row in self.rows] for name in ("source", "how_known"))
        return tuple(dict.fromkeys([*sources, *ways, *self.remarks]))

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {
            "what": self.what,
            "total_usd": self.total,
            "parts_usd": dict(self.parts),
            "unknown": list(self.unknown),
            "as_of": str(self.as_of) if self.as_of else None,
            "source": self.source,
            "how_known": self.how_known,
            "remarks": list(self.remarks),
        }

    def __str__(self) -> str:
        if self.unknown:
            least = f", at least {dollars(self.known)}" if self.known else ""
            return f"{self.what}: unknown{least} (no price for {', '.join(self.unknown)})"
        dated = f" (prices as of {self.as_of})" if self.as_of else ""
        return f"{self.what}: {dollars(self.total)}{dated}"


def dollars(usd: float | None) -> str:
    """An amount for people: whole dollars from a thousand on, then cents, two figures below ten cents; or "unknown"."""
    if usd is None or math.isnan(usd):
        return "unknown"
    sign, size = ("-" if usd < 0 else ""), abs(usd)
    if round(size, 2) >= 1000:
        return f"{sign}${size:,.0f}"
    if size >= 0.095 or size == 0:
        return f"{sign}${size:.2f}"
    return f"{sign}${size:.{1 - math.floor(math.log10(size))}f}"


def about(amount: float) -> str:
    """A count for people, to three figures: more would pretend to know it."""
    return f"{float(f'{amount:.3g}'):,.0f}"


def remarks_on(rows: Iterable[FactRow], on: date) -> tuple[str, ...]:
    """What must be said about rows: models that are gone, their own remarks, "not verified", how old they are.

    Args:
        rows: facts that a sum rests on.
        on: the day from which their age is counted.
    """
    said = []
    for row in rows:
        if row.table in ("prompting", "tunable") and gone(row, on):
            said.append(gone(row, on))
        if row.remark:
            said.append(row.remark)
        if row.how_known.startswith("not verified"):
            said.append(f"not verified: {row.source}")
        age = (on - row.as_of).days
        if age > STALE_DAYS:
            said.append(f"read {age} days before {on}: check again at {row.source}")
    return tuple(dict.fromkeys(said))


def number(name: str, value: Any, least: float = 0.0, most: float = math.inf) -> float:
    """``value`` as a float, if it is a finite number between ``least`` and ``most``.

    Args:
        name: what the message calls it.
        value: what was given, of any type.
        least: the smallest that is allowed.
        most: the largest that is allowed.

    Raises:
        CostError: it is not.
    """
    problem = problem_with(name, value, least, most)
    if problem:
        raise CostError(problem, fix="Give a plain number.")
    return float(value)


def float_or_none(value: Any) -> float | None:
    """A sum as a plain float; None, which stands for an unknown price, as it is."""
    return None if value is None else float(value)


def problem_with(name: str, value: Any, least: float = 0.0, most: float = math.inf) -> str:
    """What is wrong with a number, in words; empty when nothing is.

    Args:
        name: what the message calls it.
        value: what was given, of any type.
        least: the smallest that is allowed.
        most: the largest that is allowed.
    """
    try:
        fine = not isinstance(value, (bool, str, bytes)) and math.isfinite(value) and least <= value <= most
    except (TypeError, OverflowError):
        fine = False
    if fine:
        return ""
    bounds = f"between {least:g} and {most:g}" if math.isfinite(most) else f"of at least {least:g}"
    return f"{name} must be a number {bounds}, not {value!r}"
