"""The engine: the same answers as transformers, whatever is batched, shared, cached, streamed or constrained."""

from __future__ import annotations

import functools
import json
import math
import os
import random
import shutil
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from peft import PeftModel
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GraniteConfig,
    GraniteForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from helpers import assets
from helpers.errors import AssetError
from helpers.local_api.engine import batch, continuous_batching, inference, kv_cache, scheduler
from helpers.local_api.engine.continuous_batching import ContinuousBatcher
from helpers.local_api.engine.generate import Engine
from helpers.local_api.engine.requests import (
    ContextLengthError,
    EngineClosedError,
    Generation,
    GenerationRequest,
    UnknownAdapterError,
)
from helpers.local_api.engine.sampling import Sampler
from helpers.local_api.engine.scheduler import ROOM_FOR_UNLIKE, PrefixCache, common, plan
from helpers.local_api.engine.text.constrain import SchemaError
from helpers.local_api.engine.text.detokenizer import Detokenizer
from helpers.local_api.engine.text.template import ChatTemplate
from helpers.local_api.engine.transformer import open_model
from helpers.local_api.http.schemas.chat import ChatRequest
from helpers.local_api.http.serving import Serving
from helpers.local_api.store.api_store import ApiStore
from helpers.local_api.training.lora_trainer import LoraTrainer

SHAPE = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 2048,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 2,
}
MODELS = {
    "llama": (LlamaForCausalLM, LlamaConfig, {}),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config, {}),
    "granite": (GraniteForCausalLM, GraniteConfig, {"embedding_multiplier": 3.0, "logits_scaling": 4.0}),
}
SYSTEM = "Sort the customer's message. Answer with one line of JSON: category, urgency and order_id. " * 12
QUESTIONS = [
    "where is my kettle",
    "The lamp BM-48213 came broken!!! I want my money back today.",
    "hi",
    "Do you ship to Ireland, and how long does that take? I would like two of the green ones.",
    "I'd like to change the address of my order BM-11111 to 5 High Street, please. " * 4,
    "thanks, that's all",
]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Models this small gain nothing from a second thread, and on a busy machine each step would wait for it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Tiny models with random weights, and the real tokenizer."""
    tokenizer = AutoTokenizer.from_pretrained(assets.base_model())
    made = {}
    for name, (model, config, more) in MODELS.items():
        torch.manual_seed(0)
        made[name] = tmp_path_factory.mktemp(name)
        tiny = model(config(vocab_size=len(tokenizer), **SHAPE, **more))
        for parameter in tiny.parameters():
            parameter.data.normal_(std=0.2) if parameter.dim() > 1 else None
        tiny.save_pretrained(made[name])
        tokenizer.save_pretrained(made[name])
    return made


@pytest.fixture(scope="module")
def adapters(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three adapters of the tiny Llama, with random numbers; the last one spans all layers."""
    home, made = tmp_path_factory.mktemp("adapters"), []
    for seed, recipe in enumerate(("quick", "quick", "thorough")):
        trainer = LoraTrainer(open_model(folders["llama"]), recipe, "tiny", seed)
        with torch.no_grad():
            for parameter in trainer.adapter.parameters:
                parameter.normal_(std=0.2)
        trainer.adapter.save(home / str(seed))
        made.append(home / str(seed))
    return made


@pytest.fixture(scope="module")
def tiny(folders: dict[str, Path]):
    engine = Engine(folders["llama"])
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def base():
    engine = Engine(assets.base_model())
    yield engine
    engine.close()


def chat(text: str, system: str | None = None) -> list[dict[str, str]]:
    return [*([{"role": "system", "content": system}] if system else []), {"role": "user", "content": text}]


def plain(model, prompt: list[int], tokens: int) -> list[int]:
    """What transformers says, one prompt at a time."""
    asked = torch.tensor([prompt])
    made = model.generate(
        asked,
        attention_mask=torch.ones_like(asked),
        max_new_tokens=tokens,
        do_sample=False,
        eos_token_id=[2, 0],
        pad_token_id=2,
    )
    return made[0, len(prompt) :].tolist()


def text_of(template: ChatTemplate, ids: list[int]) -> str:
    return template.tokenizer.decode(ids, skip_special_tokens=True)


# Exactness -----------------------------------------------------------------------------------------------------------


def test_batched_cached_and_streamed_answers_of_the_real_model_are_those_of_transformers(base):
    model = AutoModelForCausalLM.from_pretrained(assets.base_model())
    asked = [chat(q) for q in QUESTIONS[:3]] + [chat(q, SYSTEM) for q in QUESTIONS[:4]]
    expected = [plain(model, base.template.prompt(messages), 12) for messages in asked]
    for round_number in range(2):  # the second time, their beginnings are known
        requests = [GenerationRequest(messages=messages, max_tokens=12) for messages in asked]
        generations = [base.submit(request) for request in requests]
        for generation, ids in zip(generations, expected, strict=True):
            streamed = "".join(generation)
            result = generation.result()
            assert streamed == result.text == text_of(base.template, ids)
            assert result.completion_tokens == len(ids)
            assert result.finish_reason == ("stop" if ids[-1] in (0, 2) else "length")
        if round_number:
            assert all(g.result().cached_tokens > 0 for g in generations[3:])


@pytest.mark.parametrize(
    ("name", "attention"),
    [*((name, kv_cache._attention) for name in MODELS), ("qwen3", kv_cache._plain_attention)],  # as on accelerators
)
def test_ragged_batches_long_prompts_and_other_architectures(name, attention, folders, monkeypatch):
    monkeypatch.setattr(kv_cache, "_attention", attention)
    monkeypatch.setattr(inference, "CHUNK", 64)
    monkeypatch.setattr(inference, "PREFILL_TOKENS", 300)
    monkeypatch.setattr(kv_cache, "GROW_BY", 8)  # rows outgrow their room while they are in flight
    monkeypatch.setattr(kv_cache, "ROWS_AT_ONCE", 2)
    model = AutoModelForCausalLM.from_pretrained(folders[name])
    engine = Engine(folders[name])
    chance = random.Random(1)
    shared = [chance.randrange(3, 40_000) for _ in range(150)]
    prompts = [
        shared[: chance.choice((0, 150))] + [chance.randrange(3, 40_000) for _ in range(n)] for n in (1, 3, 90, 7, 40)
    ]
    lengths = [20, 3, 35, 8, 40]
    requests = [GenerationRequest(prompt_ids=ids, max_tokens=n) for ids, n in zip(prompts, lengths, strict=True)]
    answers = [generation.result() for generation in [engine.submit(request) for request in requests]]
    engine.close()
    for prompt, n, answer in zip(prompts, lengths, answers, strict=True):
        ids = plain(model, prompt, n)
        assert answer.text == text_of(engine.template, ids)
        assert (answer.prompt_tokens, answer.completion_tokens) == (len(prompt), len(ids))


@pytest.mark.parametrize("packed", [True, False])  # False: as on accelerators and without oneDNN
@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")
def test_adapters_answer_as_plain_peft_does_also_side_by_side(packed, folders, adapters, monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: packed)
    monkeypatch.setattr(inference, "MERGED_BYTES", 1)  # keep one merged copy only, so that they push each other out
    tiny = Engine(folders["llama"])
    messages = chat("where is my kettle")
    prompt = tiny.template.prompt(messages)
    expected = {None: plain(AutoModelForCausalLM.from_pretrained(folders["llama"]), prompt, 10)}
    for folder in adapters:
        tiny.load_adapter(folder.name, folder)
        tuned = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(folders["llama"]), folder)
        expected[folder.name] = plain(tuned, prompt, 10)
    assert len({tuple(ids) for ids in expected.values()}) == 4
    for _ in range(2):
        requests = {name: GenerationRequest(messages=messages, adapter=name, max_tokens=10) for name in expected}
        generations = {name: tiny.submit(request) for name, request in requests.items()}
        for name, generation in generations.items():
            assert generation.result().text == text_of(tiny.template, expected[name]), name

    tiny.load_adapter("0", adapters[1])  # replaced: nothing of the old one is left
    replaced = tiny.submit(GenerationRequest(messages=messages, adapter="0", max_tokens=10)).result()
    assert replaced.text == text_of(tiny.template, expected["1"]) and replaced.cached_tokens == 0
    tiny.unload_adapter("0")
    with pytest.raises(UnknownAdapterError):
        tiny.submit(GenerationRequest(messages=messages, adapter="0"))
    tiny.close()


def test_damaged_and_foreign_adapters_are_refused(tiny, adapters, tmp_path):
    with pytest.raises(AssetError):
        tiny.load_adapter("x", tmp_path)
    config = json.loads((adapters[0] / "adapter_config.json").read_text())
    (tmp_path / "adapter_config.json").write_text(json.dumps(config | {"use_dora": True}))
    (tmp_path / "adapter_model.safetensors").write_bytes((adapters[0] / "adapter_model.safetensors").read_bytes())
    with pytest.raises(AssetError, match="use_dora"):
        tiny.load_adapter("x", tmp_path)
    (tmp_path / "adapter_model.safetensors").write_bytes(b"rubbish")
    with pytest.raises(AssetError):
        tiny.load_adapter("x", tmp_path)


# Sharing -------------------------------------------------------------------------------------------------------------


def test_cached_tokens_tell_what_was_not_computed(folders):
    engine = Engine(folders["llama"])
    first = engine.submit(GenerationRequest(prompt_ids=range(100, 160), max_tokens=2)).result()
    assert first.cached_tokens == 0
    again = engine.submit(GenerationRequest(prompt_ids=range(100, 160), max_tokens=2)).result()
    assert again.cached_tokens == 59  # the last token is always run, for its logits
    assert again.text == first.text
    longer = engine.submit(GenerationRequest(prompt_ids=[*range(100, 130), *range(500, 540)], max_tokens=2)).result()
    assert longer.cached_tokens == 30
    group = [GenerationRequest(prompt_ids=[*range(900, 950), n], max_tokens=2) for n in range(5)]
    cached = [g.result().cached_tokens for g in [engine.submit(request) for request in group]]
    assert cached == [0, 50, 50, 50, 50]
    engine.close()


class Asked:
    def __init__(self, ids, adapter=None):
        self.ids, self.adapter, self.answer_kv_tokens = list(ids), adapter, 10


def test_a_request_goes_on_from_one_that_had_joined_others(folders):
    model, engine, chance = (
        AutoModelForCausalLM.from_pretrained(folders["llama"]),
        Engine(folders["llama"]),
        random.Random(2),
    )
    first, second = ([chance.randrange(3, 40_000) for _ in range(n)] for n in (9, 140))
    flying = engine.submit(GenerationRequest(prompt_ids=first, max_tokens=200))
    next(iter(flying))
    joined = engine.submit(GenerationRequest(prompt_ids=second, max_tokens=4)).result()
    third = [*second, *(chance.randrange(3, 40_000) for _ in range(5))]
    follower = engine.submit(GenerationRequest(prompt_ids=third, max_tokens=20)).result()
    assert not flying._over.is_set() and follower.cached_tokens == 140
    for prompt, n, answer in ((first, 200, flying.result()), (second, 4, joined), (third, 20, follower)):
        assert answer.text == text_of(engine.template, plain(model, prompt, n))
    engine.close()


def test_a_plan_takes_what_saves_most():
    cache = PrefixCache(bytes_per_token=46_080)
    other = object()
    same = [Asked([*range(600), n]) for n in range(5)]
    odd, tuned = Asked(range(9000, 9040)), Asked([*range(600), 7], other)
    chosen = plan([*same, odd, tuned], cache, 64, 10**6)
    assert (chosen.members, chosen.length, chosen.known) == (same, 600, 0)
    another = Asked(range(5000, 5020))
    chosen = plan([odd, *same, another], cache, 64, 10**6)
    assert (chosen.members, chosen.length) == ([odd, another], 0)  # those who share wait for their turn together
    little = [Asked([*range(20), n]) for n in range(5)]
    assert plan([odd, *little], cache, 64, 10**6).members == [odd, *little]  # not worth a batch of its own
    assert plan(same, cache, 3, 10**6).members == same[:3]
    assert plan(same, cache, 64, 1).members == same[:1]  # one always runs
    long, short = Asked(range(10_000, 11_000)), [Asked(range(100 * n, 100 * n + 9)) for n in range(40)]
    # each row has room for the longest: seven times 1,010 tokens are less than four times 2,000
    assert plan([long, *short], cache, 64, 2000).members == [long, *short[:6]]
    assert plan([*short, long], cache, 64, 2000).members == short
    twice = plan([Asked(range(50)), Asked(range(50))], cache, 64, 10**6)
    assert twice.length == 49  # not 50: the last token's logits are needed


def test_kept_beginnings_are_bounded_and_the_oldest_goes():
    cache = PrefixCache(bytes_per_token=2**20)  # room for 256 tokens
    for start in range(0, 1000, 100):
        cache.keep(None, list(range(start, start + 100)), None)
    assert cache.best(None, list(range(100)))[1] == 0
    assert cache.best(None, list(range(900, 1000)))[1] == 100
    cache.keep(None, list(range(5000, 6000)), None)
    assert cache.best(None, list(range(5000, 6000)))[1] == 0  # too large to keep


@given(st.lists(st.integers(0, 2)), st.lists(st.integers(0, 2)))
def test_common_beginning(a, b):
    n = common(a, b)
    assert a[:n] == b[:n] and (n == min(len(a), len(b)) or a[n] != b[n])


# Text ----------------------------------------------------------------------------------------------------------------

TEXTS = st.text(alphabet=st.sampled_from('abc \n.{}"é漢🙂👩‍👩‍👧'), max_size=40)


@functools.cache
def template() -> ChatTemplate:
    return ChatTemplate(assets.base_model())


@settings(deadline=None, max_examples=150)
@example(text="a.a", stops=[".", "a.a"])
@given(text=TEXTS, stops=st.lists(st.text(alphabet="abc .{é🙂", min_size=1, max_size=4), max_size=3))
def test_a_stream_never_splits_a_character_or_leaks_a_stop(text, stops):
    tokenizer = template().tokenizer
    stream = Detokenizer(tokenizer, stops)
    pieces = []
    for token in tokenizer.encode(text, add_special_tokens=False).ids:
        if stream.stopped:
            break
        pieces.append(stream.push(token))
    pieces.append(stream.finish())
    # the stop string that is complete first: of "." and "a.a" in "a.a", the full stop
    _, first = min(((at + len(stop), at) for stop in stops if (at := text.find(stop)) >= 0), default=(0, len(text)))
    assert "".join(pieces) == stream.text == text[:first]
    assert stream.stopped == any(stop in text for stop in stops)


def test_an_unfinished_character_ends_as_a_replacement():
    tokenizer = template().tokenizer
    ids = tokenizer.encode("a漢🙂", add_special_tokens=False).ids
    stream = Detokenizer(tokenizer)
    assert [stream.push(token) for token in ids[:-1]][0] == "a"
    stream.finish()
    assert stream.text == tokenizer.decode(ids[:-1]) and stream.text.endswith("\ufffd")


def test_stop_strings_end_an_answer(base):
    whole = base.submit(GenerationRequest(messages=chat("Count from one to ten."), max_tokens=24)).result().text
    stop = whole[6:10]
    generation = base.submit(GenerationRequest(messages=chat("Count from one to ten."), max_tokens=24, stop=[stop]))
    streamed = "".join(generation)
    assert streamed == generation.result().text == whole[: whole.index(stop)]
    assert generation.result().finish_reason == "stop"


# Choosing ------------------------------------------------------------------------------------------------------------


def test_sampling_follows_the_shares():
    shares = torch.tensor([0.5, 0.3, 0.15, 0.05])
    draws = 20_000
    sampler = Sampler(1.0, 1.0, seed=1)
    counts = Counter(sampler.sample(shares.log()) for _ in range(draws))
    for token, share in enumerate(shares.tolist()):
        assert counts[token] / draws == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / draws))
    narrow = Sampler(1.0, 0.7, seed=1)
    assert {narrow.sample(shares.log()) for _ in range(500)} == {0, 1}
    assert {Sampler(1.0, 1e-9, seed=n).sample(shares.log()) for n in range(50)} == {0}
    flat = torch.zeros(5000)  # more tokens than are looked at first
    assert max(Sampler(1.0, 1.0, seed=n).sample(flat) for n in range(50)) > 2000
    cold = Counter(Sampler(0.25, 1.0, seed=n).sample(shares.log()) for n in range(2000))
    assert cold[0] / 2000 == pytest.approx(0.5**4 / (0.5**4 + 0.3**4 + 0.15**4 + 0.05**4), abs=0.04)


def test_same_seed_same_answer(tiny):
    def answers(seed: int | None) -> list[str]:
        request = GenerationRequest(messages=chat("hi"), temperature=1.0, top_p=0.9, seed=seed, max_tokens=8)
        return [tiny.submit(request).result().text for _ in range(2)]

    assert len({*answers(1), *answers(1)}) == 1
    assert answers(1) != answers(2)
    assert len(set(answers(None))) == 2


SCHEMA = {
    "type": "object",
    "properties": {
        "category": {"enum": ["delivery", "refund"]},
        "order_id": {"type": ["string", "null"], "pattern": "^BM-[0-9]{5}$"},
    },
    "required": ["category", "order_id"],
    "additionalProperties": False,
}


def test_constrained_answers_are_valid_beside_free_ones(base):
    schema = base.submit(GenerationRequest(messages=chat(QUESTIONS[1]), max_tokens=40, schema=SCHEMA))
    free = base.submit(GenerationRequest(messages=chat(QUESTIONS[1]), max_tokens=8))
    thing = base.submit(GenerationRequest(messages=chat("Give me JSON."), max_tokens=8, schema="json_object"))
    answer = json.loads(schema.result().text)
    assert set(answer) == {"category", "order_id"} and answer["category"] in ("delivery", "refund")
    assert schema.result().finish_reason == "stop" and "\n" not in schema.result().text
    assert thing.result().text.startswith("{")
    alone = base.submit(GenerationRequest(messages=chat(QUESTIONS[1]), max_tokens=8)).result()
    assert free.result().text == alone.text


@pytest.mark.parametrize("schema", [{"type": "frog"}, {"properties": 3}, {"$ref": "#/nowhere"}, {"$ref": "#"}])
def test_schemas_that_cannot_be_enforced_are_refused_at_once(tiny, schema):
    with pytest.raises(SchemaError):
        tiny.submit(GenerationRequest(messages=chat("hi"), schema=schema))


NEVER_ENDING = {
    "type": "object",
    "properties": {"child": {"$ref": "#"}},
    "required": ["child"],
    "additionalProperties": False,
}
HOSTILE_SCHEMAS = {
    "demands itself": NEVER_ENDING,
    "many options": {
        "type": "object",
        "properties": {f"p{n}": {"type": "integer"} for n in range(520)},
        "additionalProperties": False,
    },
    "a pattern of patterns": {"type": "string", "pattern": "^(.{0,1000}){0,1000}$"},
}


@pytest.mark.parametrize("schema", HOSTILE_SCHEMAS.values(), ids=HOSTILE_SCHEMAS)
def test_a_schema_that_breaks_down_ends_its_own_answer_only(tiny, schema):
    """Beside five plain chats in one batch: these are answered as if alone, the sixth is told what is wrong."""
    alone = [tiny.submit(GenerationRequest(messages=chat(q), max_tokens=12)).result().text for q in QUESTIONS[:5]]
    hostile = tiny.submit(GenerationRequest(messages=chat("JSON, please"), max_tokens=12, schema=schema))
    beside = [tiny.submit(GenerationRequest(messages=chat(q), max_tokens=12)) for q in QUESTIONS[:5]]
    assert [generation.result().text for generation in beside] == alone
    with pytest.raises(SchemaError) as told:
        hostile.result()
    assert len(str(told.value)) < 600, "the reason, and not the whole schema again"


def test_a_sampler_that_fails_ends_its_own_answer_only(tiny, monkeypatch):
    def broken(self, logits):
        raise RuntimeError("no token")

    monkeypatch.setattr(Sampler, "sample", broken)
    sampled = tiny.submit(GenerationRequest(messages=chat("hi"), max_tokens=9, temperature=1.0))
    greedy = tiny.submit(GenerationRequest(messages=chat("hi"), max_tokens=9))
    assert greedy.result().completion_tokens
    with pytest.raises(RuntimeError, match="no token"):
        sampled.result()


# Life ----------------------------------------------------------------------------------------------------------------


def test_what_does_not_fit_the_context_is_refused_before_anything_is_computed(tiny):
    for request in (
        GenerationRequest(prompt_ids=[5] * 2048),
        GenerationRequest(prompt_ids=[5] * 2000, max_tokens=49),
        GenerationRequest(prompt_ids=[]),
    ):
        with pytest.raises(ContextLengthError):
            tiny.submit(request)
    full = tiny.submit(GenerationRequest(prompt_ids=[5] * 2000, max_tokens=48)).result()
    assert full.prompt_tokens + full.completion_tokens <= 2048


class Reading:
    """A tokenizer, and how many characters it was given."""

    def __init__(self, tokenizer):
        self.tokenizer, self.characters = tokenizer, 0

    def encode_batch_fast(self, texts, **settings):
        self.characters += sum(map(len, texts))
        return self.tokenizer.encode_batch_fast(texts, **settings)

    def __getattr__(self, name):
        return getattr(self.tokenizer, name)


@pytest.mark.parametrize("text", ["the kettle came late. " * 500_000, "k" * 10_000_000], ids=["words", "one word"])
def test_of_a_prompt_of_megabytes_only_the_beginning_is_read(folders, text):
    engine = Engine(folders["llama"])
    engine.template.tokenizer = reading = Reading(engine.template.tokenizer)
    with pytest.raises(ContextLengthError, match=f"{len(text):,} characters.*more than.*2048 tokens"):
        engine.submit(GenerationRequest(messages=chat(text)))
    assert 0 < reading.characters < 500_000
    engine.close()


def test_a_prompt_of_long_tokens_is_not_mistaken_for_a_long_one(folders):
    """100,000 blanks are about 1,500 tokens of up to 64 characters."""
    engine = Engine(folders["llama"])
    answer = engine.submit(GenerationRequest(messages=chat(" " * 100_000), max_tokens=1)).result()
    assert answer.prompt_tokens == len(engine.template.prompt(chat(" " * 100_000))) < 2048
    engine.close()


def test_a_cancelled_request_is_dropped_and_the_others_go_on(tiny):
    endless = tiny.submit(GenerationRequest(prompt_ids=[70, 71, 72], temperature=1.0, seed=0, max_tokens=2000))
    next(iter(endless))
    other = tiny.submit(GenerationRequest(prompt_ids=[70, 71, 73], max_tokens=5))
    assert other.result().completion_tokens <= 5  # it did not have to wait for the long one
    endless.cancel()
    with pytest.raises(EngineClosedError):
        endless.result(timeout=30)
    assert tiny.submit(GenerationRequest(messages=chat("still there?"), max_tokens=3)).result().completion_tokens > 0


def test_many_threads_at_once(tiny):
    asked = [[100 + n % 7, 200 + n % 3, 300 + n] for n in range(100)]
    alone = {
        tuple(ids): tiny.submit(GenerationRequest(prompt_ids=ids, max_tokens=4)).result().text for ids in asked[:10]
    }
    results: dict[tuple[int, ...], str] = {}

    def ask(ids: list[int]) -> None:
        time.sleep(random.random() / 5)
        results[tuple(ids)] = tiny.submit(GenerationRequest(prompt_ids=ids, max_tokens=4)).result(timeout=60).text

    threads = [threading.Thread(target=ask, args=(ids,)) for ids in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 100
    assert all(results[ids] == text for ids, text in alone.items())


@pytest.mark.parametrize("seed", range(3))
def test_whoever_comes_and_goes_gets_the_answer_of_transformers(seed, folders, monkeypatch):
    """Prompts of all lengths, some with a common beginning, some that go on from an earlier one, at random moments."""
    for name, value in (("GROW_BY", 8), ("ROWS_AT_ONCE", 3)):
        monkeypatch.setattr(kv_cache, name, value)
    for name, value in (("PREFILL_TOKENS", 100), ("CHUNK", 50)):
        monkeypatch.setattr(inference, name, value)
    monkeypatch.setattr(continuous_batching, "MAX_ROWS", 10)
    chance, model, engine = (
        random.Random(seed),
        AutoModelForCausalLM.from_pretrained(folders["llama"]),
        Engine(folders["llama"]),
    )
    beginnings = [[chance.randrange(3, 40_000) for _ in range(n)] for n in (0, 0, 20, 60, 130)]
    asked: list[tuple[list[int], int, Generation]] = []
    for _ in range(80):
        before = chance.choice(asked)[0] if asked and chance.random() < 0.6 else chance.choice(beginnings)
        ids = [*before[:170], *(chance.randrange(3, 40_000) for _ in range(chance.choice((1, 2, 5, 30))))]
        most = chance.choice((1, 3, 10, 40))
        asked.append((ids, most, engine.submit(GenerationRequest(prompt_ids=ids, max_tokens=most))))
        if chance.random() < 0.1:
            asked[-1][2].cancel()
        time.sleep(chance.choice((0, 0, 0.02, 0.1)))
    for ids, most, generation in asked:
        if not generation.cancelled:
            assert generation.result(timeout=60).text == text_of(engine.template, plain(model, ids, most))
    engine.close()


def small_context(folder: Path, to: Path, context: int) -> Path:
    """A copy of a model that reads and writes so many tokens at most."""
    shutil.copytree(folder, to)
    config = json.loads((to / "config.json").read_text())
    (to / "config.json").write_text(json.dumps(config | {"max_position_embeddings": context}))
    return to


@pytest.mark.parametrize("name", ["llama", "granite"])  # the second one is run row by row
def test_answers_of_any_length_stay_within_the_memory_and_none_is_lost(name, folders, tmp_path, monkeypatch):
    """Twelve of up to 200 tokens each where there is memory for 600: some step aside and go on where they were."""
    folder = small_context(folders[name], tmp_path / "small", 220)
    model, engine = AutoModelForCausalLM.from_pretrained(folder), Engine(folder)
    chance, most, bytes_per_token = random.Random(3), 600, 4 * 4 * 2 * 2 * 16
    monkeypatch.setattr(continuous_batching, "KV_BYTES", most * bytes_per_token)
    monkeypatch.setattr(batch, "USUAL_ANSWER", 16)
    step, kept = ContinuousBatcher._step, []

    def counted_step(batcher, batches):
        step(batcher, batches)
        flying = (answer for batch in batcher.batches for answer in batch.answers)
        kept.append(sum(answer.asked + len(answer.tokens) - answer.shared for answer in flying))

    monkeypatch.setattr(ContinuousBatcher, "_step", counted_step)
    prompts = [[chance.randrange(3, 40_000) for _ in range(20)] for _ in range(12)]
    limited = [chance.randrange(3, 40_000) for _ in range(30)]
    generations = [engine.submit(GenerationRequest(prompt_ids=ids)) for ids in prompts]
    beside = engine.submit(GenerationRequest(prompt_ids=limited, max_tokens=150))
    answers = [generation.result(timeout=300) for generation in generations]
    for ids, answer in zip(prompts, answers, strict=True):
        expected = plain(model, ids, 200)
        assert answer.text == text_of(engine.template, expected)
        assert (answer.prompt_tokens, answer.completion_tokens) == (20, len(expected))
        assert answer.cached_tokens == 0
    assert beside.result().text == text_of(engine.template, plain(model, limited, 150))
    assert sum(answer.completion_tokens for answer in answers) > 2 * most, "they would not have fitted together"
    assert most / 2 < max(kept) <= most
    engine.close()


def test_one_long_answer_among_short_ones_does_not_widen_all_rows(folders, tmp_path, monkeypatch):
    """Each row has room for its batch's longest: where that would exceed the bound, the longest gets a batch of its
    own."""
    folder = small_context(folders["llama"], tmp_path / "small", 1000)
    model, engine = AutoModelForCausalLM.from_pretrained(folder), Engine(folder)
    chance, most = random.Random(4), 2000
    monkeypatch.setattr(continuous_batching, "KV_BYTES", most * 4 * 4 * 2 * 2 * 16)
    monkeypatch.setattr(batch, "USUAL_ANSWER", 16)
    step, widest = ContinuousBatcher._step, []

    def counted_step(batcher, batches):
        step(batcher, batches)
        widest.append(max(len(batch.rows) * int(batch.rows.lengths.max()) for batch in batches))

    monkeypatch.setattr(ContinuousBatcher, "_step", counted_step)
    long = [chance.randrange(3, 40_000) for _ in range(5)]
    short = [[chance.randrange(3, 40_000) for _ in range(5)] for _ in range(30)]
    unlimited = engine.submit(GenerationRequest(prompt_ids=long))
    others = [engine.submit(GenerationRequest(prompt_ids=ids, max_tokens=40)) for ids in short]
    while not unlimited.over:
        for generation in others:
            generation.result(timeout=60)
        others = [engine.submit(GenerationRequest(prompt_ids=ids, max_tokens=40)) for ids in short]
    expected = plain(model, long, 995)
    assert unlimited.result().text == text_of(engine.template, expected) and len(expected) > 300
    assert max(widest) <= ROOM_FOR_UNLIKE * most
    engine.close()


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_rows_take_the_memory_of_their_tokens_and_give_it_back():
    """One row of 500 tokens among 63 of 10: 16 kB a token. As wide as the longest they would be 520 MB."""
    layers, heads, width = 8, 4, 64
    before, rows = resident_mb(), kv_cache.Rows(torch.zeros(layers, 2, heads, 0, width), 1)
    rows.reserve(64, 600)
    rows.lengths = torch.tensor([500] + [10] * 63)
    for row, length in enumerate(rows.lengths.tolist()):
        rows._slots[row, ..., :length, :] = row
    rows.reserve(0, 700)
    assert resident_mb() - before < 100, "moving on to more room does not widen all of them"
    assert all((rows.whole(row) == row).all() and rows.whole(row).shape[3] == rows.lengths[row] for row in range(64))

    rows.lengths = torch.tensor([500] * 30 + [10] * 34)
    rows._slots[:30, ..., :500, :] = torch.arange(30.0).view(30, 1, 1, 1, 1, 1)
    full = resident_mb()
    order = rows.drop([*range(29), 63])
    assert full - resident_mb() > 200, "what is gone keeps no memory"
    assert order[0] != 0 and len(order) == len(rows) == 34
    for place, row in enumerate(order):
        assert (rows.whole(place) == row).all() and rows.lengths[place] == (500 if row < 30 else 10)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_128_answers_of_any_length_at_once_stay_under_the_budget_and_none_is_lost(tmp_path, monkeypatch):
    """16 kB a token and 200 tokens an answer: all of them at once would need 420 MB, and the budget is 64."""
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(assets.base_model())
    wide = {"num_key_value_heads": 4, "head_dim": 128, "max_position_embeddings": 208, "hidden_size": 16}
    LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **SHAPE | wide)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    engine, budget, kept = Engine(tmp_path), 64 * 2**20, 16 * 2**20
    monkeypatch.setattr(continuous_batching, "KV_BYTES", budget)
    monkeypatch.setattr(scheduler, "KEPT_BYTES", kept)  # beginnings that are kept for later requests
    monkeypatch.setattr(batch, "USUAL_ANSWER", 32)
    engine.submit(GenerationRequest(prompt_ids=[3], max_tokens=1)).result()
    step, seen, before = ContinuousBatcher._step, [], resident_mb()

    def measured_step(batcher, batches):
        step(batcher, batches)
        seen.append(resident_mb() - before)

    monkeypatch.setattr(ContinuousBatcher, "_step", measured_step)
    generations = [engine.submit(GenerationRequest(prompt_ids=[3 + n, 4, 5, 6, 7, 8, 9, 10])) for n in range(128)]
    answers = [generation.result(timeout=900) for generation in generations]
    assert engine._batcher.runner.bytes_per_token == 16_384
    assert all(answer.finish_reason == "length" or answer.completion_tokens < 200 for answer in answers)
    assert sum(answer.completion_tokens for answer in answers) * 16_384 > 4 * budget, "they would not have fitted"
    print(f"{max(seen):.0f} MB at most")
    # logits are 25 MB a copy, and the allocator keeps what it had; unbounded it would be 420 MB and all of that
    assert max(seen) < (budget + kept) / 2**20 + 200
    engine.close()


def test_a_listener_hears_everything_in_order(tiny):
    heard: list[object] = []
    generation = tiny.submit(GenerationRequest(messages=chat("hi"), max_tokens=6), heard.append)
    result = generation.result()
    assert heard[-1] == result and "".join(heard[:-1]) == result.text


def test_closing_ends_what_is_in_flight_and_refuses_more(folders):
    engine = Engine(folders["llama"])
    request = GenerationRequest(prompt_ids=[9, 8, 7], temperature=1.0, seed=0, max_tokens=2000)
    generation = engine.submit(request)
    next(iter(generation))
    engine.close()
    with pytest.raises(EngineClosedError):
        generation.result(timeout=1)
    with pytest.raises(EngineClosedError):
        engine.submit(request)


def test_a_model_that_cannot_be_loaded_is_told_to_whoever_waits(folders, tmp_path):
    for file in folders["llama"].iterdir():
        if file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    engine = Engine(tmp_path)
    with pytest.raises(AssetError):
        engine.submit(GenerationRequest(messages=chat("hi"))).result(timeout=120)
    with pytest.raises(EngineClosedError):
        engine.submit(GenerationRequest(messages=chat("hi")))


def without_weights(folder: Path, to: Path) -> Path:
    """A copy of a model's folder that cannot be loaded yet."""
    to.mkdir()
    for file in folder.iterdir():
        if file.suffix != ".safetensors":
            (to / file.name).write_bytes(file.read_bytes())
    return to


def test_a_removal_behind_a_failed_load_holds_up_nobody(folders, adapters, tmp_path):
    """The adapter is unloaded while the model, which cannot be loaded, is loading."""
    engine = Engine(without_weights(folders["llama"], tmp_path / "broken"))
    engine.load_adapter("x", adapters[0])
    first = engine.submit(GenerationRequest(messages=chat("hi"), adapter="x"))
    engine.unload_adapter("x")
    second = engine.submit(GenerationRequest(messages=chat("hi")))
    for generation in (first, second):
        with pytest.raises(AssetError):
            generation.result(timeout=60)


def test_a_tuned_model_answers_again_after_its_engine_failed(folders, adapters, tmp_path):
    """The base model cannot be loaded at first; when it can, the next request is answered, tuned."""
    broken = without_weights(folders["llama"], tmp_path / "broken")
    store = ApiStore(tmp_path / "home")
    job = store.add_job(
        model="tiny", training_file="", validation_file=None, suffix="", seed=0, metadata=None, hyperparameters={}
    )
    shutil.copytree(adapters[0], store.folder_of(job.id))
    store.add_model(job.tuned_name, job, store.folder_of(job.id))
    serving = Serving(store, [("tiny", broken)])
    asked = ChatRequest(model=job.tuned_name, messages=[{"role": "user", "content": "hi"}], temperature=0, max_tokens=9)
    with pytest.raises(AssetError):
        serving.submit(asked, print)[0].result(60)
    shutil.copy(folders["llama"] / "model.safetensors", broken)
    answer = serving.submit(asked, print)[0].result(60)
    engine = Engine(folders["llama"])
    engine.load_adapter("x", adapters[0])
    request = GenerationRequest(messages=chat("hi"), adapter="x", max_tokens=9)
    assert answer.text == engine.submit(request).result().text
    engine.close(), serving.stop(), store.close()


def test_a_request_that_meets_a_closing_engine_is_told(folders):
    """It had been read when the engine was closed, but was not in its queue yet."""
    engine = Engine(folders["llama"])
    accept = engine._accept

    def slowly(request):
        answer = accept(request)
        engine.close()
        return answer

    engine._accept = slowly
    with pytest.raises(EngineClosedError):
        engine.submit(GenerationRequest(messages=chat("hi"))).result(timeout=5)
