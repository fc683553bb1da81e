"""Batches of results as the frames of other libraries; what is imported is the one that is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from batchscore.results.libraries import imported


def _pandas(table: pa.Table) -> Any:
    """Texts are str objects, scores float64 with NaN, bestAnswer is Int8, which has a null of its own."""
    import pandas as pd

    return table.to_pandas(types_mapper={pa.int8(): pd.Int8Dtype()}.get)


def _polars(table: pa.Table) -> Any:
    return imported("polars", "engine polars").from_arrow(table)


def _duckdb(table: pa.Table) -> Any:
    return imported("duckdb", "engine duckdb").from_arrow(table)


def _arrow(table: pa.Table) -> pa.Table:
    return table


FRAMES: dict[str, Callable[[pa.Table], Any]] = {
    "pandas": _pandas,
    "arrow": _arrow,
    "polars": _polars,
    "duckdb": _duckdb,
}
"""How a table becomes the frame of an engine."""
LIBRARIES = {"pandas": "pandas", "arrow": "pyarrow", "polars": "polars", "duckdb": "duckdb", "spark": "pyspark"}
"""The library of each engine."""
