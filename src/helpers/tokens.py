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
from functools import cache, partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from helpers import assets
from helpers.errors import AssetError

PIECE = 10_000
"""Characters encoded at a time: a word of a million letters takes time that grows with its square. A longer text is cut
before a blank, which changes no count, or, where there is none, within the word, which can add one token a cut."""

PIECES_AT_ONCE = 500
"""At most five megabytes in one call: memory stays small however long the texts are."""

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
        self._count = _smollm2_counts if vocabulary == "smollm2" else partial(_tiktoken_counts, _tiktoken(vocabulary))

    def text(self, text: str) -> int:
        """Tokens of a plain text, without marks."""
        return self.texts([text])[0]

    def texts(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text. Many are counted in one call, in which Python's other threads can work."""
        pieces = [list(_pieces(text)) for text in texts]
        flat = list(chain.from_iterable(pieces))
        groups = (flat[at : at + PIECES_AT_ONCE] for at in range(0, len(flat), PIECES_AT_ONCE))
        counts = chain.from_iterable(map(self._count, groups))
        return [sum(islice(counts, len(some))) for some in pieces]

    def example(self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Any] = ()) -> int:
        """Tokens of one chat example.

        SmolLM2: exact, by the kit's chat template. Others: four a message beside its content (see ``PER_MESSAGE``); the
        provider may add up to three an example (``PER_EXAMPLE_BAND``). Tool declarations and calls are counted as their
        JSON, pictures not at all: how providers count those is not published.

        Args:
            messages: chat messages, the answer among them.
            tools: declarations of the tools that it may call.
        """
        return self.examples([(messages, tools)])[0]

    def examples(self, rows: Sequence[tuple[Sequence[Mapping[str, Any]], Sequence[Any]]]) -> list[int]:
        """Tokens of each chat example, given as (messages, tools). A text that several share is counted once."""
        if self.vocabulary == "smollm2":
            per_message = 2 + self.text("\n")  # the marks around it, and the line's end
            said = [[text for message in messages for text in _template(message)] for messages, _ in rows]
        else:
            per_message = PER_MESSAGE
            said = [
                [*map(_spoken, messages), *([json.dumps(list(tools))] if tools else [])] for messages, tools in rows
            ]
        different = list(dict.fromkeys(chain.from_iterable(said)))
        counts = dict(zip(different, self.texts(different), strict=True))
        marks = (per_message * len(messages) for messages, _ in rows)
        return [more + sum(map(counts.__getitem__, texts)) for more, texts in zip(marks, said, strict=True)]


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
    calls = message.get("tool_calls")
    return text_of(content) + json.dumps(calls) if calls else text_of(content)


def text_of(content: Any) -> str:
    """The text of a message's content: a string, or the text parts of a list, joined as they stand."""
    if isinstance(content, str):
        return content
    texts = [part.get("text") for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    return "".join(text for text in texts if isinstance(text, str))


def between_marks(role: str, content: str) -> list[str]:
    """What the kit's chat template writes between a message's marks, as the texts that are tokenised one by one.

    The trainer and the local API tokenise these, the counter counts them: an answer by itself, as it is when the model
    writes it, everything else together with its role.

    Args:
        role: "system", "developer", "user", "assistant" or "tool".
        content: the message's text.
    """
    if role == "assistant":
        return ["assistant\n", content]
    return [f"{'system' if role == 'developer' else role}\n{content}"]


def _template(message: Mapping[str, Any]) -> list[str]:
    return between_marks(str(message.get("role", "")), _spoken(message))


END = "<|endoftext|>"
"""A mark of both vocabularies: no token reaches across it, so texts joined by it are counted as if each stood alone."""


def _tiktoken_counts(encoding: Any, texts: list[str]) -> list[int]:
    if any(END in text for text in texts):  # as text and not as a mark, which the joined call cannot tell apart
        return [len(encoding.encode_ordinary(text)) for text in texts]
    found = encoding.encode_to_numpy(_mended(END.join(texts)), allowed_special={END}, disallowed_special=())
    ends = np.flatnonzero(found == encoding.eot_token)
    return (np.diff(ends, prepend=-1, append=len(found)) - 1).tolist()


def _smollm2_counts(texts: list[str]) -> list[int]:
    found = _smollm2().encode_batch_fast(list(map(_mended, texts)), add_special_tokens=False)
    return [len(one.ids) for one in found]


def _mended(text: str) -> str:
    """Half a surrogate pair becomes the replacement character, as tiktoken does it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


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
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.encode_special_tokens = True  # a message's text is text, whatever it spells
    return tokenizer
