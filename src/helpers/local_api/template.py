"""The chat template: what the model really sees, the same in training, serving and export.

Each message becomes ``<|im_start|>ROLE\\nCONTENT<|im_end|>\\n``; an answer is asked for with
``<|im_start|>assistant\\n``. Nothing is added: no default system message. The text of a message can never turn into a
control token: a user who types ``<|im_end|>`` sends those ten characters.

Only what this template has no place for, tools, is written by the model's own
(:mod:`helpers.local_api.tool_template`).

Needs the ``tokenizers`` library only, so that a prompt can be counted before torch is loaded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from helpers import tokens
from helpers.errors import AssetError, DataError
from helpers.local_api.tool_template import ToolTemplate, template_source, uses_tools

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
WITH_TOOLS = (
    "{%% set enable_thinking = false %%}"
    "{%% if tools or messages | selectattr('tool_calls', 'defined') | selectattr('tool_calls') | list %%}"
    "%s{%% else %%}%s{%% endif %%}"
)


class ChatTemplate:
    """Turns chat messages into token ids.

    Args:
        folder: a model folder with ``tokenizer.json``.

    Attributes:
        tools: writes conversations with tools; None: this model has no place for them.

    Raises:
        AssetError: there is no ``tokenizer.json``, or its vocabulary has no ``<|im_start|>`` and ``<|im_end|>``.
    """

    def __init__(self, folder: Path) -> None:
        file = Path(folder) / "tokenizer.json"
        if not file.is_file():
            raise AssetError(f"The model folder has no {file.name}.", got=str(folder), fix="Fetch the model again.")
        self.tokenizer = Tokenizer.from_file(str(file))
        self.tokenizer.encode_special_tokens = True  # a message's text is text, whatever it spells
        start, end = (self.tokenizer.token_to_id(token) for token in (START, END))
        if start is None or end is None:
            raise AssetError(
                f"The model's vocabulary has no {START} and {END}.",
                got=str(folder),
                fix="Choose a chat model that uses this template (SmolLM2-Instruct, Qwen3, …).",
            )
        self.start, self.end = start, end
        end_of_text = self.tokenizer.token_to_id("<|endoftext|>")
        self.stops = frozenset({self.end} if end_of_text is None else {self.end, end_of_text})
        self.tools = ToolTemplate.of(folder, self.tokenizer)

    def prompt(self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]] = ()) -> list[int]:
        """Token ids of the conversation, ending where the assistant's answer begins."""
        if uses_tools(messages, tools):
            return self._with_tools().prompt(messages, tools)
        ids = [i for message in messages for i in self._message(message)[0]]
        return [*ids, self.start, *self._text("assistant\n")]

    def exceeds(self, texts: Sequence[str], most: int) -> bool:
        """Whether texts surely have more than ``most`` tokens, without reading much more than these.

        What is only a little longer, or holds few characters for its tokens, is left to be counted by :meth:`prompt`.
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

        The weight is 1 on an assistant's words and calls and on the ``<|im_end|>`` after them (or that message's
        ``weight``), and 0 elsewhere.

        Raises:
            DataError: the template cannot express the example.
        """
        if uses_tools(messages, tools):
            return self._with_tools().example(messages, tools)
        ids: list[int] = []
        weights: list[float] = []
        for message in messages:
            of_message, learned_from, learned_to = self._message(message)
            weight = float(message.get("weight", 1.0)) if message.get("role") == "assistant" else 0.0
            ids += of_message
            weights += [weight if learned_from <= i < learned_to else 0.0 for i in range(len(of_message))]
        return ids, weights

    def _with_tools(self) -> ToolTemplate:
        if self.tools is None:
            raise DataError(
                "The model's chat template has no place for tools.",
                fix="Leave tools and tool calls out, or choose a model that knows them (Qwen3, …).",
            )
        return self.tools

    def _message(self, message: Mapping[str, Any]) -> tuple[list[int], int, int]:
        """Ids of one message, and where its content's tokens begin and end (``<|im_end|>`` included)."""
        role, content = message.get("role"), text_of(message)
        if role not in ROLES:
            raise DataError(
                "The chat template cannot express this role.",
                got=repr(role),
                fix=f"Use one of {', '.join(ROLES)}.",
            )
        *heads, body = map(self._text, tokens.between_marks(role, content))
        head = [i for ids in heads for i in ids]
        ids = [self.start, *head, *body, self.end, *self._text("\n")]
        return ids, 1 + len(head), 2 + len(head) + len(body)

    def _text(self, text: str) -> list[int]:
        [found] = self.tokenizer.encode_batch_fast(
            [text], add_special_tokens=False
        )  # lets other threads work meanwhile
        return found.ids


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

    Raises:
        DataError: a message has neither text nor call.
    """
    calls = [call["function"]["arguments"] for message in messages for call in message.get("tool_calls") or ()]
    said = [text_of(message) for message in messages if not message.get("tool_calls") or message.get("content")]
    return [*said, *calls, *(json.dumps(tool, ensure_ascii=False) for tool in tools)]


def exported(folder: Path) -> str:
    """The ``chat_template.jinja`` of a model that was tuned here: the kit's, and the model's own where tools occur."""
    if ChatTemplate(folder).tools is None:
        return JINJA
    return WITH_TOOLS % (template_source(folder), JINJA)


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
