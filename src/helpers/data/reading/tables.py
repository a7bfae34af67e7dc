"""Tables as text and as workbooks: the separator, the heading or its absence, the sheet that is meant."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from itertools import chain, islice
from typing import Any

from helpers.data.report import Findings
from helpers.data.shapes.column_names import known_name
from helpers.errors import DataError
from helpers.formatting import plural

Line = tuple[int, list]
"""A row's 1-based line in the file, and its cells."""

LOOKED_AT = 200
"""Rows from which a table's layout is told."""

MARKS = "\t;,|"
MOST = 0.8
SENTENCE = 4
"""Words from which a cell reads as a sentence rather than as a heading."""

MAX_PREAMBLE = 10
"""Lines of title that may stand above a heading."""

NUMBER = re.compile(r"[-+]?[\d.,]+%?|\d{1,4}([-./])\d{1,2}\1\d{1,4}.*|[{\[].*", re.DOTALL)
"""What is no heading: a number, a date, JSON."""


RULE = re.compile(r":?-{2,}:?|={2,}")

# --- text -------------------------------------------------------------------------------------------------------------


def separator(text: str, whole: bool) -> str | None:
    """The mark under which most of the first rows have the same number of cells, two at least; None where none has.

    Args:
        text: the file's beginning.
        whole: whether that is all of it; else its last line may be cut off.
    """
    lines = text.lstrip("\ufeff").splitlines(keepends=True)
    lines = lines if whole or len(lines) < 2 else lines[:-1]
    lines = [line for line in lines if line.strip()][:LOOKED_AT]
    best, best_score = None, (False, False, 0.0, 0)
    for mark in MARKS:
        widths = _widths(lines, mark)
        usual, count = Counter(widths).most_common(1)[0] if widths else (0, 0)
        share = count / max(len(widths), 1)
        score = (share >= MOST, bool(widths) and widths[0] == usual, share, usual)
        if usual > 1 and score > best_score and share > 0.5:
            best, best_score = mark, score
    return best


def _widths(lines: list[str], mark: str) -> list[int]:
    widths = []
    reader = csv.reader(lines, delimiter=mark, **_quotes(lines, mark))
    while True:
        try:
            widths.append(len(next(reader)))
        except StopIteration:
            return widths
        except csv.Error:
            continue


def _quotes(lines: Iterable[str], mark: str) -> dict[str, Any]:
    """What encloses cells, as options for ``csv.reader``: double quotes, single ones where rows come out more even with
    them, or nothing. Where each line has the same number of separators and some line an odd number of quotes, quotes
    are text: such tables write one row a line, and reading them otherwise swallows rows."""
    sample = list(islice((line for line in lines if line.strip()), LOOKED_AT))
    if _single_quotes(sample, mark):
        return {"quotechar": "'"}
    widths, odd = set(), False
    for line in chain(sample, lines):
        if line.strip():
            widths.add(line.count(mark))
            odd = odd or line.count('"') % 2 == 1
        if len(widths) > 1:
            return {"quoting": csv.QUOTE_MINIMAL}
    return {"quoting": csv.QUOTE_NONE if odd and widths != {0} else csv.QUOTE_MINIMAL}


def _single_quotes(sample: list[str], mark: str) -> bool:
    enclosed = re.compile(rf"(?:^|{re.escape(mark)})'.*'\s*(?:$|{re.escape(mark)})")
    if sum(bool(enclosed.search(line)) for line in sample) < 2:
        return False
    single, double = (_evenness(csv.reader(sample, delimiter=mark, quotechar=quote)) for quote in "'\"")
    return single > double


def _evenness(rows: Any) -> tuple[float, int]:
    """The share of rows with the usual number of cells, and how many rows there are."""
    try:
        widths = [len(cells) for cells in rows]
    except csv.Error:
        return 0.0, 0
    return (Counter(widths).most_common(1)[0][1] / len(widths), len(widths)) if widths else (0.0, 0)


def text_lines(file: io.TextIOBase, mark: str, found: Findings) -> Iterator[Line]:
    """The rows of separated text; one that cannot be read is a problem of that row.

    Args:
        file: open at any place; it is read from its start.
        mark: what separates the cells: a comma, semicolon, tab or bar.
        found: takes the problems.
    """
    quotes = _quotes(file, mark)
    file.seek(0)
    reader = csv.reader(file, delimiter=mark, **quotes)
    while True:
        first = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            found.add("table_row", first, "row", f"The row cannot be read: {error}.")
            continue
        yield first, cells


def fixed_lines(text: str) -> list[Line] | None:
    """The rows of a table whose columns stand below each other, parted by two blanks or more; None for other text."""
    lines = [(number, line.expandtabs().rstrip()) for number, line in enumerate(text.splitlines(), 1)]
    lines = [(number, line) for number, line in lines if line.strip("-=+| ")]
    if len(lines) < 3:
        return None
    width = max(len(line) for _, line in lines)
    blank = set(range(width))
    for _, line in lines:
        blank = {at for at in blank if at >= len(line) or line[at] == " "}
    gaps = [at for at in sorted(blank) if at + 1 in blank]
    if not gaps:
        return None
    starts = [0] + [at for at in range(1, width) if at not in blank and {at - 1, at - 2} <= blank]
    cells = [
        (number, [line[a:b].strip() for a, b in zip(starts, [*starts[1:], None], strict=True)])
        for number, line in lines
    ]
    filled = sum(bool(row[0] and row[1]) for _, row in cells) if len(starts) > 1 else 0
    return cells if filled >= MOST * len(cells) else None


# --- workbooks --------------------------------------------------------------------------------------------------------


def workbook_lines(data: bytes, sheet: str, largest: int, found: Findings) -> Iterator[Line]:
    """The rows of the sheet that is named, or of the one with most rows of two cells at least.

    Args:
        data: the .xlsx file's bytes.
        sheet: its title; "" for the largest.
        largest: the most bytes that it may unpack to.
        found: takes the problems.

    Raises:
        DataError: the workbook is damaged or too large, or has no such sheet, or no table.
    """
    from openpyxl import load_workbook

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            if sum(entry.file_size for entry in packed.infolist()) > largest:
                raise DataError("The workbook unpacks to more than 1 GiB.", fix="Export the sheet as CSV.")
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        sheets = {one.title: [list(cells) for cells in one.iter_rows(values_only=True)] for one in book.worksheets}
    except DataError:
        raise
    except Exception as error:  # a damaged workbook fails in any of a zip, XML or number parser's ways
        raise DataError("The workbook cannot be read.", got=str(error)[:200], fix="Export the sheet as CSV.") from error
    name = _sheet(sheets, sheet, found)
    table = sheets[name]
    used = {at for cells in table for at, cell in enumerate(cells) if cell is not None} or {0}
    first, last = min(used), max(used) + 1  # a table may stand some columns to the right
    yield from ((number, (cells + [None] * last)[first:last]) for number, cells in enumerate(table, 1))


def _sheet(sheets: dict[str, list[list]], asked: str, found: Findings) -> str:
    listed = ", ".join(map(repr, sheets))
    if asked:
        meant = [title for title in sheets if title.strip().casefold() == asked.strip().casefold()]
        if not meant:
            first = next(iter(sheets), "")
            raise DataError(
                f"The workbook has no sheet {asked!r}.", got=listed, fix=f'Write DATA = "….xlsx#{first}", or without #.'
            )
        return meant[0]
    sizes = {title: sum(_filled(cells) > 1 for cells in rows) for title, rows in sheets.items()}
    best = max(sizes, key=lambda title: sizes[title], default=None)
    if best is None or (not sizes[best] and not any(map(any, chain(*sheets.values())))):
        raise DataError(
            "The workbook contains no table.", got=listed, fix="Put the examples into a sheet, one per row."
        )
    others = [title for title in sheets if title != best and any(_filled(cells) for cells in sheets[title])]
    if others:
        rest = ", ".join(map(repr, others))
        told = f'Read the sheet {best!r}, which has the most rows; not {rest} (choose by DATA = "….xlsx#{others[0]}").'
        found.add("read_as", 0, "file", told)
    return best


# --- headings ---------------------------------------------------------------------------------------------------------


def _filled(cells: list) -> int:
    return sum(not _is_blank(cell) for cell in cells)


def _is_blank(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def records(lines: Iterable[Line], found: Findings) -> Iterator[tuple[int, dict[str, Any] | None, str]]:
    """Line, record and the row's text: the record is None where a row has too many or too few cells.

    Lines of title above the heading are passed over. A table without heading has its columns named 1, 2, ….

    Args:
        lines: number and cells of each row, a heading among them or not.
        found: takes the problems, and says whether the first row is taken for a heading.
    """
    rest = _without_blanks(lines, found)
    first = _below_title(list(islice(rest, LOOKED_AT)), found)
    if not first:
        return
    if _is_heading(first[0][1], [cells for _, cells in first[1:]]):
        heading, first = _heading(first[0][1]), first[1:]
    else:
        heading = [str(number) for number in range(1, _usual_width(first) + 1)]
        found.add("read_as", 0, "file", "The first row is not a heading, so the columns are called 1, 2, ….")
    for number, cells in chain(first, rest):
        if len(cells) == len(heading):
            yield number, {name: cell for name, cell in zip(heading, cells, strict=True) if name}, ""
        else:
            found.add("table_row", number, "row", f"{len(cells)} cells under {len(heading)} headings.")
            yield number, None, "\t".join(str(cell) for cell in cells)


def _without_blanks(lines: Iterable[Line], found: Findings) -> Iterator[Line]:
    """Rows with something in them. Blank rows at the end are no problem: a spreadsheet may carry thousands."""
    blank_from = 0
    for number, cells in lines:
        if not _filled(cells):
            blank_from = blank_from or number
            continue
        if blank_from:
            found.blank(blank_from, number - 1)
            blank_from = 0
        if not all(isinstance(cell, str) and RULE.fullmatch(cell.strip()) for cell in cells if cell):  # under a heading
            yield number, cells


def _usual_width(lines: list[Line]) -> int:
    return Counter(len(cells) for _, cells in lines).most_common(1)[0][0]


def _below_title(lines: list[Line], found: Findings) -> list[Line]:
    """The table without lines of one cell, the first, above it (a title, the date of an export)."""
    usual = Counter(_filled(cells) for _, cells in lines).most_common(1)[0][0] if lines else 0
    above = next((at for at, (_, cells) in enumerate(lines) if _filled(cells) > 1), 0)
    titles = all(not _is_blank(cells[0]) for _, cells in lines[:above])
    if usual < 2 or not 0 < above <= MAX_PREAMBLE or not titles:
        return lines
    found.add("read_as", 0, "file", f"{plural(above, 'line')} skipped above the table.")
    return lines[above:]


def _is_heading(cells: list, below: list[list]) -> bool:
    """Whether the first row names the columns: its cells are no values. A number, a date, JSON, a value that stands in
    its column again, or sentences throughout are values, unless one is a question and what is below it is not: that is
    a survey's."""
    names = ["" if cell is None else str(cell).strip() for cell in cells]
    if not below or any(known_name(name) for name in names):
        return True
    others = [row for row in below if row != cells]
    for at, (cell, name) in enumerate(zip(cells, names, strict=True)):
        if isinstance(cell, (int, float, date)) or NUMBER.fullmatch(name):
            return False
        if name and any(at < len(row) and str(row[at]).strip() == name for row in others):
            return False
    asks = (at for at, name in enumerate(names) if name.endswith("?"))
    if any(
        sum(str(row[at]).strip().endswith("?") for row in others if at < len(row)) < len(others) / 10 for at in asks
    ):
        return True
    return not all(len(name.split()) >= SENTENCE for name in names if name)


def _heading(cells: list) -> list[str]:
    """The columns' names; one that comes again gets a number, as pandas gives it."""
    seen: Counter[str] = Counter()
    names = []
    for cell in cells:
        name = str(cell if cell is not None else "").strip()
        names.append(f"{name}.{seen[name]}" if name and seen[name] else name)
        seen[name] += 1
    return names
