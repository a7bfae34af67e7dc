"""Held-out quality of the kit's recipes against all-layer LoRA by TRL: same rows, rank, batch, rate, epochs.

    python benchmarks/training_quality.py [FOLDER] [--tasks triage,two_way] [--seeds 1,2,3] [--only quick,thorough,trl]
                                          [--at-once 1] [--report]

Each contender trains on a sample task's training rows (triage 240, two_way 100; ``"auto"``'s settings) and answers its
validation and test rows (400 and 300), greedily, in this kit's engine. A row's score is the share of its fields that
are right (triage has three, two_way one word).

Each run is a process of its own and leaves a file in FOLDER (``.local/benchmarks/quality``). Runs that are there are
not repeated, so that the whole (on two cores about two hours, nearly all of it TRL's) can be done in parts, and
``--at-once`` on a larger machine.

The difference between two contenders is averaged over seeds within each row; its 95 % interval is from a bootstrap over
the rows of all tasks together, so that a row's answers of three seeds count as one cluster.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean

import numpy as np

from helpers import assets
from helpers.local_api.training.hyperparameters import BASE_LEARNING_RATE, Hyperparameters, resolve

SAMPLES = Path(__file__).parents[1] / "data" / "sample"
RESULTS = Path(__file__).parents[1] / ".local" / "benchmarks" / "quality"
FIELDS = {"triage": ("category", "urgency", "order_id"), "two_way": ("answer",)}
CONTENDERS = ("quick", "thorough", "trl")
DRAWS = 10_000


def rows_of(task: str, *splits: str) -> list[list[dict[str, str]]]:
    """The conversations of a task's splits."""
    files = [SAMPLES / task / f"{split}.jsonl" for split in splits]
    return [json.loads(line)["messages"] for file in files for line in file.read_text(encoding="utf-8").splitlines()]


def settings_of(task: str) -> Hyperparameters:
    return resolve(len(rows_of(task, "train")))


def train_ours(recipe: str, task: str, seed: int, folder: Path) -> Path:
    settings = settings_of(task)
    spec = {
        "id": "q",
        "base_dir": str(assets.base_model()),
        "training_file": str(SAMPLES / task / "train.jsonl"),
        "seed": seed,
        "n_epochs": settings.n_epochs,
        "batch_size": settings.batch_size,
        "learning_rate_multiplier": settings.learning_rate_multiplier,
        "recipe": recipe,
    }
    (folder / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "helpers.local_api.training", str(folder)], check=True)
    return folder / f"checkpoints/step-{settings.total_steps}"


def train_trl(task: str, seed: int, folder: Path) -> Path:
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    from helpers.local_api.engine.text.template import JINJA

    tokenizer = AutoTokenizer.from_pretrained(assets.base_model())
    tokenizer.chat_template = JINJA
    settings = settings_of(task)
    config = SFTConfig(
        output_dir=str(folder),
        per_device_train_batch_size=settings.batch_size,
        num_train_epochs=settings.n_epochs,
        learning_rate=BASE_LEARNING_RATE * settings.learning_rate_multiplier,
        lr_scheduler_type="linear",
        warmup_steps=0.1,
        weight_decay=0.0,
        seed=seed,
        gradient_checkpointing=False,
        bf16=False,
        report_to=[],
        save_strategy="no",
        use_cpu=not torch.cuda.is_available(),
    )
    lora = LoraConfig(r=16, lora_alpha=32, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM")
    pairs = [{"prompt": messages[:-1], "completion": messages[-1:]} for messages in rows_of(task, "train")]
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(assets.base_model(), dtype=torch.float32),
        args=config,
        train_dataset=Dataset.from_list(pairs),
        processing_class=tokenizer,
        peft_config=lora,
    )
    trainer.train()
    trainer.model.save_pretrained(folder / "adapter")
    return folder / "adapter"


def right_fields(task: str, adapter: Path) -> list[list[bool]]:
    """For each held-out row, which fields are right."""
    from helpers.local_api.engine.generate import Engine
    from helpers.local_api.engine.requests import GenerationRequest

    engine = Engine(assets.base_model())
    engine.load_adapter("tuned", adapter)
    rows = rows_of(task, "validation", "test")
    asked = [engine.submit(GenerationRequest(messages=row[:-1], adapter="tuned", max_tokens=64)) for row in rows]
    found = []
    for generation, row in zip(asked, rows, strict=True):
        answer, expected = (_read(task, text) for text in (generation.result().text, row[-1]["content"]))
        found.append([field in answer and answer[field] == expected[field] for field in FIELDS[task]])
    engine.close()
    return found


def _read(task: str, text: str) -> dict:
    """An answer's fields; none where it is not the JSON that was asked for."""
    if task == "two_way":
        return {"answer": text.strip()}
    try:
        answer = json.loads(text)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def one(contender: str, task: str, seed: int) -> dict:
    from machine import describe

    with tempfile.TemporaryDirectory() as name:
        began = time.perf_counter()
        folder = Path(name)
        adapter = train_trl(task, seed, folder) if contender == "trl" else train_ours(contender, task, seed, folder)
        seconds = time.perf_counter() - began
        run = {"contender": contender, "task": task, "seed": seed, "machine": describe(), "train_s": seconds}
        return run | {"right": right_fields(task, adapter)}


def report(runs: list[dict]) -> None:
    for machine in sorted({run["machine"].split(", load")[0] for run in runs}):
        print(f"on {machine}")
    for task in FIELDS:
        for contender in CONTENDERS:
            mine = [run for run in runs if (run["task"], run["contender"]) == (task, contender)]
            if mine:
                every = [row for run in mine for row in run["right"]]
                fields = [f"{name} {mean(row[n] for row in every):.1%}" for n, name in enumerate(FIELDS[task])]
                print(
                    f"{task} {contender:9} {len(mine)} seeds: all fields {mean(map(all, every)):.1%} "
                    f"({', '.join(fields)}), trained in {mean(run['train_s'] for run in mine):.0f} s"
                )
    for mine, theirs in (("quick", "trl"), ("thorough", "trl"), ("quick", "thorough")):
        compare(runs, mine, theirs, "pooled")
        for task in FIELDS:
            compare([run for run in runs if run["task"] == task], mine, theirs, task)


def compare(runs: list[dict], mine: str, theirs: str, what: str) -> None:
    """Print the mean difference of scores, row by row, with its interval, where both ran."""
    scores = {(r["task"], r["seed"], r["contender"]): [mean(row) for row in r["right"]] for r in runs}
    by_row: dict[tuple[str, int], list[float]] = {}
    for (task, seed, contender), ours in scores.items():
        if contender == mine and (task, seed, theirs) in scores:
            for n, (a, b) in enumerate(zip(ours, scores[task, seed, theirs], strict=True)):
                by_row.setdefault((task, n), []).append(a - b)
    if not by_row:
        return
    rows = np.array([mean(found) for found in by_row.values()])
    draws = np.random.default_rng(0).choice(rows, size=(DRAWS, len(rows))).mean(axis=1)
    low, high = np.quantile(draws, (0.025, 0.975))
    answers = sum(map(len, by_row.values()))
    print(
        f"{mine} - {theirs}, {what}: share of right fields {100 * rows.mean():+.1f} points (95 % interval "
        f"{100 * low:+.1f} to {100 * high:+.1f}), {len(rows)} rows, {answers} pairs of answers"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("results", type=Path, nargs="?", default=RESULTS, help="a folder, one file a run")
    parser.add_argument("--tasks", default=",".join(FIELDS))
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--only", default=",".join(CONTENDERS))
    parser.add_argument("--at-once", type=int, default=1, help="runs side by side")
    parser.add_argument("--report", action="store_true", help="only show what is there")
    parser.add_argument("--one", nargs=3, metavar=("CONTENDER", "TASK", "SEED"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        contender, task, seed = options.one
        found = json.dumps(one(contender, task, int(seed)))
        (options.results / f"{task}-{contender}-{seed}.json").write_text(found)
        return
    options.results.mkdir(parents=True, exist_ok=True)

    def run(asked: tuple[str, str, str]) -> None:
        if not (options.results / f"{asked[1]}-{asked[0]}-{asked[2]}.json").exists():
            subprocess.run([sys.executable, __file__, str(options.results), "--one", *asked], check=True)
            print("done:", *asked, flush=True)

    if not options.report:
        wanted = [
            (contender, task, seed)
            for task in options.tasks.split(",")
            for contender in reversed(options.only.split(","))  # the slowest first
            for seed in options.seeds.split(",")
        ]
        with ThreadPoolExecutor(options.at_once) as pool:
            list(pool.map(run, wanted))
    report([json.loads(file.read_text()) for file in sorted(options.results.glob("*.json"))])


if __name__ == "__main__":
    main()
