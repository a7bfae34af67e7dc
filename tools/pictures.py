"""Draw the lessons' pictures again: `.venv/bin/python tools/pictures.py`; `--check` only says which are out of date.

Every answer in a picture is a real one. The ladder's come from the record of a run (`tools/one_message.py`); the
others are quoted in `quotes.toml`, and each quote is looked up in the committed outputs of the lesson that it names:
one that is not there any more is refused. Sizes and tokens are read from the model's own files.

All text stands on cards with a colour of their own, so a picture reads on a light page and on a dark one.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from drawing import WIDTH, Drawing, wrapped
from lessons import NOTEBOOKS, ORDER, TOP, plain, said_in, title
from small_pictures import small_pictures

from helpers import assets
from helpers.data import read
from helpers.local_api.engine.text.template import ChatTemplate
from helpers.local_api.training.lora import RANK

PICTURES = NOTEBOOKS / "pictures"
STRIP = 684
LETTERS, LINE = 44, 17  # of an answer on a card: letters a line, and pixels from line to line

SHORT = {
    "00_should_you_fine_tune": "Should you?", "01_prepare_data": "Prepare", "02_upload": "Upload",
    "04_evaluate": "Evaluate", "05_deploy": "Deploy", "07_a_brands_voice": "A voice",
}  # fmt: skip
"""Labels on the strip, for titles that are too long for it."""
LABEL = 13  # letters, at most


def stops() -> list[tuple[str, str, str]]:
    """The lessons in their order: the end of their pictures' names, their number, and their label on the strip.

    Raises:
        SystemExit: a label does not fit.
    """
    found = []
    for lesson in ORDER:
        label = SHORT.get(lesson, title(lesson))
        if len(label) > LABEL:
            raise SystemExit(f"{lesson}: the strip has no room for {label!r}; give it a shorter one in SHORT.")
        numbered = lesson[0].isdigit()
        found.append((lesson[:2], str(int(lesson[:2])), label) if numbered else (lesson, "★", label))
    return found


STOPS = stops()


def main(arguments: Sequence[str]) -> int:
    """Write what changed, or with ``--check`` name it; the exit status is 1 when something was out of date then."""
    stale = [name for name, svg in pictures().items() if not is_current(PICTURES / name, svg)]
    for name in stale:
        print(f"[FAIL] {name} is out of date: run tools/pictures.py" if "--check" in arguments else f"drawn: {name}")
        if "--check" not in arguments:
            (PICTURES / name).write_text(pictures()[name], encoding="utf-8")
    return int(bool(stale) and "--check" in arguments)


def is_current(file: Path, svg: str) -> bool:
    """Whether the file holds this picture."""
    return file.exists() and file.read_text(encoding="utf-8") == svg


def pictures() -> dict[str, str]:
    """Every picture as SVG text, by file name."""
    drawn = {f"here_{stop}.svg": here(stop) for stop, _, _ in STOPS}
    drawn |= {"one_message.svg": one_message(), "adapter.svg": adapter(), "loss_mask.svg": loss_mask()}
    drawn |= {f"lesson_{stop}.svg": svg for stop, svg in small_pictures().items()}
    return drawn | {f"{one['picture']}.svg": before_and_after(one) for one in quotes()}


def here(stop: str) -> str:
    """The strip on top of a lesson: all lessons, the article's five steps as the spine, and where the reader stands."""
    drawing, step = Drawing(STRIP), STRIP / len(STOPS)
    drawing.card(step + 2, 2, 5 * step - 4, 76, "plain")
    drawing.text(3.5 * step, 18, "the article's five steps", "ink", size=12, middle=True)
    for at, (name, number, label) in enumerate(STOPS):
        now, x = name == stop, at * step
        drawing.card(x + 4, 27, step - 8, 44, "here" if now else "card", 7)
        look = "white" if now else "ink"
        drawing.text(x + step / 2, 46, number, f"{look} bold", size=15, middle=True)
        drawing.text(x + step / 2, 63, label, look, size=11, middle=True)
        if now:
            drawing.card(x + 4, 80, step - 8, 17, "here", 8)
            drawing.text(x + step / 2, 92.5, "you are here", "white", size=10, middle=True)
    label = next(f"{number} {label}" for name, number, label in STOPS if name == stop).replace("★ ", "")
    named = [f"{number} {label}".removeprefix("★ ") for _, number, label in STOPS]
    drawing.height = 99
    return drawing.svg(
        f"You are here: {label}",
        f"The way through the lessons: {named[0]} Then the article's five steps, {', '.join(named[1:6])}. "
        f"Then {', '.join(named[6:])}.",
    )


def one_message() -> str:
    """One message and the answers of all rungs and rivals of lesson 0, each with its right and wrong fields."""
    record = json.loads((PICTURES / "one_message.json").read_text(encoding="utf-8"))
    ideal, drawing = json.loads(record["ideal"]), Drawing()
    drawing.card(2, 2, WIDTH - 4, 66, "plain")
    drawing.text(16, 22, "The message", "ink bold")
    drawing.text(120, 22, record["message"])
    drawing.text(16, 52, "Ideal answer", "ink bold")
    drawing.text(120, 52, record["ideal"], "ink mono", size=12)
    wide, y = (WIDTH - 12) / 2, 78.0
    answers = record["answers"]
    for two in (answers[at : at + 2] for at in range(0, len(answers), 2)):
        said = [wrapped(one["answer"], LETTERS, 5) for one in two]
        tall = 52 + LINE * max(map(len, said))
        for x, one, lines in zip((2, 10 + wide), two, said, strict=False):
            drawing.card(x, y, wide, tall, "good" if one["right"] else "poor")
            prompted = one["role"] != "no language model"
            drawing.text(x + 12, y + 19, one["candidate"] + ("" if prompted else " · no language model"), "ink bold")
            _fields(drawing, x + 12, y + 37, one["answer"], ideal)
            for line, words in enumerate(lines):
                drawing.text(x + 12, y + 58 + LINE * line, words, "ink mono", size=13)
        y += tall + 8
    right = [one["candidate"] for one in record["answers"] if one["right"]]
    return drawing.svg(
        "One message, and what each rung of the ladder answers",
        f"Message: {record['message']} Ideal answer: {record['ideal']} "
        + " ".join(f"{one['candidate']}: {one['answer']}." for one in record["answers"])
        + f" Completely right: {', '.join(right) or 'none'}.",
    )


def _fields(drawing: Drawing, x: float, y: float, answer: str, ideal: Mapping) -> None:
    said = _parsed(answer)
    if said is None:
        drawing.text(x, y, "✗ not a JSON object", "wrong bold", size=12)
        return
    for name, wanted in ideal.items():
        is_right = said.get(name, ...) == wanted
        words = f"{'✓' if is_right else '✗'} {name}"
        drawing.text(x, y, words, "right bold" if is_right else "wrong bold", size=12)
        x += 7.4 * len(words) + 14


def _parsed(answer: str) -> dict | None:
    try:
        found = json.loads(answer)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def quotes() -> list[dict]:
    """The pairs of `quotes.toml`, after each of their texts was found in the committed outputs that it names."""
    pairs = tomllib.loads((PICTURES / "quotes.toml").read_text(encoding="utf-8"))["pair"]
    gone = [
        f"{row['lesson']}: {row[part]!r}"
        for pair in pairs
        for row in pair["row"]
        for part in ("asked", "before", "after")
        if plain(row[part]) not in said_in(row["lesson"])
    ]
    if gone:
        raise SystemExit("These quotes are not in the lesson any more; take new ones from it:\n" + "\n".join(gone))
    return pairs


def before_and_after(pair: Mapping) -> str:
    """Two cards a row: the answer before tuning and after."""
    drawing, y = Drawing(), 2.0
    wide = (WIDTH - 12) / 2
    for row in pair["row"]:
        asked = wrapped(plain(row["asked"]), 84, 3)
        both = [wrapped(plain(row[part]), LETTERS, 9) for part in ("before", "after")]
        drawing.card(2, y, WIDTH - 4, 12 + 18 * len(asked), "plain")
        for line, words in enumerate(asked):
            drawing.text(16, y + 20 + 18 * line, words)
        y += 20 + 18 * len(asked)
        tall = 40 + LINE * max(map(len, both))
        for x, part, lines in zip((2, 2 + wide + 8), ("before", "after"), both, strict=True):
            is_right = row[f"{part}_is_right"]
            drawing.card(x, y, wide, tall, "good" if is_right else "poor")
            drawing.text(x + 12, y + 20, f"{'✓' if is_right else '✗'} {pair[part]}", "ink bold")
            for line, words in enumerate(lines):
                drawing.text(x + 12, y + 44 + LINE * line, words, "ink mono", size=13)
        y += tall + 16
    said = (
        f"Asked: {row['asked']} {pair['before']}: {row['before']} {pair['after']}: {row['after']}"
        for row in pair["row"]
    )
    return drawing.svg(pair["title"], " ".join(said))


def adapter() -> str:
    """A frozen layer with its LoRA adapter, with this model's own sizes."""
    size = json.loads((assets.base_model() / "config.json").read_text())["hidden_size"]
    frozen, trained = size * size, 2 * RANK * size
    drawing = Drawing()
    drawing.card(2, 76, 96, 52, "card")
    drawing.text(50, 98, "input", "ink bold", middle=True)
    drawing.text(50, 116, f"{size} numbers", "soft", size=11, middle=True)
    drawing.card(190, 6, 330, 78, "card")
    drawing.text(355, 30, "W: the layer's own weights, frozen", "ink bold", middle=True)
    drawing.text(355, 50, f"{size} × {size} = {frozen:,} numbers", "ink", size=12, middle=True)
    drawing.text(355, 70, "training reads them and never changes them", "soft", size=12, middle=True)
    for x, name, shape in ((190, "A", f"{size} → {RANK}"), (364, "B", f"{RANK} → {size}")):
        drawing.card(x, 120, 156, 78, "poor")
        drawing.text(x + 78, 146, name, "ink bold", size=15, middle=True)
        drawing.text(x + 78, 166, shape, "ink", size=12, middle=True)
        drawing.text(x + 78, 185, "trained", "ink", size=12, middle=True)
    drawing.card(572, 76, 52, 52, "card", 26)
    drawing.text(598, 109, "+", "ink bold", size=22, middle=True)
    drawing.card(662, 76, 96, 52, "card")
    drawing.text(710, 98, "output", "ink bold", middle=True)
    drawing.text(710, 116, f"{size} numbers", "soft", size=11, middle=True)
    for points in ((98, 92, 188, 46), (98, 112, 188, 158), (346, 159, 362, 159), (520, 46, 576, 86)):
        drawing.line(*points)
    drawing.line(520, 159, 577, 119)
    drawing.line(624, 102, 660, 102)
    drawing.card(190, 208, 330, 30, "poor")
    words = f"the adapter: {trained:,} numbers, {trained / frozen:.1%} of W"
    drawing.text(355, 228, words, "ink bold", middle=True)
    return drawing.svg(
        "A frozen layer and its LoRA adapter",
        f"The input goes two ways. Through the layer's own weights W, {frozen:,} numbers that stay frozen; and through "
        f"two narrow matrices A ({size} to {RANK}) and B ({RANK} to {size}), {trained:,} numbers, which are the only "
        "ones trained. Both results are added.",
    )


def loss_mask() -> str:
    """The tokens of the shortest training row: those that the model only reads, and those that it is graded on."""
    row = min(read(TOP / "data/sample/triage/train.jsonl"), key=lambda one: len(one.question))
    template = ChatTemplate(assets.base_model())
    ids, weights = template.example(row.messages)
    words = [template.tokenizer.decode([one], skip_special_tokens=False) for one in ids]
    drawing, x, y = Drawing(), 14.0, 44.0
    drawing.text(22, 26, "read only", "ink", size=12)
    drawing.text(122, 26, "graded: only these count in the loss", "ink", size=12)
    for word, weight in zip(words, weights, strict=True):
        shown = word.replace(" ", "·").replace("\n", "⏎")
        wide = 7.3 * len(shown) + 12
        if x + wide > WIDTH - 14:
            x, y = 14.0, y + 32
        drawing.card(x, y, wide, 26, "good" if weight else "card", 5)
        drawing.text(x + 6, y + 17, shown, "ink mono", size=12)
        x += wide + 3
    y += 40
    frame = f'<rect class="card" x="2" y="2" width="{WIDTH - 4}" height="{y:g}" rx="8"/>'
    keys = '<rect class="card" x="14" y="10" width="84" height="24" rx="5"/>'
    keys += '<rect class="good" x="114" y="10" width="232" height="24" rx="5"/>'
    drawing.parts = [frame, keys, *drawing.parts]
    drawing.height = y + 4
    graded = sum(1 for weight in weights if weight)
    return drawing.svg(
        "The loss mask of one training row",
        f"The row as tokens: {''.join(words)} Of {len(ids)} tokens {graded} are graded: the answer and its end mark. "
        "The others are only read.",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
