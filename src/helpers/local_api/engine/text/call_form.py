"""What a call of a tool looks like, read off a chat template by writing one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError
from tokenizers import Tokenizer

from helpers.errors import DataError

Writer = Callable[[Sequence[Mapping[str, Any]], Sequence[Any], bool], str]


@dataclass(frozen=True)
class CallForm:
    """How a model writes a call: ``begin``, ``{"name": NAME, "arguments": ARGUMENTS}``, ``end``.

    Attributes:
        between: what stands between the end of a call and the beginning of the next.
    """

    begin: str
    end: str
    between: str

    @property
    def mark(self) -> str:
        """What tells a call from text."""
        return self.begin.strip()


def read_form(write: Writer, heads: Sequence[str], end_of_turn: str, tokenizer: Tokenizer) -> CallForm | None:
    """What a call looks like, from two that the template writes; None: there is no place for tools, or calls are not
    JSON with ``name`` and ``arguments`` between marks that have a text.

    Args:
        write: the template: messages, tools, whether an answer is asked for.
        heads: what may stand before an answer, longest first.
        end_of_turn: what ends an answer.
        tokenizer: the marks of a call must come back from its token ids as they were written.
    """
    try:
        return _form(write, heads, end_of_turn, tokenizer)
    except (TemplateError, DataError, ValueError, TypeError, StopIteration):
        return None


def _form(write: Writer, heads: Sequence[str], end_of_turn: str, tokenizer: Tokenizer) -> CallForm:
    ask = {"role": "user", "content": "?"}
    declared = write([ask], [_tool("kit_a")], True)
    calls = [{"type": "function", "function": {"name": name, "arguments": {"k": 1}}} for name in ("kit_a", "kit_b")]
    answered = {"role": "tool", "content": "kit_c"}
    talk = [ask, {"role": "assistant", "content": "", "tool_calls": calls}, answered, answered]
    whole = write(talk, [], False)
    if "kit_a" not in declared or whole.count("kit_c") != 2:
        raise ValueError("no place for tools")
    before, middle, after = re.split(r'\{"name": "kit_[ab]", "arguments": \{"k": 1\}\}', whole)
    end = after.partition(end_of_turn)[0]
    begin = next(before.rpartition(head)[2] for head in heads if head in before)
    between_and_begin = middle.removeprefix(end)
    while begin and not between_and_begin.endswith(begin):  # an empty reasoning may stand before the first call
        begin = begin[1:]
    form = CallForm(begin.lstrip(), end, between_and_begin.removesuffix(begin.lstrip()))
    written = tokenizer.encode(form.begin + form.end, add_special_tokens=False).ids
    if not (form.mark and form.end.strip()) or middle != form.end + form.between + form.begin:
        raise ValueError("a call has no marks around it")
    if tokenizer.decode(written) != form.begin + form.end:
        raise ValueError("the marks of a call have no text")
    return form


def _tool(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "description": "?", "parameters": {"type": "object"}}}
