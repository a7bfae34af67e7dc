"""Answers on disk: one small JSON file, safe to share, that a later version of the checklist can still read.

``{"kind": "prompt-or-fine-tune answers", "version": 1, "name": "support triage", "answers": {"gap": "behaviour"}}``

Files from an older checklist are loaded as far as they fit, and what was dropped or is missing is named. A file of
another kind, a broken one, or one from a newer kit is refused with one error. Nothing in a file is ever executed, and
only values that the checklist knows are let in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.atomic import write_atomically
from helpers.decide import checklist
from helpers.errors import DecisionError

KIND = "prompt-or-fine-tune answers"
LARGEST_BYTES = 1_000_000
LONGEST_NAME = 200


@dataclass(frozen=True)
class Answers:
    """A loaded file.

    Attributes:
        name: what the reader calls this decision.
        answers: question id to option value; only what the checklist knows.
        missing: ids of questions without an answer.
        dropped: what the file said that the checklist does not know, each as a sentence.
    """

    name: str
    answers: dict[str, str]
    missing: tuple[str, ...]
    dropped: tuple[str, ...]


def save(path: str | Path, answers: Mapping[str, Any], name: str = "") -> Path:
    """Write answers atomically.

    Args:
        path: the file to write.
        answers: question's id → option's value.
        name: what the reader calls this decision.

    Raises:
        DecisionError: the answers do not fit the checklist.
    """
    path = Path(path)
    content = {"kind": KIND, "version": checklist.version(), "name": name, "answers": checklist.checked(answers)}
    write_atomically(path, json.dumps(content, ensure_ascii=False, indent=1) + "\n")
    return path


def load(path: str | Path) -> Answers:
    """Read a file of answers.

    Raises:
        DecisionError: it cannot be read, is not JSON, is another kind of file, or comes from a newer checklist.
    """
    content = read_json(Path(path), KIND, checklist.version())
    given = content.get("answers")
    if not isinstance(given, dict):
        raise DecisionError(
            f"{path} holds no answers.", got=f"answers: {type(given).__name__}", fix="Answer the checklist afresh."
        )
    known = {
        name: value for name, value in given.items() if isinstance(value, str) and not checklist.problems({name: value})
    }
    dropped = checklist.problems({name: value for name, value in given.items() if name not in known})
    return Answers(
        name=str(content.get("name", ""))[:LONGEST_NAME],
        answers=checklist.checked(known),
        missing=tuple(checklist.unanswered(known)),
        dropped=tuple(dropped),
    )


def read_json(path: Path, kind: str, newest: int) -> dict[str, Any]:
    """The JSON object in ``path``, when it is of this ``kind`` and of no later version than ``newest``.

    Args:
        path: the file.
        kind: what its ``kind`` must say.
        newest: the latest version that this kit can read.

    Raises:
        DecisionError: it cannot be read, is too large, is no JSON, or is of another kind or a later version.
    """
    again = f"Choose a file that this kit has written ({kind})."
    try:
        size = path.stat().st_size
        if kind == KIND and size > LARGEST_BYTES:
            raise DecisionError(f"{path} is too large for a file of answers.", got=f"{size:,} bytes", fix=again)
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DecisionError(f"{path} cannot be read.", got=str(error.strerror or error), fix=again) from error
    except (ValueError, RecursionError) as error:
        raise DecisionError(f"{path} is not a JSON file.", got=str(error), fix=again) from error
    if not isinstance(content, dict) or content.get("kind") != kind:
        got = content.get("kind") if isinstance(content, dict) else f"a {type(content).__name__}"
        raise DecisionError(f"{path} is another kind of file.", got=repr(got)[:200], fix=again)
    version = content.get("version", 0)
    if not isinstance(version, int) or isinstance(version, bool) or version > newest:
        raise DecisionError(
            f"{path} comes from a newer version of the kit, or its version is damaged.",
            got=f"version {version!r}"[:200],
            fix=f"Update the kit (it reads up to version {newest}).",
        )
    return content
