"""The Spark session of a job."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

from batchscore.config import JobConfig
from batchscore.errors import ConfigError
from batchscore.threads import THREAD_VARIABLES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_SETTINGS = {
    "spark.ui.showConsoleProgress": "false",  # it garbles our own progress
    "spark.sql.execution.arrow.maxRecordsPerBatch": "1",
} | {f"spark.executorEnv.{name}": "1" for name in THREAD_VARIABLES}


def start_spark(config: JobConfig, job_id: str) -> SparkSession:
    """Start Spark, or join the one that spark-submit started; raises ConfigError if it cannot be.

    spark-submit's own master always holds; its other settings give way to the configuration's.
    """
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    if not submitted:
        _check_java()
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
        # Bound to the loopback unless told otherwise: a laptop's host name often does not resolve.
        if config.spark.get("spark.master", "local").startswith("local"):
            os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, "1")
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise ConfigError(
            "pyspark: expected it to be installed, got none; pip install batchscore[local], or use spark-submit"
        ) from error
    builder = SparkSession.builder.appName(f"batchscore {job_id}")
    for key, value in ({"spark.master": "local[*]"} | _SETTINGS | config.spark).items():
        if not (submitted and key == "spark.master"):
            builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel(config.spark.get("spark.log.level", "ERROR"))
    return spark


def _check_java() -> None:
    home = os.environ.get("JAVA_HOME")
    if not shutil.which(f"{home}/bin/java" if home else "java"):
        raise ConfigError("Java: expected version 17 or later, got none; install it, for example openjdk-17-jre")
