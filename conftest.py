"""Plain ``pytest`` runs the unit tests, then every lesson in its order, for real, in a home of its own.

Nothing here can spend money or send data away: the keys are taken out of the environment and ``KIT_STAY_LOCAL`` is set.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from helpers import assets

for name in list(os.environ):
    if name.endswith("_API_KEY") or name in ("OPENAI_BASE_URL", "OPENAI_ORG_ID"):
        del os.environ[name]
os.environ["KIT_STAY_LOCAL"] = "1"
os.environ["KIT_LOCAL_SERVERS"] = ""  # a maintainer's Ollama has no part in the lessons' tests
os.environ.setdefault("KIT_BRIEF", "1")  # fewer rows, models and passes: the lessons say where
os.environ.setdefault("KIT_TRIAL_CLAIMS", "3")  # the article on trial in its short form

assets.base_model(), assets.vocabularies()
HOME = Path(tempfile.mkdtemp(prefix="kit-test-"))
(HOME / "assets").symlink_to(assets.folder())
os.environ["KIT_HOME"] = str(HOME)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--extra-lessons", action="store_true", help="also run notebooks/extra")
    parser.addoption("--all-worlds", action="store_true", help="run every world of tests/worlds, not a few")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    parts = collection_path.parts
    if "notebooks" in parts and collection_path.name.startswith("my_"):
        return True
    if "extra" in parts and "notebooks" in parts and not config.getoption("--extra-lessons"):
        return True
    return None


LONGEST = ["test_worlds.py", "test_your_project.py", "test_diagnose.py", "test_local_api_embeddings.py"]
"""Files of few tests that take minutes each: of two processes one would run them last, alone."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    from tests import exercises  # behind pytest's own rewriting of asserts, and only where something is collected

    items[:] = exercises.beside(items)
    place = {name: n for n, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(LONGEST)))


def pytest_sessionfinish() -> None:
    if (HOME / "local_api").exists():  # a server was started for all tests; to ask costs a second of each short run
        subprocess.run([sys.executable, "-m", "helpers.providers", "stop"], stdout=subprocess.DEVNULL)
    shutil.rmtree(HOME, ignore_errors=True)
