"""Real processes: a driver that is killed, and two drivers of one id that are alive at once."""

import json
import os
import signal
import subprocess
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from batchscore.commands.check import check_job
from batchscore.config.job_config import OutputConfig
from tests.processes import running_cli
from tests.registry import Registry, columns
from tests.spark.conftest import Runner
from tests.spark.results import Job

WAIT_SECONDS = 300


@pytest.fixture(scope="module")
def model_uri(registry: Registry) -> str:
    model = LinearRegression().fit(pd.DataFrame({"a": [0.0, 1.0]}), [1.0, 3.5])
    return registry.register(model, signature=columns("a:double"))


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, Any]:
    """The keys of a job of 100 tasks: long enough to be met on its way."""
    (tmp_path / "in.csv").write_text("a\n" + "".join(f"{number:07d}\n" for number in range(1000)))
    return {"input": f"{tmp_path}/in.csv", "split_bytes": 80}


def driver(
    registry: Registry, model_uri: str, output: Path, errors: Path, **keys: Any
) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """Run the job as a driver process of its own."""
    settings = {"id": "job", "model": model_uri, "tracking_uri": registry.uri, "output": output, **keys}
    settings |= {"spark.master": "local[1]", "spark.ui.enabled": "false"}
    return running_cli("run", *(f"{key}={value}" for key, value in settings.items()), errors=errors)


def wait_for_receipts(output: Path, process: subprocess.Popen[bytes], errors: Path) -> None:
    work = output / "batch-prediction" / "in-progress" / "job"
    deadline = time.monotonic() + WAIT_SECONDS
    while len(list(work.glob("task-*.json"))) < 5:
        assert process.poll() is None, errors.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def prove(output: Path) -> None:
    assert check_job("job", OutputConfig(output=f"file://{output}")).findings == []


def test_a_driver_that_was_killed_is_taken_over_and_the_result_is_that_of_an_undisturbed_run(
    registry: Registry, model_uri: str, keys: dict[str, Any], run: Runner, tmp_path: Path
) -> None:
    output, errors = tmp_path / "output", tmp_path / "errors"
    with driver(registry, model_uri, output, errors, **keys) as process:
        wait_for_receipts(output, process, errors)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    killed = Job(output, "job")
    assert killed.record["Status"] == "INPROGRESS"
    assert not killed.path(".manifest.json").exists()

    summary = run.summary(model_uri, **keys)

    assert 5 <= summary["reused_part_count"] < summary["part_count"]
    log = killed.path(".log").read_text()
    assert f"{summary['reused_part_count']} of {summary['part_count']} parts were there already" in log
    assert killed.record["Status"] == "COMPLETED"
    undisturbed = run(model_uri, "undisturbed", **keys)
    assert killed.result_bytes() == undisturbed.result_bytes()
    assert killed.path(".profile.json").read_bytes() == undisturbed.path(".profile.json").read_bytes()
    assert not (output / "batch-prediction" / "in-progress").exists()
    prove(output)


@pytest.mark.parametrize("layout", ["parts", "amazon"])
def test_of_two_living_drivers_the_slower_one_says_that_the_other_s_result_stands(
    layout: str, registry: Registry, model_uri: str, keys: dict[str, Any], run: Runner, tmp_path: Path
) -> None:
    output, errors = tmp_path / "output", tmp_path / "errors"
    keys |= {"layout": layout}
    with driver(registry, model_uri, output, errors, **keys) as process:
        wait_for_receipts(output, process, errors)
        os.killpg(process.pid, signal.SIGSTOP)
        summary = run.summary(model_uri, **keys)
        finished = Job(output, "job")
        manifest = finished.path(".manifest.json").read_bytes()
        os.killpg(process.pid, signal.SIGCONT)
        code = process.wait(WAIT_SECONDS)

    assert summary["Status"] == "COMPLETED"
    assert code == 7, errors.read_text()
    assert "AlreadyCommittedError: " in errors.read_text()
    assert "its result stands" in errors.read_text()
    assert finished.path(".manifest.json").read_bytes() == manifest
    assert finished.record["Status"] == "COMPLETED"
    assert json.loads(finished.path(".manifest").read_bytes()).keys() == {f"file://{tmp_path}/in.csv"}
    assert not (output / "batch-prediction" / "in-progress").exists()
    prove(output)
