"""Why a file does not fit the job, as far as its beginning shows (pure).

It says what the files would have to be, or which key reads them as they are. No value is quoted: only delimiters and
the markers of a fixed list, which stand for a missing value.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from batchscore.input.columns import Columns
from batchscore.input.csv_lines import IntArray, MalformedRecordError, TextFormat, split_text
from batchscore.input.diagnosis.cell_diagnosis import (
    NUMBER,
    SPACES_SEEN,
    cells_of,
    explain_cells,
    invalid_cells,
    rows_of,
)
from batchscore.input.diagnosis.findings import FaultKind, are_few, are_nearly_all
from batchscore.input.diagnosis.other_dialects import (
    DELIMITER_KEYS,
    DELIMITERS,
    ESCAPE,
    ESCAPE_KEY,
    keys_that_read,
    lines_of,
)
from batchscore.input.diagnosis.other_spellings import Beginning, further_keys, other_spelling, read_again, worst_column
from batchscore.input.diagnosis.reasons import remedy_of
from batchscore.input.suspicious_lines import UTF8_MARK

LINES_LOOKED_AT = 100
_ESCAPED_QUOTE = '\\"'
ESCAPE_READS_THEM = f"there are quotes with a backslash before them inside quoted values: {ESCAPE_KEY} reads them"
_TRIM = "there are spaces beside quotes: `trim: true` drops them"
_SPACED_VALUES = re.compile(r"[,;|\t] +\S| +[,;|\t]")
_SPACED_QUOTE = re.compile(r'(^|[,;|\t]) +"|"[ ]+([,;|\t]|$)')


def first_lines(data: bytes, text: TextFormat, starts: IntArray | None = None) -> list[str]:
    """Return the first lines of a text without their ends; bytes of another encoding are replaced.

    ``starts`` are those of its records, where these can have several lines.
    """
    if starts is not None:
        bounds = pairwise(starts[: LINES_LOOKED_AT + 1].tolist())
        texts = (data[first:last].decode(text.encoding, errors="replace") for first, last in bounds)
        return [line.removesuffix("\n").removesuffix("\r") for line in texts]
    return lines_of(first_records(data), text)


def first_records(data: bytes, starts: IntArray | None = None) -> bytes:
    """Return the first lines of a text as they are."""
    if starts is not None:
        return data[: starts[: LINES_LOOKED_AT + 1][-1]]
    end = 0
    for _ in range(LINES_LOOKED_AT):
        end = data.find(b"\n", end) + 1
        if not end:
            break
    return data[: end or len(data)]


def explain(start: Beginning, kind: FaultKind, number: int, record_count: int) -> str:
    """Return what the records were expected to be, what they are, and what explains it."""
    reason, column = kind
    expected, got = _expected_and_got(start, reason, column)
    seen = _first_seen(start, reason, column)
    return f"expected {expected}, got {got} in {number} of {record_count} records read; {seen}"


def _expected_and_got(start: Beginning, reason: str, column: str | None) -> tuple[str, str]:
    mark = DELIMITERS.get(start.text.delimiter, f'"{start.text.delimiter}"')
    if reason == "column_count":
        return f"{start.binding.column_count} values with {mark} between them", _usual_count(start)
    if reason == "encoding":
        return f"text in {start.text.encoding}", "other bytes"
    if reason == "unbalanced_quote":
        return "quotes around whole values", "quotes out of place"
    if reason == "line_end_in_quotes":
        return "a record in each line", "quoted values over several lines"
    if reason == "blank":
        return "records", "blank lines"
    if reason == "invalid_value" and column is None:
        return "values of the types of their columns", "others"
    if reason == "too_long":
        return f"records of at most {start.text.max_record_bytes} bytes", "longer ones"
    kinds = {item.name: item.type for item in start.columns.inputs}
    return f"a {kinds.get(column or '', 'value')} in {column}", "something else"


def _usual_count(start: Beginning) -> str:
    [(usual, _)] = Counter(map(len, rows_of(start, start.text.delimiter))).most_common(1) or [(0, 0)]
    more = usual - start.binding.column_count
    if more == 0:
        return "other numbers of values"
    return f"{usual}, {abs(more)} too {'many' if more > 0 else 'few'},"


def _first_seen(start: Beginning, reason: str, column: str | None) -> str:
    if reason == "invalid_value" and column is None:
        column = worst_column(start)
    looks: list[Callable[[], str]] = [lambda: _header_as_record(start)]
    if reason in {"column_count", "unbalanced_quote", "line_end_in_quotes"}:
        looks += [lambda: _escaped_quotes(start)]
    if reason in {"column_count", "unbalanced_quote"}:
        looks += [lambda: _other_delimiter(start), lambda: _trimmed(start, reason), lambda: _spaced_quotes(start)]
    if reason == "column_count":
        looks += [lambda: _ending_delimiter(start)]
    elif reason == "invalid_value" and column is not None:
        looks += [lambda: other_spelling(start, column), lambda: explain_cells(invalid_cells(start, column))]
    for look in looks:
        if seen := look():
            return seen
    return remedy_of(reason)


def _header_as_record(start: Beginning) -> str:
    names = {column.name for column in start.columns.inputs}
    first = {cell.strip() for cell in cells_of(start.first_line, start.text.delimiter, start.text)}
    if not start.columns.has_header and names <= first:
        return "the first line holds the columns' names: `has_header: true` reads it as such"
    return ""


def _other_delimiter(start: Beginning) -> str:
    """Return the delimiter with which nearly all lines have as many values as expected, and most can be read."""
    found = []
    for mark in DELIMITERS:
        if mark == start.text.delimiter or start.binding.column_count < 2:
            continue
        fitting = sum(1 for cells in rows_of(start, mark) if len(cells) == start.binding.column_count)
        if are_nearly_all(fitting, len(start.lines)):
            others, text = further_keys(replace(start, text=replace(start.text, delimiter=mark)))
            found.append((len(read_again(start, text).invalid), mark, others))
    if not found:
        return ""
    _, mark, others = min(found, key=lambda item: (item[0], item[1] == ","))  # commas are in numbers and texts too
    keys = " and ".join([DELIMITER_KEYS[mark], *others])
    return f"with {DELIMITERS[mark]} between the values there are as many as expected: {keys}"


def _trimmed(start: Beginning, reason: str) -> str:
    """Propose the key where nearly all lines are records with it."""
    if start.text.trim:
        return ""
    parsed = read_again(start, replace(start.text, trim=True))
    broken = sum(1 for record in parsed.invalid if record.reason == reason)
    return _TRIM if are_few(broken, parsed.record_count) else ""


def _escaped_quotes(start: Beginning) -> str:
    """Read the lines with a backslash for an escape, and say so if that mends what is wrong with them."""
    lines = [line for line in start.lines if line]
    if not any(_ESCAPED_QUOTE in line for line in lines):
        return ""
    fitting = sum(1 for line in lines if _is_mended(line, start.binding.column_count, start.text))
    return ESCAPE_READS_THEM if are_nearly_all(fitting, len(lines)) else ""


def escape_mends(record: bytes, column_count: int, text: TextFormat) -> bool:
    """Tell whether an invalid record is a whole one if it is read with a backslash for an escape."""
    line = record.decode(text.encoding, errors="replace")
    return _ESCAPED_QUOTE in line and _is_mended(line, column_count, text)


def _is_mended(line: str, column_count: int, text: TextFormat) -> bool:
    escaped = replace(text, escape=ESCAPE)
    return text.escape is None and text.delimiter != ESCAPE and _count(line, escaped) == column_count


def _count(line: str, text: TextFormat) -> int | None:
    """Return how many values a line has, None if its quotes are out of place."""
    try:
        return len(split_text(line, text))
    except MalformedRecordError:
        return None


def _spaced_quotes(start: Beginning) -> str:
    spaced = sum(1 for line in start.lines if _SPACED_QUOTE.search(line))
    if 2 * spaced >= len(start.lines):
        return SPACES_SEEN
    return ""


def _ending_delimiter(start: Beginning) -> str:
    if all(line.endswith(start.text.delimiter) for line in start.lines if line):
        return "each record ends with a delimiter: remove it, or add a name to the header"
    shorter = [len(cells) < start.binding.column_count for cells in rows_of(start, start.text.delimiter)]
    if all(shorter):
        return "the header, or the schema, has more columns than the records: make them the same"
    return "a value that holds the delimiter, as a decimal comma can be one, needs quotes around it"


def explain_header(first_line: str, columns: Columns, text: TextFormat, records: bytes = b"") -> str:
    """Return what explains a header in which the job's columns are not; empty where nothing does.

    ``first_line`` is decoded with ``surrogateescape``, so that other encodings can be tried; ``records`` follow it.
    """
    header = first_line.encode(text.encoding, errors="surrogateescape")
    if columns.reads_header and (keys := keys_that_read(header, records, columns, text)):
        return keys
    if header.startswith(UTF8_MARK):
        return "the file begins with the byte-order mark of UTF-8: `encoding: utf-8` reads it"
    if "\r" in first_line:
        return "its lines end in carriage returns alone: convert them to newlines"
    wanted = _wanted_names(columns)
    cells = {cell.strip() for cell in cells_of(first_line, text.delimiter, text)}
    if title := _title_line(cells, wanted, text, records):
        return title
    if len(cells) == 1 and (other := _held_delimiter(first_line, text.delimiter)):
        return f"the first line is one name and holds {DELIMITERS[other]}: {DELIMITER_KEYS[other]}"
    if columns.by_position:
        return ""
    if not wanted <= cells and {name.casefold() for name in wanted} <= {cell.casefold() for cell in cells}:
        return "the names are there in other letters: upper and lower case are told apart"
    is_told = columns.header_is_told and columns.has_header
    if not is_told and not wanted & cells and (any(map(NUMBER.fullmatch, cells)) or len(cells) == len(wanted)):
        spaced = not text.trim and _SPACED_VALUES.search(first_line)
        return (
            "the first line holds none of the names, so it may be a record: `has_header: false` reads it as one, with "
            "`names` where the columns are not the model's inputs in their order"
            f"{'; there are spaces beside its values: `trim: true`' if spaced else ''}"
        )
    return ""


def _title_line(cells: set[str], wanted: set[str], text: TextFormat, records: bytes) -> str:
    """Return what helps where the first line stands before the header, or in its place; empty where it is neither."""
    lines = lines_of(records, text)
    for number, line in enumerate(lines, 2):
        if len(wanted) > 1 and any(
            wanted <= {cell.strip() for cell in cells_of(line, mark, text)} for mark in DELIMITERS
        ):
            return f"the names are in line {number}: remove the lines before it"
    counts = Counter(len(cells_of(line, text.delimiter, text)) for line in lines if line)
    [(usual, number)] = counts.most_common(1) or [(1, 0)]
    if len(cells) == 1 and 1 < len(wanted) <= usual and are_nearly_all(number, counts.total()):
        return f"the first line is no header of the {usual} values after it: `has_header: true` with `names` drops it"
    return ""


def _wanted_names(columns: Columns) -> set[str]:
    """Return the names that a header must have; where no input is required, those of all."""
    needed = {column.name for column in columns.inputs if not column.may_be_absent}
    return (needed or {column.name for column in columns.inputs}) | {*columns.required_sources}


def _held_delimiter(line: str, delimiter: str) -> str:
    """Return the delimiter that a line holds most of, beside the job's; empty where it holds none."""
    counts = {mark: line.count(mark) for mark in DELIMITERS if mark != delimiter}
    mark = max(counts, key=lambda mark: counts[mark])
    return mark if counts[mark] else ""
