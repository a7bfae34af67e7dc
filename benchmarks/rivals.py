"""Every rival without a language model, with its interval: triage, two_way, and a public set of 77 intents.

    python benchmarks/rivals.py [--intents FOLDER] [--rows 1000]

FOLDER holds train.csv and test.csv with the columns `text` and `category`: BANKING77 (Casanueva and others, "Efficient
Intent Detection with Dual Sentence Encoders", arXiv 2003.04807; CC BY 4.0), from `banking_data` in
https://github.com/PolyAI-LDN/task-specific-datasets. It is not part of this kit. Ten examples of each intent train;
`--rows` of its test rows, drawn with a fixed seed, are scored. Without FOLDER that set is left out.

All rivals of a set answer the same rows. Open fields (an order number) are found by a pattern learned from the training
rows. `python -m helpers.assets --all` fetches the sentence embeddings beforehand.
"""

from __future__ import annotations

import argparse
import csv
import random
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from helpers import data, evaluate
from helpers.evaluate import metrics
from helpers.records import Example

SAMPLE = Path(__file__).parents[1] / "data" / "sample"
EXAMPLES_AN_INTENT = 10

Rows = list[Example]


def sets(intents: Path | None, rows: int) -> Iterator[tuple[str, str, Rows, Rows]]:
    """Name of the set, what its scored rows are called, training rows, scored rows."""
    for task in ("triage", "two_way"):
        for split in ("validation", "test"):
            yield task, split, data.read(SAMPLE / task / "train.jsonl"), data.read(SAMPLE / task / f"{split}.jsonl")
    if intents:
        yield "77 intents", "test", few_of_each(read(intents / "train.csv")), drawn(read(intents / "test.csv"), rows)


def read(path: Path) -> Rows:
    with open(path, encoding="utf-8", newline="") as file:
        return [
            Example(({"role": "user", "content": row["text"]}, {"role": "assistant", "content": row["category"]}))
            for row in csv.DictReader(file)
        ]


def drawn(rows: Rows, count: int) -> Rows:
    return random.Random(1).sample(rows, min(count, len(rows)))


def few_of_each(rows: Rows) -> Rows:
    by_intent: dict[str, Rows] = {}
    for row in drawn(rows, len(rows)):
        by_intent.setdefault(row.answer, []).append(row)
    return [row for some in by_intent.values() for row in some[:EXAMPLES_AN_INTENT]]


def measured(name: str, split: str, train: Rows, rows: Rows) -> pd.DataFrame:
    results = evaluate.without_llm(
        train, rows, metrics.default(train), split=split, extract=evaluate.suggest_patterns(train)
    )  # fmt: skip
    table = results.table()[["score", "low", "high"]]
    return table.set_axis(pd.MultiIndex.from_product([[f"{name}, {len(rows)} {split} rows"], table.index]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--intents", type=Path, help="folder with train.csv and test.csv of the public set")
    parser.add_argument("--rows", type=int, default=1000, help="scored rows of the public set")
    options = parser.parse_args()
    tables = [measured(*some) for some in sets(options.intents, options.rows)]
    print((100 * pd.concat(tables)).round(1).to_string(header=["% right", "from", "to"]))


if __name__ == "__main__":
    main()
