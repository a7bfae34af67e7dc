"""Training tokens a second: this kit's trainer against TRL's ``SFTTrainer``, same rows, rank, batch and steps.

    python benchmarks/training_speed.py [--steps 6] [--only quick,quick-fp32,trl-best]

Each contender runs in a process of its own on the sample task's training rows, batch 16, LoRA rank 16 on all linear
layers (``trl-frozen`` and ``quick``: of the upper 12 of 30 layers). All take the same batch again and again; the
quickest step after the first counts, so that other programs on the machine disturb little. Tokens are the rows' own,
padding excluded.

- quick, thorough: in the type that was measured as quicker on this machine (``local_api/training/products.py``).
- quick-fp32, thorough-fp32: the same in fp32.
- trl-default: ``SFTConfig()`` as it comes (gradient checkpointing, bf16 where the CPU has it).
- trl-best: no checkpointing, fp32, loss on the completion only.
- trl-frozen: the same, with the lower 18 layers frozen.

Time for the frozen layers' outputs, once for each row, is counted in the line "with freezing, over N epochs".
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import synchronize

from helpers import assets

DATA = Path(__file__).parents[1] / "data" / "sample" / "triage" / "train.jsonl"
CONTENDERS = ("quick", "quick-fp32", "thorough", "thorough-fp32", "trl-default", "trl-best", "trl-frozen")
BATCH, EPOCHS, SEED = 16, 8, 1
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def ours(recipe: str, steps: int) -> dict[str, float]:
    import torch

    from helpers.local_api.training import lora_trainer
    from helpers.local_api.training.lora_trainer import HiddenStateCache
    from helpers.local_api.training.trainers.own_loop import Training

    recipe, _, dtype = recipe.partition("-")
    if dtype:
        lora_trainer.product_dtype = lambda device: torch.float32
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder)
        spec = {"id": "b", "base_dir": str(assets.base_model()), "training_file": str(DATA), "seed": SEED}
        spec |= {"n_epochs": EPOCHS, "batch_size": BATCH, "learning_rate_multiplier": 1.0, "recipe": recipe}
        (job / "spec.json").write_text(json.dumps(spec))
        training = Training(job)
        freezing = 0.0
        if training.trainer.first:
            began = time.perf_counter()
            training.frozen = HiddenStateCache(training.trainer, training.rows, job)
            synchronize()
            freezing = time.perf_counter() - began
        rows = training.batch(0)
        times = []
        for _ in range(steps):
            began = time.perf_counter()
            training.step(rows)
            synchronize()
            times.append(time.perf_counter() - began)
    tokens = sum(row.tokens for row in rows)
    rate = tokens / min(times[1:])
    all_tokens = sum(row.tokens for row in training.rows)
    whole = all_tokens * EPOCHS / (all_tokens * EPOCHS / rate + freezing)
    return {"tokens_per_second": rate, "with_freezing": whole, "tokens_a_step": tokens}


def trl(kind: str, steps: int) -> dict[str, float]:
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    from helpers.local_api.engine.text.template import JINJA, ChatTemplate
    from helpers.local_api.training.batches import epoch_order, read_rows

    base = assets.base_model()
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.chat_template = JINJA
    rows = read_rows(DATA, ChatTemplate(base), 8192)
    batch = epoch_order(len(rows), BATCH, SEED, 0)[0]
    lines = [json.loads(line)["messages"] for line in DATA.read_text(encoding="utf-8").splitlines()]
    pairs = [{"prompt": lines[i][:-1], "completion": lines[i][-1:]} for i in batch]
    frozen = {"layers_to_transform": list(range(18, 30))} if kind == "trl-frozen" else {}
    lora = LoraConfig(
        r=16,
        lora_alpha=32,
        lora_dropout=0.0,
        target_modules=LINEAR,
        task_type="CAUSAL_LM",
        **frozen,
    )
    settings = {} if kind == "trl-default" else {"gradient_checkpointing": False, "bf16": False}
    times: list[float] = []

    class Clock(TrainerCallback):
        def on_step_begin(self, *_, **__):
            self.began = time.perf_counter()

        def on_step_end(self, *_, **__):
            synchronize()
            times.append(time.perf_counter() - self.began)

    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(
            output_dir=folder,
            per_device_train_batch_size=BATCH,
            max_steps=steps,
            learning_rate=2e-3,
            report_to=[],
            save_strategy="no",
            logging_steps=100,
            disable_tqdm=True,
            use_cpu=not torch.cuda.is_available(),
            **settings,
        )
        trainer = SFTTrainer(
            model=AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32),
            args=config,
            train_dataset=Dataset.from_list(pairs),
            processing_class=tokenizer,
            peft_config=lora,
            callbacks=[Clock()],
        )
        trainer.train()
    tokens = sum(rows[i].tokens for i in batch)
    rate = tokens / min(times[1:])
    return {"tokens_per_second": rate, "with_freezing": rate, "tokens_a_step": tokens}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--only", default=",".join(CONTENDERS))
    parser.add_argument("--one", choices=CONTENDERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        found = (trl if options.one.startswith("trl") else ours)(options.one, options.steps)
        found["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(json.dumps(found))
        return
    from machine import describe, gemm_gflops, product_rates

    print(describe())
    print(f"fp32 matrix products: {gemm_gflops():.0f} GFLOP/s; kept for the choice of type: {product_rates()}")
    results = {}
    for name in options.only.split(","):
        command = [sys.executable, __file__, "--one", name, "--steps", str(options.steps)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        results[name] = json.loads(done.stdout.splitlines()[-1])
        r = results[name]
        print(
            f"{name:12} {r['tokens_per_second']:7.0f} tokens/s, with freezing, over {EPOCHS} epochs "
            f"{r['with_freezing']:7.0f}, peak memory {r['peak_gb']:.2f} GB",
            flush=True,
        )
    for mine in ("quick", "thorough"):
        for theirs in (f"{mine}-fp32", "trl-default", "trl-best", "trl-frozen"):
            if mine in results and theirs in results:
                ratio = results[mine]["with_freezing"] / results[theirs]["with_freezing"]
                print(f"{mine} / {theirs}: {ratio:.1f}x")


if __name__ == "__main__":
    main()
