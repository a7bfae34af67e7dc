"""A table's cell: as text, and as the JSON that it may hold."""

from __future__ import annotations

from datetime import date
from typing import Any

import orjson


def cell_text(value: Any) -> Any:
    """A table's cell as text; an empty one is the empty string. Objects become the JSON that a model would write."""
    if isinstance(value, str):
        return value
    if hasattr(value, "tolist") and not isinstance(value, float):  # numpy's own, out of a DataFrame
        value = value.tolist()
    if value is None or (isinstance(value, (float, date)) and value != value):  # nan, and pandas' NaT: never themselves
        return ""
    if isinstance(value, dict) and set(value) == {"text"} and isinstance(value["text"], str):
        return value["text"]  # a wrapper around a text
    if isinstance(value, (dict, list)):
        return orjson.dumps(value, default=str, option=orjson.OPT_SERIALIZE_NUMPY).decode()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.isoformat() if isinstance(value, date) else str(value)


def maybe_json(text: str) -> Any:
    """What a text is as JSON; the text itself where it is none."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
