"""A session that a job starts is that job's alone: nothing of it reaches the next job of the process."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
import pyspark
import pytest
from mlflow.pyfunc.model import PythonModel
from sklearn.linear_model import LogisticRegression

from tests.processes import SHORT_LIVED, SPARK_HOME, without_spark
from tests.registry import Registry, columns

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def model_uri(registry: Registry) -> str:
    model = LogisticRegression().fit(pd.DataFrame({"age": [20.0, 60.0]}), [0, 1])
    return registry.register(model, signature=columns("age:double"))


PROGRAM = """
import json, os, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from batchscore.config.job_config import make_config
from batchscore.commands.run import run_job
from batchscore.environment import process_kept
from batchscore.spark.session import BackgroundSpark

model, tracking_uri, folder, path = sys.argv[1:]
told = {}

def config(name, **keys):
    where = {"input": f"{folder}/in.csv", "output": f"{folder}/{name}", "id": name}
    return make_config({"model": model, "tracking_uri": tracking_uri, **where, **keys})

def seen(spark):
    context = spark.sparkContext
    properties = context._jvm.java.lang.System.getProperties()
    names = [name for name in properties.stringPropertyNames() if "first" in properties.getProperty(name)]
    held = context.parallelize([1], 1).map(lambda _: dict(os.environ)).first()
    return {
        "settings": [key for key, value in context.getConf().getAll() if "first" in value],
        "properties": names,
        "worker": sorted(name for name, value in held.items() if "first" in value or name.startswith("MLFLOW_S3")),
        "region": held.get("AWS_DEFAULT_REGION"),
        "pyspark": context.parallelize([1], 1).map(lambda _: __import__("pyspark").__file__).first(),
    }

first = {
    "spark.master": "local[1]", "spark.ui.enabled": "false", "spark.hadoop.fs.s3a.secret.key": "first",
    "spark.executorEnv.OF_JOB": "first", "spark.driver.extraJavaOptions": "-Dof.job=first", "spark.of.job": "first",
}
second = {"spark.master": "local[1]", "spark.ui.enabled": "false"}
before, path_before = dict(os.environ), sys.path[:]
s3 = {"endpoint": "http://127.0.0.1:9", "region": "first", "expected_bucket_owner": "111122223333"}
told["first"] = run_job(config("first", spark=first, s3=s3))["Status"]
with process_kept(), BackgroundSpark(config("x", spark=first), None) as background:
    told["of first"] = seen(background.session())
with process_kept(), BackgroundSpark(config("x", spark=second), None) as background:
    told["of second"] = seen(background.session())
with ThreadPoolExecutor(2) as pool:
    jobs = pool.map(run_job, [config("a", spark=second), config("b", spark=second)])
    told["threads"] = [done["Status"] for done in jobs]
# Each import of polars, which MLflow does where it is installed, adds to its allocator's variable.
told["changed"] = sorted({name for name, _ in set(os.environ.items()) ^ set(before.items())} - {"_RJEM_MALLOC_CONF"})
told["path"] = [entry for entry in sys.path if entry not in path_before]

from pyspark.sql import SparkSession
os.environ["PYSPARK_PYTHON"] = sys.executable
host = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
host.range(1).count()
properties = host.sparkContext._jvm.java.lang.System.getProperties
settings = dict(host.sparkContext.getConf().getAll()), host.conf.get("spark.sql.execution.arrow.maxRecordsPerBatch")
held = {name for name in properties().stringPropertyNames()}
told["host"] = run_job(config("host", spark=first))["Status"]
after = dict(host.sparkContext.getConf().getAll()), host.conf.get("spark.sql.execution.arrow.maxRecordsPerBatch")
told["host kept"] = [host.range(3).count(), after == settings, held == set(properties().stringPropertyNames())]
host.stop()
Path(path).write_text(json.dumps(told))
"""


def test_nothing_of_a_session_that_a_job_started_reaches_the_next_and_the_host_s_own_is_used_and_left(
    model_uri: str, registry: Registry, tmp_path: Path
) -> None:
    (tmp_path / "in.csv").write_text("age\n20\n60\n")
    left_out = ("MLFLOW_", "AWS_")
    environment = {name: value for name, value in without_spark().items() if not name.startswith(left_out)}

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, model_uri, registry.uri, str(tmp_path), str(tmp_path / "told")],
        env=environment | {"JAVA_TOOL_OPTIONS": SHORT_LIVED},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-8000:]
    told = json.loads((tmp_path / "told").read_text())
    assert told["first"] == "COMPLETED"
    assert {"spark.hadoop.fs.s3a.secret.key", "spark.of.job"} <= set(told["of first"]["settings"])
    assert {"of.job", "sun.java.command"} <= set(told["of first"]["properties"])
    assert told["of first"]["worker"] == ["OF_JOB"]
    assert told["of second"] == {
        "settings": [],
        "properties": [],
        "worker": [],
        "region": None,
        "pyspark": pyspark.__file__,  # none of its archive of sources, which each worker would compile
    }
    assert told["threads"] == ["COMPLETED", "COMPLETED"]
    assert (told["changed"], told["path"]) == ([], [])
    assert told["host"] == "COMPLETED"
    assert told["host kept"] == [3, True, True]


class Hungry(PythonModel):
    """A model that takes more memory than a worker may have."""

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:  # noqa: ARG002 - mlflow's interface
        if "SPARK_LOCAL_DIRS" in os.environ:
            np.ones(2**29)  # 4 GiB
        return model_input["age"]


@pytest.fixture(scope="module")
def hungry_uri(registry: Registry) -> str:
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    uri = registry.register(Hungry(), "pyfunc", columns("age:double", outputs=["y"]))
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    return uri


def run_command(
    registry: Registry, folder: Path, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    (folder / "in.csv").write_text("age\n20\n60\n")
    keys = [f"tracking_uri={registry.uri}", f"input={folder}/in.csv", f"output={folder}/out", "id=job"]
    keys += ["spark.master=local[1,1]", "spark.ui.enabled=false"]
    command = [sys.executable, "-m", "batchscore.cli", "run", *keys, *arguments]
    return subprocess.run(command, env=without_spark() | variables, capture_output=True, text=True, check=False)


@pytest.mark.skipif(sys.platform != "linux", reason="Spark's limit holds on Linux alone")
def test_a_worker_that_lacks_memory_to_begin_names_the_setting(
    registry: Registry, model_uri: str, tmp_path: Path
) -> None:
    done = run_command(registry, tmp_path, f"model={model_uri}", "spark.executor.pyspark.memory=64m")

    assert done.returncode == 5
    assert "; spark.executor.pyspark.memory is 64m: raise it or leave it out" in done.stderr.splitlines()[-1]


@pytest.mark.skipif(sys.platform != "linux", reason="Spark's limit holds on Linux alone")
def test_a_model_that_lacks_memory_names_the_setting(registry: Registry, hungry_uri: str, tmp_path: Path) -> None:
    done = run_command(registry, tmp_path, f"model={hungry_uri}", "spark.executor.pyspark.memory=3g")

    assert done.returncode == 5
    told = done.stderr.splitlines()[-1]
    assert "MemoryError" in told
    assert "; spark.executor.pyspark.memory gives a worker 3072 MiB: raise it or leave it out" in told


def test_a_spark_that_does_not_start_ends_the_job_before_a_record_is_written(
    registry: Registry, model_uri: str, tmp_path: Path
) -> None:
    done = run_command(registry, tmp_path, f"model={model_uri}", "spark.driver.port=nonsense")

    assert done.returncode == 5
    assert "batchscore: ScoringError: Spark: expected it to start, got " in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("master", ["local[2]", "spark://127.0.0.1:9"])
def test_cores_that_spark_submit_was_told_of_are_refused_before_a_record_is_written(
    master: str, registry: Registry, model_uri: str, tmp_path: Path
) -> None:
    (tmp_path / "in.csv").write_text("age\n20\n60\n")
    keys = [f"model={model_uri}", f"tracking_uri={registry.uri}", f"input={tmp_path}/in.csv", f"output={tmp_path}/out"]
    conf = ["--master", master, "--conf", "spark.executor.cores=2", "--conf", "spark.task.cpus=4"]
    python = {"PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable}

    done = subprocess.run(
        [f"{SPARK_HOME}/bin/spark-submit", *conf, "jobs/batch_predict.py", *keys],
        cwd=REPOSITORY,
        env=without_spark() | python,
        capture_output=True,
        text=True,
        check=False,
    )

    told = done.stdout + done.stderr  # spark-submit hands on what the driver says as its output
    assert done.returncode == 2, told[-4000:]
    assert "batchscore: ConfigError: key spark.task.cpus: expected at most the 2 of spark." in told
    assert not (tmp_path / "out").exists()


def test_settings_of_spark_s_own_file_under_which_no_task_can_run_are_refused_before_a_record_is_written(
    registry: Registry, model_uri: str, tmp_path: Path
) -> None:
    (tmp_path / "spark-defaults.conf").write_text("spark.task.cpus 8\n")

    done = run_command(registry, tmp_path, f"model={model_uri}", SPARK_CONF_DIR=str(tmp_path))

    assert done.returncode == 2
    assert "key spark.task.cpus: expected at most the 1 of spark.master local[1,1], got 8" in done.stderr
    assert not (tmp_path / "out").exists()
