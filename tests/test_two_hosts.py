"""One source, two hosts: the kit's calls, and lessons 2 to 5, at a host of Nebius's shape that really trains."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nebius_front import KEY, NebiusFront
from running_api import TINY, chat_rows

from helpers import deploy, jobs, providers
from helpers.errors import JobError
from helpers.providers import local

TOP = Path(__file__).resolve().parents[1]
NAME = "nebius-rehearsal"


def named(front: NebiusFront, home: Path, model: str) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / "hosts.toml").write_text(
        f'[{NAME}]\nbase_url = "{front.base_url}"\nkey_variable = "REHEARSAL_KEY"\nlike = "nebius"\n'
        f'default_model = "{model}"\n'
    )


def test_the_journey_at_a_host_of_nebius_shape_that_really_trains(local_api, tiny_model, tmp_path, monkeypatch):
    front = NebiusFront(local_api.ready["base_url"], local_api.key, local_api.home, base=tiny_model)
    named(front, tmp_path, TINY)
    monkeypatch.setenv("KIT_HOME", str(tmp_path))
    monkeypatch.setenv("REHEARSAL_KEY", KEY)
    client, path = providers.connect(NAME), tmp_path / "train.jsonl"
    path.write_bytes(chat_rows(16).replace(b"parcel", b"box"))
    file = jobs.upload(client, path)
    assert file.status is None and jobs.upload(client, path).id == file.id
    asked = {"validation_file": file.id, "suffix": "two", "hyperparameters": {"n_epochs": 2, "batch_size": "auto"}}
    job = jobs.start(client, file.id, **asked)
    assert front.asked[-1]["hyperparameters"] == {"lora": True, "n_epochs": 2} and "method" not in front.asked[-1]
    assert jobs.start(client, file.id, **asked).id == job.id and len(front.asked) == 1
    shares = []
    done = jobs.watch(client, job.id, on_progress=lambda seen: shares.append(seen.share), every=0.2)
    assert done.fine_tuned_model is None and shares == sorted(shares) and shares[-1] == 1.0
    curve = jobs.curve(client, job.id)
    assert len(curve) == 2 and set(curve) >= {"step", "train_loss", "valid_loss"}
    assert jobs.messages(client, job.id) and jobs.predict(client, path, training_file=file.id).minutes is None

    with pytest.raises(JobError, match="not deployed"):
        jobs.answering(client, job.id)
    front.deployed.add(job.id)
    model = jobs.answering(client, job.id)
    ask = {"messages": [{"role": "user", "content": "Where is box 1?"}], "temperature": 0, "max_tokens": 12}
    behind = local_api.client().fine_tuning.jobs.retrieve(job.id).fine_tuned_model
    answers = [client.chat.completions.create(model=name, **ask).choices[0].message.content for name in (model, TINY)]
    assert answers[0] == local_api.client().chat.completions.create(model=behind, **ask).choices[0].message.content
    assert answers[0] != answers[1]

    saved = jobs.download(client, job.id, tmp_path / "weights")
    assert len(saved) == 2 and saved[0].read_bytes() != saved[1].read_bytes()
    here = front.adapter(behind)
    assert saved[1].read_bytes() == here and len(here) > 1000
    assert deploy.take_home(client, job.id, tmp_path / "weights") == saved
    front.close()


@pytest.mark.soak
def test_lessons_2_to_5_run_unchanged_at_a_host_of_nebius_shape(tmp_path, monkeypatch):
    """The notebooks' own cells, with another name in HOST: lesson 1 makes their files, 2 to 5 meet the other host."""
    home = tmp_path / "home"
    (tmp_path / "home").mkdir()
    (home / "assets").symlink_to(Path(os.environ["KIT_HOME"]) / "assets")
    monkeypatch.setenv("KIT_HOME", str(home))
    monkeypatch.setenv("REHEARSAL_KEY", KEY)
    behind = local.start()
    front = NebiusFront(behind.base_url, behind.key, local.usual_home(), deploys=True)
    named(front, home, providers.LOCAL.default_model)
    try:
        ran = {name: run(name, at_host=name != "01_prepare_data") for name in
               ("01_prepare_data", "02_upload", "03_train", "04_evaluate", "05_deploy")}  # fmt: skip
    finally:
        subprocess.run([sys.executable, "-m", "helpers.providers", "stop"], stdout=subprocess.DEVNULL)
        front.close()
    assert len(front.asked) == 2 and all(asked["hyperparameters"]["lora"] for asked in front.asked)
    assert NAME in ran["02_upload"] and "production is" in ran["05_deploy"]


def run(name: str, at_host: bool) -> str:
    """Run a lesson for real, its HOST alone changed; everything that it printed."""
    path = TOP / "notebooks" / f"{name}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    choices = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    if at_host:
        assert choices.source.count('HOST = "local"') == 1
        choices.source = choices.source.replace('HOST = "local"', f'HOST = "{NAME}"')
    NotebookClient(
        notebook,
        timeout=1800,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        extra_arguments=["--IPKernelApp.log_level=40"],
    ).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return "\n".join(output.get("text", "") for output in outputs)
