"""Exercises and guesses: the reader's side of a lesson. Plain text, and no exception for whatever a reader answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from helpers.errors import HostError, KitError
from helpers.formatting import plural
from helpers.project import Project

UNUSABLE = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, KitError)
"""What an answer of another type, size or sense raises; an exercise must not stop the lesson for that."""


def check(answer: Any, is_right: bool | Callable[[Any], Any], yes: str, hint: str) -> None:
    """Say whether an exercise's answer is right.

    Args:
        answer: the reader's; ``...`` means that it is still open.
        is_right: the verdict, or a function of the answer that gives it. A function that cannot use the answer (of
            another type or size, or refused by the kit) counts as "no"; any other error of it is the lesson's own, such
            as a name of a cell that was not run, and is passed on.
        yes: printed when it is right.
        hint: printed when it is not.
    """
    if answer is ...:
        print("Not answered yet: replace the three dots, then run the cell again.")
    elif _holds(is_right, answer):
        print(f"Right. {yes}")
    else:
        print(f"Not quite. {hint}")


def _holds(is_right: bool | Callable[[Any], Any], answer: Any) -> bool:
    try:
        return bool(is_right(answer) if callable(is_right) else is_right)
    except HostError:
        raise
    except UNUSABLE:
        return False


def guess(project: Project, key: str, question: str, value: float | None, unit: str = "%") -> None:
    """Keep a reader's guess, to be shown with the result (in the same lesson or in lesson 06); ``...`` leaves it open.

    Args:
        project: keeps the guess.
        key: what the guess is kept under, in the project's ``guesses``.
        question: what was asked.
        value: a number in ``unit``.
        unit: printed after the number.
    """
    if value is ... or value is None:
        print(f"{question} Put your guess in place of the dots, then run the cell again.")
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        print(f"{question} A guess is a number, such as 50; this is {value!r}.")
        return
    project.keep("guesses", key, {"question": question, "value": value, "unit": unit})
    print(f"{question} Your guess: {_with_unit(value, unit)}. It is kept, to be shown with the result.")


def reveal(project: Project, key: str, result: float, rows: int) -> None:
    """Show a kept guess beside its result, and keep the result for the last lesson's table.

    Args:
        project: keeps guess and result.
        key: what the guess is kept under.
        result: what was measured, in the guess's own unit.
        rows: how many rows that rests on.
    """
    project.keep("reveals", key, {"value": result, "rows": rows})
    if kept := project.get("guesses", {}).get(key):
        measured = _measured({"value": result, "rows": rows}, kept["unit"])
        print(f"Your guess was {_with_unit(kept['value'], kept['unit'])}. The result: {measured}.")


def guesses(project: Project, results: Mapping[str, float | Mapping[str, float]]) -> pd.DataFrame:
    """Each kept guess beside its result (in the guess's own unit) and how far off it was.

    Args:
        project: keeps the guesses.
        results: measured values by the guesses' keys, or ``value`` and ``rows`` as :func:`reveal` keeps them; what is
            missing is shown as not measured.
    """
    rows = [
        {
            "question": kept["question"],
            "your guess": _with_unit(kept["value"], kept["unit"]),
            "result": _measured(results[key], kept["unit"]) if key in results else "not measured",
            "off by": _with_unit(abs(_value(results[key]) - kept["value"]), kept["unit"]) if key in results else "",
        }
        for key, kept in project.get("guesses", {}).items()
    ]
    return pd.DataFrame(rows, columns=["question", "your guess", "result", "off by"])


def _value(result: float | Mapping[str, float]) -> float:
    return result["value"] if isinstance(result, Mapping) else result


def _measured(result: float | Mapping[str, float], unit: str) -> str:
    """A result with its unit, and on how few rows it rests where that is known."""
    rows = f", measured on {plural(result['rows'], 'row')}" if isinstance(result, Mapping) else ""
    return f"{_with_unit(_value(result), unit)}{rows}"


def _with_unit(value: float, unit: str) -> str:
    number = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.3g}"
    return f"{number} {unit}".rstrip()
