"""Findings in words: wrapped at words and escaped, one paragraph or list item each."""

from __future__ import annotations

from html import escape

from IPython.display import HTML

from helpers.show.html import html_output


def say(*sentences: str) -> HTML:
    """One sentence as a paragraph, several as a list."""
    if len(sentences) == 1:
        return html_output(f"<p>{escape(sentences[0])}</p>")
    return html_output("<ul>" + "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences) + "</ul>")
