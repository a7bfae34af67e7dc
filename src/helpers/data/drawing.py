"""Rows drawn, not taken: seeded, by label, with what is almost the same kept together.

All rows are put into one order that depends on their content and the seed, and the first ones are drawn. So the same
data and seed give the same rows, whatever the file's order, and a larger draw holds the smaller one: answers that were
paid for are used again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from helpers.data.splitting import _shuffled, _units
from helpers.errors import DataError
from helpers.formatting import plural
from helpers.records import Example

COMMON = 0.25
"""A label with this part of an even share, or more, is drawn once before any label is drawn twice. Rarer ones come as
often as they are: a row of each would make rare cases look frequent."""
UNLIKE = 0.1
"""Labels are called unlike those of the rest when so large a share of the drawn rows would have to change its label."""
SURE = 1e-3
"""Lengths are called unlike when a Kolmogorov-Smirnov test would say so by chance this seldom."""
NAMED = 10


@dataclass(frozen=True)
class Drawn:
    """Some rows and what they stand for.

    Attributes:
        rows: the drawn rows, in the order in which they were drawn.
        of: how many there were.
        seed: reproduces the draw.
        labels: label → how many of the drawn rows have it; empty without labels.
        lacking: labels that no drawn row has.
        warnings: where the drawn rows lack labels, differ from the rest or are fewer than was asked for.
    """

    rows: list[Example]
    of: int
    seed: int
    labels: Mapping[Hashable, int] = field(default_factory=dict)
    lacking: tuple[Hashable, ...] = ()
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        known = len(self.labels) + len(self.lacking)
        covered = f", {len(self.labels)} of {plural(known, 'label')} among them" if known else ""
        return "\n".join(
            [f"{len(self.rows):,} of {plural(self.of, 'row')} drawn (seed {self.seed}){covered}.", *self.warnings]
        )


def draw(
    examples: Sequence[Example],
    n: int,
    seed: int = 1,
    label: Callable[[Example], Hashable] | None = None,
    group: Callable[[Example], Hashable] | None = None,
) -> Drawn:
    """``n`` rows that stand for all of them, or all where there are no more.

    Each label that is not rare comes once before any comes twice; from then on labels come as often as they are among
    all rows. Rows of a group, and rows whose prompts are almost the same, are drawn together or not at all, single rows
    first: so the last places may stay empty, and no row that was not drawn is nearly one that was.

    Args:
        examples: all rows.
        n: how many.
        seed: the same one draws the same rows.
        label: a row's label, as for ``split``.
        group: a row's group, as for ``split``.

    Raises:
        DataError: ``n`` is below 1.
    """
    if n < 1:
        raise DataError("At least one row must be drawn.", got=str(n), fix="Set ROWS to a number from 1 up.")
    examples = list(examples)
    labels = [label(example) for example in examples] if label else [None] * len(examples)
    units = _in_turn(_shuffled(_units(examples, group), examples, seed)[::-1], labels)
    places: list[int] = []
    for unit in units:
        if len(places) + len(unit) > n:
            places += unit[: n - len(places)] if not places else []  # all rows almost the same: some of them then
            break
        places += unit
    rest = sorted(set(range(len(examples))) - set(places))
    counts = Counter(labels[place] for place in places) if label else {}
    lacking = tuple(one for one in Counter(labels) if one not in counts) if label else ()
    return Drawn(
        [examples[place] for place in places], len(examples), seed, dict(counts), lacking,
        tuple(_warnings(examples, labels, places, rest, n, lacking)),
    )  # fmt: skip


def _in_turn(units: list[list[int]], labels: Sequence[Hashable]) -> list[list[int]]:
    """The units in the order of drawing. They come single rows first; a unit's label is its most frequent one."""
    queues: dict[Hashable, list[list[int]]] = defaultdict(list)
    for unit in units:
        queues[Counter(labels[place] for place in unit).most_common(1)[0][0]].append(unit)
    rows = {one: sum(map(len, queue)) for one, queue in queues.items()}
    frequent = sorted(rows, key=lambda one: (-rows[one], str(one)))
    even = sum(rows.values()) / max(1, len(rows))
    first = [queues[one][0] for one in frequent if rows[one] >= COMMON * even]
    by_share = []
    for rank, one in enumerate(frequent):
        before = 0
        for unit in queues[one]:
            by_share.append(((before + len(unit) / 2) / rows[one], rank, unit))
            before += len(unit)
    ordered = [unit for _, _, unit in sorted(by_share, key=lambda item: item[:2])]
    drawn_first = {unit[0] for unit in first}
    return first + [unit for unit in ordered if unit[0] not in drawn_first]


def _warnings(
    examples: Sequence[Example], labels: Sequence[Hashable], places: list[int], rest: list[int], n: int,
    lacking: Sequence[Hashable],
) -> list[str]:  # fmt: skip
    found = []
    if lacking:
        named = ", ".join(map(str, lacking[:NAMED])) + (" …" if len(lacking) > NAMED else "")
        found.append(
            f"No drawn row has {plural(len(lacking), 'label')} of {len(set(labels))}: {named}. What is measured says "
            "nothing about them; draw more rows to cover them."
        )
    if len(places) < min(n, len(examples)):
        found.append(f"{len(places)} rows instead of {n}: the next ones belong together and do not fit.")
    if rest and (moved := _moved(labels, places, rest)) > UNLIKE:
        found.append(
            f"The mix of labels differs from that of the rows not drawn: {100 * moved:.0f} % of the drawn rows "
            "would need another label. The score applies to the drawn mix."
        )
    if rest and _unlike_lengths(examples, places, rest):
        found.append("The drawn questions are clearly longer or shorter than those that were not drawn.")
    return found


def _moved(labels: Sequence[Hashable], places: list[int], rest: list[int]) -> float:
    """Half the sum of the differences between two sets of shares (total variation distance), less what chance and
    whole rows make of it: half a row a label."""
    here, there = Counter(labels[place] for place in places), Counter(labels[place] for place in rest)
    gaps = [abs(here[one] / len(places) - there[one] / len(rest)) for one in {*here, *there}]
    return sum(max(0.0, gap - 0.5 / len(places)) for gap in gaps) / 2


def _unlike_lengths(examples: Sequence[Example], places: list[int], rest: list[int]) -> bool:
    from scipy.stats import ks_2samp

    lengths = np.array([len(example.question) for example in examples])
    return len(places) > 1 and float(ks_2samp(lengths[places], lengths[rest]).pvalue) < SURE
