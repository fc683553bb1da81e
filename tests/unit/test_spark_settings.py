"""Spark settings under which no job can run are refused before one begins."""

import os
import re
from pathlib import Path
from typing import Any, cast

import pytest

from batchscore.cli import main
from batchscore.commands.run import run_job
from batchscore.commands.verify import review_job
from batchscore.config.job_config import load_config, make_config
from batchscore.errors import ConfigError
from batchscore.spark.session import check_session
from batchscore.spark.settings import check_session_settings, check_settings
from batchscore.udf import predict_udf


@pytest.fixture(autouse=True)
def _two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    for name in ("SPARK_REMOTE", "SPARK_API_MODE", "SPARK_CONNECT_MODE", "SPARK_CONNECT_MODE_ENABLED"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("PYSPARK_GATEWAY_PORT", raising=False)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"spark.master": "local[2]", "spark.task.cpus": "4"}, "at most the 2 of spark.master local[2], got 4"),
        ({"spark.master": "local[2,4]", "spark.task.cpus": "3"}, "at most the 2 of spark.master local[2,4], got 3"),
        ({"spark.master": "local", "spark.task.cpus": "2"}, "at most the 1 of spark.master local, got 2"),
        ({"spark.task.cpus": "3"}, "at most the 2 of spark.master local[*,4], got 3"),
        (
            {"spark.master": "local-cluster[1,2,1024]", "spark.task.cpus": "3"},
            "at most the 2 of spark.master local-cluster[1,2,1024], got 3",
        ),
        (
            {"spark.master": "spark://host:7077", "spark.executor.cores": "4", "spark.task.cpus": "5"},
            "at most the 4 of spark.executor.cores, got 5",
        ),
        (
            {"spark.master": "spark://host:7077", "spark.cores.max": "2", "spark.task.cpus": "3"},
            "at most the 2 of spark.cores.max, got 3",
        ),
        (
            {"spark.master": "spark://host:7077", "spark.cores.max": "2", "spark.executor.cores": "4"},
            "key spark.cores.max: expected at least the 4 of spark.executor.cores, got 2",
        ),
        ({"spark.task.cpus": "0"}, "key spark.task.cpus: expected a whole number, 1 or more, got 0"),
        ({"spark.task.cpus": "two"}, "key spark.task.cpus: expected a whole number, 1 or more, got two"),
    ],
)
def test_a_task_that_no_executor_has_the_cores_for_is_refused(settings: dict[str, str], told: str) -> None:
    for check in (check_settings, check_session_settings):
        with pytest.raises(ConfigError, match=re.escape(told)) as caught:
            check(settings)
        assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"spark.master": "local[2]", "spark.task.cpus": "2", "spark.executor.cores": "1"},
        {"spark.master": "spark://host:7077", "spark.task.cpus": "16"},
        {"spark.master": "spark://host:7077", "spark.executor.cores": "4", "spark.cores.max": "4"},
        {"spark.master": "yarn", "spark.executor.cores": "4", "spark.task.cpus": "4"},
    ],
)
def test_what_may_run_is_not_refused(settings: dict[str, str]) -> None:
    check_settings(settings)
    check_session_settings(settings)


def test_an_executor_on_yarn_has_one_core_unless_a_session_s_settings_say_otherwise() -> None:
    settings = {"spark.master": "yarn", "spark.task.cpus": "2"}

    check_settings(settings)  # spark-defaults.conf may say otherwise
    with pytest.raises(ConfigError, match=r"at most the 1 of spark\.executor\.cores, got 2"):
        check_session_settings(settings)


def test_under_spark_submit_the_master_is_known_when_the_session_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")

    check_settings({"spark.task.cpus": "8"})


@pytest.mark.parametrize(
    ("variable", "value", "settings"),
    [
        ("SPARK_REMOTE", "sc://127.0.0.1:9", {}),
        ("SPARK_CONNECT_MODE_ENABLED", "1", {}),
        ("SPARK_API_MODE", "connect", {}),
        ("SPARK_CONNECT_MODE", "1", {}),
        ("NONE", "", {"spark.remote": "sc://user:token@127.0.0.1:9"}),
        ("NONE", "", {"spark.api.mode": "connect"}),
    ],
)
def test_spark_connect_is_refused_by_job_and_verify_and_its_address_not_repeated(
    variable: str, value: str, settings: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    keys: dict[str, Any] = {"model": "models:/m/1", "tracking_uri": f"sqlite:///{tmp_path}/none.db"}
    config = make_config(keys | {"input": "none", "output": str(tmp_path), "spark": settings})

    with pytest.raises(ConfigError, match="not on Spark Connect") as caught:
        check_settings(settings)
    review = review_job(config, tmp_path / "verify")

    assert "127.0.0.1" not in str(caught.value)
    assert [(fault.where, fault.exit_code) for fault in review.faults if fault.where == "spark"] == [("spark", 2)]
    assert review.exit_code == 2


def test_a_session_of_spark_connect_is_refused_by_its_kind() -> None:
    session = type("SparkSession", (), {"__module__": "pyspark.sql.connect.session"})()
    with pytest.raises(ConfigError, match="expected one with a SparkContext, got one of Spark Connect"):
        check_session(session)


def test_a_job_that_cannot_be_carried_out_ends_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = ["model=models:/m/1", f"input={tmp_path}/in.csv", f"output={tmp_path}/out", "spark.master=local[2]"]
    session = type("SparkSession", (), {"__module__": "pyspark.sql.connect.session"})()

    assert main(["run", *keys, "spark.task.cpus=4"]) == 2
    assert main(["run", *keys, "mode=new_inputs", "spark.task.cpus=4"]) == 2
    with pytest.raises(ConfigError, match="got one of Spark Connect"):
        run_job(load_config("", keys), session)
    with pytest.raises(ConfigError, match="Spark session: expected a SparkSession, got NoneType"):
        predict_udf(cast("Any", None), "models:/m/1")
    monkeypatch.setenv("SPARK_REMOTE", "sc://127.0.0.1:9")
    assert main(["run", *keys]) == 2

    told = capsys.readouterr().err
    assert told.count("batchscore: ConfigError: key spark.task.cpus: expected at most the 2 of spark.master") == 2
    assert told.count("batchscore: ConfigError: variable SPARK_REMOTE: expected it not to be set") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("master", ["foo", "local[", "local[two]", "local[2", "Yarn", "spark:/host", ""])
def test_what_is_no_master_is_refused_before_spark_starts(master: str) -> None:
    with pytest.raises(
        ConfigError, match=re.escape("key spark.master: expected local[*], local[N], spark://HOST:PORT")
    ):
        check_settings({"spark.master": master})


@pytest.mark.parametrize(
    "master",
    [
        "local",
        "local[*]",
        "local[ 2 , 4 ]",
        "local-cluster[2,1,512]",
        "spark://a:7077,b:7077",
        "yarn",
        "k8s://https://h",
    ],
)
def test_every_kind_of_master_is_one(master: str) -> None:
    check_settings({"spark.master": master})


@pytest.mark.parametrize("size", ["9x", "abc", "", "4 gigabytes", "-1g", "1.5g", "2 g"])
@pytest.mark.parametrize("name", ["spark.driver.memory", "spark.executor.memory", "spark.executor.pyspark.memory"])
def test_what_is_no_size_is_refused_before_spark_starts(name: str, size: str) -> None:
    with pytest.raises(ConfigError, match=f"key {name}: expected a size such as 512m or 4g"):
        check_settings({name: size})
    for good in ("512m", "4g", "4GB", "1073741824"):
        check_settings({name: good})
