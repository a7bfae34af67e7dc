"""What the verdict says of hosts follows the day: whole hosts that end, models that end at hosts that go on."""

from __future__ import annotations

from datetime import date

import pytest
from decide_cases import rule_name

from helpers import facts
from helpers.decide import decide, hosts

NOW = date(2026, 11, 29)


def tuned_at(host: str) -> dict[str, str]:
    return {"host": host, "tuned_now": "yes", "gap": "nothing"}


@pytest.mark.parametrize(
    ("host", "day", "recorded", "because"),
    [
        ("openai", NOW, True, "is announced"),
        ("openai", date(2027, 1, 6), True, "has ended"),
        ("openai", date(2027, 1, 13), True, "has ended"),
        ("openai", date(2027, 1, 14), False, "has ended"),
        ("cohere", NOW, False, "has ended"),
        ("mistral", NOW, True, "has ended"),
    ],
)
def test_what_answers_is_recorded_and_what_does_not_is_gathered(host, day, recorded, because):
    verdict = decide(tuned_at(host), None, day)
    assert verdict.choice == "move_off" and because in verdict.headline
    assert ("while it still answers" in verdict.next_steps[0]) == recorded
    assert ("Nothing that was tuned there answers" in verdict.next_steps[0]) == (not recorded)


def test_azures_end_is_that_of_its_gpt_models_only():
    assert rule_name(tuned_at("azure"), None, NOW) != "the_host_is_closing"
    said = hosts.obstacle("azure", NOW, customer=True)
    assert "gpt-4.1-2025-04-14, no earlier than 2027-10-14" in said and "gpt-oss-20b" not in said
    assert "announced" not in said


@pytest.mark.parametrize(
    ("host", "model", "when"),
    [
        ("vertex", "gemini-2.5-flash-lite", "since 2026-10-20"),
        ("vertex", "gemini-3.1-flash-lite", "no earlier than 2027-05-07"),
        ("bedrock", "anthropic.claude-3-haiku-20240307-v1:0", "since 2026-09-10"),
        ("bedrock", "meta.llama3-1-8b-instruct-v1:0", "from 2027-03-30"),
    ],
)
def test_a_model_that_ends_at_a_host_that_goes_on_is_told_to_its_customers(host, model, when):
    assert not hosts.end_in_sight(host, NOW) and hosts.open_to_new(host, NOW)
    assert f"{model}, {when}" in " ".join(decide(tuned_at(host), None, NOW).blockers)
    assert hosts.obstacle(host, NOW, customer=False) == ""


def test_a_model_that_ends_later_than_in_a_year_is_not_told_yet():
    assert hosts.dying_models("nebius", NOW) == "" and hosts.dying_models("no such host", NOW) == ""
    assert "llama" not in hosts.dying_models("bedrock", date(2026, 3, 1))


@pytest.mark.parametrize("customer", [True, False])
def test_a_host_that_is_over_is_no_announcement(customer):
    assert hosts.obstacle("openai", date(2027, 1, 7), customer) == "Nobody can start a fine-tuning job at OpenAI."


def test_coming_dates_keep_no_earlier_than():
    told = dict(hosts.coming_dates("azure", NOW))
    assert "no earlier than this day" in told[date(2027, 10, 14)]


def test_what_is_said_of_a_host_is_whole_on_any_day():
    for host in (row["provider"] for row in facts.rows("providers")):
        for day in (date(2026, 11, 23), date(2027, 12, 31)):
            said = hosts.about(host, day)
            assert "None" not in said and said.endswith(facts.provider(host).source)
