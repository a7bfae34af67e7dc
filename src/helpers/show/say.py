"""Findings in words, and written files: wrapped at words and escaped."""

from __future__ import annotations

from html import escape
from pathlib import Path

from IPython.display import HTML

from helpers.show.html import html_output, texts_side_by_side

_WRAP = "overflow-wrap:break-word"  # a long web address goes on in the next line


def say(*sentences: str) -> HTML:
    """One sentence as a paragraph, several as a list."""
    if len(sentences) == 1:
        return html_output(f'<p style="{_WRAP}">{escape(sentences[0])}</p>')
    listed = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return html_output(f'<ul style="{_WRAP}">{listed}</ul>')


def document(path: Path | str) -> HTML:
    """A text file, such as a model card, as it was written: its headings are its own, not the notebook's."""
    return html_output(texts_side_by_side([(Path(path).name, Path(path).read_text(encoding="utf-8"))]))
