"""Why a file does not fit the job, as far as its beginning shows (pure).

It says what the files would have to be, or which key reads them as they are. No value is quoted: only delimiters and
the markers of a fixed list, which stand for a missing value.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

from batchscore.input.columns import Columns
from batchscore.input.csv_lines import IntArray, MalformedRecordError, TextFormat, split_text
from batchscore.input.findings import FaultKind
from batchscore.input.other_spellings import Beginning, other_spelling, read_again
from batchscore.input.reasons import remedy_of

LINES_LOOKED_AT = 100
NULL_MARKERS = frozenset(
    ("?", "-", "--", ".", "*", "\\N", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NaT", "NULL", "Null", "null")
) | {"None", "none", "nil", "<NA>", "(null)"}
_DELIMITERS = {",": '","', ";": '";"', "\t": "a tab", "|": '"|"'}
_KEYS = {",": '","', ";": '";"', "\t": "\\t", "|": '"|"'}
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
_DECIMAL_COMMA = re.compile(r"\s*[+-]?(\d*|\d{1,3}(\.\d{3})+),\d+\s*")
_THOUSANDS = re.compile(r"\s*[+-]?\d{1,3}([,' ]\d{3}){2,}(\.\d+)?\s*|\s*[+-]?\d{1,3}(,\d{3})+\.\d+\s*")
_UNIT = re.compile(r"\s*[$€£¥]\s*[+-]?[\d.,]+\s*|\s*[+-]?[\d.,]+\s*[%$€£¥]\s*")
_ESCAPE = "\\"
_ESCAPED_QUOTE = '\\"'
ESCAPE_READS_THEM = 'there are quotes with a backslash before them inside quoted values: `escape: "\\\\"` reads them'
_SPACES_SEEN = "there are spaces beside quotes: remove them, since a quote counts only next to a delimiter"
_TRIM = "there are spaces beside quotes: `trim: true` drops them"
_SPACED_QUOTE = re.compile(r'(^|[,;|\t]) +"|"[ ]+([,;|\t]|$)')


def first_lines(data: bytes, text: TextFormat, starts: IntArray | None = None) -> list[str]:
    """Return the first lines of a text without their ends; bytes of another encoding are replaced.

    ``starts`` are those of its records, where these can have several lines.
    """
    if starts is not None:
        bounds = pairwise(starts[: LINES_LOOKED_AT + 1].tolist())
        texts = (data[first:last].decode(text.encoding, errors="replace") for first, last in bounds)
        return [line.removesuffix("\n").removesuffix("\r") for line in texts]
    end = 0
    for _ in range(LINES_LOOKED_AT):
        end = data.find(b"\n", end) + 1
        if not end:
            break
    decoded = data[: end or len(data)].decode(text.encoding, errors="replace")
    return [line.removesuffix("\r") for line in decoded.removesuffix("\n").split("\n")]


def explain(start: Beginning, kind: FaultKind, number: int, record_count: int) -> str:
    """Return what the records were expected to be, what they are, and what explains it."""
    reason, column = kind
    expected, got = _expected_and_got(start, reason, column)
    seen = _first_seen(start, reason, column)
    return f"expected {expected}, got {got} in {number} of {record_count} records read; {seen}"


def _expected_and_got(start: Beginning, reason: str, column: str | None) -> tuple[str, str]:
    mark = _DELIMITERS.get(start.text.delimiter, f'"{start.text.delimiter}"')
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
    if reason == "too_long":
        return f"records of at most {start.text.max_record_bytes} bytes", "longer ones"
    kinds = {item.name: item.type for item in start.columns.inputs}
    return f"a {kinds.get(column or '', 'value')} in {column}", "something else"


def _usual_count(start: Beginning) -> str:
    [(usual, _)] = Counter(map(len, _split(start, start.text.delimiter))).most_common(1) or [(0, 0)]
    more = usual - start.binding.column_count
    if more == 0:
        return "other numbers of values"
    return f"{usual}, {abs(more)} too {'many' if more > 0 else 'few'},"


def _first_seen(start: Beginning, reason: str, column: str | None) -> str:
    looks: list[Callable[[], str]] = [lambda: _header_as_record(start)]
    if reason in {"column_count", "unbalanced_quote", "line_end_in_quotes"}:
        looks += [lambda: _escaped_quotes(start)]
    if reason in {"column_count", "unbalanced_quote"}:
        looks += [lambda: _other_delimiter(start), lambda: _trimmed(start, reason), lambda: _spaced_quotes(start)]
    if reason == "column_count":
        looks += [lambda: _ending_delimiter(start)]
    elif column is not None:
        looks += [lambda: other_spelling(start, column), lambda: _in_cells(invalid_cells(start, column))]
    for look in looks:
        if seen := look():
            return seen
    return remedy_of(reason)


def _header_as_record(start: Beginning) -> str:
    names = {column.name for column in start.columns.inputs}
    first = {cell.strip() for cell in _cells(start.first_line, start.text.delimiter, start.text)}
    if not start.columns.has_header and names <= first:
        return "the first line holds the columns' names: `has_header: true` reads it as such"
    return ""


def _other_delimiter(start: Beginning) -> str:
    for mark, shown in _DELIMITERS.items():
        if mark == start.text.delimiter or start.binding.column_count < 2:
            continue
        fitting = sum(1 for cells in _split(start, mark) if len(cells) == start.binding.column_count)
        if fitting and 100 * fitting >= 95 * len(start.lines):
            return f"with {shown} between the values there are as many as expected: `delimiter: {_KEYS[mark]}`"
    return ""


def _trimmed(start: Beginning, reason: str) -> str:
    """Propose the key where nearly all lines are records with it."""
    if start.text.trim:
        return ""
    parsed = read_again(start, replace(start.text, trim=True))
    broken = sum(1 for record in parsed.invalid if record.reason == reason)
    return _TRIM if 20 * broken <= parsed.record_count else ""


def _escaped_quotes(start: Beginning) -> str:
    """Read the lines with a backslash for an escape, and say so if that mends what is wrong with them."""
    lines = [line for line in start.lines if line]
    if not any(_ESCAPED_QUOTE in line for line in lines):
        return ""
    fitting = sum(1 for line in lines if _is_mended(line, start.binding.column_count, start.text))
    return ESCAPE_READS_THEM if 100 * fitting >= 95 * len(lines) else ""


def escape_mends(record: bytes, column_count: int, text: TextFormat) -> bool:
    """Tell whether an invalid record is a whole one if it is read with a backslash for an escape."""
    line = record.decode(text.encoding, errors="replace")
    return _ESCAPED_QUOTE in line and _is_mended(line, column_count, text)


def _is_mended(line: str, column_count: int, text: TextFormat) -> bool:
    escaped = replace(text, escape=_ESCAPE)
    return text.escape is None and text.delimiter != _ESCAPE and _count(line, escaped) == column_count


def _count(line: str, text: TextFormat) -> int | None:
    """Return how many values a line has, None if its quotes are out of place."""
    try:
        return len(split_text(line, text))
    except MalformedRecordError:
        return None


def _spaced_quotes(start: Beginning) -> str:
    spaced = sum(1 for line in start.lines if _SPACED_QUOTE.search(line))
    if 2 * spaced >= len(start.lines):
        return _SPACES_SEEN
    return ""


def _ending_delimiter(start: Beginning) -> str:
    if all(line.endswith(start.text.delimiter) for line in start.lines if line):
        return "each record ends with a delimiter: remove it, or add a name to the header"
    shorter = [len(cells) < start.binding.column_count for cells in _split(start, start.text.delimiter)]
    if all(shorter):
        return "the header, or the schema, has more columns than the records: make them the same"
    return "a value that holds the delimiter, as a decimal comma can be one, needs quotes around it"


def invalid_cells(start: Beginning, column: str) -> list[str]:
    """Return the cells of a model's column that are no numbers, nor empty."""
    place = start.binding.positions[[item.name for item in start.columns.inputs].index(column)]
    if place is None:
        return []
    rows = _split(start, start.text.delimiter)
    cells = [cells[place] for cells in rows if len(cells) == start.binding.column_count]
    return [cell for cell in cells if cell.strip() and not _NUMBER.fullmatch(cell)]


def markers_of(cells: Sequence[str]) -> list[str]:
    """Return the markers of missing values that the cells are, if they are nothing else."""
    found = {cell.strip() for cell in cells}
    return sorted(found) if found and found <= NULL_MARKERS else []


def _in_cells(cells: Sequence[str]) -> str:
    if not cells:
        return "the values are numbers that the type does not hold: see the column's type in the model's signature"
    if markers := markers_of(cells):
        return f"the marker {', '.join(markers)} stands where a value is missing: name it in `null_values`"
    if _are_mostly(cells, lambda cell: '"' in cell):
        return _SPACES_SEEN
    if _are_mostly(cells, _THOUSANDS.fullmatch):
        return "the numbers have separators of thousands: write 1234.5 in place of 1,234.5"
    if _are_mostly(cells, _DECIMAL_COMMA.fullmatch):
        return "the numbers have decimal commas: write 1.5 in place of 1,5"
    if _are_mostly(cells, _UNIT.fullmatch):
        return "the numbers have units or signs of percent beside them: write the numbers alone"
    return "the column holds text: see whether the columns are in the order that the job expects"


def _are_mostly(cells: Sequence[str], test: Callable[[str], object]) -> bool:
    return bool(cells) and 2 * sum(1 for cell in cells if test(cell)) >= len(cells)


def explain_header(first_line: str, columns: Columns, text: TextFormat) -> str:
    """Return what explains a header in which the job's columns are not; empty where nothing does."""
    wanted = _wanted_names(columns)
    for mark, shown in _DELIMITERS.items():
        found = [cell.strip() for cell in _cells(first_line, mark, text)]
        fits = len(found) == len(wanted) if columns.by_position else wanted <= set(found)
        if mark != text.delimiter and len(wanted) > 1 and fits:
            return f"with {shown} between them the names are there: `delimiter: {_KEYS[mark]}`"
    cells = {cell.strip() for cell in _cells(first_line, text.delimiter, text)}
    if len(cells) == 1 and (other := _held_delimiter(first_line, text.delimiter)):
        return f"the first line is one name and holds {_DELIMITERS[other]}: `delimiter: {_KEYS[other]}`"
    if columns.by_position:
        return ""
    if {name.casefold() for name in wanted} <= {cell.casefold() for cell in cells}:
        return "the names are there in other letters: upper and lower case are told apart"
    is_told = columns.header_is_told and columns.has_header
    if not is_told and not wanted & cells and (any(map(_NUMBER.fullmatch, cells)) or len(cells) == len(wanted)):
        return (
            "the first line holds none of the names, so it may be a record: `has_header: false` reads it as one, with "
            "`names` where the columns are not the model's inputs in their order"
        )
    return ""


def _wanted_names(columns: Columns) -> set[str]:
    """Return the names that a header must have; where no input is required, those of all."""
    needed = {column.name for column in columns.inputs if not column.may_be_absent}
    return (needed or {column.name for column in columns.inputs}) | {*columns.required_sources}


def _held_delimiter(line: str, delimiter: str) -> str:
    """Return the delimiter that a line holds most of, beside the job's; empty where it holds none."""
    counts = {mark: line.count(mark) for mark in _DELIMITERS if mark != delimiter}
    mark = max(counts, key=lambda mark: counts[mark])
    return mark if counts[mark] else ""


def _split(start: Beginning, delimiter: str) -> list[list[str]]:
    return [_cells(line, delimiter, start.text) for line in start.lines if line]


def _cells(line: str, delimiter: str, text: TextFormat) -> list[str]:
    """Return the values of a line; where quotes are out of place, what lies between the delimiters."""
    try:
        return split_text(line, replace(text, delimiter=delimiter))
    except MalformedRecordError:
        return line.split(delimiter)
