"""The local trainer's recipe as one stand-alone script, for as many processes as you have: TRL with LoRA.

    python examples/train_many_gpus.py --base FOLDER --train train.jsonl --out OUT                    # one process
    torchrun --nproc_per_node 8 examples/train_many_gpus.py --processes 8 --base … --train … --out …  # one node, 8 GPUs
    accelerate launch --config_file examples/fsdp.yaml examples/train_many_gpus.py --processes 8 …    # FSDP

On CPUs, two processes were run by us: ``ACCELERATE_USE_CPU=true torchrun --nproc_per_node 2 … --processes 2``. On GPUs
nothing was run by us, nor was FSDP. ``--processes`` is checked against the real world size: some launchers start one
process, silently, whatever was asked.

Same data, chat template, loss, LoRA, optimiser, schedule and global batch as the kit's own trainer; the order of the
rows differs, so losses agree within noise, not to the last digit. It imports nothing from the kit: copy it and go.
Needs torch, transformers, peft and trl. TRL reports each use to huggingface.co; ``HF_HUB_DISABLE_TELEMETRY=1``
stops that. Writes OUT/adapter (PEFT's layout) and OUT/metrics.jsonl.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

START, END = "<|im_start|>", "<|im_end|>"
RATE = 2e-3
"""What --learning-rate-multiplier multiplies: the kit's peak rate for a 135M model. Larger ones want about a tenth."""
UPPER_SHARE = 0.4
"""The share of layers, from the top, that the quick recipe adapts."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", required=True, help="folder of the base model")
    parser.add_argument("--train", type=Path, required=True, help="JSONL, OpenAI's chat shape")
    parser.add_argument("--validation", type=Path, help="JSONL, measured once at the end")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=16, help="over all processes")
    parser.add_argument("--learning-rate-multiplier", type=float, default=1.0)
    parser.add_argument("--recipe", choices=("quick", "thorough"), default="quick")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1, help="how many there must be; checked")
    options = parser.parse_args()

    tokenizer = AutoTokenizer.from_pretrained(options.base)
    model = AutoModelForCausalLM.from_pretrained(options.base, dtype=torch.float32)
    train = rows_of(options.train, tokenizer)
    valid = rows_of(options.validation, tokenizer) if options.validation else None
    settings = settings_of(options, len(train))
    if settings.world_size != options.processes:
        print(f"{settings.world_size} processes run, {options.processes} were asked for: use torchrun", file=sys.stderr)
        return 2
    trainer = SFTTrainer(
        model=model,
        args=settings,
        train_dataset=train,
        eval_dataset=valid,
        processing_class=tokenizer,
        peft_config=lora(model, options.recipe),
    )
    began = time.monotonic()
    trainer.train()
    seconds = time.monotonic() - began
    measured = trainer.evaluate() if valid else {}
    trainer.save_model(str(options.out / "adapter"))
    if trainer.is_world_process_zero():
        write(options.out, trainer.state.log_history, settings.world_size, seconds, measured.get("eval_loss"))
    return 0


def rows_of(file: Path, tokenizer) -> Dataset:
    """Token ids, and a mask of what is learned: each assistant's words and the end mark after them."""
    rows = []
    for line in filter(str.strip, file.read_text(encoding="utf-8").splitlines()):
        ids, learned = [], []
        for message in json.loads(line)["messages"]:
            assistant = message["role"] == "assistant"
            role = "system" if message["role"] == "developer" else message["role"]
            head, body = f"{START}{role}\n", f"{message['content']}{END}"
            pieces = [(head, 0), (body, int(assistant and message.get("weight", 1) > 0)), ("\n", 0)]
            if not assistant:  # tokenised in one piece, as the kit's template does
                pieces = [(head + body, 0), ("\n", 0)]
            for text, mark in pieces:
                some = tokenizer(text, add_special_tokens=False)["input_ids"]
                ids += some
                learned += [mark] * len(some)
        rows.append({"input_ids": ids, "completion_mask": learned})
    return Dataset.from_list(rows)


def lora(model, recipe: str) -> LoraConfig:
    """Rank 16 on all linear layers: of the upper layers in the quick recipe, of all in the thorough one."""
    count = model.config.num_hidden_layers
    head = model.get_output_embeddings()
    linear = {
        n.rsplit(".", 1)[-1] for n, m in model.named_modules() if isinstance(m, torch.nn.Linear) and m is not head
    }
    upper = list(range(count - max(1, round(count * UPPER_SHARE)), count)) if recipe == "quick" else None
    return LoraConfig(
        r=16, lora_alpha=32, lora_dropout=0.0, target_modules=sorted(linear), layers_to_transform=upper,
        task_type="CAUSAL_LM",
    )  # fmt: skip


def settings_of(options: argparse.Namespace, examples: int) -> SFTConfig:
    """TRL's defaults suit large models on GPUs; what differs here, and why, stands beside it."""
    settings = SFTConfig(
        output_dir=str(options.out),
        num_train_epochs=options.epochs,
        learning_rate=RATE * options.learning_rate_multiplier,
        warmup_steps=max(1, round(-(-examples // options.batch_size) * options.epochs * 0.1)),
        lr_scheduler_type="linear",
        weight_decay=0.0,
        max_grad_norm=1.0,
        seed=options.seed,
        bf16=False,  # fp32, as the kit trains; on GPUs set it to True
        gradient_checkpointing=False,  # costs a third of the speed; for models that do not fit otherwise
        completion_only_loss=True,
        max_length=None,  # never cut an example short in silence
        per_device_train_batch_size=max(1, options.batch_size // options.processes),
        per_device_eval_batch_size=max(1, options.batch_size // options.processes),
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    return settings


def write(out: Path, history: list[dict], processes: int, seconds: float, valid_loss: float | None) -> None:
    steps = [{"step": line["step"], "train_loss": line["loss"]} for line in history if "loss" in line]
    end = {"processes": processes, "seconds": round(seconds, 1), "steps": len(steps), "valid_loss": valid_loss}
    (out / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in [*steps, end]), encoding="utf-8")
    print(json.dumps(end))


if __name__ == "__main__":
    sys.exit(main())
