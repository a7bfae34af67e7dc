"""A prompt ladder for any reader's rows: labels, fields, tool calls or free text, few rows or many."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from helpers import tokens
from helpers.data.drawing import draw
from helpers.data.tasks import Task, json_value, task
from helpers.errors import AssetError
from helpers.evaluate.prompts.candidates import messages
from helpers.records import Candidate, Example

SHOTS = 4
MAX_LABELS_SHOWN = 12
LETTERS_PER_TOKEN = 2
"""Fewer than any language has on average (English has about 4), so that an ideal answer is not cut off."""
OUTLIERS = 0.01
"""Share of the longest free texts that set no limit: one stray page among short replies, and a weak model that does not
find its end would write a page each time."""
ROOM_TOKENS = 24
"""On top of that: the JSON around a label, or a few words before it."""
CONTEXT_TOKENS = 8_000
"""What a prompt with its answer may need; the model on this machine reads 8,192 tokens, most others more."""
MAX_CHOICES = 50
"""A key with more values than this gets no list of them in the schema."""
MAX_KEYS = 100
"""Objects with more keys are no records but tables: they get no schema."""


def label_of(examples: Sequence[Example]) -> Callable[[Example], str] | None:
    """The function that gives a row's label, for a stratified split; None when these rows are no labels."""
    return task(examples).label()


def rungs(
    examples: Sequence[Example], model: str, instructions: str, *, pool: Sequence[Example], declared: str = "",
    seed: int = 1, about: Task | None = None, context: int = CONTEXT_TOKENS,
) -> list[Candidate]:  # fmt: skip
    """Prompts from weak to strong: nothing, instructions, the form of the answer, a schema, examples, all together.

    Where answers are labels, or JSON, the form is said (the labels listed, or the keys), then forced by a schema, with
    and without worked examples: the last rung has all that helps at once. Free text has instructions and examples only.
    Examples show every label in turn (up to twelve) and stand in random order: a small model continues a pattern of
    labels rather than read the question. As many are shown as the context holds.

    Args:
        examples: all rows: they say what kind of answers there are, which labels, and how long an answer may be.
        model: the one that is asked.
        instructions: what to do, in words; the ladder adds the form of the answer.
        pool: training rows that prompts may show; never rows that are scored. Keys and values that are listed, or
            forced by a schema, are those of these rows alone.
        declared: what the reader says that the model is: see ``Candidate``.
        seed: the same one shows the same examples.
        about: the kind of task, where it is known already (``data.task``).
        context: tokens that a prompt and its answer may have together.
    """
    about = about or task(examples)
    examples, pool = about.fitting(examples), tuple(about.fitting(pool))
    about = _as_shown(about, pool)
    form, schema = _form(about, pool), _schema(about, pool)
    forced = partial(_as_forced, about) if schema else tuple
    common = {"declared": declared, "max_tokens": _answer_tokens([*examples, *forced(examples)], about)}
    told = {"system": instructions, **common}
    formed = {**told, "system": f"{instructions}\n\n{form}"} if form else told
    room = context - common["max_tokens"]
    shots = _that_fit(_shots(pool, about.label(), seed), model, formed, examples, room)
    near = len(_that_fit(_usual(pool), model, formed, examples, room))
    ladder = [Candidate("question only", model, **common), Candidate("instructions", model, **told)]
    if form:
        keys = about.kind != "fields" or about.required or about.optional
        ladder.append(Candidate(f"instructions, {_FORMS[about.kind] if keys else SHOWN}", model, **formed))
    if schema:
        ladder.append(Candidate("+ schema", model, schema=schema, **formed))
    if shots:
        name = f"+ {len(shots)} examples"
        ladder.append(Candidate(name, model, shots=shots, **formed))
        if schema:
            ladder.append(Candidate(f"{name}, schema", model, shots=forced(shots), schema=schema, **formed))
    if near:
        name = f"+ {near} nearest"
        ladder.append(Candidate(name, model, nearest=near, pool=pool, **formed))
        if schema:
            ladder.append(Candidate(f"{name}, schema", model, nearest=near, pool=forced(pool), schema=schema, **formed))
    return ladder


def _answer_tokens(rows: Sequence[Example], about: Task) -> int:
    """What an answer may have: room for every ideal answer, or where they are free text for all but the outliers."""
    lengths = sorted((len(row.answer) for row in rows), reverse=True) or [0]
    outliers = int(OUTLIERS * len(lengths)) if about.kind in ("text", "turns") else 0
    return ROOM_TOKENS + lengths[outliers] // LETTERS_PER_TOKEN


def search_from(ladder: Sequence[Candidate], about: Task | None = None) -> Candidate:
    """The rung that a search for a better prompt begins with: no try should fail on the form of its answer alone.

    JSON answers are forced by the schema. Labels are listed instead: training rows answer with the bare label, which
    the schema's answers are not.

    Args:
        ladder: from :func:`rungs`, or one's own.
        about: the kind of task (``data.task``); None for JSON answers.
    """
    forced = [rung for rung in ladder if rung.schema]
    if forced and (about is None or about.kind == "fields"):
        return forced[0]
    said = [rung for rung in ladder if rung.system and not (rung.schema or rung.shots or rung.nearest)]
    return said[-1]


def forced_schema(ladder: Sequence[Candidate]) -> str:
    """The schema that rungs of this ladder force, a line a key, to be read before it is used; empty where none does."""
    schema = next((rung.schema for rung in ladder if rung.schema), None)
    if schema is None:
        return ""
    keys = [f"  {name}: {json.dumps(part, ensure_ascii=False)}" for name, part in schema["properties"].items()]
    return "\n".join(["Schema, inferred from the training answers: one object, each of these keys in it.", *keys])


def _as_shown(about: Task, pool: Sequence[Example]) -> Task:
    """The task with the keys of the rows that prompts may show: other rows may be scored, and their keys stay unseen.

    Labels are those of all rows: the list of them is part of the question, not of an answer.
    """
    if about.kind != "fields":
        return about
    seen = task(pool, "fields") if pool else replace(about, required=(), optional=())
    return replace(about, required=seen.required, optional=seen.optional)


_FORMS = {"labels": "labels listed", "fields": "keys listed"}
SHOWN = "form shown"


# --- the form of an answer, in words and as a schema ------------------------------------------------------------------


def _form(about: Task, examples: Sequence[Example]) -> str:
    """What is added to the instructions, so that an answer has the right form; empty for free text."""
    if about.kind == "labels":
        return "Answer with exactly one of these labels and nothing else: " + ", ".join(sorted(about.labels)) + "."
    if about.kind == "fields" and about.required + about.optional:
        values = [value for row in examples if isinstance(value := json_value(row.answer), dict)]
        keys = "\n".join(
            f"- {_key(name, values, name in about.optional)}" for name in (*about.required, *about.optional)
        )
        return f"Answer with one JSON object and nothing else. Its keys:\n{keys}"
    if listed := [row.answer for row in examples if about.kind == "fields" and json_value(row.answer)]:
        return f"Answer with one JSON list and nothing else, such as:\n{min(listed, key=len)}"
    return ""


def _key(name: str, values: Sequence[Mapping[str, Any]], optional: bool) -> str:
    there = [value[name] for value in values if name in value]
    choices = _choices(there)
    said = f": one of {', '.join(json.dumps(one, ensure_ascii=False) for one in choices)}" if choices else ""
    return json.dumps(name, ensure_ascii=False) + said + " (only where the text says it)" * optional


def _schema(about: Task, examples: Sequence[Example]) -> dict[str, Any] | None:
    """A schema that the ideal answers keep, in the strict form that hosts ask for; None where there is none."""
    if about.kind == "labels":
        return _labels_only(about)
    if about.kind != "fields":
        return None
    values = [json_value(row.answer) for row in examples]
    return schema_of(values) if values and all(isinstance(value, dict) for value in values) else None


def _labels_only(about: Task) -> dict[str, Any]:
    label = {"type": "string", "enum": sorted(about.labels)}
    return {"type": "object", "properties": {"label": label}, "required": ["label"], "additionalProperties": False}


def schema_of(values: Sequence[Any]) -> dict[str, Any] | None:
    """A schema that all these JSON values keep: each key is required, one that some lack may be null.

    None where they have no common shape that a schema can force (an open table of keys, objects mixed with texts).
    """
    there = [value for value in values if value is not None]
    kinds = {_kind(value) for value in there}
    null = ["null"] * (len(there) < len(values))
    if "object" in kinds or "array" in kinds:
        inner = None if len(kinds) > 1 else _object(there) if "object" in kinds else _array(there)
        return inner and ({"anyOf": [inner, {"type": "null"}]} if null else inner)
    kinds = kinds - {"integer"} if "number" in kinds else kinds
    schema: dict[str, Any] = {"type": [*sorted(kinds), *null] if null or len(kinds) != 1 else kinds.pop()}
    if (choices := _choices(there)) and kinds <= {"string"}:
        schema["enum"] = [*choices, *([None] if null else [])]
    return schema if schema["type"] else None


def _object(values: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    names = list(dict.fromkeys(name for value in values for name in value))
    parts = {name: schema_of([value.get(name) for value in values]) for name in names}
    if len(names) > MAX_KEYS or any(part is None for part in parts.values()):
        return None
    return {"type": "object", "properties": parts, "required": names, "additionalProperties": False}


def _array(values: Sequence[Sequence[Any]]) -> dict[str, Any] | None:
    items = schema_of([one for value in values for one in value] or [""])
    return items and {"type": "array", "items": items}


def _kind(value: Any) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return names[type(value)]


def _choices(values: Iterable[Any]) -> list[str]:
    """The texts that come back, where these values are a closed set of texts; else nothing."""
    counts = Counter(value for value in values if isinstance(value, str))
    closed = 0 < len(counts) <= MAX_CHOICES and 2 * len(counts) <= counts.total()
    return sorted(counts) if closed else []


def _as_forced(about: Task, pool: Sequence[Example]) -> tuple[Example, ...]:
    """The rows with answers as the schema wants them: a label in its object, null where a key is absent."""
    if about.kind == "labels":
        return tuple(_answering(row, {"label": row.answer.strip()}) for row in pool)
    names = (*about.required, *about.optional)
    values = ((row, value) for row in pool if isinstance(value := json_value(row.answer), dict))
    return tuple(_answering(row, {name: value.get(name) for name in names}) for row, value in values)


def _answering(row: Example, value: Any) -> Example:
    answer = {**row.messages[-1], "content": json.dumps(value, ensure_ascii=False)}
    return replace(row, messages=(*row.messages[:-1], answer))


# --- worked examples --------------------------------------------------------------------------------------------------


def _shots(pool: tuple[Example, ...], label: Callable[[Example], str] | None, seed: int) -> tuple[Example, ...]:
    """A row of each label in turn, shuffled; drawn rows where there are no labels."""
    if not pool:
        return ()
    if label is None:
        return tuple(draw(_short(pool), min(SHOTS, len(pool)), seed).rows)
    by_label: dict[str, list[Example]] = defaultdict(list)
    for row in pool:
        by_label[label(row)].append(row)
    count = max(SHOTS, min(len(by_label), MAX_LABELS_SHOWN))
    rng = random.Random(seed)
    queues = [rng.sample(rows, min(count, len(rows))) for rows in sorted(by_label.values(), key=len, reverse=True)]
    shots = [rows[depth] for depth in range(count) for rows in queues if depth < len(rows)][:count]
    rng.shuffle(shots)
    return tuple(shots)


def _short(pool: Sequence[Example]) -> Sequence[Example]:
    """A part of a large pool: near-duplicates among so many rows do not matter for four of them."""
    return pool if len(pool) <= 1_000 else random.Random(0).sample(list(pool), 1_000)


def _usual(pool: tuple[Example, ...]) -> tuple[Example, ...]:
    """As many rows as the nearest are, each longer than most: which ones these will be is not known beforehand."""
    lengths = sorted(pool, key=lambda row: sum(len(str(message.get("content"))) for message in row.messages))
    return tuple(lengths[len(pool) * 9 // 10 :][:1] * min(SHOTS, len(pool)))


def _that_fit(
    shots: Sequence[Example], model: str, formed: Mapping[str, Any], examples: Sequence[Example], room: int
) -> tuple[Example, ...]:
    """As many of the shots as fit into the prompt beside the longest question."""
    if not shots or not examples:
        return tuple(shots)
    try:
        counter = tokens.counter(model)
    except AssetError:  # a vocabulary that cannot be fetched: the host will say when a prompt is too long
        return tuple(shots)
    question = max(examples, key=lambda row: sum(len(str(message.get("content"))) for message in row.prompt))
    asked = counter.example(messages(Candidate("", model, system=formed["system"]), question))
    kept: list[Example] = []
    for shot in shots:
        asked += counter.example(
            [message for message in shot.messages if message["role"] not in ("system", "developer")]
        )
        if asked > room:
            break
        kept.append(shot)
    return tuple(kept)
