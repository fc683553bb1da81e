"""score and verify as a program calls them: in any thread, on any session, in silence; a result shows itself."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import SparkSession
from sklearn.linear_model import LinearRegression

from batchscore import BatchScoreError, JobConfig, JobResult, predict_udf, score, verify
from batchscore.errors import ConfigError, InputError, TooManyInvalidRecordsError
from tests.processes import without_spark
from tests.registry import Registry, columns

LINES = "id,a\n<b>,1\nB,x\nC,\n"


@pytest.fixture(scope="module")
def uri(registry: Registry) -> str:
    model = LinearRegression().fit(pd.DataFrame({"a": [0.0, 1.0]}), [1.0, 3.0])
    return registry.register(model, signature=columns("a:double"), name="a-model")


@pytest.fixture
def keys(uri: str, registry: Registry, tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "in.csv").write_text(LINES)
    places = {"input": tmp_path / "in.csv", "output": tmp_path / "<out>"}
    return {"model": uri, "tracking_uri": registry.uri, "row_id": "id", "missing_values": "reject", **places}


def test_a_job_returns_what_run_prints_and_reads_record_and_manifest_back_when_asked(
    keys: dict[str, Any], spark: SparkSession, tmp_path: Path
) -> None:
    result = score(keys, spark, id="job")

    assert isinstance(result, JobResult)
    assert (result.id, result.output) == ("job", (tmp_path / "<out>").as_uri().replace("%3C", "<").replace("%3E", ">"))
    assert result.summary["invalid_reasons"] == {"invalid_value": 1, "missing_value": 1}
    assert (result.record.Status, result.record.InvalidRecordCount) == ("COMPLETED", 2)
    assert set(result.record.parameters) >= {"model", "inputs"}
    assert (result.manifest["columns"], result.manifest["record_count"]) == (["tag", "score"], 3)
    assert result.manifest is result.manifest
    with pytest.raises(AttributeError):
        result.id = "another"  # type: ignore[misc]
    assert spark.range(1).count() == 1  # the session given still runs
    again = score(JobConfig(**{**keys, "input": (str(keys["input"]),), "output": str(keys["output"])}), id="job")
    assert again == result
    assert again.summary["reported_again"]


def test_a_result_shows_itself_in_lines_and_in_a_notebook_where_nothing_of_it_is_html(
    keys: dict[str, Any], spark: SparkSession
) -> None:
    result = score(keys, spark, id="job")

    shown, html = repr(result), result._repr_html_()
    for text in ("COMPLETED", "models:/a-model/1", "3, 2 of them invalid (invalid_value 1, missing_value 1)"):
        assert text in shown
        assert text in html
    assert "<out>" in shown
    assert "<out>" not in html
    assert "&lt;out&gt;" in html
    assert len(html) < 4000


def test_a_job_that_fails_raises_its_error_with_the_record(keys: dict[str, Any], spark: SparkSession) -> None:
    with pytest.raises(TooManyInvalidRecordsError) as caught:
        score(keys, spark, id="job", max_invalid_records=1)
    assert isinstance(caught.value, BatchScoreError)
    assert caught.value.record is not None
    assert (caught.value.record["Status"], caught.value.record["BatchPredictionId"]) == ("FAILED", "job")
    with pytest.raises(InputError, match="expected"):
        JobResult("job", str(keys["output"]), {}).manifest  # noqa: B018


def test_a_job_runs_in_a_thread_that_is_not_the_main_one(keys: dict[str, Any], spark: SparkSession) -> None:
    found: list[Any] = []

    def work() -> None:
        found.append(verify(keys).ready)
        found.append(score(keys, spark, id="job", batch_timeout_seconds=60).record.Status)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [True, "COMPLETED"]


def test_a_review_tells_faults_apart_and_shows_itself_as_the_command_does(keys: dict[str, Any], tmp_path: Path) -> None:
    good = verify(keys)
    assert (good.ready, good.errors) == (True, [])
    assert str(good).splitlines()[-1] == "ready"

    (tmp_path / "in.csv").write_text("id,b<i>\nA,1\n")
    bad = verify(keys)

    [fault] = bad.errors
    assert (bad.ready, fault.where, fault.exit_code) == (False, "header", 3)
    assert "expected columns that are not there: a" in fault.what
    assert bad.faults == [*bad.errors, *bad.warnings]
    assert str(bad).splitlines()[-1] == "not ready"
    html = bad._repr_html_()  # type: ignore[attr-defined] # what notebooks ask for
    assert "<strong>not ready</strong>" in html
    assert "expected columns that are not there: a" in html


def test_keys_are_laid_over_a_configuration_in_each_of_its_forms(keys: dict[str, Any], tmp_path: Path) -> None:
    texts = {name: str(value) for name, value in keys.items()}
    (tmp_path / "job.yaml").write_text("".join(f"{name}: '{value}'\n" for name, value in texts.items()) + "id:\n")
    config = JobConfig(**{**texts, "input": (texts["input"],)})
    for given in (keys | {"id": None}, config, tmp_path / "job.yaml", str(tmp_path / "job.yaml")):
        plan = verify(given, id="laid-over", s3={"region": "eu-west-1"}).plan
        assert plan is not None
        assert (plan.spec.id, plan.spec.config.row_id, plan.spec.config.s3.region) == ("laid-over", "id", "eu-west-1")
    assert verify(**keys).ready


def test_a_configuration_that_is_none_is_one_error_of_all_its_faults() -> None:
    with pytest.raises(ConfigError) as caught:
        score({"model": "models:/m/1", "sep": ";"}, input="in")
    assert "key output: expected a value" in str(caught.value)
    assert "key sep: expected a known key" in str(caught.value)
    with pytest.raises(ConfigError, match=r"none\.yaml: expected a file, got none; correct the path$"):
        verify("none.yaml")
    with pytest.raises(
        ConfigError, match=r"expected a JobConfig, keys with values or the path of a YAML file, got int"
    ):
        verify(5)  # type: ignore[arg-type]
    secret = "postgresql://me:secret@db/mlflow"
    with pytest.raises(ConfigError, match="key output: expected a value") as caught:
        JobConfig(model="models:/m/1", input=("in",), tracking_uri=secret)  # type: ignore[call-arg]
    assert "secret" not in str(caught.value)
    assert caught.value.__context__ is None


def test_the_function_of_a_job_s_model_has_the_keys_of_the_job(keys: dict[str, Any], spark: SparkSession) -> None:
    config = JobConfig(**{**keys, "input": ("none",), "output": "none", "null_values": ("?",)})
    frame = spark.createDataFrame([(1, 2.0), (2, None)], "place int, a double")
    refusing = predict_udf(spark, config)  # what is missing, as the job would
    assert [row[0] for row in frame.orderBy("place").select(refusing("a")).collect()] == [pytest.approx(5.0), None]


PROGRAM = """
import logging, sys
from batchscore import score, verify
keys = dict(item.partition("=")[::2] for item in sys.argv[2:])
logging.basicConfig(level=getattr(logging, sys.argv[1])) if sys.argv[1] != "NONE" else None
assert verify(keys).ready
assert score(keys, id="job").record.Status == "COMPLETED"
"""


@pytest.mark.parametrize(("level", "told"), [("NONE", False), ("WARNING", False), ("INFO", True)])
def test_a_program_sees_of_the_log_what_it_configures_and_nothing_else_is_printed(
    keys: dict[str, Any], level: str, told: bool
) -> None:
    arguments = [f"{name}={value}" for name, value in keys.items()]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, level, *arguments],
        env=without_spark(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == ""
    assert ("batchscore.commands.ending" in done.stderr) == told
    assert ("loading the model" in done.stderr) == told
