"""Clean lines without the spaces beside their values, and the cells that are echoed with theirs (pure).

On clean lines quotes are around whole values, so that an even number of quotes before a byte says that it stands
outside of them. Runs of spaces and tabs outside of quotes that touch a delimiter or a line end are dropped from the
bytes together; all that reads values comes after that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from batchscore.input.cells import texts_between
from batchscore.input.csv_lines import BoolArray, CleanLines, IntArray, TextFormat, line_starts

_NEWLINE, _CARRIAGE_RETURN, _QUOTE = b'\n\r"'
_IN_NO_TEXT = 0xFF  # in none that is UTF-8


@dataclass(frozen=True)
class SpacedCells:
    """The unquoted values of an echoed column that have spaces around them, as they are written, by line."""

    lines: IntArray
    texts: pa.StringArray

    def put_into(self, texts: pa.Array, lines: IntArray) -> pa.StringArray:
        """Return the texts of some lines with these in their places."""
        plain = texts.dictionary_decode() if pa.types.is_dictionary(texts.type) else texts
        rows = np.searchsorted(lines, self.lines)
        rows[rows == len(lines)] = 0
        found = np.flatnonzero(lines[rows] == self.lines) if len(lines) else np.zeros(0, np.int64)
        places = np.arange(len(lines))
        places[rows[found]] = len(lines) + found
        return pa.concat_arrays([plain, self.texts]).take(pa.array(places))


def without_spaces(data: bytes, text: TextFormat) -> bytes:
    """Return clean lines without the spaces and tabs that stand beside delimiters and line ends outside of quotes."""
    marks = _Marks(data, text)
    places = np.flatnonzero(marks.blanks)
    if not len(places):
        return data
    breaks = np.flatnonzero(np.diff(places) > 1) + 1
    first = places[np.concatenate([[0], breaks])]
    after = places[np.concatenate([breaks - 1, [-1]])] + 1  # the text ends in a newline, so there is a next byte
    is_dropped = marks.is_bound[marks.content[first - 1]] | marks.is_bound[marks.content[after]]  # -1 is that newline
    is_dropped &= marks.are_outside(first)
    marked = marks.content.copy()
    marked[places[np.repeat(is_dropped, after - first)]] = _IN_NO_TEXT
    return marked.tobytes().translate(None, bytes([_IN_NO_TEXT]))


def spaced_cells(
    clean: CleanLines, text: TextFormat, column_count: int, echoed: Iterable[int]
) -> Mapping[int, SpacedCells]:
    """Return the cells of echoed columns with spaces around them; lines with a wrong number of values have none."""
    marks, starts = _Marks(clean.data, text), line_starts(clean.data)
    starts = starts[marks.are_outside(starts)]  # a line end within quotes begins no record
    found: dict[int, SpacedCells] = {}
    for position in echoed:
        rows, first, last = _edged(marks, starts, column_count, position)
        mended = [(line, value) for line, place, value in clean.spaced if place == position]
        texts = [texts_between(marks.content, first, last), pa.array([value for _, value in mended], pa.string())]
        numbers = np.concatenate([clean.lines[rows], np.array([line for line, _ in mended], np.int64)])
        if len(numbers):
            found[position] = SpacedCells(numbers, pa.concat_arrays(texts))
    return found


def _edged(marks: _Marks, starts: IntArray, column_count: int, position: int) -> tuple[IntArray, IntArray, IntArray]:
    """Return the lines whose cell of a column has spaces around it and no quotes, and where the cells begin and end."""
    before = np.searchsorted(marks.delimiters, starts)
    rows = np.flatnonzero(np.diff(before) == column_count - 1)
    first = starts[rows] if position == 0 else marks.delimiters[before[rows] + position - 1] + 1
    if position < column_count - 1:
        last = marks.delimiters[before[rows] + position]
    else:
        last = starts[rows + 1] - 1
        last = last - ((marks.content[np.maximum(last - 1, 0)] == _CARRIAGE_RETURN) & (last > first))
    edged = (last > first) & (marks.blanks[first] | marks.blanks[np.maximum(last - 1, 0)])
    edged &= np.searchsorted(marks.quotes, first) == np.searchsorted(marks.quotes, last)
    return rows[edged], first[edged], last[edged]


@dataclass(frozen=True)
class _Marks:
    """Where the marks of clean lines stand."""

    data: bytes
    text: TextFormat

    @cached_property
    def content(self) -> npt.NDArray[np.uint8]:
        return np.frombuffer(self.data, np.uint8)

    @cached_property
    def blanks(self) -> BoolArray:
        """For each byte, whether it is dropped beside a value: compared, which numpy does faster than looking up."""
        found: BoolArray = np.zeros(len(self.content), bool)
        for mark in self.text.blanks.encode():
            found |= self.content == mark
        return found

    @cached_property
    def is_bound(self) -> BoolArray:
        """For each value of a byte, whether a value begins after it or ends before it."""
        table = np.zeros(256, bool)
        table[[ord(self.text.delimiter), _NEWLINE, _CARRIAGE_RETURN]] = True
        return table

    @cached_property
    def quotes(self) -> IntArray:
        return np.flatnonzero(self.content == _QUOTE) if b'"' in self.data else np.zeros(0, np.int64)

    @cached_property
    def delimiters(self) -> IntArray:
        """Those outside of quotes."""
        places = np.flatnonzero(self.content == ord(self.text.delimiter))
        return places[self.are_outside(places)]

    def are_outside(self, places: IntArray) -> BoolArray:
        """Tell which bytes stand outside of quotes."""
        if not len(self.quotes):
            return np.ones(len(places), bool)
        before = np.searchsorted(self.quotes, places)
        outside: BoolArray = before % 2 == 0
        return outside
