"""The stand-alone TRL script: two processes learn what one learns, and what the kit's own trainer learns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from running_api import chat_rows

SCRIPT = Path(__file__).resolve().parents[1] / "examples" / "train_many_gpus.py"


def train(tiny_model, tmp_path, processes, *more):
    data = tmp_path / "train.jsonl"
    data.write_bytes(chat_rows(48))
    out = tmp_path / f"out{processes}"
    launcher = ["-m", "torch.distributed.run", "--nproc_per_node", str(processes)] if processes > 1 else []
    command = [sys.executable, *launcher, str(SCRIPT), "--base", str(tiny_model), "--train", str(data)]
    command += ["--validation", str(data), "--out", str(out), "--epochs", "4", "--recipe", "thorough", *more]
    cpu = {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(command, env=os.environ | cpu, capture_output=True, text=True), out


def lines(out):
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.soak
def test_two_processes_end_where_one_ends_and_where_the_kits_trainer_ends(tiny_model, tmp_path):
    for processes in (1, 2):
        done, _ = train(tiny_model, tmp_path, processes, "--processes", str(processes))
        assert done.returncode == 0, done.stderr[-3000:]
    one, two = lines(tmp_path / "out1")[-1], lines(tmp_path / "out2")[-1]
    assert (one["processes"], two["processes"], one["steps"], two["steps"]) == (1, 2, 12, 12)
    assert two["valid_loss"] == pytest.approx(one["valid_loss"], rel=0.02)
    print(
        f"one process {one['seconds']} s, two {two['seconds']} s: {one['seconds'] / two['seconds']:.2f} times as fast"
    )

    job = tmp_path / "job"
    job.mkdir()
    files = {name: str(tmp_path / "train.jsonl") for name in ("training_file", "validation_file")}
    spec = {"id": "j", "base_dir": str(tiny_model), "seed": 0, "n_epochs": 4, "batch_size": 16,
            "learning_rate_multiplier": 1.0, "recipe": "thorough", **files}  # fmt: skip
    (job / "spec.json").write_text(json.dumps(spec))
    subprocess.run([sys.executable, "-m", "helpers.local_api.training", str(job)], check=True)
    progress = [json.loads(line) for line in (job / "progress.jsonl").read_text().splitlines()]
    own = [line["full_valid_loss"] for line in progress if "full_valid_loss" in line][-1]
    assert one["valid_loss"] == pytest.approx(own, rel=0.02)


@pytest.mark.soak
def test_a_launcher_that_starts_too_few_processes_is_caught(tiny_model, tmp_path):
    done, out = train(tiny_model, tmp_path, 1, "--processes", "2")
    assert done.returncode == 2 and "1 processes run, 2 were asked for" in done.stderr
    assert not (out / "metrics.jsonl").exists()


@pytest.mark.soak
def test_its_adapter_loads_in_peft(tiny_model, tmp_path):
    done, out = train(tiny_model, tmp_path, 1)
    assert done.returncode == 0, done.stderr[-3000:]
    from safetensors.numpy import load_file

    tensors = load_file(out / "adapter" / "adapter_model.safetensors")
    assert tensors and all(".lora_A." in name or ".lora_B." in name for name in tensors)


def test_the_fsdp_options_are_ones_that_accelerate_knows():
    from accelerate import FullyShardedDataParallelPlugin
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(SCRIPT.with_name("fsdp.yaml")))
    assert config.distributed_type.name == "FSDP" and (config.num_machines, config.num_processes) == (1, 8)
    known = FullyShardedDataParallelPlugin.__dataclass_fields__
    options = {name.removeprefix("fsdp_") for name in config.fsdp_config} - {"version"}
    assert options <= set(known) and "fsdp_version" in known
