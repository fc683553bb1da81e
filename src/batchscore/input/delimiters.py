"""Where the n-th delimiter of a text stands, without a list of them all if few are asked for (pure)."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from batchscore.input.csv_lines import BoolArray, IntArray

_WORD = 64  # bytes of text, a bit of the mask for each: what one integer holds
_LISTED = 64  # to list so many costs as much as to find one by counting


class Delimiters:
    """The delimiters of a text, numbered from 0; ``mask`` is true where one stands."""

    def __init__(self, mask: BoolArray) -> None:
        self.mask = mask
        self._asked = 0

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self._counts_before[-1])

    def places(self, numbers: IntArray) -> IntArray:
        """Return where the delimiters of these numbers stand."""
        self._asked += len(numbers)
        if self._asked * _LISTED > self.count:
            return self._list[numbers]
        return self._counted(numbers)

    def _counted(self, numbers: IntArray) -> IntArray:
        """Find each in the word that holds it: rank and select, as succinct data structures have it."""
        before = self._counts_before
        # Rank: delimiter n stands in the last word that has at most n before it.
        word = np.searchsorted(before, numbers, side="right") - 1
        # Select: a row of 64 bytes, 0 or 1, for each number asked for; the ones of all rows, one row after the other.
        bits = np.unpackbits(self._bits[word], axis=1)
        found = np.flatnonzero(bits.view(bool))
        counts = before[word + 1] - before[word]
        # The ones of the rows before it, and those of its own row before it.
        within: IntArray = found[np.cumsum(counts) - counts + numbers - before[word]]
        # From the place among the rows, where word i is row i, to the place in the text.
        return within + (word - np.arange(len(word))) * _WORD

    @cached_property
    def _list(self) -> IntArray:
        return np.flatnonzero(self.mask)

    @cached_property
    def _bits(self) -> npt.NDArray[np.uint8]:
        """The mask, a bit for each byte of the text and a row of eight bytes for each word: shape (words, 8)."""
        bits = np.packbits(self.mask)
        # With zeros up to a whole word: -n % 8 is what n bytes lack to a multiple of eight.
        return np.concatenate([bits, np.zeros(-len(bits) % 8, np.uint8)]).reshape(-1, 8)

    @cached_property
    def _counts_before(self) -> IntArray:
        """How many delimiters stand before each word, and at last before the end."""
        counts = np.zeros(len(self._bits) + 1, np.int64)
        # A row of eight bytes seen as one integer; in which order its bytes stand does not change the number of bits.
        np.cumsum(_bit_counts(self._bits.view(np.int64)[:, 0]), out=counts[1:])
        return counts


def _bit_counts(words: IntArray) -> IntArray:
    """Return the number of bits of each word, in parallel: Warren, Hacker's Delight, 5-1. numpy has it from 2.0 on."""
    # Counts of two, four and eight neighbouring bits; the product adds up those of eight in the highest byte.
    pairs = words - ((words >> 1) & 0x5555555555555555)
    fours = (pairs & 0x3333333333333333) + ((pairs >> 2) & 0x3333333333333333)
    counts: IntArray = (((fours + (fours >> 4)) & 0x0F0F0F0F0F0F0F0F) * 0x0101010101010101) >> 56
    return counts
