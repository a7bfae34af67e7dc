"""The reader's own ``COLUMNS``, checked against the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from helpers.data.columns.suggesting import paste, suggestion
from helpers.data.shapes.column_names import PARTS, PLACE, tidy_name
from helpers.errors import DataError

Spec = str | Sequence[str]
Columns = Mapping[str, Spec]
"""Part → column, a template such as ``"{title}\\n\\n{body}"``, or a list of columns: joined with a blank line;
as the answer a JSON object with the columns as its keys."""


def checked(columns: Any, sample: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The reader's ``COLUMNS``, lists of columns as templates, or as a tuple for the answer's fields.

    Args:
        columns: ``COLUMNS`` of the parameters cell, as the reader wrote it.
        sample: rows of the table; their keys are its columns.

    Raises:
        DataError: it names an unknown part or column, or leaves out a part; the message says what to write.
    """
    names = list(dict.fromkeys(name for row in sample for name in row))
    if not isinstance(columns, Mapping) or not columns:
        raise DataError("COLUMNS is not a dictionary.", got=repr(columns)[:100], fix=suggestion(sample, names))
    if unknown := [part for part in columns if part not in PARTS]:
        if set(map(str, columns.values())) <= set(PARTS):
            turned = paste({str(part): str(column) for column, part in columns.items()})
            raise DataError("COLUMNS is the wrong way round.", got=repr(dict(columns))[:200], fix=f"Write {turned}.")
        legal = ", ".join(map(repr, PARTS))
        raise DataError(
            f"COLUMNS has no part {unknown[0]!r}.", got=f"known parts: {legal}", fix=suggestion(sample, names)
        )
    if "messages" in columns and len(columns) > 1:
        fix = f"Write {paste({'messages': columns['messages']})}, or name a question and an answer instead."
        raise DataError("In COLUMNS, 'messages' is the whole conversation and must be the only entry.", fix=fix)
    specs = {part: _spec(part, spec, names, sample) for part, spec in columns.items()}
    needed = {"messages"} if "messages" in specs else {"question", "preferred" if "rejected" in specs else "answer"}
    if "preferred" in specs and "answer" not in specs:
        needed |= {"rejected"}
    if missing := sorted(needed - set(specs), reverse=True):
        raise DataError(
            f"COLUMNS does not say which column is the {' and the '.join(missing)}.",
            got=repr(dict(columns))[:200],
            fix=suggestion(sample, names, specs),
        )
    return specs


def _spec(part: str, spec: Any, names: list[str], sample: Sequence[Mapping[str, Any]]) -> str | tuple[str, ...]:
    if isinstance(spec, (list, tuple)) and spec and all(isinstance(name, str) for name in spec):
        wanted, spec = list(spec), tuple(spec) if part == "answer" else "\n\n".join(f"{{{name}}}" for name in spec)
    elif isinstance(spec, str) and spec.strip():
        wanted = [spec] if spec in names else PLACE.findall(spec) or [spec]
    else:
        raise DataError(
            f"COLUMNS[{part!r}] names no column.", got=repr(spec)[:100], fix=suggestion(sample, names)
        )  # a number, an empty list …
    for name in wanted:
        if name not in names:
            near = get_close_matches(name, names, n=1) or [one for one in names if tidy_name(one) == tidy_name(name)]
            meant = f" Did you mean {near[0]!r}?" if near else ""
            raise DataError(f"There is no column {name!r}.{meant}", fix=suggestion(sample, names))
    return spec
