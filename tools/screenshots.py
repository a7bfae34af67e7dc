"""Take the README's pictures again: `.venv/bin/python tools/screenshots.py` (maintainers; needs Chromium).

Both show the real thing. The checklist is lesson 0's panel with the sample's answers, in JupyterLab; the record is what
`your_project.ipynb` writes for its own example, which is run first where no earlier run left one (4 minutes on two
quiet cores; delete `.local/screenshots` to run it anew). Written to `docs/pictures`, each below 150 kB.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import nbformat
from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parent))
from lessons import NOTEBOOKS, TOP, execute, own_home

from helpers.project import Project, kit_home

PICTURES = TOP / "docs" / "pictures"
MAX_BYTES = 150_000
CONTROLS = "select, input, button"
HEIGHT = 458  # of the checklist's picture: both fit on a visitor's first screen
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PANEL = f"""from pathlib import Path
from helpers import decide, show
from helpers.project import Project
sample = Path({str(TOP / "data/sample/triage")!r})
panel = show.checklist(Project("screenshot"), answers=decide.load(sample / "checklist.json").answers)
panel"""


def main() -> int:
    """Take both; the exit status is 1 when one of them is too large."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with own_home(kit_home() / "screenshots", fresh=False), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        the_checklist(browser.new_page(viewport={"width": 900, "height": 900}))
        the_record(browser.new_page(viewport={"width": 760, "height": 553}))  # ends between two lines
        browser.close()
    shots = sorted(PICTURES.glob("*.png"))
    too_large = [path for path in shots if path.stat().st_size > MAX_BYTES]
    for path in shots:
        print(f"{'[FAIL] too large: ' if path in too_large else ''}{path.name}: {path.stat().st_size:,} bytes")
    return int(bool(too_large))


def the_record(page: Page) -> None:
    """Picture the top of the record of `your_project.ipynb`, which is run first where it was not yet."""
    record = Project("my-first").folder / "record.html"
    if not record.exists():
        execute(NOTEBOOKS / "your_project.ipynb")
    page.goto(record.as_uri())
    page.screenshot(path=PICTURES / "record.png")


def the_checklist(page: Page) -> None:
    """Run the panel's cell in JupyterLab and picture its first questions."""
    with lab() as (address, folder):
        run_panel(page, address, folder)
        box = page.locator(".jp-OutputArea-output", has=page.locator(CONTROLS)).first.bounding_box()
        area = {"x": box["x"], "y": box["y"], "width": box["width"], "height": min(box["height"], HEIGHT)}
        page.screenshot(path=PICTURES / "checklist.png", clip=area)


def run_panel(page: Page, address: str, folder: Path) -> None:
    """Open a notebook with the one cell, run it, and wait for the panel."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(PANEL)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, folder / "checklist.ipynb")
    page.set_default_timeout(240_000)  # a cold JupyterLab on a busy machine
    page.goto(f"{address.replace('/lab?', '/lab/tree/checklist.ipynb?reset&')}")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    page.wait_for_function(
        "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.connectionStatus === 'connected'"
    )
    page.evaluate("() => { window.jupyterapp.commands.execute('application:toggle-mode') }")  # one document, no tabs
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")
    output = page.locator(
        ".jp-OutputArea-output select, .jp-OutputArea-output input, .jp-OutputArea-output button"
    ).first
    output.wait_for()
    page.wait_for_timeout(3000)


@contextlib.contextmanager
def lab() -> Iterator[tuple[str, Path]]:
    """Address (with its token) and folder of a JupyterLab of our own."""
    with tempfile.TemporaryDirectory() as home, socket.socket() as free:
        folder, token = Path(home), secrets.token_hex(8)
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        settings = folder / ".SETTINGS" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
        settings.parent.mkdir(parents=True)
        settings.write_text('{"fetchNews": "false", "checkForUpdates": false}')
        own = {
            "JUPYTERLAB_SETTINGS_DIR": str(folder / ".settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / ".spaces"),
        }
        options = ["--no-browser", "--allow-root", f"--port={port}", f"--IdentityProvider.token={token}"]
        options += [f"--ServerApp.root_dir={folder}", "--LabApp.expose_app_in_browser=True"]
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options], stderr=subprocess.DEVNULL, env=os.environ | own
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/api?token={token}")
            yield f"http://127.0.0.1:{port}/lab?token={token}", folder
        finally:
            server.terminate()
            server.wait(timeout=90)


def wait_for(address: str, seconds: float = 180) -> None:
    """Until the address answers.

    Raises:
        TimeoutError: it does not within so many seconds.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(address, timeout=2)
            return
        except OSError:
            time.sleep(0.5)
    raise TimeoutError(f"{address.partition('?')[0]} did not answer within {seconds:.0f} seconds")


if __name__ == "__main__":
    sys.exit(main())
