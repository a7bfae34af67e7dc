"""A trainer that an earlier version of the kit started is found again by its command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from helpers.local_api.training.trainer_process import FORMER_MODULE, MODULE, TrainerProcess


@pytest.mark.parametrize(("module", "ours"), [(MODULE, True), (FORMER_MODULE, True), ("helpers.doctor", False)])
def test_a_living_trainer_is_adopted_by_either_name(tmp_path: Path, module: str, ours: bool):
    waiting = [sys.executable, "-c", "import time; time.sleep(60)", "-m", module, str(tmp_path)]
    process = subprocess.Popen(waiting)
    try:
        assert TrainerProcess(tmp_path).adopt() is ours
        assert not TrainerProcess(tmp_path / "another").adopt()
    finally:
        process.kill()
        process.wait()
