"""The data sets: made up, the same at every call, and of any size."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

ID = "id"
ID_DIGITS = 10

JOBS = (
    "admin. blue-collar entrepreneur housemaid management retired self-employed services student technician "
    "unemployed unknown"
)
EDUCATION = "basic.4y basic.6y basic.9y high.school illiterate professional.course university.degree unknown"
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec"

Columns = dict[str, pa.Array]


def _words(rng: np.random.Generator, count: int, words: str) -> pa.Array:
    choices = words.split()
    return pa.array(choices).take(pa.array(rng.integers(0, len(choices), count)))


def _normal(rng: np.random.Generator, count: int, mean: float, spread: float, decimals: int) -> pa.Array:
    return pa.array(np.round(rng.normal(mean, spread, count), decimals))


def _bank(rng: np.random.Generator, count: int) -> Columns:
    """Return columns in the manner of the bank-marketing-additional set: 10 of text, 10 of numbers."""
    return {
        "age": pa.array(rng.integers(18, 95, count)),
        "job": _words(rng, count, JOBS),
        "marital": _words(rng, count, "divorced married single unknown"),
        "education": _words(rng, count, EDUCATION),
        "default": _words(rng, count, "no yes unknown"),
        "housing": _words(rng, count, "no yes unknown"),
        "loan": _words(rng, count, "no yes unknown"),
        "contact": _words(rng, count, "cellular telephone"),
        "month": _words(rng, count, MONTHS),
        "day_of_week": _words(rng, count, "mon tue wed thu fri"),
        "duration": pa.array(rng.integers(0, 4000, count)),
        "campaign": pa.array(rng.integers(1, 40, count)),
        "pdays": pa.array(rng.integers(0, 999, count)),
        "previous": pa.array(rng.integers(0, 8, count)),
        "poutcome": _words(rng, count, "failure nonexistent success"),
        "emp.var.rate": pa.array(rng.choice([-3.4, -1.8, 1.1, 1.4], count)),
        "cons.price.idx": _normal(rng, count, 93.5, 0.6, 3),
        "cons.conf.idx": _normal(rng, count, -40, 4, 1),
        "euribor3m": pa.array(np.round(rng.random(count) * 5, 3)),
        "nr.employed": _normal(rng, count, 5167, 70, 1),
    }


def _numbers(width: int) -> Callable[[np.random.Generator, int], Columns]:
    def columns(rng: np.random.Generator, count: int) -> Columns:
        return {f"x{place}": _normal(rng, count, 0, 1, 3) for place in range(width)}

    return columns


@dataclass(frozen=True)
class DataSet:
    """A kind of records.

    ``scale``: how many times fewer of them than asked for are made, where a record is long.
    """

    name: str
    seed: int
    scale: int
    columns: Callable[[np.random.Generator, int], Columns]

    @property
    def records_per_file(self) -> int:
        """The records of each file but the last."""
        return 1_000_000 // self.scale

    @property
    def records_per_piece(self) -> int:
        """The records that are made at once; a set is the beginning of every larger one."""
        return 100_000 // self.scale


DATA_SETS = {
    item.name: item
    for item in (
        DataSet("bank", 1, 1, _bank),
        DataSet("narrow", 2, 1, _numbers(5)),
        DataSet("wide", 3, 20, _numbers(500)),
        DataSet("thousand", 4, 20, _numbers(999)),
    )
}


def make_piece(data_set: DataSet, number: int, count: int) -> pa.Table:
    """Return the first ``count`` records of a piece: the id, and the columns."""
    rng = np.random.default_rng([data_set.seed, number])
    columns = data_set.columns(rng, data_set.records_per_piece)
    first = number * data_set.records_per_piece
    numbers = pa.array(np.arange(first, first + data_set.records_per_piece)).cast(pa.string())
    ids = pc.binary_join_element_wise("C", pc.utf8_lpad(numbers, ID_DIGITS, "0"), "")
    return pa.table({ID: ids} | columns).slice(0, count)


def _pieces(data_set: DataSet, start: int, stop: int) -> Iterator[pa.Table]:
    step = data_set.records_per_piece
    for first in range(start, stop, step):
        yield make_piece(data_set, first // step, min(step, stop - first))


def _write_file(path: Path, pieces: Iterator[pa.Table]) -> None:
    options = csv.WriteOptions(include_header=False, quoting_style="none")
    with path.open("wb") as file:
        for number, piece in enumerate(pieces):
            if number == 0:
                file.write(",".join(piece.column_names).encode() + b"\n")
            csv.write_csv(piece, file, options)


def amazon_schema(data_set: DataSet) -> str:
    """Return the schema file of a set."""
    fields = make_piece(data_set, 0, 1).schema
    types = ["CATEGORICAL" if pa.types.is_string(field.type) else "NUMERIC" for field in fields]
    attributes = [
        {"attributeName": name, "attributeType": kind} for name, kind in zip(fields.names, types, strict=True)
    ]
    schema = {"version": "1.0", "rowId": ID, "dataFormat": "CSV", "dataFileContainsHeader": True}
    return json.dumps(schema | {"attributes": attributes}, indent=1)


def data_folder(data_set: DataSet, record_count: int, work: Path) -> Path:
    """Return the folder that the CSV files and the schema of a set are made in."""
    return work / "data" / f"{data_set.name}-{record_count}"


def make_data(data_set: DataSet, record_count: int, work: Path) -> Path:
    """Return the folder of the CSV files and the schema of a set; made if it is not there."""
    folder = data_folder(data_set, record_count, work)
    if folder.exists():
        return folder
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    (unfinished / ".schema").write_text(amazon_schema(data_set))
    step = data_set.records_per_file
    for first in range(0, record_count, step):
        pieces = _pieces(data_set, first, min(first + step, record_count))
        _write_file(unfinished / f"data-{first // step:03d}.csv", pieces)
    unfinished.rename(folder)
    return folder
