"""What kind of task some rows are: labels, fields, free text, conversations or tool calls; which rows do not fit."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from helpers.errors import DataError
from helpers.formatting import plural
from helpers.records import Example

Kind = Literal["labels", "fields", "text", "turns", "tools"]

KINDS: dict[str, str] = {
    "labels": "each answer is one of a few labels",
    "fields": "each answer is a JSON object (or list)",
    "text": "answers are free text",
    "turns": "rows are conversations with several answers",
    "tools": "answers are tool calls",
}
"""Every kind, most rows of which must look so."""

LACKING: dict[str, str] = {
    "labels": "no such label",
    "fields": "not a JSON object or list",
    "text": "empty",
    "turns": "empty",
    "tools": "empty, or there is no tool to call",
}
"""What the answer of a row that does not fit the kind is."""

AS_TEXT = (
    "Calls are measured and trained as JSON text, with the tools in the question: a host that refuses tool calls takes "
    "these rows."
)

MIN_FIT = 0.9
"""So large a share of the rows makes a kind; the others are named as odd."""
SHORT_LABEL, LONGEST_LABEL = 5, 12
"""Words. A short answer is a label also where it occurs once; a longer one only where it comes back."""
RETURNING = 0.8
"""Share of rows whose answer comes back at least once: from here on answers are labels, however many there are."""
NAMED = 10
"""Odd rows that a sentence names."""


@dataclass(frozen=True)
class Task:
    """What the rows ask for.

    Attributes:
        kind: one of :data:`KINDS`.
        reason: why, in words.
        rows: how many rows were looked at.
        odd: the lines of those that do not fit (the place, counted from 1, of rows that come from no file).
        labels: label → how many rows have it, most frequent first; empty for other kinds.
        required, optional: keys of JSON answers that all fitting rows have, and that only some have.
        chosen: whether the reader set the kind.
    """

    kind: Kind
    reason: str
    rows: int
    odd: tuple[int, ...] = ()
    labels: Mapping[str, int] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    chosen: bool = False

    @property
    def fits(self) -> float:
        """The share of rows that fit the kind."""
        return 1 - len(self.odd) / self.rows if self.rows else 0.0

    def has(self, example: Example) -> bool:
        """Whether a row fits: it is measured, shown in prompts and learned from. The odd ones are left out of all."""
        if self.kind == "labels":
            return example.answer.strip() in self.labels
        return _TESTS[self.kind](example)

    def fitting(self, examples: Sequence[Example]) -> list[Example]:
        """The rows that fit, in their order."""
        return [example for example in examples if self.has(example)]

    def label(self) -> Callable[[Example], str] | None:
        """The function that gives a row's label, for a stratified split or draw; None for other kinds."""
        return label_text if self.kind == "labels" else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the reader should look at before measuring."""
        found = []
        if self.odd:
            one = len(self.odd) == 1
            named = ", ".join(map(str, self.odd[:NAMED])) + (" …" if len(self.odd) > NAMED else "")
            found.append(
                f"{len(self.odd):,} of {plural(self.rows, 'row')} {'is' if one else 'are'} left out, because "
                f"{'its' if one else 'their'} answer is {LACKING[self.kind]} ({'line' if one else 'lines'} {named}). "
                f"Correct {'it' if one else 'them'}, or set TASK to another kind."
            )
        if self.kind == "labels" and len(self.labels) == 1:
            found.append(f"Every answer is {next(iter(self.labels))!r}: there is nothing to distinguish.")
        if once := [label for label, count in self.labels.items() if count == 1 and self.rows > len(self.labels)]:
            found.append(f"Labels that occur in one row only, perhaps misspelt: {', '.join(map(repr, once[:NAMED]))}.")
        if alike := _alike(self.labels):
            found.append(f"Labels that differ only in case or blanks: {'; '.join(alike[:NAMED])}.")
        return tuple(found)

    def __str__(self) -> str:
        lines = [f"{self.kind}: {self.reason}", *self.warnings]
        if self.labels:
            most = [f"{label} ({count:,})" for label, count in list(self.labels.items())[:NAMED]]
            lines.insert(
                1, f"{plural(len(self.labels), 'label')}: {', '.join(most)}{' …' * (len(self.labels) > NAMED)}"
            )
        if self.required or self.optional:
            optional = f"; only in some rows: {', '.join(self.optional)}" * bool(self.optional)
            lines.insert(1, f"keys: {', '.join(self.required) or 'none in all rows'}{optional}")
        if self.kind == "tools":
            lines.append(AS_TEXT)
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from html import escape

        return "".join(f"<p>{escape(line)}</p>" for line in str(self).splitlines())


def task(examples: Sequence[Example], kind: str | None = None, *, chosen: bool | None = None) -> Task:
    """The kind of task, found out from the ideal answers, or as the reader sets it.

    A kind holds when nine rows of ten look so: one odd label or one answer that is not JSON changes nothing but its own
    row, which is named in ``odd``.

    Args:
        examples: all rows.
        kind: one of :data:`KINDS` to set it; None finds it out.
        chosen: whether it was the reader who set ``kind``; False for a kind that was found out before and kept. It
            changes the words, never which rows fit.

    Raises:
        DataError: no rows, an unknown kind, or one that no row fits.
    """
    if not examples:
        raise DataError("There are no rows to tell the kind of task from.", fix="Read a file with at least one row.")
    if kind is not None and kind not in KINDS:
        raise DataError(
            "TASK is not a kind of task.", got=repr(kind),
            fix=f"Use None to let the kit find out, or one of {', '.join(map(repr, KINDS))}.",
        )  # fmt: skip
    found = kind or _found(examples)
    labels = _labels(examples) if found == "labels" else {}
    made = Task(found, "", len(examples), labels=labels, chosen=kind is not None if chosen is None else chosen)
    odd = tuple(row.line or place for place, row in enumerate(examples, 1) if not made.has(row))
    if len(odd) == len(examples):
        raise DataError(f"No row fits TASK = {kind!r}: {KINDS[found]}.", got=_found(examples), fix="Use None.")
    required, optional = _keys(made.fitting(examples)) if found == "fields" else ((), ())
    made = replace(made, odd=odd, required=required, optional=optional)
    return replace(made, reason=_reason(made, examples))


def label_text(example: Example) -> str:
    """The ideal answer as a label."""
    return example.answer.strip()


def json_value(text: str) -> Any:
    """The object or list that a text is as JSON; None for anything else."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


# --- finding out ------------------------------------------------------------------------------------------------------

_TESTS: dict[str, Callable[[Example], bool]] = {
    "fields": lambda row: json_value(row.answer) is not None,
    "text": lambda row: bool(row.answer.strip()),
    "turns": lambda row: bool(row.answer.strip()),
    "tools": lambda row: bool(_calls_at(row)) or (bool(row.tools) and bool(row.answer.strip())),
}
"""Whether a row can be measured as this kind."""


def _found(examples: Sequence[Example]) -> Kind:
    enough = MIN_FIT * len(examples)
    with_tools = [row for row in examples if row.tools or _calls_at(row)]
    if 2 * len(with_tools) >= len(examples) and 2 * sum(map(bool, map(_calls_at, with_tools))) >= len(with_tools):
        return "tools"
    if sum(map(_TESTS["fields"], examples)) >= enough:
        return "fields"
    if _are_labels(examples):
        return "labels"
    if 2 * sum(_answers_before(row) for row in examples) >= len(examples):
        return "turns"
    return "text"


def _are_labels(examples: Sequence[Example]) -> bool:
    labels = _labels(examples)
    fitting = sum(labels.values())
    if fitting < MIN_FIT * len(examples):
        return False
    returning = sum(count for count in labels.values() if count > 1)
    return len(labels) <= max(2, len(examples) // 4) or returning >= RETURNING * len(examples)


def _labels(examples: Sequence[Example]) -> dict[str, int]:
    """Label → rows, most frequent first. An empty answer is never one, nor is a long one that occurs once."""
    counts = Counter(label for row in examples if (label := label_text(row)))
    ordered = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    return {label: count for label, count in ordered.items() if _may_be_label(label, count)}


def _may_be_label(text: str, count: int) -> bool:
    return len(text.split()) <= (SHORT_LABEL if count == 1 else LONGEST_LABEL)


def _alike(labels: Mapping[str, int]) -> list[str]:
    spellings: dict[str, list[str]] = {}
    for label in labels:
        spellings.setdefault(" ".join(label.casefold().split()), []).append(label)
    return [" and ".join(map(repr, some)) for some in spellings.values() if len(some) > 1]


def _keys(examples: Sequence[Example]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    values = [value for row in examples if isinstance(value := json_value(row.answer), dict)]
    counts = Counter(name for value in values for name in value)
    required = tuple(name for name, count in counts.items() if count == len(values))
    return required, tuple(name for name in counts if name not in required)


def _answers_before(example: Example) -> bool:
    return any(message.get("role") == "assistant" for message in example.prompt)


def _reason(found: Task, examples: Sequence[Example]) -> str:
    fitting = found.rows - len(found.odd)
    share = f"{fitting:,} of {found.rows:,} rows ({100 * found.fits:.3g} %)"
    if found.chosen:
        return f"set by you; {share} fit: {KINDS[found.kind]}"
    if found.kind == "tools":
        calling = sum(bool(_calls_at(row)) for row in examples)
        none = f"; {fitting - calling:,} call none, as is right there" * (fitting > calling)
        return f"{KINDS['tools']} in {calling:,} of {found.rows:,} rows{none}"
    if found.kind == "turns":
        return f"{KINDS['turns']} in {sum(map(_answers_before, examples)):,} of {found.rows:,} rows"
    return f"{KINDS[found.kind]} in {share}"


# --- conversations and tool calls as rows that can be measured --------------------------------------------------------


def cases(examples: Sequence[Example], kind: Kind, which: Literal["last", "all"] = "last") -> list[Example]:
    """The rows as they are measured: one question and one ideal answer each.

    Conversations: each answer of the assistant is a case, after all that was said before it; by default the last one
    only, of chats with tools the last one that calls any. Tool calls: name and arguments are asked for as JSON,
    ``{"calls": [{"name": …, "arguments": {…}}]}``, and the tools stand in the question, so that a model without a place
    for tools (the local one) can be measured, too. Rows of other kinds are passed on.

    Args:
        examples: rows of one kind.
        kind: theirs: of :func:`task`.
        which: "last" or "all" answers of a conversation.

    Raises:
        DataError: ``which`` is neither "last" nor "all".
    """
    if which not in ("last", "all"):
        raise DataError(
            "CASES says which answers of a conversation count.", got=repr(which), fix='Use "last" or "all".'
        )
    if kind in ("turns", "tools") and which == "all":
        found = [case for row in examples for case in _turns(row)]
    else:
        found = [_up_to_its_calls(row) for row in examples] if kind == "tools" else list(examples)
    return [_as_json(row) for row in found] if kind == "tools" else found


def _turns(example: Example) -> list[Example]:
    ends = [place for place, message in enumerate(example.messages, 1) if message.get("role") == "assistant"]
    conversation = {**example.extra, "conversation": example.line}
    found = [replace(example, messages=example.messages[:end], extra=conversation) for end in ends]
    return [case for case in found if case.answer.strip() or tool_calls(case)]


def _up_to_its_calls(example: Example) -> Example:
    """The chat up to its last calls, which are what is asked for; unchanged where it has none."""
    end = _calls_at(example)
    return replace(example, messages=example.messages[:end]) if end else example


def _calls_at(example: Example) -> int:
    """The place, counted from 1, of the last message that calls tools; 0 where none does."""
    return max((place for place, message in enumerate(example.messages, 1) if message.get("tool_calls")), default=0)


def conversation(example: Example) -> Any:
    """The conversation that a case is from, as a group that never parts; None for other rows."""
    return example.extra.get("conversation")


def tool_calls(example: Example) -> list[dict[str, Any]]:
    """The calls of the ideal answer: ``name`` and ``arguments``."""
    return _calls(example.messages[-1]) if example.messages else []


def _calls(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    functions = [call.get("function", call) for call in message.get("tool_calls") or () if isinstance(call, Mapping)]
    return [{"name": one.get("name"), "arguments": _arguments(one.get("arguments"))} for one in functions]


def _arguments(value: Any) -> Any:
    return (json_value(value) if isinstance(value, str) else value) or {}


def _as_json(example: Example) -> Example:
    """The row with its tools in the last question and calls as JSON."""
    tools = [tool.get("function", tool) for tool in example.tools]
    told = (
        f"Tools: {json.dumps(tools, ensure_ascii=False)}\n"
        'Answer with JSON only: {"calls": [{"name": "…", "arguments": {…}}]}, or {"calls": []} when no tool helps.\n\n'
    )
    prompt = [_without_calls(message) for message in example.prompt]
    last = max((place for place, message in enumerate(prompt) if message["role"] == "user"), default=None)
    if last is not None:
        prompt[last] = {**prompt[last], "content": told + prompt[last]["content"]}
    answer = {"role": "assistant", "content": json.dumps({"calls": tool_calls(example)}, ensure_ascii=False)}
    return replace(example, messages=(*prompt, answer))


def _without_calls(message: Mapping[str, Any]) -> dict[str, Any]:
    """An earlier message as plain text: calls as JSON, a tool's result as something the user says."""
    if message.get("role") == "tool":
        return {"role": "user", "content": f"Result: {message.get('content') or ''}"}
    if calls := _calls(message):
        return {"role": "assistant", "content": json.dumps({"calls": calls}, ensure_ascii=False)}
    return {"role": message["role"], "content": str(message.get("content") or "")}
