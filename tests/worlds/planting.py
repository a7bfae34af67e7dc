"""Which rows a planted model answers rightly, and what it says.

A share is kept exactly over a whole split, and as nearly as whole rows allow over any run of rows in the file's order.
A row's luck is one number for each model: whatever the kind of prompt, a larger share adds rows and loses none. Between
models most of the luck is shared, since hard rows are hard for all, and the rest is the model's own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from helpers.evaluate import candidates
from helpers.records import Example

BLOCK = 10
"""Rows next to each other among which a share is kept as nearly as it can be."""
OWN_LUCK = 0.25
"""The model's own part of a row's luck."""
GOLDEN = 0.6180339887498949


@dataclass(frozen=True)
class Place:
    """Where a question stands: its split and its row there."""

    split: str
    row: int


def luckiest_first(questions: Sequence[str], model: str) -> list[int]:
    """The rows of a split in the order in which a growing share takes them in.

    Every block of neighbours gives its luckiest row before any gives its second one, and so on.
    """
    luck = [(1 - OWN_LUCK) * draw("row", one) + OWN_LUCK * draw(model, one) for one in questions]
    places = []
    for number, start in enumerate(range(0, len(questions), BLOCK)):
        block = sorted(range(start, min(start + BLOCK, len(questions))), key=lambda row: -luck[row])
        within = (number + 1) * GOLDEN % 1  # spreads evenly which blocks come first in each round
        places += [((rank + within) / len(block), row) for rank, row in enumerate(block)]
    return [row for _, row in sorted(places)]


@cache
def draw(*seed: str) -> float:
    """A number from 0 to 1 that depends on nothing but the seed."""
    digest = hashlib.sha256("\0".join(seed).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


class Planted:
    """Models with planted shares of right rows.

    Args:
        shares: model to kind of prompt to share.
        splits: split's name to its rows.
    """

    def __init__(self, shares: Mapping[str, Mapping[str, float]], splits: Mapping[str, Sequence[Example]]) -> None:
        self.shares, self.splits = shares, splits
        self.places = {
            row.question: Place(split, number) for split, rows in splits.items() for number, row in enumerate(rows)
        }
        self.orders: dict[tuple[str, str], dict[int, int]] = {}

    def answer(self, model: str, kind: str, place: Place) -> str:
        """The sample's ideal answer, or a valid one that is wrong."""
        return self._ideal(place) if self.is_right(model, kind, place) else self.wrong(place)

    def is_right(self, model: str, kind: str, place: Place) -> bool:
        return self._rank(model, place) < round(self.shares[model][kind] * len(self.splits[place.split]))

    def wrong(self, place: Place) -> str:
        """The answer of the nearest later row that has another one."""
        rows = self.splits[place.split]
        later = (rows[(place.row + step) % len(rows)].answer for step in range(1, len(rows)))
        return next(answer for answer in later if answer != self._ideal(place))

    def _ideal(self, place: Place) -> str:
        return self.splits[place.split][place.row].answer

    def _rank(self, model: str, place: Place) -> int:
        if (model, place.split) not in self.orders:
            order = luckiest_first([row.question for row in self.splits[place.split]], model)
            self.orders[model, place.split] = {row: rank for rank, row in enumerate(order)}
        return self.orders[model, place.split][place.row]


class Kinds:
    """Tells the kinds of prompt apart.

    Args:
        pools: training rows that prompts may show: the sample's, and those of files that a world changed.
    """

    def __init__(self, *pools: Sequence[Example]) -> None:
        self.pools = [tuple(pool) for pool in pools]

    def of(self, asked: Mapping[str, Any]) -> str:
        """The kind of prompt that a request sends: a key of a world's ``models``."""
        messages = asked["messages"]
        if asked["model"].startswith("ft:"):
            return "tuned"
        if asked.get("response_format"):
            return "schema"
        *shots, question = [message["content"] for message in messages if message["role"] == "user"]
        if shots:
            return "nearest" if self.were_picked(shots, question) else "examples"
        return "instructions" if any(message["role"] in ("system", "developer") for message in messages) else "bare"

    def were_picked(self, shots: Sequence[str], question: str) -> bool:
        """Whether these shots are the training rows that are most like this very question."""
        row = Example(({"role": "user", "content": question},))
        picked = (candidates.nearest(pool, row, len(shots)) for pool in self.pools)
        return any(set(shots) == {one.question for one in some} for some in picked)


def in_schema(answer: str, asked: Mapping[str, Any]) -> str:
    """The answer as the request's schema wants it: a label becomes the one field of an object."""
    schema = (asked.get("response_format") or {}).get("json_schema", {}).get("schema", {})
    fields = list(schema.get("properties", {}))
    return json.dumps({fields[0]: answer}) if len(fields) == 1 and not answer.startswith("{") else answer
