"""A text file in Markdown, such as a model card, as a page shows it."""

from __future__ import annotations

import re
from html import escape, unescape
from pathlib import Path

import mistune
from IPython.display import HTML

from helpers.show.html.elements import CARD, folded, html_output


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
