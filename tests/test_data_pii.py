"""Personal data and secrets: recall and precision of each kind on rows that another hand wrote, and false alarms.

The rows and how they were made: ``tests/pii/README.md``. Run with ``-s`` to read the numbers.
"""

from __future__ import annotations

import csv
import json
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from helpers import data
from helpers.statistics import wilson

ROWS = Path(__file__).parent / "pii"
SAMPLE = Path(__file__).parents[1] / "data" / "sample"

SECRETS = ("api_key", "private_key", "token", "password")
KINDS = ("email", "phone", "card", "iban", "national_id", *SECRETS)
CODES = {kind: f"{'secret' if kind in SECRETS else 'personal'}_{kind}" for kind in KINDS}

WANTED = 0.95

AN_ITEM = re.compile(r"\S@\S+\.\w|555[- ]?01\d\d")
"""The sample messages name invented addresses and 555-01xx numbers (read through by eye): those are not clean."""


class Counts(NamedTuple):
    """Rows of one half: positives found, positives, negatives that raised an alarm, positives found as another kind."""

    found: int
    positives: int
    alarms: int
    otherwise: int

    @property
    def recall(self) -> float:
        return self.found / self.positives

    @property
    def precision(self) -> float:
        return self.found / max(self.found + self.alarms, 1)


def codes_of(texts: list[str]) -> list[set[str]]:
    """What the checker finds in each text, as a user's message of a file."""
    lines = [
        json.dumps({"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": "Noted."}]})
        for text in texts
    ]
    problems = data.check("\n".join(lines).encode(), provider="openai", near_duplicates=False).problems
    found: list[set[str]] = [set() for _ in texts]
    for line, code in zip(problems["line"], problems["code"], strict=True):
        if line and code in CODES.values():
            found[line - 1].add(code)
    return found


def rows_of(kind: str) -> list[dict]:
    return [json.loads(line) for line in (ROWS / f"{kind}.jsonl").read_text(encoding="utf-8").splitlines()]


@cache
def measured(kind: str, held_out: bool) -> Counts:
    rows = [row for row in rows_of(kind) if row["held_out"] is held_out]
    found = codes_of([row["text"] for row in rows])
    hits = [(row["positive"], CODES[kind] in codes, bool(codes)) for row, codes in zip(rows, found, strict=True)]
    return Counts(
        found=sum(positive and hit for positive, hit, _ in hits),
        positives=sum(positive for positive, _, _ in hits),
        alarms=sum(hit and not positive for positive, hit, _ in hits),
        otherwise=sum(positive and some and not hit for positive, hit, some in hits),
    )


def told(part: int, whole: int) -> str:
    low, high = wilson(part, whole)
    return f"{part / whole:.3f} [{low:.3f}, {high:.3f}] ({part}/{whole})"


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_as_described(kind):
    rows = rows_of(kind)
    assert len({row["text"] for row in rows}) == len(rows)
    for positive in (True, False):
        halves = [row["held_out"] for row in rows if row["positive"] is positive]
        assert len(halves) >= 100
        assert abs(sum(halves) - len(halves) / 2) < 1


@pytest.mark.parametrize("kind", KINDS)
def test_recall_and_precision(kind):
    print()
    for held_out in (False, True):
        counts = measured(kind, held_out)
        print(
            f"{kind}, {'held-out' if held_out else 'open'} half: recall {told(counts.found, counts.positives)}, "
            f"precision {told(counts.found, counts.found + counts.alarms)}; "
            f"{counts.otherwise} more found under another kind's code"
        )
    counts = measured(kind, True)
    assert counts.recall >= WANTED
    assert counts.precision >= WANTED


def test_the_phone_rows_that_it_was_mended_on_stay_mended():
    """340 look-alikes and 60 numbers in the forms that people forget: see ``tests/pii/README.md``."""
    rows = rows_of("phone_mended_on")
    found = [CODES["phone"] in codes for codes in codes_of([row["text"] for row in rows])]
    missed = sum(row["positive"] and not hit for row, hit in zip(rows, found, strict=True))
    alarms = sum(hit and not row["positive"] for row, hit in zip(rows, found, strict=True))
    print(f"\n{missed} of {sum(row['positive'] for row in rows)} missed, {alarms} false alarms")
    assert missed <= 3 and alarms <= 10


def clean_texts() -> list[str]:
    """Messages, product facts, copy and reviews of the sample data that hold neither an address nor a number."""
    with (SAMPLE / "triage" / "messages.csv").open(encoding="utf-8", newline="") as file:
        texts = [row["message"] for row in csv.DictReader(file)]
    for folder in ("brand_voice", "two_way"):
        for split in ("train", "validation", "test"):
            path = SAMPLE / folder / f"{split}.jsonl"
            for line in path.read_text(encoding="utf-8").splitlines():
                texts += [message["content"] for message in json.loads(line)["messages"]]
    texts = [text for text in texts if text not in ("positive", "negative")]
    return [text for text in texts if not AN_ITEM.search(text)]


def test_false_alarms_on_clean_messages():
    texts = clean_texts()
    alarms = [(text, codes) for text, codes in zip(texts, codes_of(texts), strict=True) if codes]
    low, high = wilson(len(alarms), len(texts))
    print(
        f"\nfalse alarms per 1,000 clean messages: {1000 * len(alarms) / len(texts):.1f} "
        f"[{1000 * low:.1f}, {1000 * high:.1f}] ({len(alarms)} of {len(texts)})"
    )
    assert len(texts) > 1500
    assert len(alarms) <= len(texts) / 1000, alarms


def test_items_in_the_sample_messages_are_found():
    """The other way round: what stands in the sample messages on purpose is found there."""
    with (SAMPLE / "triage" / "messages.csv").open(encoding="utf-8", newline="") as file:
        texts = [row["message"] for row in csv.DictReader(file) if AN_ITEM.search(row["message"])]
    assert len(texts) >= 15
    missed = [text for text, codes in zip(texts, codes_of(texts), strict=True) if not codes]
    assert not missed
