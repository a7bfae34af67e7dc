"""Numbers that are drawn at random, many at a time: the same sums work on them as on plain numbers."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
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

    def _with(self, other: Any, does: Callable[[Any, Any], Any]) -> Draws:
        return Draws(map(does, self.values, other.values if isinstance(other, Draws) else repeat(other)))

    def __add__(self, other: Any) -> Draws:
        return self._with(other, operator.add)

    def __sub__(self, other: Any) -> Draws:
        return self._with(other, operator.sub)

    def __mul__(self, other: Any) -> Draws:
        return self._with(other, operator.mul)

    def __truediv__(self, other: Any) -> Draws:
        return self._with(other, operator.truediv)

    def __rsub__(self, other: Any) -> Draws:
        return Draws(map(operator.sub, repeat(other), self.values))

    def __lt__(self, other: Any) -> Draws:
        return self._with(other, operator.lt)

    def __le__(self, other: Any) -> Draws:
        return self._with(other, operator.le)

    def __gt__(self, other: Any) -> Draws:
        return self._with(other, operator.gt)

    def __ge__(self, other: Any) -> Draws:
        return self._with(other, operator.ge)

    __radd__, __rmul__ = __add__, __mul__
