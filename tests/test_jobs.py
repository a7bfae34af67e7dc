"""Jobs on good days and bad: one upload, one job, no lost id, whatever happens on the way."""

from __future__ import annotations

import json
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import openai
import pytest
from evaluate_host import Host, error
from faulty_proxy import CLIENT_GIVES_UP, FAULTS, FaultyProxy, at_random
from job_host import STEPS, JobHost
from running_api import chat_rows

from helpers import facts, jobs, providers
from helpers.errors import ConsentError, HostError, JobError
from helpers.jobs import forecast, retry

SETTLING = retry.SETTLING


@pytest.fixture
def quick(monkeypatch):
    """The same patience on a smaller scale."""
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.1)
    monkeypatch.setattr(retry, "LONGEST_PAUSE", 0.4)
    monkeypatch.setattr(retry, "SETTLING", 0.2)


@pytest.fixture(params=["openai", "nebius"])
def host(request, tmp_path, monkeypatch):
    """A host in each of the two shapes, named in a hosts.toml of the test's own."""
    running = JobHost(request.param, job_seconds=1.0)
    _name(running, request.param, tmp_path, monkeypatch)
    yield running
    running.close()


def _name(running, shape, home, monkeypatch):
    monkeypatch.setenv("KIT_HOME", str(home))
    monkeypatch.setenv("REHEARSAL_KEY", running.key)
    (home / "hosts.toml").write_text(
        f'[rehearsal]\nbase_url = "{running.base_url}"\nkey_variable = "REHEARSAL_KEY"\nlike = "{shape}"\n'
        'default_model = "base"\n'
    )


def rows(tmp_path, name="train", n=12):
    path = tmp_path / f"{name}.jsonl"
    path.write_bytes(chat_rows(n).replace(b"parcel", name.encode()))
    return path


# The same journey at two hosts --------------------------------------------------------------------------------------


def test_one_source_two_hosts(host, tmp_path, quick):
    client = providers.connect("rehearsal")
    file = jobs.upload(client, rows(tmp_path))
    assert jobs.upload(client, rows(tmp_path)).id == file.id
    asked = {"suffix": "mine", "hyperparameters": {"n_epochs": 2, "batch_size": "auto"}}
    job = jobs.start(client, file.id, **asked)
    assert jobs.start(client, file.id, **asked).id == job.id
    assert jobs.start(client, file.id, suffix="mine", hyperparameters={"n_epochs": 3}).id != job.id
    shares = []
    done = jobs.watch(client, job.id, on_progress=lambda p: shares.append(p.share), every=0.05)
    assert done.status == "succeeded" and shares == sorted(shares) and shares[-1] == 1.0
    assert 0 < shares[len(shares) // 2] < 1
    curve = jobs.curve(client, job.id)
    assert list(curve["step"]) == (list(range(1, STEPS + 1)) if host.shape == "openai" else [STEPS // 2, STEPS])
    assert jobs.messages(client, job.id) == ["Job is submitted"]
    result = jobs.result(client, job.id)
    assert len(result.checkpoints) == 2 and result.next_step
    assert (result.model is None) == (host.shape == "nebius")
    if host.shape == "openai":
        assert jobs.answering(client, job.id) == result.model
        points = jobs.passes(client, job.id)
        assert points["epoch"].tolist() == [1, 2] and tuple(points["model"]) == result.checkpoints
        assert points["step"].is_monotonic_increasing and points["loss"].dtype == float
    if host.shape == "nebius":
        with pytest.raises(JobError, match="not deployed") as caught:
            jobs.answering(client, job.id)
        assert "hour" in caught.value.fix and "the job's id" in caught.value.fix
        with pytest.raises(JobError, match="not deployed"):  # its checkpoints cannot be called either
            jobs.passes(client, job.id)
        host.deployed.add(job.id)
        assert jobs.answering(client, job.id) == job.id
        points = jobs.passes(client, job.id)
        assert points[["epoch", "step", "model"]].values.tolist() == [[2, STEPS, job.id]]
        saved = jobs.download(client, job.id, tmp_path / "weights")
        assert [path.read_bytes() for path in saved] == [b"weights of step 3", b"weights of step 6"]
        assert jobs.download(client, job.id, tmp_path / "weights") == saved


@pytest.mark.parametrize("host", ["openai"], indirect=True)
@pytest.mark.parametrize(
    "kept, epochs, numbers",
    [((5, 6), 6, [5, 6]), ((2, 4, 6), 2, [0.67, 1.33, 2]), ((3, 6), "auto", [1, 2]), ((), 3, [3]), ((), "auto", [1])],
)
def test_passes_are_numbered_by_steps_and_a_host_may_keep_none(host, tmp_path, quick, kept, epochs, numbers):
    host.kept_steps = kept
    client = providers.connect("rehearsal")
    asked = {} if epochs == "auto" else {"hyperparameters": {"n_epochs": epochs}}
    job = jobs.start(client, jobs.upload(client, rows(tmp_path)).id, **asked)
    jobs.watch(client, job.id, every=0.05)
    points = jobs.passes(client, job.id)
    assert points["epoch"].tolist() == numbers and points["model"].notna().all()
    if not kept:
        assert points["model"].tolist() == [jobs.answering(client, job.id)] and points["loss"].isna().all()


def test_what_is_asked_for_is_in_the_hosts_own_shape(host, tmp_path):
    client = providers.connect("rehearsal")
    jobs.start(client, jobs.upload(client, rows(tmp_path)).id, hyperparameters={"n_epochs": 2})
    asked = json.loads(
        next(body for method, path, _, body in host.requests if (method, path[-5:]) == ("POST", "/jobs"))
    )
    if host.shape == "nebius":
        assert asked["hyperparameters"] == {"lora": True, "n_epochs": 2} and "method" not in asked
        assert "metadata" not in asked
    else:
        assert asked["method"]["supervised"]["hyperparameters"] == {"n_epochs": 2}
        assert "hyperparameters" not in asked and asked["metadata"]["kit_request"]


@pytest.mark.parametrize("name", ["openai", "azure", "nebius"])
def test_where_nothing_can_be_measured_beforehand_the_forecast_says_what_is_known(name, tmp_path, monkeypatch):
    monkeypatch.setenv("KIT_TODAY", "2026-11-23")
    host, path = providers.HOSTS[name], rows(tmp_path)
    client = openai.OpenAI(base_url=host.base_url or "https://mine.openai.azure.com/openai/v1", api_key="none")
    said = jobs.predict(client, path, training_file="file-1", hyperparameters={"n_epochs": 3})
    assert said.minutes is None and "queue" in said.sentence
    assert (said.usd is None) == ("not known" in said.sentence or "price is unknown" in said.sentence)
    if name != "azure":  # no price of training was found there
        assert 0 < said.usd < 0.1 and "as of 20" in said.sentence
    ended = openai.types.fine_tuning.FineTuningJob.construct(
        created_at=said.made + 60, finished_at=said.made + 180, trained_tokens=900
    )
    assert said.against(ended) == "No prediction, took 2.0 min; 900 tokens trained, epochs included."
    found = ended.model_copy(update={"created_at": said.made - 3600, "finished_at": said.made - 3480})
    assert said.against(found).startswith("The job of an earlier run, found again, took 2.0 min; "), "not forecast now"


def test_a_probe_that_takes_too_long_is_told_so(tmp_path, monkeypatch):
    """A large model's probe on a busy machine: lesson 3 broke off with the client's own timeout."""
    monkeypatch.setattr(forecast, "ESTIMATE_SECONDS", 0.3)
    host = Host(delay=2)
    with pytest.raises(JobError, match="probe of .* did not end.*smaller model"):
        jobs.predict(host.client(), rows(tmp_path), training_file="file-1", model="qwen3-1.7b")
    host.close()


def test_the_price_is_that_of_the_model_that_is_asked_for(tmp_path, monkeypatch):
    """A job of a dearer model would pass a limit that the default one's price is held against."""
    monkeypatch.setenv("KIT_TODAY", "2026-11-23")
    client, path = openai.OpenAI(base_url="https://api.openai.com/v1", api_key="none"), rows(tmp_path)
    usual, dearer, unknown = (
        jobs.predict(client, path, training_file="file-1", hyperparameters={"n_epochs": 3}, model=model).usd
        for model in ("", "gpt-4.1-2025-04-14", "gpt-nobody-knows")
    )
    assert unknown is None and dearer > 2 * usual


def test_a_price_per_hour_is_told_with_its_date_or_not_at_all():
    said = jobs.price_while_deployed(providers.HOSTS["azure"])
    assert "$1.70 an hour" in said and "as of 2026-03-19" in said
    assert "not known" in jobs.price_while_deployed(providers.HOSTS["openai"])


def test_nothing_is_uploaded_or_started_at_a_host_for_prompting(tmp_path):
    client = providers.connect("ollama")
    for act in (lambda: jobs.upload(client, rows(tmp_path)), lambda: jobs.start(client, "file-1")):
        with pytest.raises(HostError, match="Ollama runs models and trains none"):
            act()


def test_consent_comes_before_anything_is_sent(tmp_path):
    client = openai.OpenAI(base_url="https://api.openai.com/v1", api_key="sk-none")
    with pytest.raises(ConsentError, match="12 rows.*openai"):
        jobs.upload(client, rows(tmp_path))
    with pytest.raises(ConsentError, match="unknown price"):
        jobs.start(client, "file-1")
    with pytest.raises(ConsentError, match=r"\$3\.00"):
        jobs.start(client, "file-1", estimate_usd=3.0, spend_limit_usd=2.0)


@pytest.mark.parametrize("act", ["start", "predict"])
def test_settings_of_the_local_api_are_refused_for_a_host_elsewhere_and_nothing_is_sent(act, tmp_path):
    client = openai.OpenAI(base_url="https://api.openai.com/v1", api_key="sk-none")
    asked = {"hyperparameters": {"n_epochs": 3, "recipe": "thorough", "keep": "best"}}
    path = [rows(tmp_path)] if act == "predict" else []
    with pytest.raises(JobError, match="does not know recipe and keep") as caught:
        getattr(jobs, act)(client, *path, training_file="file-1", **asked)
    assert "keep: 'best'" in caught.value.got and "best_checkpoint" in caught.value.fix


# Bad days -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("shape", ["openai", "nebius"])
def test_each_fault_at_each_step(fault, shape, tmp_path, monkeypatch, quick):
    """The first request of each kind is spoiled in the same way, whatever it does."""
    behind, seen = JobHost(shape), set()

    def first_of_its_kind(method, path):
        kind = (method, path.split("?")[0].split("/ftjob")[0])
        return None if kind in seen else (seen.add(kind), fault)[1]

    proxy = FaultyProxy(behind.port, first_of_its_kind)
    try:
        _name(proxy_as_host(proxy, behind), shape, tmp_path, monkeypatch)
        client = providers.connect("rehearsal").with_options(timeout=CLIENT_GIVES_UP)
        job = jobs.start(client, jobs.upload(client, rows(tmp_path)).id, suffix="x")
        assert jobs.watch(client, job.id, every=0.05).status == "succeeded"
        assert_one_of_each(behind, {job.id: 1})
        assert proxy.injected[fault] >= 4
    finally:
        proxy.close(), behind.close()


def proxy_as_host(proxy, behind):
    proxy.key = behind.key
    return proxy


def assert_one_of_each(behind, wanted):
    """One file of each content; of each wanted job one that lives, and no other one that lives."""
    training = [file for file in behind.files.values() if file["purpose"] == "fine-tune"]
    assert len({file["filename"] for file in training}) == len(training), "a file is there twice"
    alive = [name for name in behind.jobs if behind.job(name)["status"] != "cancelled"]
    assert sorted(alive) == sorted(wanted), "a job is missing, or there twice"


def journeys(behind, faults, tmp_path, seed, flows, workers=12, share=0.35):
    """Run journeys side by side through a proxy until enough faults were injected; returns what went wrong."""
    proxy = FaultyProxy(behind.port, at_random(seed, share))
    wrong, ids, lock = [], {}, threading.Lock()

    def one(number):
        client = openai.OpenAI(
            base_url=proxy.base_url, api_key=behind.key, timeout=CLIENT_GIVES_UP, max_retries=3,
            http_client=openai.DefaultHttpxClient(trust_env=False),
        )  # fmt: skip
        try:
            file = jobs.upload(client, rows(tmp_path, f"data{number}"))
            job = jobs.start(client, file.id, model="base", suffix=f"s{number}")
            last = []
            done = jobs.watch(client, job.id, on_progress=last.append, every=0.05, patience=30)
            steps = list(last[-1].metrics["step"])
            if done.status != "succeeded" or steps != list(range(1, STEPS + 1)) or not done.fine_tuned_model:
                wrong.append((number, done.status, steps))
            if behind.jobs[job.id]["asked"]["suffix"] != f"s{number}":
                wrong.append((number, "somebody else's job"))
            with lock:
                ids[job.id] = number
        except Exception as error:  # any error is a wrong outcome: all faults pass
            wrong.append((number, repr(error)))

    try:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(one, range(flows)))
    finally:
        proxy.close()
    assert proxy.injected.total() >= faults, f"only {proxy.injected.total()} faults: {proxy.injected}"
    return wrong, ids, proxy.injected


def test_two_hundred_faults_no_wrong_outcome(tmp_path, quick, monkeypatch):
    monkeypatch.setattr(retry, "SETTLING", SETTLING)  # twelve at once, beside other tests: late ones come later
    behind = JobHost(skew=-86_400)  # its clock is a day behind
    wrong, ids, injected = journeys(behind, 200, tmp_path, seed=1, flows=56)
    behind.close()
    assert wrong == []
    assert set(injected) == set(FAULTS)
    assert_one_of_each(behind, ids)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(5))
def test_thousands_of_faults_no_wrong_outcome(seed, tmp_path, quick, monkeypatch):
    monkeypatch.setattr(retry, "SETTLING", SETTLING)
    behind = JobHost(skew=7_200)
    wrong, ids, _ = journeys(behind, 800, tmp_path, seed=100 + seed, flows=240)
    behind.close()
    assert wrong == []
    assert_one_of_each(behind, ids)


def test_without_the_kits_care_the_same_fault_makes_doubles(tmp_path, quick):
    """The test above can fail: the SDK alone repeats a request whose answer was lost, and so starts a job twice."""
    behind, spoiled = JobHost(), []

    def first_creation(method, path):
        return spoiled.append(path) or "drop though done" if method == "POST" and not spoiled else None

    file = behind.keep("a.jsonl", b"{}", "fine-tune")
    proxy = FaultyProxy(behind.port, first_creation)
    behind.client(base_url=proxy.base_url).fine_tuning.jobs.create(model="base", training_file=file["id"])
    proxy.close(), behind.close()
    assert len(behind.jobs) == 2


def test_a_failing_job_says_why(tmp_path, quick):
    behind = JobHost(fails=True)
    client = behind.client()
    job = jobs.start(client, jobs.upload(client, rows(tmp_path)).id, model="base")
    with pytest.raises(JobError, match="line 3 is bad"):
        jobs.watch(client, job.id, every=0.05)
    again = jobs.start(client, job.training_file, model="base")
    behind.close()
    assert again.id != job.id, "a job that failed is started anew"


def test_a_key_that_expires_while_a_job_runs(tmp_path, quick, monkeypatch):
    behind = JobHost(quotes_key=True, job_seconds=5, key="sk-secret-1234")
    client = behind.client()
    job = jobs.start(client, jobs.upload(client, rows(tmp_path)).id, model="base")
    behind.key = "another"
    with pytest.raises(HostError, match=rf"{job.id}.*refuses the key.*go on") as caught:
        jobs.watch(client, job.id, every=0.05)
    behind.close()
    assert "sk-secret" not in str(caught.value) and caught.value.__suppress_context__
    assert behind.job(job.id)["status"] == "running"


def test_a_short_outage_is_outlived_and_a_long_one_is_told(tmp_path, quick):
    behind = JobHost(job_seconds=1.5)
    down = threading.Event()
    proxy = FaultyProxy(behind.port, lambda *_: "drop" if down.is_set() else None)
    client = behind.client(base_url=proxy.base_url)
    job = jobs.start(client, jobs.upload(client, rows(tmp_path)).id, model="base")
    down.set()
    threading.Timer(0.8, down.clear).start()
    assert jobs.watch(client, job.id, every=0.05, patience=10).status == "succeeded"
    down.set()
    with pytest.raises(HostError, match=f"{job.id}.*continues"):
        jobs.watch(client, job.id, every=0.05, patience=0.5)
    proxy.close(), behind.close()


def test_only_new_events_are_asked_for(tmp_path, quick):
    behind = JobHost(job_seconds=1)
    client = behind.client()
    job = jobs.start(client, jobs.upload(client, rows(tmp_path)).id, model="base")
    looks = []
    jobs.watch(client, job.id, on_progress=looks.append, every=0.02)
    pages = [path for _, path, _, _ in behind.requests if "/events" in path]
    behind.close()
    assert len(pages) == len(looks), "one page of events a look"
    assert len(looks[-1].metrics) == STEPS


@pytest.mark.parametrize(
    "status, headers, goes_on",
    [
        (429, {}, True),
        (429, {"retry-after": "7"}, True),
        (500, {}, True),
        (503, {}, True),
        (408, {}, True),
        (400, {}, False),
        (409, {}, False),
        (501, {}, False),
        (507, {}, False),
    ],
)
def test_what_may_pass_is_tried_again_and_the_rest_is_told(status, headers, goes_on):
    error = broken(status, headers)
    assert retry.passing(error) is goes_on
    if "retry-after" in headers:
        assert retry.pause(error, 0) == 7.0


def broken(status, headers, code=None):
    import httpx2

    request = httpx2.Request("GET", "http://x/v1", headers={"authorization": "Bearer sk-123456"})
    response = httpx2.Response(status, headers=headers, request=request)
    kind = openai.RateLimitError if status == 429 else openai.APIStatusError
    return kind("said sk-123456", response=response, body={"message": "said sk-123456", "code": code})


def test_an_empty_account_is_no_rate_limit():
    assert not retry.passing(broken(429, {}, code="insufficient_quota"))


def test_the_key_is_never_in_a_reason():
    assert jobs.reason(broken(400, {})) == "said ***"


# What is left -------------------------------------------------------------------------------------------------------


def test_inventory_and_deleting(tmp_path, quick):
    behind = JobHost()
    client = behind.client()
    file = jobs.upload(client, rows(tmp_path))
    job = jobs.start(client, file.id, model="smollm2-135m-instruct")
    assert list(jobs.inventory(client)["kind"]) == ["file", "job"]
    model = jobs.watch(client, job.id, every=0.05).fine_tuned_model
    left = jobs.inventory(client).set_index("id")
    assert list(left["kind"]) == ["file", "model"] and left.loc[model, "usd_per_hour"] == 0.0
    for _ in range(2):  # the second time they are gone already, which is no error
        jobs.delete_file(client, file.id), jobs.delete_model(client, model)
    assert jobs.inventory(client).empty
    behind.close()


def test_inventory_of_tunes_that_die_with_openai(tmp_path, monkeypatch):
    """What a reader with old tunes sees: days left and cost, from the facts, with date and source."""
    monkeypatch.setenv("KIT_TODAY", "2026-11-23")
    from types import SimpleNamespace

    from helpers.jobs.inventory import _model

    old = SimpleNamespace(id="ft:gpt-4o-mini-2024-07-18:acme::abc", created=1_700_000_000)
    line = _model(old, None, providers.HOSTS["openai"])
    assert (line["days_left"], line["usd_per_hour"]) == (52, 0.0) and "2027-01-14" in line["note"]
    on_azure = SimpleNamespace(id="gpt-4.1-mini-2025-04-14.ft-b044", created=1_700_000_000)
    line = _model(on_azure, None, providers.HOSTS["azure"])
    assert line["usd_per_hour"] == 1.70 and "as of" in line["note"]
    own_word = SimpleNamespace(id="ft:base:x::1", created=1, shutdown_date="2026-12-03")
    assert _model(own_word, None, providers.LOCAL)["days_left"] == 10


@pytest.mark.parametrize("day", ["2027-01-14", "2027-01-15", "2027-01-23", "2029-01-01"])
def test_days_left_never_fall_below_zero(monkeypatch, day):
    monkeypatch.setenv("KIT_TODAY", day)
    from types import SimpleNamespace

    from helpers.jobs.inventory import _model

    old = SimpleNamespace(id="ft:gpt-4o-mini-2024-07-18:acme::abc", created=1_700_000_000)
    line = _model(old, None, providers.HOSTS["openai"])
    assert line["days_left"] == 0 and "ended on 2027-01-14" in line["note"] and "ends on" not in line["note"]
    own_word = SimpleNamespace(id="ft:base:x::1", created=1, shutdown_date="2026-12-03")
    line = _model(own_word, None, providers.LOCAL)
    assert line["days_left"] == 0
    assert line["note"] == "on your own disk; ended on 2026-12-03, according to the host", "two notes, not one sentence"


def test_no_earlier_than_stands_beside_the_day_of_a_leftover(monkeypatch):
    monkeypatch.setenv("KIT_TODAY", "2026-11-29")
    from types import SimpleNamespace

    from helpers.jobs.inventory import _model

    on_azure = SimpleNamespace(id="gpt-4.1-mini-2025-04-14.ft-b044", created=1_700_000_000)
    assert "ends no earlier than 2027-10-14" in _model(on_azure, None, providers.HOSTS["azure"])["note"]


@pytest.fixture
def with_dates(tmp_path, monkeypatch, quick):
    """A host whose dates are OpenAI's: for existing customers from 2026-05-07, for nobody from 2027-01-06."""
    running = JobHost("openai", job_seconds=0.1)
    _name(running, "openai", tmp_path, monkeypatch)
    with open(tmp_path / "hosts.toml", "a", encoding="utf-8") as file:
        file.write('facts_name = "openai"\n')
    yield running
    running.close()


@pytest.mark.parametrize(
    ("day", "said"),
    [("2026-05-06", ""), ("2026-11-29", "existing customers"), ("2027-01-06", "who may fine-tune: nobody")],
)
def test_a_job_at_a_host_that_the_facts_call_closed_is_started_with_a_warning(
    with_dates, tmp_path, monkeypatch, day, said
):
    monkeypatch.setenv("KIT_TODAY", "2026-05-06")
    client = providers.connect("rehearsal")
    training = jobs.upload(client, rows(tmp_path))
    monkeypatch.setenv("KIT_TODAY", day)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert jobs.start(client, training.id, model="gpt-4o-mini-2024-07-18").id
    found = [str(one.message) for one in told if "dated facts" in str(one.message)]
    assert len(found) == bool(said) and all(said in text for text in found)
    for text in found:
        events = [event["what"] for event in facts.life("gpt-4o-mini-2024-07-18", "openai")]
        assert [what for what in events if text.count(what) > 1] == [], "each event is said once"


@pytest.mark.parametrize("day", ["2027-01-06", "2029-01-01"])
def test_where_nobody_can_start_a_job_any_more_no_row_is_sent(with_dates, tmp_path, monkeypatch, day):
    monkeypatch.setenv("KIT_TODAY", day)
    client = providers.connect("rehearsal")
    with pytest.raises(HostError, match="no rows are sent") as refused:
        jobs.upload(client, rows(tmp_path))
    assert "2027-01-06: nobody can start jobs" in refused.value.got
    assert '"nebius"' in refused.value.fix and "life.csv" in refused.value.fix
    assert "no rows are sent" in jobs.obstacle("rehearsal")
    assert not with_dates.files and not with_dates.requests


def test_who_may_start_jobs_is_said_before_rows_are_sent(with_dates, tmp_path, monkeypatch):
    monkeypatch.setenv("KIT_TODAY", "2026-11-29")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        with pytest.raises(UserWarning, match="dated facts.*existing customers only"):
            jobs.upload(providers.connect("rehearsal"), rows(tmp_path))
    assert not with_dates.requests


def test_the_real_local_api_on_a_bad_day(local_api, tmp_path, quick):
    """The whole path once, through a proxy that spoils a quarter of all requests."""
    proxy = FaultyProxy(urlsplit(local_api.ready["base_url"]).port, at_random(seed=4, share=0.25))
    client = local_api.client(base_url=proxy.base_url)
    file = jobs.upload(client, rows(tmp_path, "real"))
    assert jobs.upload(client, rows(tmp_path, "real")).id == file.id
    asked = {"model": "tiny", "hyperparameters": {"n_epochs": 1, "batch_size": 4}, "seed": 3}
    job = jobs.start(client, file.id, **asked)
    assert jobs.start(client, file.id, **asked).id == job.id
    shares = []
    done = jobs.watch(client, job.id, on_progress=lambda p: shares.append(p.share), every=0.2)
    result = jobs.result(client, job.id)
    assert result.model == done.fine_tuned_model and shares[-1] == 1.0
    [table] = jobs.download(client, job.id, tmp_path / "out")
    assert table.read_text().startswith("step,")
    left = jobs.inventory(client).set_index("id")
    assert {file.id, result.model} <= set(left.index)
    assert jobs.cancel(client, job.id).status == "succeeded"
    jobs.delete_model(client, result.model), jobs.delete_file(client, file.id)
    assert not {file.id, result.model} & set(jobs.inventory(client)["id"])
    with pytest.raises(JobError, match="knows no job"):
        jobs.look(client, "ftjob-none")
    with pytest.raises(JobError, match="tiny2"):
        jobs.start(client, file.id, model="tiny2")
    proxy.close()
    assert proxy.injected.total() >= 5
    assert len([job for job in local_api.client().fine_tuning.jobs.list() if job.training_file == file.id]) == 1


@pytest.mark.parametrize(
    ("status", "param", "advice"),
    [
        (400, "training_file", "Upload the files again"),
        (400, "model", "name another model"),
        (500, None, "the server's log"),
        (503, None, "the server's log"),
    ],
)
def test_files_are_to_be_uploaded_again_only_where_the_server_lacks_them(status, param, advice, tmp_path):
    host = Host(lambda body, n: error(status, "It cannot be done.", param=param))
    file = tmp_path / "train.jsonl"
    file.write_bytes(chat_rows(20))
    with pytest.raises(JobError, match="It cannot be done") as caught:
        jobs.predict(host.client(), file, training_file="file-1")
    assert advice in caught.value.fix and ("Upload" in caught.value.fix) == (param == "training_file")
    host.close()
