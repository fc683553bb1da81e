from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from batchscore.commands.run import run_job
from batchscore.config.job_config import JobConfig
from batchscore.spark.session import start_spark
from tests.spark.results import Job
from tests.worker_daemon import WORKERS_WITH_LIBRARIES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from tests.registry import Registry


@pytest.fixture(scope="package")
def spark() -> Iterator["SparkSession"]:
    """Spark with two tasks at a time, for all tests of this folder."""
    settings = {"spark.master": "local[2]", "spark.sql.shuffle.partitions": "2"}
    settings |= WORKERS_WITH_LIBRARIES
    config = JobConfig.model_validate({"model": "models:/none/1", "input": "none", "output": "none", "spark": settings})
    session = start_spark(config, "tests")
    yield session
    session.stop()


@pytest.fixture(scope="module")
def batches_of_spark_s_own_size(spark: "SparkSession") -> Iterator[None]:
    """Let a pandas UDF get as many records at a time as it does elsewhere."""
    key = "spark.sql.execution.arrow.maxRecordsPerBatch"
    before = str(spark.conf.get(key))
    spark.conf.set(key, "10000")
    yield
    spark.conf.set(key, before)


@dataclass(frozen=True)
class Runner:
    """Runs jobs of the id ``job`` on the shared session, by default into one folder of the test's own."""

    registry: "Registry"
    spark: "SparkSession"
    folder: Path

    def __call__(self, model_uri: str, output: str = "output", **keys: Any) -> Job:
        self.summary(model_uri, output, **keys)
        return self.job(output)

    def summary(self, model_uri: str, output: str = "output", **keys: Any) -> dict[str, Any]:
        keys = {"id": "job", "output": str(self.folder / output)} | keys
        return run_job(self.registry.config(model_uri, **keys), self.spark)

    def job(self, output: str = "output") -> Job:
        return Job(self.folder / output, "job")


@pytest.fixture
def run(registry: "Registry", spark: "SparkSession", tmp_path: Path) -> Runner:
    return Runner(registry, spark, tmp_path)
