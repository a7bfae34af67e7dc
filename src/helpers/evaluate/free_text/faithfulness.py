"""Do the numbers, materials and colours in a copy stand on its sheet of facts? By patterns and a lexicon.

* A **number** stands when the sheet has the same quantity: ``9.5 cm`` for ``95 mm``, ``40 cm`` for ``15.75"`` (inches
  to the nearest whole centimetre), "a litre and a half" for ``1.5 L``. A length is not backed by a weight or a volume.
  "One" is not checked: it is rarely a number; nor is a small number word that counts no part of the product, nor
  the number of a line in a list ("1. Rinse").
* A **material** or **colour** stands when the sheet has the word, or one that ``lexicon.toml`` lists under it: "steel"
  for "stainless steel", "green" for "sage", and never the other way round.
* A comparison claims nothing ("veined like marble"), nor does what is denied ("no plastic").

How often this is right was measured against labels of another hand: ``data/sample/brand_voice/README.md``. It sees no
invented use, place or history ("the saddle sits on the horse's shoulders"), and knows English and things for the home.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

Kind = Literal["number", "material", "colour"]

LEXICON: dict[str, Any] = tomllib.loads((Path(__file__).parent / "lexicon.toml").read_text(encoding="utf-8"))

COMPARING = re.compile(LEXICON["comparing"]["opens"], re.IGNORECASE)
DENIED = re.compile(LEXICON["comparing"]["denies"], re.IGNORECASE)
OTHERWISE = re.compile("|".join(LEXICON["otherwise"]["meanings"]), re.IGNORECASE)
LIST_NUMBER = re.compile(r"^[ \t*]*\d{1,2}[.)](?=\s|\Z)", re.MULTILINE)
CUT_LIST_NUMBER = re.compile(r"^[ \t*]*\d{1,2}\Z", re.MULTILINE)
"""A list that is cut off at the limit of tokens may end on the bare number of its next line."""


@dataclass(frozen=True)
class Mention:
    """A number, material or colour in a copy: its words, where they begin, and whether they stand on the sheet."""

    kind: Kind
    text: str
    at: int
    stands: bool


def mentions(copy: str, sheet: str) -> list[Mention]:
    """What a copy says of numbers, materials and colours, in its order.

    Args:
        copy: the text that is checked.
        sheet: the facts that it was written from.
    """
    plain = _without(COMPARING, copy)
    words = _without(OTHERWISE, plain)
    counted = _without_list_numbers(plain)
    numbers = (*_figures(counted), *_in_words(counted, claims=True))
    said = [Mention("number", one.text, one.at, one.stands_on(sheet)) for one in numbers]
    for kind, table in (("material", "materials"), ("colour", "colours")):
        said += [
            Mention(kind, found.group(), found.start(), _backed(found.group(), table, sheet))
            for found in _pattern(table).finditer(words)
            if not DENIED.search(copy[: found.start()])
        ]
    return sorted(said, key=lambda one: one.at)


def invented(copy: str, sheet: str) -> list[Mention]:
    """The mentions that do not stand on the sheet.

    Args:
        copy: the text that is checked.
        sheet: the facts that it was written from.
    """
    return [one for one in mentions(copy, sheet) if not one.stands]


def distinct(said: Sequence[Mention]) -> list[Mention]:
    """Each fact once, however often a copy repeats it; of several in one text ("26 x 40 cm") an invented one counts."""
    once: dict[tuple[str, str], Mention] = {}
    for one in sorted(said, key=lambda one: one.stands):
        once.setdefault((one.kind, one.text.casefold()), one)
    return sorted(once.values(), key=lambda one: one.at)


def _without(pattern: re.Pattern[str], text: str) -> str:
    """The text with what the pattern finds blanked out, so that every place stays where it was."""
    return pattern.sub(lambda found: " " * len(found.group()), text)


def _without_list_numbers(text: str) -> str:
    plain = _without(LIST_NUMBER, text)
    return plain if plain == text else _without(CUT_LIST_NUMBER, plain)


# --- materials and colours -------------------------------------------------------------------------------------------


@cache
def _pattern(table: str) -> re.Pattern[str]:
    """Any term of a table as whole words."""
    return _any_of(LEXICON[table], before=r"(?<![\w-])")


def _backed(term: str, table: str, sheet: str) -> bool:
    return _backing(term.lower(), table).search(sheet) is not None


@cache
def _backing(term: str, table: str) -> re.Pattern[str]:
    """The term, what is listed under it, what is listed under that, and so on."""
    known, new = {term}, [term]
    while new:
        fresh = [word for word in LEXICON[table].get(new.pop(), ()) if word not in known]
        known.update(fresh)
        new += fresh
    return _any_of(known)


def _any_of(terms: Iterable[str], before: str = r"(?<!\w)") -> re.Pattern[str]:
    longest_first = sorted(terms, key=lambda term: (-len(term), term))
    return re.compile(rf"{before}(?:{'|'.join(map(re.escape, longest_first))})(?!\w)", re.IGNORECASE)


# --- numbers ---------------------------------------------------------------------------------------------------------

UNITS: dict[str, tuple[str, float]] = {
    **dict.fromkeys(("mm", "millimetre", "millimetres"), ("length", 0.1)),
    **dict.fromkeys(("cm", "centimetre", "centimetres"), ("length", 1.0)),
    **dict.fromkeys(("m", "metre", "metres"), ("length", 100.0)),
    **dict.fromkeys(("in", "inch", "inches", '"', "″"), ("inches", 2.54)),
    **dict.fromkeys(("ft",), ("inches", 30.48)),
    **dict.fromkeys(("ml", "millilitre", "millilitres"), ("volume", 0.001)),
    **dict.fromkeys(("cl",), ("volume", 0.01)),
    **dict.fromkeys(("l", "litre", "litres", "liter", "liters", "ltr"), ("volume", 1.0)),
    **dict.fromkeys(("g", "gram", "grams"), ("weight", 0.001)),
    **dict.fromkeys(("kg", "kilo", "kilos", "kilogram", "kilograms"), ("weight", 1.0)),
    **dict.fromkeys(("s", "sec", "second", "seconds"), ("time", 1 / 60)),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), ("time", 1.0)),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), ("time", 60.0)),
}
"""Unit → what it measures, and how many of cm, litres, kilograms or minutes it is."""

AMBIGUOUS = ("second", "seconds", "minute")
"""Units that in running text are mostly something else: "in a second"."""

WORDS: dict[str, int] = LEXICON["numbers"]["words"]
HINTS: dict[str, int] = LEXICON["numbers"]["hints"]
_WORD = "|".join(sorted(WORDS, key=len, reverse=True))
_LONG = "|".join(sorted((unit for unit in UNITS if len(unit) > 3 and unit not in AMBIGUOUS), key=len, reverse=True))
_ANY = "|".join(sorted((re.escape(unit) for unit in UNITS), key=len, reverse=True))
FIGURE = re.compile(r"\d{1,3}(?:,\d{3})+(?!\d)|\d+(?:\.\d+)?")
IN_FIGURES = re.compile(
    r"(?:(?<![\w.,])(?<![A-Z]-)|(?<=\b[x×]))(?P<values>\d+(?:[.,]\d+)*(?:\s*[x×–/-]\s*\d+(?:\.\d+)?)*)"
    rf"(?:\s*-?(?P<unit>(?:{_ANY})(?![a-z])(?!(?<=in) (?:a|the|one|each|all|bag|box|set|total)\b)))?",
    re.IGNORECASE,
)
_NUMBER = rf"(?:half )?(?:a )?(?:{_WORD})(?:[ -](?:and )?(?:a )?(?:{_WORD}))*"
IN_WORDS = re.compile(
    rf"\b(?<!quarter of )(?<!quarters of )(?P<value>{_NUMBER}|(?:half )?an?(?= (?:{_LONG})\b))\b(?! quarters?\b)"
    rf"(?P<half> and a half)?(?:[ -](?P<unit>{_LONG})\b(?P<too> and a half)?)?",
    re.IGNORECASE,
)
HINTED = re.compile(rf"\b(?:{'|'.join(HINTS)})\b", re.IGNORECASE)
COUNTED = re.compile(rf"[ -](?:[\w'’-]+ ){{0,3}}?{LEXICON['numbers']['counted']}\b", re.IGNORECASE)
COUNTED_AT_ONCE = re.compile(rf"[ -]{LEXICON['numbers']['counted']}\b", re.IGNORECASE)
ROUGHLY = re.compile(
    r"\b(?:about|some|nearly|almost|roughly|around|close to|just over|just under|over|under)\s$", re.IGNORECASE
)


@dataclass(frozen=True)
class Quantity:
    """A number in cm, litres, kilograms or minutes, or a count of parts; ``measures`` is "" where nothing says it."""

    text: str
    at: int
    value: float
    measures: str
    rough: bool = False

    def stands_on(self, sheet: str) -> bool:
        return any(self._is(theirs) for theirs in (*_figures(sheet), *_in_words(sheet), *_hinted(sheet)))

    def _is(self, sheet: Quantity) -> bool:
        if INCHES in (self.measures, sheet.measures) and {self.measures, sheet.measures} <= {LENGTH, INCHES, ""}:
            half_a_unit = 1.27 if self.measures == INCHES else 0.5
            return abs(self.value - sheet.value) <= half_a_unit or self._near(sheet.value / 2.54)
        likely = (sheet.measures,) if sheet.measures else (LENGTH, COUNT)  # a bare figure is seldom a weight
        if self.measures and self.measures not in likely:
            return False
        return any(self._near(sheet.value * scale) for scale in self._scales(sheet))

    def _scales(self, sheet: Quantity) -> tuple[float, ...]:
        """How else the sheet's number may be read where one of the two has no unit."""
        if self.measures == "length" and not sheet.measures:
            return (1, 0.1, 100)  # cm, mm, m
        if not self.measures and sheet.measures not in ("", COUNT):
            return (1, 10, 1000, 1 / 60)  # "seventy wide" for 700 mm, "two" for 2 hours
        return (1,)

    def _near(self, value: float) -> bool:
        return abs(self.value - value) <= (0.1 if self.rough else 1e-6) * max(self.value, value)


def _figures(text: str) -> Iterator[Quantity]:
    for found in IN_FIGURES.finditer(text):
        measures, size = UNITS.get((found["unit"] or "").lower(), ("", 1.0))
        for figure in FIGURE.findall(found["values"]):
            number = float(figure.replace(",", ""))
            if found["unit"] == "H" or (found["unit"] == "L" and number > MAX_LITRES):
                measures, size = "", 1.0  # "48 L x 90 H" are a length and a height
            kind = measures or _count(number, text, found)
            yield Quantity(found.group().strip(), found.start(), number * size, kind, _rough(text, found))


def _in_words(text: str, *, claims: bool = False) -> Iterator[Quantity]:
    """Numbers in words; ``claims``: without the small ones that count nothing of the product's."""
    for found in IN_WORDS.finditer(text):
        measures, size = UNITS.get((found["unit"] or "").lower(), ("", 1.0))
        value = _value(found["value"].lower()) + 0.5 * bool(found["half"] or found["too"])
        kind = measures or _count(value, text, found)
        if not claims or kind or value > SMALL:
            yield Quantity(found.group().strip(), found.start(), value * size, kind, _rough(text, found))


def _hinted(text: str) -> Iterator[Quantity]:
    return (Quantity(f.group(), f.start(), HINTS[f.group().lower()], COUNT) for f in HINTED.finditer(text))


def _count(value: float, text: str, found: re.Match[str]) -> str:
    """What a number without a unit measures: parts of the product, where their name follows (at once, if large)."""
    times = text[found.start() - 1 : found.start()] in ("x", "×")
    following = COUNTED if value <= SMALL else COUNTED_AT_ONCE
    return COUNT if times or following.match(text, found.end()) else ""


def _rough(text: str, found: re.Match[str]) -> bool:
    return ROUGHLY.search(text, 0, found.start()) is not None


def _value(text: str) -> float:
    """ "a hundred and ten" is 110, "half a" is 0.5, "a" is 1."""
    total = 0
    for word in re.findall(r"[a-z]+", text):
        total = max(total, 1) * WORDS[word] if word in TIMES else total + WORDS.get(word, 0)
    return (total or 1) * (0.5 if text.startswith("half ") else 1)


TIMES = ("hundred", "thousand", "dozen")
SMALL = 12
MAX_LITRES = 25
COUNT = "count"
LENGTH, INCHES = "length", "inches"
