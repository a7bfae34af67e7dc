"""What a reader waits for: the API's start, its first answer, and a job against the time that was told beforehand.

    python benchmarks/waiting_times.py [--starts 3] [--recipes quick,thorough] [--beside 1]

- start: ``python -m helpers.local_api`` on a new home, until ``/v1/models`` answers (at most 3 s) and until a first
  chat answer of one token has come (at most 10 s).
- job: the one of lesson 3 (240 triage rows, 200 to validate with, ``"auto"``), first estimated, then run; the ratio is
  measured ÷ estimated (0.75 to 1.25 is the range that the estimate states).
- beside others: seconds for a token of an answer, alone and while one or two other programs are busy, on the server as
  it is, on one whose threads sleep at once when they wait (``GOMP_SPINCOUNT=0``), and on one whose threads spin as
  OpenMP's do by default (``300000``).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import openai
from machine import describe

from helpers import assets
from helpers.local_api.training.hyperparameters import resolve

TRIAGE = Path(__file__).parents[1] / "data" / "sample" / "triage"


@contextmanager
def served(**environment: str) -> Iterator[openai.OpenAI]:
    """A client of a new server on a new home."""
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "helpers.local_api", "--home", home]
        server = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=os.environ | environment
        )
        try:
            place = json.loads(server.stdout.readline())
            key = Path(place["key_file"]).read_text().strip()
            http = openai.DefaultHttpxClient(trust_env=False)
            yield openai.OpenAI(base_url=place["base_url"], api_key=key, http_client=http, timeout=600)
        finally:
            server.terminate()
            server.wait()


def start() -> tuple[float, float]:
    """Seconds until the models are listed, and until the first answer."""
    began = time.perf_counter()
    with served() as client:
        model = client.models.list().data[0].id
        listed = time.perf_counter() - began
        answer(client, model, 1)
        return listed, time.perf_counter() - began


def answer(client: openai.OpenAI, model: str, tokens: int) -> float:
    """Seconds for a token."""
    story = [{"role": "user", "content": "Tell a long story about a kettle."}]
    began = time.perf_counter()
    made = client.chat.completions.create(model=model, messages=story, max_tokens=tokens, temperature=0)
    return (time.perf_counter() - began) / made.usage.completion_tokens


def beside_others(**environment: str) -> tuple[float, ...]:
    """Seconds for a token, alone and beside one and two other busy programs: the middle one of three answers each."""
    with served(**environment) as client:
        model = client.models.list().data[0].id
        answer(client, model, 1)
        medians, busy = [], []
        try:
            for _ in range(3):
                medians.append(sorted(answer(client, model, 24) for _ in range(3))[1])
                busy.append(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
        finally:
            for program in busy:
                program.kill()
        return tuple(medians)


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
        trainer = [sys.executable, "-m", "helpers.local_api.training"]
        began = time.perf_counter()
        told = subprocess.run([*trainer, "--estimate", folder], stdout=subprocess.PIPE, check=True, text=True)
        estimated = time.perf_counter()
        subprocess.run([*trainer, folder], check=True)
        return json.loads(told.stdout), time.perf_counter() - estimated, estimated - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--recipes", default="quick,thorough")
    parser.add_argument("--beside", type=int, default=1, help="how often the servers answer beside others")
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
    for _ in range(options.beside):
        found = [beside_others(), beside_others(GOMP_SPINCOUNT="0"), beside_others(GOMP_SPINCOUNT="300000")]
        for where, ours, asleep, spinning in zip(("alone", "one busy program", "two"), *found, strict=True):
            print(
                f"a token, {where}: {ours:.3f} s; threads that sleep {asleep:.3f} s: {asleep / ours:.1f}x; "
                f"that spin {spinning:.3f} s: {spinning / ours:.1f}x",
                flush=True,
            )


if __name__ == "__main__":
    main()
