"""What a model needs on this machine: memory to answer and to be tuned, and minutes, before anything is fetched.

All of it is arithmetic over the numbers in ``models.toml`` and one measurement of the machine, the rate of matrix
products (``processor.json``, made once by the local API). ``BYTE`` and ``LOGIT`` were measured by themselves; the other
constants below were fitted to measurements of the lessons' model and of random weights in the shapes of others.
``benchmarks/LOG.md`` says how far off they leave it.

It is about the processor and its memory. On a GPU, where TRL trains what has more than a billion parameters, weights
are bf16 in the GPU's memory and no number here holds. The minutes of ``jobs.forecast`` do, since the job's own trainer
tries a few steps for them; its memory is that of the process, not the GPU's.
"""

from __future__ import annotations

import json
import math
import struct
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, get_args

import psutil

from helpers.errors import AssetError
from helpers.open_models.entries import OpenModel, Shape, on_shelf
from helpers.project import kit_home

Recipe = Literal["quick", "thorough"]

NUMBER = 4
"""Bytes of a number in fp32, as a CPU holds the weights."""
PROGRAM_BYTES = 550_000_000
"""Python, torch and transformers, before a model is loaded."""
WORK_BYTES = 500_000_000
"""What training holds in addition to weights: activations and frozen outputs, both bounded by the trainer."""
BYTES_A_WORD = 2560
"""What training holds for each entry of the vocabulary: the logits of 160 tokens, and what becomes of them."""
UPPER_SHARE = 0.4
"""The share of layers that the quick recipe trains (as in the local API's trainer)."""
START_SECONDS = 6
"""Until the trainer's process has imported what it needs."""
LOAD_SECONDS = 5
"""To load 10^9 parameters."""
FORWARD = 0.78
"""The share of the rate of plain products that a forward pass reaches."""
APART = 280
"""What a training step does apart from its products (attention, norms, rounding), in products of fp32, times the
width: a wider layer multiplies more for each number that it holds."""
BYTE = 14
"""Reading a byte of a matrix for a product, in operations of fp32: 6 to 9 GB a second beside 84.5 GFLOP/s."""
LOGIT = 750
"""What becomes of a logit where the model's own ``forward`` made it (moved, exponential, gradient, highest), in the
same. Elsewhere they are made and used up in blocks that stay in the cache, and that is in ``FORWARD``."""
BATCH, LOGITS_AT_ONCE = 8, 160
"""Rows that are multiplied at once by a model that runs layer by layer, where no batch size is known, and learned
tokens (as in the local API's trainer)."""
ROW, ANSWERS = 92, 0.28
"""Tokens of a row, and the share of them that is learned, where nothing is known of the rows: the 240 training rows of
the sample task."""
FASTER = 1.5
"""So many times as fast must bf16 be before training multiplies in it (as in the local API)."""
UNCERTAINTY = 0.3


@dataclass(frozen=True)
class Needs:
    """Bytes of memory: to answer prompts with the base model, and to be tuned by each recipe.

    A tuned model that answers takes a copy of its own of the layers that were trained, in addition to the base model's.
    """

    prompt: int
    quick: int
    thorough: int

    @property
    def sentence(self) -> str:
        parts = [f"{size / 1e9:.1f} GB" for size in (self.prompt, self.quick, self.thorough)]
        return f"Memory, about: {parts[0]} to answer, {parts[1]} to tune (quick), {parts[2]} (thorough)."


@dataclass(frozen=True)
class Forecast:
    """What tuning will take on this machine.

    Attributes:
        minutes: the likely time.
        memory_gb: in 10^9 bytes.
        sentence: both in words, with a range.
    """

    minutes: float
    memory_gb: float
    sentence: str


def needs(model: OpenModel) -> Needs:
    """Memory on a CPU, fp32 weights. The local API's server and its trainer are two processes: both hold the model
    while a job runs and somebody asks."""
    weights, layers = model.parameters * NUMBER, (model.parameters - model.embedding) * NUMBER
    answers = PROGRAM_BYTES + 2 * weights  # the weights, and a copy in the order that the processor reads fastest
    training = PROGRAM_BYTES + WORK_BYTES + BYTES_A_WORD * (model.embedding // model.width) + weights
    return Needs(answers, *(int(training + layers * _trained_share(model, recipe)) for recipe in get_args(Recipe)))


def forecast(
    name: str,
    *,
    tokens: int,
    epochs: int,
    recipe: Recipe = "quick",
    answers: float = ANSWERS,
    rows: int | None = None,
    rates: Mapping[str, float] | None = None,
) -> Forecast:
    """How long tuning a model of the shelf would take here, and how much memory. Nothing is fetched.

    Args:
        name: as in ``shelf``.
        tokens: of all training rows, one pass.
        epochs: passes over the rows.
        recipe: "quick" or "thorough", as in a job of the local API.
        answers: the share of them that is learned.
        rows: how many rows these tokens are; None: as many as they would be in the sample task.
        rates: GFLOP/s of the whole machine, ``float32`` and ``bfloat16``; None: as they were measured here.

    Raises:
        AssetError: no such model, or the machine could not be measured.
    """
    model, rates, rows = on_shelf(name), rates or machine_rates(), rows or math.ceil(tokens / ROW)
    seconds = START_SECONDS + LOAD_SECONDS * model.parameters / 1e9
    seconds += work_seconds(
        model.shape, frozen=tokens, rows=rows * epochs, tokens=tokens * epochs, answers=answers,
        share=_trained_share(model, recipe), rates=rates,
    )  # fmt: skip
    took, memory = seconds / 60, getattr(needs(model), recipe) / 1e9
    low, high = took * (1 - UNCERTAINTY), took * (1 + UNCERTAINTY)
    sentence = (
        f"{model.title}, {recipe}: about {took:.0f} minutes (between {low:.0f} and {high:.0f}) for {epochs} passes "
        f"over {tokens:,} tokens, and about {memory:.1f} GB of memory, on this machine's processor."
    )
    return Forecast(took, memory, sentence)


def work_seconds(
    shape: Shape, *, frozen: int, rows: int, tokens: int, answers: float, share: float, rates: Mapping[str, float]
) -> float:
    """How long the work of a job takes: what is multiplied, what is read for it, and the loss.

    The frozen layers run forward, the trained ones forward and back, the output for the tokens that are learned. Each
    product reads its matrix from memory, which counts where few tokens are multiplied at once: a model that runs as a
    whole runs row by row.

    Args:
        shape: the base model's.
        frozen: tokens that go through the frozen layers, each row once.
        rows: rows that are trained on, each counted once a pass.
        tokens: theirs.
        answers: the share of the tokens that is learned.
        share: the share of the layers that is trained.
        rates: GFLOP/s, ``float32`` and ``bfloat16``: of one core for its seconds, of all for those of the clock.
    """
    exact = rates["float32"]
    rounded = rates["bfloat16"] >= FASTER * exact
    products = rates["bfloat16"] if rounded else exact
    layers, learned = shape.parameters - shape.embedding, answers * tokens
    lower = 2 * layers * (1 - share) * frozen / (FORWARD * exact)
    trained = 4 * layers * share * tokens * (1 / products + APART / shape.width / exact)
    back = products if shape.layered else exact
    output = 2 * shape.embedding * learned * (1 / (FORWARD * exact) + 1 / back)
    batches, blocks = (rows / BATCH, learned / LOGITS_AT_ONCE) if shape.layered else (rows, rows)
    width = NUMBER // 2 if rounded else NUMBER
    read = 2 * (layers * share * width * batches + shape.embedding * NUMBER * blocks) * BYTE / exact
    loss = 0 if shape.layered else shape.embedding // shape.width * learned * LOGIT / exact
    return (lower + trained + output + read + loss) / 1e9


def _trained_share(model: OpenModel, recipe: Recipe) -> float:
    return round(model.layers * UPPER_SHARE) / model.layers if recipe == "quick" and model.layered else 1.0


def parameters(folder: Path) -> int:
    """How many numbers the weights in this folder hold, read from the heads of its safetensors files."""
    count = 0
    for file in sorted(folder.glob("*.safetensors")):
        with open(file, "rb") as opened:
            (size,) = struct.unpack("<Q", opened.read(8))
            tensors = json.loads(opened.read(size))
        count += sum(math.prod(tensor["shape"]) for name, tensor in tensors.items() if name != "__metadata__")
    return count


def memory_of_this_machine() -> int:
    """Bytes of memory, or of what a container may use of it."""
    whole, limit = psutil.virtual_memory().total, Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.is_file() else ""
    return min(whole, int(text)) if text.isdigit() else whole


def machine_rates() -> Mapping[str, float]:
    """GFLOP/s of matrix products on all cores, by type: measured once a machine (some seconds), then kept.

    A job that contradicts what is kept has it measured again, so it is looked up again where the file has changed.

    Raises:
        AssetError: it could not be measured.
    """
    file = kit_home() / "processor.json"
    return _rates_kept_at(file.stat().st_mtime_ns if file.is_file() else 0)


@cache
def _rates_kept_at(_: int) -> Mapping[str, float]:
    command = [sys.executable, "-m", "helpers.local_api.training.products"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise AssetError(
            "The rate of this machine could not be measured.",
            got=(done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1],
            fix="Run `python -m helpers.doctor`.",
        )
    found = json.loads(done.stdout)
    return {name: rate * found["cores"] for name, rate in found["gflops_a_core"].items()}
