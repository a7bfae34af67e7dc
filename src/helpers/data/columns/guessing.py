"""Which column is the question and which the answer, guessed from names and contents."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from helpers.data.columns.profiles import Profile, profile
from helpers.data.columns.ranking import ABOUT, ABOVE, in_words, rank_columns, words_of
from helpers.data.columns.suggesting import LISTED, listed, paste, suggestion
from helpers.data.shapes.column_names import COLUMNS, tidy_name
from helpers.data.shapes.turns import KNOWN_ROLES, speaker_key
from helpers.errors import DataError

OTHERS = 3


CLEARLY = 0.5
"""How far the best candidate must be ahead of the next."""


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


def _by_name(profiles: list[Profile]) -> dict[str, str]:
    """Part → column by exact names, passing over those whose contents cannot be it; mostly empty ones come last."""
    there = {tidy_name(one.name): one for one in profiles}
    found: dict[str, str] = {}
    for part, known in COLUMNS.items():
        candidates = [there[name] for name in known if name in there and there[name].name not in found.values()]
        if part == "answer":
            candidates = [in_words(one, profiles) for one in candidates]
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
    return [name for name in closed if name not in found.values() and not words_of(name) & {*ABOVE, *ABOUT}]


def _can_be(part: str, one: Profile) -> bool:
    if part in ("question", "preferred", "rejected"):
        return one.kind in ("text", "label", "json", "turns")
    if part == "system":
        return one.kind in ("text", "constant", "label")
    return one.kind in ("text", "label", "json", "number", "constant", "turns")


def _pair(by_name: dict[str, str], profiles: list[Profile]) -> Guess:
    found = {part: column for part, column in by_name.items() if part != "answer"}
    turns = [one.name for one in profiles if one.kind == "turns" and one.name not in found.values()]
    if "question" not in found and turns:
        found["question"] = turns[0]
    whole = {one.name: one.kind for one in profiles}
    if "question" not in found and whole[found["preferred"]] != "turns":
        names = [one.name for one in profiles]
        raise DataError("The pairs have no question.", got=listed(names), fix=_fix_pair(found, names))
    order = ("system", "question", "preferred", "rejected")
    return Guess({part: found[part] for part in order if part in found}, "by names")


def _fix_pair(found: dict[str, str], names: list[str]) -> str:
    spare = [name for name in names if name not in found.values()]
    return f"Write {paste({'question': spare[0] if spare else '…'} | found)}: each pair answers one question."


def _by_contents(
    profiles: list[Profile], by_name: dict[str, str], sample: Sequence[Mapping[str, Any]], names: list[str]
) -> tuple[dict[str, str], str]:
    likely = rank_columns(profiles, by_name)
    kinds = {one.name: one for one in profiles}
    question, answer = likely["question"], likely["answer"]
    if not question or not answer:
        missing = "question" if not question else "answer"
        raise DataError(f"No column looks like the {missing}.", fix=suggestion(sample, names, by_name))
    for part, ranked in (("question", question), ("answer", answer)):
        scores = list(ranked.values())
        if len(scores) > 1 and scores[0] - scores[1] < CLEARLY:
            close = [name for name, score in ranked.items() if scores[0] - score < CLEARLY]
            fields = f' Or all as fields: "answer": {json.dumps(close[:LISTED], ensure_ascii=False)}.'
            raise DataError(
                f"More than one column could be the {part}: {', '.join(map(repr, close[:LISTED]))}.",
                fix=suggestion(sample, names, by_name) + (fields if part == "answer" else ""),
            )
    asked, told = kinds[next(iter(question))], kinds[next(iter(answer))]
    found = {"question": asked.name, "answer": told.name}
    if "system" in by_name and by_name["system"] not in found.values():
        found = {"system": by_name["system"]} | found
    counted = f"has {told.different} different values"
    holds = {"label": counted, "number": counted, "json": "holds JSON", "text": "is the other text"}
    why = f"{asked.name!r} contains long, varied text and {told.name!r} {holds.get(told.kind, counted)}."
    return found, why


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
