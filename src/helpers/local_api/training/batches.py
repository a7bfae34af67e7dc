"""Rows of a training file as token ids, and the order in which they are trained."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import torch
from torch import Tensor

from helpers.errors import DataError
from helpers.local_api.engine.text.template import ChatTemplate


@dataclass(frozen=True)
class Row:
    """One example, ready to train on.

    Attributes:
        tokens: tokens of the whole example, as they are billed.
        ids: what the model reads: all ids before the last one that it learns.
        at: positions in ``ids`` whose next token is learned.
        targets: that next token, one for each of ``at``.
        weights: its weight in the loss, one for each of ``at``.
    """

    tokens: int
    ids: list[int]
    at: list[int]
    targets: list[int]
    weights: list[float]

    def __len__(self) -> int:
        return len(self.ids)


def read_rows(file: Path, template: ChatTemplate, longest: int) -> list[Row]:
    """The examples of a JSONL file in OpenAI's chat shape.

    Args:
        file: what was uploaded; checked then, so each line is an example.
        template: writes them as they will be served.
        longest: the model's context length, in tokens.

    Raises:
        DataError: rows that are too long for the model, or that nothing can be learned from: all of them are named.
    """
    rows, problems = [], []
    with open(file, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            example = json.loads(line)
            try:
                row = _row(*template.example(example["messages"], example.get("tools") or ()))
            except DataError as error:
                problems.append(f"line {number}: {error}")
                continue
            if row.tokens > longest:
                problems.append(f"line {number}: {row.tokens} tokens, the model reads {longest}")
            elif not row.at:
                problems.append(f"line {number}: no assistant answer with a weight above 0")
            rows.append(row)
    if problems:
        raise DataError(
            f"{len(problems)} examples of {file.name} cannot be trained on.",
            got="; ".join(problems[:20]),
            fix="Shorten or drop these lines and upload the file again.",
        )
    return rows


def _row(ids: list[int], weights: list[float]) -> Row:
    learned = [i for i, weight in enumerate(weights) if weight > 0 and i > 0]
    last = learned[-1] if learned else 0
    return Row(len(ids), ids[:last], [i - 1 for i in learned], [ids[i] for i in learned], [weights[i] for i in learned])


def epoch_order(rows: int, batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """The batches of one epoch, as row numbers, in random order.

    A pure function of its arguments, so that a resumed job goes on with the very same batches.

    Args:
        rows: how many there are.
        batch_size: rows of a batch; the last one may have fewer.
        seed: the job's.
        epoch: counted from 0.
    """
    order = list(range(rows))
    random.Random(f"{seed}/{epoch}").shuffle(order)
    return [order[i : i + batch_size] for i in range(0, rows, batch_size)]


def packs(rows: Sequence[Row], most_tokens: int) -> list[list[Row]]:
    """Cut rows into runs, in their order.

    Args:
        rows: any number.
        most_tokens: of a run; one row always fits.
    """
    runs: list[list[Row]] = []
    room = 0
    for row in rows:
        if len(row) > room:
            runs.append([])
            room = most_tokens
        runs[-1].append(row)
        room -= len(row)
    return runs


@dataclass(frozen=True)
class Pack:
    """Rows end to end, without padding.

    Attributes:
        lengths: tokens of each row.
        ids: (1, tokens).
        positions: (1, tokens), from 0 in each row.
        at: positions in the pack whose next token is learned, (learned tokens,).
        targets: that token, (learned tokens,).
        weights: its weight in the loss, (learned tokens,).
    """

    lengths: list[int]
    ids: Tensor
    positions: Tensor
    at: Tensor
    targets: Tensor
    weights: Tensor

    @classmethod
    def of(cls, rows: Sequence[Row], device: torch.device) -> Pack:
        """Put rows end to end.

        Args:
            rows: at least one.
            device: that they will be run on.
        """
        starts = [0, *accumulate(map(len, rows))]

        def tensor(values: Iterable[float]) -> Tensor:
            return torch.tensor(list(values), device=device)

        return cls(
            lengths=[len(row) for row in rows],
            ids=tensor(i for row in rows for i in row.ids)[None],
            positions=tensor(p for row in rows for p in range(len(row)))[None],
            at=tensor(start + p for start, row in zip(starts, rows, strict=False) for p in row.at),
            targets=tensor(t for row in rows for t in row.targets),
            weights=tensor(w for row in rows for w in row.weights),
        )
