"""Which trainer a job gets."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Literal

from helpers.errors import JobError
from helpers.local_api.engine.transformer import device
from helpers.local_api.training.trainers.job import Spec
from helpers.open_models.sizing import parameters

LARGE = 10**9
"""Parameters above which an accelerator is left to TRL: the engine's own loop is made for small models on CPUs."""
NEEDED = ("trl", "datasets")


def loop_of(job: Path) -> Literal["own", "trl"]:
    """What trains a job: TRL a large model on an accelerator, the engine's own loop any other; or as ``KIT_TRAINER``
    says.

    Args:
        job: the job's folder.

    Raises:
        JobError: TRL would train it and is not installed, or ``KIT_TRAINER`` names no trainer.
    """
    loop = os.environ.get("KIT_TRAINER") or ("trl" if _is_large_on_an_accelerator(job) else "own")
    if loop not in ("own", "trl"):
        raise JobError("KIT_TRAINER names no trainer.", got=loop, fix='Set it to "own" or "trl", or not at all.')
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if loop == "trl" and missing:
        raise JobError(
            "TRL trains this job, and it is not installed.",
            got=f"missing: {', '.join(missing)}",
            fix="Install it with `python3 tools/setup.py --extra gpu` and start the job again, or set KIT_TRAINER=own.",
        )
    return loop


def _is_large_on_an_accelerator(job: Path) -> bool:
    return device().type != "cpu" and parameters(Spec.read(job).base_dir) > LARGE
