"""One source of dependencies: what is declared, what is locked, what conda installs and what the code imports agree."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

import pytest
import setup
import yaml

TOP = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
NAME = re.compile(r"[A-Za-z0-9._-]+")

# Declared, needed, and never imported by name in our code; each with the reason.
USED_WITHOUT_IMPORT = {
    "jupyterlab": "the room that the reader sits in",
    "ipykernel": "runs the cells",
    "accelerate": "transformers and peft load models through it",
    "python-multipart": "fastapi parses uploads with it",
    "openpyxl": "pandas reads and writes Excel with it",
    "pyarrow": "pandas reads Parquet with it",
    "nbval": "a pytest plug-in",
    "ruff": "a command",
    "uv": "a command",
    "kaleido": "plotly draws SVG with it",
}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(group: str | None = None) -> set[str]:
    lines = PROJECT["optional-dependencies"][group] if group else PROJECT["dependencies"]
    return {normal(NAME.match(line).group()) for line in lines}


def locked() -> dict[str, str]:
    lines = (TOP / "requirements.lock").read_text().splitlines()
    return {normal(a): b for a, b in (line.split(";")[0].strip().split("==") for line in lines if "==" in line)}


def imports(*folders: str) -> set[str]:
    """Distributions that stand behind the top-level imports of our code."""
    roots = set()
    for folder in folders:
        for path in set((TOP / folder).rglob("*.py")) - set((TOP / "tests" / "clients").iterdir()):  # not in the lock
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    roots |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    roots.add((node.module or "").split(".")[0])
    providers = importlib.metadata.packages_distributions()
    outside = {root for root in roots if root not in sys.stdlib_module_names and root in providers}
    return {normal(name) for root in outside for name in providers[root]} - {"prompt-or-fine-tune"}


def test_every_declared_package_is_locked():
    extras = ("test", "maintain", "bedrock", "conformance", "gpu")
    assert declared().union(*map(declared, extras)) <= set(locked())


def test_the_imported_set_is_the_declared_set():
    used = imports("src", "tools")
    extra = declared("bedrock") | declared("gpu")
    assert imports("src") - declared() - extra == set(), "imported but not declared"
    assert imports("tools") - declared() - declared("test") - declared("maintain") == set(), "imported but not declared"
    assert declared() - used - set(USED_WITHOUT_IMPORT) == set(), "declared but not imported"


def test_tests_and_benchmarks_import_what_is_declared():
    used = imports("tests", "benchmarks", "examples")
    assert used - declared() - declared("test") - declared("maintain") == set()


def test_every_dependency_says_why():
    text = (TOP / "pyproject.toml").read_text()
    block = text[text.index("dependencies = [") : text.index("[tool.setuptools")]
    lines = [line for line in block.splitlines() if line.strip().startswith('"')]
    assert len(lines) > 30
    assert [line for line in lines if "#" not in line] == []


@pytest.mark.parametrize("name", ["torch", "transformers", "peft", "trl"])
def test_what_the_local_api_reaches_into_has_an_upper_bound(name):
    everywhere = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    lines = {line for group in everywhere for line in group if NAME.match(line).group() == name}
    assert len(lines) == 1 and all("==" in line or ("<" in line and ">=" in line) for line in lines), lines


@pytest.mark.parametrize("group", [None, "test"])
def test_what_is_installed_here_is_what_is_locked(group):
    pins = locked()
    found = {name: importlib.metadata.version(name).split("+")[0] for name in declared(group)}
    assert {name: version for name, version in found.items() if version != pins[name]} == {}


def test_conda_installs_the_same_package_under_the_same_lock():
    conda = yaml.safe_load((TOP / "environment.yml").read_text())
    pip = next(entry["pip"] for entry in conda["dependencies"] if isinstance(entry, dict))
    assert "--editable ." in pip
    assert "--constraint requirements.lock" in pip
    assert f"torch=={locked()['torch']}" in PROJECT["dependencies"]


def test_the_hashed_list_is_the_lock_and_every_file_has_a_hash():
    blocks = (TOP / "requirements.hashes").read_text().replace(" \\\n", " ").splitlines()
    pins = [line.split(" --hash")[0].strip() for line in blocks]
    assert pins == (TOP / "requirements.lock").read_text().splitlines()
    assert [line for line in blocks if not re.search(r" --hash=sha256:[0-9a-f]{64}", line)] == []


def test_setup_installs_what_is_declared():
    assert {normal(NAME.match(line).group()) for line in setup.packages(["test", "maintain"])} == (
        declared() | declared("test") | declared("maintain")
    )


def test_a_long_installation_says_that_it_goes_on(monkeypatch, capfd):
    """Nothing was printed in the four minutes after “downloading about 430 MB”."""
    monkeypatch.setattr(setup, "REPORT_SECONDS", 0.2)
    assert setup.run([sys.executable, "-c", "import time; time.sleep(0.7); print('done'); raise SystemExit(3)"]) == 3
    said = capfd.readouterr().out
    assert said.count("still at work") >= 2 and "0:00 minutes" in said and "done" in said
    assert setup.run([sys.executable, "-c", "print('done')"], quiet=True) == 0
    assert capfd.readouterr().out == ""


def test_fixed_dependencies_are_all_there():
    assert {"jupyterlab", "ipywidgets", "openai", "pandas", "tiktoken", "plotly"} <= declared()
