"""Spark Connect: predict_udf works without a SparkContext, and a job says that it needs one."""

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression

from tests.processes import SHORT_LIVED, without_spark
from tests.registry import Registry, columns

PEOPLE = pd.DataFrame({"age": [20.0, 60.0, 40.0] * 20, "visits": [2**53 + 1, 5, 3] * 20})
LINE = pd.DataFrame({"x": [0.0, 1.0]}), [0.0, 2.0]
INPUTS = {"inputs": "x\n1\n2\nword\n\n5\n", "run": "x\n1\n"}


def answers_of(registry: Registry, steps: dict[str, tuple[str, Path]], **variables: str) -> dict[str, Any]:
    """Run steps, each with a model and a folder, on one session; gives what came of each."""
    told = [text for step, (uri, folder) in steps.items() for text in (step, uri, str(folder))]
    command = [sys.executable, "-m", "tests.spark.connect_process", registry.uri, *told]
    environment = without_spark() | {"PYSPARK_PYTHON": sys.executable, "JAVA_TOOL_OPTIONS": SHORT_LIVED} | variables
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    answers: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answers


@pytest.fixture(scope="module")
def classifiers() -> list[HistGradientBoostingClassifier]:
    """Models of two and of three classes."""
    model = HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=2)
    return [clone(model).fit(PEOPLE, np.arange(60) % classes) for classes in (2, 3)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("connect")
    for step, text in INPUTS.items():
        (folder / step).mkdir()
        (folder / step / "in.csv").write_text(text)
    return folder


@pytest.fixture(scope="module")
def answers(registry: Registry, classifiers: list[HistGradientBoostingClassifier], folder: Path) -> dict[str, Any]:
    people = columns("age:double", "visits:long")
    classes = " ".join(registry.register(model, signature=people) for model in classifiers)
    line = registry.register(LinearRegression().fit(*LINE), signature=columns("x:double"))
    heavy = LinearRegression().fit(*LINE)
    heavy.ballast_ = np.zeros(18_000_000)  # 144 MB of a file; a message holds 128 MiB
    large = registry.register(heavy, signature=columns("x:double"))
    steps = {"scored": classes, "large": large, "inputs": line, "run": line}
    return answers_of(registry, {step: (uri, folder / step) for step, uri in steps.items()})


def test_a_query_over_spark_connect_gives_what_the_model_gives(
    classifiers: list[HistGradientBoostingClassifier], answers: dict[str, Any]
) -> None:
    given = pd.DataFrame({"age": [21.0, 35.5, np.nan], "visits": [2**53 + 1, np.nan, 3]})

    found = answers["scored"]

    binary, multiclass = (model.predict_proba(given) for model in classifiers)
    for name in ("names", "none", "another order", "aliases"):
        np.testing.assert_allclose(found[name], binary[:, 1], rtol=1e-9)
    np.testing.assert_allclose(found["multiclass"], multiclass, rtol=1e-9)
    for name in ("struct", "sql"):  # where the null has made doubles of the others
        assert found[name][0] is None
        np.testing.assert_allclose(found[name][1:], binary[1:, 1], rtol=1e-9)


def test_a_model_larger_than_a_message_of_spark_connect_is_scored(answers: dict[str, Any]) -> None:
    assert answers["large"] == pytest.approx([999_000.0] * 2)


def test_inputs_are_read_over_spark_connect_with_their_numbers_across_splits(answers: dict[str, Any]) -> None:
    rows = answers["inputs"]

    assert [row[:3] for row in rows if row[1]] == [[None, "invalid_value", 3], [None, "blank", 4]]
    assert [(x, row, score) for x, reason, row, score in rows if x is not None] == [
        (x, row, pytest.approx(2 * x)) for x, row in ((1.0, 1), (2.0, 2), (5.0, 5))
    ]
    assert [row[2] for row in rows] == [1, 2, 3, 4, 5]


def test_a_job_on_spark_connect_ends_with_one_error_that_says_what_it_needs(
    answers: dict[str, Any], folder: Path
) -> None:
    given, found = answers["run"]

    assert given == (
        "ConfigError: Spark session: expected one with a SparkContext, got one of Spark Connect; "
        "a job runs on a session with a SparkContext, its own or spark-submit's, not on Spark Connect"
    )
    assert found.startswith("ConfigError: ")
    assert found.endswith("its own or spark-submit's, not on Spark Connect")
    assert [path.name for path in (folder / "run").iterdir()] == ["in.csv"]


def test_workers_of_spark_connect_whose_python_has_no_pandas_are_named_with_the_variable_that_says_which(
    registry: Registry, tmp_path: Path
) -> None:
    venv.create(tmp_path / "bare", with_pip=False)
    bare = str(tmp_path / "bare" / "bin" / "python")
    told = answers_of(registry, {"workers": ("models:/any/1", tmp_path)}, PYSPARK_PYTHON=bare)["workers"]

    assert told.startswith("ConfigError: Spark's workers: expected Python 3.")
    assert f"with batchscore, pandas and pyarrow, got {bare}, which lacks pandas, pyarrow, mlflow" in told
    assert told.endswith(f"start Spark with PYSPARK_PYTHON set to such a one, here {sys.executable}")
