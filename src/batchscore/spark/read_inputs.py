"""The inputs of a job as a DataFrame: the same reading, by the same reader, for those who do more before they score."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa

from batchscore.config.job_config import JobConfig
from batchscore.environment import process_kept
from batchscore.errors import ConfigError
from batchscore.input.factory import job_reader
from batchscore.input.files import InputFile, Split, with_headers
from batchscore.input.header_names import pandas_names
from batchscore.input.reader import Reader
from batchscore.model.version import ModelVersion
from batchscore.plan import Plan, pack_tasks
from batchscore.preflight.beginnings import Looked
from batchscore.preflight.first_look import first_look
from batchscore.preflight.misfits import input_faults, raise_together
from batchscore.preflight.passthrough import with_passed_columns
from batchscore.preflight.planner import LoadedModel, load_model, log_plan, make_plan
from batchscore.process import hide_warnings, temporary_folder
from batchscore.spark.action import safely, spark_failure
from batchscore.spark.input_rows import RowColumns, record_rows, row_columns
from batchscore.spark.session import check_session, is_connect
from batchscore.spark.worker_environment import limit_threads
from batchscore.spark.worker_python import check_workers
from batchscore.spark.workload import Workload, make_workload
from batchscore.storage.s3_client import begin_run

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

Value = TypeVar("Value")
Batches = Iterator[pa.RecordBatch]

_RECORDS_TOGETHER = 16 * 1024  # a batch of rows is held by Python and by the JVM


@dataclass(frozen=True)
class Reading:
    """What executors need to read the inputs of a job; ``run`` is one reading, with credentials of its own."""

    run: str
    reader: Reader
    columns: RowColumns
    workload: Workload


def read_inputs(spark: SparkSession, config: JobConfig, joined: Sequence[str] = ()) -> DataFrame:
    """Return the inputs of a job as a DataFrame; see ``batchscore.read_inputs``."""
    if not is_connect(spark):
        check_session(spark)
    check_workers(spark)
    plan, looked = _looked_at(spark, config, joined)
    columns = _columns(spark, plan, looked)
    reader = job_reader(plan.spec.config, plan.spec.columns)
    tasks = list(pack_tasks(plan.splits, config.split_bytes))
    reading = Reading(uuid.uuid4().hex, reader, columns, make_workload(plan.inputs, plan.splits, tasks))
    shared = _shared(spark, reading)
    before = _shared(spark, _records_before(spark, shared, tasks, plan))

    def rows(reading: Reading, split: Split, source: InputFile) -> Batches:
        return _split_rows(reading, split, source, before().get(split.index, 0))

    return _by_tasks(spark, range(len(tasks)), shared, rows, _struct(columns.schema))


@process_kept()
def _looked_at(spark: SparkSession, config: JobConfig, joined: Sequence[str]) -> tuple[Plan, Looked]:
    """Return the plan of the job, its inputs looked at; raises BatchScoreError for what is wrong with them."""
    begin_run(uuid.uuid4().hex)
    with temporary_folder() as folder:
        model = load_model(config, folder / "model")
        plan = with_passed_columns(make_plan(config, _without(model, joined)))

    def look_by_tasks(inputs: Sequence[InputFile]) -> Looked:
        from batchscore.spark.tasks import look_at_inputs

        return look_at_inputs(spark, plan.spec, inputs)

    looked = first_look(plan, None if is_connect(spark) else look_by_tasks)
    raise_together([fault for _, fault in input_faults(plan, looked, lambda: False)])
    log_plan(plan)
    return replace(plan, inputs=with_headers(plan.inputs, _headers_of_several(plan, looked))), looked


def _headers_of_several(plan: Plan, looked: Looked) -> dict[str, tuple[str, ...]]:
    uris = (item.source.uri for item in plan.inputs if item.split_count > 1)
    return {uri: looked.headers[uri] for uri in uris if uri in looked.headers}


def _without(model: LoadedModel, joined: Sequence[str]) -> LoadedModel:
    """Return the model as if it did not take the inputs that are joined later."""
    names = [column.name for column in model.version.inputs]
    unknown = [name for name in joined if name not in names]
    if isinstance(joined, str) or unknown:
        had = f"{model.version.pinned_uri} has {', '.join(names) or 'no named inputs'}"
        raise ConfigError(f"argument joined: expected names of inputs, {had}, got {', '.join(unknown) or 'a text'}")
    if not joined:
        return model
    kept = tuple(column for column in model.version.inputs if column.name not in joined)
    version: ModelVersion = replace(model.version, signature=kept)
    return replace(model, version=version)


def _columns(spark: SparkSession, plan: Plan, looked: Looked) -> RowColumns:
    headers = (looked.headers.get(item.source.uri) for item in plan.inputs)
    header = next((pandas_names(names) for names in headers if names is not None), None)
    case_sensitive = str(spark.conf.get("spark.sql.caseSensitive")).lower() == "true"
    return row_columns(plan.spec.columns, header, case_sensitive=case_sensitive)


def _shared(spark: SparkSession, value: Value) -> Callable[[], Value]:
    """Send a value to the workers and return what gives it there; Spark Connect has no broadcast."""
    if is_connect(spark):
        return lambda: value
    broadcast = spark.sparkContext.broadcast(value)
    return lambda: broadcast.value


def _records_before(
    spark: SparkSession, shared: Callable[[], Reading], tasks: Sequence[Sequence[Split]], plan: Plan
) -> dict[int, int]:
    """Return how many records of its input stand before each later split, by the split's index.

    They are counted by Spark, unparsed, in all but the last splits of inputs of several: those inputs are read twice.
    """

    def is_counted(split: Split, source: InputFile) -> bool:
        return split.number < source.split_count - 1

    numbers = [
        number
        for number, splits in enumerate(tasks)
        if any(is_counted(split, plan.inputs[split.input_index]) for split in splits)
    ]
    if not numbers:
        return {}

    def counts(reading: Reading, split: Split, source: InputFile) -> Batches:
        if is_counted(split, source):
            blocks = reading.reader.read(source, split.start, split.stop)
            count = sum(block.record_count for block in blocks)
            yield pa.RecordBatch.from_pydict({"split": [split.index], "records": [count]})

    try:
        counted = _by_tasks(spark, numbers, shared, counts, _struct(_COUNTS)).collect()
    except Exception as error:
        raise spark_failure(error) from error
    return _sums({row["split"]: row["records"] for row in counted}, plan)


_COUNTS = pa.schema([("split", pa.int64()), ("records", pa.int64())])


def _sums(counts: Mapping[int, int], plan: Plan) -> dict[int, int]:
    before = dict[int, int]()
    for index in sorted(counts):
        before[index + 1] = counts[index] + (before.get(index, 0) if plan.splits[index].number else 0)
    return before


def _split_rows(reading: Reading, split: Split, source: InputFile, rows_before: int) -> Batches:
    for block in reading.reader.read(source, split.start, split.stop):
        for parsed in block.parse(_RECORDS_TOGETHER):
            yield record_rows(parsed, block.binding, reading.columns, source.source.uri, rows_before)
            rows_before += parsed.record_count


def _by_tasks(
    spark: SparkSession,
    numbers: Sequence[int],
    shared: Callable[[], Reading],
    read: Callable[[Reading, Split, InputFile], Batches],
    schema: StructType,
) -> DataFrame:
    """Return what ``read`` yields of the splits of tasks, a partition for each task."""
    if not numbers:
        return spark.createDataFrame([], schema)

    def rows(places: Iterable[pa.RecordBatch]) -> Batches:
        reading = shared()
        begin_run(reading.run)  # a worker lives longer than a query
        limit_threads()
        hide_warnings()
        for batch in places:
            for place in batch.column(0).to_pylist():
                for split, source in reading.workload.task(numbers[place]):
                    yield from safely(read(reading, split, source), f"input {source.source.uri}")

    return spark.range(0, len(numbers), 1, numPartitions=len(numbers)).mapInArrow(rows, schema)


def _struct(schema: pa.Schema) -> StructType:
    from pyspark.sql.pandas.types import from_arrow_schema

    struct: StructType = from_arrow_schema(schema, prefer_timestamp_ntz=True)
    return struct
