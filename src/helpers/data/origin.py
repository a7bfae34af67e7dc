"""What a project's rows are and where they came from, so that other rows under the same name are noticed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from helpers.records import Example


def origin(
    source: Any, examples: Sequence[Example], *, columns: Any = None, shares: Mapping[str, float] | None = None
) -> dict[str, Any]:
    """What ``Project.begin`` compares: the rows as they are measured, whatever format they came in.

    Args:
        source: what ``data.read`` was given.
        examples: the rows that are split: of those that it returned the fitting ones, as ``data.cases`` gives them.
        columns: as for ``data.read``.
        shares: as ``sizes`` for ``data.split``.

    Returns:
        ``file`` (its name, for people), ``rows``, ``sha256`` (of the rows in their order), ``columns``, ``shares``.
    """
    sha = hashlib.sha256()
    for row in examples:
        sha.update(orjson.dumps([row.messages, row.tools], default=str) + b"\n")
    found = {
        "file": Path(source).name if isinstance(source, (str, Path)) else f"a {type(source).__name__} in memory",
        "rows": len(examples),
        "sha256": sha.hexdigest(),
        "columns": columns,
        "shares": dict(shares or {}),
    }
    return json.loads(json.dumps(found, sort_keys=True))  # as a state file gives it back
