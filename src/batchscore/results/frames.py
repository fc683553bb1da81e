"""Batches of results as the frames of other libraries; what is imported is the one that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from batchscore.config.job_config import S3Settings
from batchscore.errors import ConfigError
from batchscore.input.header_names import near_name
from batchscore.results.finding import committed_results, output_of
from batchscore.results.libraries import imported
from batchscore.results.on_spark import spark_frame
from batchscore.results.parts import located_parts
from batchscore.results.reading import plan_reading

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


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


def read_frame(
    output: str,
    batch_id: str,
    engine: str,
    asked: Mapping[str, Any],
    s3: S3Settings | Mapping[str, Any] | None,
    spark: SparkSession | None,
) -> Any:
    """Return the results of a job as the frame of an engine; ``asked`` is what ``plan_reading`` takes.

    Raises ConfigError or InputError.
    """
    _check_engine(engine)
    config = output_of(output, s3)
    results = committed_results(config, batch_id)
    reading = plan_reading(results, config.s3, **asked)
    parts = list(located_parts(results))
    if engine == "spark":
        return spark_frame(parts, reading, spark)
    return FRAMES[engine](pa.Table.from_batches(reading.batches(parts), reading.schema))


def _check_engine(engine: str) -> None:
    if engine not in LIBRARIES:
        near = near_name(str(engine), list(LIBRARIES))
        hint = f"; did you mean {near}?" if near else ""
        raise ConfigError(f"engine: expected one of {', '.join(LIBRARIES)}, got {engine}{hint}")
    imported(LIBRARIES[engine], f"engine {engine}")
