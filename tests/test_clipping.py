"""A prompt that the server cut is a missing answer with its reason and the way out, never a score."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest
from evaluate_host import Host, completion

from helpers import evaluate, tokens
from helpers.evaluate import metrics
from helpers.evaluate.inference.clipping import cut
from helpers.evaluate.inference.store import Reply
from helpers.evaluate.runs import runner
from helpers.records import Candidate, Example

QUESTIONS = ["Where is my parcel?", "The kettle leaks, what now?", "Please cancel order 48213."]
ROWS = [Example(({"role": "user", "content": q}, {"role": "assistant", "content": "yes"})) for q in QUESTIONS]
SHORT = Candidate("short", "some-model", system="Answer yes.")
LONG = Candidate("long", "some-model", system="One of the desk's rules is this one, and there are many. " * 500)


class Window:
    """Answers "yes", and reads at most so many tokens of a prompt, as Ollama does: half of its context is kept."""

    def __init__(self, context: int | None) -> None:
        self.context = context

    def __call__(self, body: dict, _: int) -> tuple[int, dict, dict]:
        reply = completion(body, "yes")
        sent = tokens.counter("gpt-4o").example(body["messages"]) + 7
        read = sent if self.context is None or sent <= self.context else self.context // 2 + 2
        reply["usage"] |= {"prompt_tokens": read, "prompt_tokens_details": None}
        return 200, {}, reply


@pytest.fixture
def window(tmp_path) -> Iterator[tuple[Host, Window]]:
    behaviour = Window(4096)
    host = Host(behaviour)
    yield host, behaviour
    host.close()


def test_a_cut_prompt_is_missing_and_asked_again_once_the_context_is_longer(window, tmp_path):
    host, behaviour = window
    ask = {"store": tmp_path / "s.sqlite", "progress": False}
    results = evaluate.run(host.client(), [SHORT, LONG], ROWS, [metrics.exact_match], **ask)
    assert results.scores("short").tolist() == [1, 1, 1]
    assert all(math.isnan(score) for score in results.scores("long")), "no score for what nobody read"
    assert results.answers("long") == [None] * 3
    [reason] = {reason for (name, reason) in results.missing().index if name == "long"}
    assert reason == "the host cut the prompt to 2,050 tokens"
    assert any("OLLAMA_CONTEXT_LENGTH" in note for note in results.notes)
    assert [one.name for one in results.measurements()] == ["short"], "nothing to rest a verdict on"
    calls = len(host.calls)
    behaviour.context = None
    again = evaluate.run(host.client(), [SHORT, LONG], ROWS, [metrics.exact_match], **ask)
    assert again.scores("long").tolist() == [1, 1, 1] and not again.notes
    assert len(host.calls) - calls == len(ROWS), "only the cut prompts are asked again"


LONG_PROMPT = [{"role": "system", "content": LONG.system}, {"role": "user", "content": "Where is my parcel?"}]
WHOLE = tokens.counter("some-model").example(LONG_PROMPT)
LAST = tokens.counter("some-model").example(LONG_PROMPT[-1:])


def judged(*counts: int | None, short: float = 1.0) -> set[int]:
    """Which of some long prompts count as cut, by what the host reported, beside a short one that it counts so."""
    brief = [{"role": "user", "content": "Where is my parcel, and when will it come? " * 8}]
    own = tokens.counter("some-model").example(brief)
    replies = [Reply("a", prompt_tokens=n) for n in counts] + [Reply("a", prompt_tokens=round(short * own))]
    return set(cut("some-model", [LONG_PROMPT] * len(counts) + [brief], replies))


@pytest.mark.parametrize(
    ("reported", "short", "found"),
    [
        ((WHOLE, WHOLE + 40), 1.0, set()),
        ((2050, WHOLE), 1.0, {0}),
        ((round(0.7 * WHOLE),), 1.0, {0}),
        ((round(0.7 * WHOLE),), 0.7, set()),  # a thriftier vocabulary, as its short prompts show
        ((round(0.4 * WHOLE),), 0.7, {0}),
        ((LAST, LAST + 2), 1.0, set()),  # a server that counts only what it had not cached
        ((None, 0), 1.0, set()),  # a server that does not count
    ],
)
def test_what_counts_as_cut(reported, short, found):
    assert judged(*reported, short=short) == found


def test_a_hidden_system_message_is_no_ceiling():
    """llama.cpp applies the model's own template: SmolLM2's adds a system message of 25 tokens where none is given, so
    a bare question counts as much as a shorter one with instructions."""
    bare = [[{"role": "user", "content": "word " * (20 + n % 4)}] for n in range(12)]
    told = [[{"role": "system", "content": "word " * 22}, *one] for one in bare]
    own = tokens.counter("some-model").examples([(one, ()) for one in (*bare, *told)])
    theirs = [*(n + 25 for n in own[:12]), *own[12:]]
    assert len(set(theirs)) < 8, "the counts of both kinds coincide"
    assert cut("some-model", [*bare, *told], [Reply("a", prompt_tokens=n) for n in theirs]) == {}


def test_one_count_for_prompts_of_many_lengths_is_where_the_context_ends():
    """A cut of a few tokens is less than vocabularies differ by; that all end at the same count gives it away."""
    prompts = [[{"role": "user", "content": "word " * (230 + 5 * n)}] for n in range(8)]
    own = tokens.counter("some-model").examples([(one, ()) for one in prompts])
    cut_all = [Reply("a", prompt_tokens=min(n, 228)) for n in own]
    assert set(cut("some-model", prompts, cut_all)) == set(range(8))
    assert cut("some-model", prompts, [Reply("a", prompt_tokens=n + 9) for n in own]) == {}
    alike = prompts[:1] * 8
    assert cut("some-model", alike, [Reply("a", prompt_tokens=228)] * 8) == {}, "one prompt, one count"


def test_the_way_out_is_said_once_and_is_one_that_the_host_has(window, tmp_path, monkeypatch):
    host, _ = window
    longer = replace(LONG, name="longer", system=LONG.system + "One more.")
    ask = {"store": tmp_path / "s.sqlite", "progress": False}
    run = partial(evaluate.run, host.client(), [SHORT, LONG, longer], ROWS, [metrics.exact_match], **ask)
    there = [note for note in run().notes if "did not fit" in note]
    assert len(there) == 2 and sum("OLLAMA_CONTEXT_LENGTH" in note for note in there) == 1
    monkeypatch.setattr(runner, "identity", lambda client: "local")
    here = [note for note in run().notes if "did not fit" in note]
    assert len(here) == 2 and not any("OLLAMA" in note for note in here), "this kit's own API has no such setting"
    assert sum("helpers.open_models" in note for note in here) == 1
