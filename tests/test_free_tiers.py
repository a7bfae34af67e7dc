"""Free tiers: within every limit by the host's own count, over days, with no call asked twice; consent is a value."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime

import pytest
from evaluate_host import Host, completion, error

from helpers import evaluate, facts, providers
from helpers.errors import AllowanceError, ConsentError, HostError
from helpers.evaluate import metrics
from helpers.evaluate.inference import pace
from helpers.evaluate.inference.requests import Request
from helpers.records import Candidate, Example

LIMITS = {"requests_per_minute": 30, "requests_per_day": 40, "tokens_per_minute": 500, "tokens_per_day": 3_000}
SHORT, LONG = Candidate("short", "m", max_tokens=4), Candidate("long", "m", system="rule " * 20, max_tokens=4)


class SimulatedClock:
    """Time that passes only where somebody waits for it."""

    def __init__(self) -> None:
        self.seconds, self.lock = datetime(2026, 11, 30, 9).timestamp(), threading.Lock()

    def now(self) -> float:
        return self.seconds

    def wait(self, seconds: float, stop: threading.Event) -> None:
        until = self.now() + seconds
        with self.lock:
            self.seconds = max(self.seconds, until)


class Metered:
    """A host that counts requests and tokens of the last minute and day, and refuses what is above."""

    def __init__(self, clock: SimulatedClock, limits: dict[str, float]) -> None:
        self.clock, self.limits = clock, limits
        self.sent: list[tuple[float, float]] = []
        self.refused: list[str] = []
        self.lock = threading.Lock()

    def __call__(self, body: dict, _: int):
        reply = completion(body)
        wanted = reply["usage"]["prompt_tokens"] + body["max_tokens"]
        with self.lock:
            now = self.clock.now()
            for name, limit in self.limits.items():
                window = 60 if name.endswith("minute") else 86_400
                inside = [size for at, size in self.sent if at > now - window]
                used = sum(inside) + wanted if name.startswith("tokens") else len(inside) + 1
                if used > limit:
                    self.refused.append(name)
                    return error(429, f"{name} exceeded", **{"retry-after": "1"})
            self.sent.append((now, wanted))
        return 200, {}, reply


@pytest.fixture
def clock(monkeypatch) -> SimulatedClock:
    simulated = SimulatedClock()
    monkeypatch.setattr(pace, "CLOCK", simulated)
    return simulated


@pytest.fixture
def metered(clock, tmp_path, monkeypatch) -> Iterator[tuple[Host, Metered]]:
    """A host on this machine that stands for Groq's free tier, with limits of its own."""
    behaviour = Metered(clock, LIMITS)
    host = Host(behaviour)
    monkeypatch.setenv("KIT_HOME", str(tmp_path))
    (tmp_path / "hosts.toml").write_text(
        f'[groq-here]\nbase_url = "{host.base_url}"\nlike = "groq"\nfree_tier = "groq"\n'
        f'[google-here]\nbase_url = "{host.base_url}"\nlike = "gemini"\nfree_tier = "google"\n'
    )
    yield host, behaviour
    host.close()


def rows(count: int) -> list[Example]:
    return [
        Example(({"role": "user", "content": f"say {n}"}, {"role": "assistant", "content": str(n)}))
        for n in range(count)
    ]


def test_a_ladder_is_spread_over_three_days_within_every_limit_and_nothing_is_asked_twice(
    metered, clock, tmp_path, capsys
):
    host, behaviour = metered
    client = providers.connect("groq-here", limits=LIMITS)
    asked = {"store": tmp_path / "a.sqlite", "concurrency": 16, "progress": False}
    forecast = evaluate.forecast(client, [SHORT, LONG], rows(55), store=asked["store"])
    assert "110 calls" in forecast.sentence and "on 3 days" in forecast.sentence and forecast.usd == 0
    assert not host.calls, "a forecast of a free tier sends nothing"
    days, again = 0, clock.now()
    while True:
        days += 1
        clock.seconds = again
        try:
            results = evaluate.run(client, [SHORT, LONG], rows(55), [metrics.exact_match], **asked)
            break
        except AllowanceError as error:
            said = str(error)
            assert "goes on where it stopped" in said and "a day" in error.got
            again = datetime.strptime(said.split("again from ")[1][:16], "%Y-%m-%d %H:%M").timestamp() + 60
            assert 23 < (again - clock.now()) / 3600 < 25
    assert days == 3
    assert behaviour.refused == [], "no limit was exceeded, by the host's own count"
    assert len(host.calls) == 110 and max(Counter(str(call) for call in host.calls).values()) == 1
    assert results.scores("short").tolist() == [1] * 55 and results.table()["missing"].sum() == 0
    calls = len(host.calls)
    evaluate.run(client, [SHORT, LONG], rows(55), [metrics.exact_match], **asked)
    assert len(host.calls) == calls


def test_tokens_hold_a_run_back_even_where_requests_would_not(metered, clock, tmp_path):
    host, behaviour = metered
    limits = LIMITS | {"requests_per_minute": 1_000, "requests_per_day": 1_000, "tokens_per_minute": 60}
    behaviour.limits = limits
    client, began = providers.connect("groq-here", limits=limits), clock.now()
    one_by_one = {"concurrency": 1, "progress": False}  # this test's clock leaps: a thread that lags is a minute late
    evaluate.run(client, [LONG], rows(8), [metrics.exact_match], store=tmp_path / "a", **one_by_one)
    assert behaviour.refused == [] and len(host.calls) == 8
    assert clock.now() - began > 180, "two calls a minute"


def test_what_one_notebook_has_sent_counts_for_the_next(metered, clock, tmp_path):
    _, behaviour = metered
    client = providers.connect("groq-here", limits=LIMITS)
    for n in range(3):
        evaluate.run(client, [SHORT], rows(12), [metrics.exact_match], store=tmp_path / f"{n}", progress=False)
    with pytest.raises(AllowanceError, match="40 requests a day"):
        evaluate.run(client, [SHORT], rows(12), [metrics.exact_match], store=tmp_path / "other", progress=False)
    assert behaviour.refused == [] and len(behaviour.sent) == 40


def test_a_prompt_that_no_minute_holds_is_missing_with_its_reason(metered, tmp_path):
    host, _ = metered
    client = providers.connect("groq-here", limits=LIMITS)
    huge = Candidate("huge", "m", system="rule " * 600)
    results = evaluate.run(client, [huge], rows(2), [metrics.exact_match], store=tmp_path / "a", progress=False)
    assert not host.calls and "500 tokens a minute" in str(results.missing())


def test_a_host_whose_allowance_others_have_used_ends_the_run(metered, tmp_path, monkeypatch):
    host, behaviour = metered
    behaviour.limits = {"requests_per_day": 3}
    monkeypatch.setattr("helpers.evaluate.inference.failures.ATTEMPTS", 2)
    client = providers.connect("google-here", may_train_on_prompts="google-here")
    with pytest.raises(HostError, match="allowance seems used up.*Run it again tomorrow.*kept"):
        evaluate.run(
            client, [SHORT], rows(30), [metrics.exact_match], store=tmp_path / "a", concurrency=1, progress=False
        )
    assert len(host.calls) == 5, "three answers, and a fourth call that was tried twice"


def test_waiting_is_shown(metered, clock):
    limits = {"requests_per_minute": 1}
    kept = pace.Pace(providers.free_tier(providers.connect("groq-here", limits=LIMITS | limits)))
    said = []
    clock.wait = lambda seconds, stop: said.append(kept.waiting) or SimulatedClock.wait(clock, seconds, stop)
    for _ in range(2):
        assert kept.admit(Request("m", [{"role": "user", "content": "hello"}]), threading.Event())
    assert said == ["waiting 61 s: 1 requests a minute"] and kept.waiting == ""


@pytest.mark.parametrize("find", [evaluate.optimise, evaluate.choose_examples])
def test_a_search_says_first_how_long_the_limits_make_it_at_most(metered, clock, tmp_path, capsys, find):
    limits = {"requests_per_minute": 5, "requests_per_day": 30, "tokens_per_minute": 9_000, "tokens_per_day": 400_000}
    client, began, days = providers.connect("groq-here", limits=limits), clock.now(), 1
    first = Candidate("first", "m", system="Say it.", max_tokens=4)
    options = {"budget_calls": 80, "part": 8, "store": tmp_path / "s", "reflection_tokens": 300, "concurrency": 1}
    if find is evaluate.choose_examples:
        del options["reflection_tokens"]
    while days < 9:
        try:
            find(client, first, rows(40), [metrics.exact_match], **options)
            break
        except AllowanceError:
            days += 1
            clock.seconds += pace.DAY
    said = capsys.readouterr().out
    told = re.search(
        r"A search of up to (\d+) calls .* 5 requests a minute.*up to about (\d+) minutes, on (\d) days", said
    )
    assert told, said
    calls, minutes, on_days = map(int, told.groups())
    assert 1 < days <= on_days == 3 and calls / 5 <= minutes < calls, "80 calls, 30 a day"
    assert clock.now() - began - (days - 1) * pace.DAY <= 61 * minutes
    assert "run it again each day, it goes on where it stopped" in said


def test_a_price_says_that_the_account_pays_and_no_limit_is_kept(metered, tmp_path):
    host, behaviour = metered
    behaviour.limits = {}
    client, price = providers.connect("groq-here"), {"input": 0.1, "output": 0.1}
    options = {"store": tmp_path / "a", "progress": False, "price": price, "spend_limit_usd": 1}
    evaluate.run(client, [SHORT], rows(60), [metrics.exact_match], **options)
    assert len(host.calls) == 60 and not (tmp_path / "free_tiers.sqlite").exists()


# --- consent, and what the table says ---------------------------------------------------------------------------------


def test_a_host_that_may_train_on_prompts_is_refused_before_anything_is_sent(metered):
    host, _ = metered
    for given in ("", "gemini", "groq-here"):
        with pytest.raises(ConsentError, match='MAY_TRAIN_ON_PROMPTS = "google-here"'):
            providers.connect("google-here", may_train_on_prompts=given)
    assert providers.connect("google-here", may_train_on_prompts="google-here")
    assert not host.calls


@pytest.mark.parametrize("name", ["gemini", "openrouter", "cerebras"])
def test_the_shipped_hosts_ask_for_consent_where_the_table_does_not_say_no(name, monkeypatch):
    monkeypatch.delenv("KIT_STAY_LOCAL")
    monkeypatch.setenv(providers.HOSTS[name].key_variable, "k")
    with pytest.raises(ConsentError, match=f'MAY_TRAIN_ON_PROMPTS = "{name}"'):
        providers.connect(name)
    assert providers.identity(providers.connect(name, may_train_on_prompts=name)) == name


def test_groq_does_not_train_and_what_has_ended_is_said(monkeypatch):
    monkeypatch.delenv("KIT_STAY_LOCAL")
    monkeypatch.setenv("GROQ_API_KEY", "k")
    tier = providers.free_tier(providers.connect("groq"), ["openai/gpt-oss-120b"])
    assert str(tier.limits) == "30 requests a minute, 1,000 requests a day, 8,000 tokens a minute, 200,000 tokens a day"
    with pytest.raises(HostError, match="GitHub Models ended on 2026-07-30"):
        providers.connect("github")


@pytest.mark.priced
def test_only_free_models_of_a_router_are_free(monkeypatch):
    monkeypatch.delenv("KIT_STAY_LOCAL")
    monkeypatch.setenv("OPENROUTER_API_KEY", "k")
    client = providers.connect("openrouter", may_train_on_prompts="openrouter")
    assert providers.costs_nothing(client, None, ["meta-llama/llama-3.3-70b-instruct:free"])
    assert not providers.costs_nothing(client, None, ["openai/gpt-6-luna"])
    assert not providers.costs_nothing(client, {"input": 1, "output": 1}, ["x:free"])


def test_two_names_of_one_address_are_told_apart(monkeypatch):
    monkeypatch.delenv("KIT_STAY_LOCAL")
    monkeypatch.setenv("GEMINI_API_KEY", "k")
    free, paid = providers.connect("gemini", may_train_on_prompts="gemini"), providers.connect("google")
    assert [providers.identity(one) for one in (free, paid)] == ["gemini", "google"]
    assert providers.free_tier(paid, ["m"]) is None


def test_limits_that_nobody_publishes_are_asked_for(metered):
    client = providers.connect("google-here", may_train_on_prompts="google-here")
    said = pace.Pace(providers.free_tier(client)).plan([Request("m", [{"role": "user", "content": "hello"}])]).sentence
    assert "limits that are not known" in said and "LIMITS" in said
    with pytest.raises(HostError, match="requests_a_day.*requests_per_day"):
        providers.connect("google-here", may_train_on_prompts="google-here", limits={"requests_a_day": 20})


def test_every_free_tier_is_a_host_or_has_ended():
    named = {host.free_tier for host in providers.HOSTS.values() if host.free_tier}
    over = {row["provider"] for row in facts.rows("free_tiers") if row["ended"] and row["ended"] <= date(2026, 11, 30)}
    assert named | over == {row["provider"] for row in facts.rows("free_tiers")} and not named & over
