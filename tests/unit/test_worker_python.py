"""The Python of Spark's workers is one that has what a model needs, or is named with the variable that says which."""

import re
import sys
import venv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from batchscore.errors import ConfigError
from batchscore.spark.worker_python import check_workers


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python without any package."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder)
    return str(folder / "bin" / "python")


def session(python: str) -> Any:
    return SimpleNamespace(sparkContext=SimpleNamespace(pythonExec=python, master="local[2]"))


def test_a_session_on_this_machine_that_was_told_of_no_python_gets_the_one_of_this_process(
    bare: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYSPARK_PYTHON", raising=False)
    monkeypatch.setenv("PATH", str(Path(bare).parent))

    for python in (bare, "python3", "no-such-python"):
        spark = session(python)
        check_workers(spark)
        assert spark.sparkContext.pythonExec == sys.executable


def test_a_python_that_has_all_stays(tmp_path: Path) -> None:
    other = tmp_path / "python"
    other.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    other.chmod(0o755)

    for python in (sys.executable, str(other)):
        spark = session(python)
        check_workers(spark)
        assert spark.sparkContext.pythonExec == python


@pytest.mark.parametrize("version", ["2.7", "3.99"])
def test_a_python_that_was_told_and_cannot_do_is_named_and_not_replaced(
    bare: str, version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "old"
    old.write_text(f"#!/bin/sh\necho Python {version}\n")
    old.chmod(0o755)
    cases = {bare: "which lacks pandas, pyarrow, mlflow", str(old): f"which is Python {version};", "no-such": "not run"}
    for python, told in cases.items():
        monkeypatch.setenv("PYSPARK_PYTHON", python)
        spark = session(python)
        with pytest.raises(ConfigError, match=re.escape(told)) as caught:
            check_workers(spark)
        assert str(caught.value).endswith(f"start Spark with PYSPARK_PYTHON set to such a one, here {sys.executable}")
        assert spark.sparkContext.pythonExec == python
