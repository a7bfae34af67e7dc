"""Small tools for tests that look at a page: a value from its kernel, and a screenshot."""

from __future__ import annotations

import json
import os
from pathlib import Path

KERNEL = "window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel"


def kernel_value(page, expression: str):
    """The JSON value of a Python expression in the notebook's kernel."""
    code = f"import json as _json; print(_json.dumps({expression}))"
    said = page.evaluate(
        f"""code => new Promise(resolve => {{
          const asked = {KERNEL}.requestExecute({{code, store_history: false}});
          let said = '';
          asked.onIOPub = ({{content}}) => {{ said += content.text ?? (content.traceback ?? []).join('\\n'); }};
          asked.done.then(() => resolve(said));
        }})""",
        code,
    )
    return json.loads(said)


def shot(page, name: str) -> Path:
    """A screenshot below ``$KIT_SCREENSHOTS`` (or the system's temporary folder), for a person to look at."""
    folder = Path(os.environ.get("KIT_SCREENSHOTS") or Path(os.environ.get("TMPDIR", "/tmp")) / "kit-screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}.png")
    return folder / f"{name}.png"
