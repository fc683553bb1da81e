"""Tables, times and numbers as people read them (pure but for the time zone)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from batchscore.input.header_names import first_names, near_name

SHOWN = 20
"""Rows of a table, or names in a line, that people are shown; JSON has all."""


def table(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Return the lines of a plain text table."""
    texts = [[str(cell) for cell in row] for row in [titles, *rows]]
    widths = [max(len(row[place]) for row in texts) for place in range(len(titles))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in texts]
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]


def fields(pairs: Sequence[tuple[str, object]]) -> list[str]:
    """Return a line for each name with its value, the values below each other."""
    width = max(15, *(len(name) for name, _ in pairs))
    below = "\n" + " " * (width + 1)
    return [f"{name:<{width}} {str(value).replace(chr(10), below)}" for name, value in pairs]


def local_time(epoch_seconds: float) -> str:
    """Return a time of this machine's zone, as ``2026-11-23 17:39:52+01:00``."""
    try:
        return datetime.fromtimestamp(epoch_seconds).astimezone().isoformat(" ", "seconds")
    except (ValueError, OverflowError, OSError):  # of a record that somebody else wrote
        return str(epoch_seconds)


def unread_columns(found: Iterable[tuple[str, Sequence[str]]]) -> list[str]:
    """Return a line for all inputs that have the same columns beside those that the job reads."""
    inputs = defaultdict[tuple[str, ...], list[str]](list)
    for uri, columns in found:
        if columns:
            inputs[tuple(columns)].append(uri)
    lines = [f"{first_names(columns)} ({_files(uris)})" for columns, uris in inputs.items()]
    more = len(lines) - SHOWN
    return [*lines[:SHOWN], f"and other columns in {more:,} more headers"] if more > 0 else lines


def missing_column_lines(found: Iterable[tuple[str, Sequence[str], Sequence[str]]]) -> list[str]:
    """Return a line for all inputs that lack the same optional columns, of each its URI, those and its unread ones."""
    texts = ((uri, [_with_near(name, unread) for name in missing]) for uri, missing, unread in found)
    what = "optional columns that are not there: {}: the model gets them as missing in all records"
    return [what.format(line) for line in unread_columns(texts)]


def _with_near(name: str, unread: Sequence[str]) -> str:
    near = near_name(name, unread)
    return f"{name} (did you mean {near}?)" if near else name


def repeated_column_lines(found: Iterable[tuple[str, Mapping[str, Sequence[int]]]]) -> list[str]:
    """Return a line for all inputs in which the same columns that the job reads are there more than once."""
    texts = (
        (uri, [f"{name} at {' and '.join(map(str, places))}" for name, places in repeated.items()])
        for uri, repeated in found
    )
    what = "columns that are there more than once: {}: the first is read under the name, the others as pandas has them"
    return [what.format(line) for line in unread_columns(texts)]


def _files(uris: Sequence[str]) -> str:
    return f"in {uris[0]}" if len(uris) == 1 else f"in {len(uris):,} files, the first {uris[0]}"
