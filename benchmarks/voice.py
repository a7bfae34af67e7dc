"""Lesson 7's task with care: three seeds, a learning curve, and how long a typed product takes.

    python benchmarks/voice.py [FOLDER] [--only seeds,curve,typed]

- seeds: the recipe that kept most rules in ``voice_recipes.py``, with seeds 1 to 3, writes the copy of the 80 *test*
  sheets, and so does the best prompt (the four most alike pairs), greedily and as the best of four drafts. Per measure:
  each seed, their mean, and the paired difference from the prompt with its 95 % interval (bootstrap over sheets, a
  sheet's seeds averaged).
- curve: the same layers trained on 25 to 600 pairs, with the passes and the batch size that ``"auto"`` gives so many,
  on the 60 *validation* sheets: voice (rules kept, all 20) and facts (invents nothing) apart. 600 pairs with its three
  passes are lesson 7's own recipe.
- typed: seconds from a typed sheet to both answers, the prompt's and the tuned model's, as lesson 7's desk asks for
  them, through a server of its own; five sheets, new ones each time.

FOLDER (``.local/benchmarks/voice``) is that of ``voice_recipes.py``: what is there is not done again. On two quiet
cores, by the trainer's rate on one machine, the three seeds take about 25 minutes and the curve 50 more.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import openai
import pandas as pd
from machine import describe
from voice_recipes import (
    DECODINGS,
    RECIPES,
    RESULTS,
    SAMPLE,
    Recipe,
    checkpoints,
    lines,
    percent,
    scores,
    train,
    written,
)
from waiting_times import served

from helpers import data, evaluate, jobs
from helpers.evaluate import candidates, free_text
from helpers.local_api.training.hyperparameters import resolve
from helpers.records import Candidate, Example
from helpers.statistics import paired_bootstrap

CHOSEN = "thorough-5, 400 pairs"
"""The recipe of the seeds, by its name in ``voice_recipes.py``: of the curve the size that keeps most rules, and both
rules and facts most often; lesson 7's 600 pairs invent less."""
SEEDS = (1, 2, 3)
SIZES = (25, 50, 100, 200, 400, 600)
WAYS = ("greedy", "best of 4 drafts")
PROMPT = "4 nearest"
MODEL = "smollm2-135m-instruct"
DESK_TOKENS = 90
NOTHING = {"input": 0.0, "output": 0.0}
"""What the server of this benchmark costs: an address by itself could be a proxy to a paid host."""
TYPED = (
    "Clothes horse, beech, folds flat, 3 rails, 110 cm high, holds a full wash, £34",
    "Pepper mill, olive wood, 18 cm, ceramic grinder, fill from the top, £29",
    "Doormat / coir / 60 x 40 cm / rubber back / shake it out, don't wash",
    "Reading lamp. Brass, 42 cm high, cotton flex, E14 bulb not included",
    "bread bin, enamel, cream, 33 cm wide, bamboo lid doubles as a board",
)


def seeds(folder: Path) -> None:
    """The table of the tuned model, seed by seed, and of the best prompt, on the test sheets, for each way to write."""
    for seed in SEEDS:
        train(RECIPES[CHOSEN], seed, folder / f"{CHOSEN}, seed {seed}")
    rows, rules = data.read(SAMPLE / "test.jsonl"), evaluate.text_rules.load_rules(SAMPLE / "rules.toml")
    prompt = Candidate(PROMPT, MODEL, nearest=4, pool=tuple(data.read(SAMPLE / "train.jsonl")))
    chats = [candidates.messages(prompt, row) for row in rows]
    for way in WAYS:
        found = {}
        for seed in SEEDS:
            run = folder / f"{CHOSEN}, seed {seed}"
            step, adapter = max(checkpoints(run).items())
            sheets, key = [row.prompt for row in rows], f"step {step}, {way}"
            found[f"seed {seed}"] = scores(written(run / "test", key, sheets, adapter, DECODINGS[way]), rows, rules)
        theirs = scores(written(folder / PROMPT, f"test, {way}", chats, None, DECODINGS[way]), rows, rules)
        ours = {name: np.mean([one[name] for one in found.values()], axis=0) for name in theirs}
        table = {who: {name: percent(score) for name, score in one.items()} for who, one in found.items()}
        table["mean of the seeds"] = {name: f"{100 * score.mean():.1f}" for name, score in ours.items()}
        table[PROMPT] = {name: percent(score) for name, score in theirs.items()}
        table["difference"] = {name: _difference(ours[name], theirs[name]) for name in theirs}
        print(f"\n{len(rows)} test sheets, recipe {CHOSEN}, {way}; percent, with 95 % intervals")
        print(pd.DataFrame(table).T.to_string(), flush=True)


def _difference(ours: np.ndarray, theirs: np.ndarray) -> str:
    found = paired_bootstrap(ours, theirs)
    return f"{100 * found.value:+.1f} ({100 * found.low:+.0f} to {100 * found.high:+.0f})"


def curve(folder: Path) -> None:
    """What more pairs bring, after the last pass."""
    rows, rules = data.read(SAMPLE / "validation.jsonl"), evaluate.text_rules.load_rules(SAMPLE / "rules.toml")
    table = []
    for size in SIZES:
        auto, run = resolve(size), folder / f"curve, {size} pairs"
        train(Recipe(auto.n_epochs, RECIPES[CHOSEN].recipe, size, batch_size=auto.batch_size), 1, run)
        step, adapter = max(checkpoints(run).items())
        written(run, f"step {step}, greedy", [row.prompt for row in rows], adapter)
        table += lines(f"{size} pairs", 1, run, rows, rules)[-1:]
    print(f"\n{len(rows)} validation sheets, one seed; percent, with 95 % intervals")
    print(pd.DataFrame(table).drop(columns=["seed", "decoding"]).round({"loss": 3, "min": 1}).to_string(index=False))


def typed(pairs: int = 24) -> None:
    """Seconds from a typed sheet to both answers. How well the model is trained does not matter for them."""
    pool = tuple(data.read(SAMPLE / "train.jsonl"))
    with served() as client, tempfile.TemporaryDirectory() as folder:
        two = [
            Candidate(PROMPT, MODEL, nearest=4, pool=pool, max_tokens=DESK_TOKENS),
            Candidate("tuned", _tuned(client, pool[:pairs], Path(folder)), max_tokens=DESK_TOKENS, tuned=True),
        ]
        for sheet in TYPED:
            began = time.perf_counter()
            replies = free_text.write(client, two, sheet, store=Path(folder) / "answers.sqlite", price=NOTHING)
            took = time.perf_counter() - began
            tokens = ", ".join(f"{name} {reply.completion_tokens} tokens" for name, reply in replies.items())
            print(f"typed: {took:.1f} s to both answers ({tokens})", flush=True)


def _tuned(client: openai.OpenAI, rows: tuple[Example, ...], folder: Path) -> str:
    file = jobs.upload(client, data.write(rows, folder / "train.jsonl"))
    settings = {"n_epochs": 1, "recipe": RECIPES[CHOSEN].recipe}
    return jobs.watch(client, jobs.start(client, file.id, model=MODEL, hyperparameters=settings).id).fine_tuned_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("results", type=Path, nargs="?", default=RESULTS, help="a folder, one folder a run")
    parser.add_argument("--only", default="seeds,curve,typed")
    options = parser.parse_args()
    print(describe())
    for part in options.only.split(","):
        if part == "typed":
            typed()
        else:
            {"seeds": seeds, "curve": curve}[part](options.results)


if __name__ == "__main__":
    main()
