"""The whole protocol through the official SDK with strict response validation, against a running server."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor

import openai
import psutil
import pytest
from running_api import TINY, Api, chat_rows, wait_until

from helpers import assets, jobs
from helpers.local_api.engine.text.template import ChatTemplate

BASE = "smollm2-135m-instruct"
HELLO = [{"role": "user", "content": "Name three fruits."}]
ROWS, VALID_ROWS, EPOCHS = 40, 8, 3


@pytest.fixture(scope="module")
def client(local_api: Api) -> openai.OpenAI:
    return local_api.client()


def upload(client: openai.OpenAI, rows: int = ROWS):
    return client.files.create(file=("train.jsonl", chat_rows(rows)), purpose="fine-tune")


def start(client: openai.OpenAI, rows: int = ROWS, **request):
    return client.fine_tuning.jobs.create(**{"model": TINY, "training_file": upload(client, rows).id, **request})


def ended(client: openai.OpenAI, job_id: str):
    def look():
        job = client.fine_tuning.jobs.retrieve(job_id)
        return job if job.status in ("succeeded", "failed", "cancelled") else None

    return wait_until(look)


def supervised(**settings) -> dict:
    return {"method": {"type": "supervised", "supervised": {"hyperparameters": settings}}}


@pytest.fixture(scope="module")
def finished(client: openai.OpenAI):
    """One job that ran to its end on the tiny model."""
    job = start(
        client,
        validation_file=upload(client, VALID_ROWS).id,
        suffix="triage",
        seed=7,
        metadata={"lesson": "03", "who": "tests"},
        **supervised(n_epochs=EPOCHS, batch_size=8),
    )
    assert job.status in ("validating_files", "queued") and job.fine_tuned_model is None and job.trained_tokens is None
    return ended(client, job.id)


@pytest.fixture(scope="module")
def again(client: openai.OpenAI, finished):
    """The same once more, asked for in the older way."""
    job = client.fine_tuning.jobs.create(
        model=TINY,
        training_file=finished.training_file,
        validation_file=finished.validation_file,
        seed=7,
        hyperparameters={"n_epochs": EPOCHS, "batch_size": 8},
    )
    return ended(client, job.id)


# Start-up -----------------------------------------------------------------------------------------------------------


def test_the_ready_line_and_the_key(local_api: Api):
    assert set(local_api.ready) == {"base_url", "key_file", "home"}
    assert local_api.ready["base_url"].startswith("http://127.0.0.1:")
    for name, mode in ((local_api.ready["key_file"], 0o600), (local_api.home, 0o700)):
        assert stat.S_IMODE(os.stat(name).st_mode) == mode
    known = json.loads((local_api.home / "server.json").read_text())
    assert known == local_api.ready | {"pid": local_api.process.pid}
    assert local_api.key not in local_api.log


def test_models_answer_early_and_the_first_answer_comes_soon(fragile_api: Api):
    """Issue's targets: 3 s and 10 s. ``fragile_api`` has only just printed its line; torch is not loaded yet."""
    began = time.monotonic()
    client = fragile_api.client()
    assert client.models.list().data
    assert time.monotonic() - began < 3
    client.chat.completions.create(model=BASE, messages=HELLO, max_tokens=1)
    assert time.monotonic() - began < 20, "10 s on an idle machine; tests may share theirs"


# Files --------------------------------------------------------------------------------------------------------------


def test_a_file_from_upload_to_deletion(client: openai.OpenAI, local_api: Api):
    content = chat_rows(11).replace(b"parcel 3", b"parcel canary-8812")
    file = client.files.create(file=("reader's daten.jsonl", content), purpose="fine-tune")
    assert (file.filename, file.bytes, file.purpose, file.status) == (
        "reader's daten.jsonl",
        len(content),
        "fine-tune",
        "processed",
    )
    assert client.files.retrieve(file.id) == file
    assert client.files.wait_for_processing(file.id) == file
    assert client.files.content(file.id).content == content
    assert client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError, match=file.id):
        client.files.retrieve(file.id)
    left = (path.read_bytes() for path in local_api.home.rglob("*") if path.is_file())
    assert not any(b"canary-8812" in bytes_ for bytes_ in left)


def test_files_are_listed_in_pages(client: openai.OpenAI, finished):
    ids = [upload(client, 10).id for _ in range(5)]
    newest = client.files.list(limit=2)
    assert [file.id for file in newest.data] == ids[:-3:-1] and newest.has_more
    oldest_first = [file.id for file in client.files.list(limit=3, order="asc")]
    assert [i for i in oldest_first if i in ids] == ids and len(oldest_first) == len(set(oldest_first))
    assert {file.purpose for file in client.files.list(purpose="fine-tune-results")} == {"fine-tune-results"}


# Jobs ---------------------------------------------------------------------------------------------------------------


def test_a_finished_job_says_all_that_the_protocol_has(client: openai.OpenAI, finished):
    job = finished
    assert job.status == "succeeded" and job.error is None and job.estimated_finish is None
    assert job.fine_tuned_model == f"ft:{TINY}:local:triage:{job.id.removeprefix('ftjob-')[:8]}"
    assert job.seed == 7 and job.metadata == {"lesson": "03", "who": "tests"}
    assert (job.hyperparameters.n_epochs, job.hyperparameters.batch_size) == (EPOCHS, 8)
    assert job.hyperparameters.learning_rate_multiplier != "auto", "resolved"
    assert job.method.supervised.hyperparameters.n_epochs == EPOCHS
    assert job.finished_at >= job.created_at
    template = ChatTemplate(assets.base_model())
    rows = [json.loads(line) for line in chat_rows(ROWS).splitlines()]
    assert job.trained_tokens == EPOCHS * sum(len(template.example(row["messages"])[0]) for row in rows)


def test_events_tell_the_story_and_carry_the_metrics(client: openai.OpenAI, finished):
    pages = list(client.fine_tuning.jobs.list_events(finished.id, limit=4))
    whole = client.fine_tuning.jobs.list_events(finished.id, limit=1000)
    assert [event.id for event in pages] == [event.id for event in whole.data] and not whole.has_more
    story = [event.message for event in reversed(pages) if event.type == "message"]
    assert story[0] == f"Created fine-tuning job: {finished.id}" and story[-1] == "The job has successfully completed"
    metrics = [event.data for event in reversed(pages) if event.type == "metrics"]
    total = EPOCHS * ROWS // 8
    assert [data["step"] for data in metrics] == list(range(1, total + 1))
    assert all(
        {"total_steps", "train_loss", "train_mean_token_accuracy", "seconds_left"} <= set(data) for data in metrics
    )
    assert "valid_loss" in metrics[9]
    assert all("full_valid_loss" in metrics[epoch * ROWS // 8 - 1] for epoch in range(1, EPOCHS + 1))
    assert metrics[-1]["train_loss"] < metrics[0]["train_loss"]


def test_checkpoints_are_usable_models(client: openai.OpenAI, finished):
    checkpoints = list(client.fine_tuning.jobs.checkpoints.list(finished.id, limit=2))
    assert [c.step_number for c in checkpoints] == [15, 10, 5]
    for checkpoint in checkpoints:
        name = checkpoint.fine_tuned_model_checkpoint
        assert name == f"{finished.fine_tuned_model}:ckpt-step-{checkpoint.step_number}"
        assert checkpoint.metrics.step == checkpoint.step_number and checkpoint.metrics.full_valid_loss > 0
        assert client.models.retrieve(name).id == name
        assert client.chat.completions.create(model=name, messages=HELLO, max_tokens=2).usage.completion_tokens <= 2


def other_answers(client: openai.OpenAI):
    """Validation rows whose answers say nothing that :func:`chat_rows` teaches: their loss does not go on falling."""
    texts = ["no parcel", "none at all", "never heard of it", "a letter, perhaps", "ask the neighbours", "gone"]
    pairs = [({"role": "user", "content": f"Where is parcel {i}?"}, {"role": "assistant", "content": text})
             for i, text in enumerate(texts)]  # fmt: skip
    lines = "".join(json.dumps({"messages": pair}) + "\n" for pair in pairs)
    return client.files.create(file=("validation.jsonl", lines.encode()), purpose="fine-tune")


def test_a_job_keeps_the_pass_with_the_lowest_validation_loss_where_that_is_asked_for(client: openai.OpenAI):
    settings = {"n_epochs": 12, "batch_size": 8, "learning_rate_multiplier": 20}
    asked = {"validation_file": other_answers(client).id, "seed": 1}
    last, best = (
        ended(client, start(client, **asked, **supervised(**settings, **keep)).id) for keep in ({}, {"keep": "best"})
    )
    points = {point.step_number: point for point in client.fine_tuning.jobs.checkpoints.list(best.id, limit=20)}
    losses = {step: point.metrics.full_valid_loss for step, point in points.items()}
    lowest = min(losses, key=losses.get)
    assert lowest < max(losses) == 60, f"the last pass is the best by chance: {losses}"
    assert best.hyperparameters.keep == "best" and not hasattr(last.hyperparameters, "keep")
    kept = [event.message for event in client.fine_tuning.jobs.list_events(best.id) if "Kept" in event.message]
    assert kept == [f"Kept the model after step {lowest} of 60: the lowest validation loss, {losses[lowest]:.3f}"]

    def says(model: str) -> str:
        return ask(client, model=model, max_tokens=12).choices[0].message.content

    assert says(best.fine_tuned_model) == says(points[lowest].fine_tuned_model_checkpoint)
    assert says(last.fine_tuned_model) == says(points[60].fine_tuned_model_checkpoint)
    assert says(best.fine_tuned_model) != says(last.fine_tuned_model)
    found = jobs.checkpoints(client, best.id)  # for whoever chooses by another score: each pass under its own name
    assert found.models == {f"step {step}": points[step].fine_tuned_model_checkpoint for step in sorted(points)}
    assert jobs.checkpoints(client, last.id).models["step 60"] == last.fine_tuned_model


def test_the_result_file_is_openais_table(client: openai.OpenAI, finished):
    text = client.files.content(finished.result_files[0]).text
    table = list(csv.DictReader(text.splitlines()))
    assert text.splitlines()[0] == "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy"
    assert [int(row["step"]) for row in table] == list(range(1, 16))
    assert all(float(row["train_loss"]) > 0 for row in table) and table[0]["valid_loss"] == ""
    assert client.files.retrieve(finished.result_files[0]).purpose == "fine-tune-results"


def test_jobs_are_listed_in_pages_and_by_metadata(client: openai.OpenAI, finished):
    jobs = [start(client, 10, metadata={"batch": "list-test", "n": str(n)}) for n in range(3)]
    for job in jobs:
        client.fine_tuning.jobs.cancel(job.id)
    newest = client.fine_tuning.jobs.list(limit=2)
    assert [job.id for job in newest.data] == [jobs[2].id, jobs[1].id] and newest.has_more
    assert finished.id in [job.id for job in client.fine_tuning.jobs.list(limit=2)]
    assert [j.id for j in client.fine_tuning.jobs.list(metadata={"batch": "list-test", "n": "1"})] == [jobs[1].id]


def test_too_few_examples_fail_as_at_openai(client: openai.OpenAI):
    job = ended(client, start(client, 7).id)
    assert job.status == "failed" and job.trained_tokens is None
    assert (job.error.code, job.error.param) == ("invalid_n_examples", "training_file")
    assert job.error.message == "Training file has 7 example(s), but must have at least 10 examples"
    assert client.fine_tuning.jobs.list_events(job.id).data[0].level == "error"


def test_while_a_job_runs(client: openai.OpenAI, local_api: Api):
    """One job at a time; the API answers meanwhile, keeps the job's file, and a cancelled job makes room."""
    long = start(client, 200, **supervised(n_epochs=50))
    waiting, last = start(client, 12), start(client, 12, **supervised(n_epochs=1))
    running = wait_until(
        lambda: (job := client.fine_tuning.jobs.retrieve(long.id)).status == "running" and job.estimated_finish and job
    )
    assert running.estimated_finish >= time.time() - 1
    assert client.fine_tuning.jobs.retrieve(last.id).status == "queued"

    began = time.monotonic()
    for _ in range(10):
        client.models.list()
    assert (time.monotonic() - began) / 10 < 0.5
    assert ask(client, model=TINY, max_tokens=3).choices
    with pytest.raises(openai.ConflictError, match=long.id):
        client.files.delete(long.training_file)

    assert client.fine_tuning.jobs.cancel(waiting.id).status == "cancelled"
    assert client.fine_tuning.jobs.cancel(long.id).status == "cancelled"
    assert client.files.delete(long.training_file).deleted
    assert ended(client, last.id).status == "succeeded"
    assert not [event for event in client.fine_tuning.jobs.list_events(waiting.id) if event.type == "metrics"]
    left = {path.name for path in (local_api.home / "jobs" / long.id).iterdir()}
    assert left <= {"checkpoints", "progress.jsonl", "seen.json", "spec.json", "trainer.log"}
    for job in (long, waiting, last):
        with pytest.raises(openai.BadRequestError, match="already ended"):
            client.fine_tuning.jobs.cancel(job.id)


def test_pause_and_resume_are_unsupported(client: openai.OpenAI, finished):
    for action in (client.fine_tuning.jobs.pause, client.fine_tuning.jobs.resume):
        with pytest.raises(openai.BadRequestError) as refusal:
            action(finished.id)
        assert refusal.value.code == "unsupported"


def test_the_same_seed_gives_the_same_model(local_api: Api, finished, again):
    """Asked of the bytes."""
    assert again.hyperparameters == finished.hyperparameters and again.user_provided_suffix is None
    adapters = [
        (local_api.home / "jobs" / job.id / "checkpoints/step-15/adapter_model.safetensors").read_bytes()
        for job in (finished, again)
    ]
    assert adapters[0] == adapters[1]


def test_the_estimate_needs_no_job(client: openai.OpenAI, finished):
    before = len(client.fine_tuning.jobs.list(limit=100).data)
    request = {"model": TINY, "training_file": finished.training_file, **supervised(n_epochs=EPOCHS, batch_size=8)}
    found = client.post("/fine_tuning/jobs/estimate", body=request, cast_to=dict[str, object])
    assert found["low"] <= found["seconds"] <= found["high"]
    assert (found["trained_tokens"], found["total_steps"]) == (finished.trained_tokens, 15)
    assert len(client.fine_tuning.jobs.list(limit=100).data) == before


def test_a_job_is_deleted_with_what_it_made_once_it_has_ended(client: openai.OpenAI, local_api: Api):
    """This API only: OpenAI's protocol has no such request."""

    def delete(job_id: str):
        return client.delete(f"/fine_tuning/jobs/{job_id}", cast_to=dict[str, object])

    job = start(client, 200, suffix="doomed", metadata={"note": "canary-5521"}, **supervised(n_epochs=50, batch_size=8))
    wait_until(lambda: client.fine_tuning.jobs.checkpoints.list(job.id).data)
    with pytest.raises(openai.ConflictError, match=job.id):
        delete(job.id)
    client.fine_tuning.jobs.cancel(job.id)
    assert delete(job.id) == {"id": job.id, "object": "fine_tuning.job", "deleted": True}  # its trainer may still run
    with pytest.raises(openai.NotFoundError):
        client.fine_tuning.jobs.retrieve(job.id)
    assert not [model.id for model in client.models.list() if "doomed" in model.id]
    wait_until(lambda: not (local_api.home / "jobs" / job.id).exists(), 30)
    left = (path.read_bytes() for path in local_api.home.rglob("*") if path.is_file())
    assert not any(b"canary-5521" in bytes_ for bytes_ in left)
    assert ended(client, start(client, 12, **supervised(n_epochs=1)).id).status == "succeeded", "the next one runs"
    assert "Traceback" not in local_api.log


# Models -------------------------------------------------------------------------------------------------------------


def test_models_say_that_this_is_a_teaching_engine(client: openai.OpenAI, finished):
    models = {model.id: model for model in client.models.list()}
    assert {BASE, TINY, finished.fine_tuned_model} <= set(models)
    assert all("teaching engine" in model.note for model in models.values())
    assert models[BASE].name == "SmolLM2-135M-Instruct (from 4-bit weights)"
    tuned = client.models.retrieve(finished.fine_tuned_model)
    assert (tuned.base_model, tuned.fine_tuning_job) == (TINY, finished.id)


def test_deleting_a_model_removes_its_bytes(client: openai.OpenAI, local_api: Api, again):
    name, folder = again.fine_tuned_model, local_api.home / "jobs" / again.id
    ask(client, model=name, max_tokens=2)  # it is loaded, too
    assert list(folder.rglob("*.safetensors"))
    assert client.models.delete(name).deleted
    assert not list(folder.rglob("*.safetensors"))
    assert not [model.id for model in client.models.list() if model.id.startswith(name)]
    for gone in (name, f"{name}:ckpt-step-5"):
        with pytest.raises(openai.NotFoundError):
            ask(client, model=gone, max_tokens=2)


# Chat ---------------------------------------------------------------------------------------------------------------


def ask(client: openai.OpenAI, **request):
    return client.chat.completions.create(
        **{"model": BASE, "messages": HELLO, "temperature": 0, "max_tokens": 12, **request}
    )


def test_an_answer_and_its_bill(client: openai.OpenAI):
    answer = ask(client)
    choice, usage = answer.choices[0], answer.usage
    assert answer.object == "chat.completion" and answer.model == BASE
    assert choice.message.role == "assistant" and choice.message.content and choice.finish_reason == "length"
    template = ChatTemplate(assets.base_model())
    assert usage.prompt_tokens == len(template.prompt(HELLO)) and usage.completion_tokens == 12
    assert usage.total_tokens == usage.prompt_tokens + 12
    again = ask(client)
    assert again.choices[0].message == choice.message
    assert 0 < again.usage.prompt_tokens_details.cached_tokens < usage.prompt_tokens


@pytest.mark.parametrize("model", [BASE, TINY])
def test_streamed_is_the_same_as_whole(client: openai.OpenAI, model: str):
    whole = ask(client, model=model)
    chunks = list(ask(client, model=model, stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant" and len({chunk.id for chunk in chunks}) == 1
    assert [c.choices[0].finish_reason for c in chunks[:-1]][-1] == whole.choices[0].finish_reason
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert all(chunk.usage is None for chunk in chunks[:-1])
    without = list(ask(client, model=model, stream=True))
    assert all(chunk.choices and chunk.usage is None for chunk in without)


def test_a_stop_string_ends_the_answer_and_never_shows(client: openai.OpenAI):
    full = ask(client, max_tokens=24).choices[0].message.content
    stop = full.split()[2]
    cut = ask(client, max_tokens=24, stop=stop).choices[0]
    assert cut.message.content == full[: full.index(stop)] and cut.finish_reason == "stop"
    streamed = ask(client, max_tokens=24, stop=[stop, "never said"], stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in streamed) == cut.message.content


def test_sampling_follows_the_seed(client: openai.OpenAI):
    answers = [ask(client, temperature=1.5, seed=seed).choices[0].message.content for seed in (1, 1, 2)]
    assert answers[0] == answers[1] != answers[2]


def test_answers_can_be_held_to_a_schema(client: openai.OpenAI):
    schema = {
        "type": "object",
        "properties": {"urgency": {"enum": ["low", "high"]}, "n": {"type": "integer", "maximum": 9}},
        "required": ["urgency", "n"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "triage", "schema": schema, "strict": True}}
    found = json.loads(ask(client, response_format=form, max_tokens=40).choices[0].message.content)
    assert set(found) == {"urgency", "n"} and found["urgency"] in ("low", "high")
    free = ask(client, model=TINY, response_format={"type": "json_object"}, max_tokens=5).choices[0]
    assert free.message.content.startswith("{")


def test_parts_and_neutral_parameters_are_accepted(client: openai.OpenAI):
    parts = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
    ]
    texts = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    neutral = {"n": 1, "frequency_penalty": 0, "logprobs": False, "tools": [], "user": "me", "logit_bias": None}
    assert ask(client, messages=parts, **neutral).choices == ask(client, messages=texts).choices


def test_many_clients_at_once_get_what_each_would_get_alone(local_api: Api):
    """A hundred, mixed: plain, streamed, two models, and lists meanwhile."""
    client = local_api.client(timeout=120)
    questions = [f"Count to {n}." for n in range(10)]
    alone = {
        (model, q): ask(client, model=model, messages=[{"role": "user", "content": q}], max_tokens=6)
        for model in (BASE, TINY)
        for q in questions
    }

    def one(n: int) -> bool:
        model, question = (BASE, TINY)[n % 2], questions[n // 2 % 10]
        request = {"model": model, "messages": [{"role": "user", "content": question}], "max_tokens": 6}
        if n % 3:
            text = ask(client, **request).choices[0].message.content
        else:
            text = "".join(chunk.choices[0].delta.content or "" for chunk in ask(client, **request, stream=True))
        assert client.models.list().data
        return text == alone[model, question].choices[0].message.content

    with ThreadPoolExecutor(100) as pool:
        assert all(pool.map(one, range(100)))


def test_a_client_that_hangs_up_cancels_its_answer(local_api: Api, client: openai.OpenAI):
    """Twenty endless answers are asked for and abandoned: the engine, busy for minutes otherwise, falls idle."""
    endless = {"model": BASE, "messages": HELLO, "max_tokens": 4000, "temperature": 1.0}

    async def abandon() -> None:
        async with openai.AsyncOpenAI(
            base_url=local_api.ready["base_url"],
            api_key=local_api.key,
            http_client=openai.DefaultAsyncHttpxClient(trust_env=False),
        ) as hasty:

            async def begin(n: int) -> None:
                if n % 2:
                    stream = await hasty.chat.completions.create(**endless, stream=True)
                    await anext(stream)
                    await stream.close()
                else:
                    await asyncio.wait_for(hasty.chat.completions.create(**endless), 2)

            await asyncio.gather(*map(begin, range(20)), return_exceptions=True)

    asyncio.run(abandon())
    server = psutil.Process(local_api.process.pid)

    def idle() -> bool:
        before = server.cpu_times().user
        time.sleep(0.5)
        return server.cpu_times().user - before < 0.1

    wait_until(idle, 10)
