"""How many tokens a text or an example is, for a named model.

OpenAI's models are counted with their own vocabularies (``o200k_base``, ``cl100k_base``), SmolLM2 with its own
tokenizer and the kit's chat template. For any other model there is no vocabulary here: ``o200k_base`` stands in, and
``TokenCounter.exact`` is False. What a chat example costs beside its text is documented at ``TokenCounter.example``.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from helpers import assets
from helpers.errors import AssetError

PIECE = 10_000
"""Characters encoded at a time: a word of a million letters takes time that grows with its square. A longer text is cut
before a blank, which changes no count, or, where there is none, within the word, which can add one token a cut."""

SYSTEM_PROMPTS_KEPT = 100

_CL100K = re.compile(r"gpt-(?:4(?!o|\.\d)|3\.5)|text-embedding|ft:gpt-3\.5|davinci|babbage")
_O200K = re.compile(r"gpt-(?:4o|4\.\d|[5-9])|o[1-9]\b|ft:gpt-4|gpt-oss|chatgpt")
_SMOL = re.compile(r"smollm2|ft:smollm2", re.IGNORECASE)

PER_MESSAGE = 4
"""Tokens of an OpenAI chat message beside its content: three marks and the role."""

PER_EXAMPLE_BAND = (0, 3)
"""What OpenAI may add for each example: two counting rules of others differ by exactly this, and no bill was seen."""


class TokenCounter:
    """Counts with one vocabulary.

    Attributes:
        vocabulary: its name.
        exact: whether it is the named model's own.
    """

    def __init__(self, vocabulary: str, *, exact: bool) -> None:
        self.vocabulary, self.exact = vocabulary, exact
        self._systems: dict[str, int] = {}
        self._encode = _smollm2().encode if vocabulary == "smollm2" else _tiktoken(vocabulary).encode_ordinary

    def text(self, text: str) -> int:
        """Tokens of a plain text, without marks."""
        if self.vocabulary == "smollm2":
            return sum(len(self._encode(piece, add_special_tokens=False).ids) for piece in _pieces(text))
        return (
            len(self._encode(text)) if len(text) <= PIECE else sum(len(self._encode(piece)) for piece in _pieces(text))
        )

    def example(self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Any] = ()) -> int:
        """Tokens of one chat example.

        SmolLM2: exact, by the kit's chat template. Others: four a message beside its content (see ``PER_MESSAGE``); the
        provider may add up to three an example (``PER_EXAMPLE_BAND``). Tool declarations and calls are counted as their
        JSON, pictures not at all: how providers count those is not published.
        """
        if self.vocabulary == "smollm2":
            return self.text("".join(_template(message) for message in messages))
        total = sum(PER_MESSAGE + self._message(message) for message in messages)
        return total + (self.text(json.dumps(list(tools))) if tools else 0)

    def _message(self, message: Mapping[str, Any]) -> int:
        """Tokens of a message's text; a system prompt, mostly the same in every row, is counted once."""
        text = _spoken(message)
        if message.get("role") not in ("system", "developer"):
            return self.text(text)
        if text not in self._systems:
            if len(self._systems) >= SYSTEM_PROMPTS_KEPT:
                self._systems.clear()
            self._systems[text] = self.text(text)
        return self._systems[text]


@cache
def counter(model: str | None = None) -> TokenCounter:
    """The counter for a model's name or fine-tuned name; ``o200k_base`` stands in where the vocabulary is unknown.

    Raises:
        AssetError: the vocabulary is not on this machine and could not be fetched.
    """
    name = model or "gpt-4.1"
    if _SMOL.match(name):
        return TokenCounter("smollm2", exact=True)
    if _CL100K.match(name):
        return TokenCounter("cl100k_base", exact=True)
    return TokenCounter("o200k_base", exact=bool(_O200K.match(name)))


def _pieces(text: str) -> Iterator[str]:
    start = 0
    while len(text) - start > PIECE:
        cut = text.rfind(" ", start + 1, start + PIECE)
        cut = cut if cut > 0 and text[cut - 1] != " " else start + PIECE
        yield text[start:cut]
        start = cut
    yield text[start:]


def _spoken(message: Mapping[str, Any]) -> str:
    """The text that is read: content, and tool calls as their JSON."""
    content = message.get("content")
    if isinstance(content, str) and "tool_calls" not in message:
        return content
    parts = [part.get("text") for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    said = content if isinstance(content, str) else "\n".join(part for part in parts if isinstance(part, str))
    calls = message.get("tool_calls")
    return said + json.dumps(calls) if calls else said


def _template(message: Mapping[str, Any]) -> str:
    """The kit's chat template for SmolLM2, as in training and serving: nothing hidden."""
    return f"<|im_start|>{message.get('role', '')}\n{_spoken(message)}<|im_end|>\n"


@cache
def _tiktoken(vocabulary: str) -> Any:
    import tiktoken

    folder = str(assets.vocabularies())
    before = os.environ.get("TIKTOKEN_CACHE_DIR")
    os.environ["TIKTOKEN_CACHE_DIR"] = folder  # tiktoken knows no other way, and would download without a timeout
    try:
        return tiktoken.get_encoding(vocabulary)
    finally:
        if before is None:
            del os.environ["TIKTOKEN_CACHE_DIR"]
        else:
            os.environ["TIKTOKEN_CACHE_DIR"] = before


@cache
def _smollm2() -> Any:
    from tokenizers import Tokenizer

    file = Path(assets.base_model()) / "tokenizer.json"
    if not file.exists():
        raise AssetError("The base model's tokenizer is missing.", got=str(file), fix="Run `make assets` again.")
    return Tokenizer.from_file(str(file))
