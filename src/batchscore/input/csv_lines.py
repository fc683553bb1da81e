"""Lines on which pyarrow's reading and the contract's could differ: found with numpy, mended or left out (pure).

Nearly all lines are clean. A suspicious one (a lone carriage return, quotes out of place, a wrong encoding) is read
by the reference parser ``split_record`` and put back as text that pyarrow reads the same way, or left out as invalid.
So what becomes of a record never depends on its neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from batchscore.input.blocks import MAX_RECORD_BYTES

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
_NEWLINE = 10
_CARRIAGE_RETURN = 13
_QUOTE = 34
_LINES_TOGETHER = 64
UTF8_MARK = b"\xef\xbb\xbf"


class MalformedRecordError(ValueError):
    """A record is not a line of CSV as the contract has it; the text is the reason code."""


@dataclass(frozen=True)
class TextFormat:
    """How a file spells its records and their values.

    ``empty_last_line_is_record`` says what an empty line after the last record is, in files of several columns.
    ``thousands`` may stand in the whole part of a number; ``decimal`` begins its fraction.
    """

    delimiter: str = ","
    encoding: str = "utf-8"
    empty_last_line_is_record: bool = True
    decimal: str = "."
    thousands: str | None = None


PLAIN = TextFormat()


def split_record(line: str, delimiter: str) -> list[str]:
    """Return the values of one record without its line end: the reference that pyarrow's parsing must equal.

    A value that begins with a double quote ends with one; a doubled quote inside stands for one (RFC 4180). A quote
    elsewhere is an ordinary character. Raises MalformedRecordError.
    """
    values, place, length = [], 0, len(line)
    while True:
        if place < length and line[place] == '"':
            value, place = _quoted_value(line, place + 1, delimiter)
        else:
            end = line.find(delimiter, place)
            end = length if end < 0 else end
            value, place = line[place:end], end
        values.append(value)
        if place >= length:
            return values
        place += 1  # past the delimiter


def _quoted_value(line: str, place: int, delimiter: str) -> tuple[str, int]:
    pieces = []
    while True:
        end = line.find('"', place)
        if end < 0:
            raise MalformedRecordError("unbalanced_quote")
        pieces.append(line[place:end])
        following = line[end + 1 : end + 2]
        if following == '"':
            pieces.append('"')
            place = end + 2
        elif following in ("", delimiter):
            return "".join(pieces), end + 1
        else:
            raise MalformedRecordError("unbalanced_quote")


def decode_header(line: bytes, text: TextFormat) -> list[str]:
    """Return the names of a header record; raises MalformedRecordError."""
    try:
        return split_record(line.rstrip(b"\r\n").decode(text.encoding), text.delimiter)
    except UnicodeDecodeError:
        raise MalformedRecordError("encoding") from None


def line_starts(data: bytes) -> IntArray:
    """Return where each line begins, and the end of the last: one more than there are lines."""
    newlines = np.flatnonzero(np.frombuffer(data, np.uint8) == _NEWLINE)
    return np.concatenate([np.zeros(1, np.int64), newlines + 1])


def clean_lines(data: bytes, starts: IntArray, text: TextFormat) -> tuple[bytes, IntArray, set[tuple[int, str]]]:
    """Return UTF-8 text that pyarrow reads as the contract says, the lines it holds, and the invalid ones."""
    # In bytes, one for each line, without its line end of one byte or two.
    lengths = np.diff(starts) - 1
    ends_in_return = np.frombuffer(data, np.uint8)[np.maximum(starts[1:] - 2, 0)] == _CARRIAGE_RETURN
    lengths -= ends_in_return & (lengths > 0)
    suspicious = (lengths == 0) | (lengths > MAX_RECORD_BYTES)
    if not data.isascii():
        suspicious[_undecodable_lines(data, starts, text.encoding)] = True
        suspicious |= _starts_with_mark(data, starts)
    if b"\r" in data and data.count(b"\r") != int(ends_in_return.sum()):
        suspicious |= _has_lone_return(data, starts)
    if b'"' in data:
        suspicious |= _has_quote_out_of_place(data, starts, text.delimiter)
    if not suspicious.any():
        return _transcoded(data, text.encoding), np.arange(len(lengths)), set()
    return _repaired(data, starts, suspicious, text)


def _repaired(
    data: bytes, starts: IntArray, suspicious: BoolArray, text: TextFormat
) -> tuple[bytes, IntArray, set[tuple[int, str]]]:
    """Replace the suspicious lines: what lies between two of them is copied as it is, as one piece."""
    faults: set[tuple[int, str]] = set()
    pieces = []
    keep = np.ones(len(suspicious), bool)
    clean_from = 0
    lines = np.flatnonzero(suspicious)
    bounds = zip(lines.tolist(), starts[lines].tolist(), starts[lines + 1].tolist(), strict=True)
    for line, start, end in bounds:
        pieces.append(data[clean_from:start])
        clean_from = end
        try:
            pieces.append(_canonical(data[start:end], text))
        except MalformedRecordError as error:
            faults.add((line, str(error)))
            keep[line] = False
    pieces.append(data[clean_from:])
    return _transcoded(b"".join(pieces), text.encoding), np.flatnonzero(keep), faults


def _canonical(line: bytes, text: TextFormat) -> bytes:
    """Return a line spelt so that pyarrow reads it as split_record does; raises MalformedRecordError."""
    content = line[:-1].removesuffix(b"\r")
    if not content:
        raise MalformedRecordError("blank")
    if len(content) > MAX_RECORD_BYTES:
        raise MalformedRecordError("too_long")
    try:
        decoded = content.decode(text.encoding)
    except UnicodeDecodeError:
        raise MalformedRecordError("encoding") from None
    values = split_record(decoded, text.delimiter)
    quoted = text.delimiter.join('"' + value.replace('"', '""') + '"' for value in values)
    return (quoted + "\n").encode(text.encoding)


def _undecodable_lines(data: bytes, starts: IntArray, encoding: str) -> list[int]:
    """Find the lines that are not of the encoding: by stretches of lines, since most hold none."""
    if _decodes(data, encoding):
        return []
    found: list[int] = []
    for first in range(0, len(starts) - 1, _LINES_TOGETHER):
        last = min(first + _LINES_TOGETHER, len(starts) - 1)
        if not _decodes(data[starts[first] : starts[last]], encoding):
            lines = range(first, last)
            found += [line for line in lines if not _decodes(data[starts[line] : starts[line + 1]], encoding)]
    return found


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _transcoded(data: bytes, encoding: str) -> bytes:
    if encoding in {"utf-8", "ascii"} or data.isascii():
        return data
    return data.decode(encoding).encode()


def _starts_with_mark(data: bytes, starts: IntArray) -> BoolArray:
    """Find the lines that begin with a byte-order mark: pyarrow drops it from the first line that it is given."""
    found: BoolArray = np.frombuffer(data, np.uint8)[starts[:-1]] == UTF8_MARK[0]
    lines = np.flatnonzero(found)
    found[lines] = [data.startswith(UTF8_MARK, start) for start in starts[lines].tolist()]
    return found


def _has_lone_return(data: bytes, starts: IntArray) -> BoolArray:
    text = np.frombuffer(data, np.uint8)
    returns = np.flatnonzero(text == _CARRIAGE_RETURN)
    lone = returns[text[returns + 1] != _NEWLINE]  # data ends in a newline, so there is a next byte
    return _lines_holding(lone, starts)


def _lines_holding(places: IntArray, starts: IntArray) -> BoolArray:
    """Find the lines that bytes at some places are of: for each the last line that starts at it or before."""
    found = np.zeros(len(starts) - 1, bool)
    found[np.searchsorted(starts, places, side="right") - 1] = True
    return found


def _has_quote_out_of_place(data: bytes, starts: IntArray, delimiter: str) -> BoolArray:
    """Find the lines whose quotes are not all of well-formed quoted values.

    Every quote switches between outside and inside. In a well-formed line the number is even, a quote that switches
    to inside stands at the start of a value or right after another quote, and one that switches to outside stands at
    the end of a value or right before another quote.
    """
    text = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(text == _QUOTE)
    counts = np.searchsorted(quotes, starts)  # quotes before each line, and before the end
    odd = (np.diff(counts) % 2).astype(bool)
    # From here on arrays have an item for each quote: its line, whether it is an even one of the line, counted from 0.
    line_of_quote = np.searchsorted(starts, quotes, side="right") - 1
    opens = (np.arange(len(quotes)) - counts[line_of_quote]) % 2 == 0
    mark = ord(delimiter)
    before = np.where(quotes == 0, _NEWLINE, text[np.maximum(quotes - 1, 0)])
    after = text[quotes + 1]
    # Which bytes may stand beside a quote, as tables by the byte's value: looked up, not compared one by one.
    bounds = np.zeros(256, bool)
    bounds[[mark, _NEWLINE, _QUOTE]] = True
    ends = bounds.copy()
    ends[_CARRIAGE_RETURN] = True
    misplaced = np.where(opens, ~bounds[before], ~ends[after])
    found = odd.copy()
    found[line_of_quote[misplaced]] = True
    return found


def spread(texts: pa.StringArray, lines: IntArray, record_count: int) -> pa.StringArray:
    """Put the texts of some lines at their places among all records, with empty texts between."""
    if len(lines) == record_count:
        return texts
    # For each record which of the texts is its own, -1 for none; a null index takes a null.
    places = np.full(record_count, -1, np.int64)
    places[lines] = np.arange(len(lines))
    return texts.take(pa.array(places, mask=places < 0)).fill_null("")
