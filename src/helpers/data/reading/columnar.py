"""Parquet and Arrow: tables that carry types, names of classes, and nulls where a key was absent."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from helpers.data.report import Findings
from helpers.errors import DataError

ARROW_MARKS = (b"ARROW1", b"\xff\xff\xff\xff")
"""How an Arrow file and an Arrow stream begin; Hugging Face's ``save_to_disk`` writes streams."""

BATCH = 1024


def columnar(data: bytes, largest: int, found: Findings) -> Iterator[dict[str, Any]]:
    """The records of a Parquet or Arrow file: class numbers by their names, absent keys absent.

    Columns of structs are JSON objects with every key that any row has; where a row lacks a key they hold null. So the
    nulls of a struct count as absent keys where at least one of its keys is null in most of the rows that have the
    struct; where every key is filled in most rows a null is a value, and stays.

    Args:
        data: the file's bytes.
        largest: the most bytes that the table may take unpacked.
        found: takes notes of what was replaced or left out.

    Raises:
        DataError: the file is damaged, or unpacks to more than ``largest`` bytes.
    """
    try:
        table = _table(data, largest)
        names = _class_names(table.schema.metadata)
        absent = {path for column in table.column_names for path in _optional(table[column], (column,))}
    except DataError:
        raise
    except Exception as error:  # a damaged file fails in any of the parser's ways
        raise DataError("The Parquet file cannot be read.", got=str(error)[:200], fix="Export it again.") from error
    if names:
        found.add("read_as", 0, "file", f"The class numbers in {_quoted(names)} were replaced by their names.")
    if absent:
        found.add("read_as", 0, "file", f"Nulls of keys that most rows lack were left out in {_quoted(absent)}.")
    try:
        for batch in table.to_batches(BATCH):
            for record in batch.to_pylist():
                for column, feature in names.items():
                    record[column] = _named(record.get(column), feature)
                yield (
                    {key: _without_nulls(value, (key,), absent) for key, value in record.items()} if absent else record
                )
    except Exception as error:
        raise DataError("The Parquet file cannot be read.", got=str(error)[:200], fix="Export it again.") from error


def without_absent(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records of a DataFrame, in which absent keys became nulls when it was read from Parquet: as ``columnar``."""
    import pyarrow as arrow

    absent = set()
    for column in records[0] if records else ():
        values = [record.get(column) for record in records]
        if any(isinstance(value, (dict, list)) for value in values[:BATCH]):
            try:
                absent |= set(_optional(arrow.chunked_array([arrow.array(values)]), (column,)))
            except (arrow.ArrowException, TypeError):  # values of several kinds: never a column of Parquet
                continue
    if not absent:
        return records
    return [{key: _without_nulls(value, (key,), absent) for key, value in record.items()} for record in records]


def _quoted(columns: Iterable) -> str:
    return ", ".join(sorted({repr(column if isinstance(column, str) else column[0]) for column in columns}))


def _table(data: bytes, largest: int) -> Any:
    if data.startswith(ARROW_MARKS):
        import pyarrow as arrow

        reader = arrow.ipc.open_file if data.startswith(b"ARROW1") else arrow.ipc.open_stream
        return reader(data).read_all()
    import pyarrow.parquet as parquet

    file = parquet.ParquetFile(io.BytesIO(data))
    unpacked = sum(file.metadata.row_group(at).total_byte_size for at in range(file.metadata.num_row_groups))
    if unpacked > largest:
        raise DataError("The Parquet file unpacks to more than 1 GiB.", fix="Export a part of it.")
    return file.read()


def _class_names(metadata: dict[bytes, bytes] | None) -> dict[str, Any]:
    """Column → the feature with class names, as Hugging Face's ``datasets`` writes it into the schema."""
    try:
        features = orjson.loads((metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, TypeError, orjson.JSONDecodeError):
        return {}
    if not isinstance(features, dict):
        return {}
    return {column: feature for column, feature in features.items() if _holds_names(feature)}


def _holds_names(feature: Any) -> bool:
    if isinstance(feature, dict):
        return isinstance(feature.get("names"), list) or _holds_names(feature.get("feature"))
    return isinstance(feature, list) and bool(feature) and _holds_names(feature[0])


def _named(value: Any, feature: Any) -> Any:
    """The class's name for its number; a number that has none (-1: not labelled) is empty."""
    if isinstance(value, list):
        inner = feature[0] if isinstance(feature, list) else feature.get("feature", feature)
        return [_named(item, inner) for item in value]
    names = feature.get("names") if isinstance(feature, dict) else None
    if not isinstance(value, int) or not isinstance(names, list):
        return value
    return str(names[value]) if 0 <= value < len(names) else None


def _optional(column: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Paths of structs whose nulls are absent keys: see ``columnar``."""
    import pyarrow as arrow

    kind = column.type
    if arrow.types.is_list(kind) or arrow.types.is_large_list(kind):
        yield from _optional(arrow.compute.list_flatten(column), path)
    elif arrow.types.is_struct(kind):
        fields = column.flatten()
        there = len(column) - column.null_count
        if any(2 * (field.null_count - column.null_count) > there for field in fields):
            yield path
        for at, field in enumerate(fields):
            yield from _optional(field, (*path, kind.field(at).name))


def _without_nulls(value: Any, path: tuple[str, ...], absent: set[tuple[str, ...]]) -> Any:
    if isinstance(value, list):
        return [_without_nulls(item, path, absent) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _without_nulls(item, (*path, key), absent) for key, item in value.items()}
    return {key: item for key, item in kept.items() if item is not None} if path in absent else kept
