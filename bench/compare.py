"""Checks that a way's results are the predictions of all other ways."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from bench.data import ID_DIGITS

DIGITS = 7  # what batchscore writes of a number
ENDINGS = (".csv.gz", ".csv")  # Ray Data leaves the .gz out


class DifferenceError(Exception):
    """Two ways gave different predictions: an error of the benchmark."""


@dataclass(frozen=True)
class Predictions:
    """The scores by the number of the record's id, and the answers of a binary model."""

    scores: npt.NDArray[np.float64]
    answers: npt.NDArray[np.int8] | None


def read_predictions(folder: Path, record_count: int) -> Predictions:
    """Read all gzip CSV files below a folder; raises DifferenceError unless each id is there exactly once."""
    files = [path for path in sorted(folder.rglob("[!.]*")) if path.is_file() and path.name.endswith(ENDINGS)]
    tables = [table for table in map(_read_file, files) if table is not None]
    if not tables:
        raise DifferenceError(f"{folder}: expected results, got none")
    table = pa.concat_tables(tables)
    places = pc.utf8_slice_codeunits(table.column(0), 1, 1 + ID_DIGITS).cast(pa.int64()).to_numpy()
    seen = np.bincount(places, minlength=record_count)
    if len(seen) != record_count or not (seen == 1).all():
        raise DifferenceError(f"{folder}: expected each of {record_count} ids once, got {len(places)} records")
    return Predictions(
        _in_place(table.column("score"), places, np.float64),
        _in_place(table.column("bestAnswer"), places, np.int8) if "bestAnswer" in table.column_names else None,
    )


def _read_file(path: Path) -> pa.Table | None:
    """Return the records of a result; None for one without even a header, as Spark writes an empty partition."""
    with pa.input_stream(path, compression="gzip") as stream:
        data = stream.read()
    types = csv.ConvertOptions(column_types={"score": pa.float64()})
    return csv.read_csv(pa.py_buffer(data), convert_options=types) if data else None


def _in_place(column: pa.ChunkedArray, places: npt.NDArray[np.int64], dtype: Any) -> npt.NDArray[Any]:
    values = np.empty(len(places), dtype)
    values[places] = column.to_numpy()
    return values


def check_same(expected: Predictions, got: Predictions, what: str) -> None:
    """Raise DifferenceError unless the answers are equal, and the scores are within seven significant digits."""
    if (expected.answers is None) != (got.answers is None):
        raise DifferenceError(f"{what}: expected bestAnswer in both results or in neither, got it in one")
    different = ~_same_scores(expected.scores, got.scores)
    if expected.answers is not None and got.answers is not None:
        different |= expected.answers != got.answers
    if different.any():
        first = int(np.argmax(different))
        raise DifferenceError(
            f"{what}: expected the predictions of the other ways, got {int(different.sum())} different ones of "
            f"{len(different)}; record {first}: expected {expected.scores[first]!r}, got {got.scores[first]!r}"
        )


def _same_scores(expected: npt.NDArray[np.float64], got: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Compare to half a unit of the seventh digit, and a little for the order of a sum's terms."""
    size = np.maximum(np.abs(expected), np.finfo(float).tiny)
    unit = 10.0 ** (np.floor(np.log10(size)) - (DIGITS - 1))
    same: npt.NDArray[np.bool_] = np.abs(expected - got) <= unit * 0.501 + 1e-12
    return same
