"""A prompt ladder for any reader's rows: labels or free text, few rows or many."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from helpers.evaluate import metrics
from helpers.records import Candidate, Example

SHOTS = 4
MOST_LABELS_SHOWN = 12
LETTERS_PER_TOKEN = 2
"""Fewer than any language has on average (English has about 4), so that no ideal answer would be cut off."""
ROOM_TOKENS = 24
"""On top of that: the JSON around a label, or a few words before it."""


def label_of(examples: Sequence[Example]) -> Callable[[Example], str] | None:
    """The function that gives a row's label, for a stratified split; None when these rows answer in free text."""
    return _label if metrics.default(examples)[0] is metrics.label_accuracy else None


def label_schema(examples: Sequence[Example]) -> dict[str, Any] | None:
    """A JSON schema that allows the labels of these rows and nothing else; None for free text."""
    if label_of(examples) is None:
        return None
    label = {"type": "string", "enum": sorted({_label(row) for row in examples})}
    return {"type": "object", "properties": {"label": label}, "required": ["label"], "additionalProperties": False}


def rungs(
    examples: Sequence[Example],
    model: str,
    instructions: str,
    *,
    pool: Sequence[Example],
    declared: str = "",
    seed: int = 1,
) -> list[Candidate]:
    """Prompts from weak to strong: nothing, instructions, a schema, worked examples, the nearest examples.

    The rung with a schema exists only where answers are labels. Worked examples show every label in turn (up to twelve)
    and stand in random order: a small model continues a pattern of labels rather than read the question.

    Args:
        examples: all rows: they say whether answers are labels, which, and how long an answer may be.
        pool: training rows that prompts may show; never rows that are scored.
        declared: what the reader says that the model is: see ``Candidate``.
    """
    longest = max((len(row.answer) for row in examples), default=0)
    common = {"declared": declared, "max_tokens": ROOM_TOKENS + longest // LETTERS_PER_TOKEN}
    pool, schema = tuple(pool), label_schema(examples)
    shots = _shots(pool, label_of(examples), seed)
    told = {"system": instructions, **common}
    return [
        Candidate("question only", model, **common),
        Candidate("instructions", model, **told),
        *([Candidate("instructions, schema", model, schema=schema, **told)] if schema else []),
        Candidate(f"+ {len(shots)} examples", model, shots=shots, **told),
        Candidate(f"+ {min(SHOTS, len(pool))} nearest", model, nearest=SHOTS, pool=pool, **told),
    ]


def _label(example: Example) -> str:
    return example.answer.strip()


def _shots(pool: tuple[Example, ...], label: Callable[[Example], str] | None, seed: int) -> tuple[Example, ...]:
    """The first rows of each label in turn, shuffled; the first rows of all where there are no labels."""
    if label is None:
        return pool[:SHOTS]
    by_label: dict[str, list[Example]] = defaultdict(list)
    for row in pool:
        by_label[label(row)].append(row)
    count = max(SHOTS, min(len(by_label), MOST_LABELS_SHOWN))
    deepest = max((len(rows) for rows in by_label.values()), default=0)
    in_turn = [rows[depth] for depth in range(deepest) for rows in by_label.values() if depth < len(rows)]
    shots = in_turn[:count]
    random.Random(seed).shuffle(shots)
    return tuple(shots)
