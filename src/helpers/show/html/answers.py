"""What came back: the table of a ladder with every gap counted; raw answers of each candidate, good and bad; and free
texts side by side."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import pandas as pd
from IPython.display import HTML

from helpers.evaluate import free_text
from helpers.evaluate.free_text.profile import Copies
from helpers.evaluate.metrics.text_rules import Rule
from helpers.evaluate.results.outcomes import outcomes
from helpers.evaluate.results.results import USUAL, Results
from helpers.formatting import plural
from helpers.records import Example
from helpers.show.html.elements import html_output, texts_side_by_side, wide
from helpers.show.html.tables import table

EACH = 3
OUTCOMES = ("outcome", "question", "ideal", "answer")
"""Columns of the raw answers."""
LONGEST = 600
"""Letters of a text that are shown."""
CELL = "text-align:left;vertical-align:top;white-space:pre-wrap;overflow-wrap:anywhere;min-width:12em;max-width:32em"


def ladder(results: Results, metric: str | None = None) -> HTML:
    """One line a candidate: its score with its interval, how many rows it answered, answers that were cut off, tokens
    and seconds. The caption counts what is missing, and says where the score is no evidence.

    The seconds are from sending a call to having its answer, without waiting in this notebook or for a rate limit. A
    server that was sent many calls at once has its own queue, which is in them.

    Args:
        results: of one rung or more.
        metric: None: the headline.
    """
    name = metric or results.metrics[0]
    unit, total, lines = results.scale(name)[0], len(results.row_ids), results.table(name)
    score = name if unit == USUAL[0] else f"{name} ({unit}, no score)"
    shown = pd.DataFrame(
        {
            "role": lines["role"], score: lines["score"], "low": lines["low"], "high": lines["high"],
            "answered": [f"{total - missing} of {total}" for missing in lines["missing"]],
            "cut off": lines["cut_off"], "prompt tokens": lines["prompt_tokens"],
            "seconds a call, sent to answered": lines["seconds"],
        },
        index=lines.index,
    )  # fmt: skip
    others = {one: lines[one] for one in results.metrics if one != name and results.scale(one)[0] in SHOWN_IN_PERCENT}
    for place, (one, values) in enumerate(others.items(), 4):
        shown.insert(place, one.replace("_", " "), values)
    why = results.why_nothing()
    caption = f"{why or results.answered()}. 95 % intervals."
    for learned in dict.fromkeys(about.get("learned_from") for about in results.candidates.values()):
        caption += f" Rivals without a language model learned from {learned}." if learned else ""
    for alike in (one for one in (name, *others) if results.scale(one)[0] == "likeness"):
        caption += f" {alike} compares letters with the ideal answer's: it finds odd rows and decides nothing."
    if (most := _at_once(results)) > 1:
        wait = f"the wait while up to {most} calls are under way together"
        caption += f" Seconds: {wait}, not the time of a call by itself."
    percent = [score, "low", "high", *(one.replace("_", " ") for one in others)] if unit in SHOWN_IN_PERCENT else []
    return table(shown, caption, percent=percent)


def _at_once(results: Results) -> int:
    return max((about.get("at_once", 1) for about in results.candidates.values()), default=1)


SHOWN_IN_PERCENT = ("share", "likeness", "diagnosis")


def answers_seen(
    results: Results, examples: Sequence[Example], metric: str | None = None, each: int = EACH,
    candidates: Sequence[str] | None = None,
) -> HTML:  # fmt: skip
    """For each candidate up to three right and three wrong answers as they came, beside the ideal ones; by rules, such
    as keep them all and such as break one; of free text without a measure those least and most like the ideal. They are
    taken evenly over the rows.

    Args:
        results: whose answers.
        examples: the rows that were measured, in their order.
        metric: None: the headline.
        each: how many of a sort.
        candidates: whose answers; None: everybody's.
    """
    name = metric or results.metrics[0]
    blocks = [_candidate(results, one, name, examples, each) for one in candidates or results.candidates]
    return html_output("".join(blocks))


def _candidate(results: Results, candidate: str, metric: str, examples: Sequence[Example], each: int) -> str:
    scores, answers = results.scores(candidate, metric), results.answers(candidate)
    asked = len(scores)
    there = np.flatnonzero(~np.isnan(scores))
    if results.scale(metric) == USUAL:
        words, full, less = outcomes(metric), there[scores[there] == 1], there[scores[there] < 1]
        groups = [(words.good, _evenly(full, each)), (words.bad, _evenly(less, each))]
        counts = f"{words.good} ({len(full)}), {words.bad} ({len(less)}), without a score ({asked - len(there)})"
    else:
        order = there[np.argsort(scores[there], kind="stable")]
        groups = [("least alike", order[:each]), ("most alike", order[each:][-each:][::-1])]
        counts = f"{plural(len(there), 'answer')}, {asked - len(there)} without one"
    lines = [_line(said, examples[row], answers[row]) for said, rows in groups for row in rows]
    head = "".join(f'<th scope="col" style="text-align:left">{one}</th>' for one in OUTCOMES)
    shown = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    body = wide(f"Answers of {candidate}", shown) if lines else ""
    return f"<details><summary>{escape(candidate)}: {counts}</summary>{body}</details>"


def _line(said: str, example: Example, answer: str | None) -> str:
    texts = (example.question, example.answer, answer or "")
    cells = "".join(f'<td style="{CELL}">{escape(_cut(text))}</td>' for text in texts)
    return f'<tr><th scope="row" style="text-align:left;vertical-align:top">{said}</th>{cells}</tr>'


def _cut(text: str) -> str:
    """The text as it came, blanks and line breaks included, up to its :data:`LONGEST` letters."""
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def _evenly(rows: np.ndarray, count: int) -> np.ndarray:
    places = np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)
    return rows[places]


def heard(
    copies: Copies, rows: Sequence[Example], rules: Sequence[Rule] = (), *, rivals: Sequence[str] | None = None,
    places: Sequence[int] | None = None,
) -> HTML:  # fmt: skip
    """The same sheet, and what each rival made of it, with the rules that it breaks and what it invents.

    Args:
        copies: from ``free_text.copies``.
        rows: those that they belong to, in the same order.
        rules: what a copy must keep; none leaves rules out.
        rivals: which ones, in this order; all when not given.
        places: which rows, by their place; the first three when not given.
    """
    shown = []
    for place in range(len(rows))[:3] if places is None else places:
        sheet = rows[place].question
        cards = [(name, with_remarks(copies[name][place], sheet, rules)) for name in rivals or copies]
        shown.append(texts_side_by_side([("Sheet", sheet)]) + texts_side_by_side(cards))
    return html_output("<hr>".join(shown))


def with_remarks(copy: str | None, sheet: str, rules: Sequence[Rule]) -> str:
    """A text, and below it what there is to say of it.

    Args:
        copy: the text; None where there was no answer.
        sheet: the facts that it was written from.
        rules: what it must keep; none leaves rules out.
    """
    if copy is None:
        return "(no answer)"
    return "\n".join([copy.strip(), "", *(f"→ {one}" for one in free_text.remarks(copy, sheet, rules))])
