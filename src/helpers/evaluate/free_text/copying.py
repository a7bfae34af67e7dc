"""How much of a text is copied from the rows that it was trained on, or shown: the longest run of words in common."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from helpers.evaluate.metrics import Metric
from helpers.records import Example

LONG = 12
"""So many words in a row are no chance: a share of copies with this many or more is a share of copying."""

WORD = re.compile(r"\w+(?:['’.-]\w+)*")


def longest_shared(text: str, pool: Sequence[str]) -> int:
    """The most words in a row that a text shares with any one of the pool, whatever their case and punctuation.

    Args:
        text: a copy.
        pool: texts that it may have learned from.
    """
    words, runs = _words(text), _runs(tuple(pool))
    longest = 0
    for start in range(len(words)):  # a longer run than the best so far is all that is looked for
        while start + longest < len(words) and words[start : start + longest + 1] in runs:
            longest += 1
    return longest


def copied(pool: Sequence[Example]) -> Metric:
    """A metric: the most words in a row that an answer shares with the ideal answer of any row of ``pool``.

    Words that it takes from its own question are not looked for.
    """
    answers = tuple(row.answer for row in pool)
    return Metric(
        "copied_words", lambda answer, example: float(longest_shared(answer, answers)), unit="words", better="lower"
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.casefold() for word in WORD.findall(text))


@lru_cache(maxsize=4)
def _runs(pool: tuple[str, ...]) -> _Runs:
    return _Runs(pool)


class _Runs:
    """Whether a run of words stands in any of some texts. A text's words, with one space around each, are searched."""

    def __init__(self, pool: Sequence[str]) -> None:
        self.texts = "\n".join(f" {' '.join(_words(text))} " for text in pool)

    def __contains__(self, run: tuple[str, ...]) -> bool:
        return f" {' '.join(run)} " in self.texts
