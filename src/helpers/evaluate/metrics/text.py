"""Metrics of texts: the same text, alike, its length, the number at its end."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from rapidfuzz import fuzz

from helpers.evaluate.metrics.metric import Metric
from helpers.records import Example

exact_match = Metric("exact_match", lambda answer, example: float(answer.strip() == example.answer.strip()))
"""The answer is the ideal answer, character by character (spaces at the ends aside)."""

similarity = Metric("similarity", lambda answer, example: fuzz.ratio(answer, example.answer) / 100, unit="likeness")
"""How alike answer and ideal answer look, 0 to 1: 1 minus the normalised edit distance (insertions and deletions).

It compares letters, not meaning: use it to find odd rows, never as the reason for a decision.
"""

length = Metric("length", lambda answer, example: float(len(answer.split())), unit="words", better="neither")
"""The answer's length in words."""


# --- free text whose end can be checked -------------------------------------------------------------------------------

_NUMBER = re.compile(r"(?:(?<!\w)[-\N{MINUS SIGN}])?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")
_AT_THE_END = re.compile(rf"(?:####|answer is:?|=)?\s*[$€£]?\s*{_NUMBER.pattern}\s*[%.]?\s*$", re.IGNORECASE)


def last_number(text: str) -> float | None:
    """The number that a text comes to: the one after ``####`` where it has that mark, else the last one."""
    _, mark, after = text.rpartition("####")
    found = _NUMBER.findall(after)
    return float(found[0 if mark else -1].replace(",", "").replace("\N{MINUS SIGN}", "-")) if found else None


def _final_number(answer: str, example: Example) -> float | None:
    wanted, got = last_number(example.answer), last_number(answer)
    return None if wanted is None else float(got is not None and math.isclose(got, wanted, rel_tol=1e-9, abs_tol=1e-9))


final_number = Metric("final_number", _final_number)
"""The last number of the answer is that of the ideal answer (after ``####``, where there is that mark); commas,
currency and a final full stop do not count. Does not apply to rows whose ideal answer has no number."""

CHECKS = {"final_number": final_number, "exact_match": exact_match}
"""Checks of free text that a reader may choose by name; rules (see :mod:`text_rules`) are the other way."""


def suggest_check(examples: Sequence[Example]) -> str:
    """A sentence that names a check which these free texts allow, or an empty one. Nothing uses it by itself."""
    answers = [answer for row in examples if (answer := row.answer.strip())]
    ends = sum(bool(_AT_THE_END.search(answer)) for answer in answers)
    if answers and ends >= 0.9 * len(answers):
        return f'{ends:,} of {len(answers):,} ideal answers end with a number: RULES = "final_number" compares it.'
    if answers and sum(len(answer.split()) <= 5 for answer in answers) >= 0.9 * len(answers):
        return 'Ideal answers are short: RULES = "exact_match" counts those that are the same, letter by letter.'
    return ""
