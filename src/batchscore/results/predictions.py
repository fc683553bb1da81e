"""``read_predictions``: the results of a committed job in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, Literal

from batchscore.errors import ConfigError

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
    import pyarrow as pa  # here as all below: to import the name costs neither pyarrow nor pandas

    from batchscore.results.finding import committed_results, output_of
    from batchscore.results.frames import FRAMES
    from batchscore.results.parts import located_parts
    from batchscore.results.reading import plan_reading

    _check_engine(engine)
    config = output_of(fspath(output), s3)
    results = committed_results(config, id)
    reading = plan_reading(results, config.s3, columns, where, threshold, positions)
    parts = list(located_parts(results))
    if engine == "spark":
        from batchscore.results.on_spark import spark_frame

        return spark_frame(parts, reading, spark)
    return FRAMES[engine](pa.Table.from_batches(reading.batches(parts), reading.schema))


def _check_engine(engine: str) -> None:
    from batchscore.input.header_names import near_name
    from batchscore.results.frames import LIBRARIES
    from batchscore.results.libraries import imported

    if engine not in LIBRARIES:
        near = near_name(str(engine), list(LIBRARIES))
        hint = f"; did you mean {near}?" if near else ""
        raise ConfigError(f"engine: expected one of {', '.join(LIBRARIES)}, got {engine}{hint}")
    imported(LIBRARIES[engine], f"engine {engine}")
