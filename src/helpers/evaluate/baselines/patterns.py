"""Plain code for open fields: a pattern learned from the training rows, shown to the reader before it is used."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from helpers.errors import EvaluationError
from helpers.evaluate.metrics import NOT_JSON, parsed
from helpers.formatting import plural
from helpers.records import Example

DROPPED = " .-/_"
"""What people put between the digits of a number, and an answer leaves out."""
MIN_VALUES = 3
"""Fewer different values have no shape to learn."""
PIECES = re.compile(r"[A-Za-z]+|[0-9]+|[^A-Za-z0-9]+")
LETTERS, DIGITS = "[A-Za-z]", "[0-9]"


@dataclass(frozen=True, repr=False)
class Pattern:
    """Where a field's value stands in a message, and how it is written in the answer. Call it with a message.

    Attributes:
        field: the field of the answer.
        regex: what is looked for; its groups fill the template, without spaces and dashes inside.
        template: the answer, ``{}`` for each group.
        which: which of several finds counts.
        case: how letters are written in the answer; empty: as found.
        number: whether the answer is a JSON number rather than a text.
        right: on how many of the training ``rows`` it gives the field's value, null included.
        usual: on how many of them the most frequent value is right.
    """

    field: str
    regex: str
    template: str
    which: Literal["first", "last"] = "first"
    case: Literal["", "upper", "lower"] = ""
    number: bool = False
    right: int = 0
    rows: int = 0
    usual: int = 0

    def __call__(self, message: str) -> str | int | float | None:
        """The value that the message names, or None."""
        finds = list(re.finditer(self.regex, message))
        if not finds:
            return None
        groups = finds[0 if self.which == "first" else -1].groups()
        text = self.template.format(*(group.translate(str.maketrans("", "", DROPPED)) for group in groups))
        text = {"upper": text.upper(), "lower": text.lower()}.get(self.case, text)
        return _as_number(text) if self.number else text

    def __str__(self) -> str:
        return (
            f"{self.field}: a pattern learned from {plural(self.rows, 'training row')}\n"
            f"  looks for  {self.regex}   (of several, the {self.which})\n"
            f"  answers    {self.template}   (without spaces and dashes inside; null where nothing is found)\n"
            f"  is right   in {self.right} of {self.rows} training rows (always the most frequent value: {self.usual})"
        )

    __repr__ = __str__


def suggest_pattern(train: Sequence[Example], field: str) -> Pattern | None:
    """A pattern for a field whose values are copied out of the message: order numbers, codes, amounts.

    It is a suggestion: read it, then hand it to ``without_llm`` in ``extract``; nothing uses it otherwise. It is chosen
    by the training rows only, from a few readings of the values' common shape: letters and digits in a row, with or
    without what always stands before them, with or without spaces inside, the first or the last in the message.

    Args:
        train: training rows whose answers are JSON objects.
        field: a field of these objects.

    Returns:
        The reading that is right most often, or None where none beats the most frequent value or the values have no
        common shape (names, free text).

    Raises:
        EvaluationError: no training answer is a JSON object with this field.
    """
    questions, values = _values(train, field)
    there = [value for value in values if value is not None]
    if len({json.dumps(value) for value in there}) < MIN_VALUES:
        return None
    number = all(isinstance(value, int | float) and not isinstance(value, bool) for value in there)
    if not number and not all(isinstance(value, str) for value in there):
        return None
    usual = Counter(json.dumps(value) for value in values).most_common(1)[0][1]
    measured = [
        replace(reading, right=_right(reading, questions, values), rows=len(values), usual=usual)
        for reading in _readings(field, [str(value) for value in there], number)
    ]
    best = max(measured, key=lambda reading: reading.right, default=None)
    return best if best and best.right > usual else None


def suggest_patterns(train: Sequence[Example]) -> dict[str, Pattern]:
    """The suggested pattern of every open field that has one, as ``extract`` takes them; empty for other answers."""
    objects = [value for row in train if isinstance(value := parsed(row.answer), dict)]
    names = dict.fromkeys(name for value in objects for name in value)
    found = {name: suggest_pattern(train, name) for name in names if len(objects) == len(train)}
    return {name: pattern for name, pattern in found.items() if pattern}


def _values(train: Sequence[Example], field: str) -> tuple[list[str], list[object]]:
    rows = [(row.question, parsed(row.answer)) for row in train]
    objects = [(question, value) for question, value in rows if value is not NOT_JSON and isinstance(value, dict)]
    if not any(field in value for _, value in objects):
        raise EvaluationError(
            f"No training answer is a JSON object with the field {field!r}.",
            got=", ".join(dict.fromkeys(name for _, value in objects for name in value)) or "answers of another kind",
        )
    return [question for question, _ in objects], [value.get(field) for _, value in objects]


def _right(reading: Pattern, questions: Sequence[str], values: Sequence[object]) -> int:
    return sum(reading(question) == value for question, value in zip(questions, values, strict=True))


def _readings(field: str, values: Sequence[str], number: bool) -> Iterator[Pattern]:
    """Patterns for the values' common shape, the simplest first; none where they have no common shape."""
    pieces = [PIECES.findall(value) for value in values]
    shapes = {tuple(_kind(piece) for piece in some) for some in pieces}
    if len(shapes) != 1:
        return
    columns = [sorted(set(column)) for column in zip(*pieces, strict=True)]
    # A number's digits all count, also those that happen to be the same in these rows.
    varied = [at for at, column in enumerate(columns) if len(column) > 1 or (number and _kind(column[0]) == DIGITS)]
    if not varied or any(_kind(columns[place][0]) is None for place in varied):
        return
    first, last = varied[0], varied[-1]
    template = "".join("{}" if place in varied else _plain(column[0]) for place, column in enumerate(columns))
    before = "".join(column[0] for column in columns[:first])
    case = _case(values)
    for with_start, spaced, which in itertools.product((False, True), (False, True), ("first", "last")):
        if (with_start and not before) or (spaced and number):
            continue
        core = "".join(
            _group(column, spaced, number) if place in varied else _between(column[0], spaced)
            for place, column in enumerate(columns[first : last + 1], first)
        )
        start = _start(before) if with_start else _not_beside(_kind(columns[first][0]), "<!")
        regex = start + core + _not_beside(_kind(columns[last][0]), "!")
        yield Pattern(field, regex, template, which=which, case=case, number=number)


def _kind(piece: str) -> str | None:
    """The class of a piece's characters; None for anything but letters and digits."""
    if not piece.isascii():
        return None
    return DIGITS if piece.isdigit() else LETTERS if piece.isalpha() else None


def _group(column: Sequence[str], spaced: bool, number: bool) -> str:
    """Letters or digits in a row, as many as the values have (a number: any); ``spaced``: with a space or dash between
    any two."""
    kind, lengths = _kind(column[0]), [len(piece) for piece in column]
    if number:  # 10.5 may stand in the message as 10.50
        return f"({kind}+)"
    if not spaced:
        return f"({kind}{_times(min(lengths), max(lengths))})"
    further = _times(min(lengths) - 1, max(lengths) - 1)
    return f"({kind}(?:[ .-]?{kind}){further})" if max(lengths) > 1 else f"({kind})"


def _times(low: int, high: int) -> str:
    return f"{{{low}}}" if low == high else f"{{{low},{high}}}"


def _between(text: str, spaced: bool) -> str:
    """What stands between two groups; ``spaced``: or another separator there, or none."""
    return "[ ./_-]?" if spaced and _kind(text) is None else re.escape(text)


def _start(before: str) -> str:
    """What always stands before the value, in any case and with any mark between its parts: BM-, bm #, B.M. …"""
    words = [f"(?i:{re.escape(piece)})" for piece in PIECES.findall(before) if _kind(piece)]
    return r"\W{0,2}".join(words) + r"\W{0,2}" if words else re.escape(before)


def _not_beside(kind: str | None, side: str) -> str:
    return f"(?{side}{kind})"


def _plain(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _case(values: Sequence[str]) -> Literal["", "upper", "lower"]:
    text = "".join(values)
    return "upper" if text.isupper() else "lower" if text.islower() else ""


def _as_number(text: str) -> int | float | None:
    try:
        return int(text) if text.isdigit() else float(text)
    except ValueError:
        return None
