"""The link below a record: what it saves is the page that was written, wherever the notebook's server runs."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.browser

CELL = """from pathlib import Path
from helpers import show
files = {kind: Path(f"record.{kind}").resolve() for kind in ("json", "html", "md")}
for kind, file in files.items():
    file.write_text(f"<h1>the {kind}: é</h1>")
show.record_written(files)"""


def test_the_link_saves_the_page(open_notebook):
    page = open_notebook(CELL)
    link = page.locator(".jp-OutputArea a[download]")
    link.wait_for()
    with page.expect_download() as saved:
        link.click()
    assert saved.value.suggested_filename == "record.html"
    assert Path(saved.value.path()).read_text(encoding="utf-8") == "<h1>the html: é</h1>"
