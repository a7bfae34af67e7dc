"""Check a file of examples once, all problems in one report: format, provider rules, tokens, duplicates, leaks,
secrets."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from helpers import tokens
from helpers.data.checking.corpus import Corpus
from helpers.data.checking.messages import check_row, places
from helpers.data.checking.rules import Rules, rules_for
from helpers.data.checking.texts import check_text
from helpers.data.checking.whole_file import check_whole
from helpers.data.columns.given import Columns
from helpers.data.columns.guessing import Guess
from helpers.data.columns.resolving import resolved
from helpers.data.reading.examples import missing, sampled, shape_of
from helpers.data.reading.sources import Source, rows, size_of
from helpers.data.report import CheckReport, Findings, Problem
from helpers.data.sensitive import beside, personal
from helpers.data.shapes.chat import Shaped
from helpers.data.shapes.column_names import recognise
from helpers.errors import AssetError, DataError
from helpers.formatting import percent, plural
from helpers.tokens import text_of

ENOUGH_TO_LEARN = 50
"""OpenAI's guide sees improvements from 50 to 100 examples."""

TRUNCATED_SHARE = 0.05
BATCH = 200


def check(
    source: Source,
    *,
    provider: str = "openai",
    model: str | None = None,
    validation: Source | None = None,
    test: Source | None = None,
    columns: Columns | None = None,
    near_duplicates: bool = True,
) -> CheckReport:
    """Every problem of ``source``, each on its line, in one go.

    Args:
        source: whatever ``read`` takes, or examples.
        provider: whose rules apply: see ``helpers/facts/limits.csv``; "general" for rules that hold everywhere.
        model: whose vocabulary and context apply; without it the provider's usual ones.
        validation: the validation split; only looked at for leaks (check it with a call of its own).
        test: the test split, likewise.
        columns: which column is which, as for ``read``.
        near_duplicates: compare every prompt with every other (about a second for 10,000 rows); exact duplicates
            are found in any case.

    Raises:
        DataError: the source cannot be opened, is of no kind that can be read, or ``columns`` does not fit it.
        FactsError: nothing is known of the provider.
    """
    limits = rules_for(provider, model)
    found = Findings()
    counted = _counter(provider, model, found)
    whole = Corpus(keep_texts=near_duplicates)
    shapes: dict[str, list[int]] = {}
    mapping: dict[str, str] = {}
    formed = _formed_rows(source, columns, limits, whole, shapes, mapping, found)
    with ThreadPoolExecutor(1) as beside:
        while batch := list(islice(formed, BATCH)):
            lengths = beside.submit(_tokens, counted, [row for _, row in batch])
            _check_contents(batch, limits, lengths, whole, found)
    _check_file(source, limits, whole, shapes, found)
    splits = {"validation": validation, "test": test}
    others = {name: _texts_of(split, columns, near_duplicates) for name, split in splits.items() if split is not None}
    check_whole(whole, others, found)
    return CheckReport(
        problems=_table(found.sorted(), Problem._fields),
        rows=whole.table(),
        provider=provider,
        model=model,
        shape=next(iter(shapes)) if len(shapes) == 1 else "mixed" if shapes else "none",
        mapping=mapping,
        token_limit=limits.max_example_tokens,
        usual_labels=found.usual_labels,
    )


def errors(source: Source, *, provider: str = "openai", model: str | None = None) -> tuple[list[Problem], int]:
    """Why the provider would refuse ``source``: the errors of :func:`check` alone; and the number of usable rows.

    No text is searched or counted: what one says, gives away or is too long for is never an error. A host needs no
    more, and a row of many megabytes costs it little time and memory; a person needs ``check``.

    Args:
        source: as for ``check``.
        provider: whose rules apply.
        model: whose limits apply, where they depend on it.

    Raises:
        DataError: the source cannot be opened, or is of no kind that can be read.
        FactsError: nothing is known of the provider.
    """
    limits = rules_for(provider, model)
    found, whole = Findings(), Corpus(keep_texts=False)
    shapes: dict[str, list[int]] = {}
    whole.lines = [line for line, _ in _formed_rows(source, None, limits, whole, shapes, {}, found)]
    _check_file(source, limits, whole, shapes, found)
    return [problem for problem in found.sorted() if problem.severity == "error"], len(whole.lines)


def _table(problems: list[Problem], fields: tuple[str, ...]) -> pd.DataFrame:
    return pd.DataFrame(problems, columns=list(fields))


def _counter(provider: str, model: str | None, found: Findings) -> tokens.TokenCounter | None:
    name = model or ("smollm2-135m-instruct" if provider == "local" else None)
    try:
        counted = tokens.counter(name)
    except AssetError as error:
        found.add("tokens_not_counted", 0, "file", str(error))
        return None
    if not counted.exact:
        found.add(
            "tokens_estimated",
            0,
            "file",
            f"The vocabulary of {name} is not here; {counted.vocabulary} is used instead.",
        )
    return counted


def _formed_rows(
    source: Source,
    columns: Columns | None,
    limits: Rules,
    whole: Corpus,
    shapes: dict[str, list[int]],
    mapping: dict[str, str],
    found: Findings,
) -> Iterator[tuple[int, Shaped]]:
    """Rows that are well formed; the others leave a problem and are counted as unreadable."""
    told = _columns(source, columns)
    for line, value, broken in rows(source, found):
        row = shape_of(value, told) if broken is None else None
        if row is None:
            whole.unreadable += 1
            if broken is None:
                found.add("unknown_shape", line, "row", missing(value, told))
            continue
        if not mapping:
            mapping |= told.columns or (recognise(value) if row.names else {})
        shapes.setdefault(row.shape, []).append(line)
        if check_row(line, row, limits, found):
            yield line, row
        else:
            whole.unreadable += 1


def _columns(source: Source, columns: Columns | None) -> Guess:
    """What the columns of ``source`` are; a table in memory and a file can be read twice, examples need no columns."""
    if not isinstance(source, (str, Path, bytes, bytearray, pd.DataFrame)):
        return Guess({}, "as it is")
    sample = sampled(source)
    try:
        return resolved(columns, sample)
    except DataError:
        if columns is not None:
            raise
        return Guess({}, "as it is")  # then every row is reported, each on its line


def _check_contents(
    batch: list[tuple[int, Shaped]],
    limits: Rules,
    lengths: Future[list[int | None]],
    whole: Corpus,
    found: Findings,
) -> None:
    """What is checked once rows are well formed: their text, what it gives away, its length.

    One kind of check after the other for the whole batch: row by row they push each other out of the processor's cache.
    Tokens are counted meanwhile, on another core where there is one: the library that counts needs no Python lock.
    """
    texts = [[text_of(message.get("content")) for message in row.chat["messages"]] for _, row in batch]
    for line, row in batch:
        check_text(line, row.chat["messages"], places(row.names), found)
    for (line, row), said in zip(batch, texts, strict=True):
        system = row.chat["messages"][0].get("role") in ("system", "developer")
        personal.check(line, said, places(row.names), found, system=system)
        beside.check(line, row.chat, row.rejected, places(row.names), found)
        if len(row.chat) > 1:
            whole.note_declarations(line, row.chat)
    for (line, row), said, length in zip(batch, texts, lengths.result(), strict=True):
        if length and limits.max_example_tokens and length > limits.max_example_tokens:
            whole.truncated += 1
            then = "a job with this row fails" if limits.provider == "local" else "the rest is cut off"
            told = f"{length:,} tokens; the model reads {limits.max_example_tokens:,}, and {then}."
            found.add("tokens_over_limit", line, "row", told)
        whole.add(line, row.chat["messages"], said, length, row)


def _tokens(counted: tokens.TokenCounter | None, rows: list[Shaped]) -> list[int | None]:
    if counted is None:
        return [None] * len(rows)
    tools = (row.chat.get("tools") for row in rows)
    declared = (some if isinstance(some, list) else () for some in tools)
    return counted.examples([(row.chat["messages"], some) for row, some in zip(rows, declared, strict=True)])


def _check_file(source: Source, limits: Rules, whole: Corpus, shapes: dict[str, list[int]], found: Findings) -> None:
    if limits.bom:
        found.forgive("bom")
    n = len(whole.lines) + whole.unreadable
    size = size_of(source)
    if n == 0:
        found.add("file_empty", 0, "file", "No example was found.")
    if limits.max_file_bytes and size > limits.max_file_bytes:
        found.add("file_too_large", 0, "file", f"{size:,} bytes; {limits.called} accepts {limits.max_file_bytes:,}.")
    if limits.min_examples and len(whole.lines) < limits.min_examples:
        there = plural(len(whole.lines), "usable example")
        more = f"The file has {there}, but must have at least {limits.min_examples}."
        found.add("invalid_n_examples", 0, "file", more)
    elif len(whole.lines) < ENOUGH_TO_LEARN:
        found.add("few_examples", 0, "file", f"{plural(len(whole.lines), 'example')}.")
    if limits.max_examples and n > limits.max_examples:
        found.add("too_many_examples", 0, "file", f"{n:,} examples; {limits.called} accepts {limits.max_examples:,}.")
    if whole.truncated > TRUNCATED_SHARE * max(n, 1):
        share = whole.truncated / n
        found.add("truncated_share", 0, "file", f"{whole.truncated:,} of {n:,} examples ({percent(share)}) are longer.")
    _check_shapes(limits, shapes, found)


def _check_shapes(limits: Rules, shapes: dict[str, list[int]], found: Findings) -> None:
    """Rows of a shape that the provider refuses: one problem when the whole file is so, else one a row."""
    refused = {shape: lines for shape, lines in shapes.items() if shape not in limits.shapes}
    for shape, lines in refused.items():
        told = f"{limits.called} accepts {' or '.join(limits.shapes)} rows"
        if len(shapes) == 1:
            found.add("wrong_shape", 0, "file", f"All rows have the format {shape!r}; {told}.")
            continue
        for line in lines:
            found.add("wrong_shape", line, "row", f"The row has the format {shape!r}; {told}.")
    if len(shapes) > 1:
        largest_first = sorted(shapes.items(), key=lambda item: -len(item[1]))
        counts = ", ".join(f"{len(lines):,} × {shape}" for shape, lines in largest_first)
        found.add("mixed_shapes", 0, "file", f"The file mixes {counts}.")


def _texts_of(source: Source, columns: Columns | None, near: bool) -> Corpus:
    other, ignored, told = Corpus(keep_texts=near), Findings(), _columns(source, columns)
    for line, value, broken in rows(source, ignored):
        row: Any = None if broken is not None else shape_of(value, told)
        messages = row.chat.get("messages") if row else None
        if isinstance(messages, list) and messages and all(isinstance(message, dict) for message in messages):
            other.add(line, messages, [text_of(message.get("content")) for message in messages], None, row)
    if not other.lines:
        raise DataError(
            "The split to compare with contains no examples.", fix="Give the validation or test file's path."
        )
    return other
