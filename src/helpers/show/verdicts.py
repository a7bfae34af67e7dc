"""A verdict as a card: the recommendation, why, what stands in the way, and what would change it."""

from __future__ import annotations

from html import escape

from IPython.display import HTML

from helpers.records import Verdict
from helpers.show.html import CARD, folded, section

SHOWN = 3


def verdict(verdict: Verdict) -> HTML:
    """The whole verdict, to be read and challenged."""
    return HTML(
        f'<div style="{CARD}">{_headline(verdict)}'
        + section("Why", verdict.reasons)
        + section("What stands in the way of tuning", verdict.blockers)
        + section("What would change it", verdict.what_would_change_it)
        + section("Next steps", verdict.next_steps)
        + section("Not measured", verdict.not_measured)
        + "</div>"
    )


def short_verdict(verdict: Verdict) -> str:
    """The verdict for a panel, as HTML: the first reasons open, the rest one key away."""
    return (
        f'<div style="{CARD}" role="status">{_headline(verdict)}'
        + section("Why", verdict.reasons[:SHOWN])
        + folded("More reasons", section("", verdict.reasons[SHOWN:]))
        + folded("What stands in the way of tuning", section("", verdict.blockers))
        + section("What would change it", verdict.what_would_change_it[:2])
        + folded("Other changes that would change it", section("", verdict.what_would_change_it[2:]))
        + folded("Next steps", section("", verdict.next_steps))
        + folded("Not measured", section("", verdict.not_measured))
        + "</div>"
    )


def _headline(verdict: Verdict) -> str:
    then = "training may go on" if verdict.allows_training else "the journey stops before training"
    return (
        f'<p style="font-size:1.15em;margin:2px 0"><b>{escape(verdict.headline)}</b></p>'
        f'<p style="margin:2px 0">Confidence: <b>{escape(verdict.confidence)}</b>. By this verdict, {then}.</p>'
    )
