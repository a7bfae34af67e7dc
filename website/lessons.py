"""Lessons from the committed notebooks: nothing is executed; charts, links and headings are made fit for a site."""

from __future__ import annotations

import base64
import json
import re
from html import escape, unescape
from pathlib import Path
from typing import Any

PLOTLY, PICTURE = "application/vnd.plotly.v1+json", "image/svg+xml"
PROVIDERS = "Who trains for whom"


def write(notebooks: Path, target: Path, charts: Path) -> dict[str, str]:
    """Copy every lesson to ``target``, its charts' pictures to ``charts``; returns HTML that other pages show.

    Raises:
        KeyError: no lesson shows the provider page.
    """
    charts.mkdir(parents=True)
    found: dict[str, str] = {}
    for path in sorted([*notebooks.glob("*.ipynb"), *notebooks.glob("extra/*.ipynb")]):
        if path.name.startswith("my_"):
            continue
        place = path.relative_to(notebooks)
        notebook = json.loads(path.read_text(encoding="utf-8"))
        up = "../" * len(place.parts)
        titles = [cell for cell in notebook["cells"] if cell["cell_type"] != "code" and _source(cell).startswith("# ")]
        for number, cell in enumerate(notebook["cells"]):
            if cell["cell_type"] == "code":
                cell["outputs"] = [
                    _output(one, f"{path.stem}-{number}-{nth}", charts, up) for nth, one in enumerate(cell["outputs"])
                ]
                for one in cell["outputs"]:
                    html = "".join(one.get("data", {}).get("text/html", ""))
                    if PROVIDERS in html and "<table" in html:
                        found["providers"] = html
            elif len(titles) > 1 and number > 0:
                cell["source"] = _lower(_source(cell))
        (target / place).parent.mkdir(parents=True, exist_ok=True)
        (target / place).write_text(json.dumps(notebook), encoding="utf-8")
    if "providers" not in found:
        raise KeyError(f"no lesson shows a table whose caption begins with {PROVIDERS!r}")
    return found


def _source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def _lower(text: str) -> str:
    """Headings one level lower: a page of the site has one title."""
    return re.sub(r"^(?=#+ )", "#", text, flags=re.MULTILINE)


def _output(output: dict[str, Any], name: str, charts: Path, up: str) -> dict[str, Any]:
    """A chart as a picture that the site's script brings to life; everything else as it is."""
    data = output.get("data", {})
    if PLOTLY not in data:
        return output
    figure, picture = data[PLOTLY], "".join(data[PICTURE])
    if not picture.lstrip().startswith("<"):
        picture = base64.b64decode(picture).decode()
    (charts / f"{name}.svg").write_text(picture, encoding="utf-8")
    layout = figure["layout"]
    title = layout.get("title", {}).get("text", "")
    words = " ".join(
        filter(None, (unescape(re.sub("<[^>]+>", " ", title)), layout.get("meta", {}).get("sentence", "")))
    )
    content = json.dumps({"data": figure["data"], "layout": layout}).replace("<", "\\u003c")
    html = (
        f'<figure class="kit-live"><img src="{up}charts/{name}.svg" alt="{escape(words)}" loading="lazy">'
        f'<script type="application/json">{content}</script></figure>'
    )
    return {**output, "data": {"text/html": [html], "text/plain": [words]}, "metadata": {}}
