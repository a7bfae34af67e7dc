"""Which recipe suits a brand's voice? Trains on the sample's pairs, writes the copy of its 60 *validation* sheets.

    python benchmarks/voice_recipes.py [FOLDER] [--only "NAME;…"] [--seeds 1] [--decodings] [--rules] [--report]

One line a recipe and pass over the rows: loss on the validation copy (nats a token), the share of the 20 rules that a
copy keeps, the share of copies that keep all of them, and that invent nothing, each with its 95 % interval, and the
minutes of training until then (on so many threads). ``--decodings`` has the last pass write again in other ways;
``--rules`` lists the rules that most copies break.

Each run leaves a folder in FOLDER (``.local/benchmarks/voice``): the trainer's own files, and ``copies.json``. What is
there is not done again, and a training that was stopped goes on where it was, so the whole can be done in parts. One
recipe takes 5 to 15 minutes on two quiet cores; all of them about two hours.

Dropout is missing from the list: the trainer multiplies by weights that the adapter has been added into, so there is
nothing between the two of LoRA's factors to drop.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from machine import describe

from helpers import assets, data, evaluate
from helpers.evaluate import free_text
from helpers.records import Example
from helpers.statistics import score_interval

SAMPLE = Path(__file__).parents[1] / "data" / "sample" / "brand_voice"
RESULTS = Path(__file__).parents[1] / ".local" / "benchmarks" / "voice"
Messages = Sequence[Mapping[str, Any]]
LONGEST = 120
"""Tokens of one copy, at most, as in lesson 7."""


@dataclass(frozen=True)
class Recipe:
    """How to train. ``rank`` and ``upper`` (the share of layers, from the top, that ``quick`` trains) are constants of
    the trainer, not settings of a job; they are changed here to see whether they should be others."""

    n_epochs: int = 3
    recipe: str = "thorough"
    rows: int = 600
    learning_rate_multiplier: float = 1.0
    batch_size: int = 16
    rank: int = 16
    upper: float = 0.4


RECIPES = {
    "thorough-6, 200 pairs": Recipe(6, rows=200),
    "thorough-6, 200 pairs, rate x2": Recipe(6, rows=200, learning_rate_multiplier=2.0),
    "thorough-6, 200 pairs, rate x0.5": Recipe(6, rows=200, learning_rate_multiplier=0.5),
    "quick-6, 200 pairs": Recipe(6, "quick", rows=200),
    "thorough-6, 200 pairs, rank 32": Recipe(6, rows=200, rank=32),
    "thorough-6, 200 pairs, rank 8": Recipe(6, rows=200, rank=8),
    "thorough-3": Recipe(),
    "quick-3": Recipe(recipe="quick"),
    "quick-6": Recipe(6, "quick"),
    "thorough-4": Recipe(4),
    "thorough-6": Recipe(6),
    "quick-3, rate x2": Recipe(recipe="quick", learning_rate_multiplier=2.0),
    "quick-3, rate x0.5": Recipe(recipe="quick", learning_rate_multiplier=0.5),
    "thorough-3, rate x0.5": Recipe(learning_rate_multiplier=0.5),
    "thorough-3, rate x2": Recipe(learning_rate_multiplier=2.0),
    "thorough-6, 300 pairs": Recipe(6, rows=300),
    "thorough-5, 400 pairs": Recipe(5, rows=400),
    "quick-3, upper 60 %": Recipe(recipe="quick", upper=0.6),
    "quick-3, rank 32": Recipe(recipe="quick", rank=32),
    "quick-3, rank 8": Recipe(recipe="quick", rank=8),
    "quick-3, batch 8": Recipe(recipe="quick", batch_size=8),
}


@dataclass(frozen=True)
class Decoding:
    """How to write. ``repeated``: what each earlier occurrence of a token takes from its logit, OpenAI's
    ``frequency_penalty``, which the local API does not offer. ``drafts``: the one that keeps most rules is the copy, of
    equals the first; whoever has rules that code tests can do so in use, too."""

    temperature: float = 0.0
    top_p: float = 1.0
    repeated: float = 0.0
    drafts: int = 1


DECODINGS = {
    "greedy": Decoding(),
    "temperature 0.3": Decoding(0.3),
    "temperature 0.7": Decoding(0.7),
    "temperature 1, top_p 0.9": Decoding(1.0, 0.9),
    "greedy, repeated 0.2": Decoding(repeated=0.2),
    "greedy, repeated 0.5": Decoding(repeated=0.5),
    "greedy, repeated 1": Decoding(repeated=1.0),
    "best of 4 drafts": Decoding(0.7, drafts=4),
}
GREEDY = DECODINGS["greedy"]


# Training -----------------------------------------------------------------------------------------------------------


def train(recipe: Recipe, seed: int, folder: Path) -> None:
    """Run the trainer to the end of the job, unless it got there before."""
    if any(line["type"] == "done" for line in progress(folder)):
        return
    folder.mkdir(parents=True, exist_ok=True)
    rows = (SAMPLE / "train.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)[: recipe.rows]
    (folder / "train.jsonl").write_text("".join(rows), encoding="utf-8")
    spec = {
        "id": folder.name,
        "base_dir": str(assets.base_model()),
        "training_file": str(folder / "train.jsonl"),
        "validation_file": str(SAMPLE / "validation.jsonl"),
        "seed": seed,
        "n_epochs": recipe.n_epochs,
        "batch_size": recipe.batch_size,
        "learning_rate_multiplier": recipe.learning_rate_multiplier,
        "recipe": recipe.recipe,
    }
    (folder / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
    constants = ["--constants", str(recipe.rank), str(recipe.upper)]
    # as the API starts it: threads that wait soon sleep, and the session is its own
    as_the_api = {"env": os.environ | {"GOMP_SPINCOUNT": "10000"}, "start_new_session": True}
    subprocess.run([sys.executable, __file__, str(folder), *constants], check=True, **as_the_api)
    (folder / "machine.txt").write_text(describe(), encoding="utf-8")


def train_with(rank: int, upper: float, folder: Path) -> None:
    """The trainer itself, in a process of its own, with other constants."""
    from helpers.local_api.training import __main__ as trainer
    from helpers.local_api.training import lora, lora_trainer

    lora.RANK, lora.ALPHA, lora_trainer.UPPER_SHARE = rank, 2 * rank, upper
    sys.exit(trainer.main([str(folder)]))


def progress(folder: Path) -> list[dict]:
    """What the trainer has told so far."""
    file = folder / "progress.jsonl"
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


# Writing ------------------------------------------------------------------------------------------------------------


def write(folder: Path, rows: list[Example], decodings: Iterable[str]) -> None:
    """Have each pass write greedily, and the last one in every way that is asked for."""
    points = checkpoints(folder)
    sheets = [row.prompt for row in rows]
    for step, decoding in [*((step, "greedy") for step in points), *((max(points), name) for name in decodings)]:
        written(folder, f"step {step}, {decoding}", sheets, points[step], DECODINGS[decoding])


def checkpoints(folder: Path) -> dict[int, Path]:
    """Step → the adapter after that step, a pass each."""
    return {line["step"]: folder / line["path"] for line in progress(folder) if line["type"] == "checkpoint"}


def written(
    folder: Path, key: str, chats: Sequence[Messages], adapter: Path | None, how: Decoding = GREEDY
) -> list[str]:
    """One answer a chat, from the folder's ``copies.json``, or made and put there. No adapter: by the base model."""
    done = copies_of(folder)
    if key not in done:
        done[key] = answers(chats, adapter, how)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "copies.json").write_text(json.dumps(done, ensure_ascii=False, indent=1), encoding="utf-8")
    return done[key]


def copies_of(folder: Path) -> dict[str, list[str]]:
    file = folder / "copies.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def answers(chats: Sequence[Messages], adapter: Path | None, how: Decoding) -> list[str]:
    """One answer a chat, in this kit's engine."""
    from helpers.local_api.engine import generate
    from helpers.local_api.engine.batch import Answer
    from helpers.local_api.engine.requests import GenerationRequest

    def less_of_what_was_said(answer: Answer, logits) -> None:
        for token in answer.tokens:
            logits[token] -= how.repeated

    class LessRepeated(Answer):
        mask = less_of_what_was_said

    generate.Answer = LessRepeated if how.repeated else Answer
    engine = generate.Engine(assets.base_model())
    try:
        if adapter:
            engine.load_adapter("tuned", adapter)
        about = {"adapter": "tuned" if adapter else None, "max_tokens": LONGEST}
        about |= {"temperature": how.temperature, "top_p": how.top_p}
        asked = [
            [engine.submit(GenerationRequest(messages=chat, seed=n, **about)) for n in range(how.drafts)]
            for chat in chats
        ]
        drafts = [[one.result().text for one in some] for some in asked]
    finally:
        engine.close()
        generate.Answer = Answer
    rules = evaluate.text_rules.load_rules(SAMPLE / "rules.toml")
    return [min(some, key=lambda draft: len(evaluate.text_rules.broken(rules, draft))) for some in drafts]


# Measuring ----------------------------------------------------------------------------------------------------------


def lines(name: str, seed: int, folder: Path, rows: list[Example], rules: list) -> list[dict]:
    """One line a pass and way of writing."""
    at = {line["step"]: line for line in progress(folder) if line["type"] == "metrics"}
    per_pass = next(line["steps_per_epoch"] for line in progress(folder) if line["type"] == "start")
    threads = (folder / "machine.txt").read_text(encoding="utf-8").split(" threads")[0].split()[-1]
    found = []
    for key, copies in copies_of(folder).items():
        step, decoding = int(key.split(",")[0].removeprefix("step ")), key.split(", ", 1)[1]
        found.append(
            {"recipe": name, "seed": seed, "pass": step // per_pass, "decoding": decoding,
             "loss": at[step]["full_valid_loss"], **measured(copies, rows, rules),
             "min": at[step]["elapsed_s"] / 60, "threads": threads}
        )  # fmt: skip
    return found


def measured(copies: list[str], rows: list[Example], rules: list) -> dict[str, str]:
    """Percent with the ends of the 95 % interval."""
    return {name: percent(share) for name, share in scores(copies, rows, rules).items()}


def scores(copies: list[str], rows: list[Example], rules: list) -> dict[str, np.ndarray]:
    """A score a copy, 0 to 1: voice (rules kept, all of them), facts (invents nothing), and both at once."""
    gone = np.array([len(evaluate.text_rules.broken(rules, copy)) for copy in copies])
    clean = [not free_text.invented(copy, row.question) for copy, row in zip(copies, rows, strict=True)]
    found = {
        "rules kept": 1 - gone / len(rules),
        "all 20": gone == 0,
        "invents nothing": np.array(clean),
        "both": (gone == 0) & clean,
    }
    return {name: score.astype(float) for name, score in found.items()}


def percent(share: np.ndarray) -> str:
    found = score_interval(share)
    return f"{100 * found.value:.1f} ({100 * found.low:.0f}-{100 * found.high:.0f})"


def most_broken(name: str, folder: Path, rules: list) -> None:
    """The rules that copies of the last pass break, the most broken first."""
    key, copies = next((key, some) for key, some in reversed(copies_of(folder).items()) if key.endswith(", greedy"))
    table = free_text.rule_table({name: copies}, rules).sort_values("kept", kind="stable")
    print(f"\n{name}, {key}: rules that copies break")
    for line in table[table["kept"] < 1].itertuples():
        print(f"  {100 * (1 - line.kept):5.1f} %  {line.rule}: {line.description}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("results", type=Path, nargs="?", default=RESULTS, help="a folder, one folder a run")
    parser.add_argument("--only", default=";".join(RECIPES), help="recipes, with semicolons between them")
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--decodings", action="store_true", help="the last pass writes in every way")
    parser.add_argument("--rules", action="store_true", help="list the rules that copies break")
    parser.add_argument("--report", action="store_true", help="only show what is there")
    parser.add_argument("--constants", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.constants:
        train_with(int(options.constants[0]), float(options.constants[1]), options.results)
    print(describe())
    rows, rules = data.read(SAMPLE / "validation.jsonl"), evaluate.text_rules.load_rules(SAMPLE / "rules.toml")
    runs = [(name, int(seed)) for name in options.only.split(";") for seed in options.seeds.split(",")]
    table = []
    for name, seed in runs:
        folder = options.results / f"{name}, seed {seed}"
        if not options.report:
            train(RECIPES[name], seed, folder)
            write(folder, rows, DECODINGS if options.decodings else ())
        if copies_of(folder):
            table += lines(name, seed, folder, rows, rules)
            print(pd.DataFrame(table).round({"loss": 3, "min": 1}).tail(len(DECODINGS) + 6).to_string(index=False))
            if options.rules:
                most_broken(name, folder, rules)
    if len(runs) > 1:
        print(f"\n{len(rows)} validation sheets; percent, with 95 % intervals")
        print(pd.DataFrame(table).round({"loss": 3, "min": 1}).to_string(index=False))


if __name__ == "__main__":
    main()
