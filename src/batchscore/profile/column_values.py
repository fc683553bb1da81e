"""The values of columns, in the kind ``full``: numbers in buckets, texts by count (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batchscore.config.missing_values import Vocabulary
from batchscore.profile.buckets import COARSE_BITS, FloatArray, Grid
from batchscore.profile.distribution import Distribution, DistributionTotals

DISTINCT_TEXTS = 1000
"""So many distinct texts of a column are counted in a split; more of them are not listed at all."""


@dataclass(frozen=True, slots=True)
class TextValues:
    """Texts that the model knows, by count, and the number of others; neither where there are too many kinds."""

    known: dict[str, int]
    other: int
    has_many: bool = False


@dataclass(frozen=True, slots=True)
class TimeRange:
    """The first and the last of some dates and times, in nanoseconds since 1970; None of none."""

    first: int | None
    last: int | None


ColumnValues = Distribution | TextValues | TimeRange
Values = TypeVar("Values")


def _of(kind: type[Values], values: object) -> Values:
    if not isinstance(values, kind):
        raise ValueError("expected values of the column's type")  # noqa: TRY004 - of JSON, as all that is wrong with it
    return values


class NumberColumn(DistributionTotals):
    """Numbers of a column."""

    def __init__(self) -> None:
        super().__init__(Grid(COARSE_BITS))

    def add_values(self, values: ColumnValues) -> None:
        """Add what a split gave; raises ValueError for values of another type."""
        self.add(_of(Distribution, values))

    def count_column(self, values: pa.Array | FloatArray) -> None:
        """Count the values that are there."""
        if isinstance(values, pa.Array):
            values = values.drop_null() if values.null_count else values
            values = values.cast(pa.uint8()) if pa.types.is_boolean(values.type) else values
            numbers = values.to_numpy(zero_copy_only=False)
            self.count(numbers.astype(np.float64, copy=False), exact=numbers)
        else:
            self.count(values[~np.isnan(values)])


class TextColumn:
    """Texts of a column: all of a split until there are too many kinds, then of splits those that the model knows."""

    def __init__(self, vocabulary: Vocabulary | None) -> None:
        self._known = vocabulary.texts if vocabulary else frozenset()
        self._texts = Counter[str]()
        self._other = 0
        self._has_many = False

    def count_column(self, values: pa.DictionaryArray) -> None:
        """Count the values that are there."""
        if self._has_many:
            return
        codes = values.indices.drop_null() if values.null_count else values.indices
        numbers = np.bincount(codes.to_numpy(), minlength=len(values.dictionary))
        filled = np.flatnonzero(numbers)
        if len(filled) <= DISTINCT_TEXTS:
            texts = values.dictionary.take(pa.array(filled)).to_pylist()
            for text, number in zip(texts, numbers[filled].tolist(), strict=True):
                self._texts[text] += number
        if max(len(filled), len(self._texts)) > DISTINCT_TEXTS:
            self._forget()

    def add_values(self, values: ColumnValues) -> None:
        """Add what a split gave; raises ValueError for values of another type."""
        other = _of(TextValues, values)
        self._texts.update(other.known)
        self._other += other.other
        if self._has_many or other.has_many:
            self._forget()

    def _forget(self) -> None:
        self._has_many, self._other = True, 0
        self._texts.clear()

    def sum(self) -> TextValues:
        """Return what was counted, no text among it that the model does not know."""
        known = {text: number for text, number in sorted(self._texts.items()) if text in self._known}
        return TextValues(known, self._other + self._texts.total() - sum(known.values()), self._has_many)


class TimeColumn:
    """Dates and times of a column."""

    def __init__(self) -> None:
        self._found: list[int] = []

    def count_column(self, values: pa.Array) -> None:
        """Count the values that are there."""
        ends = pc.min_max(values.cast(pa.int64())).as_py()
        self.add_values(TimeRange(ends["min"], ends["max"]))

    def add_values(self, values: ColumnValues) -> None:
        """Add what a split gave; raises ValueError for values of another type."""
        other = _of(TimeRange, values)
        found = [*self._found, *(time for time in (other.first, other.last) if time is not None)]
        self._found = [min(found), max(found)] if found else []

    def sum(self) -> TimeRange:
        """Return what was counted."""
        return TimeRange(*self._found) if self._found else TimeRange(None, None)


CountedColumn = NumberColumn | TextColumn | TimeColumn


def counted_column(kind: str, vocabulary: Vocabulary | None) -> CountedColumn:
    """Return what counts a column of a type."""
    if kind == "string":
        return TextColumn(vocabulary)
    return TimeColumn() if kind == "datetime" else NumberColumn()


def count_columns(columns: Sequence[CountedColumn], inputs: pa.Table | FloatArray) -> None:
    """Count the values of records."""
    for place, column in enumerate(columns):
        if isinstance(inputs, pa.Table):
            for chunk in inputs.column(place).chunks:
                column.count_column(chunk)
        elif isinstance(column, NumberColumn):
            column.count_column(inputs[:, place])
