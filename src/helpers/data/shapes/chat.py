"""Chat shape: what every row becomes before it is checked, repaired or written."""

from __future__ import annotations

from typing import Any, NamedTuple

CHAT_KEYS = ("messages", "tools", "parallel_tool_calls", "functions")


class Shaped(NamedTuple):
    """A row in chat shape.

    Attributes:
        shape: the name of the shape that it had.
        chat: ``messages`` with ``tools``, ``parallel_tool_calls`` and ``functions`` where the row has them.
        extra: the row's other keys.
        names: for rows made of columns, the column of each message; empty for chat rows.
        rejected: the answers that a preference pair does not prefer; None for other shapes.
    """

    shape: str
    chat: dict[str, Any]
    extra: dict[str, Any]
    names: tuple[str, ...] = ()
    rejected: Any = None
