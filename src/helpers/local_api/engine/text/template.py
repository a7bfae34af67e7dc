"""The chat template: what the model really sees, the same in training, serving and export.

There are two kinds of models, and their templates decide, not their names. Where a model's own template writes what
the kit's writes, and at most adds a system message where none is given (SmolLM2's does), **the kit's** is used: each
message becomes ``<|im_start|>ROLE\\nCONTENT<|im_end|>\\n``, an answer is asked for with ``<|im_start|>assistant\\n``,
and nothing is added. Any other model is written to by **its own**
(:mod:`helpers.local_api.engine.text.jinja_template`): Qwen3 with its empty reasoning, Gemma with the system message
inside the first question. Tools are always written by the model's own.

The text of a message can never turn into a control token: a user who types ``<|im_end|>`` sends those ten characters.

Needs ``tokenizers`` and ``jinja2`` only, so that a prompt can be counted before torch is loaded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from tokenizers import Tokenizer

from helpers import tokens
from helpers.errors import AssetError, DataError
from helpers.local_api.engine.text.jinja_template import (
    SWITCH,
    JinjaTemplate,
    end_tokens,
    special_tokens,
    template_source,
    uses_tools,
)

START, END = "<|im_start|>", "<|im_end|>"
MANY_CHARACTERS = 16
"""A text of more characters a token than this is measured before it is read. (Plain English has four to five.)"""
PIECE, PIECES_AT_ONCE = 10_000, 16
"""Characters of such a text that are read at a time, and how many of these before their tokens are counted up."""
ROLES = ("system", "developer", "user", "assistant")

JINJA = (
    "{% for message in messages %}{% set role = 'system' if message['role'] == 'developer' else message['role'] %}"
    "{{ '<|im_start|>' + role + '\\n' + message['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""The same template for an exported model's ``chat_template.jinja`` (``developer`` is written as ``system`` first)."""
NO_REASONING = f"{{% set {SWITCH} = false %}}"
"""Stands before a model's own template in an export: it answers there as it was trained and served here."""
WITH_TOOLS = (
    "{%% if tools or messages | selectattr('tool_calls', 'defined') | selectattr('tool_calls') | list %%}"
    "%s{%% else %%}%s{%% endif %%}"
)


class ChatTemplate:
    """Turns chat messages into token ids.

    Args:
        folder: a model folder with ``tokenizer.json``.
        day: what a template that writes the date writes; None: today's.

    Attributes:
        own: the model's own template, where conversations are written by that; None: by the kit's.
        tools: writes conversations with tools; None: this model has no place for them.
        stops: ids of the tokens that end an answer.

    Raises:
        AssetError: there is no ``tokenizer.json``, or no template by which the model can be written to.
    """

    def __init__(self, folder: Path, day: date | None = None) -> None:
        file = Path(folder) / "tokenizer.json"
        if not file.is_file():
            raise AssetError(f"The model folder has no {file.name}.", got=str(folder), fix="Fetch the model again.")
        self.tokenizer = Tokenizer.from_file(str(file))
        self.tokenizer.encode_special_tokens = True  # a message's text is text, whatever it spells
        start, end = (self.tokenizer.token_to_id(token) for token in (START, END))
        its, why = _template_of(folder, self.tokenizer, day)
        kits = start is not None and end is not None and (its is None or _says_the_same(its))
        if its is None and not kits:
            raise AssetError(
                "The model has no chat template that can be read here.",
                got=f"{folder}: {why}",
                fix=f"Choose a chat model that has one, or whose vocabulary has {START} and {END}.",
            )
        self.own = None if kits else its
        self.tools = its if its and its.form else None
        self.start = start
        self.end = end if kits else self.tokenizer.token_to_id(its.end)
        end_of_text = self.tokenizer.token_to_id("<|endoftext|>")
        self.stops = frozenset({self.end} if end_of_text is None else {self.end, end_of_text})
        if self.own:
            self.stops |= end_tokens(folder)

    def prompt(self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] = ()) -> list[int]:
        """Token ids of the conversation, ending where the assistant's answer begins.

        Args:
            messages: the conversation, in OpenAI's shape.
            tools: those that it declares, in OpenAI's shape.

        Raises:
            DataError: the template cannot express the conversation.
        """
        if writer := self._writer(messages, tools):
            return writer.prompt(messages, tools)
        ids = [i for message in messages for i in self._message(message)[0]]
        return [*ids, self.start, *self._text("assistant\n")]

    def exceeds(self, texts: Sequence[str], most: int) -> bool:
        """Whether texts surely have too many tokens, without reading much more than so many.

        What is only a little longer, or holds few characters for its tokens, is left to be counted by :meth:`prompt`.

        Args:
            texts: of one conversation.
            most: tokens that all of them may have together.
        """
        if sum(map(len, texts)) <= MANY_CHARACTERS * most:
            return False
        pieces = (text[at : at + PIECE] for text in texts for at in range(0, len(text), PIECE))
        least = 0
        while least <= most and (some := list(islice(pieces, PIECES_AT_ONCE))):
            found = self.tokenizer.encode_batch_fast(some, add_special_tokens=False)
            least += sum(len(piece.ids) - 1 for piece in found)  # a cut within a word may add one
        return least > most

    def example(
        self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] = ()
    ) -> tuple[list[int], list[float]]:
        """Token ids of a training example, and each token's weight in the loss.

        The weight is 1 on an assistant's words and calls and on the token that ends them (or that message's
        ``weight``), and 0 elsewhere.

        Args:
            messages: the conversation, in OpenAI's shape.
            tools: those that it declares, in OpenAI's shape.

        Raises:
            DataError: the template cannot express the example.
        """
        if writer := self._writer(messages, tools):
            return writer.example(messages, tools)
        ids: list[int] = []
        weights: list[float] = []
        for message in messages:
            of_message, learned_from, learned_to = self._message(message)
            weight = float(message.get("weight", 1.0)) if message.get("role") == "assistant" else 0.0
            ids += of_message
            weights += [weight if learned_from <= i < learned_to else 0.0 for i in range(len(of_message))]
        return ids, weights

    def _writer(
        self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]]
    ) -> JinjaTemplate | None:
        """The model's own template, where it writes this conversation; None: the kit's does."""
        if not uses_tools(messages, tools):
            for message in messages if self.own else ():
                _check_role(message), text_of(message)
            return self.own
        if self.tools is None:
            raise DataError(
                "The model's chat template has no place for tools.",
                fix="Leave tools and tool calls out, or choose a model that knows them (Qwen3, …).",
            )
        return self.tools

    def _message(self, message: Mapping[str, Any]) -> tuple[list[int], int, int]:
        """Ids of one message, and where its content's tokens begin and end (``<|im_end|>`` included)."""
        _check_role(message)
        role, content = message["role"], text_of(message)
        *heads, body = map(self._text, tokens.between_marks(role, content))
        head = [i for ids in heads for i in ids]
        ids = [self.start, *head, *body, self.end, *self._text("\n")]
        return ids, 1 + len(head), 2 + len(head) + len(body)

    def _text(self, text: str) -> list[int]:
        [found] = self.tokenizer.encode_batch_fast(
            [text], add_special_tokens=False
        )  # lets other threads work meanwhile
        return found.ids


def _check_role(message: Mapping[str, Any]) -> None:
    if message.get("role") not in ROLES:
        raise DataError(
            "The chat template cannot express this role.",
            got=repr(message.get("role")),
            fix=f"Use one of {', '.join(ROLES)}.",
        )


def _template_of(folder: Path, tokenizer: Tokenizer, day: date | None) -> tuple[JinjaTemplate | None, str]:
    """The model's own template; or None, and why there is none that can be read."""
    source = template_source(folder)
    if source is None:
        return None, "it carries none"
    try:
        return JinjaTemplate(source, tokenizer, special_tokens(folder), day), ""
    except (TemplateError, DataError, ValueError, TypeError) as error:
        return None, str(error)


def _says_the_same(its: JinjaTemplate) -> bool:
    """Whether a template writes a conversation that begins with a system message as the kit's does."""
    said = ("system", "user", "assistant", "user")
    talk = [{"role": role, "content": f"kit {role} {n}"} for n, role in enumerate(said)]
    kits = "".join(f"{START}{one['role']}\n{one['content']}{END}\n" for one in talk)
    try:
        texts = [its.written(talk, (), answering) for answering in (False, True)]
    except DataError:  # it has no place for a system message
        return False
    return texts == [kits, f"{kits}{START}assistant\n"]


def text_of(message: Mapping[str, Any]) -> str:
    """A message's text: its ``content`` string, or the joined ``text`` parts of a content list.

    Raises:
        DataError: there is no text (null, an image part, a tool call).
    """
    content = message.get("content")
    parts = content if isinstance(content, list) else [content]
    if isinstance(content, str) or all(isinstance(part, Mapping) and part.get("type") == "text" for part in parts):
        return tokens.text_of(content)
    raise DataError(
        "A message has no text.",
        got=f"content {type(content).__name__}",
        fix="Give each message a text; images and audio cannot be trained or served here.",
    )


def texts_of(messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] = ()) -> list[str]:
    """All texts of a conversation: of its messages, of their calls, of its tools' declarations.

    Args:
        messages: in OpenAI's shape.
        tools: those that it declares.

    Raises:
        DataError: a message has neither text nor call.
    """
    calls = [call["function"]["arguments"] for message in messages for call in message.get("tool_calls") or ()]
    said = [text_of(message) for message in messages if not message.get("tool_calls") or message.get("content")]
    return [*said, *calls, *(json.dumps(tool, ensure_ascii=False) for tool in tools)]


def exported(folder: Path) -> str:
    """The ``chat_template.jinja`` of a model that was tuned here: what it was trained with, reasoning switched off.

    That is the kit's, and the model's own where tools occur; or the model's own.
    """
    template = ChatTemplate(folder)
    if template.own:
        return (NO_REASONING if template.own.switched else "") + template.own.source
    if template.tools is None:
        return JINJA
    return NO_REASONING + WITH_TOOLS % (template.tools.source, JINJA)


def context_length(folder: Path) -> int:
    """Tokens that the model reads and writes at most (8,192 for the base model)."""
    return int(_config(folder)["max_position_embeddings"])


def vocabulary_size(folder: Path) -> int:
    """Rows of the model's output."""
    return int(_config(folder)["vocab_size"])


def _config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
        return {name: config[name] for name in ("max_position_embeddings", "vocab_size")}
    except (OSError, ValueError, KeyError) as error:
        raise AssetError(
            "The model's configuration cannot be read.", got=repr(error), fix="Fetch the model again."
        ) from error
