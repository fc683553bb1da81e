"""The packed job on a real standalone cluster, by spark-submit, with an interpreter that has no batchscore."""

import json
import os
import signal
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.e2e.demo import (
    ARCHIVE,
    REPOSITORY,
    clean_environment,
    expected_lines,
    make_bare_python,
    result_lines,
    serve_registry,
    settings,
)
from tests.processes import SHORT_LIVED, SPARK_HOME, START_SECONDS, spark_cluster

from batchscore.commands.check import check_job
from batchscore.config.job_config import OutputConfig

STOP_SECONDS = 10
IN_ARCHIVE = ("--archives", f"{ARCHIVE}#environment", "--conf", "spark.pyspark.python=./environment/bin/python")

Submit = Callable[..., subprocess.Popen[str]]


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_bare_python(tmp_path_factory.mktemp("bare"))


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory, bare_python: str) -> Iterator[str]:
    """A master and a worker, each a process of its own; gives the master's URL."""
    environment = clean_environment(PYSPARK_PYTHON=bare_python)
    folder = tmp_path_factory.mktemp("cluster")
    with spark_cluster(folder, environment, ["127.0.0.1"], "--cores 2 --memory 2g") as url:
        yield url


@pytest.fixture(scope="module")
def packed_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The driver's interpreter: the packed environment, unpacked."""
    folder = tmp_path_factory.mktemp("environment")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="fully_trusted")  # our own archive; its python is a link out of it
    return str(folder / "bin" / "python")


def test_the_packed_environment_has_no_pyspark(packed_python: str) -> None:
    found = subprocess.run([packed_python, "-c", "import pyspark"], capture_output=True, check=False)
    assert found.returncode != 0


@pytest.fixture(scope="module")
def registry_server(demo: Path) -> Iterator[str]:
    with serve_registry(demo) as uri:
        yield uri


@pytest.fixture
def submit(demo: Path, master: str, packed_python: str, bare_python: str, registry_server: str) -> Submit:
    """Start spark-submit of the job with an id, which is also the name of its output."""
    options = ["--conf", f"spark.pyspark.driver.python={packed_python}", "--conf", "spark.driver.host=127.0.0.1"]
    options += ["--master", master, "--executor-memory", "1g"]
    options += ["--conf", f"spark.executor.extraJavaOptions={SHORT_LIVED}"]
    environment = clean_environment(SPARK_HOME=SPARK_HOME, SPARK_LOCAL_IP="127.0.0.1", PYTHONPATH="")
    environment["SPARK_SUBMIT_OPTS"] = SHORT_LIVED
    environment["PATH"] = f"{Path(bare_python).parent}:{os.environ['PATH']}"

    def start(batch_id: str, *executors_python: str) -> subprocess.Popen[str]:
        keys = settings(demo, batch_id, id=batch_id, split_bytes="40000", tracking_uri=registry_server)
        return subprocess.Popen(
            [f"{SPARK_HOME}/bin/spark-submit", *options, *executors_python, "jobs/batch_predict.py", *keys],
            cwd=REPOSITORY,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def check_completed(process: subprocess.Popen[str], demo: Path, batch_id: str) -> None:
    output, errors = process.communicate()
    assert process.returncode == 0, (output + errors)[-6000:]
    summary = json.loads(output.splitlines()[-1])
    assert (summary["Status"], summary["TotalRecordCount"]) == ("COMPLETED", 3000)
    for name in ("customers-1.csv", "customers-2.csv"):
        assert result_lines(demo / batch_id, batch_id, name) == expected_lines(demo)[name]
    assert check_job(batch_id, OutputConfig(output=f"{demo}/{batch_id}")).findings == []


def test_the_packed_job_runs_on_a_cluster_that_has_no_batchscore(demo: Path, submit: Submit) -> None:
    check_completed(submit("cluster", *IN_ARCHIVE), demo, "cluster")


def test_a_spark_submit_that_is_told_to_stop_leaves_a_failed_job_in_ten_seconds_and_its_id_goes_on(
    demo: Path, submit: Submit, packed_python: str
) -> None:
    # Unpacked already: each executor that unpacks an archive takes half a minute.
    executors_python = ("--conf", f"spark.pyspark.python={packed_python}")
    folder = demo / "stopped" / "batch-prediction"
    record = folder / "stopped.json"

    def wait_for(status: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not record.exists() or json.loads(record.read_bytes())["Status"] != status:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    with submit("stopped", *executors_python) as process:
        wait_for("INPROGRESS", START_SECONDS)
        process.terminate()
        wait_for("FAILED", STOP_SECONDS)
        process.communicate(timeout=STOP_SECONDS)

    assert process.returncode == 128 + signal.SIGTERM
    assert sorted(folder.glob("*.manifest*")) == []
    check_completed(submit("stopped", *executors_python), demo, "stopped")
