"""A decision that was begun elsewhere, on the decision page or in another notebook, and goes on here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from helpers.decide import answers as answer_files
from helpers.decide import checklist
from helpers.decide.record.record import load_record


def given(answers: Mapping[str, Any] | str | Path) -> dict[str, str]:
    """``ANSWERS`` of a parameters cell: the answers themselves, or the path of a record or of a file of answers.

    Raises:
        DecisionError: answers that the checklist does not know, or a file that cannot be read.
    """
    if isinstance(answers, Mapping):
        return checklist.checked(answers)
    path = Path(answers).expanduser()
    if _kind(path) == answer_files.KIND:
        return answer_files.load(path).answers
    return dict(load_record(path).answers)


def _kind(path: Path) -> str:
    """What kind of file it says it is; empty where it says nothing (whoever reads it then says what is wrong)."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return ""
    return str(content.get("kind", "")) if isinstance(content, dict) else ""
