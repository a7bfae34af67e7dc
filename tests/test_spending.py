"""Before money is spent and before data leaves: a real host on this machine that is taken for a paid one far away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import openai
import pytest
from job_host import JobHost
from running_api import chat_rows

from helpers import costs, jobs, providers
from helpers.errors import ConsentError
from helpers.jobs import forecast, running, uploads

MODEL = "gpt-4o-mini-2024-07-18"


@pytest.fixture
def paid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[JobHost]:
    """A running host in OpenAI's shape; the rooms that ask for consent see a host that leaves the machine."""
    host = JobHost("openai")
    monkeypatch.setenv("KIT_HOME", str(tmp_path))
    monkeypatch.setenv("KIT_TODAY", "2026-11-23")
    monkeypatch.setenv("REHEARSAL_KEY", host.key)
    (tmp_path / "hosts.toml").write_text(
        f'[rehearsal]\nbase_url = "{host.base_url}"\nkey_variable = "REHEARSAL_KEY"\nlike = "openai"\n'
    )
    for room in (forecast, running, uploads):
        monkeypatch.setattr(room, "host_of", _far_away)
    yield host
    host.close()


def _far_away(client: openai.OpenAI) -> providers.Host:
    seen = providers.host_of(client)
    return replace(seen, name="paid", leaves_machine=True, facts_name="openai", default_model=MODEL)


def _posted(host: JobHost, end: str) -> int:
    return sum(method == "POST" and path.endswith(end) for method, path, *_ in host.requests)


@pytest.mark.filterwarnings("ignore:paid, according to the dated facts")
def test_a_job_starts_only_within_the_limit_and_the_band_counts(paid: JobHost, tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(chat_rows(200))
    client = providers.connect("rehearsal")
    with pytest.raises(ConsentError, match="200 rows.*paid"):
        jobs.upload(client, path)
    assert not _posted(paid, "/files"), "nothing left before the reader allowed it"
    file = jobs.upload(client, path, may_upload_to="paid")

    said = jobs.predict(client, path, training_file=file.id)
    band = costs.job_estimate(MODEL, costs.count(path, MODEL).band, examples=200)
    assert said.usd == pytest.approx(band.high.total) and band.low.total < said.usd
    for limit, estimate in ((0, said.usd), (band.low.total, said.usd), (1e9, None)):
        with pytest.raises(ConsentError, match="SPEND_LIMIT_USD"):
            jobs.start(client, file.id, spend_limit_usd=limit, estimate_usd=estimate)
    assert not _posted(paid, "/jobs"), "nothing was started above the limit, or at an unknown price"

    job = jobs.start(client, file.id, spend_limit_usd=said.usd, estimate_usd=said.usd)
    assert job.status in ("queued", "running", "validating_files", "succeeded") and _posted(paid, "/jobs") == 1


def test_a_refusal_names_the_sum(paid: JobHost) -> None:
    client = providers.connect("rehearsal")
    with pytest.raises(ConsentError, match=r"up to \$12\.35.*SPEND_LIMIT_USD is 2\.00") as caught:
        jobs.start(client, "file-1", estimate_usd=12.3456, spend_limit_usd=2)
    assert "nothing was started" in caught.value.fix
    with pytest.raises(ConsentError):
        jobs.start(client, "file-1", estimate_usd=float("nan"), spend_limit_usd=1e9)
    assert not paid.requests


@pytest.mark.parametrize("name", [name for name, host in providers.HOSTS.items() if host.leaves_machine])
def test_while_tests_run_no_host_but_this_machine_can_be_reached(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """``conftest.py`` sets the switch for the whole process; here it is looked at, not set."""
    monkeypatch.setenv(providers.HOSTS[name].key_variable or "UNUSED", "sk-not-a-real-key")
    with pytest.raises(ConsentError, match="KIT_STAY_LOCAL"):
        providers.connect(name, may_train_on_prompts=name)


def test_what_a_refusal_says_can_be_kept(paid: JobHost) -> None:
    band = costs.job_estimate(MODEL, (1_000_000, 1_003_000), epochs=3)
    assert band.exceeds(band.low.total) and not band.exceeds(band.high.total)
    assert json.dumps(band.high.to_dict())
