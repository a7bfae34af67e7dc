"""Puts the site together: ``python -m pages OUT``, inside the environment that ``build.py`` makes."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from datetime import timedelta
from html import escape
from pathlib import Path

import lessons
import links
import python_in_browser
from sphinx.cmd.build import build_main

from helpers import facts
from helpers.page import Session, structure

HERE = Path(__file__).resolve().parent
TOP = HERE.parent
SAMPLES = {
    "sample-shop": ("data/sample/triage/checklist.json", "The sample shop's checklist, before anything was measured")
}
KINDS = {"html": "page", "md": "Markdown", "json": "JSON"}


def main(out: Path) -> int:
    """Build everything into ``out``; 1 where Sphinx complains or a link leads nowhere."""
    shutil.rmtree(out, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        gather(source, facts.today().isoformat())
        if build_main(
            ["-q", "-W", "--keep-going", "-j", "2", "-b", "html", "-d", f"{folder}/read", str(source), str(out)]
        ):
            return 1
    (out / ".nojekyll").touch()  # GitHub Pages would leave out folders that begin with an underscore
    (out / "_static" / "webpack-macros.html").unlink()  # a template of the theme, no page
    broken = links.broken(out)
    print(*broken, sep="\n", file=sys.stderr)
    pages, size = len(list(out.rglob("*.html"))), sum(f.stat().st_size for f in out.rglob("*") if f.is_file())
    print(f"{pages} pages, {size / 1e6:.1f} MB, {len(broken)} broken links.")
    return 1 if broken else 0


def gather(source: Path, today: str) -> None:
    """All that Sphinx reads, in one folder; below ``_extra`` what it copies as it is."""
    shutil.copytree(HERE / "text", source)
    shutil.copy(HERE / "conf.py", source)
    for name in ("_templates", "_static"):
        shutil.copytree(HERE / name, source / name)
    extra = source / "_extra"
    extra.mkdir()
    found = lessons.write(TOP / "notebooks", source / "notebooks", extra / "charts")
    glossary = (TOP / "notebooks" / "glossary.md").read_text(encoding="utf-8")
    # The theme's script takes each <a> in the text for a link and ends on one without an address.
    anchors = re.sub(r'<a (id="[^"]+")></a>', r"<span \1></span>", glossary)
    (source / "notebooks" / "glossary.md").write_text(anchors, encoding="utf-8")
    if (pictures := TOP / "notebooks" / "pictures").exists():
        for place in (source, extra):  # for Markdown's pictures, and for those that cells show as HTML
            shutil.copytree(pictures, place / "notebooks" / "pictures")
    (source / "providers.md").write_text(providers(found), encoding="utf-8")
    (source / "records.md").write_text(records(extra / "records"), encoding="utf-8")
    (source / "measurements.md").write_text(measurements(), encoding="utf-8")
    decision_page(extra, today)
    shutil.copy(plotly(), source / "_static" / "plotly.min.js")
    (source / "dated.json").write_text(json.dumps(dated(today)), encoding="utf-8")


def dated(today: str) -> dict[str, str]:
    """The day of the build, and what to say at the top from the day on which the facts are stale."""
    newest = max(row.as_of for table in facts.TABLES for row in facts.rows(table))
    stale = newest + timedelta(days=facts.STALE_DAYS + 1)
    return {
        "built": f"Built on {today} from facts read up to {newest}.",
        "stale_from": stale.isoformat(),
        "stale": f"This site was built on {today}, from facts last read on {newest}, more than {facts.STALE_DAYS} days "
        "ago: read the sources of a price or a date again before you act on it.",
    }


def decision_page(extra: Path, today: str) -> None:
    """The page, its script and style, and the Python that it runs."""
    shutil.copytree(HERE / "decide", extra / "decide", ignore=shutil.ignore_patterns("*.html"))
    page = (HERE / "decide" / "decide.html").read_text(encoding="utf-8")
    content = json.dumps(structure(), ensure_ascii=False).replace("<", "\\u003c")
    page = page.replace("{{ structure }}", content).replace("{{ built }}", today)
    (extra / "decide.html").write_text(page, encoding="utf-8")
    python_in_browser.write(extra / "decide" / "python")


def plotly() -> Path:
    """plotly.js as the package plotly carries it."""
    import plotly

    return Path(plotly.__file__).parent / "package_data" / "plotly.min.js"


def providers(found: dict[str, str]) -> str:
    """The provider page, as the lesson that shows it was run."""
    return f"""# Who trains for whom

As lesson 2 worked it out from the kit's dated facts, on the day in the caption. Open *sources* in a line for the date,
the address, and how each statement is known. `connect("…")` under a name is how the lessons reach that host. The
<a href="decide.html">decision page</a> works with the same facts, for the day on which you open it.

```{{raw}} html
<div class="kit-providers">{_labelled(found["providers"])}</div>
```
"""


def _labelled(html: str) -> str:
    """Tables whose cells name their column: on a telephone a line of the table is shown as a card."""

    def table(found: re.Match[str]) -> str:
        _, *heads = re.findall(r'<th scope="col"[^>]*>([^<]*)', found.group())

        def line(row: re.Match[str]) -> str:
            names = iter(heads)
            return re.sub("<td", lambda _: f'<td data-label="{next(names)}"', row.group())

        return re.sub(r'<tr><th scope="row".*?</tr>', line, found.group(), flags=re.DOTALL)

    return re.sub("<table.*?</table>", table, html, flags=re.DOTALL)


def records(folder: Path) -> str:
    """Sample records, written by the code that the decision page runs, and a page that lists them."""
    folder.mkdir()
    lines = [
        "# Sample records",
        "",
        "A record holds the question, the answers, the evidence, the advice, what would change it and when to look at "
        "it again. These were written when the site was built, by the code that notebooks and the decision page use.",
        "",
    ]
    for name, (path, title) in SAMPLES.items():
        lines += _record(folder, name, title, TOP / path)
    for path in sorted((TOP / "data" / "sample" / "records").glob("*.json")):
        lines += _record(folder, path.stem, "With measurements", path)
    return "\n".join(lines) + "\n"


def _record(folder: Path, name: str, title: str, path: Path) -> list[str]:
    session = Session()
    session.do(json.dumps({"do": "open", "name": path.name, "text": path.read_text(encoding="utf-8")}))
    view = session.view(session.state)
    for kind in KINDS:
        (folder / f"{name}.{kind}").write_text(session.take(kind)["text"], encoding="utf-8")
    kinds = ", ".join(f'<a href="records/{name}.{kind}">{words}</a>' for kind, words in KINDS.items())
    again = f'<a href="decide.html#{escape(view["fragment"])}">open it on the decision page</a>'
    head = f"## {title}: {session.state.question}"
    return [head, "", f"> {view['verdict']['headline']}", "", f"The record as {kinds}; or {again}.", ""]


def measurements() -> str:
    """The table of measurements, then the log of all of them."""
    page = TOP / "docs" / "measured.md"
    if page.exists():
        table = page.read_text(encoding="utf-8").partition("\n")[2].replace("[Back to the README](../README.md)", "")
    else:
        readme = (TOP / "README.md").read_text(encoding="utf-8")
        table = readme.partition("\n## Measured\n")[2].partition("\n## ")[0]
    log = (TOP / "benchmarks" / "LOG.md").read_text(encoding="utf-8")
    return _fit_for_a_page("# Measurements\n" + table + "\n" + re.sub(r"^#", "##", log, flags=re.MULTILINE))


def _fit_for_a_page(text: str) -> str:
    """Links to files that are no page of the site become plain text; a table's first column gets a name."""
    text = re.sub(r"^\|\s*\|(?=.*\n\|[-: |]+$)", "| what |", text, flags=re.MULTILINE)
    return re.sub(r"\[([^\]]+)\]\((?!https?:|#)([^)]+)\)", r"\1", text)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
