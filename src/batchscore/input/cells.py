"""Cells of a text by where they begin and end: copied together, those of the same length at once (pure)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from batchscore.input.csv_lines import IntArray

ByteArray = npt.NDArray[np.uint8]


def texts_between(content: ByteArray, first: IntArray, last: IntArray) -> pa.StringArray:
    """Copy the cells ``content[first[i]:last[i]]`` together, all of one length at once.

    An Arrow array of strings is such bytes and the offset of each text in them, with the end of the last: Arrow's
    columnar format, variable-size binary layout.
    """
    offsets = np.zeros(len(first) + 1, np.int32)
    np.cumsum(last - first, out=offsets[1:])
    texts = np.empty(offsets[-1], np.uint8)
    for length, lines in _by_length(first, last):
        _windows(texts, length)[offsets[lines]] = _windows(content, length)[first[lines]]
    return pa.StringArray.from_buffers(len(first), pa.py_buffer(offsets), pa.py_buffer(texts))


def blank(content: ByteArray, first: IntArray, last: IntArray) -> None:
    """Overwrite cells with spaces."""
    for length, lines in _by_length(first, last):
        _windows(content, length)[first[lines]] = np.void(b" " * length)


def _by_length(first: IntArray, last: IntArray) -> Iterator[tuple[int, IntArray]]:
    """Yield each length that cells have, with the lines of those cells."""
    lengths = last - first
    for length in np.flatnonzero(np.bincount(lengths)).tolist():
        if length:
            yield length, np.flatnonzero(lengths == length)


def _windows(content: ByteArray, length: int) -> npt.NDArray[np.void]:
    """Return a view whose item i are the ``length`` bytes from i on: numpy moves an item at once."""
    return np.ndarray(len(content) - length + 1, f"V{length}", content, 0, (1,))
