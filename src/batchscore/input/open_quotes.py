r"""Lines of quoted values that hold line ends, which this format does not have: found, to be invalid, all (pure).

A line that by itself leaves a quoted value open may be the first of a record over several lines. If it makes such a
record with the lines after it, none of them is a record, also one that looks whole (ADR 26). A record is no longer than
``max_record_bytes``, so what becomes of a line shows in as many bytes before and after it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from batchscore.input.blocks import Block
from batchscore.input.csv_lines import (
    MalformedRecordError,
    OpenQuoteError,
    QuotedLines,
    TextFormat,
    line_starts,
    split_text,
)
from batchscore.input.suspicious_lines import UTF8_MARK, BoolArray, IntArray, has_quote_out_of_place

_LINE_END_BYTES = len("\r\n")


class Surroundings(NamedTuple):
    """What stands around some lines: nothing before them if no line there leaves a value open."""

    before: bytes = b""
    after: bytes = b""


def surrounded(content: Iterator[Block], start: int, stop: int | None, text: TextFormat) -> Iterator[Block]:
    """Yield the lines that begin in [start, stop), of blocks that may begin before and go on after it.

    Each block has what stands around it, as far as lines that leave a value open need it; only for these what follows
    a block is fetched before the block is given away.
    """
    ahead: deque[Block] = deque()
    before = b""
    for block in _in_turn(ahead, content):
        if stop is not None and block.offset >= stop:
            return
        first, last = _line_from(block, start), _line_from(block, stop)
        if first:
            before = open_tail(before, _between(block, 0, first, text), text)
        if first < last:
            tail = open_tail(before, _between(block, first, last, text), text)
            after = _following(block.data[last:], ahead, content, text.max_record_bytes) if tail else b""
            yield replace(
                block,
                offset=block.offset + first,
                data=block.data if (first, last) == (0, len(block.data)) else block.data[first:last],
                ends_input=block.ends_input and last == len(block.data),
                before=before,
                after=after,
            )
            before = tail
        if stop is not None and block.offset + len(block.data) >= stop:
            return


def _in_turn(ahead: deque[Block], content: Iterator[Block]) -> Iterator[Block]:
    while (block := ahead.popleft() if ahead else next(content, None)) is not None:
        yield block


def _line_from(block: Block, place: int | None) -> int:
    """Return where in a block the first line stands that begins at a byte of the input or after it."""
    if place is None or place >= block.offset + len(block.data):
        return len(block.data)
    if place <= block.offset:
        return 0
    return block.data.find(b"\n", place - 1 - block.offset) + 1 or len(block.data)


def _between(block: Block, first: int, last: int, text: TextFormat) -> bytes:
    """Return lines of a block, without the byte-order mark of an input."""
    lines = block.data[first:last]  # nothing is copied of the whole
    return lines.removeprefix(UTF8_MARK) if block.offset + first == 0 and text.encoding == "utf-8" else lines


def _following(rest: bytes, ahead: deque[Block], content: Iterator[Block], longest: int) -> bytes:
    """Return what stands after some lines, as far as a record reaches that begins in them."""
    wanted = longest + _LINE_END_BYTES
    found = rest[:wanted] + b"".join(block.data[:wanted] for block in ahead)
    while len(found) < wanted and (block := next(content, None)) is not None:
        ahead.append(block)
        found += block.data[:wanted]
    return found[:wanted]


def open_tail(before: bytes, lines: bytes, text: TextFormat) -> bytes:
    """Return the last lines of some text from which a record could go on after it; nothing if it leaves none open."""
    longest = text.max_record_bytes
    whole = lines if len(lines) > longest or not before else before + lines
    tail = whole[whole.find(b"\n", len(whole) - longest) + 1 :] if len(whole) > longest else whole
    if not text.covers_lines or b'"' not in tail or not tail.endswith(b"\n"):  # without a line end it is the last
        return b""
    return tail if next(_open_lines(tail, line_starts(tail), text), None) else b""


def pieces_around(block: Block, data: bytes, begin: int, end: int, text: TextFormat) -> Surroundings:
    """Return what stands around [begin, end) of the lines of a block."""
    if begin == 0 and end == len(data):
        return Surroundings(block.before, block.after)
    if text.multiline or (not block.before and b'"' not in data):
        return Surroundings()
    wanted = text.max_record_bytes + _LINE_END_BYTES
    before = open_tail(
        block.before if begin <= text.max_record_bytes else b"", data[max(begin - wanted, 0) : begin], text
    )
    return Surroundings(before, (data[end : end + wanted] + block.after)[:wanted])


def quoted_lines(
    data: bytes, starts: IntArray, around: Surroundings, column_count: int, text: TextFormat
) -> QuotedLines:
    """Return the lines with quotes out of place, and those that a record over several lines would hold."""
    count = len(starts) - 1
    misplaced = has_quote_out_of_place(data, starts, text.quoting) if b'"' in data else np.zeros(count, bool)
    covered = np.zeros(count, bool)
    if around.before or (text.covers_lines and not text.multiline and misplaced.any()):
        opens = list(_open_among(np.flatnonzero(misplaced), data, starts, text))
        if opens or around.before:
            covered = _covered(data, opens, around, column_count, text)
    return QuotedLines(misplaced, covered)


class _OpenLine(NamedTuple):
    """A line that leaves its last value open, and how many values it has with that one."""

    line: int
    values: int


def _open_lines(data: bytes, starts: IntArray, text: TextFormat) -> Iterator[_OpenLine]:
    """Yield the lines of a text that leave a value open."""
    misplaced = np.flatnonzero(has_quote_out_of_place(data, starts, text.quoting))
    return _open_among(misplaced, data, starts, text)


def _open_among(lines: IntArray, data: bytes, starts: IntArray, text: TextFormat) -> Iterator[_OpenLine]:
    bounds = zip(lines.tolist(), starts[lines].tolist(), starts[lines + 1].tolist(), strict=True)
    for line, start, end in bounds:
        found = _read(_content(data[start:end]), text)
        if found is not None and found.is_open:
            yield _OpenLine(line, found.values)


class _Reading(NamedTuple):
    values: int
    is_open: bool


def _content(line: bytes) -> str:
    """Return a line without its end: quotes and delimiters are the same bytes in every encoding."""
    return line.removesuffix(b"\n").removesuffix(b"\r").decode("latin-1")


def _read(line: str, text: TextFormat) -> _Reading | None:
    """Return how many values a line has, and whether it leaves the last one open; None: its quotes are out of place."""
    try:
        return _Reading(len(split_text(line, text)), is_open=False)
    except OpenQuoteError:
        return _Reading(len(split_text(line + '\n"', text)), is_open=True)
    except MalformedRecordError:
        return None


@dataclass(frozen=True)
class _Lines:
    """Lines, in which records over several of them are looked for."""

    data: bytes
    starts: Sequence[int]
    text: TextFormat

    def __len__(self) -> int:
        return len(self.starts) - 1

    def read_on(self, line: int) -> _Reading | None:
        """Read a line at whose start a quoted value is open, which counts as one of its values."""
        return _read('"' + _content(self.data[self.starts[line] : self.starts[line + 1]]), self.text)

    def quoted_from(self, line: int, end: int) -> int:
        """Return the first line from this one on that has a quote before a byte; how many lines there are for none."""
        place = self.data.find(b'"', self.starts[line], end)
        return bisect_right(self.starts, place, line) - 1 if place >= 0 else len(self)

    def length(self, first: int, last: int) -> int:
        """Return the bytes of some lines, without the end of the last."""
        return len(self.data[self.starts[first] : self.starts[last + 1]].removesuffix(b"\n").removesuffix(b"\r"))


def _covered(
    data: bytes, opens: Sequence[_OpenLine], around: Surroundings, column_count: int, text: TextFormat
) -> BoolArray:
    """Find the lines of a block that records over several lines would hold."""
    whole = b"".join([around.before, data, around.after])
    starts = line_starts(whole if whole.endswith(b"\n") else whole + b"\n")
    first = around.before.count(b"\n")
    earlier = _open_lines(around.before, line_starts(around.before), text) if first else ()
    found = np.zeros(len(starts) - 1, bool)
    lines = _Lines(whole, starts.tolist(), text)
    for begin, last in _stretches(lines, [*earlier, *((line + first, values) for line, values in opens)], column_count):
        found[begin : last + 1] = True
    return found[first : first + data.count(b"\n")]


class _Outcome(NamedTuple):
    """What comes of a value that is open at the start of a line: the line reached, more values, whether all closed."""

    line: int
    values: int
    is_closed: bool


def _stretches(lines: _Lines, opens: Iterable[tuple[int, int]], column_count: int) -> Iterator[tuple[int, int]]:
    """Yield the first and the last line of each record over several lines, one for each line that leaves one open.

    From the last to the first, so that each line is read on once: what comes after it is known from then on.
    """
    longest, known = lines.text.max_record_bytes, dict[int, _Outcome]()
    for line, values in reversed(list(opens)):
        found = known[line + 1] = _outcome(lines, line + 1, lines.starts[line] + longest, known)
        fits = found.is_closed and values + found.values == column_count
        if fits and lines.length(line, found.line) <= longest:
            yield line, found.line


def _outcome(lines: _Lines, line: int, end: int, known: dict[int, _Outcome]) -> _Outcome:
    """Read on up to a byte, or to a line from which the outcome is known; lines without a quote belong to the value."""
    values = 0
    while line < len(lines) and lines.starts[line] < end:
        if line in known:
            return known[line]._replace(values=values + known[line].values)
        line = lines.quoted_from(line, end)
        if line == len(lines):
            break
        found = lines.read_on(line)
        if found is None:
            break
        values += found.values - 1
        if not found.is_open:
            return _Outcome(line, values, is_closed=True)
        line += 1
    return _Outcome(line, values, is_closed=False)
