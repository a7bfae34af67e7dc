"""What a column is called: names that say which is the question and which the answer, and templates of several."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from helpers.records import Example

COLUMNS: dict[str, tuple[str, ...]] = {
    "question": (
        "question", "prompt", "input", "user", "message", "query", "instruction", "request", "text", "body", "ticket",
        "sentence", "utterance", "review", "tweet", "comment", "sms", "email", "content", "description", "document",
        "article", "passage", "dialogue",
        "frage", "anfrage", "nachricht", "pregunta", "texto", "texte", "domanda", "testo", "vraag",
    ),
    "answer": (
        "answer", "completion", "output", "assistant", "response", "reply", "target", "label", "ideal", "category",
        "class", "intent", "sentiment", "topic", "answers", "labels", "summary", "translation", "solution", "slots",
        "intents",
        "antwort", "klasse", "kategorie", "respuesta", "categoria", "réponse", "reponse", "catégorie", "risposta",
        "antwoord",
    ),
    "system": ("system", "system_prompt", "instructions"),
    "preferred": ("chosen", "preferred", "preferred_output", "preferred_completion", "chosen_messages"),
    "rejected": ("rejected", "non_preferred", "non_preferred_output", "non_preferred_completion", "rejected_messages"),
}  # fmt: skip
"""Names by which a column is recognised, most telling first; upper case, blanks and dashes do not matter."""

PARTS = (*COLUMNS, "messages")
"""What a column can be: a part of a row, or the conversation itself."""

PLACE = re.compile(r"\{([^{}\n]+)\}")
"""A column's place in a template."""


def fits(columns: Mapping[str, Any] | None, row: Mapping[str, Any] | Example) -> bool:
    """Whether a row has what ``columns`` name: every column that stands for a part, one at least of a template's.

    Args:
        columns: part → column, template or tuple.
        row: one record of a file, or an example.
    """
    if not columns or isinstance(row, Example):
        return False
    return all(_is_there(spec, row) for part, spec in columns.items() if part != "system")


def _is_there(spec: str | tuple[str, ...], row: Mapping[str, Any]) -> bool:
    if isinstance(spec, tuple):
        return all(name in row for name in spec)
    return spec in row or (bool(PLACE.search(spec)) and any(name in row for name in named(spec, row)))


def named(spec: str | tuple[str, ...], names: Mapping[str, Any] | Sequence[str]) -> list[str]:
    """The columns that a part is made from: the one of that name, those in a template's braces, or a tuple's.

    Args:
        spec: a column's name, a template with names in braces, or a tuple of names.
        names: the columns that there are.
    """
    if isinstance(spec, tuple):
        return list(spec)
    return [spec] if spec in names else PLACE.findall(spec) or [spec]


def tidy_name(name: Any) -> str:
    return str(name).strip().lower().replace(" ", "_").replace("-", "_")


def known_name(name: str) -> bool:
    """Whether a column of this name would be recognised."""
    return any(tidy_name(name) in known for known in COLUMNS.values())


def recognise(names: Mapping[str, Any] | list[str]) -> dict[str, str]:
    """Which column is the question, the answer, the system prompt …: part → column; empty when none is known."""
    tidy = {tidy_name(name): str(name) for name in names}
    found = {}
    for part, known in COLUMNS.items():
        column = next((tidy[name] for name in known if name in tidy), None)
        if column is not None:
            found[part] = column
    if "rejected" in found and "preferred" in found:
        found.pop("answer", None)
        return found if "question" in found else {}
    found = {part: found[part] for part in ("question", "answer", "system") if part in found}
    if found.get("question") == found.get("system"):
        found.pop("system", None)
    return found if "question" in found and "answer" in found else {}
