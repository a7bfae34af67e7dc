"""Small pieces of escaped HTML, and the plainest views: sentences and written files.

Colours are the page's own or translucent, so they suit light and dark themes.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from html import escape, unescape
from pathlib import Path

import mistune
from IPython.display import HTML

from helpers.formatting import WEB_ADDRESS

CARD = (
    "border:1px solid rgba(128,128,128,.45);border-left:5px solid #0072B2;padding:8px 14px;margin:6px 0;"
    "line-height:1.4;overflow-wrap:break-word"  # a long web address goes on in the next line
)


def literal(content: str) -> str:
    """HTML whose dollar signs stay dollar signs: JupyterLab's MathJax takes what stands between two for a formula."""
    return f'<div class="mathjax_ignore">{content}</div>'


def html_output(content: str) -> HTML:
    """HTML as a cell's output; every view of this room that is HTML goes through here, or through ``output.Words``."""
    return HTML(literal(content))


def linked(text: str) -> str:
    """Escaped text whose web addresses can be followed."""
    parts, at = [], 0
    for found in re.finditer(WEB_ADDRESS, text):
        address = escape(found.group())
        parts += [
            escape(text[at : found.start()]),
            f'<a style="text-decoration:underline" href="{address}" target="_blank" rel="noopener">{address}</a>',
        ]
        at = found.end()
    return "".join([*parts, escape(text[at:])])


def bullets(sentences: Iterable[str]) -> str:
    """A list of escaped sentences; empty when there are none."""
    items = "".join(f"<li>{linked(sentence)}</li>" for sentence in sentences)
    return f'<ul style="margin:2px 0 6px;padding-left:22px">{items}</ul>' if items else ""


def section(title: str, sentences: Iterable[str]) -> str:
    """A small heading and its list; nothing when the list is empty.

    Args:
        title: plain text.
        sentences: plain text; addresses become links.
    """
    listed = bullets(sentences)
    return f"<p style='margin:6px 0 0'><b>{escape(title)}</b></p>{listed}" if listed else ""


def folded(title: str, content: str) -> str:
    """Content that opens at a click or with the space bar; ``content`` is HTML already.

    Args:
        title: plain text.
        content: HTML; "" makes nothing at all.
    """
    return f"<details><summary style='cursor:pointer'>{escape(title)}</summary>{content}</details>" if content else ""


PRINTED = ".jp-RenderedText pre { word-break: normal; overflow-wrap: anywhere; }"
"""Printed text goes on in the next line between words; JupyterLab's own style breaks it at any letter."""

_ROW = "var(--jp-rendermime-table-row-"
_WIDE = f"""<style>{PRINTED}
.kit-wide {{ outline-offset: -2px; animation: kit-more linear; animation-timeline: scroll(self inline); }}
@keyframes kit-more {{ 0%, 98% {{ mask-image: linear-gradient(to left, transparent, #000 3em); }} }}
.kit-wide::-webkit-scrollbar {{ height: 10px; }}
.kit-wide::-webkit-scrollbar-thumb {{ background: rgba(128,128,128,.6); border-radius: 5px; }}
.jp-OutputArea-output .kit-wide :is(th[scope=row], thead:has(+ tbody th[scope=row]) > tr > :first-child) {{
  position: sticky; left: 0; background-color: var(--jp-layout-color0); }}
.jp-OutputArea-output .kit-wide tr:nth-child(even) > th[scope=row] {{ background-color: {_ROW}background); }}
.jp-OutputArea-output .kit-wide tr:hover > th[scope=row] {{
  background-image: linear-gradient({_ROW}hover-background) 0 0); }}
</style>"""
"""Where a table is wider than the page its right edge fades until it is scrolled to the end, its scrollbar is always
there, and its rows' names stay. Grounds are the ones that JupyterLab gives its rows: what slides below a name must not
shine through."""


def wide(label: str, table: str, caption: str = "") -> str:
    """A table that may be wider than the page: it can be scrolled, by keyboard too.

    A group, not a region: regions are landmarks, of which no two may have one name, and two tables may. The caption
    stands outside: inside, it would be as wide as the table and scroll away with it.

    Args:
        label: what the table is called by those who cannot see it.
        table: HTML.
        caption: HTML that is shown above the table and read out before it.
    """
    above = f'<div class="kit-caption" style="margin:4px 0;line-height:1.35">{caption}</div>' if caption else ""
    return (
        f'{_WIDE}{above}<div class="kit-wide" tabindex="0" role="group" aria-label="{escape(label)}" '
        f'style="overflow-x:auto;line-height:1.35">{table}</div>'
    )


def texts_side_by_side(texts: Iterable[tuple[str, str]]) -> str:
    """Cards with a title and a text as it was written; below each other where the page is narrow."""
    cards = "".join(
        f'<div style="{CARD}"><b>{escape(title)}</b>'
        f'<div style="white-space:pre-wrap;word-break:break-word">{escape(text)}</div></div>'
        for title, text in texts
    )
    columns = "grid-template-columns:repeat(auto-fit,minmax(240px,1fr))"
    return f'<div style="display:grid;{columns};gap:0 12px">{cards}</div>'


_WRAP = "overflow-wrap:break-word"  # a long web address goes on in the next line


def say(*sentences: str) -> HTML:
    """One sentence as a paragraph, several as a list."""
    if len(sentences) == 1:
        return html_output(f'<p style="{_WRAP}">{escape(sentences[0])}</p>')
    listed = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return html_output(f'<ul style="{_WRAP}">{listed}</ul>')


class _Renderer(mistune.HTMLRenderer):
    """Headings become bold lines: as headings they would stand in the notebook's outline. Nothing is fetched, and HTML
    in the text stays text."""

    def text(self, text: str) -> str:
        return escape(unescape(text))

    def heading(self, text: str, level: int, **attrs: object) -> str:
        return f'<p style="margin:12px 0 4px;font-size:{1.25 if level == 1 else 1.1}em"><b>{text}</b></p>\n'

    def image(self, text: str, url: str, title: str | None = None) -> str:
        return text


def _table(_: object, text: str) -> str:
    return f'<table style="margin:0">{text}</table>\n'


def _table_head(_: object, text: str) -> str:
    """A table of names and values has an empty head, which would be read out as nothing."""
    return f"<thead><tr>{text}</tr></thead>\n" if re.sub("<[^>]*>", "", text).strip() else ""


def _table_cell(_: object, text: str, align: str | None = None, head: bool = False) -> str:
    tag = 'th scope="col"' if head else "td"
    return f'<{tag} style="text-align:{align or "left"};min-width:7em;overflow-wrap:anywhere">{text}</{tag[:2]}>'


def _markdown() -> mistune.Markdown:
    renderer = _Renderer(escape=True)
    rendered = mistune.create_markdown(renderer=renderer, plugins=["table"])
    for name, part in (("table", _table), ("table_head", _table_head), ("table_cell", _table_cell)):
        renderer.register(name, part)
    return rendered


def document(path: Path | str) -> HTML:
    """A file in Markdown as it is meant to be read, and as it was written below a fold.

    Args:
        path: of a text file, such as a model card.
    """
    name, text = Path(path).name, Path(path).read_text(encoding="utf-8")
    written = f'<div style="white-space:pre-wrap;overflow-wrap:anywhere">{escape(text)}</div>'
    return html_output(
        f'<div style="{CARD}"><p style="margin:0"><code>{escape(name)}</code></p>'
        f"{_markdown()(text)}{folded('as Markdown', written)}</div>"
    )


def record_written(files: Mapping[str, Path]) -> HTML:
    """Where a record lies, and a link that saves a copy of its page: the front end's own list of files may not reach
    that folder, and its server may be another machine.

    Args:
        files: from ``Record.write``: kind of file → path.
    """
    page = files["html"].resolve()
    beside = " and ".join(escape(path.name) for kind, path in files.items() if kind != "html")
    copy = base64.b64encode(page.read_bytes()).decode()
    return html_output(
        f'<p style="{_WRAP}">Record written: <code>{escape(str(page))}</code>, with {beside} beside it. Open it in '
        f'your browser, or <a style="text-decoration:underline" download="{escape(page.name)}" '
        f'href="data:text/html;base64,{copy}">save a copy of the page</a>, which needs no other file.</p>'
    )
