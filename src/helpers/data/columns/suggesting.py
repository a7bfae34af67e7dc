"""``COLUMNS`` as a line to paste, for the parameters cell and for error messages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from helpers.data.columns.profiles import profile
from helpers.data.columns.ranking import rank_columns

LISTED = 12


def paste(columns: Mapping[str, str]) -> str:
    """The line for the parameters cell."""
    return f"COLUMNS = {json.dumps(dict(columns), ensure_ascii=False)}"


def listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return f"the columns {', '.join(map(repr, names[:LISTED]))}{more}" if names else "no columns"


def suggestion(
    sample: Sequence[Mapping[str, Any]], names: Sequence[str], given: Mapping[str, str] | None = None
) -> str:
    """What to write, with a ``COLUMNS`` to paste: the best guess, with what the reader has given already.

    Args:
        sample: rows of the table.
        names: its columns.
        given: part → column, as the reader wrote it or as names say it.
    """
    likely = rank_columns([profile(name, sample) for name in names])
    taken = set((given or {}).values())
    parts = {}
    for part in ("question", "answer"):
        ranked = [name for name in likely[part] if name not in taken and name not in parts.values()]
        parts[part] = (given or {}).get(part) or (ranked[0] if ranked else "…")
    return f"Write {paste(parts | dict(given or {}))}. Found are {listed(names)}."
