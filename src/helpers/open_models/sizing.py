"""What a model needs on this machine: memory to answer and to be tuned, and minutes, before anything is fetched.

All of it is arithmetic over the numbers in ``models.toml`` and one measurement of the machine, the rate of matrix
products (``processor.json``, made once by the local API). The few constants below were fitted to measurements on two
machines' worth of models; ``benchmarks/LOG.md`` holds them, and how far predictions were off.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import psutil

from helpers.errors import AssetError
from helpers.open_models.entries import OpenModel, on_shelf

Recipe = Literal["quick", "thorough"]

NUMBER = 4
"""Bytes of a number in fp32, as a CPU holds the weights."""
PROGRAM_BYTES = 450_000_000
"""Python, torch and transformers, before a model is loaded."""
WORK_BYTES = 700_000_000
"""What training holds beside weights: activations and frozen outputs, both bounded by the trainer."""
UPPER_SHARE = 0.4
"""The share of layers that the quick recipe trains (as in the local API's learner)."""
EFFICIENCY = 0.7
"""The share of the rate of plain products that training reaches, everything else included."""
FASTER = 1.5
"""So many times as fast must bf16 be before training multiplies in it (as in the local API)."""
UNCERTAINTY = 0.3


@dataclass(frozen=True)
class Needs:
    """Bytes of memory: to answer prompts with the base model, and to be tuned by each recipe.

    A tuned model that answers takes a copy of its own of the layers that were trained, beside the base model's.
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
    prompt = PROGRAM_BYTES + 2 * weights  # the weights, and a copy in the order that the processor reads fastest
    upper = int(layers * _trained_share(model, "quick"))
    return Needs(prompt, PROGRAM_BYTES + WORK_BYTES + weights + upper, PROGRAM_BYTES + WORK_BYTES + weights + layers)


def forecast(
    name: str, *, tokens: int, epochs: int, recipe: Recipe = "quick", rates: Mapping[str, float] | None = None
) -> Forecast:
    """How long tuning a model of the shelf would take here, and how much memory. Nothing is fetched.

    Args:
        tokens: of all training rows, one pass.
        rates: GFLOP/s of the whole machine, ``float32`` and ``bfloat16``; None: as they were measured here.

    Raises:
        AssetError: no such model, or the machine could not be measured.
    """
    model, rates = on_shelf(name), rates or machine_rates()
    rate = rates["bfloat16"] if rates["bfloat16"] >= FASTER * rates["float32"] else rates["float32"]
    took = training_gflop(model, tokens, epochs, recipe) / rate / EFFICIENCY / 60
    memory = getattr(needs(model), recipe) / 1e9
    low, high = took * (1 - UNCERTAINTY), took * (1 + UNCERTAINTY)
    sentence = (
        f"{model.title}, {recipe}: about {took:.0f} minutes (between {low:.0f} and {high:.0f}) for {epochs} passes "
        f"over {tokens:,} tokens, and about {memory:.1f} GB of memory, on this machine's processor."
    )
    return Forecast(took, memory, sentence)


def training_gflop(model: OpenModel, tokens: int, epochs: int, recipe: Recipe) -> float:
    """10^9 additions and multiplications of a job: the layers that are trained, forward and back, each pass; those
    below them forward, once. Attention, and the output at the few learned tokens, are within the constant."""
    layers, share = model.parameters - model.embedding, _trained_share(model, recipe)
    each_pass, once = 4 * layers * share, 2 * layers * (1 - share)
    return tokens * (each_pass * epochs + once) / 1e9


def _trained_share(model: OpenModel, recipe: Recipe) -> float:
    return round(model.layers * UPPER_SHARE) / model.layers if recipe == "quick" and model.layered else 1.0


def memory_of_this_machine() -> int:
    """Bytes of memory, or of what a container may use of it."""
    whole, limit = psutil.virtual_memory().total, Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.is_file() else ""
    return min(whole, int(text)) if text.isdigit() else whole


@cache
def machine_rates() -> Mapping[str, float]:
    """GFLOP/s of matrix products on all cores, by type: measured once a machine (some seconds), then kept."""
    command = [sys.executable, "-m", "helpers.local_api.products"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise AssetError(
            "The rate of this machine could not be measured.",
            got=(done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1],
            fix="Run `python -m helpers.doctor`.",
        )
    found = json.loads(done.stdout)
    return {name: rate * found["cores"] for name, rate in found["gflops_a_core"].items()}
