"""A verdict as a card: the recommendation, why, what stands in the way, and what would change it."""

from __future__ import annotations

from html import escape

from IPython.display import HTML

from helpers.decide.record.record import titled
from helpers.records import Verdict
from helpers.show.html.elements import CARD, html_output, section


def verdict(verdict: Verdict) -> HTML:
    """The whole verdict, to be read and challenged."""
    return html_output(f'<div style="{CARD}">{_headline(verdict)}{verdict_details(verdict)}</div>')


def verdict_headline(verdict: Verdict) -> str:
    """The recommendation alone, as HTML."""
    return f'<div style="{CARD}">{_headline(verdict)}</div>'


def verdict_details(verdict: Verdict) -> str:
    """All that stands behind the headline, as HTML."""
    return verdict_reasons(verdict) + verdict_background(verdict)


def verdict_reasons(verdict: Verdict) -> str:
    """Why, what stands in the way, and what to do next, as HTML."""
    return _sections(
        {
            "Why": verdict.reasons,
            "What stands in the way of tuning": verdict.blockers,
            "Next steps": verdict.next_steps,
        }
    )


def verdict_background(verdict: Verdict) -> str:
    """What would change the verdict, and what it could not rest on, as HTML."""
    return _sections({"What would change it": verdict.what_would_change_it, "Not measured": verdict.not_measured})


def _sections(parts: dict[str, tuple[str, ...]]) -> str:
    filled = "".join(section(title, map(titled, sentences)) for title, sentences in parts.items())
    return f'<div style="line-height:1.4;overflow-wrap:break-word">{filled}</div>'


def _headline(verdict: Verdict) -> str:
    then = "training may go on" if verdict.allows_training else "the journey stops before training"
    sure = f"Confidence in this advice: <b>{escape(verdict.confidence)}</b>. By this verdict, {then}."
    return (
        f'<p style="font-size:1.15em;margin:2px 0"><b>{escape(verdict.headline)}</b></p>'
        f'<p style="margin:2px 0">{sure}</p>'
    )
