"""One Spark action: a task for each number, watched while it runs."""

from __future__ import annotations

import logging
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

import pandas as pd
from pyspark.sql.functions import col
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.types import StringType

from batchscore.errors import (
    ERRORS_BY_NAME,
    WORKER_MEMORY,
    BatchScoreError,
    ScoringError,
    describe_without_content,
    tells_of_memory,
)
from batchscore.process import StopRequested
from batchscore.spark.lost_executors import REMEDY, LostExecutors, over_memory
from batchscore.storage.s3_client import begin_run

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.udf import UserDefinedFunction

log = logging.getLogger(__name__)

Row = TypeVar("Row")

_WATCH_SECONDS = 0.2


def run_tasks(
    spark: SparkSession,
    count: int,
    work: Callable[[int], str],
    group: str,
    description: str,
    watch: Callable[[], None],
) -> list[str]:
    """Run ``work`` for 0..count-1, one Spark task each, and return the answers of the tasks that succeeded.

    ``watch`` is called while they run; what it raises cancels them. Raises ScoringError if Spark gives up.
    """
    if count == 0:
        return []
    rows = planned_tasks(spark, count, work)
    context = spark.sparkContext
    limit = context.getConf().get(WORKER_MEMORY)
    lost = LostExecutors(spark)

    def look() -> None:
        lost.look()
        watch()

    def collect() -> list[str]:
        context.setJobGroup(group, description, interruptOnCancel=True)
        return [row["answer"] for row in rows.collect()]

    with ThreadPoolExecutor(1, thread_name_prefix="spark-action") as pool:
        action = pool.submit(collect)
        try:
            _watch(action, look)
            return action.result()
        except BaseException as error:
            _cancel(spark, group, action)
            told = what_ended(error, limit, lost.over_memory)
            if told is error:
                raise
            raise told from error


def planned_tasks(spark: SparkSession, count: int, work: Callable[[int], str]) -> DataFrame:
    """Return the query that runs ``work`` for 0..count-1, a task and a row each."""
    answer = _answering(work, uuid.uuid4().hex)
    return spark.range(0, count, 1, numPartitions=count).select(answer(col("id")).alias("answer"))


def _answering(work: Callable[[int], str], run: str) -> UserDefinedFunction:
    """Return ``work`` as an iterator pandas UDF, which means the same on PySpark 3.5 to 4.3."""

    def answers(ids: Iterator[pd.Series]) -> Iterator[pd.Series]:
        begin_run(run)  # a worker lives longer than a job
        for batch in ids:
            yield pd.Series([_without_content(work, int(number)) for number in batch])

    answers.__annotations__ = {"ids": Iterator[pd.Series], "return": Iterator[pd.Series]}
    # Not deterministic, so that Spark never runs it twice for one row.
    udf: UserDefinedFunction = pandas_udf(answers, StringType()).asNondeterministic()  # type: ignore[call-overload] # typed by annotations
    return udf


def _cancel(spark: SparkSession, group: str, action: Future[list[str]]) -> None:
    """Cancel until the action has ended: its job may not have reached Spark yet, or Spark may be gone."""
    try:
        while not action.done():
            spark.sparkContext.cancelJobGroup(group)
            time.sleep(_WATCH_SECONDS)
    except Exception as error:
        log.warning("Spark: expected to cancel its tasks, got %s", describe_without_content(error))


def _watch(action: Future[list[str]], watch: Callable[[], None]) -> None:
    while wait([action], _WATCH_SECONDS).not_done:
        watch()
    watch()


def what_ended(error: BaseException, limit: str | None, killed: str | None) -> BaseException:
    """Return what the tasks' end is to be told as: the error itself, unless more can be said of it (pure).

    ``limit`` and ``killed`` are those of ``spark_failure``.
    """
    if isinstance(error, StopRequested) and killed:  # YARN gives up a job that loses too many executors
        return ScoringError(f"{error}; before that Spark lost {killed}: {REMEDY}")
    if isinstance(error, Exception) and not isinstance(error, BatchScoreError):
        return spark_failure(error, limit, killed)
    return error


def spark_failure(error: Exception, limit: str | None = None, killed: str | None = None) -> BatchScoreError:
    """Say why Spark gave up: the last line that a worker's own message holds, which carries no content.

    ``limit`` is the memory that Spark allows the workers of an executor, ``killed`` an executor that used too much.
    """
    text = str(error)
    marked = [line for line in text.splitlines() if _WORKER_MARK in line]
    if not marked and (killed := over_memory(text) or killed):
        return ScoringError(f"Spark: expected every task to finish, got {killed}: {REMEDY}; see the log of Spark")
    if not marked:
        got = next((meaning for words, meaning in _DEATHS.items() if words in text), type(error).__name__)
        hint = ""
        if limit and (tells_of_memory(text) or got == _DEATHS[_WORKER_DIED]):
            hint = f"; {WORKER_MEMORY} is {limit}: raise it or leave it out"
        return ScoringError(f"Spark: expected every task to finish, got {got}{hint}; see the log of Spark")
    name, _, reason = marked[-1].partition(_WORKER_MARK)[2].strip().partition(": ")
    return ERRORS_BY_NAME.get(name, ScoringError)(reason or name)


_WORKER_MARK = "batchscore worker:"
_WORKER_DIED = "Python worker exited unexpectedly"
# What Spark says of processes that could not say anything themselves.
_DEATHS = {
    _WORKER_DIED: "a Python worker that died, as where memory runs out or a library crashes",
    "ExecutorLostFailure": "an executor that was lost, as where memory runs out",
}


class WorkerError(RuntimeError):
    """An error of a task that Spark may try again; the message carries no content."""


def _without_content(work: Callable[[int], str], number: int) -> str:
    """Run a task's work so that no foreign message, which could print records, reaches Spark's logs."""
    try:
        return work(number)
    except Exception as error:
        failure = _worker_error(error, f"task {number}")
    raise failure


def safely(rows: Iterator[Row], what: str) -> Iterator[Row]:
    """Yield the same rows of a task; no foreign message, which could print records, reaches Spark's logs."""
    failure = None
    try:
        yield from rows
    except Exception as error:
        failure = _worker_error(error, what)
    if failure:
        raise failure


def _worker_error(error: Exception, what: str) -> WorkerError:
    if isinstance(error, BatchScoreError):
        return WorkerError(f"{_WORKER_MARK} {type(error).__name__}: {error}")
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    trail = " <- ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
    told = describe_without_content(error)
    return WorkerError(f"{_WORKER_MARK} ScoringError: {what}: expected to finish, got {told} ({trail})")
