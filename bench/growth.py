"""What many tasks take of Spark and the driver: `python -m bench.growth COUNT job`, or `job-by-tcp`, or `java`.

Each task is one of a job's own action, a number in a pandas UDF that sleeps a millisecond, and answers a text as long
as that of a split. On one machine its worker takes the cores that the driver needs, and Spark talks to it by a Unix
socket, or by TCP as on a cluster; a task of `java` answers without one.
"""

from __future__ import annotations

import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from pyspark.sql import SparkSession
from pyspark.sql.functions import lit

from batchscore.config.job_config import make_config
from batchscore.spark.action import run_tasks
from batchscore.spark.session import start_spark, stop_session
from bench.measure import peak_bytes_of, use_cores
from bench.planning import synthetic_answer, synthetic_plan, write_manifests

CORES = 2
ANSWER = "x" * 400
TASK_SECONDS = 0.001
KINDS: dict[str, dict[str, str]] = {
    "job": {},
    "job-by-tcp": {"spark.python.unix.domain.socket.enabled": "false"},
    "java": {},
}
"""The kinds of tasks, each with the settings of Spark that it needs."""
WATCH_SECONDS = 0.2


@dataclass(frozen=True)
class TaskCost:
    """What an action took, and the peak memory of the driver's processes.

    ``seconds`` are until the answers are there, the others from its last task on: to the answers, and to the manifests
    of a job of as many splits.
    """

    task_count: int
    seconds: float
    seconds_to_answers: float
    seconds_to_manifests: float
    python_bytes: int
    jvm_bytes: int


def cost_of_tasks(count: int, kind: str) -> TaskCost:
    """Run so many tasks of a kind, after one of a job, which has Spark and its workers ready."""
    keys = {"id": "growth", "model": "models:/m/1", "input": "/in/", "output": "/out"}
    settings = {"spark.master": f"local[{CORES}]"} | KINDS[kind]
    spark = start_spark(make_config(keys | {"spark": settings}), "growth")
    tracker = spark.sparkContext.statusTracker()
    plan = synthetic_plan(count)
    told = [synthetic_answer(split) for split in plan.splits]  # for the manifests: tasks of Java cannot tell so much
    last_seen = 0.0

    def work(_: int) -> str:
        if not gc.get_freeze_count():  # as a worker does that has loaded its model; Spark collects after each task
            gc.freeze()
        time.sleep(TASK_SECONDS)
        return ANSWER

    def watch() -> None:
        nonlocal last_seen
        stages = [tracker.getStageInfo(number) for number in tracker.getActiveStageIds()]
        if any(stage and stage.numCompletedTasks < count for stage in stages):
            last_seen = time.perf_counter()

    run_tasks(spark, 1, work, "ready", "ready", lambda: None)
    started = time.perf_counter()
    if kind == "java":
        answers = _answers_of_java(spark, count, watch)
    else:
        answers = run_tasks(spark, count, work, "growth", "growth", watch)
    ended = time.perf_counter()
    if answers != [ANSWER] * count:
        raise AssertionError(f"tasks: expected {count} answers, got {len(answers)} or others")
    with tempfile.TemporaryDirectory() as folder:
        started_commit = time.perf_counter()
        write_manifests(plan, told, Path(folder))
        committing = time.perf_counter() - started_commit
    jvm = next(child for child in psutil.Process().children() if child.name() == "java")
    peaks = peak_bytes_of(), peak_bytes_of(jvm.pid)
    stop_session(spark)
    to_answers = ended - last_seen
    return TaskCost(count, ended - started, to_answers, to_answers + committing, *peaks)


def _answers_of_java(spark: SparkSession, count: int, watch: Callable[[], None]) -> list[str]:
    rows = spark.range(0, count, 1, numPartitions=count).select(lit(ANSWER).alias("answer"))
    with ThreadPoolExecutor(1) as pool:
        action = pool.submit(rows.collect)
        while wait([action], WATCH_SECONDS).not_done:
            watch()
    return [row["answer"] for row in action.result()]


def main() -> int:
    """Print what the tasks cost as JSON."""
    use_cores(CORES)
    print(json.dumps(asdict(cost_of_tasks(int(sys.argv[1]), sys.argv[2]))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
