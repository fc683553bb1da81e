"""A session that somebody started without PYSPARK_PYTHON, where the first python3 of the PATH has no pandas."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from tests.processes import SHORT_LIVED, without_spark
from tests.registry import Registry, columns

SCRIPT = """
import sys
from pyspark.sql import SparkSession
from batchscore.udf import predict_udf
spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
score = predict_udf(spark, sys.argv[1], tracking_uri=sys.argv[2])
print(spark.range(3).selectExpr("CAST(id AS double) AS x").select(score("x")).collect()[2][0])
"""


def test_the_workers_of_a_session_get_the_python_that_has_the_model_s_library(
    registry: Registry, tmp_path: Path
) -> None:
    uri = registry.register(
        LinearRegression().fit(pd.DataFrame({"x": [0.0, 1.0]}), [0.0, 2.0]), signature=columns("x:double")
    )
    venv.create(tmp_path / "bare")
    path = f"{tmp_path}/bare/bin{os.pathsep}{os.environ['PATH']}"

    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, uri, registry.uri],
        env=without_spark() | {"PATH": path, "JAVA_TOOL_OPTIONS": SHORT_LIVED},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    assert float(done.stdout.splitlines()[-1]) == pytest.approx(4.0)
