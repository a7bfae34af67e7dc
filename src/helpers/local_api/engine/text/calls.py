"""Calls of tools in an answer: the grammar that holds them to what was declared, and how they are told from text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from helpers.local_api.engine.text.call_form import CallForm
from helpers.local_api.engine.text.detokenizer import overlap

NO_ARGUMENTS: Mapping[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}
"""What a tool takes that declares no parameters."""


@dataclass(frozen=True)
class Calling:
    """What an answer may call.

    Attributes:
        schemas: JSON schema of the arguments, by the tool's name; empty: nothing may be called.
        must: whether it has to call.
        several: whether it may call more than once.
    """

    schemas: Mapping[str, Mapping[str, Any]]
    must: bool = False
    several: bool = True


@dataclass(frozen=True)
class Call:
    """A call in an answer.

    Attributes:
        arguments: JSON as the model wrote it, cut short where the answer was.
    """

    name: str
    arguments: str


def grammar(
    calling: Calling,
    form: CallForm,
    answer: Mapping[str, Any] | None,
    style: Mapping[str, Any],
    literal: Callable[[str], str],
) -> str:
    """The Lark grammar of an answer: free text (or JSON), calls, or text and then calls.

    Args:
        calling: what may be called, and whether something must be.
        form: how the model writes a call.
        answer: JSON schema of what is no call; None: free text.
        style: how JSON is written, as ``llguidance`` takes it.
        literal: a text as the grammar has it; a mark may be a token of its own.
    """
    mark = literal(form.mark)
    own_token = mark.startswith("<[")
    rules = [
        "%llguidance {}",
        f"start: {' | '.join(_starts(calling, form, answer, literal))}",
        f"first: SAID? {mark}" if own_token else f"first[lazy]: ANYTHING {mark}",
        "ANYTHING: /(?s:.*)/",
        f"SAID: /(?s:.*)/ & ~/(?s:.*){re.escape(form.mark).replace('/', '[/]')}(?s:.*)/",
        f"said: %json {json.dumps({'x-guidance': style, **(answer or {})})}",
    ]
    if calling.schemas:
        which = " | ".join(f"call_{n}" for n in range(len(calling.schemas)))
        rules.append(f"call: {literal(form.begin.removeprefix(form.mark))} ({which}) {literal('}' + form.end)}")
    for n, (name, schema) in enumerate(calling.schemas.items()):
        head = f'{{"name": {json.dumps(name)}, "arguments": '
        rules.append(f"call_{n}: {literal(head)} arguments_{n}")
        rules.append(f"arguments_{n}: %json {json.dumps({'x-guidance': style, **schema})}")
    return "\n".join(rules)


def _starts(
    calling: Calling, form: CallForm, answer: Mapping[str, Any] | None, literal: Callable[[str], str]
) -> Iterator[str]:
    if not calling.must:
        yield "SAID" if answer is None else "said"
    if calling.schemas:
        first = literal(form.mark) if calling.must or answer is not None else "first"
        more = f" ({literal(form.between + form.mark)} call)*" if calling.several else ""
        yield f"{first} call{more}"


class CallStream:
    """Tells calls from text while an answer grows.

    Args:
        form: how the model writes a call.

    Attributes:
        text: what was said beside calls, as far as it was handed out.
        calls: those that are complete, and at the end the one that was cut short.
    """

    def __init__(self, form: CallForm) -> None:
        self._form, self._end = form, form.end.strip()
        self._rest, self._calling = "", False
        self.text = ""
        self.calls: list[Call] = []

    def push(self, text: str) -> Iterator[str | Call]:
        """Add text; gives what is certain now."""
        self._rest += text
        while found := self._next():
            yield found

    def finish(self) -> Iterator[str | Call]:
        """The answer is over: gives what was held back."""
        rest, self._rest = self._rest, ""
        if self._calling:
            cut = re.match(r'\s*\{"name": "([^"]+)", "arguments": (.*)', rest, re.DOTALL)
            if cut:
                self.calls.append(Call(cut[1], cut[2]))
                yield self.calls[-1]
        elif rest and not self.calls:
            self.text += rest
            yield rest

    def _next(self) -> str | Call | None:
        if self._calling:
            return self._call()
        before, mark, after = self._rest.partition(self._form.mark)
        if mark:
            self._rest, self._calling = after, True
            sure = before.rstrip()
        else:  # white space before a call belongs to it
            sure = before[: len(before) - overlap(before, self._form.mark)].rstrip()
            self._rest = before[len(sure) :]
        self.text += sure
        return sure or (self._call() if mark else None)

    def _call(self) -> Call | None:
        at = self._rest.find(self._end)
        while at >= 0:
            body = self._rest[:at].strip()
            try:
                name = json.loads(body)["name"]
            except ValueError:  # the mark within a text of the arguments
                at = self._rest.find(self._end, at + 1)
                continue
            self._rest, self._calling = self._rest[at + len(self._end) :], False
            arguments = body.removeprefix(f'{{"name": {json.dumps(name)}, "arguments": ')[:-1]
            self.calls.append(Call(name, arguments))
            return self.calls[-1]
        return None
