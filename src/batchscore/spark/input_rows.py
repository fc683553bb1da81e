"""Parsed records -> rows of a DataFrame, a row for each record of the inputs, invalid ones too (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from batchscore.errors import ConfigError
from batchscore.input.binding import Binding
from batchscore.input.columns import Column, Columns, ColumnType
from batchscore.input.parsed_block import ParsedBlock

INVALID, INPUT, ROW = "_invalid", "_input", "_row"

ARROW_TYPES: dict[ColumnType, pa.DataType] = {
    "double": pa.float64(),
    "float": pa.float32(),
    "long": pa.int64(),
    "integer": pa.int32(),
    "boolean": pa.bool_(),
    "string": pa.string(),
    "datetime": pa.timestamp("us"),  # without a zone, as files tell it; Spark keeps no nanoseconds
}
"""How Spark has the types of a signature."""


@dataclass(frozen=True)
class RowColumns:
    """The columns of the rows: the model's inputs under ``names``, then what else is echoed, then what is told of each.

    ``echoed`` are those columns by their place among all that are echoed.
    """

    inputs: tuple[Column, ...]
    names: tuple[str, ...]
    echoed: tuple[tuple[int, str], ...]

    @property
    def schema(self) -> pa.Schema:
        """The names and types of the columns."""
        typed = [(name, ARROW_TYPES[column.type]) for name, column in zip(self.names, self.inputs, strict=True)]
        texts = [(name, pa.string()) for _, name in self.echoed]
        return pa.schema([*typed, *texts, (INVALID, pa.string()), (INPUT, pa.string()), (ROW, pa.int64())])


def row_columns(columns: Columns, header: Sequence[str] | None, *, case_sensitive: bool) -> RowColumns:
    """Return the columns of the rows of a job's inputs.

    ``header`` are the names that the first input tells, after which those that are bound in order are called. Raises
    ConfigError where two columns would have one name.
    """
    names = _names_of_inputs(columns, header)
    sources = dict[str, int]()
    for place, column in enumerate(columns.echoed):
        if column.source not in names:
            sources.setdefault(column.source, place)
    found = RowColumns(columns.inputs, names, tuple((place, name) for name, place in sources.items()))
    _check_names(found.schema.names, case_sensitive=case_sensitive)
    return found


def _names_of_inputs(columns: Columns, header: Sequence[str] | None) -> tuple[str, ...]:
    told = header if header is not None else columns.names
    if columns.by_position and told is not None:
        return tuple(name for name in told if name not in {columns.row_id, columns.target})
    return tuple(column.name for column in columns.inputs)


def _check_names(names: Sequence[str], *, case_sensitive: bool) -> None:
    known = names if case_sensitive else [name.lower() for name in names]
    counts = Counter(known)
    twice = [name for name, key in zip(names, known, strict=True) if counts[key] > 1]
    if twice:
        letters = "" if case_sensitive else " to Spark, which minds no case unless spark.sql.caseSensitive is true"
        raise ConfigError(
            f"columns of the inputs: expected different names{letters}, beside {INVALID}, {INPUT} and {ROW}, "
            f"got {', '.join(twice)}; rename them in the files and the model, or leave one out of what is echoed"
        )


def record_rows(
    block: ParsedBlock, binding: Binding, columns: RowColumns, uri: str, rows_before: int
) -> pa.RecordBatch:
    """Return the records of a block of an input as rows; ``rows_before`` of its records stand before them."""
    count = block.record_count
    reasons: list[str | None] = [None] * count
    for record in block.invalid:
        reasons[record.line] = record.reason
    unread = np.zeros(count, bool)
    unread[[record.line for record in block.invalid if record.stage == "parse"]] = True
    arrays = [
        *_inputs(block, columns),
        *(_texts(block.echoed[place], unread, binding.echo_positions[place]) for place, _ in columns.echoed),
        pa.array(reasons, pa.string()),
        pa.repeat(pa.scalar(uri, pa.string()), count),
        pa.array(np.arange(rows_before + 1, rows_before + count + 1)),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=columns.schema)


def _inputs(block: ParsedBlock, columns: RowColumns) -> list[pa.Array]:
    """Return the model's inputs, null in all of an invalid record."""
    count = block.record_count
    places = np.full(count, -1, np.int64)
    places[block.lines] = np.arange(len(block.lines))
    index = pa.array(places, mask=places < 0) if len(block.lines) < count else None
    if isinstance(block.inputs, np.ndarray):
        given = [pa.array(block.inputs[:, place], from_pandas=True) for place in range(block.inputs.shape[1])]
    else:
        given = [values.combine_chunks() for values in block.inputs.columns]
    spread = (values if index is None else values.take(index) for values in given)
    return [_in_type(values, column) for values, column in zip(spread, columns.inputs, strict=True)]


def _in_type(values: pa.Array, column: Column) -> pa.Array:
    plain = values.dictionary_decode() if pa.types.is_dictionary(values.type) else values
    return plain.cast(ARROW_TYPES[column.type], safe=column.type not in {"float", "datetime"})


def _texts(texts: pa.StringArray, unread: np.ndarray[tuple[int], np.dtype[np.bool_]], place: int | None) -> pa.Array:
    """Return echoed texts, null where a record could not be parsed, and in all of a file that lacks the column."""
    if place is None:
        return pa.nulls(len(texts), pa.string())
    return pa.compute.if_else(pa.array(unread), None, texts) if unread.any() else texts
