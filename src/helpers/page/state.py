"""What a reader has set on the page, and how it is read back: from an address, a record, or a file of answers.

Everything that comes from outside is checked here, before anything is shown or kept: its size, that its numbers are
numbers, and that the checklist, the workload and the evidence know what it says.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from helpers import decide
from helpers.costs import Option, Workload
from helpers.costs.workload import FORMAT as WORKLOAD_FORMAT
from helpers.decide import answers as answer_files
from helpers.errors import CostError, DecisionError, KitError
from helpers.records import Evidence

FORMAT = "1"
LONGEST_ADDRESS = 20_000
LARGEST_FILE = 8_000_000
"""Bytes: a record's page is at most 6 MB, and its JSON is not much larger."""
LONGEST_NAME = 200
MAX_OPTIONS = 60
DEEPEST = 40
"""Levels of a JSON file; a record has six. A parser in a browser has a small stack, and dies where it overflows."""
MAX_MEASUREMENTS = 1_000
"""More than any project keeps, and few enough to be decided on at once."""
IN_RECORD = "opens again on the decision page with"
"""In a record's versions: the address's fragment, so that a record brings its numbers along."""

UNNAMED = "Prompt or fine-tune?"
"""A record's title where the reader gave none."""

DAMAGED = "Open it where it was written, or write it again."


@dataclass(frozen=True)
class Opened:
    """A record that was opened here: what was measured, and what else goes into the next record."""

    name: str
    evidence: Evidence | None
    guesses: tuple[Mapping[str, str], ...] = ()
    charts: tuple[Mapping[str, str], ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    recorded: Any = None


@dataclass(frozen=True)
class State:
    """All that a reader has set.

    Attributes:
        question: what is to be decided, in the reader's words.
        answers: the checklist's answers.
        workload: the calculator's numbers.
        chosen: ids of the options to compare; None: those that teach most.
        pair: ids of the two whose break-even is asked; None: the cheapest tuned and the cheapest prompted one.
        counts: whether the bill counts in the verdict.
        opened: the record that was opened, or None.
    """

    question: str = ""
    answers: Mapping[str, str] = field(default_factory=dict)
    workload: Workload = field(default_factory=Workload)
    chosen: tuple[str, ...] | None = None
    pair: tuple[str, str] | None = None
    counts: bool = False
    opened: Opened | None = None


def fragment(state: State) -> str:
    """The state as an address's fragment, without what was measured; empty for a page that nobody has touched."""
    usual = asdict(Workload())
    parts = [("name", state.question)] if state.question else []
    parts += state.answers.items()
    parts += [(f"n.{name}", f"{value:.12g}") for name, value in asdict(state.workload).items() if value != usual[name]]
    parts += [("options", ",".join(state.chosen))] if state.chosen is not None else []
    parts += [("pair", ",".join(state.pair))] if state.pair else []
    parts += [("bill", "counts")] if state.counts else []
    return urlencode([("v", FORMAT), *parts]) if parts else ""


def from_fragment(text: str) -> State:
    """The state that an address holds.

    Raises:
        DecisionError: it is too long, of another version, or says what nobody could have set here.
        CostError: it says what no workload can be.
    """
    text = text.removeprefix("#")
    if not text:
        return State()
    if len(text) > LONGEST_ADDRESS:
        raise DecisionError(
            "This address is too long to be a decision.",
            got=f"{len(text):,} characters",
            fix="Start again, or open a record.",
        )
    parts = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=200))
    if parts.pop("v", None) != FORMAT:
        raise DecisionError(
            "This address is not a decision of this version of the page.",
            fix="Start again, or ask whoever sent it for the record.",
        )
    numbers = {name[2:]: _number(name[2:], parts.pop(name)) for name in list(parts) if name.startswith("n.")}
    chosen, pair, name = parts.pop("options", None), parts.pop("pair", None), parts.pop("name", "")
    counts = parts.pop("bill", "") == "counts"
    return State(
        question=plain(name),
        answers=decide.checked(parts),
        workload=Workload.from_dict({"format": WORKLOAD_FORMAT, **numbers}),
        chosen=None if chosen is None else known_options(chosen.split(",") if chosen else []),
        pair=None if pair is None else known_pair(pair.split(",")),
        counts=counts,
    )


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise CostError(
            f"{name[:40]} in this address is not a number.", got=repr(text[:40]), fix="Start again."
        ) from None


def known_options(ids: list[str]) -> tuple[str, ...]:
    """These ids, when each is an option that can be billed.

    Raises:
        CostError: they are too many, or one is no option.
        FactsError: one has a model or provider without a row.
    """
    if len(ids) > MAX_OPTIONS:
        raise CostError("So many options cannot be compared.", got=f"{len(ids):,}", fix=f"At most {MAX_OPTIONS}.")
    for one in ids:
        _ = Option.parse(one[:200]).label
    return tuple(ids)


def known_pair(ids: list[str]) -> tuple[str, str]:
    """A pair of options; raises as :func:`known_options`, and when they are not two.

    Raises:
        CostError: as :func:`known_options`, or they are not two.
    """
    if len(ids) != 2:
        raise CostError("A pair is two options.", got=f"{len(ids)}", fix="Start again.")
    first, second = known_options(ids)
    return first, second


def plain(name: str) -> str:
    """A reader's title on one line, shortened."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", name).split())[:LONGEST_NAME]


def opened(state: State, name: str, text: str) -> State:
    """The state with a file taken over: a record with all that it holds, or answers alone.

    Args:
        state: what the page holds now.
        name: the file's name, as the browser gives it.
        text: the file's content.

    Raises:
        DecisionError: the file is too large, is not JSON, holds what is not a number, is of another kind or version, or
            holds what nobody can have measured or answered.
    """
    if len(text) > LARGEST_FILE:
        raise DecisionError(
            "This file is too large for a record.",
            got=f"over {LARGEST_FILE / 1e6:.0f} MB",
            fix="Open a record.json or a file of answers.",
        )
    kind = _kind(text)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / (re.sub(r"[^\w.-]+", "_", name)[-80:] or "file.json")
        path.write_text(text, encoding="utf-8")
        try:
            if kind == answer_files.KIND:
                found = decide.load(path)
                return replace(state, answers=found.answers, question=plain(found.name) or state.question, opened=None)
            return _record(path)
        except KitError as error:
            where = f"{folder}/"
            raise DecisionError(
                error.what.replace(where, ""), got=error.got.replace(where, "")[:300], fix=error.fix
            ) from error


def _kind(text: str) -> str:
    """What kind of file it says it is. Numbers that are none (NaN, Infinity) are refused here: JSON has no such."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not a number")

    def finite(number: str) -> float:
        value = float(number)
        return value if abs(value) < 1e300 else refuse(number[:40])

    try:
        _require_shallow(text)
        content = json.loads(text, parse_constant=refuse, parse_float=finite)
    except (ValueError, RecursionError) as error:
        raise DecisionError("This file is not JSON.", got=str(error)[:200], fix="Open a record.json.") from error
    return str(content.get("kind", "")) if isinstance(content, dict) else ""


_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\Z)|[\[\]{}]', re.DOTALL)


def _require_shallow(text: str) -> None:
    """Raises ValueError where brackets are nested deeper than :data:`DEEPEST`; brackets in strings do not count."""
    depth = 0
    for found in _BRACKET.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(found.group()[0], 0)
        if depth > DEEPEST:
            raise ValueError(f"nested deeper than {DEEPEST} levels")


def _record(path: Path) -> State:
    record = decide.load_record(path)
    most = max(
        (len(value) for value in vars(record.evidence or Evidence()).values() if isinstance(value, tuple)), default=0
    )
    if most > MAX_MEASUREMENTS:
        raise DecisionError("This record holds more measurements than any project keeps.", got=f"{most:,}", fix=DAMAGED)
    here = record.versions.get(IN_RECORD, "") if isinstance(record.versions, Mapping) else ""
    before = from_fragment(here) if isinstance(here, str) else State()
    return replace(
        before,
        question="" if record.question == UNNAMED else plain(record.question),
        answers=record.answers,
        opened=Opened(
            path.name,
            record.evidence,
            record.guesses,
            tuple(chart for chart in record.charts if "svg" in chart),  # pictures: what is no picture could run
            {str(name)[:200]: str(value)[:500] for name, value in record.versions.items() if name != IN_RECORD},
            record.recorded,
        ),
    )
