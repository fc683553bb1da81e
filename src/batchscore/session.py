"""The Spark session of a job."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from batchscore.config import JobConfig
from batchscore.errors import ConfigError, describe_without_content
from batchscore.threads import THREAD_VARIABLES, WORKER_VARIABLES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger(__name__)

_SETTINGS = {
    "spark.ui.showConsoleProgress": "false",  # it garbles our own progress
    "spark.sql.execution.arrow.maxRecordsPerBatch": "1",
} | {f"spark.executorEnv.{name}": value for name, value in WORKER_VARIABLES.items()}

# Spark's JVM only schedules here, the work is in Python: its optimising compiler and parallel collector would take more
# of a small machine's cores, and of a job's first seconds, than they give back.
_LOCAL_SETTINGS = {"spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}


def check_spark() -> None:
    """Raise ConfigError if what Spark needs is not there."""
    if importlib.util.find_spec("pyspark") is None:
        raise ConfigError(
            "pyspark: expected it to be installed, got none; pip install batchscore[local], or use spark-submit"
        )
    home = os.environ.get("JAVA_HOME")
    if not _submitted() and not shutil.which(f"{home}/bin/java" if home else "java"):
        raise ConfigError("Java: expected version 17 or later, got none; install it, for example openjdk-17-jre")


def _submitted() -> bool:
    """Tell whether spark-submit started this process, and Spark's JVM before it."""
    return "PYSPARK_GATEWAY_PORT" in os.environ


def start_spark(config: JobConfig, job_id: str) -> SparkSession:
    """Start Spark, or join the one that spark-submit started.

    spark-submit's own master always holds; its other settings give way to the configuration's.
    """
    from pyspark.sql import SparkSession

    submitted = _submitted()
    if not submitted:
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
        # Bound to the loopback unless told otherwise: a laptop's host name often does not resolve.
        if config.spark.get("spark.master", "local").startswith("local"):
            os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, "1")
    builder = SparkSession.builder.appName(f"batchscore {job_id}")
    defaults = {"spark.master": "local[*,4]"} | _SETTINGS | ({} if submitted else _LOCAL_SETTINGS)
    for key, value in (defaults | config.spark).items():
        if not (submitted and key == "spark.master"):
            builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel(config.spark.get("spark.log.level", "ERROR"))
    return spark


class BackgroundSpark:
    """A session that starts while the driver imports mlflow and reads the registry."""

    def __init__(self, config: JobConfig, given: SparkSession | None) -> None:
        self._config = config
        self._given = given
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="start-spark")
        self._starting: Future[SparkSession] | None = None

    def start(self) -> None:
        """Begin to start, if that has not been done."""
        if self._starting is None and self._given is None:
            check_spark()
            self._starting = self._pool.submit(start_spark, self._config, str(self._config.id))

    def session(self) -> SparkSession:
        """Return the session, when it has started."""
        if self._given is not None:
            return self._given
        self.start()
        assert self._starting is not None
        return self._starting.result()

    def __enter__(self) -> BackgroundSpark:
        return self

    def __exit__(self, *_: object) -> None:
        """Stop what was started; a session that was given stays."""
        self._pool.shutdown()
        if self._starting is None or self._starting.exception() is not None:
            return
        try:
            self._starting.result().stop()
        except Exception as error:
            log.warning("Spark: expected to stop it, got %s", describe_without_content(error))
