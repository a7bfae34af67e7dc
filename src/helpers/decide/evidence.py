"""Evidence checked before any rule reads it: everything that is wrong with it in one error."""

from __future__ import annotations

from itertools import pairwise

from helpers.errors import DecisionError
from helpers.records import PROMPTED, DataSummary, Evidence, Measurement


def checked_evidence(evidence: Evidence | None) -> Evidence:
    """The evidence, when its parts have what the rules read; None becomes empty evidence.

    Raises:
        DecisionError: something is missing or of the wrong kind; all such problems at once.
    """
    if evidence is None:
        return Evidence()
    if not isinstance(evidence, Evidence):
        found = [f"a {type(evidence).__name__} instead of records.Evidence"]
    else:
        found = [*_measurements(evidence), *_counts(evidence.data), *_others(evidence)]
    if found:
        raise DecisionError(
            "The evidence cannot be read.", got="; ".join(found), fix="See records.Evidence for the shape."
        )
    return evidence


def _measurements(evidence: Evidence) -> list[str]:
    found = []
    for at, one in enumerate(evidence.measurements):
        if not isinstance(one, Measurement):
            found.append(f"measurements[{at}] is a {type(one).__name__}")
        elif one.role not in (*PROMPTED, "tuned", "no language model"):
            found.append(f"measurements[{at}] has the role {one.role!r}")
        elif one.unit == "share" and not _is_share(one):
            found.append(f"measurements[{at}] scores {one.score!r} ({one.low!r} to {one.high!r}) on {one.n!r} rows")
    known = {one.id for one in evidence.measurements if isinstance(one, Measurement)}
    for at, pair in enumerate(evidence.comparisons):
        if {pair.a_id, pair.b_id} - known - {""}:
            found.append(f"comparisons[{at}] is of measurements that are not there")
    return found


def _is_share(one: Measurement) -> bool:
    """Whether score and interval lie in order between 0 and 1, but for rounding."""
    ends = (0, one.low, one.score, one.high, 1)
    return one.n > 0 and all(low <= high + 1e-9 for low, high in pairwise(ends))


def _counts(data: DataSummary | None) -> list[str]:
    counts = vars(data) if data else {}
    bad = [name for name, n in counts.items() if n is not None and (not isinstance(n, int) or n < 0)]
    return [f"data.{name} is {counts[name]!r}, not a count" for name in bad]


def _others(evidence: Evidence) -> list[str]:
    states = ("plateaued", "still rising", "cannot tell")
    found = [f"plateau state {one.state!r} is not one of {', '.join(states)}" for one in evidence.plateaus
             if one.state not in states]  # fmt: skip
    chance = evidence.cost.probability if evidence.cost else None
    if chance is not None and not 0 <= chance <= 1:
        found.append(f"cost.probability is {chance!r}, not between 0 and 1")
    return found
