"""Held-out quality of the kit's recipes against all-layer LoRA by TRL: same rows, rank, batch, rate, epochs.

    python benchmarks/training_quality.py RESULTS.json [--seeds 1,2,3] [--only quick,thorough,trl] [--report]

Each contender trains on the sample task's 240 training rows (with ``"auto"``'s settings) and answers its 200 validation
and 200 test rows, greedily, in this kit's engine. The share of right fields counts; the share of rows with all fields
right is shown too. Finished runs are kept in RESULTS.json and not repeated, so that the whole (about
two hours on two cores, nearly all of it TRL's) can be done in parts.

The difference quick - trl is averaged over seeds within each row; its 95 % interval is from a bootstrap over rows, so
that a row's answers of three seeds count as one cluster.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean

from helpers import assets
from helpers.local_api.hyperparameters import BASE_LEARNING_RATE, resolve

TRIAGE = Path(__file__).parents[1] / "data" / "sample" / "triage"
FIELDS = ("category", "urgency", "order_id")
SETTINGS = resolve(240)


def train_ours(recipe: str, seed: int, folder: Path) -> Path:
    spec = {
        "id": "q",
        "base_dir": str(assets.base_model()),
        "training_file": str(TRIAGE / "train.jsonl"),
        "seed": seed,
        "n_epochs": SETTINGS.n_epochs,
        "batch_size": SETTINGS.batch_size,
        "learning_rate_multiplier": SETTINGS.learning_rate_multiplier,
        "recipe": recipe,
    }
    (folder / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "helpers.local_api.train", str(folder)], check=True)
    return folder / f"checkpoints/step-{SETTINGS.total_steps}"


def train_trl(seed: int, folder: Path) -> Path:
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    from helpers.local_api.template import JINJA

    tokenizer = AutoTokenizer.from_pretrained(assets.base_model())
    tokenizer.chat_template = JINJA
    lines = [json.loads(line)["messages"] for line in (TRIAGE / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    config = SFTConfig(
        output_dir=str(folder),
        per_device_train_batch_size=SETTINGS.batch_size,
        num_train_epochs=SETTINGS.n_epochs,
        learning_rate=BASE_LEARNING_RATE * SETTINGS.learning_rate_multiplier,
        lr_scheduler_type="linear",
        warmup_ratio=0.1,
        weight_decay=0.0,
        seed=seed,
        gradient_checkpointing=False,
        bf16=False,
        report_to=[],
        save_strategy="no",
        use_cpu=not torch.cuda.is_available(),
    )
    lora = LoraConfig(r=16, lora_alpha=32, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM")
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(assets.base_model(), dtype=torch.float32),
        args=config,
        train_dataset=Dataset.from_list([{"prompt": m[:-1], "completion": m[-1:]} for m in lines]),
        processing_class=tokenizer,
        peft_config=lora,
    )
    trainer.train()
    trainer.model.save_pretrained(folder / "adapter")
    return folder / "adapter"


def right_fields(adapter: Path) -> list[list[bool]]:
    """For each held-out row, which fields are right."""
    from helpers.local_api.generate import Engine, GenerationRequest

    engine = Engine(assets.base_model())
    engine.load_adapter("tuned", adapter)
    rows = []
    for name in ("validation.jsonl", "test.jsonl"):
        rows += [json.loads(line)["messages"] for line in (TRIAGE / name).read_text(encoding="utf-8").splitlines()]
    asked = [engine.submit(GenerationRequest(messages=row[:-1], adapter="tuned", max_tokens=64)) for row in rows]
    found = []
    for generation, row in zip(asked, rows, strict=True):
        expected = json.loads(row[-1]["content"])
        try:
            answer = json.loads(generation.result().text)
        except ValueError:
            answer = None
        answer = answer if isinstance(answer, dict) else {}
        found.append([field in answer and answer[field] == expected[field] for field in FIELDS])
    engine.close()
    return found


def one(contender: str, seed: int) -> dict:
    with tempfile.TemporaryDirectory() as name:
        began = time.perf_counter()
        adapter = train_trl(seed, Path(name)) if contender == "trl" else train_ours(contender, seed, Path(name))
        seconds = time.perf_counter() - began
        return {"contender": contender, "seed": seed, "train_s": seconds, "right": right_fields(adapter)}


def report(runs: list[dict]) -> None:
    for contender in dict.fromkeys(run["contender"] for run in runs):
        mine = [run for run in runs if run["contender"] == contender]
        rows = mean(mean(map(all, run["right"])) for run in mine)
        fields = [mean(row[n] for run in mine for row in run["right"]) for n in range(len(FIELDS))]
        shown = ", ".join(f"{name} {share:.1%}" for name, share in zip(FIELDS, fields, strict=True))
        seconds = mean(run["train_s"] for run in mine)
        print(f"{contender:9} {len(mine)} seeds: all fields {rows:.1%} ({shown}), {seconds:.0f} s")
    for a, b in (("quick", "trl"), ("thorough", "trl"), ("quick", "thorough")):
        pairs = [
            (r, s) for r in runs for s in runs if (r["contender"], s["contender"]) == (a, b) and r["seed"] == s["seed"]
        ]
        if pairs:
            rows = range(len(pairs[0][0]["right"]))
            by_row = [mean(mean(r["right"][i]) - mean(s["right"][i]) for r, s in pairs) for i in rows]
            chance = random.Random(0)
            means = sorted(mean(chance.choices(by_row, k=len(by_row))) for _ in range(4000))
            print(
                f"{a} - {b}, right fields, {len(by_row)} rows x {len(pairs)} seeds: {mean(by_row):+.1%} "
                f"(95 % interval {means[100]:+.1%} to {means[3899]:+.1%})"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--only", default="quick,thorough,trl")
    parser.add_argument("--report", action="store_true", help="only show what is there")
    options = parser.parse_args()
    runs = json.loads(options.results.read_text()) if options.results.exists() else []
    for seed in map(int, options.seeds.split(",")):
        for contender in options.only.split(","):
            if not options.report and not any((r["contender"], r["seed"]) == (contender, seed) for r in runs):
                runs.append(one(contender, seed))
                options.results.write_text(json.dumps(runs))
                print(f"{contender} seed {seed}: {runs[-1]['train_s']:.0f} s", flush=True)
    report(runs)


if __name__ == "__main__":
    main()
