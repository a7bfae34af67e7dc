"""Make `.venv` ready: `python3 tools/setup.py [--extra test]`. Standard library only: nothing is installed yet.

Does nothing when the last run with the same pyproject.toml, requirements.lock and extras succeeded. Says beforehand how
much it will download. On Linux without an NVIDIA GPU it takes PyTorch's CPU build, which saves 2.5 GB.

Every package is held to the hashes of PyPI's files, in requirements.hashes; not so PyTorch's CPU build, which is on an
index of its own, where pip checks the hash that stands there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
import urllib.request
import venv
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
VENV = TOP / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "kit-setup.json"
TORCH = "torch==2.13.0"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PIP = """pip==26.3
    --hash=sha256:6c36ae7da8695be67e3cd9f7d87919667ced53f57ce2ede75d89b5912ed2bc4c
    --hash=sha256:f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"""
"""Older ones (25.3 was tried) refuse constraints with hashes; any can install this one by its hash."""

# Measured on Linux x86-64 with Python 3.11 by adding up the files that pip downloads (2026-11-23).
PACKAGES_MB, EXTRA_MB, CPU_TORCH_MB, CUDA_TORCH_MB = (
    240,
    {"test": 103, "maintain": 25, "conformance": 5, "gpu": 3},
    190,
    2700,
)

REPORT_SECONDS = 30
"""pip says nothing while it downloads and installs, which takes minutes."""


def main() -> int:
    """Create the environment, install, fetch the assets; the exit status is 0 when all of it is ready."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--extra", action="append", default=[], choices=sorted(EXTRA_MB))
    extras = sorted(set(parser.parse_args().extra))
    if sys.version_info < (3, 11):
        print(
            f"[FAIL] Python {platform.python_version()} is too old: install Python 3.11 or newer, then run make again."
        )
        return 1
    done = json.loads(STAMP.read_text()) if STAMP.exists() else {}
    if done.get("inputs") == fingerprint() and set(extras) <= set(done.get("extras", [])):
        return run([PYTHON, "-m", "helpers.assets"], quiet=True)
    extras = sorted(set(extras) | set(done.get("extras", [])))
    if not PYTHON.exists():
        say("creating .venv")
        venv.create(VENV, with_pip=True, clear=VENV.exists())
    install(extras)
    silence_news_prompt()
    if status := run([PYTHON, "-m", "helpers.assets"]):
        return status
    STAMP.write_text(json.dumps({"inputs": fingerprint(), "extras": extras}))
    return 0


def install(extras: list[str]) -> None:
    """PyTorch first, so that its CPU build satisfies whatever asks for it later; then the rest, pinned."""
    torch, torch_mb = torch_source()
    total = PACKAGES_MB + torch_mb + sum(EXTRA_MB[e] for e in extras)
    say(f"downloading about {total} MB of packages (cached ones are free)")
    pinned = str(TOP / ("requirements.hashes" if pip_that_checks_hashes() else "requirements.lock"))
    if torch is not None:
        pip("install", "--no-deps", TORCH, *torch)
    pip("install", "--constraint", pinned, *packages(extras))
    pip("install", "--no-deps", "--editable", str(TOP))


def packages(extras: list[str]) -> list[str]:
    """What pyproject.toml names: the kit cannot be named with them, since an editable folder has no hash."""
    import tomllib  # not there before Python 3.11, where this program only says so

    project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [*project["dependencies"], *(name for extra in extras for name in project["optional-dependencies"][extra])]


def pip_that_checks_hashes() -> bool:
    """Bring the environment's pip up to :data:`PIP`; False, said aloud, where that cannot be had."""
    wanted = VENV / "pip.txt"
    wanted.write_text(PIP.replace("\n", " \\\n"))
    status = run([PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--require-hashes",
                  "--requirement", wanted])  # fmt: skip
    if status:
        say("this pip could not be brought up to date (its message is above): packages keep their exact versions, but")
        say("the hashes of their files are not checked")
    return status == 0


def torch_source() -> tuple[list[str] | None, int]:
    """(options for pip, megabytes): None when PyTorch is there already or the ordinary build is the right one."""
    found = "import importlib.metadata as m, sys; sys.exit(m.version('torch').split('+')[0] != sys.argv[1])"
    present = subprocess.run([PYTHON, "-c", found, TORCH.removeprefix("torch==")], capture_output=True)
    if present.returncode == 0:
        return None, 0
    if platform.system() != "Linux":
        return None, CPU_TORCH_MB
    if shutil.which("nvidia-smi") and subprocess.run(["nvidia-smi"], capture_output=True).returncode == 0:
        say(f"an NVIDIA GPU is here: taking PyTorch's CUDA build ({CUDA_TORCH_MB} MB)")
        return None, CUDA_TORCH_MB
    if answers(f"{CPU_INDEX}/torch/"):
        return ["--index-url", CPU_INDEX], CPU_TORCH_MB
    if cpu_wheel_at_hand():
        return [], CPU_TORCH_MB
    say(f"PyTorch's CPU index does not answer: taking the ordinary build, {CUDA_TORCH_MB} MB with its GPU libraries")
    say(f"(to avoid it, allow {CPU_INDEX} through your proxy and run this again)")
    return None, CUDA_TORCH_MB


def cpu_wheel_at_hand() -> bool:
    """Whether pip, as configured here, would pick a CPU wheel by itself (a local folder or a company mirror)."""
    report = subprocess.run(
        [PYTHON, "-m", "pip", "install", "--quiet", "--dry-run", "--no-deps", "--report", "-", TORCH],
        capture_output=True, text=True, timeout=120)  # fmt: skip
    return report.returncode == 0 and "%2Bcpu" in report.stdout.replace("+cpu", "%2Bcpu")


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=8):
            return True
    except OSError:
        return False


def silence_news_prompt() -> None:
    """JupyterLab asks every newcomer whether it may show news; the lessons start without that question."""
    settings = VENV / "share/jupyter/lab/settings/overrides.json"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(
        json.dumps({"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}})
    )


def fingerprint() -> str:
    """Changes when the declared or the locked packages change."""
    return hashlib.sha256(
        b"".join((TOP / name).read_bytes() for name in ("pyproject.toml", "requirements.lock", "requirements.hashes"))
    ).hexdigest()


def pip(*arguments: str) -> None:
    if status := run([PYTHON, "-m", "pip", "--disable-pip-version-check", *arguments, "--quiet", "--timeout", "60"]):
        say("[FAIL] pip could not install the packages (its message is above). Check the network, a company proxy")
        say("       (HTTPS_PROXY) and the disk, then run the same command again: it goes on where it stopped.")
        sys.exit(status)


def run(command: list[str | Path], quiet: bool = False) -> int:
    """The exit status; while it lasts, a line every :data:`REPORT_SECONDS` says that it does."""
    began = time.monotonic()
    with subprocess.Popen(list(map(str, command)), cwd=TOP, stdout=subprocess.DEVNULL if quiet else None) as process:
        while True:
            try:
                return process.wait(REPORT_SECONDS)
            except subprocess.TimeoutExpired:
                minutes, seconds = divmod(int(time.monotonic() - began), 60)
                say(f"still at work: {minutes}:{seconds:02} minutes")


def say(text: str) -> None:
    print(f"  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
