"""A model's example -> CSV in the dialect of a job, and the same as pandas reads it (pure).

pandas is the oracle: nothing of the job's own reading is used for that.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from batchscore.config.job_config import JobConfig
from batchscore.input.columns import Column, Columns

_TYPES: dict[str, Any] = {
    "double": "float64",
    "float": "float32",
    "long": "int64",
    "integer": "int32",
    "boolean": "bool",
    "datetime": "datetime64[ns]",
}
_TYPES_OF_MISSING: dict[str, Any] = {"boolean": object, "float": "float32", "datetime": "datetime64[ns]"}
_MISSING_TEXTS: dict[str, Any] = {"nan": np.nan, "none": None, "empty": ""}

_NUMBERS = range(1, 1_000_000)
"""What stands in columns that the example has not and the model does not take: the number of the row."""

Rows = npt.NDArray[np.int64]


class UnfitExampleError(Exception):
    """The example has not the columns of the job; the text says which it has not."""


@dataclass(frozen=True)
class ExampleFile:
    """An example as a file: the ``names`` of its columns, and its records, each with its line end or ends."""

    names: tuple[str, ...]
    header: str
    records: tuple[str, ...]

    @property
    def text(self) -> str:
        """The file."""
        return self.header + "".join(self.records)

    def rows_by_line(self, *, multiline: bool) -> dict[int, int]:
        """Return the row that begins at a line, both counted from 0, the header aside."""
        sizes = [1 if multiline else record.count("\n") for record in self.records]
        return {int(line): row for row, line in enumerate(np.cumsum([0, *sizes[:-1]]))}


def write_example(example: pd.DataFrame, columns: Columns, config: JobConfig) -> ExampleFile:
    """Write an example, as named_as_inputs gives it, as the inputs of a job are written.

    Raises UnfitExampleError where it lacks a column.

    What the job reads beside the model's inputs, such as row_id, is the number of the row.
    """
    needed = [column.name for column in columns.inputs if not column.may_be_absent]
    lacking = [name for name in needed if name not in example]
    if lacking:
        raise UnfitExampleError(f"its example lacks {', '.join(lacking)}")
    names = _names_of_file(example, columns)
    absent = {column.name for column in columns.inputs}.difference(example)  # optional, and empty where named
    word = next(iter(sorted(config.missing.own_words)), "")
    rows = [
        [_spelt(None if name in absent else example.get(name, _NUMBERS)[row], word, config) for name in names]
        for row in range(len(example))
    ]
    if any(mark in cell for row in rows for cell in row for mark in "\0\ufeff"):
        raise UnfitExampleError("its example holds NUL or a byte-order mark, which pandas does not read as they are")
    lines = [_line(row, config) for row in rows]
    return ExampleFile(names, _line(names, config) if columns.has_header else "", tuple(lines))


def named_as_inputs(example: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    """Return an example with the job's names where the model's inputs have none; raises UnfitExampleError."""
    if not columns.by_position:
        return example
    if len(example.columns) != len(columns.inputs):
        raise UnfitExampleError(f"its example has {len(example.columns)} columns, its signature {len(columns.inputs)}")
    return example.set_axis([column.name for column in columns.inputs], axis=1)


def _names_of_file(example: pd.DataFrame, columns: Columns) -> tuple[str, ...]:
    inputs = [column.name for column in columns.inputs]
    if columns.names is not None and columns.by_position:
        left = iter(inputs)
        return tuple(name if name in {columns.row_id, columns.target} else next(left, name) for name in columns.names)
    if columns.names is not None:
        return columns.names
    if not columns.has_header:
        return tuple(inputs)
    return tuple(dict.fromkeys([*example.columns, *columns.required_sources]))


def _spelt(value: Any, missing_word: str, config: JobConfig) -> str:
    """Return a value's text: numbers to the last digit, what is missing as the job's own word for it."""
    if pd.isna(value):
        return missing_word
    if isinstance(value, (float, np.floating)):
        text = str(value) if isinstance(value, np.float32) else repr(float(value))
        return text.replace(".", config.decimal)
    if isinstance(value, pd.Timestamp):
        return value.isoformat() if config.datetime_format == "ISO8601" else value.strftime(config.datetime_format)
    return str(value).encode(config.encoding, "replace").decode(config.encoding)


def _line(cells: Sequence[str], config: JobConfig) -> str:
    # An empty line would be no record where the one value is missing.
    texts = [_quoted(cell, config) for cell in cells] if len(cells) > 1 or cells[0] else ['""']
    return config.delimiter.join(texts) + "\n"


def _quoted(text: str, config: JobConfig) -> str:
    special = {config.delimiter, '"', "\r", "\n", config.escape or '"'}
    if special.isdisjoint(text) and text == text.strip(" \t"):
        return text
    if config.escape is None:
        return '"' + text.replace('"', '""') + '"'
    return '"' + text.replace(config.escape, config.escape * 2).replace('"', config.escape + '"') + '"'


def read_with_pandas(file: ExampleFile, rows: Rows, columns: Sequence[Column], config: JobConfig) -> pd.DataFrame:
    """Return the model's columns of some rows as pandas reads them, of the types that it finds."""
    options: dict[str, Any] = {"escapechar": config.escape, "doublequote": False} if config.escape else {}
    by_name = {column.name: column for column in columns}
    frame = pd.read_csv(
        io.StringIO("".join(file.records[row] for row in rows)),
        header=None,
        names=list(file.names),
        sep=config.delimiter,
        decimal=config.decimal,
        thousands=config.thousands,
        quoting=csv.QUOTE_MINIMAL,
        float_precision="round_trip",
        skip_blank_lines=False,
        keep_default_na=False,
        na_values={name: sorted(column.missing.words) for name, column in by_name.items() if name in file.names},
        dtype={name: str for name in file.names if by_name.get(name, _TEXT).type in {"string", "datetime"}},
        **options,
    )
    for name, column in by_name.items():
        if column.type == "datetime" and name in frame:
            frame[name] = pd.to_datetime(frame[name], format=config.datetime_format)
    read: pd.DataFrame = frame.reindex(columns=list(by_name))
    return read


_TEXT = Column("", "string")


def typed(frame: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    """Return records that lack the same columns in the signature's types; see ADR 20 for those of missing values."""
    return pd.DataFrame({column.name: _typed(frame[column.name], column) for column in columns}).reset_index(drop=True)


def _typed(values: pd.Series[Any], column: Column) -> pd.Series[Any]:
    if column.type == "string":
        return values.astype(object).where(values.notna(), _MISSING_TEXTS[column.missing.text])
    if column.type in {"long", "integer", "boolean"} and not column.missing.changes_type:
        return values.astype("float64")
    if values.isna().any():
        return values.astype(_TYPES_OF_MISSING.get(column.type, "float64"))
    return values.astype(_TYPES[column.type])
