"""The Python that the decision page runs: Pyodide's core, pinned, and the kit in one wheel that is made here.

A page that was opened from a folder may load scripts and may fetch nothing. So each file travels inside a script, as
compressed base64, and the page hands it to Pyodide from there; the same on a server.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import jinja2
import markupsafe

HERE = Path(__file__).resolve().parent
TOP = HERE.parent
LIBRARIES = (jinja2, markupsafe)
"""What the record's templates need beside the standard library: their Python files alone, none of their binaries."""


def write(folder: Path) -> None:
    """All scripts of the page's Python into ``folder``."""
    folder.mkdir(parents=True)
    files = pyodide()
    (folder / "pyodide.js").write_bytes(files["pyodide.js"].replace(b"//# sourceMappingURL=pyodide.js.map", b""))
    (folder / "pyodide.asm.js").write_text(_classic(files["pyodide.asm.mjs"].decode()), encoding="utf-8")
    lock = json.loads(files["pyodide-lock.json"])
    nothing_to_fetch = json.dumps({"info": lock["info"], "packages": {}}).encode()
    _pack(folder / "wasm.js", {"pyodide.asm.wasm": files["pyodide.asm.wasm"]})
    _pack(
        folder / "stdlib.js", {"python_stdlib.zip": files["python_stdlib.zip"], "pyodide-lock.json": nothing_to_fetch}
    )
    _pack(folder / "kit.js", {"libraries.whl": libraries(), "kit.whl": wheel()})


def pyodide() -> dict[str, bytes]:
    """The files of the pinned npm package, from ``$PYODIDE``, from build/, or from npm; checked before they are read.

    Raises:
        SystemExit: it cannot be had, or it is not what was pinned.
    """
    pin = json.loads((HERE / "pyodide.json").read_text(encoding="utf-8"))
    name = f"pyodide-{pin['version']}.tgz"
    kept = Path(os.environ.get("PYODIDE") or TOP / "build" / name)
    if not kept.exists():
        if shutil.which("npm") is None:
            raise SystemExit(f"npm is missing. Install Node.js, or set PYODIDE to the path of {name}, npm's package.")
        kept.parent.mkdir(exist_ok=True)
        subprocess.run(["npm", "pack", "--silent", f"pyodide@{pin['version']}"], cwd=kept.parent, check=True)
    content = kept.read_bytes()
    found = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
    if found != pin["integrity"]:
        raise SystemExit(
            f"{kept} is not what website/pyodide.json pins. Found: {found}. Remove the file and build again."
        )
    with tarfile.open(fileobj=io.BytesIO(content)) as package:
        return {Path(one.name).name: package.extractfile(one).read() for one in package if one.isfile()}


def _classic(module: str) -> str:
    """Pyodide's module as a plain script: a page from a folder may not import modules."""
    export = "export default _createPyodideModule;"
    if module.count(export) != 1:
        raise SystemExit("This version of Pyodide is built in another way: look at its last line.")
    script = module.replace(export, "globalThis._createPyodideModule = _createPyodideModule;")
    return script.replace("import.meta.url", "document.baseURI")


def _pack(script: Path, files: dict[str, bytes]) -> None:
    lines = [
        f'(globalThis.packed ??= {{}})["{name}"] = "{base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()}";\n'
        for name, content in files.items()
    ]
    script.write_text("".join(lines), encoding="ascii")


def libraries() -> bytes:
    """Jinja2 and MarkupSafe, as they are installed here, without what only another Python could load."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for library in LIBRARIES:
            folder = Path(library.__file__).parent
            for path in sorted(folder.rglob("*.py")):
                archive.writestr(_entry(path.relative_to(folder.parent)), path.read_bytes())
    return made.getvalue()


def _entry(path: Path) -> zipfile.ZipInfo:
    """A name in an archive without the time of day: the same files make the same bytes."""
    entry = zipfile.ZipInfo(path.as_posix())
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def wheel() -> bytes:
    """The kit as a wheel, built from a copy: a folder of an earlier build may hold modules that are gone."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "kit"
        shutil.copytree(TOP / "src", copy / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(TOP / name, copy / name)
        build = [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "-w",
            folder,
            copy,
        ]
        subprocess.run(build, check=True)
        [made] = Path(folder).glob("*.whl")
        return made.read_bytes()
