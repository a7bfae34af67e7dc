"""Split examples so that the splits cannot leak: almost equal prompts stay together, one seed gives one split.

Rows that share a group, or whose prompts are almost the same, form one unit and never part. Units are dealt so that
each label has the same share in every split; sizes are exact as long as there are enough single rows.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from helpers.data.duplicates import clusters, near_pairs, tidy
from helpers.errors import DataError
from helpers.records import Example
from helpers.tokens import text_of

NAMES = ("train", "validation", "test")
LABELS_SHOWN = 12
"""Labels that have a column of their own in a split's table."""

COMPARED = 5_000
"""Rows of a side in the closest-pairs table; a larger side is sampled, evenly."""


@dataclass(frozen=True)
class Split:
    """Three lists of examples that share no prompt.

    Attributes:
        train, validation, test: the examples, in their original order.
        left_out: examples beyond the sizes that were asked for.
        seed: reproduces the split.
        labels: the label of each example by split, empty when no label was given.
        joined: how many examples were kept together with another (same group, or almost the same prompt).
    """

    train: list[Example]
    validation: list[Example]
    test: list[Example]
    left_out: list[Example]
    seed: int
    labels: Mapping[str, list[Any]] = field(default_factory=dict)
    joined: int = 0

    def report(self) -> pd.DataFrame:
        """One row a split: its size, its share, its content's hash, how many labels it has, and the share of
        each label in percent: of the commonest ones and of all others together, where there are many."""
        parts = {name: getattr(self, name) for name in (*NAMES, "left_out")}
        total = sum(len(part) for part in parts.values())
        everyone = Counter(item for labels in self.labels.values() for item in labels)
        usual = [label for label, _ in everyone.most_common(LABELS_SHOWN)]
        usual = usual if len(everyone) > LABELS_SHOWN + 1 else list(everyone)
        rest = len(everyone) - len(usual)
        table = []
        for name, part in parts.items():
            if name == "left_out" and not part:
                continue
            row: dict[str, Any] = {"split": name, "rows": len(part), "share_percent": round(100 * len(part) / total, 1)}
            row["sha256"] = content_hash(part)[:12]
            counts = Counter(self.labels.get(name, ()))
            if everyone:
                row["labels"] = len(counts)
            for label in sorted(usual, key=str):
                row[f"{label} %"] = round(100 * counts[label] / len(part), 1) if part else 0.0
            if rest:
                others = len(part) - sum(counts[label] for label in usual)
                row[f"and {rest} more %"] = round(100 * others / len(part), 1) if part else 0.0
            table.append(row)
        return pd.DataFrame(table).set_index("split")

    def closest(self, n: int = 5) -> pd.DataFrame:
        """The ``n`` test rows whose prompts come nearest to a training row: look at them before you trust the split.

        ``similarity`` is the cosine of TF-IDF weights of runs of 3 to 5 characters, 0 to 1.
        """
        columns = ["similarity", "test_line", "train_line", "test_prompt", "train_prompt"]
        train, test = _sample(self.train), _sample(self.test)
        if not train or not test:
            return pd.DataFrame(columns=columns)
        from sklearn.feature_extraction.text import TfidfVectorizer

        weigh = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), dtype=np.float32, sublinear_tf=True)
        known = weigh.fit_transform([prompt_text(example) or "-" for example in train])
        asked = weigh.transform([prompt_text(example) or "-" for example in test])
        best, score = _nearest(asked, known)
        rows = [
            (
                round(float(score[i]), 3),
                test[i].line,
                train[best[i]].line,
                prompt_text(test[i]),
                prompt_text(train[best[i]]),
            )
            for i in np.argsort(-score)[:n]
        ]
        return pd.DataFrame(rows, columns=columns)


def split(
    examples: Sequence[Example],
    sizes: Mapping[str, int | float],
    seed: int = 0,
    label: Callable[[Example], Hashable] | None = None,
    group: Callable[[Example], Hashable] | None = None,
) -> Split:
    """Deal ``examples`` into train, validation and test.

    Args:
        examples: what ``read`` returned.
        sizes: rows or fractions of "train", "validation" and "test"; one that is missing is empty.
        seed: the same examples and seed give the same split, whatever the examples' order.
        label: an example's label; each split gets the same share of each label, as far as whole units allow.
        group: an example's group (a customer, a document): a group never parts. None puts a row in no group.

    Raises:
        DataError: the sizes cannot be met, or groups are too large to meet them.
    """
    examples = list(examples)
    wanted = _row_counts(sizes, len(examples))
    units = _units(examples, group)
    labels = [label(example) for example in examples] if label else [None] * len(examples)
    order = _shuffled(units, examples, seed)
    side = _deal(order, labels, wanted, len(examples))
    parts: dict[str, list[int]] = {name: [] for name in (*NAMES, "left_out")}
    for at, name in enumerate(side):
        parts[name].append(at)
    for name, rows in wanted.items():
        if rows and not parts[name]:
            raise DataError(
                f"No rows are left for the {name} split.",
                got=f"{len(units)} units that must stay together, the largest of {max(map(len, units))} rows",
                fix="Use a finer group, or look at the near-duplicates with check().",
            )
    return Split(
        **{name: [examples[at] for at in parts[name]] for name in parts},
        seed=seed,
        labels={name: [labels[at] for at in rows] for name, rows in parts.items()} if label else {},
        joined=sum(len(unit) for unit in units if len(unit) > 1),
    )


def prompt_text(example: Example) -> str:
    """All that is asked, without system prompts: what two splits must not share."""
    turns = (m for m in example.prompt if m.get("role") not in ("system", "developer"))
    return "\n".join(text_of(turn.get("content")) for turn in turns)


def content_hash(examples: Sequence[Example]) -> str:
    """SHA-256 of the examples' messages, whatever their order: says later whether a split is still the same."""
    return hashlib.sha256("".join(sorted(_fingerprint(example) for example in examples)).encode()).hexdigest()


def _fingerprint(example: Example) -> str:
    import orjson

    told = orjson.dumps([list(example.messages), list(example.tools)], option=orjson.OPT_SORT_KEYS, default=str)
    return hashlib.sha256(told).hexdigest()


def _row_counts(sizes: Mapping[str, int | float], total: int) -> dict[str, int]:
    if not sizes or not set(sizes) <= set(NAMES):
        raise DataError("The sizes name unknown splits.", got=repr(dict(sizes)), fix=f"Use {', '.join(NAMES)}.")
    if any(isinstance(size, bool) or not isinstance(size, (int, float)) or size < 0 for size in sizes.values()):
        raise DataError("A size is not a number of rows or a fraction.", got=repr(dict(sizes)), fix="Use 200 or 0.2.")
    fractions = any(isinstance(size, float) for size in sizes.values())
    if fractions and sum(sizes.values()) > 1 + 1e-9:
        raise DataError(
            "The fractions sum to more than 1.", got=f"{sum(sizes.values()):g}", fix="Give 0.7, 0.15, 0.15."
        )
    rows = _largest_remainder({name: size * total for name, size in sizes.items()}) if fractions else dict(sizes)
    if sum(rows.values()) > total:
        raise DataError(
            "There are fewer examples than the sizes require.",
            got=f"{total:,} examples, {sum(rows.values()):,} asked for",
            fix="Ask for fewer, or give fractions.",
        )
    return {name: int(rows.get(name, 0)) for name in NAMES}


def _largest_remainder(shares: Mapping[Any, float]) -> dict[Any, int]:
    """Whole numbers near ``shares`` that sum to their sum, rounded."""
    whole = {name: int(share + 1e-9) for name, share in shares.items()}
    missing = round(sum(shares.values())) - sum(whole.values())
    for name in sorted(shares, key=lambda name: whole[name] - shares[name])[:missing]:
        whole[name] += 1
    return whole


def _units(examples: Sequence[Example], group: Callable[[Example], Hashable] | None) -> list[list[int]]:
    """Positions that must stay together."""
    pairs = [(pair.a, pair.b) for pair in near_pairs([tidy(prompt_text(example)) for example in examples])]
    first: dict[Hashable, int] = {}
    for at, example in enumerate(examples):
        name = group(example) if group else None
        if name is not None:
            pairs.append((first.setdefault(name, at), at))
    together: dict[int, list[int]] = defaultdict(list)
    for at, root in enumerate(clusters(len(examples), pairs)):
        together[root].append(at)
    return list(together.values())


def _shuffled(units: list[list[int]], examples: Sequence[Example], seed: int) -> list[list[int]]:
    """Larger units first; equal ones in an order that depends on their content and the seed, not on the file's
    order."""

    def draw(unit: list[int]) -> str:
        marks = "".join(sorted(_fingerprint(examples[at]) for at in unit))
        return hashlib.sha256(f"{seed}:{marks}".encode()).hexdigest()

    return sorted(units, key=lambda unit: (-len(unit), draw(unit)))


def _deal(order: list[list[int]], labels: list[Hashable], wanted: dict[str, int], total: int) -> list[str]:
    """The split of each position. Each unit goes where its labels are missed most, among the splits with room."""
    size = dict(wanted) | {"left_out": total - sum(wanted.values())}
    room = dict(size)
    counts = Counter(labels)
    need = {
        label: _largest_remainder({name: rows * count / total for name, rows in room.items()})
        for label, count in counts.items()
    }
    side = [""] * total
    later: list[list[int]] = []

    def place(unit: list[int], name: str) -> None:
        room[name] -= len(unit)
        for at in unit:
            need[labels[at]][name] -= 1
            side[at] = name

    for unit in order:
        fits = [name for name in room if room[name] >= len(unit)]
        missed = {name: sum(need[labels[at]][name] for at in unit) for name in fits}
        if len(unit) > 1 and fits:
            place(unit, max(fits, key=lambda name: (room[name] / size[name], missed[name])))
        elif len(unit) == 1 and fits and max(missed.values()) > 0:
            place(unit, max(fits, key=lambda name: missed[name]))
        else:
            later.append(unit)
    for unit in later:
        fits = [name for name in room if room[name] >= len(unit)] or [max(room, key=lambda name: room[name])]
        place(unit, max(fits, key=lambda name: (sum(need[labels[at]][name] for at in unit), room[name])))
    return side


def _sample(examples: list[Example]) -> list[Example]:
    step = max(1, -(-len(examples) // COMPARED))
    return examples[::step]


def _nearest(asked: Any, known: Any) -> tuple[np.ndarray, np.ndarray]:
    """For each row of ``asked`` the nearest row of ``known`` and the cosine, a block at a time."""
    best, score = [], []
    for at in range(0, asked.shape[0], 256):
        block = (asked[at : at + 256] @ known.T).toarray()
        best.append(block.argmax(axis=1))
        score.append(block.max(axis=1))
    return np.concatenate(best), np.concatenate(score)
