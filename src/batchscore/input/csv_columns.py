"""Clean lines -> columns as pyarrow parses them: numbers, words, and as text what is not plain (pure)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from batchscore.input.arrow_csv import read_csv
from batchscore.input.binding import Binding
from batchscore.input.columns import Column, Columns, ColumnType
from batchscore.input.csv_lines import IntArray, TextFormat
from batchscore.input.spelt_numbers import EXACT_INTEGERS
from batchscore.input.typed_values import INTEGER_TYPES

_REFUSED_COLUMN = re.compile(r"CSV column #(\d+):")


def shared_float_type(columns: Sequence[Column]) -> ColumnType | None:
    """Return the type of columns that are all ``double`` or all ``float``, so that one matrix can hold them."""
    types = {column.type for column in columns}
    return columns[0].type if types in ({"double"}, {"float"}) else None


def read_csv_lines(
    data: bytes, lines: IntArray, binding: Binding, columns: Columns, text: TextFormat
) -> tuple[dict[int, pa.Array], IntArray, set[tuple[int, str]]]:
    """Parse clean lines; return arrays by column position, the lines read, and those with a wrong column count."""
    places = zip(binding.positions, columns.inputs, strict=True)
    found = [(place, column) for place, column in places if place is not None]
    types = {place: _arrow_type(column) for place, column in found}
    for position in binding.text_positions:
        # A column that the model takes too is read once, as text: for a number the way of those that are not plain.
        if not _is_text(types.get(position, pa.null())):
            types[position] = pa.string()
    types = types or {0: pa.string()}  # of no columns at all pyarrow would read every one
    if len(lines) == 0:
        return {position: pa.array([], kind) for position, kind in types.items()}, lines, set()
    # An optional one is read as float64, which cannot tell all of them apart: _read_typed sees to it.
    whole = {place for place, column in found if column.type == "long"}
    content = _Content(data, binding.column_count, text, _null_words(columns.inputs))
    table, wrong_rows = _read_typed(content, types, whole)
    if table.num_rows + len(wrong_rows) != len(lines):
        raise AssertionError(f"block: expected {len(lines)} records, got {table.num_rows + len(wrong_rows)}")
    wrong = np.array(wrong_rows, np.int64)  # places among the lines given, which may not be all of the block
    faults = {(int(line), "column_count") for line in lines[wrong]}
    read = dict(zip(table.column_names, table.columns, strict=True))
    arrays = {position: _one_chunk(read[str(position)]) for position in types}
    return arrays, np.delete(lines, wrong), faults


def _arrow_type(column: Column) -> pa.DataType:
    if column.type in {"string", "datetime"} or _reads_words(column):
        return pa.dictionary(pa.int32(), pa.string())
    if column.required and column.type in INTEGER_TYPES:
        return pa.int64()
    return pa.float64()


def _reads_words(column: Column) -> bool:
    return column.binary_words or column.type == "boolean"


def _null_words(columns: Sequence[Column]) -> tuple[str, ...]:
    """Return the words that mean missing in columns of numbers: the same in all of them."""
    return next((tuple(sorted(column.missing.words)) for column in columns if column.type != "string"), ("",))


@dataclass(frozen=True)
class _Content:
    """Clean lines, and what pyarrow is to know of them."""

    data: bytes = field(repr=False)
    column_count: int
    text: TextFormat
    null_words: tuple[str, ...]


def _read_typed(content: _Content, types: dict[int, pa.DataType], whole: set[int]) -> tuple[pa.Table, list[int]]:
    """Let pyarrow convert the numbers; where its rules could differ from ours, read them as text instead.

    ``whole`` are the columns of whole numbers of 64 bits, which a float64 cannot all tell apart.
    """
    numbers = {position for position, kind in types.items() if not _is_text(kind)}
    unsure = numbers if pa.int64() in types.values() and _has_hexadecimal(content.data) else set[int]()
    while True:
        try:
            table, wrong_rows = _read_table(content, types | dict.fromkeys(unsure, pa.string()))
        except pa.ArrowInvalid as error:  # a value that is no number
            if unsure == numbers:
                raise
            unsure = _with_refused_column(unsure, numbers, str(error))
            continue
        columns = dict(zip(table.column_names, table.columns, strict=True))
        odd = {
            position
            for position in numbers - unsure
            if not _all_finite(columns[str(position)]) or (position in whole and not _all_exact(columns[str(position)]))
        }
        if not odd:
            return table, wrong_rows
        unsure = unsure | odd


def _has_hexadecimal(data: bytes) -> bool:
    """Tell whether there may be a number that pyarrow would accept as a whole one: a third of the time of a read."""
    return b"0x" in data or b"0X" in data


def _with_refused_column(unsure: set[int], numbers: set[int], message: str) -> set[int]:
    """Add the one column that pyarrow names to those read as text; all, if it is not the first: each costs a read."""
    named = _REFUSED_COLUMN.search(message)
    if unsure or not named or int(named[1]) not in numbers:
        return numbers
    return {int(named[1])}


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_dictionary(kind))


def _all_finite(values: pa.ChunkedArray) -> bool:
    if not pa.types.is_floating(values.type):
        return True
    # Whatever is not finite shows in the sum, which costs a tenth where there are hundreds of columns. A sum of finite
    # numbers can overflow: then they are looked at one by one. Buffer 1 of an array holds its values; its offset is
    # that of a slice, in values of eight bytes.
    with np.errstate(over="ignore", invalid="ignore"):
        sums = [
            np.frombuffer(chunk.buffers()[1], np.float64, len(chunk), 8 * chunk.offset).sum() for chunk in values.chunks
        ]
    return bool(np.isfinite(sums).all()) or pc.all(pc.is_finite(values), min_count=0).as_py()


def _all_exact(values: pa.ChunkedArray) -> bool:
    if not pa.types.is_floating(values.type):
        return True
    return bool(pc.all(pc.less(pc.abs(values), EXACT_INTEGERS), min_count=0).as_py())


def _read_table(content: _Content, types: dict[int, pa.DataType]) -> tuple[pa.Table, list[int]]:
    """Read columns by their places, and the places of the rows with another number of values, which are left out."""
    wrong_rows: list[int] = []

    def skip(row: Any) -> str:
        wrong_rows.append(row.number - 1)  # pyarrow counts from 1
        return "skip"

    table = read_csv(
        content.data,
        # One thread: a task has one core, and only so does pyarrow number the rows it skips.
        pyarrow.csv.ReadOptions(
            use_threads=False,
            block_size=len(content.data) + 1,
            column_names=[str(position) for position in range(content.column_count)],
        ),
        pyarrow.csv.ParseOptions(
            delimiter=content.text.delimiter,
            newlines_in_values=content.text.multiline and b'"' in content.data,
            ignore_empty_lines=False,
            invalid_row_handler=skip,
        ),
        pyarrow.csv.ConvertOptions(
            column_types={str(position): kind for position, kind in types.items()},
            include_columns=[str(position) for position in types],
            null_values=content.null_words,
            strings_can_be_null=False,
            check_utf8=False,
            # It knows no separators of thousands: a column that holds one is refused, and read as text.
            decimal_point=content.text.decimal,
        ),
    )
    return table, wrong_rows


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
