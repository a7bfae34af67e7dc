"""What the benchmarks ran on, measured in the same run: processor, threads, versions, rate of matrix products."""

from __future__ import annotations

import json
import os
import platform
import time
from pathlib import Path

import torch
import transformers

from helpers.local_api.engine.transformer import device
from helpers.local_api.training.products import kept_rates, product_dtype

TRIES = 15


def describe() -> str:
    """One line for the top of a benchmark's report."""
    load = f", load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    versions = f"torch {torch.__version__}, transformers {transformers.__version__}, Python {platform.python_version()}"
    accelerator = f"{torch.cuda.get_device_name()}, " if torch.cuda.is_available() else ""
    return f"{accelerator}{_processor()}, {torch.get_num_threads()} threads, {versions}{load}"


def gemm_gflops(rows: int = 1024, width: int = 576, out: int = 1536) -> float:
    """fp32 matrix products of the base model's MLP shape, where the trainer runs: the best of a few, GFLOP/s."""
    x, w = torch.randn(rows, width, device=device()), torch.randn(out, width, device=device())
    return 2 * rows * width * out / best(lambda: torch.nn.functional.linear(x, w)) / 1e9


def product_rates() -> str:
    """What training's choice of type rests on here, GFLOP/s."""
    product_dtype(torch.device("cpu"))  # measures where nothing is kept yet
    return json.dumps(kept_rates())


def best(work, tries: int = TRIES) -> float:
    """Seconds of the quickest run: other programs can only slow a run down."""
    times = []
    for _ in range(tries):
        synchronize()
        began = time.perf_counter()
        work()
        synchronize()
        times.append(time.perf_counter() - began)
    return min(times)


def synchronize() -> None:
    """Wait for what the accelerator, if there is one, still has to do."""
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
