"""Numbers -> buckets whose edges are the bits of the float64 itself, and their counts (pure). See docs/profile.md.

Sign, exponent and the first bits of the mantissa, read as one whole number, rise as the number does: such a key is the
bucket. From 0.5 to 1 the key is made of 1 - x, which is exact there (Sterbenz), so that both ends of the probabilities
are told apart equally well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

FINE_BITS, COARSE_BITS = 7, 3
_MANTISSA_BITS = 52
_HALF, _ONE = 1022, 1023  # the exponents of 0.5 and 1 as the bits have them
# Below 1 the smallest 1 - x is 2 ** -53, whose exponent is 970: the keys from 0.5 to 1 end at 2 * 1022 - 970 = 1074.
_SHIFT_FROM_ONE = 52  # what keys from 1 on are moved by, so that they follow: 1023 + 52 = 1075
_SPACING_BELOW_ONE = 2.0**-53
_LARGEST = float(np.finfo(np.float64).max)
_PIECE = 8192  # numbers at a time: what is made of them on the way stays in the processor's cache
_DENSE = 16  # times as many places as numbers are counted in one array; beyond that they are sorted


@dataclass(frozen=True)
class Grid:
    """The buckets: ``bits`` of the mantissa, and a number that is an edge besides."""

    bits: int
    cut: float | None = None

    def keys(self, values: FloatArray) -> IntArray:
        """Return the bucket of each finite number; a larger number never has a smaller key."""
        keys = np.empty(len(values), np.int64)
        for first in range(0, len(values), _PIECE):
            keys[first : first + _PIECE] = self._keys(values[first : first + _PIECE])
        return keys

    def _keys(self, values: FloatArray) -> IntArray:
        shift, from_one = _MANTISSA_BITS - self.bits, values >= 1
        near_one = (values >= 0.5) ^ from_one
        falling = near_one | (values < 0)  # the larger the number the smaller the one whose bits are taken
        if falling.any():
            # Those belong to (a, b] in what they are taken from, so that they are in [a, b) themselves.
            places = (np.abs(near_one - values).view(np.int64) - falling) >> shift
            places ^= -falling.astype(np.int64)  # -1 - place where falling
            places += near_one * (2 * _HALF << self.bits)
        else:
            places = (values + 0.0).view(np.int64) >> shift  # -0 is 0
        places += from_one * (_SHIFT_FROM_ONE << self.bits)
        places *= 2
        return places if self.cut is None else places + (values >= self.cut)

    def edges(self, keys: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return of buckets that hold numbers the first number of each, and the first one after it."""
        places, is_above = np.divmod(keys, 2)
        lower, upper = self._first_numbers(places), self._first_numbers(places + 1)
        if self.cut is not None:
            lower = np.where(is_above == 1, np.maximum(lower, self.cut), lower)
            upper = np.where(is_above == 0, np.minimum(upper, self.cut), upper)
        return lower, upper

    def _first_numbers(self, places: IntArray) -> FloatArray:
        """Return the smallest number of each place; of one that is empty that of the next."""
        near_one = (places >= _HALF << self.bits) & (places < (_ONE + _SHIFT_FROM_ONE) << self.bits)
        bits = np.where(places < 0, -places, places)
        bits = np.where(places >= (_ONE + _SHIFT_FROM_ONE) << self.bits, bits - (_SHIFT_FROM_ONE << self.bits), bits)
        bits = np.where(near_one, (2 * _HALF << self.bits) - places, bits)
        numbers = np.minimum((bits << (_MANTISSA_BITS - self.bits)).view(np.float64), _LARGEST)
        # The edge itself may lie between two numbers there: the first number of the bucket is the next one.
        below_one = 1 - np.floor(np.where(near_one, numbers, 0) / _SPACING_BELOW_ONE) * _SPACING_BELOW_ONE
        return np.where(near_one, below_one, np.where(places < 0, -numbers, numbers))


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts by key as JSON holds them: the first key and then the differences; a list of counts for each row."""

    keys: list[int]
    counts: list[list[int]]


class Tally:
    """Whole numbers added up by key, in one or several rows; in whatever order, the sum is the same."""

    def __init__(self, rows: int = 1) -> None:
        self.keys: IntArray = np.empty(0, np.int64)
        self.counts: IntArray = np.empty((rows, 0), np.int64)

    def count(self, keys: IntArray, rows: npt.NDArray[np.integer] | None = None) -> None:
        """Count some keys, each in its row."""
        if len(keys) == 0:
            return
        width = len(self.counts)
        found, counts = _counted(keys if rows is None else keys * width + rows)
        if rows is None:
            self.add(found, counts[np.newaxis])
            return
        places, found = np.divmod(found, width)
        filled, places = np.unique(places, return_inverse=True)
        table = np.zeros((width, len(filled)), np.int64)
        table[found, places] = counts
        self.add(filled, table)

    def add(self, keys: IntArray, counts: IntArray) -> None:
        """Add counts of keys, which rise."""
        if not np.array_equal(keys, self.keys):
            both = _rising(np.concatenate([self.keys, keys]))
            self.counts, self.keys = _spread(self.keys, self.counts, both), both
        self.counts[:, np.searchsorted(self.keys, keys)] += counts

    def add_histogram(self, histogram: Histogram) -> None:
        """Add what another one gave; raises ValueError if that has other rows."""
        keys = np.cumsum(np.array(histogram.keys, np.int64))
        counts = np.array(histogram.counts, np.int64).reshape(len(histogram.counts), -1)
        if counts.shape != (len(self.counts), len(keys)) or (np.diff(keys) <= 0).any():
            raise ValueError("expected counts by rising keys")
        self.add(keys, counts)

    def histogram(self) -> Histogram:
        """Return the counts as JSON holds them."""
        return Histogram(np.diff(self.keys, prepend=0).tolist(), self.counts.tolist())

    def total(self) -> int:
        """Return the sum of all."""
        return int(self.counts.sum())


def _counted(numbers: IntArray) -> tuple[IntArray, IntArray]:
    """Return the different numbers, rising, and how often each is there."""
    first = numbers.min()
    if numbers.max() - first >= _DENSE * len(numbers):
        return np.unique(numbers, return_counts=True)
    counts = np.bincount(numbers - first)
    filled = np.flatnonzero(counts)
    return filled + first, counts[filled]


def _rising(keys: IntArray) -> IntArray:
    """Return the different keys of two stretches that rise: to merge them is quicker than numpy's table of hashes."""
    keys.sort(kind="stable")
    return keys[np.diff(keys, prepend=keys[0] - 1) > 0]


def _spread(keys: IntArray, counts: IntArray, wanted: IntArray) -> IntArray:
    table = np.zeros((len(counts), len(wanted)), np.int64)
    table[:, np.searchsorted(wanted, keys)] = counts
    return table
