"""The evaluation room against the kit's own local API: same protocol, real tokens, real schema constraint.

The model is the randomly initialised one of the local API's tests: what it says means nothing, how it is asked does.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from running_api import TINY

from helpers.evaluate import metrics, probes, run
from helpers.records import Candidate, Example

SAMPLE = Path(__file__).parents[1] / "data" / "sample" / "triage"


def rows(split: str, count: int) -> list[Example]:
    lines = (SAMPLE / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()[:count]
    return [Example(tuple(json.loads(line)["messages"])) for line in lines]


@pytest.fixture(scope="module")
def schema() -> dict:
    stored = json.loads((SAMPLE / "schema.json").read_text(encoding="utf-8"))
    return stored.get("schema", stored)


def test_every_kind_of_candidate_is_answered(local_api, tmp_path, schema):
    train, validation = tuple(rows("train", 20)), rows("validation", 4)
    candidates = [
        Candidate("bare", TINY, max_tokens=8),
        Candidate("instructed", TINY, system="Answer with JSON.", shots=train[:2], max_tokens=8),
        Candidate("nearest", TINY, nearest=3, pool=train, max_tokens=8),
        Candidate("schema", TINY, schema=schema, max_tokens=128),
        Candidate("sampled", TINY, temperature=1.0, max_tokens=8),
    ]
    chosen = [metrics.valid_json(schema), metrics.all_fields]
    client, store = local_api.client(), tmp_path / "s.sqlite"
    results = run(client, candidates, validation, chosen, store=store, progress=False)
    assert not results.rows["missing"].any()
    assert (results.rows["prompt_tokens"] > 0).all() and (results.rows["completion_tokens"] > 0).all()
    assert (results.rows["usd"] == 0).all() and set(results.rows["finish_reason"]) <= {"stop", "length"}
    constrained = results.rows[results.rows["candidate"] == "schema"]
    assert (constrained["valid_json"] == (constrained["finish_reason"] == "stop")).all()
    table = results.table()
    assert table.loc["instructed", "prompt_tokens"] > table.loc["bare", "prompt_tokens"]
    again = run(client, candidates, validation, chosen, store=store, progress=False)
    assert again.rows["answer"].tolist() == results.rows["answer"].tolist()


def test_the_same_greedy_answers_one_by_one_and_many_at_a_time(local_api, tmp_path):
    candidate, validation = Candidate("bare", TINY, max_tokens=8), rows("validation", 8)
    answers = [
        run(local_api.client(), [candidate], validation, [metrics.exact_match], store=tmp_path / str(n), concurrency=n,
            progress=False).answers("bare")
        for n in (1, 8)
    ]  # fmt: skip
    assert answers[0] == answers[1]


def test_a_model_against_itself_is_no_adapter_at_work(local_api, tmp_path):
    before, after = Candidate("base", TINY, max_tokens=4), Candidate("tuned", TINY, max_tokens=4, tuned=True)
    some = probes.load()[:6]
    results = probes.run(local_api.client(), before, after, store=tmp_path / "s", probes=some, progress=False)
    assert "the tuning does nothing" in probes.adapter_effect(results, "base", "tuned")
