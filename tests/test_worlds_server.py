"""The planted server: exact shares, kinds of prompt told apart, honest usage, bad days."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import openai
import pytest
from worlds.planting import BLOCK, Kinds, Planted, luckiest_first
from worlds.server import SHRUG, PlantedHost

from helpers import data, evaluate, jobs, tokens
from helpers.evaluate import candidates, metrics
from helpers.records import Candidate, Example

TRIAGE = Path(__file__).resolve().parents[1] / "data" / "sample" / "triage"
COLUMNS = {"question": "review", "answer": "label"}
REVIEWS = data.read(TRIAGE.parent / "two_way" / "reviews.csv", columns=COLUMNS)
PARTS = data.split(REVIEWS, {"train": 0.5, "validation": 0.25, "test": 0.25}, seed=1, label=evaluate.label_of(REVIEWS))
TRAIN, VALIDATION, TEST = (data.read(TRIAGE / f"{name}.jsonl") for name in ("train", "validation", "test"))
RULES = (TRIAGE / "instructions.md").read_text()
SCHEMA = json.loads((TRIAGE / "schema.json").read_text())
SHARES = {"bare": 0.1, "instructions": 0.345, "examples": 0.5, "schema": 0.6, "nearest": 0.885}
MODEL, TUNED = "gpt-6-luna", "ft:qwen3-8b:kit"
PROMPTS = {
    "bare": Candidate("bare", MODEL),
    "instructions": Candidate("instructions", MODEL, system=RULES),
    "examples": Candidate("examples", MODEL, system=RULES, shots=tuple(TRAIN[:8])),
    "schema": Candidate("schema", MODEL, system=RULES, shots=tuple(TRAIN[:8]), schema=SCHEMA),
    "nearest": Candidate("nearest", MODEL, system=RULES, nearest=4, pool=tuple(TRAIN)),
    "tuned": Candidate("tuned", TUNED, tuned=True),
}


def planted(shares: dict | None = None, **options) -> PlantedHost:
    splits = {"validation": VALIDATION, "test": TEST}
    return PlantedHost(shares or {MODEL: SHARES, TUNED: {"tuned": 0.92}}, [TRAIN], splits, **options)


@pytest.fixture
def host() -> Iterator[PlantedHost]:
    host = planted()
    yield host
    host.close()


def body(candidate: Candidate, row: Example) -> dict:
    """What the kit sends for one question."""
    schema = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": candidate.schema}}
    sent = {"model": candidate.model, "messages": candidates.messages(candidate, row), "max_tokens": 48}
    return sent | ({"response_format": schema} if candidate.schema else {})


def ask(host: PlantedHost, candidate: Candidate, row: Example) -> openai.types.chat.ChatCompletion:
    """One question over the wire, without a second try."""
    return host.client(max_retries=0).chat.completions.create(**body(candidate, row))


def share(host: PlantedHost, candidate: Candidate, rows: list[Example], metric: metrics.Metric) -> float:
    """The share of rows that the server answers rightly; without the wire, which is slow."""
    said = [host.completion(body(candidate, row))[1]["choices"][0]["message"]["content"] for row in rows]
    return sum(metric(answer, row) for answer, row in zip(said, rows, strict=True)) / len(rows)


@pytest.mark.parametrize("kind", PROMPTS)
def test_shares_are_exact_for_every_kind_and_split(host, kind):
    for rows in (VALIDATION, TEST):
        assert share(host, PROMPTS[kind], rows, metrics.all_fields) == pytest.approx((SHARES | {"tuned": 0.92})[kind])
        assert share(host, PROMPTS[kind], rows[:20], metrics.valid_json(SCHEMA)) == 1
    assert [counted for (_, counted, _) in host.answered] == [kind, kind]


def test_a_larger_share_adds_rows_and_loses_none():
    world = Planted({MODEL: {str(n): n / 200 for n in range(201)}}, {"test": TEST})
    right = [{place.row for place in world.places.values() if world.is_right(MODEL, str(n), place)} for n in range(201)]
    assert [len(rows) for rows in right] == list(range(201))
    assert all(fewer < more for fewer, more in pairwise(right))


@pytest.mark.parametrize("model", ["gpt-6-luna", "claude-haiku-5-5", TUNED])
@pytest.mark.parametrize("share", [0.05, 0.39, 0.5, 0.74, 0.96])
def test_any_run_of_rows_holds_the_share_as_nearly_as_it_can(model, share):
    world = Planted({model: {"bare": share}}, {"test": TEST})
    right = [world.is_right(model, "bare", world.places[row.question]) for row in TEST]
    for length in (12, 20, 60, 100):
        assert abs(sum(right[:length]) - share * length) <= 2
    for start in range(0, 200, BLOCK):
        assert abs(sum(right[start : start + BLOCK]) - share * BLOCK) < 1


def test_models_share_most_of_their_luck_but_not_all():
    questions = [row.question for row in TEST]
    first, second = (set(luckiest_first(questions, model)[:140]) for model in ("one", "two"))
    assert 105 < len(first & second) < 140  # 98 were chance


@pytest.mark.parametrize("shots", [4, 8])
def test_nearest_and_fixed_examples_are_told_apart(shots):
    for train, rows in ((TRAIN, VALIDATION + TEST), (PARTS.train, PARTS.validation + PARTS.test)):
        kinds, pool = Kinds(train), tuple(train)
        fixed = Candidate("fixed", MODEL, shots=pool[:shots])
        picked = Candidate("picked", MODEL, nearest=shots, pool=pool)
        for candidate, kind in ((fixed, "examples"), (picked, "nearest")):
            sent = [{"model": MODEL, "messages": candidates.messages(candidate, row)} for row in rows]
            assert {kinds.of(one) for one in sent} == {kind}


def test_usage_is_what_the_prompt_really_has(host):
    said = ask(host, PROMPTS["examples"], TEST[0])
    sent = candidates.messages(PROMPTS["examples"], TEST[0])
    assert said.usage.prompt_tokens == tokens.counter(MODEL).example(sent)
    assert said.usage.completion_tokens == tokens.counter(MODEL).text(said.choices[0].message.content)


def test_labels_come_as_the_schema_wants_them():
    host = PlantedHost({MODEL: SHARES}, [PARTS.train], {"validation": PARTS.validation})
    rungs = evaluate.rungs(REVIEWS, MODEL, "Positive or negative?", pool=PARTS.train)
    found = [share(host, rung, PARTS.validation, metrics.label_accuracy) for rung in rungs]
    host.close()
    # The server knows a schema from examples, not both from one: whole rows of 100.
    assert found == pytest.approx([0.1, 0.34, 0.34, 0.6, 0.5, 0.6, 0.88, 0.6], abs=0.0001)
    assert host.answered[MODEL, "schema", "validation"] == 300


def test_an_unknown_question_gets_a_shrug_and_an_unknown_model_an_error(host):
    client = host.client(max_retries=0)
    probe = [{"role": "user", "content": "Name a colour."}]
    assert client.chat.completions.create(model=MODEL, messages=probe).choices[0].message.content == SHRUG
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="gpt-7", messages=probe)


def test_tuned_models_answer_under_the_names_that_their_jobs_give(host):
    client = host.client()
    made = host.add_tuned(TUNED)
    assert jobs.answering(client, jobs.watch(client, made).id) == TUNED
    file = jobs.upload(client, TRIAGE / "train.jsonl", may_upload_to="local").id
    own = jobs.start(client, file, suffix="mine", seed=1)
    assert jobs.answering(client, own.id) == "ft:qwen3-8b:mine::x"
    tuned = Candidate("own", "ft:qwen3-8b:mine::x", tuned=True)
    assert ask(host, tuned, TEST[0]).choices[0].message.content


def test_it_dies_after_so_many_test_rows_and_comes_back_at_the_same_address():
    host = planted(trouble={"model": MODEL, "dies_after_test_rows": 3})
    bare = PROMPTS["bare"]
    [ask(host, bare, row) for row in VALIDATION[:5]]
    [ask(host, bare, row) for row in TEST[:3]]
    for candidate in (bare, PROMPTS["tuned"]):
        with pytest.raises(openai.APIConnectionError):
            ask(host, candidate, TEST[3])
    host.come_back()
    assert [ask(host, bare, row).choices[0].message.content for row in TEST[3:8]]
    host.close()


@pytest.mark.parametrize("keeps", ["first", "last"])
def test_a_window_cuts_the_prompt_and_says_what_it_read(keeps):
    trouble = {"model": MODEL, "keeps_tokens": 200, "keeps": keeps}
    host = planted({MODEL: {"bare": 0.0, "instructions": 1.0}}, trouble=trouble)
    long, short = (ask(host, PROMPTS[kind], TEST[0]) for kind in ("instructions", "bare"))
    host.close()
    assert long.usage.prompt_tokens == 200 > short.usage.prompt_tokens
    assert long.choices[0].message.content != TEST[0].answer
