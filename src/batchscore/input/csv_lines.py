"""Lines on which pyarrow's reading and the contract's could differ: found with numpy, mended or left out (pure).

Nearly all lines are clean. A suspicious one (a lone carriage return, quotes out of place, a wrong encoding) is read
by the reference parser ``split_record`` and put back as text that pyarrow reads the same way, or left out as invalid.
So what becomes of a record never depends on its neighbours.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from batchscore.input.blocks import MAX_RECORD_BYTES
from batchscore.input.suspicious_lines import (
    Quoting,
    has_blanks_alone,
    has_lone_return,
    holds_mark,
    starts_with_mark,
    undecodable_lines,
)

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
_NEWLINE = 10
_CARRIAGE_RETURN = 13

SpacedCell = tuple[int, int, str]
"""A line, the position of a column, and the unquoted value there with the spaces around it."""


class MalformedRecordError(ValueError):
    """A record is not a line of CSV as the contract has it; the text is the reason code."""


class OpenQuoteError(MalformedRecordError):
    """A quoted value does not end within its record."""


@dataclass(frozen=True)
class TextFormat:
    """How a file spells its records and their values.

    ``empty_last_line_is_record`` says what an empty line after the last record is, in files of several columns.
    ``thousands`` may stand in the whole part of a number; ``decimal`` begins its fraction. ``trim`` drops spaces and
    tabs around values and their quotes. ``datetime_format`` is pandas' ``ISO8601`` or a format of strptime.
    ``max_record_bytes`` are those of a record without its line end. ``covers_lines``: the lines of a quoted value with
    line ends are invalid, all; batchscore 0.1 knew its first line alone to be so. ``multiline``: such a value is one.
    ``escape`` stands before a quote within a quoted value, and before itself, in place of a second quote.
    """

    delimiter: str = ","
    encoding: str = "utf-8"
    empty_last_line_is_record: bool = True
    max_record_bytes: int = MAX_RECORD_BYTES
    covers_lines: bool = True
    multiline: bool = False
    escape: str | None = None
    decimal: str = "."
    thousands: str | None = None
    trim: bool = False
    datetime_format: str = "ISO8601"

    @property
    def blanks(self) -> str:
        """The characters that are dropped around values."""
        return blanks_beside(self.delimiter) if self.trim else ""

    @property
    def quoting(self) -> Quoting:
        """What stands beside quotes, and within them."""
        return Quoting(self.delimiter, self.blanks, self.escape)


class QuotedLines(NamedTuple):
    """The lines of some text with quotes out of place, and those ``covered`` by quoted values with line ends."""

    misplaced: BoolArray
    covered: BoolArray


PLAIN = TextFormat()


def blanks_beside(delimiter: str) -> str:
    """Return the characters that ``trim`` drops: a delimiter is none."""
    return " \t".replace(delimiter, "")


def split_record(
    line: str, delimiter: str, trim: bool = False, escape: str | None = None, kept: Collection[int] = ()
) -> list[str]:
    """Return the values of one record without its line end: the reference that pyarrow's parsing must equal.

    A value that begins with a double quote ends with one; a doubled quote inside stands for one (RFC 4180). A quote
    elsewhere is an ordinary character. With ``trim`` spaces and tabs around values and around their quotes are dropped,
    but none within quotes, and none of unquoted values of the columns ``kept``. With ``escape`` that before a quote or
    itself is what stands for one inside quotes, and no doubled quote does. Raises MalformedRecordError.
    """
    blanks = blanks_beside(delimiter) if trim else ""
    values: list[str] = []
    place, length = 0, len(line)
    while True:
        start = _past(blanks, line, place)
        if start < length and line[start] == '"':
            value, place = _quoted_value(line, start + 1, delimiter, blanks, escape)
        else:
            end = line.find(delimiter, place)
            end = length if end < 0 else end
            value, place = line[place:end], end
            if blanks and len(values) not in kept:
                value = value.strip(blanks)
        values.append(value)
        if place >= length:
            return values
        place += 1  # past the delimiter


def split_text(line: str, text: TextFormat) -> list[str]:
    """Return the values of one record as a file spells them; raises MalformedRecordError."""
    return split_record(line, text.delimiter, text.trim, text.escape)


def _past(blanks: str, line: str, place: int) -> int:
    """Return the first place from this one on that holds none of the blanks."""
    while place < len(line) and line[place] in blanks:
        place += 1
    return place


def _quoted_value(line: str, place: int, delimiter: str, blanks: str, escape: str | None) -> tuple[str, int]:
    pieces = []
    while True:
        end = line.find('"', place)
        if end < 0:
            raise OpenQuoteError("unbalanced_quote")
        if escape and (mark := line.find(escape, place, end)) >= 0:
            is_escaped = line[mark + 1] in (escape, '"')
            pieces += [line[place:mark], line[mark + is_escaped]]
            place = mark + 1 + is_escaped
            continue
        pieces.append(line[place:end])
        following = line[end + 1 : end + 2]
        if following == '"' and not escape:
            pieces.append('"')
            place = end + 2
            continue
        after = _past(blanks, line, end + 1)
        if line[after : after + 1] in ("", delimiter):
            return "".join(pieces), after
        raise MalformedRecordError("unbalanced_quote")


def decode_header(line: bytes, text: TextFormat) -> list[str]:
    """Return the names of a header record; raises MalformedRecordError."""
    try:
        return split_text(line.rstrip(b"\r\n").decode(text.encoding), text)
    except UnicodeDecodeError:
        raise MalformedRecordError("encoding") from None


def line_starts(data: bytes) -> IntArray:
    """Return where each line begins, and the end of the last: one more than there are lines."""
    newlines = np.flatnonzero(np.frombuffer(data, np.uint8) == _NEWLINE)
    return np.concatenate([np.zeros(1, np.int64), newlines + 1])


@dataclass(frozen=True)
class CleanLines:
    """UTF-8 text that pyarrow reads as the contract says, the lines it holds, and the invalid ones.

    Where spaces around values do not belong to them, those of clean lines are still there; mended lines have none, and
    ``spaced`` are their cells that are echoed as they are written.
    """

    data: bytes = field(repr=False)
    lines: IntArray
    faults: set[tuple[int, str]] = field(default_factory=set)
    spaced: list[SpacedCell] = field(default_factory=list, repr=False)


def clean_lines(
    data: bytes, starts: IntArray, text: TextFormat, quoted: QuotedLines, echoed: Collection[int] = ()
) -> CleanLines:
    """Return the clean lines of some text; ``echoed`` are the positions of the columns that are echoed as written."""
    # In bytes, one for each line, without its line end of one byte or two.
    lengths = np.diff(starts) - 1
    ends_in_return = np.frombuffer(data, np.uint8)[np.maximum(starts[1:] - 2, 0)] == _CARRIAGE_RETURN
    lengths -= ends_in_return & (lengths > 0)
    suspicious = quoted.misplaced | quoted.covered | (lengths == 0) | (lengths > text.max_record_bytes)
    if not data.isascii():
        suspicious[undecodable_lines(data, starts, text.encoding)] = True
        suspicious |= holds_mark(data, starts) if text.trim else starts_with_mark(data, starts)
    if b"\r" in data and data.count(b"\r") != int(ends_in_return.sum()):
        suspicious |= has_lone_return(data, starts)
    if text.trim:
        suspicious |= has_blanks_alone(data, starts, text.blanks)
    if not suspicious.any():
        return CleanLines(_transcoded(data, text.encoding), np.arange(len(lengths)))
    return _repaired(data, starts, suspicious, quoted.covered, text, echoed)


def _repaired(
    data: bytes,
    starts: IntArray,
    suspicious: BoolArray,
    covered: BoolArray,
    text: TextFormat,
    echoed: Collection[int],
) -> CleanLines:
    """Replace the suspicious lines: what lies between two of them is copied as it is, as one piece."""
    faults: set[tuple[int, str]] = set()
    spaced: list[SpacedCell] = []
    pieces = []
    keep = np.ones(len(suspicious), bool)
    clean_from = 0
    lines = np.flatnonzero(suspicious)
    bounds = zip(lines.tolist(), starts[lines].tolist(), starts[lines + 1].tolist(), strict=True)
    for line, start, end in bounds:
        pieces.append(data[clean_from:start])
        clean_from = end
        try:
            decoded = _decoded(data[start:end], text, is_covered=bool(covered[line]))
            pieces.append(_canonical(decoded, text))
            if text.trim:
                spaced += [(line, *cell) for cell in _spaced(decoded, text, echoed)]
        except MalformedRecordError as error:
            faults.add((line, str(error)))
            keep[line] = False
    pieces.append(data[clean_from:])
    return CleanLines(_transcoded(b"".join(pieces), text.encoding), np.flatnonzero(keep), faults, spaced)


def _decoded(line: bytes, text: TextFormat, *, is_covered: bool) -> str:
    """Return the text of a line without its end; raises MalformedRecordError."""
    if is_covered:
        raise MalformedRecordError("line_end_in_quotes")
    content = line[:-1].removesuffix(b"\r")
    if not content:
        raise MalformedRecordError("blank")
    if len(content) > text.max_record_bytes:
        raise MalformedRecordError("too_long")
    try:
        return content.decode(text.encoding)
    except UnicodeDecodeError:
        raise MalformedRecordError("encoding") from None


def _canonical(line: str, text: TextFormat) -> bytes:
    """Return a line spelt so that pyarrow reads it as split_record does; raises MalformedRecordError."""
    values = split_text(line, text)
    quoted = text.delimiter.join('"' + value.replace('"', '""') + '"' for value in values)
    return (quoted + "\n").encode(text.encoding)


def _spaced(line: str, text: TextFormat, echoed: Collection[int]) -> Iterator[tuple[int, str]]:
    """Yield the cells of echoed columns that are written with spaces around them."""
    values = split_text(line, text)
    written = split_record(line, text.delimiter, text.trim, text.escape, kept=echoed)
    return ((place, cell) for place, cell in enumerate(written) if cell != values[place])


def _transcoded(data: bytes, encoding: str) -> bytes:
    if encoding in {"utf-8", "ascii"} or data.isascii():
        return data
    return data.decode(encoding).encode()


def spread(texts: pa.StringArray, lines: IntArray, record_count: int, otherwise: str = "") -> pa.StringArray:
    """Put the texts of some lines at their places among all records, with empty texts or others between."""
    if len(lines) == record_count:
        return texts
    # For each record which of the texts is its own, -1 for none; a null index takes a null.
    places = np.full(record_count, -1, np.int64)
    places[lines] = np.arange(len(lines))
    return texts.take(pa.array(places, mask=places < 0)).fill_null(otherwise)
