"""What the page is made of before anybody has answered: questions, numbers, words. It changes with the kit alone."""

from __future__ import annotations

from typing import Any

from helpers import costs, decide
from helpers.costs.workload import bounds
from helpers.page.linking import segments
from helpers.page.state import LARGEST_FILE


def structure() -> dict[str, Any]:
    """Groups with their questions, the calculator's numbers with their bounds, and how large a file may be."""
    return {
        "groups": [
            {"title": title, "questions": [_question(q) for q in decide.questions().values() if q.group == group]}
            for group, title in decide.groups().items()
        ],
        "dials": [
            {"name": name, "label": dial.label, "low": dial.low, "high": dial.high, "powers": dial.powers}
            | _bounds(name)
            for name, dial in costs.DIALS.items()
        ],
        "fields": [{"name": name, "label": label} | _bounds(name) for name, label in costs.FIELDS.items()],
        "caveat": costs.CAVEAT,
        "largest_file": LARGEST_FILE,
    }


def _question(question: decide.Question) -> dict[str, Any]:
    return {
        "id": question.id,
        "text": question.text,
        "optional": question.optional,
        "why": segments(f"{question.why} Source: {question.source}"),
        "options": [{"value": one.value, "label": one.label, "help": one.help} for one in question.options],
    }


def _bounds(name: str) -> dict[str, float]:
    least, most = bounds(name)
    return {"least": least, "most": most}
