"""A session that a job starts on this machine: what it does without, and that the job finds its workers ready."""

import os
from typing import TYPE_CHECKING

import pyspark

from batchscore.spark.action import run_tasks

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def _daemon(_: int) -> str:
    return str(os.getppid())


def _pyspark(_: int) -> str:
    return pyspark.__file__


def test_a_worker_of_an_rdd_is_one_of_the_job_s_query(spark: "SparkSession") -> None:
    of_rdd = spark.sparkContext.parallelize([0], 1).map(_daemon).collect()

    assert run_tasks(spark, 1, _daemon, "group", "a query", lambda: None) == of_rdd


def test_workers_import_the_pyspark_that_is_installed(spark: "SparkSession") -> None:
    assert run_tasks(spark, 1, _pyspark, "group", "a query", lambda: None) == [pyspark.__file__]


def test_no_extension_is_looked_for(spark: "SparkSession") -> None:
    names = {function.name for function in spark.catalog.listFunctions()}

    assert "abs" in names  # Spark's own
    assert "vector_to_array" not in names  # which MLlib's extension brings


def test_no_ui_is_started(spark: "SparkSession") -> None:
    assert spark.sparkContext.uiWebUrl is None
