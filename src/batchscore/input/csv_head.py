"""What stands before the records of a CSV file: a byte-order mark, Excel's delimiter line, the header record (pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from batchscore.errors import InputError
from batchscore.input.blocks import Block
from batchscore.input.csv_lines import MalformedRecordError, OpenQuoteError, TextFormat, decode_header
from batchscore.input.suspicious_lines import UTF8_MARK

# Excel's own: `sep=;`, alone in the first line. It tells the delimiter to Excel, and is neither header nor record.
_DELIMITER_LINE = re.compile(rb'(?i:("?)sep=([^\w\r\n".+-])\1(\r?\n|\Z))')
DELIMITER_LINE_BYTES = len(UTF8_MARK) + len(b'"sep=;"\r\n')
"""So far into a file it can reach: a header begins there at the latest."""


@dataclass(frozen=True)
class FileStart:
    """The first lines of a file up to its records: ``size_in_bytes`` of them, the last of which are the ``header``.

    ``is_whole`` is False where more bytes are needed to tell.
    """

    header: bytes
    size_in_bytes: int
    is_whole: bool


def file_start(first: Block, text: TextFormat, uri: str, *, has_header: bool, has_delimiter_line: bool) -> FileStart:
    """Return what stands before the records in the first lines of a file.

    Raises InputError where a delimiter line tells another delimiter than the job's.
    """
    data = first.data
    taken = len(UTF8_MARK) if text.encoding == "utf-8" and data.startswith(UTF8_MARK) else 0
    line = _DELIMITER_LINE.match(data, taken) if has_delimiter_line else None
    if line is not None:
        _check_delimiter(line[2].decode("latin-1"), text.delimiter, uri)
        taken = line.end()
    if not has_header:
        return FileStart(b"", taken, is_whole=True)
    end = _line_end(first, taken)
    return FileStart(data[taken:end], end, is_whole=line is None or end > taken)


def _line_end(first: Block, place: int) -> int:
    """Return where the record ends that begins at a place of the first lines; it may have several lines of its own."""
    if first.starts is not None:
        return int(next((start for start in first.starts if start > place), len(first.data)))
    return first.data.find(b"\n", place) + 1 or len(first.data)


def _check_delimiter(told: str, delimiter: str, uri: str) -> None:
    if told != delimiter:
        shown = {"\t": "a tab"}.get(told, f'"{told}"')
        key = {"\t": "\\t"}.get(told, f'"{told}"')
        raise InputError(
            f'input {uri}: expected the delimiter of the job, got {shown} in its first line, "sep=": '
            f"`delimiter: {key}` reads such files"
        )


def header_names(line: bytes, text: TextFormat, uri: str) -> tuple[str, ...]:
    """Return the names of a header record; raises InputError."""
    longest = text.max_record_bytes
    if len(line.rstrip(b"\r\n")) > longest:
        remedy = "raise `max_record_bytes`, or see whether the line ends are newlines"
        raise InputError(f"header of {uri}: expected at most {longest} bytes, got more; {remedy}")
    try:
        return tuple(decode_header(line, text))
    except OpenQuoteError:
        remedy = "" if text.multiline else "; `multiline: true` reads names that hold line ends"
        raise InputError(f"header of {uri}: expected a record of names, got an open quote{remedy}") from None
    except MalformedRecordError as error:
        raise InputError(f"header of {uri}: expected a record of names, got one with {error}") from None
