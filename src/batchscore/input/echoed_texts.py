"""The texts of the echoed columns: of many neighbours as they stand in the records, of others column by column (pure).

Where a file has no quotes a stretch of a record is what a result has of these columns, commas and all: it is copied at
once, neither taken apart nor put together again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batchscore.input.binding import Binding, Neighbours
from batchscore.input.cell_places import CellPlaces
from batchscore.input.cells import texts_between
from batchscore.input.csv_lines import BoolArray, CleanLines, IntArray, TextFormat, line_starts, spread
from batchscore.input.delimiters import Delimiters


@dataclass(frozen=True)
class JoinedTexts:
    """The texts of ``width`` columns, joined by commas for each record; none holds a comma or a quote."""

    width: int
    texts: pa.StringArray

    def column(self, number: int) -> pa.StringArray:
        """Return the texts of one of the columns."""
        return self._cells.take(pa.array(np.arange(number, len(self._cells), self.width)))

    @cached_property
    def _cells(self) -> pa.StringArray:
        return pc.list_flatten(pc.split_pattern(self.texts, ","))


@dataclass(frozen=True)
class EchoedTexts(Sequence[pa.StringArray]):
    """An array for each echoed column, in their order; ``pieces`` has those that come joined as one."""

    pieces: tuple[pa.StringArray | JoinedTexts, ...]

    @cached_property
    def _columns(self) -> tuple[tuple[pa.StringArray | JoinedTexts, int], ...]:
        """For each column the piece that has it, and its number there."""
        widths = (piece.width if isinstance(piece, JoinedTexts) else 1 for piece in self.pieces)
        together = zip(self.pieces, widths, strict=True)
        return tuple((piece, number) for piece, width in together for number in range(width))

    def __len__(self) -> int:
        """Return the number of columns."""
        return len(self._columns)

    @overload
    def __getitem__(self, place: int) -> pa.StringArray: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[pa.StringArray, ...]: ...
    def __getitem__(self, place: int | slice) -> pa.StringArray | tuple[pa.StringArray, ...]:
        """Return the texts of a column."""
        if isinstance(place, slice):
            return tuple(self[number] for number in range(*place.indices(len(self))))
        piece, number = self._columns[place]
        return piece.column(number) if isinstance(piece, JoinedTexts) else piece


def echoed_texts(
    arrays: Mapping[int, pa.Array],
    copied: Mapping[Neighbours, pa.StringArray],
    binding: Binding,
    lines: IntArray,
    record_count: int,
) -> EchoedTexts:
    """Return the echoed columns of all records; the arrays, by position, and what was copied are those of ``lines``."""
    begins = {neighbours.place: (neighbours.width, texts) for neighbours, texts in copied.items()}
    pieces: list[pa.StringArray | JoinedTexts] = []
    place = 0
    while place < len(binding.echo_positions):
        width, texts = begins.get(place, (1, None))
        if texts is None:
            pieces.append(_texts_at(arrays, binding.echo_positions[place], lines, record_count))
        else:
            pieces.append(JoinedTexts(width, spread(texts, lines, record_count, "," * (width - 1))))
        place += width
    return EchoedTexts(tuple(pieces))


def _texts_at(
    arrays: Mapping[int, pa.Array], position: int | None, lines: IntArray, record_count: int
) -> pa.StringArray:
    if position is None:  # the file lacks the column
        return pa.repeat("", record_count)
    return spread(as_strings(arrays[position]), lines, record_count)


def as_strings(texts: pa.Array) -> pa.StringArray:
    """Return texts one for each record, where they may be read each once."""
    return texts.dictionary_decode() if pa.types.is_dictionary(texts.type) else texts


def copyable(data: bytes, binding: Binding, text: TextFormat) -> tuple[Neighbours, ...]:
    """Return the neighbours that clean lines have as a result has them: nothing in them is quoted, or is to be."""
    found = binding.neighbours
    if not found or b'"' in data or (text.delimiter != "," and b"," in data):
        return ()
    return found


def copied_texts(
    clean: CleanLines,
    starts: IntArray | None,
    lines: IntArray,
    neighbours: Sequence[Neighbours],
    column_count: int,
    text: TextFormat,
) -> dict[Neighbours, pa.StringArray]:
    """Return the texts of neighbours in those of the clean lines that have the right number of values.

    ``starts`` are where all clean lines begin, if that is known.
    """
    if not neighbours:
        return {}
    data = clean.data
    starts = line_starts(data) if starts is None else starts
    if len(lines) < len(clean.lines):
        data = _without_lines(data, starts, ~np.isin(clean.lines, lines))
        starts = line_starts(data)
    if text.delimiter != ",":
        data = data.translate(bytes.maketrans(text.delimiter.encode(), b","))
    content = np.frombuffer(data, np.uint8)
    cells = CellPlaces(content, starts, column_count, Delimiters(content == ord(",")))
    if any(item.width < column_count for item in neighbours) and not cells.are_whole():
        raise AssertionError(f"block: expected {column_count} values in each of {cells.count} records, got others")
    return {item: texts_between(content, *cells.cells(item.position, item.width)) for item in neighbours}


def _without_lines(data: bytes, starts: IntArray, is_dropped: BoolArray) -> bytes:
    """Drop some lines: what lies between two of them is copied at once."""
    dropped = np.flatnonzero(is_dropped)
    begins = [0, *starts[dropped + 1].tolist()]
    ends = [*starts[dropped].tolist(), len(data)]
    return b"".join(data[begin:end] for begin, end in zip(begins, ends, strict=True))
