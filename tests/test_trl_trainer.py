"""The trainer for large models on accelerators, TRL behind the same job: run for real on tiny models, on a CPU."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from families import FAMILIES, make
from peft import PeftModel
from running_api import Api, chat_rows, wait_until
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from helpers.errors import JobError
from helpers.local_api.engine import transformer
from helpers.local_api.training import __main__ as program
from helpers.local_api.training import lora_trainer
from helpers.local_api.training.estimate import estimate
from helpers.local_api.training.trainers import choosing, job, own_loop, trl_loop

SETTINGS = {"n_epochs": 2, "batch_size": 6, "learning_rate_multiplier": 4}
ROWS = 22
STEPS_AN_EPOCH = 4
"""22 rows in batches of 6: the last one has 4."""


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: make(name, tmp_path_factory.mktemp(name)) for name in FAMILIES}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def exact_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's own loop, which losses are compared with, multiplies in bf16 where that is quicker."""
    monkeypatch.setattr(lora_trainer, "product_dtype", lambda device: torch.float32)


def new_job(folder: Path, base: Path, **more: Any) -> Path:
    folder.mkdir()
    rows = folder.with_suffix(".jsonl")
    rows.write_bytes(chat_rows(ROWS))
    files = {"base_dir": str(base), "training_file": str(rows), "validation_file": str(rows)}
    (folder / "spec.json").write_text(json.dumps({"id": "j", "seed": 5, **files, **SETTINGS, **more}))
    return folder


def told(folder: Path, kind: str | None = None) -> list[dict[str, Any]]:
    file = folder / "progress.jsonl"
    lines = file.read_text(encoding="utf-8").split("\n")[:-1] if file.exists() else []
    return [line for line in map(json.loads, lines) if kind in (None, line["type"])]


def adapter(folder: Path, step: int) -> bytes:
    return (folder / f"checkpoints/step-{step}/adapter_model.safetensors").read_bytes()


def trainer_process(folder: Path) -> subprocess.Popen:
    """The trainer's process, as the worker starts it where ``KIT_TRAINER`` is set. One thread too: sums in another
    order would not be the same to the bit."""
    one_thread_too = os.environ | {"OMP_NUM_THREADS": "1", "KIT_TRAINER": "trl"}
    return subprocess.Popen([sys.executable, "-m", "helpers.local_api.training", str(folder)], env=one_thread_too)


# What it learns -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "recipe"), [("llama", "quick"), ("gemma3", "quick"), ("qwen3", "thorough")])
def test_it_tells_and_learns_what_the_engines_own_loop_does(name, recipe, bases, tmp_path):
    """Same rows, order, seed and recipe: what is left between them is rounding, sums made in another order."""
    own, trl = (new_job(tmp_path / kind, bases[name], recipe=recipe) for kind in ("own", "trl"))
    own_loop.run(own)
    trl_loop.run(trl)
    assert [line["type"] for line in told(trl)] == [line["type"] for line in told(own)]
    assert sorted(path.name for path in trl.iterdir()) == sorted(path.name for path in own.iterdir())
    for mine, theirs in zip(told(own), told(trl), strict=True):
        assert mine.keys() == theirs.keys()
        for field in mine.keys() - {"tokens_per_second", "elapsed_s", "seconds_left"}:
            near = isinstance(mine[field], float)
            assert theirs[field] == (pytest.approx(mine[field], rel=1e-4) if near else mine[field]), field
    losses = [line["train_loss"] for line in told(trl, "metrics")]
    assert losses[-1] < 0.9 * losses[0]
    last = "checkpoints/step-8"
    weights = [load_file(folder / last / "adapter_model.safetensors") for folder in (own, trl)]
    assert weights[0].keys() == weights[1].keys()
    apart = sum((weights[0][n] - weights[1][n]).square().sum() for n in weights[0]) ** 0.5
    assert apart < 0.01 * sum(weights[0][n].square().sum() for n in weights[0]) ** 0.5
    configs = [json.loads((folder / last / "adapter_config.json").read_text()) for folder in (own, trl)]
    assert configs[0] == configs[1] and configs[0]["base_model_name_or_path"] == bases[name].name


def test_validation_rows_are_measured_every_ten_steps_too(bases, tmp_path):
    found = []
    for kind, loop in (("own", own_loop), ("trl", trl_loop)):
        folder = new_job(tmp_path / kind, bases["llama"], n_epochs=3)
        loop.run(folder)
        found.append([line.get("valid_loss") for line in told(folder, "metrics")])
    assert [n for n, loss in enumerate(found[1], 1) if loss is not None] == [10]
    assert found[1][9] == pytest.approx(found[0][9], rel=1e-3)


def test_weights_in_bf16_and_layers_run_twice_as_on_an_accelerator(bases, tmp_path, monkeypatch):
    """What a GPU gets, run on a CPU: the adapter stays fp32, and the loss is nearly that of fp32."""
    exact = new_job(tmp_path / "exact", bases["llama"])
    trl_loop.run(exact)
    made = trl_loop._settings

    def as_on_an_accelerator(loaded: job.LoadedJob) -> trl_loop.SFTConfig:
        settings = made(loaded)
        assert settings.bf16 and not settings.gradient_checkpointing
        settings.gradient_checkpointing = True
        return settings

    monkeypatch.setattr(transformer, "weights_dtype", lambda where, training: torch.bfloat16)
    monkeypatch.setattr(trl_loop, "_settings", as_on_an_accelerator)
    rounded = new_job(tmp_path / "rounded", bases["llama"])
    trl_loop.run(rounded)
    losses = [[line["train_loss"] for line in told(folder, "metrics")] for folder in (exact, rounded)]
    assert losses[1] == pytest.approx(losses[0], rel=0.02) and losses[1] != losses[0]
    tensors = load_file(rounded / "checkpoints/step-8/adapter_model.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float32}


def test_no_hub_is_asked(bases, tmp_path, monkeypatch):
    monkeypatch.delenv("CI", raising=False)  # TRL reports each use to its makers, but not from a CI
    asked = []

    def connect(self: socket.socket, address: Any) -> None:
        asked.append(address)
        raise OSError("no network")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *_, **__: asked.append(host) or [])
    trl_loop.run(new_job(tmp_path / "job", bases["llama"], n_epochs=1))
    assert asked == []


# Interruptions --------------------------------------------------------------------------------------------------------


def test_killed_and_started_again_it_ends_as_if_it_had_never_stopped(bases, tmp_path):
    whole, killed = (new_job(tmp_path / name, bases["llama"], n_epochs=4) for name in ("whole", "killed"))
    process = trainer_process(killed)
    wait_until(lambda: len(told(killed, "metrics")) >= 6, every=0.01)
    process.kill()
    process.wait()
    (state,) = killed.glob("resume-*")
    (state / "elapsed_s").write_text("1000")
    (killed / "resume.part/checkpoint-5").mkdir(parents=True, exist_ok=True)  # as a kill amid its writing leaves it

    def ask_to_stop() -> None:
        wait_until(lambda: told(killed, "metrics")[-1]["step"] > 2 * STEPS_AN_EPOCH, every=0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    asking = threading.Thread(target=ask_to_stop)
    asking.start()
    with pytest.raises(job.Stopped):
        trl_loop.run(killed)
    asking.join()
    assert not list(killed.rglob("*.part")) and not list((killed / "checkpoints").glob(".*"))
    assert len(list(killed.glob("resume-*"))) == 1, "a state is dropped when the next is whole"

    trl_loop.run(killed)
    trl_loop.run(whole)
    starts = [line["resumed_from_step"] for line in told(killed, "start")]
    assert starts[0] == 0 and starts[1] >= STEPS_AN_EPOCH and len(starts) == 3
    for step in (4, 8, 12, 16):
        assert adapter(killed, step) == adapter(whole, step), f"bit for bit, step {step}"
    by_step = {line["step"]: line["train_loss"] for line in told(killed, "metrics")}
    assert by_step == {line["step"]: line["train_loss"] for line in told(whole, "metrics")}
    assert told(killed, "metrics")[-1]["elapsed_s"] > 1000, "the seconds of earlier processes count"
    left = {path.name for path in killed.iterdir()} - {"lock"}
    assert left == {"checkpoints", "progress.jsonl", "seen.json", "spec.json"}


def test_a_state_that_could_not_be_written_whole_is_not_gone_on_from(bases, tmp_path, monkeypatch):
    folder = new_job(tmp_path / "job", bases["llama"])

    def disk_full(self: trl_loop.JobTrainer, output_dir: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trl_loop.JobTrainer, "_save_optimizer_and_scheduler", disk_full)
    monkeypatch.setenv("KIT_TRAINER", "trl")
    with pytest.raises(OSError):
        program.main([str(folder)])
    assert told(folder, "failed")[0]["code"] == "disk_full"
    monkeypatch.undo()
    trl_loop.run(folder)
    assert [line["resumed_from_step"] for line in told(folder, "start")] == [0, 0]
    assert told(folder)[-1]["type"] == "done" and not list(folder.glob("resume*"))


# Which trainer a job gets ---------------------------------------------------------------------------------------------


def test_a_large_model_on_an_accelerator_is_trained_by_trl(bases, tmp_path, monkeypatch):
    folder = new_job(tmp_path / "job", bases["llama"])
    assert choosing.loop_of(folder) == "own"
    monkeypatch.setattr(choosing, "device", lambda: torch.device("cuda"))
    assert choosing.loop_of(folder) == "own", "a small model"
    monkeypatch.setattr(choosing, "LARGE", choosing.parameters(bases["llama"]) - 1)
    assert choosing.loop_of(folder) == "trl"
    monkeypatch.setattr(choosing, "device", lambda: torch.device("cpu"))
    assert choosing.loop_of(folder) == "own"


def test_the_reader_may_say_which(bases, tmp_path, monkeypatch):
    folder = new_job(tmp_path / "job", bases["llama"])
    for said, loop in (("trl", "trl"), ("own", "own"), ("", "own")):
        monkeypatch.setenv("KIT_TRAINER", said)
        assert choosing.loop_of(folder) == loop
    monkeypatch.setenv("KIT_TRAINER", "torchtune")
    with pytest.raises(JobError, match='torchtune.*"own" or "trl"'):
        choosing.loop_of(folder)


def test_the_forecast_is_that_of_the_trainer_that_the_job_gets(bases, tmp_path, monkeypatch):
    folder = new_job(tmp_path / "job", bases["llama"])
    before = sorted(folder.rglob("*"))
    own = estimate(folder)
    monkeypatch.setenv("KIT_TRAINER", "trl")
    took, measured = [], trl_loop.JobTrainer.seconds_a_step
    monkeypatch.setattr(trl_loop.JobTrainer, "seconds_a_step", lambda self: took.extend(measured(self)) or took)
    trl = estimate(folder)
    assert sorted(folder.rglob("*")) == before
    assert trl.keys() == own.keys() and 0 < trl["low"] < trl["seconds"] < trl["high"]
    for counted in ("trained_tokens", "total_steps", "steps_per_epoch", "examples"):
        assert trl[counted] == own[counted]
    assert len(took) == 4, "one to warm up, three of which the middle one counts"
    a_step = trl["trained_tokens"] / trl["tokens_per_second"] / (ROWS * 2 / 6)  # 2 epochs, of 6 rows a step
    assert a_step == pytest.approx(sorted(took[1:])[1], rel=0.1)


def test_without_trl_the_job_says_what_to_install(bases, tmp_path, monkeypatch):
    folder = new_job(tmp_path / "job", bases["llama"])
    monkeypatch.setenv("KIT_TRAINER", "trl")
    monkeypatch.setitem(sys.modules, "trl", None)  # how Python marks what cannot be imported
    with pytest.raises(JobError):
        program.main([str(folder)])
    (failed,) = told(folder, "failed")
    assert failed["code"] == "trainer_error"
    assert "missing: trl." in failed["message"] and "tools/setup.py --extra gpu" in failed["message"]


# Through the local API ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, bases: dict[str, Path]) -> Iterator[Api]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("KIT_TRAINER", "trl")
        running = Api(tmp_path_factory.mktemp("trl") / "home", [f"--model=base={bases['llama']}"]).start()
    yield running
    assert running.stop() == 0 and "Traceback" not in running.log, running.log[-4000:]


def begin(api: Api, **settings: Any):
    client = api.client()
    file = client.files.create(file=("rows.jsonl", chat_rows(ROWS)), purpose="fine-tune")
    method = {"type": "supervised", "supervised": {"hyperparameters": SETTINGS | settings}}
    files = {"training_file": file.id, "validation_file": file.id}
    return client.fine_tuning.jobs.create(model="base", method=method, seed=1, **files)


def processes_of(folder: Path) -> list[int]:
    """Ids of the trainers that live on a folder."""
    found = psutil.process_iter(["cmdline", "status"])
    return [one.pid for one in found if str(folder) in (one.info["cmdline"] or []) and one.info["status"] != "zombie"]


def test_a_whole_job_through_the_api_its_trainer_killed_once(api, bases):
    client, made = api.client(), begin(api, n_epochs=5)
    folder = api.home / "jobs" / made.id
    wait_until(lambda: len(told(folder, "metrics")) > STEPS_AN_EPOCH, every=0.02)  # so its first state is whole
    (process,) = processes_of(folder)
    os.kill(process, signal.SIGKILL)
    done = wait_until(lambda: (now := client.fine_tuning.jobs.retrieve(made.id)).finished_at and now)
    assert done.status == "succeeded", done.error
    events = client.fine_tuning.jobs.list_events(made.id, limit=100).data[::-1]
    assert any(event.message.startswith("Resumed from step") for event in events)
    metrics = [event.data for event in events if event.type == "metrics"]
    assert [line["step"] for line in metrics] == list(range(1, 21)), "each step counts once"
    assert metrics[-1]["train_loss"] < 0.9 * metrics[0]["train_loss"]
    assert {line["step"] for line in metrics if "full_valid_loss" in line} == {4, 8, 12, 16, 20}
    points = client.fine_tuning.jobs.checkpoints.list(made.id).data
    assert sorted(point.step_number for point in points) == [4, 8, 12, 16, 20]
    (result,) = done.result_files
    assert len(client.files.content(result).text.splitlines()) == 21

    messages = [{"role": "user", "content": "Where is parcel 7? please"}]
    said = {}
    for model in ("base", done.fine_tuned_model):
        answer = client.chat.completions.create(model=model, messages=messages, temperature=0, max_tokens=12)
        said[model] = answer.choices[0].message.content
    assert said["base"] != said[done.fine_tuned_model]
    plain = AutoModelForCausalLM.from_pretrained(bases["llama"], dtype=torch.float32)
    tuned = PeftModel.from_pretrained(plain, folder / "checkpoints/step-20").eval()
    tokenizer = AutoTokenizer.from_pretrained(bases["llama"])
    asked = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    ids = tuned.generate(**asked, max_new_tokens=12, do_sample=False, eos_token_id=tokenizer.eos_token_id)
    elsewhere = tokenizer.decode(ids[0, asked["input_ids"].shape[1] :], skip_special_tokens=True)
    assert elsewhere == said[done.fine_tuned_model]


def test_a_cancelled_job_leaves_no_process_and_nothing_half_written(api):
    client, made = api.client(), begin(api, n_epochs=50)
    wait_until(lambda: client.fine_tuning.jobs.checkpoints.list(made.id).data, every=0.05)
    assert client.fine_tuning.jobs.cancel(made.id).status == "cancelled"
    folder = api.home / "jobs" / made.id
    wait_until(lambda: not processes_of(folder), 60)
    wait_until(lambda: not list(folder.glob("resume*")), 60)
    assert not [path for path in folder.rglob("*") if path.name.endswith(".part")]
    for point in (folder / "checkpoints").iterdir():
        assert {path.name for path in point.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    assert not told(folder, "done") and client.fine_tuning.jobs.retrieve(made.id).status == "cancelled"
