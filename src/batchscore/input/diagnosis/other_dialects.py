"""Which keys together read a file whose header does not fit the job, found by reading its first lines with them (pure).

Delimiter, encoding and escape are tried on the header; where it fits then, the values of the records tell the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

from batchscore.errors import InputError
from batchscore.input.binding import bind
from batchscore.input.columns import Columns
from batchscore.input.csv_lines import MalformedRecordError, TextFormat, decode_header
from batchscore.input.diagnosis.findings import are_few
from batchscore.input.diagnosis.other_spellings import Beginning, further_keys, read_again
from batchscore.input.suspicious_lines import decodes

DELIMITERS = {",": '","', ";": '";"', "\t": "a tab", "|": '"|"'}
DELIMITER_KEYS = {",": '`delimiter: ","`', ";": '`delimiter: ";"`', "\t": "`delimiter: \\t`", "|": '`delimiter: "|"`'}
_RARE = {" ": "a space", "^": '"^"', ":": '":"', "~": '"~"', "#": '"#"', "\x01": "\\x01"}
_RARE_KEYS = {mark: f'`delimiter: "{mark}"`' for mark in _RARE} | {"\x01": '`delimiter: "\\x01"`'}
ESCAPE = "\\"
ESCAPE_KEY = '`escape: "\\\\"`'
_OTHER_ENCODING = "cp1252"


def keys_that_read(header: bytes, records: bytes, columns: Columns, text: TextFormat) -> str:
    """Return the keys with which a header fits the job, and those that its records need then; empty where none do."""
    for other in _others(header, text):
        start = _beginning(header, records, columns, other)
        if start is not None:
            return _told(start, text)
    return ""


def _others(header: bytes, text: TextFormat) -> Iterator[TextFormat]:
    """Yield the formats to try, those that differ least first."""
    encoding = text.encoding if decodes(header, text.encoding) else _OTHER_ENCODING
    escapes = [text.escape] if text.escape or b'\\"' not in header else [None, ESCAPE]
    trims = [text.trim] if text.trim or b' "' not in header else [False, True]
    marks = [text.delimiter, *(mark for mark in (*DELIMITERS, *_RARE) if mark != text.delimiter)]
    for escape, trim, mark in product(escapes, trims, marks):
        other = replace(text, delimiter=mark, encoding=encoding, escape=escape, trim=trim)
        if other != text:
            yield other


def _beginning(header: bytes, records: bytes, columns: Columns, text: TextFormat) -> Beginning | None:
    """Return the first lines of a file as a format has them, None where the header does not fit."""
    try:
        names = decode_header(header, text)
        binding = bind(columns, names, "")
    except (MalformedRecordError, InputError):
        return None
    if len(names) < 2:
        return None
    lines = lines_of(records, text)
    return Beginning(names, header.decode(text.encoding), lines, binding, columns, text)


def lines_of(records: bytes, text: TextFormat) -> list[str]:
    """Return whole lines without their ends; bytes of another encoding are replaced."""
    decoded = records.decode(text.encoding, errors="replace").removesuffix("\n")
    return [line.removesuffix("\r") for line in decoded.split("\n")] if decoded else []


def _told(start: Beginning, text: TextFormat) -> str:
    keys = [*_keys_of_header(start.text, text)]
    if not start.lines:
        return _with_names(start.text, text, " and ".join(keys))
    others, final = further_keys(start)
    parsed = read_again(start, final)
    wrong = len(parsed.invalid)
    reads = "reads" if len(keys + others) == 1 else "read"
    share = "all" if not wrong else "nearly all" if are_few(wrong, parsed.record_count) else ""
    covered = f" {reads} {share} of the first {parsed.record_count} records" if share else ""
    return _with_names(start.text, text, " and ".join([*keys, *others]) + covered)


def _with_names(other: TextFormat, text: TextFormat, keys: str) -> str:
    if other.delimiter == text.delimiter:
        return f"in another format the names are there: {keys}"
    return f"with {(DELIMITERS | _RARE)[other.delimiter]} between them the names are there: {keys}"


def _keys_of_header(other: TextFormat, text: TextFormat) -> Sequence[str]:
    keys = [(DELIMITER_KEYS | _RARE_KEYS)[other.delimiter]] if other.delimiter != text.delimiter else []
    keys += [f"`encoding: {other.encoding}`"] if other.encoding != text.encoding else []
    keys += ["`trim: true`"] if other.trim != text.trim else []
    return keys + ([ESCAPE_KEY] if other.escape != text.escape else [])
