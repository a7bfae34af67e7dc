"""What a reader waits for: the API's start, its first answer, and a job against the time that was told beforehand.

    python benchmarks/waiting_times.py [--starts 3] [--recipes quick,thorough]

- start: ``python -m helpers.local_api`` on a new home, until ``/v1/models`` answers (at most 3 s) and until a first
  chat answer of one token has come (at most 10 s).
- job: the one of lesson 3 (240 triage rows, 200 to validate with, ``"auto"``), first estimated, then run; the ratio is
  measured ÷ estimated (0.75 to 1.25 is the range that the estimate states).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from machine import describe

from helpers import assets
from helpers.local_api.hyperparameters import resolve

TRIAGE = Path(__file__).parents[1] / "data" / "sample" / "triage"


def start() -> tuple[float, float]:
    """Seconds until the models are listed, and until the first answer."""
    with tempfile.TemporaryDirectory() as home:
        began = time.perf_counter()
        command = [sys.executable, "-m", "helpers.local_api", "--home", home]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            place = json.loads(server.stdout.readline())
            key = Path(place["key_file"]).read_text().strip()
            model = ask(place["base_url"] + "/models", key)["data"][0]["id"]
            listed = time.perf_counter() - began
            hello = {"model": model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1}
            ask(place["base_url"] + "/chat/completions", key, hello)
            return listed, time.perf_counter() - began
        finally:
            server.terminate()
            server.wait()


def ask(address: str, key: str, body: dict | None = None) -> dict:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(address, json.dumps(body).encode() if body else None, headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=120) as reply:
        return json.load(reply)


def job(recipe: str) -> tuple[dict, float, float]:
    """The estimate, the seconds that the job then took, and how many the estimate took."""
    training = TRIAGE / "train.jsonl"
    settings = resolve(len(training.read_text(encoding="utf-8").splitlines()))
    spec = {
        "id": "w",
        "base_dir": str(assets.base_model()),
        "training_file": str(training),
        "validation_file": str(TRIAGE / "validation.jsonl"),
        "seed": 1,
        "n_epochs": settings.n_epochs,
        "batch_size": settings.batch_size,
        "learning_rate_multiplier": settings.learning_rate_multiplier,
        "recipe": recipe,
    }
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
        trainer = [sys.executable, "-m", "helpers.local_api.train"]
        began = time.perf_counter()
        told = subprocess.run([*trainer, "--estimate", folder], stdout=subprocess.PIPE, check=True, text=True)
        estimated = time.perf_counter()
        subprocess.run([*trainer, folder], check=True)
        return json.loads(told.stdout), time.perf_counter() - estimated, estimated - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--recipes", default="quick,thorough")
    options = parser.parse_args()
    print(describe())
    for _ in range(options.starts):
        listed, answered = start()
        print(f"start: models after {listed:.1f} s, first answer after {answered:.1f} s", flush=True)
    for recipe in filter(None, options.recipes.split(",")):
        told, took, probing = job(recipe)
        print(
            f"job, {recipe}: {told['seconds']:.0f} s estimated (in {probing:.0f} s), {took:.0f} s measured, "
            f"ratio {took / told['seconds']:.2f}; {told['tokens_per_second']:.0f} tokens/s estimated",
            flush=True,
        )


if __name__ == "__main__":
    main()
