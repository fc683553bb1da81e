"""What many tasks take of Spark and the driver: `python -m bench.growth COUNT MILLISECONDS`, or `COUNT java`.

Each task is one of a job's own action, a number in a pandas UDF that sleeps so long, and answers a text as long as that
of a split. On one machine its worker takes the cores that the driver needs; a task of `java` answers without one.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
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
from bench.measure import use_cores

CORES = 2
ANSWER = "x" * 400
WATCH_SECONDS = 0.2


@dataclass(frozen=True)
class TaskCost:
    """Seconds of an action and from its last task to its answers, and peak memory of the driver's processes."""

    task_count: int
    seconds: float
    seconds_after_last: float
    python_bytes: int
    jvm_bytes: int


def cost_of_tasks(count: int, milliseconds: float | None) -> TaskCost:
    """Run so many tasks that sleep so long, or are Java's alone, after one that has Spark and its workers ready."""
    keys = {"id": "growth", "model": "models:/m/1", "input": "/in/", "output": "/out"}
    spark = start_spark(make_config(keys | {"spark": {"spark.master": f"local[{CORES}]"}}), "growth")
    tracker = spark.sparkContext.statusTracker()
    last_seen = 0.0

    def work(_: int) -> str:
        if not gc.get_freeze_count():  # as a worker does that has loaded its model; Spark collects after each task
            gc.freeze()
        time.sleep((milliseconds or 0) / 1000)
        return ANSWER

    def watch() -> None:
        nonlocal last_seen
        stages = [tracker.getStageInfo(number) for number in tracker.getActiveStageIds()]
        if any(stage and stage.numCompletedTasks < count for stage in stages):
            last_seen = time.perf_counter()

    run_tasks(spark, 1, work, "ready", "ready", lambda: None)
    started = time.perf_counter()
    if milliseconds is None:
        answers = _answers_of_java(spark, count, watch)
    else:
        answers = run_tasks(spark, count, work, "growth", "growth", watch)
    ended = time.perf_counter()
    if answers != [ANSWER] * count:
        raise AssertionError(f"tasks: expected {count} answers, got {len(answers)} or others")
    jvm = next(child for child in psutil.Process().children() if child.name() == "java")
    status = Path(f"/proc/{jvm.pid}/status").read_text()
    jvm_kib = int(status.split("VmHWM:")[1].split()[0])
    stop_session(spark)
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return TaskCost(count, ended - started, ended - last_seen, own, jvm_kib * 1024)


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
    milliseconds = None if sys.argv[2] == "java" else float(sys.argv[2])
    print(json.dumps(asdict(cost_of_tasks(int(sys.argv[1]), milliseconds))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
