"""Two processes against one: ``examples/train_many_gpus.py`` with ``torchrun`` on the real base model and sample data.

Reports the final loss on held-out rows of one and of two processes and the ratio of their times. Both sides use the
same cores: one process has all of them as threads, two processes share them. So the ratio says what the launcher costs
or gains on one machine; the gain of a second machine or GPU is not measured here.

Run it with ``python benchmarks/two_processes.py``; it takes about five minutes on two cores.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import machine
import torch

from helpers import assets

TOP = Path(__file__).resolve().parents[1]
SAMPLE = TOP / "data" / "sample" / "triage"
ROWS, HELD_OUT, EPOCHS, BATCH = 96, 48, 3, 8
WITHIN = 0.02


def main() -> int:
    """Print one line a run and the comparison; the exit status is 1 when the losses differ by more than 2 %."""
    cores = torch.get_num_threads()
    print(machine.describe())
    with tempfile.TemporaryDirectory() as folder:
        head(SAMPLE / "train.jsonl", ROWS, Path(folder) / "train.jsonl")
        head(SAMPLE / "validation.jsonl", HELD_OUT, Path(folder) / "validation.jsonl")
        alone = train(Path(folder), processes=1, threads=cores)
        both = train(Path(folder), processes=2, threads=max(1, cores // 2))
        own = the_kits_own(Path(folder))
    apart = both["valid_loss"] / alone["valid_loss"] - 1
    print(f"held-out loss: {alone['valid_loss']:.4f} alone, {both['valid_loss']:.4f} together ({100 * apart:+.2f} %)")
    print(f"the kit's own trainer on the same rows: {own:.4f} ({100 * (own / alone['valid_loss'] - 1):+.2f} %)")
    print(f"time: {alone['seconds']:.0f} s alone, {both['seconds']:.0f} s together, on the same {cores} cores: "
          f"{alone['seconds'] / both['seconds']:.2f} times as fast")  # fmt: skip
    return int(abs(apart) > WITHIN)


def head(source: Path, rows: int, target: Path) -> None:
    lines = source.read_text(encoding="utf-8").splitlines()[:rows]
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")


def train(folder: Path, processes: int, threads: int) -> dict:
    """One run of the script; its last line, with the number of processes that really ran."""
    out = folder / f"out{processes}"
    launcher = ["-m", "torch.distributed.run", "--nproc_per_node", str(processes)] if processes > 1 else []
    command = [sys.executable, *launcher, str(TOP / "examples" / "train_many_gpus.py"), "--processes", str(processes),
               "--base", str(assets.base_model()), "--train", str(folder / "train.jsonl"),
               "--validation", str(folder / "validation.jsonl"), "--out", str(out), "--epochs", str(EPOCHS),
               "--batch-size", str(BATCH)]  # fmt: skip
    quiet = {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": str(threads), "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run(command, env=os.environ | quiet, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = json.loads((out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    print(f"{end['processes']} process(es) with {threads} thread(s) each: {end['steps']} steps in {end['seconds']} s, "
          f"held-out loss {end['valid_loss']:.4f}", flush=True)  # fmt: skip
    return end


def the_kits_own(folder: Path) -> float:
    """Held-out loss after the same epochs with the trainer of the local API."""
    job = folder / "job"
    job.mkdir()
    spec = {"id": "j", "base_dir": str(assets.base_model()), "seed": 0, "n_epochs": EPOCHS, "batch_size": BATCH,
            "learning_rate_multiplier": 1.0, "recipe": "quick", "training_file": str(folder / "train.jsonl"),
            "validation_file": str(folder / "validation.jsonl")}  # fmt: skip
    (job / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
    subprocess.run(
        [sys.executable, "-m", "helpers.local_api.training", str(job)], check=True, stderr=subprocess.DEVNULL
    )
    progress = [json.loads(line) for line in (job / "progress.jsonl").read_text(encoding="utf-8").splitlines()]
    return [line["full_valid_loss"] for line in progress if "full_valid_loss" in line][-1]


if __name__ == "__main__":
    sys.exit(main())
