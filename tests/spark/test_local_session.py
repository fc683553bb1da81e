"""A session that a job starts on this machine: what it does without, and that the job finds its workers ready."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import psutil
from sklearn.linear_model import LinearRegression

from batchscore.preflight.planner import load_model, make_plan
from batchscore.spark import loaded_models
from batchscore.spark.action import run_tasks
from batchscore.spark.local_session import local_settings
from batchscore.spark.rehearsal import load_in_workers
from tests.registry import columns

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from tests.registry import Registry


def _daemon(_: int) -> str:
    return str(os.getppid())


def _tcp(_: int) -> str:
    return str(len(psutil.Process().net_connections("tcp")))


def _loaded(_: int) -> str:
    time.sleep(1)  # each worker has one of the tasks
    return " ".join(loaded_models._loaded)


def test_a_worker_of_an_rdd_is_one_of_the_job_s_query(spark: "SparkSession") -> None:
    of_rdd = spark.sparkContext.parallelize([0], 1).map(_daemon).collect()

    assert run_tasks(spark, 1, _daemon, "group", "a query", lambda: None) == of_rdd


def test_no_extension_is_looked_for(spark: "SparkSession") -> None:
    names = {function.name for function in spark.catalog.listFunctions()}

    assert "abs" in names  # Spark's own
    assert "vector_to_array" not in names  # which MLlib's extension brings


def test_no_ui_is_started(spark: "SparkSession") -> None:
    assert spark.sparkContext.uiWebUrl is None


def test_the_query_of_a_job_finds_its_model_loaded(spark: "SparkSession", registry: "Registry", tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("x\n1\n")
    model_uri = registry.register(
        LinearRegression().fit(pd.DataFrame({"x": [0.0]}), [0.0]), signature=columns("x:double")
    )
    places = {"input": str(tmp_path / "in.csv"), "output": str(tmp_path / "out")}
    model = load_model(registry.config(model_uri, id="job", **places), tmp_path / "model")
    plan = make_plan(registry.config(model_uri, id="job", **places), model)

    load_in_workers(spark.sparkContext, plan, model.archive)

    told = run_tasks(spark, 2, _loaded, "group", "a query", lambda: None)
    assert [model.version.pinned_uri in names for names in told].count(True) == 1  # as many as the job has tasks


def test_workers_and_their_jvm_talk_without_tcp(spark: "SparkSession") -> None:
    assert run_tasks(spark, 1, _tcp, "group", "a query", lambda: None) == ["0"]


def test_a_setting_of_the_job_goes_before() -> None:
    name = "spark.python.unix.domain.socket.enabled"

    assert local_settings({"spark.master": "local[2]", name: "false"})[name] == "false"


def test_a_cluster_s_session_has_none() -> None:
    assert [name for name in local_settings({"spark.master": "spark://127.0.0.1:9"}) if "socket" in name] == []
