"""Rows that say the same or contradict each other, side by side, and what a repair changed."""

from __future__ import annotations

import os.path
import re
from html import escape

import pandas as pd
from IPython.display import HTML

from helpers.data.sensitive.personal import REMOVED, find, remove
from helpers.formatting import plural
from helpers.show.html.elements import html_output, texts_side_by_side, wide

MAX_PAIRS = 4
AROUND, LONGEST = 24, 120
"""Characters shown on both sides of a change, and of the change itself."""

_ESCAPED = re.compile(r"\\(?:u[0-9a-fA-F]{4}|.)")
"""A character as JSON writes it: a key right behind a written line break would not be seen as one."""

_CELL = "vertical-align:top;padding:2px 10px"
_SHORT, _NUMBER = f"{_CELL};text-align:left;white-space:nowrap", f"{_CELL};text-align:right;white-space:nowrap"
_TEXT = f"{_CELL};text-align:left;min-width:16em;white-space:normal;word-break:break-word"
"""A code and a number stay whole on a narrow page; a row of JSON may break anywhere."""


def pairs(queue: pd.DataFrame, most: int = MAX_PAIRS) -> HTML:
    """Duplicates and contradictions, each pair side by side, the kinds in turn.

    Args:
        queue: ``data.queue(source, report, codes=data.PAIRS)``.
        most: pairs that are shown; the others are counted.

    Personal data and secrets stay hidden: the page may be saved and handed on.
    """
    doubles = queue[queue["other"] > 0]
    counts = ", ".join(f"{n:,} × {code.replace('_', ' ')}" for code, n in doubles["code"].value_counts().items())
    in_turn = doubles.groupby("code", sort=False).cumcount().sort_values(kind="stable").index
    shown = "".join(_pair(item) for item in doubles.loc[in_turn].head(most).itertuples())
    head = f"<p><b>{plural(len(doubles), 'pair')} of rows</b>{f': {counts}' if counts else ''}.</p>"
    more = f"<p>{plural(len(doubles) - most, 'more pair')}.</p>" if len(doubles) > most else ""
    return html_output(f"<div>{head}{shown}{more}</div>")


def _pair(item: object) -> str:
    sides = [
        (f"line {item.line}", f"{item.question}\n→ {item.answer}"),
        (f"line {item.other}", f"{item.other_question}\n→ {item.other_answer}"),
    ]
    clean = [(title, remove(text)) for title, text in sides]
    return f"<p>{escape(item.code.replace('_', ' '))}: {escape(remove(item.message))}</p>{texts_side_by_side(clean)}"


def changes(log: pd.DataFrame) -> HTML:
    """One change of each kind from a repair's log, cut to the part that changed.

    What is gone is struck through, what is new is underlined. Personal data and secrets stay hidden here; the log
    itself holds them.

    Args:
        log: ``Repaired.log``.
    """
    counts = log["code"].value_counts(sort=False)
    body = "".join(
        f"<tr>{_td(code, _SHORT)}{_td(f'{count:,}', _NUMBER)}{_example(log[log['code'] == code].iloc[0])}</tr>"
        for code, count in counts.items()
    )
    names = {"code": "left", "times": "right", "line": "right", "for example": "left"}
    head = "".join(f'<th scope="col" style="text-align:{side}">{name}</th>' for name, side in names.items())
    caption = f"{plural(len(log), 'change')} of {plural(len(counts), 'kind')}, one of each in detail."
    return html_output(wide(caption, f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>", caption))


def _td(content: str, style: str) -> str:
    return f'<td style="{style}">{content}</td>'


def _example(change: pd.Series) -> str:
    hidden = change["code"].startswith(("personal_", "secret_"))
    line = f"{change['line']:,}" if change["line"] else "file"
    return _td(line, _NUMBER) + _td(_difference(str(change["before"]), change["after"], hidden), _TEXT)


def _difference(before: str, after: object, hidden: bool) -> str:
    """The part of a row that changed, with a little around it; both texts escaped."""
    if not isinstance(after, str):
        return f"left out: {_marked('del', _without_secrets(before, 0, len(before)))}"
    start = len(os.path.commonprefix([before, after]))
    end = len(os.path.commonprefix([before[start:][::-1], after[start:][::-1]]))
    stop = len(before) - end
    old, new = _without_secrets(before, start, stop), _without_secrets(after, start, len(after) - end)
    left = _without_secrets(before, max(0, start - AROUND), start)
    right = _without_secrets(before, stop, min(len(before), stop + AROUND))
    shown = _marked("del", "(hidden)" if hidden else old) + _marked("ins", new)
    return f"{'…' if left else ''}{escape(left)}{shown}{escape(right)}{'…' if right else ''}"


def _without_secrets(text: str, start: int, stop: int) -> str:
    """A part of a row without the personal data and secrets in it, those that the part's ends cut through too."""
    shown, at = [], start
    unescaped = _ESCAPED.sub(lambda found: " " * len(found[0]), text)
    for hit in sorted([*find(text), *find(unescaped)], key=lambda hit: hit.start):
        if hit.invented or hit.end <= at or hit.start >= stop:
            continue
        shown += [text[at : max(at, hit.start)], REMOVED[hit.kind]]
        at = hit.end
    return "".join([*shown, text[at:stop]])


def _marked(tag: str, text: str) -> str:
    """The text with its control characters made visible, in a mark; nothing where it is empty."""
    text = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    return f"<{tag}>{escape(text if len(text) <= LONGEST else text[: LONGEST - 1] + '…')}</{tag}>" if text else ""
