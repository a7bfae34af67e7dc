"""Findings in words, and written files: wrapped at words and escaped."""

from __future__ import annotations

from html import escape
from pathlib import Path

from IPython.display import HTML

from helpers.show.html import html_output, texts_side_by_side


def say(*sentences: str) -> HTML:
    """One sentence as a paragraph, several as a list."""
    if len(sentences) == 1:
        return html_output(f"<p>{escape(sentences[0])}</p>")
    return html_output("<ul>" + "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences) + "</ul>")


def document(path: Path | str) -> HTML:
    """A text file, such as a model card, as it was written: its headings are its own, not the notebook's."""
    return html_output(texts_side_by_side([(Path(path).name, Path(path).read_text(encoding="utf-8"))]))
