"""What is wrong with a job that trained and changed nothing, the likeliest cause first."""

from __future__ import annotations

from html import escape

from IPython.display import HTML

from helpers.jobs import Diagnosis
from helpers.show.html.elements import folded, html_output
from helpers.show.html.tables import table


def diagnosis(found: Diagnosis) -> HTML:
    """The outcome in a sentence, a line a fault with its evidence and what to do, and folded below it what the tuned
    model and its base said to the training rows that were asked."""
    faults = table(found.table(), caption="The likeliest cause first").data if found.findings else ""
    rows = folded(f"The {len(found.recited)} training rows that were asked", table(found.recited).data)
    return html_output(f"<p>{escape(found.sentence)}</p>{faults}{rows}")
