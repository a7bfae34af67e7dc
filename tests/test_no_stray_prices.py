"""No price and no date of a provider is written by hand outside the facts tables.

Looked through: what lessons say (markdown and code cells, not their outputs, which are computed), Markdown files at
the top, in ``docs`` and in ``examples``, and every Python module but ``helpers.facts``. Looked for: amounts of money
("$1.70", "5 USD", "3 cents") and days of this time ("2026-11-23", "January 2027").

Three ways for a line to hold one rightly:

* a date stands right after ``as of``, ``read``, ``measured`` or ``run`` (with or without ``on``): a reading or a
  measurement, dated on purpose; amounts beside it do not pass;
* it carries the words ``fact-ok: REASON`` (in a comment: ``# fact-ok: …``, ``<!-- fact-ok: … -->``): everything in that
  line passes, and the reason stands there for the next reader;
* an amount of zero passes (``$0``: "nothing is charged" is no price that ages).

Anything else belongs into a table beside ``helpers/facts``, from where a lesson prints it with its date and source.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
AMOUNT = re.compile(
    r"""(?<![\w\\{$])\$\ ?(?P<dollars>\d[\d,]*(?:\.\d+)?)(?![\w{}$])   # $1.70, not \$1, ${x} or $x$
      | (?<![\w.])(?P<words>\d[\d,]*(?:\.\d+)?)\ ?(?:USD|US\ dollars|dollars|cents)\b""",
    re.VERBOSE,
)
DATE = re.compile(rf"(?<![\w-])202[6-9]-\d\d-\d\d(?![\w-])|\b(?:{MONTHS})\ 202[6-9]\b")
DATED_ON_PURPOSE = re.compile(r"\b(?:as of|read|measured|run)(?: on)? $", re.IGNORECASE)
REASON = re.compile(r"fact-ok:\s*(?P<why>\S.{4,})")


def strays(text: str) -> list[tuple[int, str]]:
    """Line number and finding of each price or date that has no right to be there."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if REASON.search(line):
            continue
        amounts = [hit for hit in AMOUNT.finditer(line) if float((hit["dollars"] or hit["words"]).replace(",", ""))]
        dates = [hit for hit in DATE.finditer(line) if not DATED_ON_PURPOSE.search(line[: hit.start()])]
        found += [(number, hit.group().strip()) for hit in (*amounts, *dates)]
    return found


def notebook_text(path: Path) -> str:
    """All cells' sources, one after the other; outputs are left out."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells)


def looked_through() -> Iterator[Path]:
    facts = ROOT / "src" / "helpers" / "facts"
    yield from (p for p in (ROOT / "src" / "helpers").rglob("*.py") if not p.is_relative_to(facts))
    shipped = (p for p in (ROOT / "notebooks").rglob("*.ipynb") if not p.name.startswith("my_"))
    yield from (p for p in shipped if ".ipynb_checkpoints" not in p.parts)
    yield from ROOT.glob("*.md")
    for folder in ("docs", "examples"):
        yield from (ROOT / folder).rglob("*.md")


FILES = sorted(looked_through())


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(ROOT)) for path in FILES])
def test_no_price_or_date_is_written_by_hand(path: Path) -> None:
    text = notebook_text(path) if path.suffix == ".ipynb" else path.read_text(encoding="utf-8")
    found = "\n".join(f"  line {line}: {what}" for line, what in strays(text))
    assert not found, f"{path.relative_to(ROOT)} holds prices or dates of its own; see the top of this test:\n{found}"


def test_it_looks_at_something() -> None:
    assert any(path.name == "calls.py" for path in FILES)
    assert not any("facts" in path.relative_to(ROOT).parts for path in FILES)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("Hosting costs $1.70 an hour.", ["$1.70"]),
        ("That is $1,224 a month, or 3 cents a call.", ["$1,224", "3 cents"]),
        ("at 5 USD per million", ["5 USD"]),
        ("OpenAI closes on 2027-01-06.", ["2027-01-06"]),
        ("It ends in January 2027.", ["January 2027"]),
        ("As of 2026-11-23 it costs $8.", ["$8"]),
        ("as of today, closed on 2027-01-06", ["2027-01-06"]),
        ("LIMIT = 12.50  # $12.50", ["$12.50"]),
    ],
)
def test_it_finds(line: str, found: list[str]) -> None:
    assert [what for _, what in strays(line)] == found


@pytest.mark.parametrize(
    "line",
    [
        "SPEND_LIMIT_USD = 0, so $0 is spent and $0.00 is billed",
        "chosen as of 2026-11-23 on two cores; the page was read 2026-11-23, the run was measured on 2026-11-23",
        "the article says $4.00 <!-- fact-ok: the article's own words -->",
        'total = f"${usd:.2f}"  and ${HOME} and $KIT_TODAY and r"\\$1"',
        "gpt-4o-mini-2024-07-18 and a version 2026.11.23 and id-2026-11-23-x",
        "Shell: echo $PATH; a loss of $x^2$",
        "see tests/test_2026.py",
    ],
)
def test_it_leaves_alone(line: str) -> None:
    assert strays(line) == []


def test_a_reason_must_be_given() -> None:
    assert strays("$4.00 # fact-ok:") == [(1, "$4.00")]
