"""The settings of a session that a job starts itself: what the job or spark-defaults.conf has chosen goes before."""

import sys
from pathlib import Path

import pytest

from batchscore.spark.home import names_in_defaults
from batchscore.spark.local_session import JVM_OPTIONS, local_settings

LOCAL = {"spark.master": "local[2]"}
OPTIONS = "spark.driver.extraJavaOptions"


@pytest.fixture
def defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of settings of this machine's Spark, which is not there."""
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    return tmp_path / "spark-defaults.conf"


def test_settings_of_the_machine_are_read_as_java_reads_properties(defaults: Path) -> None:
    assert names_in_defaults() == frozenset()
    defaults.write_text("# spark.a 1\n! spark.b 1\n\n  spark.c\t1 2\nspark.d=1\nspark.e : 1\nspark.f\r\nspark.g   x=y")
    assert names_in_defaults() == {f"spark.{name}" for name in "cdefg"}
    defaults.unlink()
    defaults.mkdir()
    assert names_in_defaults() == frozenset()


def test_they_go_before_those_of_the_job_s_own_session_and_the_job_s_before_them(defaults: Path) -> None:
    name = "spark.sql.codegen.wholeStage"
    assert local_settings(LOCAL)[name] == "false"
    defaults.write_text(f"{name} true\n{OPTIONS} -Djavax.net.ssl.trustStore=/etc/store\nspark.ui.enabled true\n")
    assert local_settings(LOCAL).keys() & {name, OPTIONS, "spark.ui.enabled"} == set()
    assert local_settings(LOCAL | {name: "true"})[name] == "true"


@pytest.mark.usefixtures("defaults")
def test_a_local_session_has_no_ui_and_the_workers_of_our_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    ui, daemon = "spark.ui.enabled", "spark.python.daemon.module"
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    assert [local_settings(LOCAL)[name] for name in (ui, daemon)] == ["false", "batchscore.spark.worker_daemon"]
    assert local_settings({"spark.master": "spark://127.0.0.1:9"}).keys() & {ui, daemon} == set()
    assert daemon not in local_settings(LOCAL | {"spark.pyspark.python": "/other/python"})
    monkeypatch.setenv("PYSPARK_PYTHON", "/other/python")
    assert daemon not in local_settings(LOCAL)


@pytest.mark.parametrize("name", ["spark.jars", "spark.jars.packages", "spark.driver.extraClassPath"])
def test_classes_of_others_are_proved(name: str, defaults: Path) -> None:
    assert JVM_OPTIONS in local_settings(LOCAL)[OPTIONS]
    assert "Verification" not in local_settings(LOCAL | {name: "x"})[OPTIONS]
    defaults.write_text(f"{name} x\n")
    assert "Verification" not in local_settings(LOCAL)[OPTIONS]


@pytest.mark.usefixtures("defaults")
@pytest.mark.parametrize("name", ["PYSPARK_SUBMIT_ARGS", "SPARK_DIST_CLASSPATH"])
def test_so_are_those_that_a_variable_may_bring(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "--jars /some.jar pyspark-shell")
    assert "Verification" not in local_settings(LOCAL)[OPTIONS]
    monkeypatch.setenv(name, "")
    assert JVM_OPTIONS in local_settings(LOCAL)[OPTIONS]
