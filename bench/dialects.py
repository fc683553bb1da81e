"""What it costs to read the bank set as other programs write it: reading alone, all dialects in turns."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from batchscore.input.columns import Column, Columns, ColumnType
from bench.data import DATA_SETS, ID, make_piece
from bench.figures import Spread
from bench.reading import read_file

RECORDS = 200_000
TURNS = 9

Cells = Callable[[pa.Array], pa.Array]


@dataclass(frozen=True)
class Dialect:
    """How a set is written, and the keys that read it so."""

    title: str
    keys: dict[str, object]
    cells: Cells
    delimiter: str = ","
    day: str | None = None
    day_type: ColumnType = "datetime"


def _is_text(values: pa.Array) -> bool:
    return bool(pa.types.is_string(values.type))


def _plain(values: pa.Array) -> pa.Array:
    return values.cast(pa.string())


def _with_comma(values: pa.Array) -> pa.Array:
    return values if _is_text(values) else pc.replace_substring(_plain(values), ".", ",")


def _with_thousands(values: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(_with_comma(values), r"^(\d)(\d{3})(,|$)", r"\1.\2\3")


def _with_space(values: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise("", _plain(values), " ")


def _quoted(values: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise('"', pc.binary_join_element_wise(_plain(values), "", '"'), "")


def _quoted_texts(values: pa.Array) -> pa.Array:
    return _quoted(values) if _is_text(values) else _plain(values)


DIALECTS = (
    Dialect("plain", {}, _plain),
    Dialect("`;` and decimal comma", {"delimiter": ";", "decimal": ","}, _with_comma, ";"),
    Dialect("the same, thousands", {"delimiter": ";", "decimal": ",", "thousands": "."}, _with_thousands, ";"),
    Dialect("plain", {"trim": True}, _plain),
    Dialect("a space before each value", {"trim": True}, _with_space),
    Dialect("texts quoted", {}, _quoted_texts),
    Dialect("texts quoted", {"escape": "\\"}, _quoted_texts),
    Dialect("texts quoted", {"multiline": True}, _quoted_texts),
    Dialect("plain", {"multiline": True}, _plain),
    Dialect("plain", {"max_record_bytes": 8 << 20}, _plain),
    Dialect("a day as text", {}, _plain, day="%Y-%m-%d", day_type="string"),
    Dialect("a day as datetime, ISO 8601", {}, _plain, day="%Y-%m-%d"),
    Dialect("a day as datetime, 31.12.2026", {"datetime_format": "%d.%m.%Y"}, _plain, day="%d.%m.%Y"),
)
"""The first is what the others are compared with."""


def _days(count: int, pattern: str) -> pa.Array:
    days = pa.array([20_000 + place % 365 for place in range(count)], pa.int32()).cast(pa.date32())
    return pc.strftime(days.cast(pa.timestamp("s")), pattern)


def _tables(dialect: Dialect) -> Iterator[pa.Table]:
    bank = DATA_SETS["bank"]
    for number in range(RECORDS // bank.records_per_piece):
        piece = make_piece(bank, number, bank.records_per_piece)
        yield piece.append_column("day", _days(len(piece), dialect.day)) if dialect.day else piece


def _write(path: Path, dialect: Dialect) -> Columns:
    """Write the set as the dialect has it, and return its columns."""
    with path.open("wb") as file:
        for number, table in enumerate(_tables(dialect)):
            if number == 0:
                file.write(dialect.delimiter.join(table.column_names).encode() + b"\n")
            cells = [dialect.cells(column.combine_chunks()) for column in table.columns]
            lines = pc.binary_join_element_wise(*cells, dialect.delimiter)
            file.write("\n".join(lines.to_pylist()).encode() + b"\n")
    return Columns(tuple(_inputs(table, dialect)), (), None, has_header=True)


def _inputs(table: pa.Table, dialect: Dialect) -> Iterator[Column]:
    for name, kind in zip(table.column_names, table.schema.types, strict=True):
        if name == "day":
            yield Column(name, dialect.day_type)
        elif name != ID:
            yield Column(name, "string" if kind == pa.string() else "double")


def _read_seconds(path: Path, columns: Columns, keys: dict[str, object]) -> float:
    """Return the CPU seconds of reading a file."""
    parsed, seconds = read_file(path, columns, keys)
    valid = sum(len(part.lines) for part in parsed)
    if valid != RECORDS:
        raise ValueError(f"{path.name}: expected {RECORDS} valid records, got {valid}")
    return seconds


def dialect_rows(work: Path) -> Iterator[tuple[str, str, Spread, Spread]]:
    """Yield for each dialect what is written, the keys, core-seconds per million, and the ratio to plain CSV."""
    folder = work / "data" / "dialects"
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{place}.csv" for place in range(len(DIALECTS))]
    columns = [_write(path, dialect) for path, dialect in zip(paths, DIALECTS, strict=True)]
    turns = [
        [_read_seconds(path, taken, item.keys) for path, taken, item in zip(paths, columns, DIALECTS, strict=True)]
        for _ in range(TURNS)
    ]
    for place, dialect in enumerate(DIALECTS):
        seconds = Spread.of([turn[place] / RECORDS * 1e6 for turn in turns])
        ratio = Spread.of([turn[place] / turn[0] for turn in turns])
        keys = ", ".join(f"`{key}: {json.dumps(value)}`" for key, value in dialect.keys.items())
        yield dialect.title, keys or "none", seconds, ratio
