"""Six architectures through the local API: fetched, served, tuned, resumed, exported, loaded elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import openai
import pytest
import torch
from families import FAMILIES, make
from model_hub import row
from peft import PeftModel
from running_api import Api, chat_rows, wait_until
from transformers import AutoModelForCausalLM, AutoTokenizer

from helpers import assets, jobs, open_models, show
from helpers.errors import JobError
from helpers.local_api import export
from helpers.local_api.engine import transformer
from helpers.local_api.engine.generate import Engine
from helpers.local_api.engine.requests import GenerationRequest
from helpers.local_api.engine.text.template import ChatTemplate
from helpers.local_api.training.trainers.job import Progress
from helpers.local_api.training.trainers.own_loop import Training
from helpers.open_models import entries
from helpers.records import Example

FETCHED = {
    "llama": "smollm2-360m-instruct", "qwen3": "qwen3-0.6b", "gemma3": "gemma-3-270m-it", "lfm2": "lfm2.5-350m",
}  # fmt: skip
"""Names on the real shelf, which the server knows; a shelf of the test's own lists tiny models under them."""
NAMED = {"granite": "granite", "smollm3": "smollm3"}
"""The server is started with these, by name and folder."""
ASK = [
    [{"role": "system", "content": "Sort it."}, {"role": "user", "content": "Where is parcel 7? please"}],
    [{"role": "user", "content": "It came broken."}],
]


@dataclass
class World:
    """A running API whose home has the fetched models."""

    api: Api
    client: openai.OpenAI
    folders: dict[str, Path]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    place, real_assets = tmp_path_factory.mktemp("shelf"), assets.folder().resolve()
    hub, home = place / "hub", place / "home"
    made = {name: make(name, hub / "org" / name) for name in FAMILIES}
    rows = [row(listed, f"org/{name}", made[name]) for name, listed in FETCHED.items()]
    (place / "models.toml").write_text("\n".join(rows))
    home.mkdir()
    (home / "assets").symlink_to(real_assets)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("KIT_HOME", str(home))
        patched.setenv("KIT_MODEL_SOURCE", str(hub))
        patched.setattr(entries, "TABLE", place / "models.toml")
        entries.shelf.cache_clear()
        api = Api(home / "local_api", [f"--model={name}={made[named]}" for named, name in NAMED.items()]).start()
        client = api.client(timeout=1200)
        assert not {model.id for model in client.models.list()} & set(FETCHED.values())
        folders = {name: open_models.fetch(listed) for name, listed in FETCHED.items()}
        yield World(api, client, folders | {named: made[named] for named in NAMED})
        assert api.stop() == 0 and "Traceback" not in api.log, api.log[-4000:]
    entries.shelf.cache_clear()


def model_id(name: str) -> str:
    return {**FETCHED, **NAMED}[name]


def answers(world: World, model: str) -> list[str]:
    asked = {"model": model, "temperature": 0, "max_tokens": 12}
    return [world.client.chat.completions.create(messages=one, **asked).choices[0].message.content for one in ASK]


def elsewhere(model, tokenizer, **how) -> list[str]:
    """Greedy answers of plain transformers."""
    said = []
    for messages in ASK:
        asked = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", **how)
        ids = model.generate(**asked, max_new_tokens=12, do_sample=False, eos_token_id=tokenizer.eos_token_id)
        said.append(tokenizer.decode(ids[0, asked["input_ids"].shape[1] :], skip_special_tokens=True))
    return said


def opened(folder: Path, **how):
    return AutoModelForCausalLM.from_pretrained(folder, **how).eval()


def test_a_server_that_runs_serves_what_has_been_fetched_meanwhile(world: World):
    listed = {model.id: model for model in world.client.models.list()}
    assert set(FETCHED.values()) | set(NAMED.values()) <= set(listed)
    assert listed["qwen3-0.6b"].name == "Qwen3-0.6B"


def test_a_model_that_is_not_fetched_is_said_to_stand_on_the_shelf(world: World):
    fetch = "python -m helpers.open_models qwen3-4b"
    with pytest.raises(openai.NotFoundError, match=fetch):
        world.client.chat.completions.create(model="qwen3-4b", messages=ASK[0])
    file = world.client.files.create(file=("rows.jsonl", chat_rows(12)), purpose="fine-tune")
    with pytest.raises(openai.BadRequestError, match=fetch):
        world.client.fine_tuning.jobs.create(model="qwen3-4b", training_file=file.id)


def test_what_a_model_sees_is_shown_by_its_own_template(world: World):
    client = world.client
    row = [*ASK[0], {"role": "assistant", "content": "delivery"}]
    for name, folder in world.folders.items():
        seen = jobs.seen(client, row, model_id(name))
        ids, weights = ChatTemplate(folder).example(row)
        assert (seen["tokens"], seen["learned_tokens"]) == (len(ids), sum(w > 0 for w in weights))
        assert "".join(one["text"] for one in seen["segments"]) == AutoTokenizer.from_pretrained(folder).decode(ids)
        assert [one["text"] for one in seen["segments"] if one["learned"]] == [f"delivery{FAMILIES[name].end}"]
        assert seen["template"] == "the model's own"
        assert seen["reasoning_switched_off"] == (name in ("qwen3", "smollm3"))
        asked = jobs.seen(client, ASK[0], model_id(name))
        assert asked["tokens"] == len(ChatTemplate(folder).prompt(ASK[0])) and not asked["learned_tokens"]
    assert jobs.seen(client, row, "smollm2-135m-instruct")["template"] == "the kit's"
    html = show.what_the_model_sees(Example(tuple(row)), client, "gemma-3-270m-it").data
    assert "&lt;start_of_turn&gt;user" in html and "written by the model&#x27;s own chat template" in html
    with pytest.raises(JobError, match="take turns"):
        jobs.seen(client, [*ASK[0], *ASK[1]], "gemma-3-270m-it")
    for bad in ([{"role": "x", "content": "a"}], [{"role": "user", "content": "a", "weight": 7}], []):
        with pytest.raises(JobError):
            jobs.seen(client, bad, "qwen3-0.6b")
    with pytest.raises(JobError, match="qwen3-4b"):
        jobs.seen(client, row, "qwen3-4b")


@pytest.mark.parametrize("name", FAMILIES)
def test_served_tuned_exported_and_loaded_elsewhere(name: str, world: World, tmp_path: Path):
    base, model = world.folders[name], model_id(name)
    tokenizer = AutoTokenizer.from_pretrained(base)
    plain = opened(base, dtype=torch.float32)
    before = answers(world, model)
    assert before == elsewhere(plain, tokenizer, enable_thinking=False) and len(set(before)) == 2

    file = world.client.files.create(file=("rows.jsonl", chat_rows(16)), purpose="fine-tune")
    settings = {"n_epochs": 4, "batch_size": 4, "learning_rate_multiplier": 4}
    method = {"type": "supervised", "supervised": {"hyperparameters": settings}}
    made = world.client.fine_tuning.jobs.create(model=model, training_file=file.id, method=method, seed=1)
    job = wait_until(lambda: (now := world.client.fine_tuning.jobs.retrieve(made.id)).finished_at and now, 1200)
    assert job.status == "succeeded", job.error
    events = world.client.fine_tuning.jobs.list_events(made.id, limit=100).data
    losses = [event.data["train_loss"] for event in reversed(events) if event.type == "metrics"]
    assert len(losses) == 16 and losses[-1] < 0.9 * losses[0], losses

    tuned = answers(world, job.fine_tuned_model)
    assert tuned != before
    for kind in ("merged", "adapter"):
        shelf = None if name in FETCHED else base
        export.export(job.fine_tuned_model, tmp_path / kind, kind, world.api.home, shelf)
        theirs = AutoTokenizer.from_pretrained(tmp_path / kind)
        if kind == "merged":
            loaded = opened(tmp_path / kind)
            assert loaded.dtype == torch.float32
        else:
            loaded = PeftModel.from_pretrained(opened(base, dtype=torch.float32), tmp_path / kind)
        assert elsewhere(loaded, theirs) == tuned, f"{kind}, with the template that the export carries"


# The trainer and the engine by themselves -----------------------------------------------------------------------------


def job_folder(tmp_path: Path, base: Path, name: str, **more: object) -> Path:
    job = tmp_path / name
    job.mkdir()
    (tmp_path / "rows.jsonl").write_bytes(chat_rows(12))
    spec = {
        "id": "j", "base_dir": str(base), "training_file": str(tmp_path / "rows.jsonl"), "validation_file": None,
        "seed": 0, "n_epochs": 2, "batch_size": 6, "learning_rate_multiplier": 4, **more,
    }  # fmt: skip
    (job / "spec.json").write_text(json.dumps(spec))
    return job


def stepped(job: Path, steps: int) -> Training:
    """A training that went on from where the job was left, by so many steps."""
    training = Training(job)
    training.load_state()
    training.freeze(Progress(job))
    for _ in range(steps):
        training.step(training.batch(training.done))
    return training


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: make(name, tmp_path_factory.mktemp(name)) for name in FAMILIES}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_training_that_was_interrupted_ends_as_if_it_had_not_been(name: str, folders: dict[str, Path], tmp_path):
    straight = stepped(job_folder(tmp_path, folders[name], "straight"), 4)
    job = job_folder(tmp_path, folders[name], "interrupted")
    stepped(job, 2).save_state()
    resumed = stepped(job, 2)
    pairs = zip(straight.trainer.adapter.parameters, resumed.trainer.adapter.parameters, strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


@pytest.mark.parametrize("name", FAMILIES)
def test_weights_in_bf16_as_on_an_accelerator_train_and_answer(name, folders, tmp_path, monkeypatch):
    """The types that CUDA and MPS get, run on a CPU: adapters stay fp32, the loss falls, answers come."""
    monkeypatch.setattr(transformer, "weights_dtype", lambda where, training: torch.bfloat16)
    for recipe in ("quick", "thorough"):
        job = job_folder(tmp_path, folders[name], recipe, recipe=recipe, n_epochs=8)
        training = stepped(job, 0)
        assert training.transformer.dtype == torch.bfloat16
        assert {p.dtype for p in training.trainer.adapter.parameters} == {torch.float32}
        losses = [training.step(training.batch(n)).mean_loss for n in range(16)]
        assert losses[-1] < 0.9 * losses[0], losses
        training.trainer.adapter.save(job / "adapter")
        engine = Engine(folders[name])
        engine.load_adapter("tuned", job / "adapter")
        for adapter in (None, "tuned"):
            asked = GenerationRequest(ASK[0], adapter=adapter, max_tokens=5)
            assert engine.submit(asked).result(60).completion_tokens
        engine.close()
