"""A real JupyterLab in a real Chromium: ``open_notebook(cells)`` runs the cells and hands over the page."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest
from pages import KERNEL

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE_MS = 90_000
"""A cold JupyterLab on a busy machine of two cores takes half a minute to load."""

HARMLESS = re.compile(
    r"Failed to load resource.*(404|403)|favicon|ResizeObserver|WebSocket|Download the React|"
    r"Could not restore the debugger state"  # of a kernel that is being restarted
)
"""Console messages of JupyterLab itself that say nothing about the kit's widgets."""


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """Address, token and folder of a JupyterLab that lives as long as the tests."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    folder, token = tmp_path_factory.mktemp("lab"), secrets.token_hex(8)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = ["--no-browser", "--allow-root", f"--port={port}", f"--IdentityProvider.token={token}"]
    settings += [f"--ServerApp.root_dir={folder}", "--LabApp.expose_app_in_browser=True"]
    quiet = folder / ".settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    quiet.parent.mkdir(parents=True)
    quiet.write_text('{"fetchNews": "false", "checkForUpdates": false}')
    own = {"JUPYTERLAB_SETTINGS_DIR": str(folder / ".settings"), "JUPYTERLAB_WORKSPACES_DIR": str(folder / ".spaces")}
    with open(folder / "lab.log", "w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *settings], stdout=log, stderr=log, env=os.environ | own
        )
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 180  # a busy machine of two cores
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"{address}/api?token={token}", timeout=2)
            break
        except OSError:
            time.sleep(0.3)
    yield address, token, folder
    server.terminate()
    server.wait(timeout=90)


@pytest.fixture(scope="session")
def chromium():
    """One for JupyterLab's pages and the site's: Playwright starts only once in a process."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield started
        started.close()


@pytest.fixture(scope="session")
def browser(lab, chromium):
    return chromium


@pytest.fixture
def open_page(lab, browser):
    """Open a notebook of the lab's folder by its name; at the end no console error may be left."""
    address, token, _ = lab
    pages, errors = [], []

    def open_(name: str, theme: str = "JupyterLab Light", width: int = 1100):
        page = browser.new_page(viewport={"width": width, "height": 1000})
        page.set_default_timeout(PATIENCE_MS)
        pages.append(page)
        page.on("console", lambda message: message.type == "error" and errors.append(message.text))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{address}/lab/tree/{name}?reset&token={token}")
        page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=PATIENCE_MS)
        page.wait_for_function("window.jupyterapp")
        page.evaluate(f"window.jupyterapp.commands.execute('apputils:change-theme', {{theme: '{theme}'}})")
        page.wait_for_function(f"{KERNEL}?.connectionStatus === 'connected'", timeout=PATIENCE_MS)
        return page

    yield open_
    for page in pages:
        page.close()
    left = [error for error in errors if not HARMLESS.search(error)]
    assert not left, left


@pytest.fixture
def open_notebook(lab, open_page):
    """Write cells into a notebook, open it, run all, and wait for the kernel."""
    folder = lab[2]

    def open_(*cells: str, theme: str = "JupyterLab Light", wait_for_cells: int | None = None, run: bool = True):
        name = f"t{secrets.token_hex(4)}.ipynb"
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, folder / name)
        page = open_page(name, theme)
        if not run:
            return page
        page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")  # not awaited
        page.wait_for_function(
            "many => [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].slice(0, many)"
            ".every(prompt => /\\d/.test(prompt.textContent))",
            arg=len(cells) if wait_for_cells is None else wait_for_cells,
            timeout=2 * PATIENCE_MS,
        )
        return page

    return open_
