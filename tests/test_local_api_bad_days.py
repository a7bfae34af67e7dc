"""Kills, crashes, second servers, dead proxies: nothing finished is lost, nothing half-done is seen, all goes on."""

from __future__ import annotations

import http.client
import json
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import openai
import psutil
import pytest
from running_api import TINY, Api, chat_rows, wait_until

from helpers.providers import local

HELLO = [{"role": "user", "content": "Hello"}]
EPOCHS, STEPS = 8, 80


def start(api: Api):
    """A job of 8 epochs of 10 steps: a few seconds of training on the tiny model."""
    client = api.client()
    file = client.files.create(file=("train.jsonl", chat_rows(40)), purpose="fine-tune")
    settings = {"n_epochs": EPOCHS, "batch_size": 4}
    method = {"type": "supervised", "supervised": {"hyperparameters": settings}}
    return client.fine_tuning.jobs.create(model=TINY, training_file=file.id, seed=1, suffix="kill", method=method)


def trainers(api: Api) -> list[psutil.Process]:
    """Living trainers of this API's jobs, whoever their parent is."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        line = process.info["cmdline"] or []
        if "helpers.local_api.training" in line and line[-1].startswith(str(api.home)):
            found += [process] if process.info["status"] != psutil.STATUS_ZOMBIE else []
    return found


def steps(api: Api, job_id: str) -> list[int]:
    events = api.client().fine_tuning.jobs.list_events(job_id, limit=1000)
    return [event.data["step"] for event in reversed(list(events)) if event.type == "metrics"]


def messages(api: Api, job_id: str) -> list[str]:
    events = api.client().fine_tuning.jobs.list_events(job_id, limit=1000)
    return [event.message for event in reversed(list(events)) if event.type == "message"]


def resumed(api: Api, job_id: str) -> list[int]:
    """The steps from which the job went on after an interruption."""
    told = [text for text in messages(api, job_id) if text.startswith("Resumed from step")]
    return [int(text.split()[3].split("/")[0]) for text in told]


def until_step(api: Api, job_id: str, step: int) -> None:
    wait_until(lambda: (steps(api, job_id) or [0])[-1] >= step)


def succeeded(api: Api, job_id: str):
    client = api.client()
    job = wait_until(lambda: (job := client.fine_tuning.jobs.retrieve(job_id)).finished_at and job)
    assert job.status == "succeeded", job.error
    return job


def adapter(api: Api, job_id: str) -> bytes:
    return (api.home / f"jobs/{job_id}/checkpoints/step-{STEPS}/adapter_model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def adopted(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[tuple[Api, str]]:
    """A job whose server was killed and started again while its trainer worked on, undisturbed."""
    api = Api(tmp_path_factory.mktemp("adopted") / "home", ["--model", f"{TINY}={tiny_model}"]).start()
    job = start(api)
    until_step(api, job.id, 2)
    [orphan] = trainers(api)
    api.kill()
    api.start()
    until_step(api, job.id, 20)
    assert trainers(api) == [orphan], "adopted, not doubled"
    succeeded(api, job.id)
    yield api, job.id
    api.stop()


def test_kill_9_of_the_server_alone_adopts_its_trainer(adopted: tuple[Api, str]):
    api, job_id = adopted
    assert steps(api, job_id) == list(range(1, STEPS + 1)), "each step told once"
    assert not resumed(api, job_id)


def test_a_job_survives_every_kind_of_kill(fragile_api: Api, adopted: tuple[Api, str]):
    """The trainer is killed, the server is stopped, both are killed: the same job id succeeds, each step is told once,
    no checkpoint is lost, and the adapter is that of an undisturbed run, byte by byte."""
    job, seen = start(fragile_api), []

    def until_it_went_on() -> None:
        wait_until(lambda: len(resumed(fragile_api, job.id)) == len(seen))
        until_step(fragile_api, job.id, seen[-1] + 3 if seen else 12)
        seen.append(steps(fragile_api, job.id)[-1])

    until_it_went_on()
    for trainer in trainers(fragile_api):
        trainer.kill()

    until_it_went_on()
    assert fragile_api.stop() == 0 and not trainers(fragile_api), "SIGTERM takes the trainer along"
    assert not (fragile_api.home / "server.json").exists()
    fragile_api.start()
    assert fragile_api.client().fine_tuning.jobs.retrieve(job.id).status == "running"

    until_it_went_on()
    [trainer] = trainers(fragile_api)
    fragile_api.kill()
    trainer.kill()
    wait_until(lambda: not trainers(fragile_api))
    fragile_api.start()

    succeeded(fragile_api, job.id)
    assert steps(fragile_api, job.id) == list(range(1, STEPS + 1))
    from_steps = resumed(fragile_api, job.id)
    assert len(from_steps) == 3
    assert all(step >= had // 10 * 10 for step, had in zip(from_steps, seen, strict=True)), "no checkpoint is lost"
    assert adapter(fragile_api, job.id) == adapter(*adopted)


def test_a_job_cancelled_before_a_kill_stays_cancelled(fragile_api: Api):
    job = start(fragile_api)
    until_step(fragile_api, job.id, 12)
    [orphan] = trainers(fragile_api)
    orphan.suspend()  # it cannot hear the cancellation before the server dies
    fragile_api.client().fine_tuning.jobs.cancel(job.id)
    fragile_api.kill()
    orphan.resume()
    fragile_api.start()
    wait_until(lambda: not trainers(fragile_api))
    assert fragile_api.client().fine_tuning.jobs.retrieve(job.id).status == "cancelled"
    checkpoint = fragile_api.client().fine_tuning.jobs.checkpoints.list(job.id).data[-1]
    name = checkpoint.fine_tuned_model_checkpoint
    assert fragile_api.client().chat.completions.create(model=name, messages=HELLO, max_tokens=1).choices


def test_a_trainer_that_always_dies_fails_the_job(fragile_api: Api):
    job, client = start(fragile_api), fragile_api.client()

    def killed_again() -> bool:
        for trainer in trainers(fragile_api):
            trainer.kill()
        return client.fine_tuning.jobs.retrieve(job.id).status == "failed"

    wait_until(killed_again)
    error = client.fine_tuning.jobs.retrieve(job.id).error
    assert error.code == "trainer_crashed" and "signal 9" in error.message
    assert client.models.list().data


def test_a_damaged_base_model_fails_the_job_and_not_the_api(tmp_path: Path, tiny_model: Path):
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in tiny_model.iterdir():
        (broken / file.name).write_bytes(file.read_bytes())
    api = Api(tmp_path / "home", ["--model", f"{TINY}={broken}"]).start()
    weights = (broken / "model.safetensors").read_bytes()
    (broken / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    client, job = api.client(), start(api)
    ended = wait_until(lambda: (found := client.fine_tuning.jobs.retrieve(job.id)).finished_at and found)
    assert ended.status == "failed" and ended.error.message
    with pytest.raises(openai.InternalServerError):
        client.chat.completions.create(model=TINY, messages=HELLO, max_tokens=1)
    # whoever got an error may send the next request down the same connection
    place = urlsplit(api.ready["base_url"])
    line = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
    headers = {"Authorization": f"Bearer {api.key}", "Content-Type": "application/json"}
    for _ in range(3):
        line.request("POST", "/v1/chat/completions", json.dumps({"model": TINY, "messages": HELLO}), headers)
        assert line.getresponse().read() and line.sock, "the server did not announce that it would hang up"
        time.sleep(0.3)
        line.request("GET", "/v1/models", headers=headers)
        answer = line.getresponse()
        assert answer.status == 200 and answer.read()
    (broken / "model.safetensors").write_bytes(weights)
    wait_until(lambda: answers(client))
    assert api.stop() == 0


def answers(client: openai.OpenAI) -> bool:
    try:
        return bool(client.chat.completions.create(model=TINY, messages=HELLO, max_tokens=1).choices)
    except openai.InternalServerError:
        return False


def test_kills_at_random_moments_lose_nothing(fragile_api: Api):
    """Five kills during uploads, deletions and jobs: all that was answered is there, nothing half-done is."""
    kill_at_random(fragile_api, 5)


@pytest.mark.soak
def test_a_hundred_kills_lose_nothing(fragile_api: Api):
    kill_at_random(fragile_api, 100)


def kill_at_random(api: Api, times: int) -> None:
    chance, kept, rows = random.Random(0), {}, chat_rows(300)
    for _ in range(times):
        client, deadline = api.client(), time.monotonic() + chance.uniform(0.05, 1.0)
        killer = subprocess.Popen(
            [sys.executable, "-c", f"import time, os; time.sleep({deadline - time.monotonic()}); "
             f"os.kill({api.process.pid}, 9)"]
        )  # fmt: skip
        try:
            while True:
                file = client.files.create(file=(f"{len(kept)}.jsonl", rows), purpose="fine-tune")
                kept[file.id] = "file"
                job = client.fine_tuning.jobs.create(model=TINY, training_file=file.id)
                kept[job.id] = "validating_files"
                kept[job.id] = client.fine_tuning.jobs.cancel(job.id).status
                if chance.random() < 0.3:
                    doomed = file.id
                    kept[doomed] = "deleting"
                    client.files.delete(doomed)
                    kept[doomed] = "deleted"
        except openai.APIConnectionError:
            pass
        killer.wait()
        api.process.wait()
        api.start()
        check_kept(api, kept, rows)


def check_kept(api: Api, kept: dict[str, str], rows: bytes) -> None:
    client = api.client()
    files = {file.id: file for file in client.files.list()}
    for known, state in kept.items():
        if known.startswith("ftjob"):
            status = client.fine_tuning.jobs.retrieve(known).status
            assert status == "cancelled" if state == "cancelled" else True
            if status != "cancelled":  # the kill came between creating and cancelling
                client.fine_tuning.jobs.cancel(known)
                kept[known] = "cancelled"
        elif state == "deleted":
            assert known not in files
        elif state == "file":
            assert files[known].bytes == len(rows)
    for file in files.values():
        assert client.files.content(file.id).content == rows, "whole or not at all"
    assert {path.name for path in (api.home / "files").iterdir()} == set(files)


def test_a_kill_in_the_middle_of_an_upload(fragile_api: Api):
    place = urlsplit(fragile_api.ready["base_url"])
    head = (
        f"POST /v1/files HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {fragile_api.key}\r\n"
        "Content-Type: multipart/form-data; boundary=B\r\nContent-Length: 90000000\r\n\r\n"
        '--B\r\nContent-Disposition: form-data; name="file"; filename="half.jsonl"\r\n\r\n'
    )
    with socket.create_connection((place.hostname, place.port)) as connection:
        connection.sendall(head.encode() + chat_rows(1000) * 20)
        assert fragile_api.client().models.list().data, "a slow upload holds up nobody"
        fragile_api.kill()
    fragile_api.start()
    assert not fragile_api.client().files.list().data
    assert not [p for folder in ("files", "tmp") for p in (fragile_api.home / folder).iterdir()]


def test_a_second_server_on_the_same_home_is_told_where_the_first_is(fragile_api: Api):
    command = [sys.executable, "-m", "helpers.local_api", "--home", str(fragile_api.home)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert second.returncode == 3 and second.stdout == ""
    assert fragile_api.ready["base_url"] in second.stderr and str(fragile_api.process.pid) in second.stderr
    assert fragile_api.client().models.list().data
    fragile_api.kill()
    key = Path(fragile_api.ready["key_file"]).read_text()
    fragile_api.start()  # the dead server's lock is no obstacle, and its key is still the key
    assert fragile_api.key == key.strip()


def test_dead_proxies_and_addresses_in_the_environment_change_nothing(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
):
    dead = "http://127.0.0.1:9"
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy", "OPENAI_BASE_URL"):
        monkeypatch.setenv(name, dead)
    monkeypatch.setenv("OPENAI_API_KEY", "somebody's real key")
    monkeypatch.setenv("KIT_LOCAL_KEY", "a-key-of-my-own")
    api = Api(tmp_path / "home", ["--model", f"{TINY}={tiny_model}"]).start()
    client = api.client(api_key="a-key-of-my-own")
    assert client.chat.completions.create(model=TINY, messages=HELLO, max_tokens=1).choices
    assert not (api.home / "key").exists(), "a key that the environment brings is not written down"
    assert api.ready["key_file"] is None, "nor is a file named that is not there"
    assert local.running(api.home).key == "a-key-of-my-own", "who looks for the API finds it all the same"
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="somebody's real key").models.list()
    assert api.stop() == 0


def test_a_full_disk(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch):
    """The home is a disk of 8 MB of its own. Full, it is said; what is there stays readable; deleting makes room."""
    home = tmp_path / "home"
    home.mkdir()
    own_disk = ["unshare", "-rm", "sh", "-c", f"mount -t tmpfs -o size=8m tmpfs '{home}' && exec \"$@\"", "sh"]
    if not shutil.which("unshare") or subprocess.run([*own_disk, "true"], capture_output=True).returncode:
        pytest.skip("this system lets nobody mount a small disk")
    monkeypatch.setenv("KIT_LOCAL_KEY", "a-key-of-my-own")  # the key file would lie on that disk, out of our sight
    api = Api(home, ["--model", f"{TINY}={tiny_model}"], own_disk).start()
    client, kept = api.client(), []

    def fill(rows: bytes) -> None:
        with pytest.raises(openai.InternalServerError) as refusal:
            while True:
                kept.append(client.files.create(file=("x.jsonl", rows), purpose="fine-tune").id)
        assert refusal.value.status_code == 507 and "disk is full" in refusal.value.message

    with pytest.raises(openai.InternalServerError, match="disk is full"):
        client.files.create(file=("too big.jsonl", chat_rows(60_000)), purpose="fine-tune")
    for rows in (4000, 400, 40):
        fill(chat_rows(rows))
    assert {file.id for file in client.files.list()} == set(kept)
    assert client.chat.completions.create(model=TINY, messages=HELLO, max_tokens=1).choices
    on_disk = Path(f"/proc/{api.process.pid}/root{home}/files")  # as the server sees it
    assert {path.name for path in on_disk.iterdir()} == set(kept), "what was refused is not there"
    for file_id in kept[:5]:
        assert client.files.delete(file_id).deleted
    job = start(api)
    for rows in (4000, 400, 40, 10):
        fill(chat_rows(rows))
    assert client.fine_tuning.jobs.cancel(job.id).status == "cancelled", "ending needs no room"
    assert client.fine_tuning.jobs.retrieve(job.id).status == "cancelled"
    assert {file.id for file in client.files.list()} == {*kept[5:], job.training_file}
    time.sleep(5)  # the worker looks after the job every two seconds
    assert "Traceback" not in api.log, api.log[-3000:]
    assert api.stop() == 0


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("api.sqlite3", b"this is no database, and long enough to be looked at as one" * 20, "database"),
        ("key", b"\xff\xfe\x00\x80", "key"),
        ("key", "schlüssel\n".encode(), "key"),
        ("key", b"short", "key"),
    ],
)
def test_a_home_that_is_damaged_is_told_in_a_sentence(tmp_path: Path, file: str, content: bytes, words: str):
    home = tmp_path / "home"
    home.mkdir()
    (home / file).write_bytes(content)
    command = [sys.executable, "-m", "helpers.local_api", "--home", str(home)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1 and ended.stdout == "" and "Traceback" not in ended.stderr
    assert str(home / file) in ended.stderr and words in ended.stderr
    assert (home / file).read_bytes() == content, "it is the reader's to decide"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "0.0.0.0"], "--allow-network"),
        (["--port", "1"], "1"),
        (["--model", "x=/nowhere"], "NAME=FOLDER"),
        (["--model", "ft:x=/"], "NAME=FOLDER"),
    ],
)
def test_bad_arguments_are_told(tmp_path: Path, arguments: list[str], words: str):
    if arguments == ["--port", "1"]:
        taken = socket.create_server(("127.0.0.1", 0))
        arguments = ["--port", str(taken.getsockname()[1])]
    command = [sys.executable, "-m", "helpers.local_api", "--home", str(tmp_path / "home"), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert ended.returncode not in (0, 3) and ended.stdout == ""
    assert words in ended.stderr and "Traceback" not in ended.stderr
