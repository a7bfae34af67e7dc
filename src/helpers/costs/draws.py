"""Numbers that are drawn at random, many at a time: the same sums work on them as on plain numbers."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
from typing import Any


class Draws:
    """Draws of one number. Sums, products, quotients and comparisons go draw by draw, with plain numbers too.

    Args:
        values: one number a draw.
    """

    __slots__ = ("values",)

    def __init__(self, values: Iterable[float]) -> None:
        self.values = list(values)

    def _beside(self, other: Any) -> Iterable[tuple[Any, Any]]:
        return zip(self.values, other.values if isinstance(other, Draws) else repeat(other), strict=False)

    # Written out: a function called for each draw took as long again.
    def __add__(self, other: Any) -> Draws:
        return Draws([a + b for a, b in self._beside(other)])

    def __sub__(self, other: Any) -> Draws:
        return Draws([a - b for a, b in self._beside(other)])

    def __mul__(self, other: Any) -> Draws:
        return Draws([a * b for a, b in self._beside(other)])

    def __truediv__(self, other: Any) -> Draws:
        return Draws([a / b for a, b in self._beside(other)])

    def __rsub__(self, other: Any) -> Draws:
        return Draws([b - a for a, b in self._beside(other)])

    def __lt__(self, other: Any) -> Draws:
        return Draws([a < b for a, b in self._beside(other)])

    def __le__(self, other: Any) -> Draws:
        return Draws([a <= b for a, b in self._beside(other)])

    def __gt__(self, other: Any) -> Draws:
        return Draws([a > b for a, b in self._beside(other)])

    def __ge__(self, other: Any) -> Draws:
        return Draws([a >= b for a, b in self._beside(other)])

    __radd__, __rmul__ = __add__, __mul__
