"""Warming: what lets the next local jobs start in less time."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path

from batchscore.config.job_config import JobConfig
from batchscore.errors import CommitError, ConfigError, ScoringError, told_without_content
from batchscore.spark.class_archive import archive_place, keep, writing_options
from batchscore.spark.local_session import JVM_OPTIONS
from batchscore.spark.session import check_spark, not_started, start_spark, stop_jvm

log = logging.getLogger(__name__)

_WRITING_SECONDS = 300


def warm() -> Path:
    """Let Spark's JVM write the archive of its classes, and return where it lies.

    Raises ConfigError where Java or Spark are not there, ScoringError where they do not work, and CommitError where the
    archive cannot be written.
    """
    check_spark()
    place = archive_place()
    if place is None:
        raise ConfigError(
            "cache of classes: expected Java, a Spark with its jars, and a folder whose path has no spaces, got none; "
            "set JAVA_HOME, SPARK_HOME or XDG_CACHE_HOME"
        )
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="writing-", dir=place.parent) as folder:
            written = Path(folder, "classes.jsa")
            _start_and_end(written)
            if not written.exists():
                raise ScoringError(f"file {place}: expected Java to write its classes, got none; Java 17 does so")
            return keep(written, place)
    except OSError as error:
        raise CommitError(f"file {place}: expected to write it, got {told_without_content(error)}") from error


def _start_and_end(written: Path) -> None:
    """Let a session do what that of a job does, so that its classes are loaded, and wait for its JVM's end."""
    from batchscore.spark.action import run_tasks

    options = {"spark.driver.extraJavaOptions": f"{JVM_OPTIONS} {writing_options(written)}"}
    settings = {"spark.master": "local[2]"} | options
    config = JobConfig.model_validate({"model": "models:/none/1", "input": "none", "output": "none", "spark": settings})
    try:
        spark = start_spark(config, "warm")
    except RuntimeError as error:
        raise not_started(error) from error
    broadcast = spark.sparkContext.broadcast(b"a model")
    progress = spark.sparkContext.accumulator(0)

    def work(number: int) -> str:
        progress.add(len(broadcast.value))
        return str(number)

    spark.sparkContext.parallelize(range(1), 1).count()
    run_tasks(spark, os.cpu_count() or 1, work, "warm", "batchscore warm", lambda: None)
    spark.stop()
    log.info("Spark: waiting for Java to write its classes")
    stop_jvm(_WRITING_SECONDS)
