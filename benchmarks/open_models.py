"""Memory and time of the shelf's models on this machine, against what ``helpers.open_models`` predicts.

    python benchmarks/open_models.py smollm2-360m-instruct qwen3-0.6b [--rows 32] [--epochs 2] [--recipe quick]

Weights are random, in the shapes of the real models (``shapes.json``), bf16 on disk as on the hub: neither memory nor
time depends on their values. Rows are the sample task's. Each measurement is a process of its own, whose peak memory
the system tells. Times are processor seconds of one thread, against the rate of one core, so that a busy machine
disturbs little; imports are left out. A line a measurement: predicted, found, and how far off that is.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from helpers import assets, open_models
from helpers.open_models.sizing import START_SECONDS

HERE = Path(__file__).parent
DATA = HERE.parent / "data" / "sample" / "triage" / "train.jsonl"
SHAPES = json.loads((HERE / "shapes.json").read_text())
MAKE = """
import json, sys, torch, transformers as t
config, model, shape = json.loads(sys.argv[1])
torch.set_default_dtype(torch.bfloat16)
ids = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2}
config = getattr(t, config)(max_position_embeddings=8192, tie_word_embeddings=True, **ids, **shape)
getattr(t, model)(config).save_pretrained(sys.argv[2])
"""
ANSWER = """
import json, sys, torch
from pathlib import Path
from time import process_time
from helpers.local_api.engine.generate import Engine
from helpers.local_api.engine.requests import GenerationRequest
torch.set_num_threads(1)
engine = Engine(Path(sys.argv[1]))
prompt = (list(range(100, 700)) * 2)[:600]
began = process_time()
engine.submit(GenerationRequest(prompt_ids=prompt[:8], max_tokens=1)).result()
loaded = process_time()
engine.submit(GenerationRequest(prompt_ids=prompt[::-1], max_tokens=1)).result()
print(json.dumps({"load_s": loaded - began, "read_s": process_time() - loaded}))
engine.close()
"""
TRAIN = """
import json, sys, torch
from pathlib import Path
from time import process_time
from helpers.local_api.training.trainers.job import Progress
from helpers.local_api.training.trainers.own_loop import Training
torch.set_num_threads(1)
job = Path(sys.argv[1])
times = [process_time()]
training = Training(job)
times.append(process_time())
training.freeze(Progress(job))
times.append(process_time())
for step in range(training.total_steps):
    training.step(training.batch(step))
times.append(process_time())
load, freeze, steps = (after - before for before, after in zip(times, times[1:]))
rows = training.rows
print(json.dumps({"tokens": sum(row.tokens for row in rows), "learned": sum(len(row.at) for row in rows),
                  "load": load, "freeze": freeze, "steps": steps}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("names", nargs="+", choices=list(SHAPES))
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--recipe", choices=("quick", "thorough"), default="quick")
    parser.add_argument("--only-train", action="store_true")
    parser.add_argument("--keep", type=Path, help="a folder for the random weights, used again when they are there")
    options = parser.parse_args()
    print(f"one core: { {name: round(rate) for name, rate in one_core().items()} } GFLOP/s", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.names:
            folder = weights(name, options.keep or Path(scratch))
            if not options.only_train:
                answering(name, folder)
            training(name, folder, Path(scratch), options)


def one_core() -> dict[str, float]:
    """GFLOP/s of matrix products on one core."""
    out, _ = measured([sys.executable, "-m", "helpers.local_api.training.products"])
    return json.loads(out)["gflops_a_core"]


def weights(name: str, place: Path) -> Path:
    """The folder of a model: the lessons' own as it is, another with random weights and the lessons' tokenizer."""
    if name == "smollm2-135m-instruct":
        return assets.base_model()
    folder = place / name
    if not (folder / "config.json").is_file():
        subprocess.run([sys.executable, "-c", MAKE, json.dumps(SHAPES[name]), str(folder)], check=True)
        for file in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
            shutil.copy(assets.base_model() / file, folder)
    return folder


def measured(command: list[str]) -> tuple[str, int]:
    """What a process printed, and the most memory that it held, in bytes."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command[2:4]} ended with status {status}")
    return out, usage.ru_maxrss * 1024


def answering(name: str, folder: Path) -> None:
    out, memory = measured([sys.executable, "-c", ANSWER, str(folder)])
    tell(name, "memory to answer, GB", open_models.needs(open_models.on_shelf(name)).prompt / 1e9, memory / 1e9)
    found = json.loads(out)
    print(f"{name}: loaded in {found['load_s']:.1f} s, read {600 / found['read_s']:.0f} tokens/s", flush=True)


def training(name: str, folder: Path, scratch: Path, options: argparse.Namespace) -> None:
    job = Path(tempfile.mkdtemp(dir=scratch))
    rows = DATA.read_text().splitlines(keepends=True)[: options.rows]
    (job / "rows.jsonl").write_text("".join(rows))
    spec = {
        "id": "b", "base_dir": str(folder), "training_file": str(job / "rows.jsonl"), "validation_file": None,
        "seed": 1, "n_epochs": options.epochs, "batch_size": 8, "learning_rate_multiplier": 1, "recipe": options.recipe,
    }  # fmt: skip
    (job / "spec.json").write_text(json.dumps(spec))
    out, memory = measured([sys.executable, "-c", TRAIN, str(job)])
    found = json.loads(out)
    said = open_models.forecast(
        name, tokens=found["tokens"], epochs=options.epochs, recipe=options.recipe, rates=one_core(),
        rows=options.rows, answers=found["learned"] / found["tokens"],
    )  # fmt: skip
    tell(name, f"memory to tune ({options.recipe}), GB", said.memory_gb, memory / 1e9)
    how = f"{options.recipe}, {found['tokens']} tokens, {options.epochs} passes"
    predicted = said.minutes * 60 - START_SECONDS  # imports, which are left out here
    tell(name, f"seconds of one core ({how})", predicted, found["load"] + found["freeze"] + found["steps"])
    print(f"{name}: load {found['load']:.1f} s, frozen layers {found['freeze']:.1f} s, steps {found['steps']:.1f} s, "
          f"{found['tokens'] * options.epochs / found['steps']:.0f} tokens/s", flush=True)  # fmt: skip


def tell(name: str, what: str, predicted: float, found: float) -> None:
    print(f"{name}: {what}: predicted {predicted:.2f}, found {found:.2f} ({predicted / found - 1:+.0%})", flush=True)


if __name__ == "__main__":
    main()
