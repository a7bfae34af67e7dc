"""A model's own chat template, run as its authors wrote it: conversations in, token ids and their weights out.

The template (Jinja) runs in a sandbox. What it needs is read off it by writing a few words with it, never known by the
model's name: what asks for an answer, what stands before an answer and what ends one, and what a call of a tool looks
like. Reasoning is switched off where the template has a switch for it. As everywhere, text stays text: what a user or a
tool says never becomes a control token.

**Templates that write the date** (SmolLM3's, Granite's) write the kit's today (``helpers.today``, which ``$KIT_TODAY``
freezes), at midnight, so that a prompt is the same all day. For a tuned model that means: training saw the day of its
job in every prompt, and each later prompt has another one, here and in any other program. It is one line of many and
the same in all rows, so little is to be expected of it; but answers to one prompt may differ from one day to the next,
at temperature 0 as well. Whoever needs them equal starts the server with ``KIT_TODAY`` set to the day of the job.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import TemplateError, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from helpers.errors import DataError
from helpers.local_api.engine.text.call_form import read_form
from helpers.today import today
from helpers.tokens import text_of

QUESTION, ANSWER = "kit question", "kit answer"
SWITCH = "enable_thinking"
"""The variable by which templates of Qwen3's, SmolLM3's and others' manner switch reasoning off."""


class _Generation(Extension):
    """``{% generation %}…{% endgeneration %}``, by which some templates mark answers: what stands in it is written."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class JinjaTemplate:
    """Writes conversations as a model's own template does.

    Args:
        source: the template's text.
        tokenizer: the model's; it must read control tokens in a text as text (``encode_special_tokens``).
        special: the names and texts that templates know as ``bos_token`` and so on.
        day: what a template that writes the date writes; None: today's.

    Attributes:
        opening: what asks for an answer.
        end: the control token that ends an answer.
        form: how the model writes a call of a tool; None: it has no place for tools, or one that cannot be read here.
        switched: whether reasoning is switched off by the template's own switch.

    Raises:
        ValueError: the template does not show where an answer begins and ends.
        TemplateError: it is no template.
        DataError: it refuses a plain conversation.
    """

    def __init__(self, source: str, tokenizer: Tokenizer, special: Mapping[str, str], day: date | None = None) -> None:
        self.source, self.switched = source, SWITCH in source
        environment = _environment(day)
        self._template = environment.from_string(source)
        self._tokenizer, self._special = tokenizer, {"bos_token": "", "eos_token": "", **special}
        added = tokenizer.get_added_tokens_decoder().values()
        literal = _literal_text(environment, source)
        marks = [token for token in added if token.special or (token.content.strip() and token.content in literal)]
        self._mark = _any_of(token.content for token in marks)
        self._control = _any_of(token.content for token in marks if token.special)
        self._read_turns()
        self.form = read_form(self.written, self._heads, self.end, tokenizer)

    def _read_turns(self) -> None:
        """Find out what asks for an answer, what stands before one, and what ends one."""
        ask, answer = {"role": "user", "content": QUESTION}, {"role": "assistant", "content": ANSWER}
        unasked, asked = self.written([ask], (), answering=False), self.written([ask], (), answering=True)
        self.opening = asked.removeprefix(unasked)
        if not asked.startswith(unasked) or not self._control.match(self.opening):
            raise ValueError("nothing asks for an answer")
        first, second, rest = self.written([ask, answer, ask, answer], (), answering=False).split(ANSWER)
        heads = {self.opening, self._role_alone(), _head(first, self.opening), _head(second, self.opening)}
        ends = {found[0] for after in (second, rest) if (found := self._control.search(after))}
        if len(ends) != 1 or QUESTION in first.rpartition(_head(first, self.opening))[2]:
            raise ValueError("nothing ends an answer")
        [self.end] = ends
        if rest.partition(self.end)[0].strip() or second.partition(self.end)[0].strip():
            raise ValueError("text stands between an answer and its end")
        self._heads = sorted(heads, key=len, reverse=True)
        self._turn = re.compile(f"({'|'.join(map(re.escape, self._heads))})(.*?{re.escape(self.end)})", re.DOTALL)

    def _role_alone(self) -> str:
        """The opening without the words that switch reasoning off: a system message may switch it on again."""
        words = (mark for mark in self._mark.finditer(self.opening) if not self._control.fullmatch(mark[0]))
        return self.opening[: next((mark.start() for mark in words), len(self.opening))]

    def prompt(self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] = ()) -> list[int]:
        """Token ids of the conversation, ending where the assistant's answer begins.

        Args:
            messages: the conversation, in OpenAI's shape.
            tools: those that it declares, in OpenAI's shape.

        Raises:
            DataError: the template refuses this conversation.
        """
        return [i for ids, _ in self._parts(messages, tools, answering=True) for i in ids]

    def example(
        self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] = ()
    ) -> tuple[list[int], list[float]]:
        """Token ids of a training example, and each token's weight in the loss: as :meth:`ChatTemplate.example`.

        Args:
            messages: the conversation, in OpenAI's shape; an assistant's may carry a ``weight``.
            tools: those that it declares, in OpenAI's shape.

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
        text, at = self.written(told, self._harmless(shown[1], glue), answering), 0
        for turn in self._turn.finditer(text):
            yield self._ids(text[at : turn.start(2)], glue), False
            yield self._ids(turn[2], glue), True
            at = turn.end()
        yield self._ids(text[at:], glue), False

    def written(self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Any], answering: bool) -> str:
        """The template's own text.

        Args:
            messages: as the template knows them; control tokens in their texts are written as they are.
            tools: those that they declare.
            answering: whether it ends where an answer begins.

        Raises:
            DataError: it refuses this conversation.
        """
        try:
            return self._template.render(
                messages=messages,
                tools=tools or None,
                documents=None,
                add_generation_prompt=answering,
                **{SWITCH: False},
                **self._special,
            )
        except (TemplateError, TypeError, ValueError) as error:
            raise DataError("The model's chat template refuses this conversation.", got=str(error)[:200]) from error

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
    """Whether a conversation declares a tool, calls one or says what one answered.

    Args:
        messages: in OpenAI's shape.
        tools: those that are declared.
    """
    return bool(tools) or any(message.get("role") == "tool" or message.get("tool_calls") for message in messages)


def template_source(folder: Path) -> str | None:
    """The text of the chat template that a model's folder carries; None: it carries none."""
    file = Path(folder) / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    source = _json(Path(folder) / "tokenizer_config.json").get("chat_template")
    if isinstance(source, list):  # several, by name
        named = {one.get("name"): one.get("template") for one in source}
        source = named.get("tool_use") or named.get("default")
    return source if isinstance(source, str) else None


def special_tokens(folder: Path) -> dict[str, str]:
    """``bos_token`` and the like, as the folder's files name them."""
    found: dict[str, str] = {}
    for file in ("tokenizer_config.json", "special_tokens_map.json"):
        for name, value in _json(Path(folder) / file).items():
            text = value.get("content") if isinstance(value, dict) else value
            if name.endswith("_token") and isinstance(text, str):
                found[name] = text
    return found


def end_tokens(folder: Path) -> set[int]:
    """Ids of tokens that end an answer, as ``generation_config.json`` and ``config.json`` name them."""
    found: set[int] = set()
    for file in ("generation_config.json", "config.json"):
        ids = _json(Path(folder) / file).get("eos_token_id")
        found |= {i for i in (ids if isinstance(ids, list) else [ids]) if isinstance(i, int)}
    return found


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _environment(day: date | None) -> ImmutableSandboxedEnvironment:
    """As transformers runs templates, but for the clock."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", _Generation]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = lambda form: datetime.combine(day or today(), time()).strftime(form)
    return environment


def _to_json(value: Any, ensure_ascii: bool = False, indent=None, separators=None, sort_keys: bool = False) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _literal_text(environment: ImmutableSandboxedEnvironment, source: str) -> str:
    """All that a template can write of its own, with a character between two texts that is in no token."""
    tree = environment.parse(source)
    texts = [node.data for node in tree.find_all(nodes.TemplateData)]
    texts += [node.value for node in tree.find_all(nodes.Const) if isinstance(node.value, str)]
    return "\0".join(texts)


def _head(before: str, opening: str) -> str:
    """What stands before an answer: the longest beginning of ``opening`` that ``before`` ends with."""
    head = next((opening[:n] for n in range(len(opening), 0, -1) if before.endswith(opening[:n])), "")
    if not head:
        raise ValueError("an answer is not asked for as it is written")
    return head


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


def _declared(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A tool as the model is shown it, in one order whoever declared it."""
    function = tool["function"]
    shown = {key: function[key] for key in ("name", "description", "parameters") if function.get(key) is not None}
    return {"type": "function", "function": shown}


def _any_of(marks: Iterable[str]) -> re.Pattern[str]:
    """Matches the longest of them; nothing, where there are none."""
    some = sorted(marks, key=len, reverse=True)
    return re.compile(f"({'|'.join(map(re.escape, some))})" if some else "((?!))")


def _broken(glue: str, mark: re.Match[str]) -> str:
    return mark[0][0] + glue + mark[0][1:]


def _unused_character(text: str) -> str:
    return next(chr(code) for code in range(0xE000, 0xF900) if chr(code) not in text)


def _raise(message: str) -> None:
    raise TemplateError(message)
