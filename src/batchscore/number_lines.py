"""Clean lines whose model columns are all plain numbers -> one matrix, read as a JSON array (pure).

A line of plain numbers is JSON but for the brackets, and simdjson reads numbers faster than a CSV reader does, to the
same double (ADR 15). Whatever is not plain (an absent value, a word, a quote, ``.5``, ``+1``, ``1e999``) gives no
matrix: then values.py reads the lines.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import simdjson

from batchscore.lines import IntArray, TextFormat
from batchscore.schema import Binding, Columns
from batchscore.values import LARGEST_FLOAT32

FloatArray = npt.NDArray[np.float64]
_ByteArray = npt.NDArray[np.uint8]

_PIECE_BYTES = 1024 * 1024  # read at a time, so that most of what is made of it stays in the processor's cache
_SPACE, _COMMA, _MINUS, _ZERO, _OPEN, _CLOSE = b" ,-0[]"

_of_thread = threading.local()


@dataclass(frozen=True)
class NumberLines:
    """``numbers`` has a row for each line and a column for each of the model's; ``texts`` are the others asked for."""

    numbers: FloatArray
    texts: dict[int, pa.StringArray]


def read_number_lines(
    data: bytes, starts: IntArray, binding: Binding, columns: Columns, text: TextFormat
) -> NumberLines | None:
    """Return the numbers of clean lines, or None if there may be anything else among them."""
    types = {column.type for column in columns.inputs}
    if types not in ({"double"}, {"float"}) or any(column.binary_words for column in columns.inputs):
        return None
    if b'"' in data or b"[" in data:  # pysimdjson would flatten a nested array
        return None
    # Each column in one piece, as pandas would have read it: so a model's sums run in the same order in both readers.
    by_column = np.empty((len(binding.positions), len(starts) - 1))
    texts: dict[int, list[pa.StringArray]] = {}
    for first, last in _pieces(starts):
        start, stop = starts[first], starts[last]
        piece = _read(data[start:stop], starts[first : last + 1] - start, binding, text)
        if piece is None or (types == {"float"} and np.abs(piece.numbers).max() > LARGEST_FLOAT32):
            return None
        by_column[:, first:last] = piece.numbers.T
        for position, cells in piece.texts.items():
            texts.setdefault(position, []).append(cells)
    order = np.argsort(np.argsort(binding.positions))
    if (np.diff(order) < 0).any():
        by_column = by_column[order]
    return NumberLines(by_column.T, {position: pa.concat_arrays(cells) for position, cells in texts.items()})


def _pieces(starts: IntArray) -> Iterator[tuple[int, int]]:
    first, count = 0, len(starts) - 1
    while first < count:
        last = int(np.searchsorted(starts, starts[first] + _PIECE_BYTES))
        last = min(max(last, first + 1), count)
        yield first, last
        first = last


def _read(data: bytes, starts: IntArray, binding: Binding, text: TextFormat) -> NumberLines | None:
    content = np.frombuffer(data, np.uint8)
    ends = _cell_ends(content, starts, binding.column_count, text)
    if ends is None:
        return None
    array = np.empty(len(data) + 1, np.uint8)
    array[0] = _OPEN
    cells = array[1:]
    cells[:] = content
    texts = {
        position: _texts(content, *_bounds(starts, ends, position, content))
        for position in (binding.row_id_position, binding.target_position)
        if position is not None
    }
    if len(binding.positions) < binding.column_count:
        for position in set(range(binding.column_count)).difference(binding.positions):
            _blank(cells, *_bounds(starts, ends, position, content))
    _separate(cells, ends, binding, text)
    numbers = _parsed(array)
    if numbers is None or len(numbers) != len(ends) * len(binding.positions):
        return None
    table = numbers.reshape(len(ends), len(binding.positions))
    return NumberLines(table, texts) if _sign_zeros(table, content, starts, ends, binding) else None


def _cell_ends(content: _ByteArray, starts: IntArray, column_count: int, text: TextFormat) -> IntArray | None:
    """Return where each cell's delimiter or newline stands, by line and column; None if a line has another count."""
    line_ends = starts[1:] - 1
    delimiters = np.flatnonzero(content == ord(text.delimiter))
    if len(delimiters) != len(line_ends) * (column_count - 1):
        return None
    ends = np.column_stack([delimiters.reshape(len(line_ends), column_count - 1), line_ends])
    if column_count > 1 and ((ends[:, 0] < starts[:-1]).any() or (ends[:, -2] > line_ends).any()):
        return None
    return ends


def _bounds(starts: IntArray, ends: IntArray, position: int, content: _ByteArray) -> tuple[IntArray, IntArray]:
    """Return where the cells of a column begin and end, line ends left out."""
    first = starts[:-1] if position == 0 else ends[:, position - 1] + 1
    last = ends[:, position]
    if position == ends.shape[1] - 1:
        last = last - ((content[np.maximum(last - 1, 0)] == ord("\r")) & (last > first))
    return first, last


def _by_length(first: IntArray, last: IntArray) -> Iterator[tuple[int, IntArray]]:
    """Yield each length that cells have, with the lines of those cells."""
    lengths = last - first
    for length in np.flatnonzero(np.bincount(lengths)).tolist():
        if length:
            yield length, np.flatnonzero(lengths == length)


def _windows(content: _ByteArray, length: int) -> npt.NDArray[np.void]:
    """Return a view whose item i are the ``length`` bytes from i on: numpy moves an item at once."""
    return np.ndarray(len(content) - length + 1, f"V{length}", content, 0, (1,))


def _texts(content: _ByteArray, first: IntArray, last: IntArray) -> pa.StringArray:
    offsets = np.zeros(len(first) + 1, np.int32)
    np.cumsum(last - first, out=offsets[1:])
    texts = np.empty(offsets[-1], np.uint8)
    for length, lines in _by_length(first, last):
        _windows(texts, length)[offsets[lines]] = _windows(content, length)[first[lines]]
    return pa.StringArray.from_buffers(len(first), pa.py_buffer(offsets), pa.py_buffer(texts))


def _blank(cells: _ByteArray, first: IntArray, last: IntArray) -> None:
    for length, lines in _by_length(first, last):
        _windows(cells, length)[first[lines]] = np.void(b" " * length)


def _separate(cells: _ByteArray, ends: IntArray, binding: Binding, text: TextFormat) -> None:
    """Put a comma after each number, a bracket after the last one, and spaces for the other delimiters."""
    numbers = set(binding.positions)
    for position in set(range(binding.column_count)) - numbers:
        cells[ends[:, position]] = _SPACE
    for position in numbers if text.delimiter != "," else numbers & {binding.column_count - 1}:
        cells[ends[:, position]] = _COMMA
    cells[ends[-1, max(numbers)]] = _CLOSE


def _parsed(array: _ByteArray) -> FloatArray | None:
    if not hasattr(_of_thread, "parser"):
        _of_thread.parser = simdjson.Parser()
    try:
        document = _of_thread.parser.parse(array.data)
        return np.frombuffer(document.as_buffer(of_type="d"), np.float64)
    except (ValueError, TypeError, RuntimeError):  # not JSON, not a number, too large an integer
        return None


def _sign_zeros(table: FloatArray, content: _ByteArray, starts: IntArray, ends: IntArray, binding: Binding) -> bool:
    """Give the zeros spelt ``-0`` their sign, which JSON's integers have not; False where a spelling is odd."""
    zeros = np.flatnonzero(table.view(np.int64).reshape(-1) == 0)  # without a sign; nonzero is slow in two dimensions
    rows, places = np.divmod(zeros, table.shape[1])
    positions = np.sort(binding.positions)[places]
    first = content[np.where(positions == 0, starts[rows], ends[rows, positions - 1] + 1)]
    negative = first == _MINUS
    table[rows[negative], places[negative]] = -0.0
    return bool((negative | (first == _ZERO)).all())
