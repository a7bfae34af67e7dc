"""The site: every lesson, and the decision page, as files that open from a folder and from any path of a server.

    python3 website/build.py [--out build/site]        (or: make site)

Needs Python 3.11 and npm (or in the environment PYODIDE, the path of the package that pyodide.json pins). Makes an
environment of its own in build/site-environment, because a site needs neither PyTorch nor JupyterLab: the packages of
the extra `site`, in the versions of requirements.lock. Ends with an error where a link leads nowhere.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
import tomllib
import venv
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
BUILD = TOP / "build"
ENVIRONMENT = BUILD / "site-environment"
PYTHON = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def main() -> int:
    """0 when the site is built and no link is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=BUILD / "site", help="the folder to make; build/site")
    out = parser.parse_args().out.resolve()
    began = time.monotonic()
    make_environment()
    path = os.pathsep.join([str(TOP / "website"), str(TOP / "src")])
    done = subprocess.run([PYTHON, "-m", "pages", str(out)], env=os.environ | {"PYTHONPATH": path}, cwd=TOP)
    if done.returncode == 0:
        print(f"Built in {time.monotonic() - began:.0f} s. Open {out / 'index.html'}")
    return done.returncode


def make_environment() -> None:
    """The packages of the extra `site`, once for each change of pyproject.toml's list or the lock."""
    project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))
    packages = project["project"]["optional-dependencies"]["site"]
    lock = TOP / "requirements.lock"
    wanted = hashlib.sha256(repr(packages).encode() + lock.read_bytes()).hexdigest()
    stamp = ENVIRONMENT / "made-for"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    venv.create(ENVIRONMENT, with_pip=True)
    subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", "--constraint", lock, *packages], check=True)
    stamp.write_text(wanted)


if __name__ == "__main__":
    sys.exit(main())
