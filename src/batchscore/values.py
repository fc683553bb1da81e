"""Clean lines -> columns of the model's types, with what is invalid or missing (pure)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from batchscore.lines import BoolArray, IntArray, TextFormat
from batchscore.schema import Binding, Column, Columns, ColumnType

BINARY_WORDS = dict.fromkeys(("0", "n", "no", "f", "false"), False) | dict.fromkeys(
    ("1", "y", "yes", "t", "true"), True
)
NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_WHOLE_NUMBER = r"^[+-]?[0-9]+$"
_SPACES = " \t"
_REFUSED_COLUMN = re.compile(r"CSV column #(\d+):")
_INTEGER_TYPES = {"long", "integer"}
_INT64_DIGITS = 19
_LARGEST_EXACT_INTEGER = float(2**53)
LARGEST_FLOAT32 = float(np.finfo(np.float32).max)


def shared_float_type(columns: Sequence[Column]) -> ColumnType | None:
    """Return the type of columns that are all ``double`` or all ``float``, so that one matrix can hold them."""
    types = {column.type for column in columns}
    return columns[0].type if types in ({"double"}, {"float"}) else None


def read_csv_lines(
    data: bytes, lines: IntArray, binding: Binding, columns: Columns, text: TextFormat
) -> tuple[dict[int, pa.Array], IntArray, set[tuple[int, str]]]:
    """Parse clean lines; return arrays by column position, the lines read, and those with a wrong column count."""
    types = {position: _arrow_type(column) for position, column in zip(binding.positions, columns.inputs, strict=True)}
    for position in (binding.row_id_position, binding.target_position):
        if position is not None:
            types[position] = pa.string()
    if len(lines) == 0:
        return {position: pa.array([], kind) for position, kind in types.items()}, lines, set()
    table, wrong_rows = _read_typed(data, binding.column_count, types, text)
    if table.num_rows + len(wrong_rows) != len(lines):
        raise AssertionError(f"block: expected {len(lines)} records, got {table.num_rows + len(wrong_rows)}")
    wrong = np.array(wrong_rows, np.int64)
    faults = {(int(line), "column_count") for line in lines[wrong]}
    read = dict(zip(table.column_names, table.columns, strict=True))
    arrays = {position: _one_chunk(read[str(position)]) for position in types}
    return arrays, np.delete(lines, wrong), faults


def _arrow_type(column: Column) -> pa.DataType:
    if column.type == "string" or _reads_words(column):
        return pa.dictionary(pa.int32(), pa.string())
    if column.required and column.type in _INTEGER_TYPES:
        return pa.int64()
    return pa.float64()


def _reads_words(column: Column) -> bool:
    return column.binary_words or column.type == "boolean"


def _read_typed(
    data: bytes, column_count: int, types: dict[int, pa.DataType], text: TextFormat
) -> tuple[pa.Table, list[int]]:
    """Let pyarrow convert the numbers; where its rules could differ from ours, read them as text instead."""
    numbers = {position for position, kind in types.items() if not _is_text(kind)}
    hexadecimal = pa.int64() in types.values() and (b"0x" in data or b"0X" in data)  # which pyarrow would accept
    unsure = numbers if hexadecimal else set[int]()
    while True:
        try:
            table, wrong_rows = _read_table(data, column_count, types | dict.fromkeys(unsure, pa.string()), text)
        except pa.ArrowInvalid as error:  # a value that is no number
            if unsure == numbers:
                raise
            unsure = _with_refused_column(unsure, numbers, str(error))
            continue
        columns = dict(zip(table.column_names, table.columns, strict=True))
        odd = {position for position in numbers - unsure if not _all_finite(columns[str(position)])}
        if not odd:
            return table, wrong_rows
        unsure = unsure | odd


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
    # Whatever is not finite shows in the sum, which costs a tenth where there are hundreds of columns.
    with np.errstate(over="ignore", invalid="ignore"):
        sums = [
            np.frombuffer(chunk.buffers()[1], np.float64, len(chunk), 8 * chunk.offset).sum() for chunk in values.chunks
        ]
    return bool(np.isfinite(sums).all()) or pc.all(pc.is_finite(values), min_count=0).as_py()


def _read_table(
    data: bytes, column_count: int, types: dict[int, pa.DataType], text: TextFormat
) -> tuple[pa.Table, list[int]]:
    wrong_rows: list[int] = []

    def skip(row: Any) -> str:
        wrong_rows.append(row.number - 1)
        return "skip"

    table = pyarrow.csv.read_csv(
        pa.py_buffer(data),
        # One thread: a task has one core, and only so does pyarrow number the rows it skips.
        pyarrow.csv.ReadOptions(
            use_threads=False,
            block_size=len(data) + 1,
            column_names=[str(position) for position in range(column_count)],
        ),
        pyarrow.csv.ParseOptions(delimiter=text.delimiter, ignore_empty_lines=False, invalid_row_handler=skip),
        pyarrow.csv.ConvertOptions(
            column_types={str(position): kind for position, kind in types.items()},
            include_columns=[str(position) for position in types],
            null_values=[""],
            strings_can_be_null=False,
            check_utf8=False,
        ),
    )
    return table, wrong_rows


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def typed_columns(
    arrays: dict[int, pa.Array], binding: Binding, columns: Sequence[Column]
) -> tuple[list[pa.Array], dict[int, tuple[str, str]], Counter[str]]:
    """Return the model's columns, (attribute, reason) of the first fault by row, and invalid values by column."""
    typed: list[pa.Array] = []
    faults: dict[int, tuple[str, str]] = {}
    invalid_values = Counter[str]()
    for position, column in zip(binding.positions, columns, strict=True):
        values, bad = _converted(arrays[position], column)
        typed.append(values)
        if bad is not None and bad.any():
            invalid_values[column.name] += int(bad.sum())
        if column.required and values.null_count:
            absent = values.is_null().to_numpy(zero_copy_only=False)
            for row in np.flatnonzero(absent).tolist():
                reason = "invalid_value" if bad is not None and bad[row] else "missing_value"
                faults.setdefault(row, (column.name, reason))
    return typed, faults, invalid_values


def _converted(values: pa.Array, column: Column) -> tuple[pa.Array, BoolArray | None]:
    """Return the values in the column's type with nulls for missing and invalid ones, and which are invalid."""
    if column.type == "string":
        return values, None
    if _reads_words(column):
        return _from_words(values, column)
    if pa.types.is_string(values.type):
        return _from_text(values, column)
    if column.type in _INTEGER_TYPES:
        return _whole_numbers(values, column)
    return _float32_numbers(values) if column.type == "float" else (values, None)


def _float32_numbers(values: pa.DoubleArray) -> tuple[pa.Array, BoolArray | None]:
    """Make numbers beyond float32, which would turn infinite, null and say which they were."""
    fits = pc.less_equal(pc.abs(values), LARGEST_FLOAT32)
    if pc.all(fits, min_count=0).as_py():
        return values, None
    return pc.if_else(fits, values, None), pc.invert(fits).fill_null(False).to_numpy(zero_copy_only=False)


def _from_words(values: pa.DictionaryArray, column: Column) -> tuple[pa.Array, BoolArray]:
    words = [word.strip().lower() for word in values.dictionary.to_pylist()]
    meaning = pa.array([BINARY_WORDS.get(word) for word in words], pa.bool_())
    wrong = np.array([bool(word) and word not in BINARY_WORDS for word in words], bool)
    read = meaning.take(values.indices)
    if column.type != "boolean":
        kind = pa.int64() if column.required and column.type in _INTEGER_TYPES else pa.float64()
        read = read.cast(pa.uint8()).cast(kind)
    return read, wrong[values.indices.to_numpy()] if len(words) else np.zeros(len(values), bool)


def _from_text(values: pa.StringArray, column: Column) -> tuple[pa.Array, BoolArray]:
    """Convert value by value; what is no finite number is invalid, spaces around a number are not."""
    trimmed = pc.ascii_trim(values, characters=_SPACES)
    present = pc.not_equal(trimmed, "")
    trimmed = pc.if_else(present, trimmed, None)
    whole = column.required and column.type in _INTEGER_TYPES
    if whole:
        exact = pc.match_substring_regex(trimmed, _WHOLE_NUMBER)
        numbers = _cast_or_null(pc.if_else(exact, _without_plus(trimmed), None), pa.int64())
        rest = _decimal(pc.if_else(exact, None, trimmed))
        integral = pc.and_(pc.equal(pc.floor(rest), rest), pc.less_equal(pc.abs(rest), _LARGEST_EXACT_INTEGER))
        numbers = pc.coalesce(numbers, pc.if_else(integral, rest, None).cast(pa.int64()))
    else:
        numbers = _decimal(trimmed)
    if column.type in _INTEGER_TYPES:
        numbers, _ = _whole_numbers(numbers, column)
    elif column.type == "float":
        numbers, _ = _float32_numbers(numbers)
    bad = pc.and_(present, pc.is_null(numbers)).to_numpy(zero_copy_only=False)
    return numbers, bad


def _decimal(texts: pa.StringArray) -> pa.DoubleArray:
    try:
        numbers = texts.cast(pa.float64())
    except pa.ArrowInvalid:
        numeric = pc.match_substring_regex(texts, NUMBER)
        numbers = pc.if_else(numeric, _without_plus(texts), None).cast(pa.float64())
    return pc.if_else(pc.is_finite(numbers), numbers, None)


def _without_plus(texts: pa.StringArray) -> pa.StringArray:
    if not pc.any(pc.starts_with(texts, "+"), min_count=0).as_py():
        return texts
    return pc.replace_substring_regex(texts, r"^\+", "")  # which pyarrow's cast does not read


def _cast_or_null(texts: pa.StringArray, kind: pa.DataType) -> pa.Array:
    try:
        return texts.cast(kind)
    except pa.ArrowInvalid:  # some number is too large: rare, so one by one
        limits = np.iinfo(np.int64)
        short = (
            text if text is not None and len(text.lstrip("-0")) <= _INT64_DIGITS else None for text in texts.to_pylist()
        )
        numbers = (None if text is None else int(text) for text in short)
        return pa.array([n if n is not None and limits.min <= n <= limits.max else None for n in numbers], kind)


def _whole_numbers(values: pa.Array, column: Column) -> tuple[pa.Array, BoolArray | None]:
    """Make fractions and numbers beyond the integer type null, and say which they were."""
    limits = np.iinfo(np.int32 if column.type == "integer" else np.int64)
    low, high = int(limits.min), int(limits.max)
    if pa.types.is_integer(values.type):
        if column.type == "long":
            return values, None
        fits = pc.and_(pc.greater_equal(values, low), pc.less_equal(values, high))
    else:
        fits = pc.and_(pc.greater_equal(values, float(low)), pc.less_equal(values, float(high)))
        fits = pc.and_(fits, pc.equal(pc.floor(values), values))
    if pc.all(fits, min_count=0).as_py():
        return values, None
    bad = pc.invert(fits).fill_null(False).to_numpy(zero_copy_only=False)
    return pc.if_else(fits, values, None), bad
