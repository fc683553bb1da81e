"""Scoring without a framework: what the floor and the limit share, and the model as all but plain Spark call it."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow.sklearn
import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv

from bench.ways.job import Job

RANGE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Range:
    """The records of a file whose first byte lies in ``start`` to ``stop``."""

    path: Path
    start: int
    stop: int


def load_model(job: Job) -> Any:
    """Return the registered model as scikit-learn's own object."""
    mlflow.set_tracking_uri(job.tracking_uri)
    return mlflow.sklearn.load_model(job.model)


def predictor(model: Any, model_type: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Return what gives the result columns of a frame of features."""
    if model_type == "regression":
        return lambda frame: pd.DataFrame({"score": model.predict(frame)})

    def predict(frame: pd.DataFrame) -> pd.DataFrame:
        scores = model.predict_proba(frame)[:, 1]
        return pd.DataFrame({"bestAnswer": (scores >= 0.5).astype(np.int32), "score": scores})

    return predict


def ranges(files: list[Path]) -> list[Range]:
    """Cut the files into ranges of about the same size, which may begin and end within a record."""
    return [
        Range(path, start, min(start + RANGE_BYTES, path.stat().st_size))
        for path in files
        for start in range(0, path.stat().st_size, RANGE_BYTES)
    ]


def _read_records(part: Range) -> bytes:
    """Return the lines that begin in a range, the header left out."""
    with part.path.open("rb") as file:
        file.seek(max(part.start - 1, 0))
        file.readline()  # the header, or the end of the line that the range before has
        first = file.tell()
        data = file.read(max(part.stop - first, 0))
        return data + file.readline() if data and not data.endswith(b"\n") else data


def read_range(part: Range, job: Job) -> list[pa.Table]:
    """Return the records of a range as one table, or as none if it has no records."""
    data = _read_records(part)
    if not data:
        return []
    types = {name: pa.float64() if number else pa.string() for name, number in job.is_number.items()}
    table = csv.read_csv(
        pa.py_buffer(data),
        csv.ReadOptions(column_names=list(types), use_threads=False, block_size=len(data)),
        convert_options=csv.ConvertOptions(column_types=types),
    )
    return [table]


def write_results(ids: pa.ChunkedArray, results: pd.DataFrame, path: Path) -> None:
    """Write a gzip CSV of ids and results."""
    columns = {"id": ids} | {name: pa.array(results[name]) for name in results.columns}
    sink = pa.BufferOutputStream()
    csv.write_csv(pa.table(columns), sink, csv.WriteOptions(quoting_style="none"))
    path.write_bytes(gzip.compress(sink.getvalue(), 1, mtime=0))
