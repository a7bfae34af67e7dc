"""Tools in a model's own chat template: declarations, calls and what the tools answered, as the model learned them.

The kit's own template (:mod:`helpers.local_api.template`) has no place for tools. Where a model's folder carries a
template that has one, conversations with tools are written by that; what a call looks like is read off the template by
writing one, not known by the model's name. As everywhere, text stays text: what a user or a tool says never becomes a
control token.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from helpers.errors import DataError
from helpers.tokens import text_of

START, END, ASSISTANT = "<|im_start|>", "<|im_end|>", "assistant\n"


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


class ToolTemplate:
    """Writes conversations with tools as token ids; made by :meth:`of`.

    Attributes:
        form: how the model writes a call.
    """

    def __init__(self, source: str, tokenizer: Tokenizer) -> None:
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )  # as transformers runs templates
        environment.filters["tojson"] = lambda value, indent=None: json.dumps(value, ensure_ascii=False, indent=indent)
        environment.globals["raise_exception"] = _raise
        self._template = environment.from_string(source)
        self._tokenizer = tokenizer
        added = tokenizer.get_added_tokens_decoder().values()
        self._mark = _any_of(token.content for token in added)
        self._control = _any_of(token.content for token in added if token.special)
        self.form = self._form()

    @classmethod
    def of(cls, folder: Path, tokenizer: Tokenizer) -> ToolTemplate | None:
        """The model's own template; None where there is none, or none with a place for tools that can be read here."""
        source = template_source(folder)
        if source is None:
            return None
        try:
            return cls(source, tokenizer)
        except (TemplateError, DataError, ValueError, TypeError):
            return None

    def prompt(self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]]) -> list[int]:
        """Token ids of the conversation, ending where the assistant's answer begins.

        Raises:
            DataError: the template refuses this conversation.
        """
        return [i for ids, _ in self._parts(messages, tools, answering=True) for i in ids]

    def example(
        self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]]
    ) -> tuple[list[int], list[float]]:
        """Token ids of a training example, and each token's weight in the loss: as :meth:`ChatTemplate.example`.

        Raises:
            DataError: the template refuses this conversation, or joins or drops answers of the assistant.
        """
        weigh = iter([float(message.get("weight", 1.0)) for message in messages if message["role"] == "assistant"])
        ids: list[int] = []
        weights: list[float] = []
        for part, learned in self._parts(messages, tools, answering=False):
            ids += part
            weights += [(next(weigh, -1.0) if learned else 0.0)] * len(part)
        if next(weigh, None) is not None or any(weight < 0 for weight in weights):
            raise DataError("The model's chat template does not write each of the assistant's answers as one turn.")
        return ids, weights

    def _parts(
        self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]], answering: bool
    ) -> Iterator[tuple[list[int], bool]]:
        """Token ids piece by piece, and whether a piece is what the assistant says, its end included."""
        shown = [_plain(message) for message in messages], [_declared(tool) for tool in tools]
        glue = _unused_character(json.dumps(shown, ensure_ascii=False))
        told = [self._harmless_message(message, glue) for message in shown[0]]
        text = self._written(told, self._harmless(shown[1], glue), answering)
        before, *turns = text.split(START)
        yield self._ids(before, glue), False
        for turn in turns:
            head = next((opening for opening in (self._opening, ASSISTANT) if turn.startswith(opening)), "")
            body, end, rest = turn.removeprefix(head).partition(END)
            yield self._ids(START + head, glue), False
            yield self._ids(body + end, glue), bool(head and end)
            yield self._ids(rest, glue), False

    def _written(self, messages: list[Any], tools: list[Any], answering: bool) -> str:
        """The template's own text; reasoning is switched off where it has a switch for it."""
        try:
            return self._template.render(
                messages=messages,
                tools=tools or None,
                add_generation_prompt=answering,
                enable_thinking=False,
                bos_token="",
                eos_token=END,
            )
        except (TemplateError, TypeError, ValueError) as error:
            raise DataError("The model's chat template refuses this conversation.", got=str(error)[:200]) from error

    def _form(self) -> CallForm:
        """What a call looks like, from two that the template writes.

        Raises:
            ValueError: there is no place for tools, or calls are not JSON with ``name`` and ``arguments``.
        """
        ask = {"role": "user", "content": "?"}
        self._opening = self._written([ask], [], answering=True).rpartition(START)[2]
        declared = self._written([ask], [_tool("kit_a")], answering=True)
        calls = [{"type": "function", "function": {"name": name, "arguments": {"k": 1}}} for name in ("kit_a", "kit_b")]
        answered = {"role": "tool", "content": "kit_c"}
        talk = [ask, {"role": "assistant", "content": "", "tool_calls": calls}, answered, answered]
        whole = self._written(talk, [], answering=False)
        if not self._opening.startswith(ASSISTANT) or "kit_a" not in declared or whole.count("kit_c") != 2:
            raise ValueError("no place for tools")
        before, middle, after = re.split(r'\{"name": "kit_[ab]", "arguments": \{"k": 1\}\}', whole)
        end, begin = after.partition(END)[0], before.rpartition(START)[2].removeprefix(ASSISTANT)
        between_and_begin = middle.removeprefix(end)
        while begin and not between_and_begin.endswith(begin):  # an empty reasoning may stand before the first call
            begin = begin[1:]
        form = CallForm(begin.lstrip(), end, between_and_begin.removesuffix(begin.lstrip()))
        written = self._tokenizer.encode(form.begin + form.end, add_special_tokens=False).ids
        if not (form.mark and form.end.strip()) or middle != form.end + form.between + form.begin:
            raise ValueError("a call has no marks around it")
        if self._tokenizer.decode(written) != form.begin + form.end:
            raise ValueError("the marks of a call have no text")
        return form

    def _harmless_message(self, message: Mapping[str, Any], glue: str) -> dict[str, Any]:
        """As :meth:`_harmless`; but what an assistant said may hold marks that are no control tokens (those of
        reasoning): it wrote them itself."""
        harmless = self._harmless(message, glue)
        if message["role"] == "assistant":
            harmless["content"] = self._control.sub(partial(_broken, glue), message["content"])
        return harmless

    def _harmless(self, value: Any, glue: str) -> Any:
        """The same value with every mark in its texts broken, by a character that is nowhere else."""
        if isinstance(value, str):
            return self._mark.sub(partial(_broken, glue), value)
        if isinstance(value, Mapping):
            return {self._harmless(k, glue): self._harmless(v, glue) for k, v in value.items()}
        return [self._harmless(one, glue) for one in value] if isinstance(value, list) else value

    def _ids(self, text: str, glue: str) -> list[int]:
        ids: list[int] = []
        for n, piece in enumerate(self._mark.split(text)):
            if n % 2:
                ids.append(self._tokenizer.token_to_id(piece))
            else:
                some = [part for part in piece.split(glue) if part]
                ids += [
                    i for found in self._tokenizer.encode_batch_fast(some, add_special_tokens=False) for i in found.ids
                ]
        return ids


def uses_tools(messages: Sequence[Mapping[str, Any]], tools: Sequence[Any] | None = ()) -> bool:
    """Whether a conversation declares a tool, calls one or says what one answered."""
    return bool(tools) or any(message.get("role") == "tool" or message.get("tool_calls") for message in messages)


def template_source(folder: Path) -> str | None:
    """The text of the chat template that a model's folder carries; None: it carries none."""
    file, config = Path(folder) / "chat_template.jinja", Path(folder) / "tokenizer_config.json"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    try:
        source = json.loads(config.read_text(encoding="utf-8")).get("chat_template")
    except (OSError, ValueError, AttributeError):
        return None
    if isinstance(source, list):  # several, by name
        named = {one.get("name"): one.get("template") for one in source}
        source = named.get("tool_use") or named.get("default")
    return source if isinstance(source, str) else None


def _plain(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message as templates know it: its text in one piece, arguments as an object where they are one."""
    role = "system" if message["role"] == "developer" else message["role"]
    plain: dict[str, Any] = {"role": role, "content": text_of(message.get("content"))}
    if calls := message.get("tool_calls"):
        plain["tool_calls"] = [{"id": call["id"], "type": "function", "function": _called(call)} for call in calls]
    return plain


def _called(call: Mapping[str, Any]) -> dict[str, Any]:
    arguments = call["function"]["arguments"]
    try:
        found = json.loads(arguments)
    except ValueError:  # cut short by a limit of tokens, and sent back
        found = arguments
    return {"name": call["function"]["name"], "arguments": found if isinstance(found, dict) else arguments}


def _tool(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "description": "?", "parameters": {"type": "object"}}}


def _declared(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A tool as the model is shown it, in one order whoever declared it."""
    function = tool["function"]
    shown = {key: function[key] for key in ("name", "description", "parameters") if function.get(key) is not None}
    return {"type": "function", "function": shown}


def _any_of(marks: Iterable[str]) -> re.Pattern[str]:
    """Matches the longest of them."""
    return re.compile("(" + "|".join(map(re.escape, sorted(marks, key=len, reverse=True))) + ")")


def _broken(glue: str, mark: re.Match[str]) -> str:
    return mark[0][0] + glue + mark[0][1:]


def _unused_character(text: str) -> str:
    return next(chr(code) for code in range(0xE000, 0xF900) if chr(code) not in text)


def _raise(message: str) -> None:
    raise TemplateError(message)
