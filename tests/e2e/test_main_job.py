"""The main job as a user runs it, on whichever PySpark the interpreter has: nothing here calls the package."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.demo import expected_lines, result_files, result_lines, run_batchscore, settings
from tests.processes import SHORT_LIVED_EXECUTORS


@dataclass(frozen=True)
class Run:
    """A job that has run: its keys, what it printed, and its output."""

    keys: list[str]
    summary: dict[str, Any]
    output: Path


@pytest.fixture(scope="module")
def job(demo: Path) -> Run:
    """A job on one core."""
    keys = settings(demo, "direct", id="direct", split_bytes="30000", **{"spark.master": "local[1]"})
    return Run(keys, run_batchscore("run", *keys), demo / "direct")


def test_every_score_is_that_of_the_model_called_directly(demo: Path, job: Run) -> None:
    assert job.summary["Status"] == "COMPLETED"
    assert (job.summary["TotalRecordCount"], job.summary["InvalidRecordCount"]) == (3000, 0)
    for name in ("customers-1.csv", "customers-2.csv"):
        assert result_lines(job.output, "direct", name) == expected_lines(demo)[name]
    manifest = json.loads((job.output / "batch-prediction/direct.manifest").read_text())
    assert manifest == {
        f"file://{demo}/input/{name}": f"file://{demo}/direct/batch-prediction/result/direct-{name}/"
        for name in ("customers-1.csv", "customers-2.csv")
    }
    assert not (job.output / "batch-prediction/in-progress").exists()


def test_a_cluster_of_two_executors_writes_the_bytes_of_one_core(demo: Path, job: Run) -> None:
    spark = {"spark.master": "local-cluster[2,1,1024]", **SHORT_LIVED_EXECUTORS}
    run_batchscore("run", *settings(demo, "two", id="direct", split_bytes="30000", **spark))

    assert len(result_files(job.output)) > 4
    assert result_files(job.output) == result_files(demo / "two")


def test_describe_and_list_show_the_record_that_run_wrote(job: Run) -> None:
    record = run_batchscore("describe", "direct", "--json", f"output={job.output}")

    assert record == {name: job.summary[name] for name in record}
    assert [record] == run_batchscore("list", "--status", "COMPLETED", "--json", f"output={job.output}")
    assert run_batchscore("list", "--status", "FAILED", "--json", f"output={job.output}") == []


def test_the_same_id_again_reports_the_finished_job_and_with_other_parameters_is_refused(job: Run) -> None:
    before = result_files(job.output)

    assert run_batchscore("run", *job.keys)["FinishedAt"] == job.summary["FinishedAt"]
    run_batchscore("run", *job.keys, "threshold=0.9", expected_code=2)

    assert result_files(job.output) == before
