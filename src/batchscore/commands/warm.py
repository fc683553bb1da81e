"""Warming: what lets the next local jobs start in less time."""

from __future__ import annotations

import logging
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from batchscore.config.job_config import JobConfig
from batchscore.errors import CommitError, ConfigError, ScoringError, told_without_content
from batchscore.spark.class_archive import archive_place, keep, make_folder, writing_folder, writing_options
from batchscore.spark.home import conf_folder
from batchscore.spark.jvm import kill_jvm, stop_jvm
from batchscore.spark.local_session import JVM_OPTIONS
from batchscore.spark.session import check_spark, not_started, start_spark

log = logging.getLogger(__name__)

_WRITING_SECONDS = 300
_REMEDY = "Java 17 or later does so where memory and disk have room and it has an archive of its own, java -Xshare:dump"


def warm() -> Path:
    """Let Spark's JVM write the archive of its classes, and return where it lies.

    Raises ConfigError where Java, Spark or a folder that only this user may write are not there, or Spark's folder of
    settings has files, ScoringError where Java does not write, and CommitError where the archive cannot be kept.
    """
    check_spark()
    place = archive_place()
    if place is None:
        raise ConfigError(
            "cache of classes: expected Java, a Spark with its jars, and a folder whose path has no spaces, got none; "
            "set JAVA_HOME, SPARK_HOME or XDG_CACHE_HOME"
        )
    _check_conf_folder()
    try:
        make_folder(place)
        with writing_folder(place) as folder:
            written = Path(folder, "classes.jsa")
            code = _start_and_end(written)
            if code or not written.exists():
                found = "none" if code == 0 else f"exit code {code}"
                raise ScoringError(f"file {place}: expected Java to write its classes, got {found}; {_REMEDY}")
            return keep(written, place)
    except OSError as error:
        raise CommitError(f"file {place}: expected to write it, got {told_without_content(error)}") from error


def _check_conf_folder() -> None:
    """Raise ConfigError if a folder with files comes first on the JVM's class path: it writes no archive then."""
    folder = conf_folder()
    if folder.is_dir() and any(folder.iterdir()):
        raise ConfigError(
            f"Spark's settings {folder}: expected no files, beside which Java writes no classes, got some; set "
            "SPARK_CONF_DIR to an empty folder, here and for jobs, and put settings into their section spark"
        )


def _start_and_end(written: Path) -> int:
    """Let a session do what that of a job does, so that its classes are loaded; return the exit code of its JVM.

    A JVM that is not waited for to its end is killed: it would write to a folder that is gone.
    """
    try:
        _run_as_a_job(written)
        log.info("Spark: waiting for Java to write its classes")
        return stop_jvm(_WRITING_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise ScoringError(f"Java: expected it to write its classes in {_WRITING_SECONDS} s, got no end") from error
    finally:
        kill_jvm()


def _run_as_a_job(written: Path) -> None:
    from batchscore.spark.action import run_tasks

    options = {"spark.driver.extraJavaOptions": f"{JVM_OPTIONS} {writing_options(written)}"}
    settings = {"spark.master": "local[2]"} | options
    config = JobConfig.model_validate({"model": "models:/none/1", "input": "none", "output": "none", "spark": settings})
    try:
        with ThreadPoolExecutor(1) as pool:  # in the main thread it would take Ctrl-C for itself
            spark = pool.submit(start_spark, config, "warm").result()
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
