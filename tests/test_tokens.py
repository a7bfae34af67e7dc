"""Token counts against the libraries themselves, and what happens with hard or unknown input."""

from __future__ import annotations

import functools
import os
import time
from pathlib import Path

import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from helpers import assets, tokens
from helpers.local_api.engine.text.template import ChatTemplate

CHAT = [{"role": "user", "content": "Where is my kettle?"}, {"role": "assistant", "content": "On its way. ☕"}]


@pytest.mark.parametrize(
    ("model", "vocabulary", "exact"),
    [
        (None, "o200k_base", True),
        ("gpt-4o-mini-2024-07-18", "o200k_base", True),
        ("ft:gpt-4.1-mini-2025-04-14:org::x", "o200k_base", True),
        ("gpt-6-luna", "o200k_base", True),
        ("gpt-4-0613", "cl100k_base", True),
        ("gpt-3.5-turbo-0125", "cl100k_base", True),
        ("ft:gpt-3.5-turbo:org::x", "cl100k_base", True),
        ("smollm2-135m-instruct", "smollm2", True),
        ("ft:smollm2-135m-instruct:local:shop:abc", "smollm2", True),
        ("meta-llama/Llama-3.1-8B-Instruct", "o200k_base", False),
        ("gemini-3.5-flash", "o200k_base", False),
    ],
)
def test_which_vocabulary(model: str | None, vocabulary: str, exact: bool) -> None:
    counter = tokens.counter(model)
    assert (counter.vocabulary, counter.exact) == (vocabulary, exact)


def test_openai_counts_are_the_library_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(assets.vocabularies()))
    encoding = tiktoken.get_encoding("o200k_base")
    counter = tokens.counter("gpt-4o-mini")
    for text in ("", "a", "Where is my kettle?", "été 茶壶 ☕", "<|endoftext|>", "x" * 500):
        assert counter.text(text) == len(encoding.encode(text, disallowed_special=()))
    assert counter.example(CHAT) == sum(4 + len(encoding.encode(message["content"])) for message in CHAT)
    assert counter.example([{"role": "system", "content": "Be kind."}, *CHAT]) == counter.example(CHAT) + 4 + 3


def test_smollm2_counts_the_whole_template() -> None:
    tokenizer = Tokenizer.from_file(str(Path(assets.base_model()) / "tokenizer.json"))
    text = "<|im_start|>user\nWhere is my kettle?<|im_end|>\n<|im_start|>assistant\nOn its way. ☕<|im_end|>\n"
    assert tokens.counter("smollm2-135m-instruct").example(CHAT) == len(
        tokenizer.encode(text, add_special_tokens=False).ids
    )


MARKS = "He typed <|im_end|>\n<|im_start|>system\nand <|endoftext|>."
AS_TRAINED = {
    "plain": CHAT,
    "marks that somebody typed": [{"role": "user", "content": MARKS}, {"role": "assistant", "content": MARKS}],
    "text parts": [
        {"role": "user", "content": [{"type": "text", "text": "Where is"}, {"type": "text", "text": "my kettle?"}]},
        CHAT[1],
    ],
    "an answer that begins with a blank": [CHAT[0], {"role": "assistant", "content": " on its way"}],
    "a developer's message": [{"role": "developer", "content": "Be kind."}, *CHAT],
    "a weight": [CHAT[0], CHAT[1] | {"weight": 0}, *CHAT],
    "empty": [{"role": "user", "content": ""}, {"role": "assistant", "content": ""}],
}


@pytest.mark.parametrize("messages", AS_TRAINED.values(), ids=AS_TRAINED)
def test_smollm2_counts_what_the_trainer_counts(messages: list[dict]) -> None:
    ids, _ = ChatTemplate(assets.base_model()).example(messages)
    assert tokens.counter("smollm2-135m-instruct").example(messages) == len(ids)


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "role": st.sampled_from(["system", "developer", "user", "assistant"]),
            "content": st.text(alphabet=st.sampled_from("ab \n1<|>é☕")) | st.just(MARKS) | st.just(" <|im_end|>"),
        }
    ),
    max_size=4,
)


@settings(deadline=None, max_examples=100)
@given(ROWS)
def test_smollm2_counts_any_row_as_the_trainer_does(messages: list[dict]) -> None:
    ids, _ = template().example(messages)
    assert tokens.counter("smollm2-135m-instruct").example(messages) == len(ids)


@functools.cache
def template() -> ChatTemplate:
    return ChatTemplate(assets.base_model())


def test_text_parts_are_joined_the_same_way_for_every_model() -> None:
    parts = [{"type": "text", "text": "Where is my ket"}, {"type": "text", "text": "tle?"}]
    for model in ("gpt-4o", "gpt-4-0613", "smollm2-135m-instruct"):
        counter = tokens.counter(model)
        assert counter.example([{"role": "user", "content": parts}]) == counter.example([CHAT[0]])


HARD = [
    "",
    " ",
    "a",
    "<|endoftext|>",
    "ends <|endo",
    "ftext|> begins",
    "\ud83d",
    "\ude00x",
    "été 茶壶 ☕\n",
    "  x " * 9_000,
    "",
]


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4-0613", "smollm2-135m-instruct"])
@pytest.mark.parametrize(
    "texts", [HARD, [text for text in HARD if "<|endoftext|>" not in text], ["kettle "] * 1_200, []]
)
def test_many_texts_at_once_count_as_each_alone(model: str, texts: list[str]) -> None:
    counter = tokens.counter(model)
    assert counter.texts(texts) == [counter.text(text) for text in texts]


def test_half_a_surrogate_pair_counts_as_the_library_counts_it() -> None:
    counter, encoding = tokens.counter("gpt-4o"), tokens._tiktoken("o200k_base")
    for text in ("\ud83d", "a\ude00b", "x\ud83d\ude00"):
        assert counter.texts([text, "kettle"]) == [len(encoding.encode_ordinary(one)) for one in (text, "kettle")]


def test_many_examples_count_as_each_alone() -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    system = {"role": "system", "content": "Be kind."}
    rows = [(CHAT, ()), ([system, *CHAT], [tool]), ([system, *CHAT], ()), (CHAT[:1], ())]
    for model in ("gpt-4o", "smollm2-135m-instruct"):
        counter = tokens.counter(model)
        assert counter.examples(rows) == [counter.example(messages, tools) for messages, tools in rows]


def test_tool_calls_and_parts_count_and_null_content_does_not_break() -> None:
    counter = tokens.counter("gpt-4o")
    call = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}],
    }
    assert counter.example([call]) > 10
    assert counter.example(
        [{"role": "user", "content": [{"type": "text", "text": "kettle"}, {"type": "image_url"}]}]
    ) == 4 + counter.text("kettle")
    assert counter.example([{"role": "user", "weight": 0, "content": 5}]) == 4


@pytest.mark.parametrize("model", ["gpt-4o", "smollm2-135m-instruct"])
def test_long_texts_take_time_in_proportion(model: str) -> None:
    counter = tokens.counter(model)
    counter.text("warm")
    start = time.process_time()
    assert counter.text("a" * 300_000) > 10_000
    assert time.process_time() - start < 10
    words = "the kettle came late, again. " * 4_000
    once = counter.text(words[:-1])
    assert once == pytest.approx(4_000 * counter.text(" the kettle came late, again."), rel=0.001)


def test_the_environment_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    tokens._tiktoken.cache_clear()
    tokens.counter.cache_clear()
    tokens.counter("gpt-4o").text("x")
    assert "TIKTOKEN_CACHE_DIR" not in os.environ
