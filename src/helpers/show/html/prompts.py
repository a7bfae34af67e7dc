"""What a search has made of a prompt."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from html import escape

from IPython.display import HTML

from helpers.show.html.elements import CARD, html_output


def prompt_diff(before: str, after: str, title: str = "What has become of the instructions") -> HTML:
    """A prompt against an earlier one, word by word: what is gone is struck through, what is new is underlined.

    Args:
        before: the earlier instructions.
        after: what has become of them.
        title: stands above.
    """
    if before == after:
        return html_output("<p>The instructions are the same as before.</p>")
    old, new = (re.findall(r"\S+|\s+", text) for text in (before, after))
    parts = []
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        gone, come = escape("".join(old[a:b])), escape("".join(new[c:d]))
        if kind == "equal":
            parts.append(come)
        else:
            changed = (f"<del>{gone}</del>" * bool(gone), f"<ins>{come}</ins>" * bool(come))
            parts.append(" ".join(filter(None, changed)))
    text = f'<div style="white-space:pre-wrap;word-break:break-word">{"".join(parts)}</div>'
    return html_output(f'<div style="{CARD}"><b>{escape(title)}</b>{text}</div>')
