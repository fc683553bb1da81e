r"""Records whose quoted values may hold line ends, found by their quotes from the start of an input on (pure).

A quote opens a value at its start alone, as pandas' C parser has it: elsewhere it is a character, and what follows a
closing quote belongs to the value up to the next delimiter. Memory: a chunk, and what is left of the one before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

import numpy as np

from batchscore.config.values import LONGEST_RECORD_BYTES
from batchscore.input.blocks import Block, empty_last_line
from batchscore.input.csv_lines import MalformedRecordError, TextFormat, line_starts, split_text
from batchscore.input.suspicious_lines import UTF8_MARK, IntArray, quotes_in_place


def read_records(chunks: Iterator[bytes], stop: int | None, text: TextFormat) -> Iterator[Block]:
    """Yield the records of an input whose first byte lies before ``stop`` as blocks, each with its records' starts.

    None is the end. The last block tells so.
    """
    cutter = _Cutter(text)
    for chunk in chunks:
        for block in cutter.cut(chunk):
            if (within := _up_to(block, stop)) is not None:
                yield within
        if stop is not None and cutter.offset >= stop:
            return
    for block in cutter.cut(b"", is_last=True):
        if (within := _up_to(block, stop)) is not None:
            yield within


def _up_to(block: Block, stop: int | None) -> Block | None:
    """Return the records of a block that begin before a byte of the input, None if none does."""
    starts = block.starts
    if stop is None or starts is None or block.offset + len(block.data) <= stop:
        return block
    count = int(np.searchsorted(starts[:-1], stop - block.offset))
    if count == 0:
        return None
    if count == len(starts) - 1:
        return block
    return replace(block, data=block.data[: starts[count]], starts=starts[: count + 1], ends_input=False)


class _Cutter:
    """Cuts chunks into records: ``pending`` begins at byte ``offset`` of the input, where a record begins."""

    def __init__(self, text: TextFormat) -> None:
        self.offset = 0
        self._pending = b""
        self._text = text
        self._is_skipping = False  # the end of a line that is too long

    def cut(self, chunk: bytes, *, is_last: bool = False) -> Iterator[Block]:
        """Yield the records that are whole with a chunk, and after the last all others."""
        self._pending += chunk
        if self._is_skipping:
            end = self._pending.find(b"\n") + 1
            self._is_skipping = not end
            self._pass(end or len(self._pending))
        if self.offset == 0 and self._text.encoding == "utf-8" and self._pending.startswith(UTF8_MARK):
            self._pass(len(UTF8_MARK))
        if self.offset == 0 and not is_last and len(self._pending) < len(UTF8_MARK):
            return
        while self._pending:
            starts, is_clear = self._whole_records(is_last=is_last)
            if len(starts) > 1:
                yield self._taken(starts, ends_input=is_last and starts[-1] == len(self._pending))
            if is_clear and not is_last and len(self._pending) <= LONGEST_RECORD_BYTES:
                return
            if self._pending:
                yield from self._first_line(is_last=is_last)

    def _whole_records(self, *, is_last: bool) -> tuple[IntArray, bool]:
        """Return the starts of the next whole records; not clear: what follows them is to be read as a line."""
        data, text = self._pending, self._text
        if is_last and not data.endswith(b"\n"):
            data += b"\n"
        starts = np.minimum(record_starts(data, text), len(self._pending))
        for record in np.flatnonzero(np.diff(starts) > text.max_record_bytes).tolist():
            if _is_malformed(data[starts[record] : starts[record + 1]], text):
                return starts[: record + 1], False
        if not is_last and len(starts) > 1 and empty_last_line(data[: starts[-1]]):
            return starts[:-1], True  # whether it is the last line of the input shows in what follows
        return starts, True

    def _first_line(self, *, is_last: bool) -> Iterator[Block]:
        """Yield one line as a record: its quote does not end, or ends wrong and too late, so it is a stray one."""
        end = self._pending.find(b"\n") + 1
        if end or is_last:
            end = end or len(self._pending)
            yield self._taken(np.array([0, end]), ends_input=is_last and end == len(self._pending))
        elif len(self._pending) > LONGEST_RECORD_BYTES:
            data = self._pending[: self._text.max_record_bytes + 2] + b"\n"
            yield Block(self.offset, data, starts=np.array([0, len(data)]))
            self._is_skipping = True
            self._pass(len(self._pending))

    def _taken(self, starts: IntArray, *, ends_input: bool) -> Block:
        data = self._pending[: starts[-1]]
        block = Block(self.offset, data, ends_input=ends_input, starts=starts)
        self._pass(len(data))
        return block

    def _pass(self, count: int) -> None:
        self.offset += count
        self._pending = self._pending[count:]


def _is_malformed(record: bytes, text: TextFormat) -> bool:
    """Tell whether a record has quotes out of place, and is one of several lines."""
    content = record.removesuffix(b"\n").removesuffix(b"\r")
    try:
        split_text(content.decode("latin-1"), text)
    except MalformedRecordError:
        return b"\n" in content
    return False


def record_starts(data: bytes, text: TextFormat) -> IntArray:
    """Return where each whole record of some text begins, and where the last one ends.

    Where all quotes are around whole values, a line end ends a record if an even number of quotes stands before it.
    Else the records are found one after the other.
    """
    starts = line_starts(data)
    if b'"' not in data:
        return starts
    quotes = quotes_in_place(data, text.quoting)
    if quotes is None:
        return _one_by_one(data, text)
    outside: IntArray = starts[np.searchsorted(quotes, starts) % 2 == 0]
    return outside


def _one_by_one(data: bytes, text: TextFormat) -> IntArray:
    starts, record = [0], _pattern(text)
    while found := record.match(data, starts[-1]):
        starts.append(found.end())
    return np.array(starts, np.int64)


@lru_cache(maxsize=8)
def _pattern(text: TextFormat) -> re.Pattern[bytes]:
    """Return what a record is: values with delimiters between them, and a line end; nothing is tried twice."""
    mark = re.escape(text.delimiter.encode())
    rest = rb"[^%s\n]*+" % mark
    blanks = b"[%s]*+" % text.blanks.encode() if text.blanks else b""
    quoted = rb'"[^"]*+(?:""[^"]*+)*+"'
    if text.escape:
        quoted = rb'"(?:[^"%s]++|%s[\s\S])*+"' % ((re.escape(text.escape.encode()),) * 2)
    value = rb'%s(?:%s%s|(?!")%s)' % (blanks, quoted, rest, rest)
    return re.compile(rb"%s(?:%s%s)*+\n" % (value, mark, value))
