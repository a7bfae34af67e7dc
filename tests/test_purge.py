"""`make purge`: all of what the kit made is listed, removed when confirmed, and what else exists is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import purge


def run(home: Path, said: str) -> str:
    environment = {**os.environ, "KIT_HOME": str(home)}
    command = [sys.executable, str(Path(purge.__file__))]
    return subprocess.run(command, input=said, env=environment, capture_output=True, text=True, check=True).stdout


def test_a_purge_asks_and_then_removes_all(tmp_path: Path):
    home = tmp_path / "home"
    (home / "local_api").mkdir(parents=True)
    (home / "local_api" / "api.sqlite3").write_bytes(bytes(2_000_000))
    told = run(home, "yes\n")
    assert "2.0 MB  local_api" in told and "Nothing was removed." in told and home.exists()
    assert "Removed." in run(home, "purge\n") and not home.exists()
    assert "Nothing to remove" in run(home, "")


def test_what_else_exists_is_told(tmp_path: Path):
    home, repository = tmp_path / "home", tmp_path / "repository"
    (repository / "notebooks").mkdir(parents=True)
    (repository / "notebooks" / "my_copy.ipynb").touch()
    (repository / ".env").touch()
    states = {
        "shop": {
            "upload": {"host": "openai", "training_file": "file-a", "validation_file": "file-b"},
            "jobs": {"host": "openai", "ids": ["ftjob-a"]},
        },
        "here": {"upload": {"host": "local", "training_file": "file-c"}, "jobs": {"host": "local", "ids": ["ftjob-c"]}},
        "fresh": {},
    }
    for name, state in states.items():
        (home / "projects" / name).mkdir(parents=True)
        (home / "projects" / name / "project.json").write_text(json.dumps(state))
    (home / "projects" / "odd").mkdir()
    (home / "projects" / "odd" / "project.json").write_text("{")
    told = list(purge.elsewhere(home, repository))
    keys, copies, odd, files, jobs = told
    assert ".env" in keys and "my_copy.ipynb" in copies and "cannot be read" in odd
    assert files.startswith("at openai: uploaded files of project shop (file-a, file-b)")
    assert jobs.startswith("at openai: fine-tuning jobs") and "ftjob-a" in jobs
    assert not any("file-c" in line or "fresh" in line for line in told)
