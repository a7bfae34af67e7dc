"""The README's small picture of each lesson; its numbers are read from the lesson's committed outputs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from drawing import Drawing
from lessons import said_in

WIDE, TALL = 250, 112


def small_pictures() -> dict[str, str]:
    """SVG text by the lesson's stop.

    Raises:
        LookupError: a lesson does not print such a number any more.
    """
    ladder = {name: share("00_should_you_fine_tune", re.escape(name)) for name in ("instructions", "+ 8 examples")}
    ladder |= {"+ 4 nearest": share("00_should_you_fine_tune", r"\+ 4 nearest")}
    test = {"best prompt": share("04_evaluate", r"\+ 4 nearest"), "tuned": share("04_evaluate", "tuned, seed 1")}
    no_model = {lesson: share(lesson, "embeddings") for lesson in ("00_should_you_fine_tune", "04_evaluate")}
    voice = {name: share("07_a_brands_voice", of, column=3, after="test rows; score") for name, of in VOICE.items()}
    flagged, rows = found("01_prepare_data", r"(\d+) of (\d+) rows have a problem")
    [verdict] = found("06_decide", r"Keep prompting: (measure a stronger prompted model first)")
    return {
        "00": bars("validation rows all right, %", ladder | {"no language model": no_model["00_should_you_fine_tune"]}),
        "01": dots(int(flagged), int(rows)),
        "02": chain(("two files", "the host's check", "a host on this machine")),
        "03": chain(("rows", "frozen layers + LoRA", "a tuned model")),
        "04": bars("test rows all right, %", test | {"no language model": no_model["04_evaluate"]}),
        "05": chain(("release gate", "a name: production", "a way back")),
        "06": card(("Keep prompting:", *halves(verdict)), "the verdict on the sample"),
        "07": bars("test rows: voice rules kept, %", voice),
        "your_project": chain(("your file", "checklist and ladder", "verdict and record")),
    }


VOICE = {"best prompt": "4 nearest", "tuned": "tuned, seed 1"}


def found(lesson: str, pattern: str) -> tuple[str, ...]:
    """What the groups of the pattern match first in a lesson's outputs."""
    hit = re.search(pattern, said_in(lesson))
    if hit is None:
        raise LookupError(f"{lesson} does not print {pattern!r} any more")
    return hit.groups()


def share(lesson: str, name: str, *, column: int = 0, after: str = "") -> float:
    """A percentage behind a candidate's name: of its first table (after these words of a caption), in this column."""
    _, _, said = said_in(lesson).partition(after) if after else ("", "", said_in(lesson))
    line = re.search(rf"{name} ((?:[\d.]+ % ){{6,}})", said)
    if not line:
        raise LookupError(f"{lesson} prints no scores of {name!r} any more")
    return float(line[1].split(" % ")[column])


def bars(title: str, shares: dict[str, float]) -> str:
    """One bar a candidate, 0 to 100 %."""
    drawing, step = frame(title), 74 / len(shares)
    for at, (name, value) in enumerate(shares.items()):
        y = 32 + at * step
        drawing.text(12, y + 11, name, size=10)
        drawing.card(
            112, y, max(2.0, 90 * value / 100), 12, "here" if name in ("tuned", "no language model") else "poor", 2
        )
        drawing.text(206, y + 11, f"{value:g}", size=10)
    told = ", ".join(f"{name} {value:g}" for name, value in shares.items())
    return drawing.svg(title, f"{title}: {told}.")


def dots(marked: int, rows: int) -> str:
    """A dot a row, the marked ones coloured."""
    drawing = frame(f"{marked} of {rows} rows have a problem")
    for at in range(rows):
        x, y = 12 + 7 * (at % 32), 33 + 10 * (at // 32)
        drawing.card(x, y, 5, 6, "poor" if at * marked // rows != (at + 1) * marked // rows else "good", 1)
    title = f"{marked} of {rows} rows have a problem"
    return drawing.svg(title, f"{rows} small marks, {marked} of them coloured as faulty.")


def chain(stations: Sequence[str]) -> str:
    """Three stations, one leading to the next."""
    drawing = Drawing(WIDE)
    drawing.card(2, 2, WIDE - 4, TALL - 4)
    for at, (name, kind) in enumerate(zip(stations, ("plain", "poor", "good"), strict=True)):
        y = 10 + 33 * at
        drawing.card(34, y, WIDE - 68, 24, kind, 6)
        drawing.text(WIDE / 2, y + 16, name, size=12, middle=True)
        if at:
            drawing.line(WIDE / 2, y - 9, WIDE / 2, y - 1)
    return drawing.svg(", then ".join(stations), f"Three stations, one leading to the next: {', '.join(stations)}.")


def card(lines: Sequence[str], title: str) -> str:
    """A few lines of text, the first in heavy type."""
    drawing = frame(title)
    for at, words in enumerate(lines):
        drawing.text(WIDE / 2, 52 + 20 * at, words, "ink" if at else "ink bold", size=14, middle=True)
    return drawing.svg(title, f"{title}: {' '.join(lines)}.")


def halves(text: str) -> tuple[str, str]:
    """A sentence on two lines of about the same length."""
    words = text.split()
    return " ".join(words[: (len(words) + 1) // 2]), " ".join(words[(len(words) + 1) // 2 :])


def frame(title: str) -> Drawing:
    """An empty card with its title on top."""
    drawing = Drawing(WIDE)
    drawing.card(2, 2, WIDE - 4, TALL - 4)
    drawing.text(12, 20, title, "ink bold", size=11)
    return drawing
