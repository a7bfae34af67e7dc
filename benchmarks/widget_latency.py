"""How long a panel's callback takes in the kernel, against the promise of 100 ms (what still feels immediate).

Each callback is run as a reader's move would: one number, one answer or one key, everything redrawn and saved. The
named alternative is the promise itself; the printed ratio is promise ÷ processor time, so more is better and 1 is the
limit. The wall clock stands beside it: it also counts the disk, and whatever else the machine was doing.
Run: ``python benchmarks/widget_latency.py``.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable

PROMISE_MS = 100
MOVES = 40


def main() -> int:
    """Print one line a panel; the exit status is 1 when a median breaks the promise."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["KIT_HOME"] = home
        from helpers import decide, show
        from helpers.project import Project

        project = Project("latency")
        answers = {name: question.values[0] for name, question in decide.questions().items()}
        calculator, checklist = show.calculator(project=project), show.checklist(project, answers=answers)
        everything = show.calculator()
        for box in everything.boxes.values():
            box.value = True
        pairs = [(f"question {i}", {"tuned": "x" * 400, "prompted": "y" * 400}) for i in range(MOVES + 1)]
        rater = show.rater(pairs, f"{home}/ratings.json")
        key = rater.children[2].children[1]
        gap = decide.questions()["gap"].values
        moves: dict[str, Callable[[int], None]] = {
            "calculator, one slider move": lambda i: _set(calculator.numbers["calls_per_month"], 1000 + i),
            "calculator, all options ticked": lambda i: _set(everything.numbers["calls_per_month"], 1000 + i),
            "checklist, one answer": lambda i: _set(checklist.choices["gap"], gap[i % 2]),
            "rater, one key": lambda i: _set(key, "1"),
        }
        return int(not all([_measure(name, move) for name, move in moves.items()]))


def _set(widget, value) -> None:
    widget.value = value


def _measure(name: str, move: Callable[[int], None]) -> bool:
    wall, processor = [], []
    for i in range(1, MOVES + 1):
        began, began_working = time.perf_counter(), time.process_time()
        move(i)
        wall.append(1000 * (time.perf_counter() - began))
        processor.append(1000 * (time.process_time() - began_working))
    middle, by_wall = statistics.median(processor), statistics.median(wall)
    ratio = PROMISE_MS / middle
    print(f"{name:32} processor {middle:5.1f} ms, wall {by_wall:6.1f} ms (medians): {ratio:4.1f} x inside the promise")
    return middle <= PROMISE_MS


if __name__ == "__main__":
    raise SystemExit(main())
