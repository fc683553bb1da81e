"""Where the cells of lines stand, each of which has as many, none of them in quotes (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from batchscore.input.cells import ByteArray
from batchscore.input.csv_lines import IntArray
from batchscore.input.delimiters import Delimiters


@dataclass(frozen=True)
class CellPlaces:
    """Lines of ``column_count`` cells each, if they are whole."""

    content: ByteArray
    starts: IntArray
    column_count: int
    delimiters: Delimiters
    _ends: dict[int, IntArray] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """The number of lines."""
        return len(self.starts) - 1

    def are_whole(self) -> bool:
        """Tell whether each line has as many delimiters as it should."""
        each = self.column_count - 1
        if self.delimiters.count != self.count * each:
            return False
        # The total is right; so is each line's number if the first and the last delimiter due to it lie within it.
        return each == 0 or bool(
            (self.ends(0) >= self.starts[:-1]).all() and (self.ends(each - 1) < self.starts[1:]).all()
        )

    def ends(self, position: int) -> IntArray:
        """Return where the delimiter, or the newline, after each cell of a column stands."""
        each = self.column_count - 1
        if position == each:
            return self.starts[1:] - 1
        if position not in self._ends:
            # Where each line has as many, the delimiter after this column is every each-th one.
            self._ends[position] = self.delimiters.places(np.arange(position, self.count * each, each))
        return self._ends[position]

    def cells(self, position: int, count: int = 1) -> tuple[IntArray, IntArray]:
        """Return where so many neighbouring cells of each line begin and end, line ends left out."""
        first = self.starts[:-1] if position == 0 else self.ends(position - 1) + 1
        last = self.ends(position + count - 1)
        if position + count == self.column_count:
            # One byte less where the line ends in a carriage return; in an empty cell that byte is not its own.
            last = last - ((self.content[np.maximum(last - 1, 0)] == ord("\r")) & (last > first))
        return first, last

    def cell_starts(self, rows: IntArray, positions: IntArray) -> IntArray:
        """Return where single cells begin."""
        starts: IntArray = self.starts[rows]
        inner = positions > 0
        before = rows * (self.column_count - 1) + positions - 1
        starts[inner] = self.delimiters.places(before[inner]) + 1
        return starts
