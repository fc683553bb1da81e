"""Inputs as they were planned, and the byte ranges they are cut into (pure)."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from batchscore.storage.base import StoredObject


@dataclass(frozen=True, slots=True)
class InputFile:
    """An input as it was planned.

    ``name`` is its place below the result folder. ``header`` is its header record where the driver has read it, which
    it does for inputs of several splits.
    """

    source: StoredObject
    name: str
    split_count: int
    header: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """A byte range of an input: the records whose first byte lies in [start, stop)."""

    index: int
    input_index: int
    number: int
    start: int
    stop: int


@dataclass(frozen=True)
class Splits:
    """All splits of a job in order, made when they are asked for: 16 bytes for each input, none for a split.

    ``firsts`` are the indices of the inputs' first splits, and at the end the number of splits.
    """

    split_bytes: int
    sizes_in_bytes: array[int]
    firsts: array[int]

    def __len__(self) -> int:
        return self.firsts[-1]

    def __getitem__(self, index: int) -> Split:
        if not 0 <= index < len(self):
            raise IndexError(f"split {index}: expected one of {len(self)}")
        input_index = bisect_right(self.firsts, index) - 1
        return self._split(index, input_index, self.firsts[input_index], self.firsts[input_index + 1])

    def __iter__(self) -> Iterator[Split]:
        for input_index, (first, after) in enumerate(pairwise(self.firsts)):
            for index in range(first, after):
                yield self._split(index, input_index, first, after)

    def _split(self, index: int, input_index: int, first: int, after: int) -> Split:
        start = (index - first) * self.split_bytes
        stop = self.sizes_in_bytes[input_index] if index == after - 1 else start + self.split_bytes
        return Split(index, input_index, index - first, start, stop)


def with_headers(inputs: Sequence[InputFile], headers: Mapping[str, tuple[str, ...]]) -> tuple[InputFile, ...]:
    """Return the inputs with the header records that are known by URI."""
    return tuple(
        replace(item, header=headers[item.source.uri]) if item.source.uri in headers else item for item in inputs
    )


def make_splits(inputs: Sequence[InputFile], split_bytes: int) -> Splits:
    """Cut the inputs into byte ranges; the cuts depend on the inputs and ``split_bytes`` alone."""
    sizes = array("q", [item.source.size_in_bytes for item in inputs])
    firsts = array("q", accumulate((item.split_count for item in inputs), initial=0))
    return Splits(split_bytes, sizes, firsts)
