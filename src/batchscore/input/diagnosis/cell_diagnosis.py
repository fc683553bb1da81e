"""What the invalid values of a file's first lines are, and what reads them (pure). No value is quoted."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from batchscore.input.csv_lines import MalformedRecordError, TextFormat, split_text
from batchscore.input.diagnosis.findings import are_nearly_all
from batchscore.input.diagnosis.other_spellings import Beginning, other_spelling, read_again

NULL_MARKERS = frozenset(
    ("?", "-", "--", ".", "*", "\\N", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NaT", "NULL", "Null", "null")
) | {"None", "none", "nil", "<NA>", "(null)"}
NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
_DECIMAL_COMMA = re.compile(r"\s*[+-]?(\d*|\d{1,3}(\.\d{3})+),\d+\s*")
_THOUSANDS = re.compile(r"\s*[+-]?\d{1,3}([,' ]\d{3}){2,}(\.\d+)?\s*|\s*[+-]?\d{1,3}(,\d{3})+\.\d+\s*")
_UNIT = re.compile(r"\s*[$€£¥]\s*[+-]?[\d.,]+\s*|\s*[+-]?[\d.,]+\s*[%$€£¥]\s*")
SPACES_SEEN = "there are spaces beside quotes: remove them, since a quote counts only next to a delimiter"


def invalid_cells(start: Beginning, column: str) -> list[str]:
    """Return the cells of a model's column that are no numbers, nor empty."""
    place = start.place_of(column)
    if place is None:
        return []
    rows = rows_of(start, start.text.delimiter)
    cells = [cells[place] for cells in rows if len(cells) == start.binding.column_count]
    return [cell for cell in cells if cell.strip() and not NUMBER.fullmatch(cell)]


def markers_of(cells: Sequence[str]) -> list[str]:
    """Return the markers of missing values that the cells are, if they are nothing else."""
    found = {cell.strip() for cell in cells}
    return sorted(found) if found and found <= NULL_MARKERS else []


def value_hints(start: Beginning) -> dict[str, str]:
    """Return what reads the values of records that have invalid ones, by column; nothing for others."""
    unread = read_again(start, start.text).invalid_values
    hints = {name: other_spelling(start, name) or _marker_hint(start, name, unread[name]) for name in unread}
    return {name: hint for name, hint in hints.items() if hint}


def _marker_hint(start: Beginning, column: str, count: int) -> str:
    markers = [cell.strip() for cell in invalid_cells(start, column) if cell.strip() in NULL_MARKERS]
    return explain_cells(markers) if are_nearly_all(len(markers), count) else ""


def explain_cells(cells: Sequence[str]) -> str:
    """Return what the invalid values of a column are, and what helps."""
    if not cells:
        return "the values are numbers that the type does not hold: see the column's type in the model's signature"
    if markers := markers_of(cells):
        return f"the marker {', '.join(markers)} stands where a value is missing: name it in `null_values`"
    if _are_mostly(cells, lambda cell: '"' in cell):
        return SPACES_SEEN
    if _are_mostly(cells, _THOUSANDS.fullmatch):
        return "the numbers have separators of thousands: write 1234.5 in place of 1,234.5"
    if _are_mostly(cells, _DECIMAL_COMMA.fullmatch):
        return "the numbers have decimal commas: write 1.5 in place of 1,5"
    if _are_mostly(cells, _UNIT.fullmatch):
        return "the numbers have units or signs of percent beside them: write the numbers alone"
    return "the column holds text: see whether the columns are in the order that the job expects"


def _are_mostly(cells: Sequence[str], test: Callable[[str], object]) -> bool:
    return bool(cells) and 2 * sum(1 for cell in cells if test(cell)) >= len(cells)


def rows_of(start: Beginning, delimiter: str) -> list[list[str]]:
    """Return the values of the lines that are not empty."""
    return [cells_of(line, delimiter, start.text) for line in start.lines if line]


def cells_of(line: str, delimiter: str, text: TextFormat) -> list[str]:
    """Return the values of a line; where quotes are out of place, what lies between the delimiters."""
    try:
        return split_text(line, replace(text, delimiter=delimiter))
    except MalformedRecordError:
        return line.split(delimiter)
