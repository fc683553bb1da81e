"""Records as a table on a terminal: cut to its width, and harmless to it (pure)."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import pyarrow as pa

_GAP = "  "
_CUT = "…"
_LEAST_WIDTH = 8  # of a column that is cut
_KEPT_AT_THE_END = 2  # columns: the predictions, mostly


def render_rows(rows: pa.Table, width: int) -> list[str]:
    """Return the lines of a table, none of them wider than the terminal; the widest columns are cut first.

    Where even so they do not fit, columns before the last two are left out, and a last line says how many.
    """
    columns = [_cells(name, column) for name, column in zip(rows.column_names, rows.columns, strict=True)]
    shown, hidden = _fitting(columns, width)
    widths = _widths([max(map(text_width, column)) for column in shown], width)
    lines = [
        _line([cut(column[row], size) for column, size in zip(shown, widths, strict=True)], widths)
        for row in range(len(rows) + 1)
    ]
    table = [lines[0], _GAP.join("-" * size for size in widths), *lines[1:]]
    return [*table, f"{hidden:,} more columns; --columns picks"] if hidden else table


def _cells(name: str, column: pa.ChunkedArray) -> list[str]:
    return [_printable(name), *(_printable(text or "") for text in column.cast(pa.string()).to_pylist())]


def _printable(text: str) -> str:
    """Return a text without what a terminal would obey."""
    return "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in text)


def _fitting(columns: Sequence[list[str]], width: int) -> tuple[list[list[str]], int]:
    """Return the columns for which there is room when each is cut as far as it may be, and how many are left out."""
    least = [min(_LEAST_WIDTH, max(map(text_width, column))) + len(_GAP) for column in columns]
    if sum(least) - len(_GAP) <= width:
        return list(columns), 0
    end = columns[-_KEPT_AT_THE_END:]
    room = width + len(_GAP) - sum(least[-_KEPT_AT_THE_END:]) - (len(_CUT) + len(_GAP))
    start: list[list[str]] = []
    for column, size in zip(columns[:-_KEPT_AT_THE_END], least, strict=False):
        room -= size
        if room < 0:
            break
        start.append(column)
    hidden = len(columns) - len(start) - len(end)
    marks = [[_CUT] * len(columns[0])] if hidden else []
    return [*start, *marks, *end], hidden


def _widths(natural: Sequence[int], width: int) -> list[int]:
    """Return how wide columns are: as they are, or the widest ones no wider than what leaves room for all."""
    room = width - len(_GAP) * (len(natural) - 1)
    limit = max(natural)
    while limit > _LEAST_WIDTH and sum(min(size, limit) for size in natural) > room:
        limit -= 1
    return [min(size, limit) for size in natural]


def cut(text: str, width: int) -> str:
    """Return a text no wider than that."""
    if text_width(text) <= width:
        return text
    text = text[:width]
    while text_width(text) > width - len(_CUT):
        text = text[:-1]
    return text + _CUT


def text_width(text: str) -> int:
    """Return how many places a text takes on a terminal."""
    return len(text) if text.isascii() else sum(map(_sign_width, text))


def _sign_width(sign: str) -> int:
    if unicodedata.combining(sign):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell + " " * (width - text_width(cell)) for cell, width in zip(cells, widths, strict=True))
    return _GAP.join(padded).rstrip()
