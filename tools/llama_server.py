"""llama.cpp's server, built from the source package ``llama-cpp-python``, for the tests: ``tools/llama_server.py``.

Needs a C++ compiler, takes some 15 minutes on two cores, once: the program stays in ``.local/engines``, and its path is
printed. CMake and Ninja come from the package index, into a folder beside it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
PACKAGE, VERSION = "llama-cpp-python", "0.3.36"
SHA256 = "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e"
"""Of the source package: the same bytes from every mirror."""
ENGINES = TOP / ".local" / "engines"
PROGRAM = ENGINES / f"llama.cpp-{VERSION}" / ("llama-server.exe" if os.name == "nt" else "llama-server")


def program() -> Path:
    """The server's program, built first where it is not there yet.

    Raises:
        SystemExit: no compiler, another file than the pinned one, or a build that fails.
    """
    if PROGRAM.exists():
        return PROGRAM
    if not (shutil.which("c++") or shutil.which("cl")):
        raise SystemExit("There is no C++ compiler. Install one (Debian: apt-get install g++), then run this again.")
    ENGINES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ENGINES, prefix="building-") as place:
        built = _build(_source(Path(place)), _tools(Path(place) / "tools"), Path(place) / "build")
        PROGRAM.parent.mkdir(exist_ok=True)
        os.replace(built, PROGRAM)  # last: a build that was stopped leaves nothing that looks like one
    return PROGRAM


def _source(place: Path) -> Path:
    """llama.cpp's folder in the source package, which is checked before it is unpacked."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
    subprocess.run([*pip, "--dest", str(place), f"{PACKAGE}=={VERSION}"], check=True)
    package = place / f"{PACKAGE.replace('-', '_')}-{VERSION}.tar.gz"
    if (found := hashlib.sha256(package.read_bytes()).hexdigest()) != SHA256:
        raise SystemExit(f"{package.name} is not the file that is expected: its sha256 is {found}, not {SHA256}.")
    with tarfile.open(package) as archive:
        archive.extractall(place, filter="data")
    return place / package.name.removesuffix(".tar.gz") / "vendor" / "llama.cpp"


def _tools(place: Path) -> Path:
    """CMake and Ninja in an environment of their own; the folder with their programs."""
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    programs = place / ("Scripts" if os.name == "nt" else "bin")
    subprocess.run([programs / "python", "-m", "pip", "install", "--quiet", "cmake", "ninja"], check=True)
    return programs


def _build(source: Path, tools: Path, place: Path) -> Path:
    """Without OpenSSL and the web page, in one file: nothing else has to be there when it runs."""
    switches = ["CMAKE_BUILD_TYPE=Release", "BUILD_SHARED_LIBS=OFF", "LLAMA_OPENSSL=OFF", "LLAMA_CURL=OFF"]
    switches += ["LLAMA_BUILD_TESTS=OFF", "LLAMA_BUILD_EXAMPLES=OFF", "LLAMA_BUILD_APP=OFF"]
    environment = os.environ | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    configure = ["cmake", "-S", str(source), "-B", str(place), "-G", "Ninja", *(f"-D{one}" for one in switches)]
    for command in (configure, ["cmake", "--build", str(place), "--target", "llama-server"]):
        subprocess.run([tools / command[0], *command[1:]], check=True, env=environment, stdout=sys.stderr)
    return place / "bin" / PROGRAM.name


if __name__ == "__main__":
    print(program())
