"""“Measure a target now”: what is said before anything is sent, what is asked, and what the ledger then holds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from evaluate_host import Host, error
from test_servers import LLAMA_CPP, LM_STUDIO, OLLAMA, PROXY, VLLM, Pretender

from helpers import decide, evaluate, providers
from helpers.errors import ConsentError
from helpers.evaluate import metrics
from helpers.evaluate.runs import targets
from helpers.evaluate.runs.forecasting import Forecast
from helpers.project import Project
from helpers.providers import servers
from helpers.records import Candidate, Example

LADDER = [Candidate("bare", "small", max_tokens=8), Candidate("told", "small", system="Say it.", max_tokens=8)]
ROWS = [Example(({"role": "user", "content": f"say {n}"}, {"role": "assistant", "content": str(n)})) for n in range(40)]


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("KIT_HOME", str(tmp_path))
    monkeypatch.setenv("KIT_LOCAL_SERVERS", "ollama,llama.cpp,lmstudio,vllm")


@pytest.fixture
def at_home(tmp_path) -> Iterator[Host]:
    """A server of this machine that the reader has named in a file of their own."""
    host = Host()
    (tmp_path / "hosts.toml").write_text(f'[mine]\nbase_url = "{host.base_url}"\nlike = "vllm"\nfree = true\n')
    yield host
    host.close()


def measured(target, **options):
    keeping = {"worth": 0.05, "store": Project("p").folder / "answers.sqlite"} | options
    return evaluate.measure_target(Project("p"), target, LADDER, ROWS, [metrics.exact_match], **keeping)


def test_a_local_target_is_measured_and_decides(at_home, capsys):
    results = measured(evaluate.Target("mine", "qwen3-8b"))
    said = capsys.readouterr().out
    assert "what is sent stays on this machine" in said and "keeps a seed" in said and "40 rows, free of charge" in said
    assert results.scores("told").tolist() == [1] * 40
    kept = [one for one in decide.collect(Project("p")).measurements if one.model == "qwen3-8b"]
    assert {one.role for one in kept} == {"target"} and {one.host for one in kept} == {"mine"}


def test_a_slow_local_model_is_asked_as_many_rows_as_the_minutes_allow(at_home, monkeypatch, capsys):
    slow = Forecast(40, 0, 100, 0.0, 30.0, "")
    monkeypatch.setattr(targets, "forecast", lambda *_, **__: slow)
    results = measured(evaluate.Target("mine", "qwen3-8b"), minutes=15)
    assert (
        len(results.row_ids) == 10 and "All 40 rows could take 60 minutes, so 10 are asked" in capsys.readouterr().out
    )


def test_a_server_that_does_not_answer_stops_no_lesson(at_home, capsys):
    at_home.fault = lambda body, _: error(500, "model requires more system memory (60 GiB) than is available")
    assert measured(evaluate.Target("mine", "qwen3-8b")) is None
    assert "more system memory" in capsys.readouterr().out and len(at_home.calls) == 1


def test_off_means_off(at_home):
    assert measured(None) is None and measured(evaluate.Target("", "")) is None and not at_home.calls


@pytest.mark.priced
def test_a_paid_host_without_a_price_or_above_the_limit_is_sent_nothing(host):
    proxy = host()
    address = proxy.base_url
    with pytest.raises(ConsentError, match="no price"):
        measured(evaluate.Target(address, "m"))
    with pytest.raises(ConsentError, match="the limit of this run"):
        measured(evaluate.Target(address, "m", price={"input": 1e6, "output": 1e6}))
    assert not proxy.calls


def _found(monkeypatch, **pages) -> list[providers.LocalServer]:
    """What local_servers finds where these pages answer at the hosts' own addresses."""
    pretenders = {name: Pretender(one) for name, one in pages.items()}
    known = {
        name: providers.host.replace(providers.HOSTS[name], base_url=f"{one.address}/v1")
        for name, one in pretenders.items()
    }
    monkeypatch.setattr(servers, "hosts", lambda: known)
    found = providers.local_servers()
    for one in pretenders.values():
        one.close()
    return found


def test_the_largest_target_that_stays_here_is_chosen_and_a_name_wins(monkeypatch):
    found = _found(monkeypatch, ollama=OLLAMA, vllm=VLLM, lmstudio=LM_STUDIO)
    assert len(found) == 3
    assert evaluate.local_target(found) == evaluate.Target("ollama", "qwen3:8b"), (
        "neither the cloud nor the smaller one"
    )
    assert evaluate.local_target(found, "Qwen/Qwen3-0.6B") == evaluate.Target("vllm", "Qwen/Qwen3-0.6B")
    assert evaluate.local_target(found, None) is None and evaluate.local_target(found, "unheard of") is None
    assert evaluate.local_target(_found(monkeypatch, vllm=VLLM)) is None, "only a teaching model"
    assert evaluate.local_target(_found(monkeypatch, vllm=PROXY)) is None, "it may be a proxy to a paid host"
    assert evaluate.local_target(_found(monkeypatch, ollama=LLAMA_CPP)) is None, "not under a name that is another's"


def test_what_a_ladder_takes_at_each_free_tier_is_said_without_a_key():
    table = {row["FREE_HOST"]: row for row in evaluate.free_tiers(LADDER, ROWS)}
    assert set(table) == {"groq", "cerebras", "openrouter", "gemini"}
    assert (
        table["openrouter"]["calls"],
        table["openrouter"]["spread over days"],
        table["gemini"]["spread over days"],
    ) == (80, 2, None)
    assert "50 requests a day (as of 2026-10-17" in table["openrouter"]["free within"]
    assert 'MAY_TRAIN_ON_PROMPTS = "gemini"' in table["gemini"]["your prompts"]
    assert "not trained on" in table["groq"]["your prompts"] and table["groq"]["key in"] == "GROQ_API_KEY"
