"""Which column is the question and which the answer: as the reader says it in ``COLUMNS``, or from names and contents.

What is found out is written as a ``COLUMNS`` of its own, so that a reader can copy it and change it.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from difflib import get_close_matches
from typing import Any, NamedTuple

import orjson

from helpers.data.shapes import (
    COLUMNS,
    KNOWN_ROLES,
    PARTS,
    PLACE,
    cell_text,
    has_own_shape,
    is_conversation,
    shaped,
    speaker_key,
    tidy_name,
)
from helpers.errors import DataError

Spec = str | Sequence[str]
Columns = Mapping[str, Spec]
"""Part → column, a template such as ``"{title}\\n\\n{body}"``, or a list of columns: joined with a blank line;
as the answer a JSON object with the columns as its keys."""

LISTED = 12
OTHERS = 3
MOST = 0.8
LABEL_LENGTH = 80

DATE = re.compile(r"\d{1,4}([-./])\d{1,2}\1\d{1,4}")
"""How dates begin, whatever their order; an amount has at most one such mark."""

CLEARLY = 0.5
"""How far the best candidate must be ahead of the next."""

ABOUT = ("split", "fold", "id", "index", "source", "dataset", "language", "lang", "license", "licence", "url", "date",
         "time", "created", "received", "updated", "channel", "agent", "author", "version")  # fmt: skip
"""Words in the names of columns that tell about a row, never what to answer."""

ABOVE = ("context", "passage", "title", "subject", "headline", "document", "article", "betreff", "titel", "instruction")
"""Columns that belong above the question, where a row has both: its source, its heading, its instruction."""

BELOW = ("input", "context")
"""Columns that belong below an instruction."""


class Guess(NamedTuple):
    """What the columns are, and how that was told.

    Attributes:
        columns: part → column or template; empty for rows that need none.
        sure: "set by you", "by names", "by contents" or "as it is".
        why: the reasons, as a sentence.
    """

    columns: dict[str, str]
    sure: str
    why: str = ""


class Profile(NamedTuple):
    """What a column holds: ``kind`` is "turns", "empty", "constant", "json", "date", "number", "id", "label" or "text";
    which share of it is filled, how many different values and words it has, and its cells as text."""

    name: str
    kind: str
    filled: float
    different: int
    words: float
    cells: tuple[str, ...]

    @property
    def values(self) -> list[str]:
        """Its first different values."""
        return sorted({cell for cell in self.cells if cell})[:5]


def paste(columns: Mapping[str, str]) -> str:
    """The line for the parameters cell."""
    return f"COLUMNS = {json.dumps(dict(columns), ensure_ascii=False)}"


# --- as the reader says it --------------------------------------------------------------------------------------------


def checked(columns: Any, sample: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The reader's ``COLUMNS``, lists of columns as templates, or as a tuple for the answer's fields.

    Args:
        columns: ``COLUMNS`` of the parameters cell, as the reader wrote it.
        sample: rows of the table; their keys are its columns.

    Raises:
        DataError: it names an unknown part or column, or leaves out a part; the message says what to write.
    """
    names = list(dict.fromkeys(name for row in sample for name in row))
    if not isinstance(columns, Mapping) or not columns:
        raise DataError("COLUMNS is not a dictionary.", got=repr(columns)[:100], fix=_fix(sample, names))
    if unknown := [part for part in columns if part not in PARTS]:
        if set(map(str, columns.values())) <= set(PARTS):
            turned = paste({str(part): str(column) for column, part in columns.items()})
            raise DataError("COLUMNS is the wrong way round.", got=repr(dict(columns))[:200], fix=f"Write {turned}.")
        legal = ", ".join(map(repr, PARTS))
        raise DataError(f"COLUMNS has no part {unknown[0]!r}.", got=f"known parts: {legal}", fix=_fix(sample, names))
    if "messages" in columns and len(columns) > 1:
        fix = f"Write {paste({'messages': columns['messages']})}, or name a question and an answer instead."
        raise DataError("In COLUMNS, 'messages' is the whole conversation and must be the only entry.", fix=fix)
    specs = {part: _spec(part, spec, names, sample) for part, spec in columns.items()}
    needed = {"messages"} if "messages" in specs else {"question", "preferred" if "rejected" in specs else "answer"}
    if "preferred" in specs and "answer" not in specs:
        needed |= {"rejected"}
    if missing := sorted(needed - set(specs), reverse=True):
        raise DataError(
            f"COLUMNS does not say which column is the {' and the '.join(missing)}.",
            got=repr(dict(columns))[:200],
            fix=_fix(sample, names, specs),
        )
    return specs


def _spec(part: str, spec: Any, names: list[str], sample: Sequence[Mapping[str, Any]]) -> str | tuple[str, ...]:
    if isinstance(spec, (list, tuple)) and spec and all(isinstance(name, str) for name in spec):
        wanted, spec = list(spec), tuple(spec) if part == "answer" else "\n\n".join(f"{{{name}}}" for name in spec)
    elif isinstance(spec, str) and spec.strip():
        wanted = [spec] if spec in names else PLACE.findall(spec) or [spec]
    else:
        raise DataError(
            f"COLUMNS[{part!r}] names no column.", got=repr(spec)[:100], fix=_fix(sample, names)
        )  # a number, an empty list …
    for name in wanted:
        if name not in names:
            near = get_close_matches(name, names, n=1) or [one for one in names if tidy_name(one) == tidy_name(name)]
            meant = f" Did you mean {near[0]!r}?" if near else ""
            raise DataError(f"There is no column {name!r}.{meant}", fix=_fix(sample, names))
    return spec


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return f"the columns {', '.join(map(repr, names[:LISTED]))}{more}" if names else "no columns"


def _fix(sample: Sequence[Mapping[str, Any]], names: Sequence[str], given: Mapping[str, str] | None = None) -> str:
    """A ``COLUMNS`` to paste: the best guess, with what the reader has given already."""
    likely = _likely([profile(name, sample) for name in names])
    taken = set((given or {}).values())
    parts = {}
    for part in ("question", "answer"):
        ranked = [name for name in likely[part] if name not in taken and name not in parts.values()]
        parts[part] = (given or {}).get(part) or (ranked[0] if ranked else "…")
    return f"Write {paste(parts | dict(given or {}))}. Found are {_listed(names)}."


# --- from names and contents ------------------------------------------------------------------------------------------


def guess(sample: Sequence[Mapping[str, Any]]) -> Guess:
    """What the columns of these rows are.

    Args:
        sample: rows of one table, drawn from the whole of it.

    Raises:
        DataError: nothing looks like a question or an answer, or two columns could be it; the message holds a
            ``COLUMNS`` to paste.
    """
    names = list(dict.fromkeys(name for row in sample for name in row))
    profiles = [profile(name, sample) for name in names]
    by_name = _by_name(profiles)
    if "rejected" in by_name and "preferred" in by_name:
        return _pair(by_name, profiles)
    if "question" in by_name and "answer" in by_name:
        others = _other_answers(by_name, profiles)
        why = f"Another answer could be {' or '.join(map(repr, others[:OTHERS]))}." if others else ""
        return _joined(Guess(by_name, "by names", why), profiles)
    if turns := [one for one in profiles if one.kind == "turns"]:
        name = turns[0].name
        why = f"{name!r} contains conversations. {_last_speaker([row.get(name) for row in sample])}".strip()
        return Guess({"messages": name}, "by contents", why)
    if names == ["text"]:
        return Guess({}, "as it is", "One column of text.")
    if len(names) == 1:
        fix = "Each row needs an input and its ideal answer. Add a column of answers, or check how cells are separated."
        raise DataError(f"The table has one column, {names[0]!r}.", fix=fix)
    found, why = _by_contents(profiles, by_name, sample, names)
    return _joined(Guess(found, "by contents", why), profiles)


def _last_speaker(cells: Sequence[Any]) -> str:
    """Who answers, in a sentence, where turns name their speakers by names of their own."""
    last = [cell[-1].get(key) for cell in cells if isinstance(cell, list) and cell and (key := speaker_key(cell[-1]))]
    named = Counter(one for one in last if isinstance(one, str) and one.strip().lower() not in KNOWN_ROLES)
    if not named:
        return ""
    name, count = named.most_common(1)[0]
    return f"Who speaks last is the assistant: {name!r} in {count:,} of {len(cells):,} rows looked at."


def profile(name: str, sample: Sequence[Mapping[str, Any]]) -> Profile:
    """What a column holds.

    Args:
        name: the column's.
        sample: rows of the table.
    """
    cells = [row.get(name) for row in sample]
    texts = [text.strip() for text in map(cell_text, cells)]
    filled = [text for text in texts if text]
    different = len(set(filled))
    words = sum(len(text.split()) for text in filled) / max(len(filled), 1)
    kind = _kind([cell for cell, text in zip(cells, texts, strict=True) if text], filled, different, len(sample), words)
    return Profile(name, kind, len(filled) / max(len(sample), 1), different, words, tuple(texts))


def _kind(cells: list, filled: list[str], different: int, rows: int, words: float) -> str:
    if not filled:
        return "empty"
    if sum(map(is_conversation, cells)) >= MOST * len(cells):
        return "turns"
    if different == 1 and rows >= 5:
        return "constant"
    if sum(map(_is_json, filled)) > 0.5 * len(filled):
        return "json"
    dates = sum(isinstance(cell, date) or bool(DATE.match(text)) for cell, text in zip(cells, filled, strict=True))
    if dates >= MOST * len(filled):
        return "date"
    if sum(map(_is_number, filled)) >= MOST * len(filled):
        return "number"
    if words < 1.2 and different == len(filled) and rows >= 5 and sum(map(_is_code, filled)) >= MOST * len(filled):
        return "id"
    few = different <= max(2, len(filled) / 3) and different < max(len(filled), 2) and words < 8
    return "label" if few and max(map(len, filled)) <= LABEL_LENGTH else "text"


def _is_json(text: str) -> bool:
    if text[:1] not in ("{", "["):
        return False
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"[-+]?[\d.,]+%?", text))


def _is_code(text: str) -> bool:
    """An order number, a hash, an address: one word with a digit, or a link."""
    return any(letter.isdigit() for letter in text) or "://" in text


def _by_name(profiles: list[Profile]) -> dict[str, str]:
    """Part → column by exact names, passing over those whose contents cannot be it; mostly empty ones come last."""
    there = {tidy_name(one.name): one for one in profiles}
    found: dict[str, str] = {}
    for part, known in COLUMNS.items():
        candidates = [there[name] for name in known if name in there and there[name].name not in found.values()]
        if part == "answer":
            candidates = [_in_words(one, profiles) for one in candidates]
        sound = sorted((one for one in candidates if _can_be(part, one)), key=lambda one: one.filled <= 0.5)
        if sound:
            found[part] = sound[0].name
    return found


def _other_answers(found: Mapping[str, str], profiles: list[Profile]) -> list[str]:
    """Columns beside the answer that look like one: labels, or JSON."""
    kinds = {one.name: one.kind for one in profiles}
    if kinds[found["answer"]] == "text":
        return []
    closed = [one.name for one in profiles if one.kind in ("label", "json") and one.filled > 0.5]
    return [name for name in closed if name not in found.values() and not _words(name) & {*ABOVE, *ABOUT}]


def _words(name: str) -> set[str]:
    """The words of a name: ``airline_sentiment``, ``authorName``, ``Author name``."""
    return set(re.split(r"[_\W]+", tidy_name(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name))))


def _can_be(part: str, one: Profile) -> bool:
    if part in ("question", "preferred", "rejected"):
        return one.kind in ("text", "label", "json", "turns")
    if part == "system":
        return one.kind in ("text", "constant", "label")
    return one.kind in ("text", "label", "json", "number", "constant", "turns")


def _in_words(one: Profile, profiles: list[Profile]) -> Profile:
    """The column that says in words what this one numbers (``label_text`` for ``label``), where there is one."""
    if one.kind != "number" or one.different < 2:
        return one
    same = (p for p in profiles if p.kind == "label" and p.different == one.different)
    return next((p for p in same if len(set(zip(one.cells, p.cells, strict=True))) == one.different), one)


def _pair(by_name: dict[str, str], profiles: list[Profile]) -> Guess:
    found = {part: column for part, column in by_name.items() if part != "answer"}
    turns = [one.name for one in profiles if one.kind == "turns" and one.name not in found.values()]
    if "question" not in found and turns:
        found["question"] = turns[0]
    whole = {one.name: one.kind for one in profiles}
    if "question" not in found and whole[found["preferred"]] != "turns":
        names = [one.name for one in profiles]
        raise DataError("The pairs have no question.", got=_listed(names), fix=_fix_pair(found, names))
    order = ("system", "question", "preferred", "rejected")
    return Guess({part: found[part] for part in order if part in found}, "by names")


def _fix_pair(found: dict[str, str], names: list[str]) -> str:
    spare = [name for name in names if name not in found.values()]
    return f"Write {paste({'question': spare[0] if spare else '…'} | found)}: each pair answers one question."


def _by_contents(
    profiles: list[Profile], by_name: dict[str, str], sample: Sequence[Mapping[str, Any]], names: list[str]
) -> tuple[dict[str, str], str]:
    likely = _likely(profiles, by_name)
    kinds = {one.name: one for one in profiles}
    question, answer = likely["question"], likely["answer"]
    if not question or not answer:
        missing = "question" if not question else "answer"
        raise DataError(f"No column looks like the {missing}.", fix=_fix(sample, names, by_name))
    for part, ranked in (("question", question), ("answer", answer)):
        scores = list(ranked.values())
        if len(scores) > 1 and scores[0] - scores[1] < CLEARLY:
            close = [name for name, score in ranked.items() if scores[0] - score < CLEARLY]
            fields = f' Or all as fields: "answer": {json.dumps(close[:LISTED], ensure_ascii=False)}.'
            raise DataError(
                f"More than one column could be the {part}: {', '.join(map(repr, close[:LISTED]))}.",
                fix=_fix(sample, names, by_name) + (fields if part == "answer" else ""),
            )
    asked, told = kinds[next(iter(question))], kinds[next(iter(answer))]
    found = {"question": asked.name, "answer": told.name}
    if "system" in by_name and by_name["system"] not in found.values():
        found = {"system": by_name["system"]} | found
    counted = f"has {told.different} different values"
    holds = {"label": counted, "number": counted, "json": "holds JSON", "text": "is the other text"}
    why = f"{asked.name!r} contains long, varied text and {told.name!r} {holds.get(told.kind, counted)}."
    return found, why


def _likely(profiles: list[Profile], by_name: Mapping[str, str] | None = None) -> dict[str, dict[str, float]]:
    """For the question and for the answer: column → score, best first, the answer never being the question."""
    known = by_name or {}
    texts = {one.name: _as_question(one) for one in profiles if one.kind in ("text", "label") and one.filled > 0.5}
    closed = [one for one in profiles if one.kind in ("label", "json") and one.filled > 0.5]
    if not closed and "answer" not in known and len([one for one in profiles if one.kind == "text"]) == 2:
        first = next(one.name for one in profiles if one.kind == "text")
        texts = {first: 1.0}  # two free texts: they stand in the order in which they were said
    texts = {known["question"]: 1.0} if "question" in known else {name: s for name, s in texts.items() if s > 0}
    question = dict(sorted(texts.items(), key=lambda item: -item[1]))
    asked = next(iter(question), None)
    order = [one.name for one in profiles]
    answers = {one.name: _as_answer(one, profiles, order, asked) for one in profiles if one.name != asked}
    answers = {known["answer"]: 1.0} if "answer" in known else {name: s for name, s in answers.items() if s > 0}
    return {"question": question, "answer": dict(sorted(answers.items(), key=lambda item: -item[1]))}


def _as_question(one: Profile) -> float:
    """How much a column looks like what is asked: long and varied."""
    if one.kind != "text":
        return 0.0
    return math.log1p(one.words) + _named_like(one.name, "question")


def _as_answer(one: Profile, profiles: list[Profile], order: list[str], asked: str | None) -> float:
    """How much a column looks like the ideal answer: few values, or JSON, or a text after the question."""
    after = asked is not None and order.index(one.name) > order.index(asked)
    base = {"label": 2.0, "json": 2.5, "number": 0.5 if one.different <= 20 else 0.0, "text": 1.0 if after else 0.4}
    score = base.get(one.kind, 0.0) * one.filled
    about = _words(one.name) & {*ABOUT, *ABOVE} and not _named_like(one.name, "answer")
    if about or (one.kind == "number" and _in_words(one, profiles) is not one):
        return 0.0
    return score + _named_like(one.name, "answer") if score else 0.0


def _named_like(name: str, part: str) -> float:
    """Whether a known name is a word of this one: ``airline_sentiment``."""
    tidy = tidy_name(name)
    if tidy in COLUMNS[part]:
        return 2.0
    return 1.0 if _words(name) & set(COLUMNS[part]) else 0.0


def _joined(told: Guess, profiles: list[Profile]) -> Guess:
    """The guess with what belongs above the question: a context, a title, an instruction that differs from row to row.

    An instruction that is the same in every row is the system prompt.
    """
    columns, why = dict(told.columns), [told.why] if told.why else []
    question = columns["question"]
    above = BELOW if tidy_name(question) == "instruction" else ABOVE
    beside = [one for one in profiles if tidy_name(one.name) in above and one.name not in columns.values()]
    if (
        "system" not in columns
        and beside
        and beside[0].kind == "constant"
        and tidy_name(beside[0].name) == "instruction"
    ):
        columns = {"system": beside[0].name} | columns
        why.append(f"{beside[0].name!r} is the same in every row, so it is the system prompt.")
    together = [one.name for one in beside if one.kind in ("text", "label")]
    if together:
        order = [question, *together] if above is BELOW else [*together, question]
        columns["question"] = "\n\n".join(f"{{{name}}}" for name in order)
        why.append(f"The question is {' and '.join(map(repr, order))} together.")
    return Guess(columns, told.sure, " ".join(why))


def resolved(columns: Columns | None, sample: Sequence[Any]) -> Guess:
    """The columns of these rows: the reader's own, or what is found out; none for rows that are conversations already.

    Args:
        columns: the reader's own; None where they are to be found out.
        sample: rows of the file, of any type.

    Raises:
        DataError: as ``checked`` and ``guess``.
    """
    tables = [row for row in sample if isinstance(row, Mapping) and not has_own_shape(row)]
    if columns is not None and (columns or not isinstance(columns, Mapping)):
        return Guess(checked(columns, [row for row in sample if isinstance(row, Mapping)]), "set by you")
    if 2 * len(tables) < len(sample) or not tables:
        return Guess({}, "as it is")
    try:
        return guess(tables)
    except DataError:
        if any(shaped(row) is not None for row in sample):
            return Guess({}, "as it is")  # rows of several shapes: each by its own names
        raise


def sample_of(rows: Iterable[Mapping[str, Any]], most: int = 1000) -> list[Mapping[str, Any]]:
    """Some of the rows, spread over all of them in their order: the first ones may all be alike.

    Args:
        rows: read once, one at a time.
        most: so many at least, where there are so many, and less than twice as many.
    """
    kept, step = [], 1
    for at, row in enumerate(rows):
        if at % step == 0:
            kept.append(row)
            if len(kept) >= 2 * most:
                kept, step = kept[::2], 2 * step
    return kept
