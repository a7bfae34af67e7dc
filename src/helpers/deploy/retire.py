"""Leave a model before it is gone: its answers, kept as a test set that outlives it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from helpers.data import write
from helpers.errors import DeployError
from helpers.evaluate import Results
from helpers.records import Example


def freeze(results: Results, candidate: str, examples: Sequence[Example], path: str | Path) -> Path:
    """Write the questions with one candidate's recorded answers as the ideal ones, once and for all.

    A successor that is measured on these rows is measured by how often it says what the old model said, also after the
    old one has stopped answering. Rows that it did not answer are left out. ``PATH.sha256`` keeps the file's hash.

    Args:
        results: from ``evaluate.run``, with the old model among the candidates.
        candidate: its name there.
        examples: the rows that were measured, in the same order.
        path: where to write (OpenAI's chat shape).

    Raises:
        DeployError: there are frozen answers at ``path`` already that differ, or nothing was answered.
    """
    answered = [
        Example((*example.prompt, {"role": "assistant", "content": answer}))
        for example, answer in zip(examples, results.answers(candidate), strict=True)
        if answer is not None
    ]
    if not answered:
        raise DeployError(f"{candidate} answered none of {len(examples)} questions.", fix="Record it while it lives.")
    path = Path(path)
    aside = path.with_name(f".new-{path.name}")
    write(answered, aside, provider="openai")
    digest = hashlib.sha256(aside.read_bytes()).hexdigest()
    if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() != digest:
        aside.unlink()
        raise DeployError(
            f"{path} holds other frozen answers.",
            fix="A frozen test set is not recorded again: choose another file, or delete that one on purpose.",
        )
    aside.replace(path)
    path.with_name(f"{path.name}.sha256").write_text(json.dumps({"sha256": digest, "rows": len(answered)}) + "\n")
    return path
