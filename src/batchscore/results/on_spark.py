"""Results as a Spark DataFrame: tasks read the parts through the project's own reader, each its own ones, in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from batchscore.errors import ConfigError
from batchscore.plan import pack
from batchscore.results.parts import LocatedPart
from batchscore.results.reading import Reading

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_TASK_BYTES = 64 * 1024 * 1024


def spark_frame(parts: Sequence[LocatedPart], reading: Reading, spark: SparkSession | None) -> DataFrame:
    """Return the results as a DataFrame; its partitions are in record order, and so are the rows of each."""
    from pyspark.sql import SparkSession

    session = spark or SparkSession.getActiveSession()
    if session is None:
        raise ConfigError("engine spark: expected a session, got none; start one, or give it as spark=")
    tasks = list(pack(parts, lambda part: part.part.file_size_in_bytes, _TASK_BYTES))
    schema = _spark_schema(reading.schema)
    if not tasks:
        return session.createDataFrame([], schema)

    def read(numbers: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in numbers:
            for number in batch.column(0).to_pylist():
                yield from reading.batches(tasks[number])

    return session.range(0, len(tasks), 1, len(tasks)).mapInArrow(read, schema)


def _spark_schema(schema: pa.Schema) -> Any:
    from pyspark.sql import types

    kinds = {pa.string(): types.StringType, pa.int8(): types.ByteType, pa.int64(): types.LongType}
    return types.StructType(
        [types.StructField(field.name, kinds.get(field.type, types.DoubleType)()) for field in schema]
    )
