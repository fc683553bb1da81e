"""Results as a Spark DataFrame: rows in record order by partition, read by tasks that hold them to the manifest."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from batchscore.errors import ConfigError
from batchscore.plan import OPEN_COST_BYTES
from batchscore.results import on_spark
from batchscore.results.predictions import read_predictions
from tests.result_files import LaidJob

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

HEADER = 'tag,"b,c",bestAnswer,score'
COLUMNS = ["tag", "b,c", "bestAnswer", "score"]


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LaidJob:
    monkeypatch.setattr(on_spark, "_TASK_BYTES", 2 * OPEN_COST_BYTES)  # a part for each task
    parts = ["".join(f"C{part}-{row},x,0,{row + 1}E-1\n" for row in range(5)) for part in range(6)]
    return LaidJob(tmp_path, HEADER, {"z.csv": parts[:4], "a.csv": [*parts[4:], "NA,,,\n\n"]}, columns=COLUMNS)


def rows(job: LaidJob, spark: "SparkSession | None", **asked: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in read_predictions(str(job.output), "bp-1", "spark", spark=spark, **asked).collect()]


def test_rows_are_those_of_the_other_engines_in_their_order(job: LaidJob, spark: "SparkSession") -> None:
    frame = read_predictions(str(job.output), "bp-1", "spark", spark=spark, positions=True)
    table = read_predictions(str(job.output), "bp-1", "arrow", positions=True)

    assert [tuple(row) for row in frame.collect()] == [tuple(row.values()) for row in table.to_pylist()]
    assert frame.dtypes == [
        *(("input", "string"), ("row", "bigint"), ("tag", "string"), ("b,c", "string")),
        *(("bestAnswer", "tinyint"), ("score", "double")),
    ]
    assert frame.rdd.getNumPartitions() == 7
    first = frame.rdd.mapPartitions(lambda part: [next(part)["tag"]]).collect()
    assert first == ["C0-0", "C1-0", "C2-0", "C3-0", "C4-0", "C5-0", "NA"]


@pytest.mark.usefixtures("spark")
def test_small_parts_share_a_task(job: LaidJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_spark, "_TASK_BYTES", 64 << 20)
    frame = read_predictions(str(job.output), "bp-1", "spark")  # on the active session
    assert (frame.rdd.getNumPartitions(), frame.count()) == (1, 32)


def test_columns_threshold_and_condition_hold_in_the_tasks(job: LaidJob, spark: "SparkSession") -> None:
    asked = {"columns": ["bestAnswer", "tag"], "threshold": 0.45, "where": "bestAnswer = 1 and tag like 'C5%'"}
    assert rows(job, spark, **asked) == [(1, "C5-4")]


def test_a_changed_part_fails_the_query_by_its_name(job: LaidJob, spark: "SparkSession") -> None:
    path = job.path("a.csv", 1)
    content = path.read_bytes()
    path.write_bytes(content[:4] + b"\1" + content[5:])
    frame = read_predictions(str(job.output), "bp-1", "spark", spark=spark)
    with pytest.raises(Exception, match=r"InputError: part file://.*part-00001.csv.gz: expected sha256"):
        frame.collect()


def test_a_threshold_that_digits_cannot_tell_fails_the_query(job: LaidJob, spark: "SparkSession") -> None:
    with pytest.raises(Exception, match=r"ConfigError: threshold 0.3: .* precision: full"):
        rows(job, spark, threshold=0.3)


def test_a_job_without_records_is_an_empty_frame(tmp_path: Path, spark: "SparkSession") -> None:
    job = LaidJob(tmp_path, "tag,bestAnswer,score", {})
    frame = read_predictions(str(job.output), "bp-1", "spark", spark=spark)
    assert (frame.columns, frame.collect()) == (["tag", "bestAnswer", "score"], [])


def test_without_a_session_it_is_told(job: LaidJob, monkeypatch: pytest.MonkeyPatch) -> None:
    from pyspark.sql import SparkSession

    monkeypatch.setattr(SparkSession, "getActiveSession", classmethod(lambda _: None))
    with pytest.raises(
        ConfigError, match="engine spark: expected a session, got none; start one, or give it as spark="
    ):
        rows(job, None)
