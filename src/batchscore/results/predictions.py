"""``read_predictions``: the results of a committed job in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from batchscore.config.job_config import S3Settings

Engine = Literal["pandas", "arrow", "polars", "spark", "duckdb"]


def read_predictions(
    output: str | PathLike[str],
    id: str = "latest",  # noqa: A002 - the key of a configuration is called so
    engine: Engine = "pandas",
    *,
    columns: Sequence[str] | None = None,
    where: str | None = None,
    threshold: float | None = None,
    positions: bool = False,
    s3: S3Settings | Mapping[str, Any] | None = None,
    spark: SparkSession | None = None,
) -> Any:
    """Return the results of a committed job: a row for each record, in the order of the inputs and their records.

    They are read by the manifest and held to its sizes, SHA-256 and counts. ``output`` and ``s3`` are keys of a
    configuration; the id ``latest`` is that of the job that was completed last. What is returned is a pandas or Polars
    DataFrame, a pyarrow Table, a DuckDB relation, or a Spark DataFrame on ``spark`` or the active session.

    Texts are never null but in rows of blank lines; ``bestAnswer``, ``predictedLabel`` and scores are where a record
    has no prediction. ``columns`` picks columns, in that order; ``where`` is a condition of SQL (docs/results.md);
    ``threshold`` makes ``bestAnswer`` anew; ``positions`` adds ``input``, a URI, and ``row``, from 1.

    Raises ConfigError for what cannot be asked, InputError where results are not there, not committed, or changed.

    >>> read_predictions("s3://example-predictions/campaign", where="score >= 0.8", columns=["tag", "score"])
    """
    from batchscore.results.frames import read_frame  # here: to import the name costs neither pyarrow nor pandas

    asked = {"columns": columns, "where": where, "threshold": threshold, "positions": positions}
    return read_frame(fspath(output), id, engine, asked, s3, spark)
