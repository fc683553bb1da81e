"""Clean lines whose model columns are all plain numbers -> one matrix, read as a JSON array (pure).

A line of plain numbers is JSON but for the brackets, and simdjson reads numbers faster than a CSV reader does, to the
same double (ADR 15). So is one with decimal commas, once commas and points have changed places: a number with the other
mark is two then, and too many numbers are no matrix. Whatever is not plain (an absent value, a word, a quote, ``.5``,
``+1``, ``1e999``, a separator of thousands) gives no matrix: then csv_columns reads the lines.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import simdjson

from batchscore.input.binding import Binding
from batchscore.input.cell_places import CellPlaces
from batchscore.input.cells import ByteArray, blank, texts_between
from batchscore.input.columns import Column, Columns
from batchscore.input.csv_columns import shared_float_type
from batchscore.input.csv_lines import IntArray, TextFormat
from batchscore.input.delimiters import Delimiters
from batchscore.input.typed_values import LARGEST_FLOAT32

FloatArray = npt.NDArray[np.float64]

_PIECE_BYTES = 1024 * 1024  # read at a time, so that most of what is made of it stays in the processor's cache
_SPACE, _COMMA, _OPEN, _CLOSE = b" ,[]"
_BLANKS = list(b" \t")
_SWAPPED = bytes.maketrans(b",.", b".,")

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
    kind = shared_float_type(columns.inputs)
    if kind is None or any(column.reads_words_alone for column in columns.inputs):
        return None
    if b'"' in data or b"[" in data:  # pysimdjson would flatten a nested array
        return None
    if text.decimal == text.delimiter:
        return None
    content = np.frombuffer(data, np.uint8)
    # Shape (lines, inputs), at first with the columns in the order that they have in the file.
    numbers = np.empty((len(starts) - 1, len(binding.input_places)))
    texts: dict[int, list[pa.StringArray]] = {}
    for first, last in _pieces(starts):
        start, stop = starts[first], starts[last]
        piece = _read(content[start:stop], starts[first : last + 1] - start, binding, text)
        if piece is None or (kind == "float" and np.abs(piece.numbers).max() > LARGEST_FLOAT32):
            return None
        numbers[first:last] = piece.numbers
        for position, cells in piece.texts.items():
            texts.setdefault(position, []).append(cells)
    if not _without_missing(numbers, columns.inputs):
        return None
    # The rank of each input's place among the places: the column of the file's order that it is.
    order = np.argsort(np.argsort(binding.input_places))
    if (np.diff(order) < 0).any():
        numbers = numbers.take(order, axis=1)
    return NumberLines(
        _with_absent(numbers, binding), {position: pa.concat_arrays(cells) for position, cells in texts.items()}
    )


def _with_absent(numbers: FloatArray, binding: Binding) -> FloatArray:
    """Add the columns that the file lacks, as NaN."""
    found = [number for number, place in enumerate(binding.positions) if place is not None]
    if len(found) == len(binding.positions):
        return numbers
    table = np.full((len(numbers), len(binding.positions)), np.nan)
    table[:, found] = numbers
    return table


def _without_missing(numbers: FloatArray, columns: Sequence[Column]) -> bool:
    """Make the numbers that mean missing, the same in all columns, NaN; False if one could make a record invalid."""
    words = columns[0].missing.numbers
    meant = np.isin(numbers, list(words)) if words else np.zeros(1, bool)
    if not meant.any():
        return True
    if any(column.missing.is_refused for column in columns):
        return False
    numbers[meant] = np.nan
    return True


def _pieces(starts: IntArray) -> Iterator[tuple[int, int]]:
    """Yield stretches [first, last) of lines which together have about a piece's bytes, at least one line each."""
    first, count = 0, len(starts) - 1
    while first < count:
        last = int(np.searchsorted(starts, starts[first] + _PIECE_BYTES))
        last = min(max(last, first + 1), count)
        yield first, last
        first = last


def _read(content: ByteArray, starts: IntArray, binding: Binding, text: TextFormat) -> NumberLines | None:
    delimiters = Delimiters(content == ord(text.delimiter))
    lines = CellPlaces(content, starts, binding.column_count, delimiters)
    if not lines.are_whole():
        return None
    texts = {position: texts_between(content, *lines.cells(position)) for position in binding.text_positions}
    array = _as_array(lines, binding, text)
    numbers = _parsed(array)
    if numbers is None or len(numbers) != lines.count * len(binding.input_places):
        return None
    table = numbers.reshape(lines.count, len(binding.input_places))
    return NumberLines(table, texts) if _sign_zeros(table, lines, np.sort(binding.input_places)) else None


def _as_array(lines: CellPlaces, binding: Binding, text: TextFormat) -> ByteArray:
    """Return the text in brackets, with a comma after each number and spaces for the other cells and delimiters."""
    array = np.empty(len(lines.content) + 1, np.uint8)
    array[0] = _OPEN
    cells = array[1:]
    cells[:] = lines.content if text.decimal == "." else _swapped(lines.content)
    # A sum modulo 256 that turns the delimiter into a comma: numpy's `where` takes ten times as long.
    if text.delimiter != ",":
        cells += lines.delimiters.mask * np.uint8((_COMMA - ord(text.delimiter)) % 256)
    for position in sorted(set(range(binding.column_count)).difference(binding.input_places)):
        blank(cells, *lines.cells(position))
        cells[lines.ends(position)] = _SPACE
    # Line ends are white space to JSON, so the last number of a line needs a comma too, and the last of all none.
    last = max(binding.input_places)
    if last == lines.column_count - 1:
        cells[lines.ends(last)] = _COMMA
    cells[lines.ends(last)[-1]] = _CLOSE
    return array


def _swapped(content: ByteArray) -> ByteArray:
    """Return a text in which commas and points have changed places: neither is the delimiter."""
    return np.frombuffer(content.tobytes().translate(_SWAPPED), np.uint8)


def _parsed(array: ByteArray) -> FloatArray | None:
    if not hasattr(_of_thread, "parser"):
        _of_thread.parser = simdjson.Parser()
    try:
        document = _of_thread.parser.parse(array.data)
        return np.frombuffer(document.as_buffer(of_type="d"), np.float64)
    except (ValueError, TypeError, RuntimeError):  # not JSON, not a number, too large an integer
        return None


def _sign_zeros(table: FloatArray, lines: CellPlaces, positions: IntArray) -> bool:
    """Give the zeros spelt ``-0`` their sign, which JSON's integers have not; False where a spelling is odd."""
    # A zero without a sign has no bit set, one with a sign has the highest; nonzero is slow in two dimensions.
    zeros = np.flatnonzero(table.view(np.int64).reshape(-1) == 0)
    rows, columns = np.divmod(zeros, table.shape[1])
    places = lines.cell_starts(rows, positions[columns])
    while (blank := np.isin(lines.content[places], _BLANKS)).any():
        places += blank
    first = lines.content[places]
    negative = first == ord("-")
    table[rows[negative], columns[negative]] = -0.0
    return bool((negative | (first == ord("0"))).all())
