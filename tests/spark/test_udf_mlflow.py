"""What MLflow's own tests ask of its spark_udf, asked of ours; the model called directly says what is right.

Where MLflow answers otherwise, a comment says what: docs/models.md has them all.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.models import ModelSignature
from mlflow.pyfunc.model import PythonModel
from mlflow.types.schema import Array, ColSpec, DataType, Object, ParamSchema, ParamSpec, Property, Schema
from pyspark.sql import SparkSession
from pyspark.sql.functions import col, struct
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from batchscore.errors import ConfigError, ModelError
from batchscore.udf import predict_udf
from tests.registry import Registry, columns

pytestmark = pytest.mark.usefixtures("batches_of_spark_s_own_size")

ONE_OUTPUT = Schema([ColSpec("double")])


@pytest.fixture
def made(spark: SparkSession, registry: Registry) -> Any:
    """Return what registers a model and makes a function of it."""

    def make(model: Any, flavor: str = "sklearn", signature: Any = None, settings: Any = None, **options: Any) -> Any:
        uri = registry.register(model, flavor, signature, **options)
        return predict_udf(spark, uri, tracking_uri=registry.uri, **(settings or {}))

    return make


def scores(frame: Any, scored: Any) -> list[Any]:
    return [row["score"] for row in frame.select(scored.alias("score")).collect()]


class Sum(PythonModel):
    """A model that fails on no records, as MLflow's does, and adds a and b."""

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:  # noqa: ARG002 - mlflow's interface
        if len(model_input) == 0:
            raise ValueError("expected records, got none")
        return model_input["a"] + model_input["b"]


class OfEveryType(PythonModel):
    """A model that answers how many of its columns have the types that pandas has for the signature's."""

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:  # noqa: ARG002 - mlflow's interface
        kinds = ["bool", "int32", "int64", "float32", "float64", "object", "datetime64[ns]"]
        held = sum(str(found) == kind for found, kind in zip(model_input.dtypes, kinds, strict=True))
        text = (model_input["c_string"] == "abc") & (model_input["c_datetime"] == pd.Timestamp("2018-01-01"))
        return held + text.astype(float) + model_input["c_double"]


def test_an_empty_partition_does_not_reach_the_model(spark: SparkSession, made: Any) -> None:
    signature = ModelSignature(columns("a:long", "b:long").inputs, ONE_OUTPUT)
    score = made(Sum(), "pyfunc", signature)
    frame = spark.createDataFrame([(11, 21)], "x long, y long").repartition(2)

    assert scores(frame, score("x", "y")) == [32.0]
    assert scores(frame, score(struct(col("x").alias("a"), col("y").alias("b")))) == [32.0]
    assert scores(frame.where("x < 0"), score("x", "y")) == []


def test_a_column_that_is_a_struct_is_read_by_its_fields(spark: SparkSession, made: Any) -> None:
    signature = ModelSignature(columns("a:long", "b:long").inputs, ONE_OUTPUT)
    score = made(Sum(), "pyfunc", signature)
    frame = spark.createDataFrame([(4, 1, 9)], "b long, a long, c long").select(struct("*").alias("ab"))

    for scored in (score("ab"), score(frame.ab), score(col("ab").alias("others"))):
        assert scores(frame, scored) == [5.0]
    assert scores(frame, score("ab.a", "ab.b")) == [5.0]


def test_columns_of_every_type_reach_the_model_in_the_signature_s(spark: SparkSession, made: Any) -> None:
    kinds = ["boolean", "integer", "long", "float", "double", "string", "datetime"]
    signature = ModelSignature(columns(*(f"c_{kind}:{kind}" for kind in kinds)).inputs, ONE_OUTPUT)
    score = made(OfEveryType(), "pyfunc", signature)
    frame = spark.sql(
        "SELECT true AS c_boolean, 10 AS c_integer, 20L AS c_long, 1.5F AS c_float, 2.5D AS c_double, "
        "'abc' AS c_string, TIMESTAMP'2018-01-01 00:00:00' AS c_datetime"
    )

    assert scores(frame, score()) == [10.5]
    assert scores(frame, score(struct("*"))) == [10.5]
    # Wider and narrower types, of which MLflow takes some: a byte for a long, no long for an integer.
    other = frame.selectExpr(
        "1 AS c_boolean",
        "10L AS c_integer",
        "20Y AS c_long",
        "1.5D AS c_float",
        "2.5BD AS c_double",
        "c_string",
        "DATE'2018-01-01' AS c_datetime",
    )
    assert scores(other, score()) == [10.5]


@pytest.mark.parametrize(
    "wrong",
    [
        ColSpec("binary", "x"),
        ColSpec(Array(DataType.double), "x"),
        ColSpec(Object([Property("y", DataType.double)]), "x"),
    ],
)
def test_columns_of_types_that_no_cell_holds_are_refused_by_name(made: Any, wrong: ColSpec) -> None:
    with pytest.raises(ModelError, match=re.escape("signature of models:/")) as caught:
        made(Sum(), "pyfunc", ModelSignature(Schema([wrong]), ONE_OUTPUT))

    assert "x is " in str(caught.value)


def test_a_model_of_nearest_neighbours_without_a_signature_scores_ordinals(spark: SparkSession, made: Any) -> None:
    flowers = np.array([[5.1, 3.5], [4.9, 3.0], [7.0, 3.2], [6.4, 3.2], [6.3, 3.3], [5.8, 2.7]])
    model = KNeighborsClassifier(2).fit(flowers, [0, 0, 1, 1, 2, 2])
    score = made(model, settings={"columns": ["0", "1"]})  # MLflow calls the arguments so by itself
    frame = spark.createDataFrame(pd.DataFrame(flowers, columns=["a", "b"])).coalesce(1)

    found = scores(frame, score("a", "b"))

    assert list(found[0].asDict()) == ["0", "1", "2"]  # MLflow answers the label
    np.testing.assert_allclose([list(row) for row in found], model.predict_proba(flowers), rtol=1e-9)


@pytest.mark.parametrize("labels", [[False, True], ["no", "yes"], [3, 7], [0.0, 1.0]])
def test_labels_of_any_kind_are_scored_by_their_probability(spark: SparkSession, made: Any, labels: list[Any]) -> None:
    frame = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0]})
    model = LogisticRegression().fit(frame, [labels[0], labels[1], labels[1], labels[0]])
    score = made(model, signature=columns("x:double"))

    found = scores(spark.createDataFrame(frame).coalesce(1), score("x"))

    np.testing.assert_allclose(found, model.predict_proba(frame)[:, 1], rtol=1e-9)


def test_months_of_timestamps_and_of_their_text_are_scored(spark: SparkSession, made: Any) -> None:
    days = [f"2022-{month:02d}-01" for month in range(1, 7)]
    texts = pd.DataFrame({"day": days, "x": [1.0, 2.0, 4.0, 1.0, 3.0, 2.0]})
    times = texts.assign(day=pd.to_datetime(texts["day"]))
    for kind, given in (("string", texts), ("datetime", times)):
        month = FunctionTransformer(lambda data: pd.to_datetime(data["day"]).dt.month.to_frame())
        model = make_pipeline(make_column_transformer((month, ["day"]), remainder="passthrough"), LogisticRegression())
        model.fit(given, [0, 0, 1, 1, 0, 1])
        score = made(model, signature=columns(f"day:{kind}", "x:double"))
        frame = spark.createDataFrame(given).coalesce(1)

        np.testing.assert_allclose(scores(frame, score(*given.columns)), model.predict_proba(given)[:, 1], rtol=1e-9)


def test_a_model_with_code_of_its_own_is_scored_with_it(spark: SparkSession, made: Any, tmp_path: Path) -> None:
    code = tmp_path / "of_this_model.py"
    code.write_text(
        "class Doubled:\n"
        "    def predict(self, frame, params=None):\n"
        "        return frame['a'] * 2\n\n"
        "def _load_pyfunc(path):\n"
        "    return Doubled()\n"
    )
    script = tmp_path / "script.py"
    script.write_text(
        "import mlflow\n"
        "class Tripled(mlflow.pyfunc.PythonModel):\n"
        "    def predict(self, context, model_input, params=None):\n"
        "        return model_input['a'] * 3\n"
        "mlflow.models.set_model(Tripled())\n"
    )
    signature = ModelSignature(columns("a:double").inputs, ONE_OUTPUT)
    frame = spark.createDataFrame([(1.5,)], "a double")

    by_loader = made(None, "pyfunc", signature, loader_module="of_this_model", code_paths=[str(code)])
    by_script = made(str(script), "pyfunc", signature)

    assert scores(frame, by_loader("a")) == [3.0]
    assert scores(frame, by_script("a")) == [4.5]


def test_an_argument_of_mlflow_s_own_is_refused_by_name(made: Any) -> None:
    signature = ModelSignature(columns("a:long", "b:long").inputs, ONE_OUTPUT)
    for name in ("result_type", "env_manager", "extra_env"):
        with pytest.raises(ConfigError, match=f"key {name}: "):
            made(Sum(), "pyfunc", signature, settings={name: "double"})


class Scaled(PythonModel):
    """A model whose answer its parameters change."""

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:  # noqa: ARG002 - mlflow's interface
        return model_input["a"] * params["factor"] + sum(params["more"])


def test_parameters_are_those_of_the_signature_unless_told(spark: SparkSession, made: Any) -> None:
    params = ParamSchema([ParamSpec("factor", "double", 2.0), ParamSpec("more", "long", [1, 2], shape=(-1,))])
    signature = ModelSignature(columns("a:double").inputs, ONE_OUTPUT, params)
    frame = spark.createDataFrame([(1.5,)], "a double")

    by_default = made(Scaled(), "pyfunc", signature)
    told = made(Scaled(), "pyfunc", signature, settings={"model_params": {"factor": 4.0, "more": [5]}})

    assert scores(frame, by_default("a")) == [6.0]
    assert scores(frame, told("a")) == [11.0]
