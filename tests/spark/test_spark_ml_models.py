"""Spark ML models, which predict in a Spark session of their own, are refused by name with the ways out."""

import warnings
from pathlib import Path
from typing import Any

import pytest
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import VectorAssembler
from pyspark.ml.pipeline import Pipeline
from pyspark.sql import SparkSession

from batchscore.errors import ModelError
from batchscore.preflight.planner import load_model
from tests.registry import Registry, columns


def test_a_spark_ml_model_is_refused_with_the_two_ways_out(
    spark: SparkSession, registry: Registry, tmp_path: Path
) -> None:
    people = spark.createDataFrame([(0.0, 0.0), (1.0, 1.0), (2.0, 1.0), (0.5, 0.0)], "a double, label double")
    stages: list[Any] = [VectorAssembler(inputCols=["a"], outputCol="features"), LogisticRegression(maxIter=3)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's hints for those who train in earnest
        model = Pipeline(stages=stages).fit(people)
        uri = registry.register(model, "spark", columns("a:double", outputs=["prediction"]))

    with pytest.raises(ModelError) as caught:
        load_model(registry.config(uri), tmp_path / "model")

    assert str(caught.value) == (
        f"model {uri}: expected a model that predicts without a Spark session of its own, got a Spark ML model; score "
        "it in Spark, mlflow.spark.load_model(uri).transform(frame), or convert it to ONNX with onnxmltools and "
        "register that"
    )
    assert caught.value.exit_code == 4
