"""What the kit says stays true after the dates pass: the same pages for nine days, searched for what is false then."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date
from unittest import mock

import pytest
from time_travel import AGE_FIRST, DAYS, Said, answer_sets, lies, said

from helpers import facts


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[date, list[Said]]]:
    """What is said on each day, made once for all tests."""
    with mock.patch.dict(os.environ, {"KIT_HOME": str(tmp_path_factory.mktemp("home"))}):
        everything = {}
        for day in DAYS:
            with mock.patch.dict(os.environ, {"KIT_TODAY": day.isoformat()}):
                everything[day] = said(day)
        yield everything


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_nothing_that_is_said_on_a_day_is_false_on_it(day: date, kept: dict[date, list[Said]]) -> None:
    assert len(kept[day]) > 500
    found = lies(kept[day], day)
    assert not found, "\n".join(found[:40])


def test_at_least_thirty_answer_sets_are_decided() -> None:
    assert len(answer_sets()) >= 30
    assert {"openai", "cohere", "vertex", "bedrock"} <= {one.get("host") for one in answer_sets()}


def test_on_far_days_the_age_of_the_facts_comes_first(kept: dict[date, list[Said]]) -> None:
    pages = [one for one in kept[date(2029, 1, 1)] if one.kind == "first"]
    assert len(pages) > 40 and all(one.text.startswith(AGE_FIRST) for one in pages)
    assert not any(AGE_FIRST in one.text for one in kept[DAYS[0]] if one.where in ("provider page", "calculator"))


PAST, NOW, LATER = date(2027, 1, 15), date(2026, 11, 29), date(2029, 1, 1)
PLANTED = [
    # something closed is ticked, named, recommended or trained at
    (PAST, Said("calculator", "tuned:openai/gpt-4o-mini-2024-07-18", "tick", "openai", "gpt-4o-mini-2024-07-18")),
    (NOW, Said("calculator", "tuned:openai/gpt-4o-mini-2024-07-18", "tick", "openai", "gpt-4o-mini-2024-07-18")),
    (NOW, Said("calculator", "tuned:vertex/gemini-2.5-flash-lite", "tick", "vertex", "gemini-2.5-flash-lite")),
    (date(2026, 12, 1), Said("first to measure", "Gemini 2.5 Flash", "tick", "google", "gemini-2.5-flash")),
    (NOW, Said("best host", "cohere", "recommended", "cohere")),
    (NOW, Said("best host", "prime-intellect", "recommended", "prime-intellect")),  # its events: a file of its own
    (LATER, Said("calculator", "tuned:vertex/gemini-3.5-flash", "tick", "vertex", "gemini-3.5-flash")),
    (date(2027, 1, 6), Said("page", 'connect("openai"): upload, train, prompt', "connect", "openai")),
    (PAST, Said("page", "no announced date is known", host="openai")),
    # days and words of time
    (PAST, Said("leftovers", "-8", "days", "openai")),
    (PAST, Said("leftovers", "ends in -1 days", host="openai")),
    (PAST, Said("page", "From 2027-01-14: the model no longer answers.", host="openai")),
    (NOW, Said("page", "Since 2027-01-06: nobody can start jobs.", host="openai")),
    (NOW, Said("verdict", "Record what it answers while it still answers.", host="cohere")),
    (PAST, Said("verdict", "Record what the tuned model answers today.", host="openai")),
    (PAST, Said("lesson", "It can be called until 2027-01-14.", host="openai")),
    # a price without the word that it cannot be paid
    (date(2027, 1, 6), Said("bill", "training GPT-4o mini: $0.90", "job price", "openai", "gpt-4o-mini-2024-07-18")),
    (PAST, Said("bill", "one call of GPT-4.1: $0.002", "call price", "openai", "gpt-4.1-2025-04-14")),
    (PAST, Said("page", "3 (GPT-4o mini tuned) to 25 (GPT-4.1 tuned)", "job price", "openai")),
    # stale facts that do not say so; and two sentences about one host
    (LATER, Said("provider page", "Who trains for whom, on 2029-01-01: Nebius …", "first")),
    (NOW, Said("page", "Cohere, who may fine-tune: anyone with an account.", host="cohere")),
    (date(2027, 1, 6), Said("blocker", "The end of fine-tuning at OpenAI is announced.", host="openai")),
]  # fmt: skip


@pytest.mark.parametrize(("day", "lie"), PLANTED, ids=[f"{n} {lie.text[:40]}" for n, (_, lie) in enumerate(PLANTED)])
def test_the_search_finds_a_planted_lie(day: date, lie: Said, kept: dict[date, list[Said]]) -> None:
    honest = kept[max(known for known in DAYS if known <= day)]
    assert lies([*honest, lie], day) != lies(honest, day)


def test_twenty_lies_are_planted() -> None:
    assert len({lie for _, lie in PLANTED}) >= 20


def test_an_opening_on_a_known_day_sets_aside_what_was_closed_before(monkeypatch: pytest.MonkeyPatch) -> None:
    row = next(e for e in facts.rows("life") if e["provider"] == "cohere" and e["event"] == "closed to all")
    again = facts.FactRow(
        "life", {**row.values, "event": "opened", "date": date(2027, 5, 1), "precision": "exactly"}, 99
    )
    rows = facts.rows
    monkeypatch.setattr("helpers.facts.events.rows", lambda t: (*rows(t), again) if t == "life" else rows(t))
    facts.standing.cache_clear(), facts.door.cache_clear()
    try:
        assert facts.door("cohere", date(2027, 4, 30)) == "nobody"
        assert facts.door("cohere", date(2027, 5, 2)) == "anyone"
    finally:
        facts.standing.cache_clear(), facts.door.cache_clear()
