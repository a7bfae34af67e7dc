"""connect: explicit addresses and keys, hosts as data, refusals that say where to go instead."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import date

import httpx2
import openai
import pytest
from job_host import JobHost

from helpers import facts, providers
from helpers.errors import ConsentError, HostError
from helpers.providers.host import SHIPPED, Host
from helpers.providers.waiting import asked_to_wait


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A kit home of its own, an empty folder to stand in, and permission to name other hosts."""
    monkeypatch.setenv("KIT_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KIT_STAY_LOCAL", raising=False)
    return tmp_path


@pytest.fixture
def host():
    running = JobHost()
    yield running
    running.close()


def test_every_shipped_host_has_what_code_and_readers_need():
    for name, host in providers.hosts().items():
        assert host.name == name and host.as_of and host.source
        assert host.base_url.startswith(("https://", "http://127.0.0.1")) or name in ("local", "azure")
        assert host.trains or host.why_not
        assert not host.trains or (host.default_model and host.after_training)
        facts_know = {row["provider"] for row in [*facts.rows("providers"), *facts.rows("free_tiers")]}
        assert not host.leaves_machine or (host.free_tier or host.facts_name or name) in facts_know


def test_only_what_the_tests_exercise_claims_to_have_been_run():
    run = [host.name for host in providers.hosts().values() if host.seen == "run"]
    assert run == ["local", "llama.cpp"]
    assert "not run by us" in providers.HOSTS["nebius"].provenance
    assert re.search(r"of \d{4}-\d\d-\d\d", providers.HOSTS["nebius"].provenance)


def test_local_first_and_open_to_everybody(home):
    assert list(providers.hosts())[0] == "local"
    assert not providers.LOCAL.leaves_machine and providers.LOCAL.whereabouts == "stays on this machine"
    assert "api.openai.com" in providers.HOSTS["openai"].whereabouts


def test_an_unknown_name_lists_the_known_ones(home):
    with pytest.raises(HostError, match="nebius.*vllm"):
        providers.connect("opnai")


def test_a_missing_key_names_the_variable_and_a_way_without(home, monkeypatch):
    monkeypatch.delenv("NEBIUS_API_KEY", raising=False)
    with pytest.raises(HostError, match="NEBIUS_API_KEY.*needs none"):
        providers.connect("nebius")


def test_the_address_of_openai_cannot_be_moved_by_the_environment(home, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-mine")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://evil.example/v1")
    assert str(providers.connect("openai").base_url) == "https://api.openai.com/v1/"


def test_a_key_may_stand_in_env_file_above(home, monkeypatch):
    monkeypatch.delenv("NEBIUS_API_KEY", raising=False)
    (home / ".env").write_text('NEBIUS_API_KEY="nb$x"\n')
    (home / "notebooks").mkdir()
    monkeypatch.chdir(home / "notebooks")
    assert providers.connect("nebius").api_key == "nb$x"


def test_staying_local_forbids_every_other_machine(home, monkeypatch):
    monkeypatch.setenv("KIT_STAY_LOCAL", "1")
    for name, host in providers.hosts().items():
        if host.leaves_machine:
            with pytest.raises(ConsentError, match="KIT_STAY_LOCAL"):
                providers.connect(name, may_train_on_prompts=name)
    assert providers.connect("ollama")


@pytest.mark.parametrize(
    "endpoint, url",
    [
        ("https://mine.openai.azure.com/", "https://mine.openai.azure.com/openai/v1/"),
        ("https://mine.openai.azure.com/openai/v1/", "https://mine.openai.azure.com/openai/v1/"),
        (
            "https://r.services.ai.azure.com/api/projects/p/openai/v1",
            "https://r.services.ai.azure.com/api/projects/p/openai/v1/",
        ),
    ],
)
def test_azure_takes_the_readers_own_address(home, monkeypatch, endpoint, url):
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "az-key")
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", endpoint)
    client = providers.connect("azure")
    assert str(client.base_url) == url
    assert providers.host_of(client).name == "azure" and "azure.com" in providers.host_of(client).whereabouts


@pytest.mark.parametrize(
    "endpoint", ["", "https://mine.example.com", "http://mine.openai.azure.com", "https://openai.azure.com.evil.io"]
)
def test_azure_key_goes_to_azure_only(home, monkeypatch, endpoint):
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "az-key")
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", endpoint)
    with pytest.raises(HostError, match="AZURE_OPENAI_ENDPOINT"):
        providers.connect("azure")


def test_any_other_address(home, monkeypatch, host):
    monkeypatch.setenv("GATEWAY_KEY", host.key)
    client = providers.connect(host.base_url, key_variable="GATEWAY_KEY")
    assert [job.id for job in client.fine_tuning.jobs.list()] == []
    assert not providers.host_of(client).leaves_machine


@pytest.mark.parametrize("url", ["http://gateway.example.com/v1", "ftp://x/v1", "https://user:pw@host/v1", "https://"])
def test_addresses_that_would_expose_a_key_are_refused(home, url):
    with pytest.raises(HostError):
        providers.connect(url)


def test_a_host_of_the_readers_own_file(home, monkeypatch, host):
    (home / "hosts.toml").write_text(
        f'[rehearsal]\nbase_url = "{host.base_url}"\nkey_variable = "REHEARSAL_KEY"\nlike = "nebius"\n'
    )
    monkeypatch.setenv("REHEARSAL_KEY", host.key)
    found = providers.host_of(providers.connect("rehearsal"))
    assert found.name == "rehearsal" and found.hyperparameters == "top-level" and not found.leaves_machine
    assert found.key_variable == "REHEARSAL_KEY" and found.seen == "read"


def test_all_faults_of_an_own_file_are_told_at_once(home):
    (home / "hosts.toml").write_text(
        '[openai]\nbase_url = "https://evil.example/v1"\n'
        '[a]\nbase_url = "http://plain.example/v1"\n[b]\nbase_url = "https://b.example"\nlike = "bedrock"\n'
        '[c]\nbase_url = "https://c.example"\nurl = "x"\n'
    )
    with pytest.raises(HostError) as caught:
        providers.connect("a")
    for word in ("[openai]", "[a]", "not encrypted", "[b]", "bedrock", "[c]", "unknown keys: url"):
        assert word in str(caught.value)


@pytest.mark.parametrize("name", [h.name for h in providers.HOSTS.values() if not h.trains])
def test_hosts_for_prompting_refuse_training_with_reason_and_alternatives(name):
    with pytest.raises(HostError) as caught:
        providers.HOSTS[name].refuse_training()
    assert providers.HOSTS[name].why_not in str(caught.value)
    assert '"local" (open to: anyone)' in caught.value.fix and '"nebius"' in caught.value.fix


def test_hyperparameters_go_where_each_host_wants_them():
    asked = {"n_epochs": 3, "batch_size": "auto"}
    assert providers.HOSTS["openai"].job_settings(asked) == {
        "method": {"type": "supervised", "supervised": {"hyperparameters": asked}}
    }
    assert providers.HOSTS["nebius"].job_settings(asked) == {"hyperparameters": {"lora": True, "n_epochs": 3}}
    assert providers.HOSTS["nebius"].job_settings({"lora": False}) == {"hyperparameters": {"lora": False}}


def test_a_multiplier_is_not_taken_for_a_rate():
    nebius = providers.HOSTS["nebius"]
    with pytest.raises(HostError, match="learning rate itself"):
        nebius.job_settings({"learning_rate_multiplier": 1.0})
    assert (
        nebius.job_settings({"learning_rate_multiplier": 2e-5})["hyperparameters"]["learning_rate_multiplier"] == 2e-5
    )


def test_the_provider_page_dates_every_cell_and_knows_every_host():
    page = providers.page(on=date(2026, 11, 23))
    assert sorted(page.index) == sorted(row["provider"] for row in facts.rows("providers"))
    for place, text in page.drop(columns=["name", "door", "connect"]).stack().items():
        assert re.search(r"\[as of \d{4}", text), place
    assert "not run by us" in page.loc["nebius", "connect"] and "run by us" in page.loc["local", "connect"]
    assert "prompt and compare only" in page.loc["together", "connect"]
    assert "2027-01-06" in page.loc["openai", "next dates"]


def test_the_provider_page_follows_the_day():
    assert "2027-01-14" in providers.page(on=date(2027, 1, 7)).loc["openai", "next dates"]


def test_the_table_explains_its_keys():
    text = SHIPPED.read_text(encoding="utf-8")
    used = set(re.findall(r"^(\w+) = ", text, re.MULTILINE))
    comments = "\n".join(line for line in text.splitlines() if line.startswith("#"))
    plain = {"default_model", "why_not", "as_of", "source", "facts_name", "path", "key_optional"}
    assert {key for key in used - plain if not re.search(rf"\b{key}\b", comments)} == set()
    assert used <= set(Host.__dataclass_fields__)


def test_a_rehearsal_announces_the_end_of_its_models_and_stop_ends_it_too(home):
    client = providers.rehearse("retiring", shutdown_date=date(2027, 1, 14))
    try:
        assert providers.rehearse("retiring").base_url == client.base_url
        assert {model.shutdown_date for model in client.models.list()} == {"2027-01-14"}
        assert client.models.retrieve(providers.LOCAL.default_model).shutdown_date == "2027-01-14"
    finally:
        done = subprocess.run([sys.executable, "-m", "helpers.providers", "stop"], capture_output=True, text=True)
    assert done.stdout == "stopped\n" and providers.local.running(providers.rehearsal_home("retiring")) is None


@pytest.mark.parametrize(
    ("host", "day", "does"),
    [
        ("openai", "2026-11-29", "upload, train (open to: existing customers), prompt"),
        ("openai", "2027-01-06", "prompt and compare only: nobody can start a job there"),
        ("azure", "2026-11-29", "upload, train (gpt-4.1-mini-2025-04-14, the default here: not verified), prompt"),
        ("azure", "2027-05-01", "the default here: may have ended, no earlier than 2027-04-14"),
        ("nebius", "2029-01-01", "upload, train, prompt"),
    ],
)
def test_the_page_trains_nowhere_where_nobody_can(host, day, does):
    assert does in providers.page(on=date.fromisoformat(day)).loc[host, "connect"]


def test_after_the_last_date_the_page_says_what_was_and_not_that_nothing_is_known():
    line = providers.page(on=date(2027, 1, 15)).loc["openai"]
    assert line["next dates"].startswith("none announced; the last: 2027-01-14") and line["door"] == "nobody"
    assert line["training, USD per 1M tokens"].startswith("nobody can buy it any more; it was 0.4")
    assert line["hosting a tuned model"].startswith("ended: no model tuned there answers")
    assert providers.HOSTS["openai"].after_training_on(date(2027, 1, 15)).startswith("Nothing tuned here answers")
    assert providers.HOSTS["openai"].after_training_on(date(2027, 1, 13)) == providers.HOSTS["openai"].after_training


def test_the_page_begins_with_who_is_open_and_says_its_age_first_when_it_is_old():
    doors = list(providers.page(on=date(2026, 11, 29))["door"])
    assert doors == sorted(doors, key=list(facts.WHO.values()).index) and doors[0] == "anyone"
    assert providers.page(on=date(2026, 11, 29)).attrs["age"] == ""
    assert "764 days before 2029-01-01" in providers.page(on=date(2029, 1, 1)).attrs["age"]


def test_a_refusal_names_only_hosts_where_somebody_can_train(monkeypatch):
    monkeypatch.setenv("KIT_TODAY", "2027-01-06")
    with pytest.raises(HostError) as caught:
        providers.HOSTS["together"].refuse_training()
    assert '"openai"' not in caught.value.fix and '"nebius" (open to: anyone)' in caught.value.fix


@pytest.mark.priced
@pytest.mark.parametrize("name", ["vllm", "ollama"])
def test_a_port_where_a_free_server_usually_listens_is_free_only_when_the_reader_names_the_server(name):
    address = providers.HOSTS[name].base_url
    by_name, by_address = providers.connect(name), providers.connect(address)
    assert providers.is_free(by_name) and providers.is_free(by_name.with_options(max_retries=0))
    assert providers.identity(by_name) == providers.host_of(by_name).name == name
    assert not providers.is_free(by_address), "it may be a proxy to a paid host"
    assert providers.identity(by_address) == address[7:-3], "kept answers of two servers are never shared"
    by_hand = openai.OpenAI(base_url=address, api_key="x")
    assert not providers.is_free(by_hand) and providers.identity(by_hand) == address[7:-3]


# --- how long a host asks to wait ---


NEW_YEAR, SOON = "Mon, 01 Jan 2001 00:00:00 GMT", "Mon, 01 Jan 2001 00:00:09 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"retry-after": SOON, "date": NEW_YEAR}, 9.0),  # by the host's clock, which may not be ours
        ({"retry-after": NEW_YEAR}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Mon, 01 Foo 2001 00:00:00 GMT"}, None),
        ({"retry-after": "Mon, 01 Jan 99999 00:00:00 GMT"}, None),
        ({"retry-after": "Mon, 01 Jan 99999999999 00:00:00 GMT"}, None),
        ({}, None),
    ],
)
def test_how_long_a_host_asks_to_wait(headers: dict[str, str], seconds: float | None):
    response = httpx2.Response(429, headers=headers, request=httpx2.Request("GET", "http://x/v1"))
    assert asked_to_wait(openai.RateLimitError("slow down", response=response, body=None)) == seconds


def test_an_answer_that_never_came_asks_for_nothing():
    assert asked_to_wait(openai.APIConnectionError(request=httpx2.Request("GET", "http://x/v1"))) is None
