"""One text for a question that has no ideal answer yet: the reader's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openai

from helpers.evaluate.inference.requests import Request, ask
from helpers.evaluate.inference.store import Reply
from helpers.evaluate.prompts.candidates import messages
from helpers.records import Candidate, Example


def write(
    client: openai.OpenAI, candidates: Sequence[Candidate], sheet: str, *, store: Path | str, **options: Any
) -> dict[str, Reply]:
    """Each candidate's reply to one sheet, all asked at once.

    Args:
        client: from ``helpers.providers.connect``.
        candidates: those that write; of different names.
        sheet: the facts to write from.
        store: file of the answer store: what is in it is not asked again.
        options: ``price`` and ``spend_limit_usd``, as for ``evaluate.run``.

    Raises:
        ConsentError: as ``evaluate.run``.
        HostError: as ``evaluate.run``.
    """
    row = Example(({"role": "user", "content": sheet}, {"role": "assistant", "content": ""}))
    requests = [Request(one.model, messages(one, row), one.temperature, one.max_tokens) for one in candidates]
    replies = ask(client, requests, store=store, concurrency=len(requests), progress=False, **options)
    return {one.name: reply for one, reply in zip(candidates, replies, strict=True)}
