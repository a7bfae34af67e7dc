"""What the local model sees of an example, and which part of it the loss sees."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from IPython.display import HTML

from helpers import jobs, tokens
from helpers.records import Example
from helpers.show.html.elements import html_output, wide

START, END = "<|im_start|>", "<|im_end|>"
Segment = tuple[str, bool]
"""A stretch of text, and whether the model learns to write it."""

_NEW_LINE = '<span aria-hidden="true" style="opacity:.55">⏎</span>\n'
_CELL = "vertical-align:top;text-align:left;padding:4px 10px;"
_LEARNED = "background:rgba(0,114,178,.16);border-left:5px solid #0072B2;"
_TEXT = "margin:0;background:transparent;white-space:pre-wrap;word-break:normal;overflow-wrap:break-word"
_READ = "border-left:5px solid rgba(128,128,128,.35);"


def what_the_model_sees(example: Example, client: Any = None, model: str = "") -> HTML:
    """The exact text that an example becomes for the local model: nothing is added, no hidden system message.

    Stretches that the loss sees are marked "learned" in words, by a bar and by a tint. ⏎ marks a line break.

    Args:
        example: a training row.
        client: the local API, asked where another ``model`` than the lessons' own is meant: that one may have a
            template of its own.
        model: a model's name there; "": the lessons' own.
    """
    if model:
        seen = jobs.seen(client, example.messages, model, example.tools or ())
        pieces = [(one["text"], one["learned"]) for one in seen["segments"]]
        learned, total = seen["learned_tokens"], seen["tokens"]
        off = " with reasoning switched off" if seen["reasoning_switched_off"] else ""
        by = f" {model}, written by {seen['template']} chat template{off}."
    else:
        pieces, by = segments(example), ""
        learned, total = token_counts(example)
    rows = "".join(_row(text, is_learned) for text, is_learned in pieces)
    table = (
        '<table style="border-collapse:collapse"><thead><tr><th scope="col" style="text-align:left">in training</th>'
        f'<th scope="col" style="text-align:left">text</th></tr></thead><tbody>{rows}</tbody></table>'
    )
    said = f"{total} tokens, of which the model learns to write {learned}; the others it only reads.{escape(by)}"
    return html_output(wide("the example as the model sees it", table, said))


def segments(example: Example) -> list[Segment]:
    """The example's text, cut where "only read" turns into "learned" and back."""
    joined: list[Segment] = []
    for text, learned in _pieces(example):
        if joined and joined[-1][1] == learned:
            joined[-1] = (joined[-1][0] + text, learned)
        else:
            joined.append((text, learned))
    return joined


def token_counts(example: Example) -> tuple[int, int]:
    """(tokens that the model learns to write, all tokens) of an example."""
    count = tokens.counter("smollm2-135m-instruct").text
    learned = total = 0
    for message in example.messages:
        texts = [count(text) for text in tokens.between_marks(message["role"], _text(message))]
        total += sum(texts) + 2 + count("\n")  # the two marks, and the line's end
        if _is_learned(message):
            learned += texts[-1] + 1  # the answer and the mark that ends it
    return learned, total


def _pieces(example: Example) -> list[Segment]:
    """The text message by message; of an answer, what the model writes stands by itself."""
    pieces: list[Segment] = []
    for message in example.messages:
        *head, body = tokens.between_marks(message["role"], _text(message))
        pieces += [(START + "".join(head), False), (f"{body}{END}", _is_learned(message)), ("\n", False)]
    return pieces


def _is_learned(message: Mapping[str, Any]) -> bool:
    return message["role"] == "assistant" and float(message.get("weight", 1)) > 0


def _text(message: Mapping[str, Any]) -> str:
    return tokens.text_of(message.get("content"))


def _row(text: str, learned: bool) -> str:
    mark = "<b>learned</b>" if learned else "only read"
    shown = escape(text).replace("\n", _NEW_LINE)
    return (
        f'<tr><td style="{_CELL}white-space:nowrap">{mark}</td><td style="{_CELL}{_LEARNED if learned else _READ}">'
        f'<pre style="{_TEXT}">{shown}</pre></td></tr>'
    )
