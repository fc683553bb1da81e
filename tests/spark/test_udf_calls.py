"""The function of a model, called in all the ways in which MLflow's is; the model called directly is the oracle."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, Schema, TensorSpec
from pyspark.errors import AnalysisException, PythonException
from pyspark.sql import SparkSession
from pyspark.sql.functions import array, col, lit, struct
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from batchscore.errors import ConfigError, ModelError
from batchscore.udf import predict_udf
from tests.registry import Registry, columns

pytestmark = pytest.mark.usefixtures("batches_of_spark_s_own_size")

PEOPLE = pd.DataFrame({"age": [21.0, 35.5, 62.0], "job": ["admin", "student", "retired"], "visits": [1.0, 4.0, 2.0]})
MODEL = make_pipeline(
    make_column_transformer((SimpleImputer(), ["age", "visits"]), (OneHotEncoder(handle_unknown="ignore"), ["job"])),
    LogisticRegression(),
).fit(PEOPLE, [0, 1, 0])


@pytest.fixture(scope="module")
def people(spark: SparkSession) -> Any:
    rows = [(place, *row) for place, row in enumerate(PEOPLE.itertuples(index=False))]
    return spark.createDataFrame(rows, "place int, age double, job string, visits double").coalesce(1)


@pytest.fixture(scope="module")
def uri(registry: Registry) -> str:
    return registry.register(MODEL, signature=columns("age:double", "job:string", "visits:double?"))


@pytest.fixture(scope="module")
def score(spark: SparkSession, registry: Registry, uri: str) -> Any:
    return predict_udf(spark, uri, tracking_uri=registry.uri)


def scores(frame: Any, scored: Any) -> list[Any]:
    return [row["score"] for row in frame.select("place", scored.alias("score")).orderBy("place").collect()]


def expected(frame: pd.DataFrame) -> list[float]:
    return list(MODEL.predict_proba(frame[["age", "job", "visits"]])[:, 1])


def test_every_way_of_naming_the_columns_gives_what_the_model_gives(people: Any, score: Any) -> None:
    wanted = expected(PEOPLE)
    for scored in (
        score("age", "job", "visits"),
        score("visits", "job", "age"),  # MLflow takes visits for the age
        score(*people.columns),
        score(*(people[name] for name in people.columns)),
        score("*"),
        score(struct("*")),
        score(struct("job", "visits", "age")),
        score(col("age").cast("float"), col("job"), col("visits") + 0),
        score((col("age") + 0).alias("visits_"), col("job").alias("job_"), col("visits").alias("age_")),
        score(col("visits").cast("int").alias("visits"), "age", people.job),
        score.asNondeterministic()("visits", "job", "age"),
    ):
        np.testing.assert_allclose(scores(people, scored), wanted, rtol=1e-9)


def test_an_optional_column_that_is_not_given_is_missing(people: Any, score: Any) -> None:
    wanted = expected(PEOPLE.assign(visits=np.nan))

    for scored in (
        score("age", "job"),
        score("job", "age"),
        score(struct("age", "job")),
        score(col("age"), col("job")),
    ):
        np.testing.assert_allclose(scores(people, scored), wanted, rtol=1e-9)


def test_in_sql_the_columns_are_taken_in_order_or_from_a_struct(spark: SparkSession, people: Any, score: Any) -> None:
    spark.udf.register("score_of_people", score)
    people.createOrReplaceTempView("called_people")

    for call, wanted in (
        ("age, job, visits", expected(PEOPLE)),
        ("age, job", expected(PEOPLE.assign(visits=np.nan))),
        ("struct(*)", expected(PEOPLE)),
        ("named_struct('job', job, 'age', age)", expected(PEOPLE.assign(visits=np.nan))),
    ):
        found = spark.sql(f"SELECT score_of_people({call}) AS score FROM called_people ORDER BY place").collect()
        np.testing.assert_allclose([row["score"] for row in found], wanted, rtol=1e-9)
    for call, told in (("age", "got 1 without names"), ("age, job, visits, place", "got 4 without names")):
        with pytest.raises(PythonException, match=told):
            spark.sql(f"SELECT score_of_people({call}) FROM called_people").collect()


def test_a_call_without_columns_takes_those_of_the_signature(
    spark: SparkSession, people: Any, registry: Registry, score: Any
) -> None:
    whole = predict_udf(
        spark,
        registry.register(MODEL, signature=columns("age:double", "job:string", "visits:double")),
        tracking_uri=registry.uri,
    )

    np.testing.assert_allclose(scores(people, whole()), expected(PEOPLE), rtol=1e-9)
    with pytest.raises(AnalysisException, match="visits"):
        people.drop("visits").select(whole())
    with pytest.raises(ConfigError, match="since the optional visits may be there or not, got none;"):
        score()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["age", 5], "expected columns or their names, got int as argument 2; score(*names) takes a list"),
        ([["age", "job"]], "expected columns or their names, got list as argument 1; score(*names) takes a list"),
        ([None], "expected columns or their names, got NoneType as argument 1"),
        (["job", "age", "place", "other"], None),
        (["job", "other"], "expected columns of the names age, job, visits (optional), or 3 columns in that order"),
        (["age", "job", "place"], "got age, job, place, which may be meant by name or in that order; name them"),
        (["age", "age", "job"], "expected one column for input age, got 2"),
    ],
)
def test_what_is_no_column_or_not_clear_is_refused_when_it_is_called(
    people: Any, score: Any, given: list[Any], told: str | None
) -> None:
    if told is None:
        assert len(scores(people.withColumn("other", lit(1)), score(*given))) == 3
        return
    with pytest.raises(ConfigError, match=re.escape(told)):
        score(*given)


def test_a_name_with_a_dot_is_one_of_a_column(spark: SparkSession, registry: Registry) -> None:
    flowers = pd.DataFrame({"petal.length": [1.0, 2.0, 3.0], "petal width": [0.0, 1.0, 0.0]})
    model = LinearRegression().fit(flowers, [1.0, 5.0, 3.0])
    signature = columns("petal.length:double", "petal width:double")
    score = predict_udf(spark, registry.register(model, signature=signature), tracking_uri=registry.uri)
    frame = spark.createDataFrame(flowers).selectExpr("*", "CAST(`petal.length` AS int) AS place").coalesce(1)

    for scored in (score(), score(*flowers.columns), score(*reversed(flowers.columns)), score("*")):
        np.testing.assert_allclose(scores(frame, scored), model.predict(flowers), rtol=1e-9)


LARGE = 2**53 + 1


@pytest.mark.parametrize("kind", ["long", "long?"])
def test_long_values_of_a_batch_with_a_null_stay_exact(spark: SparkSession, registry: Registry, kind: str) -> None:
    model = _of_last_digits()
    score = predict_udf(
        spark, registry.register(model, signature=columns(f"key:{kind}", "x:double")), tracking_uri=registry.uri
    )
    values = [LARGE, None, -LARGE - 2, 7, 2**63 - 1]
    rows = [(place, value, 0.0) for place, value in enumerate(values)]
    frame = spark.createDataFrame(rows, "place int, key long, x double").coalesce(1)

    found = scores(frame, score("key", "x"))

    # The last digits of 9007199254740993, -9007199254740995, 7 and 9223372036854775807.
    np.testing.assert_allclose([found[0], *found[2:]], [3.0, -5.0, 7.0, 7.0], rtol=1e-9)
    assert scores(frame, score(struct("key", "x")))[0] is None  # which is not made here


def test_whole_numbers_of_a_batch_with_a_null_are_their_text_to_a_text_input(
    spark: SparkSession, registry: Registry
) -> None:
    codes = pd.DataFrame({"code": ["501", "7", "501", str(LARGE)], "x": [0.0] * 4})
    encoder = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["code"]), remainder="passthrough")
    model = make_pipeline(encoder, LinearRegression()).fit(codes, [10.0, 20.0, 10.0, 30.0])
    uri = registry.register(model, signature=columns("code:string", "x:double"))
    score = predict_udf(spark, uri, tracking_uri=registry.uri)
    rows = [(0, 501, 0.0), (1, None, 0.0), (2, LARGE, 0.0)]
    frame = spark.createDataFrame(rows, "place int, code long, x double").coalesce(1)

    wanted = model.predict(pd.DataFrame({"code": ["501", np.nan, str(LARGE)], "x": [0.0] * 3}))
    np.testing.assert_allclose(scores(frame, score("code", "x")), wanted, rtol=1e-9)
    absent = frame.where("code IS NULL")
    np.testing.assert_allclose(scores(absent, score("x", "code")), wanted[1:2], rtol=1e-9)
    for refused in ("CAST(code AS double)", "code = 1", "current_date()"):
        typed = frame.selectExpr("place", "x", f"{refused} AS code")
        with pytest.raises(PythonException, match="input code: expected values that can be string, got a column of"):
            scores(typed, score("code", "x"))


def test_one_column_is_the_model_s_one_input_whatever_it_is_called(spark: SparkSession, registry: Registry) -> None:
    model = LinearRegression().fit(pd.DataFrame({"x": [1.0, 2.0, 3.0]}), [2.0, 4.0, 6.0])
    for kind in ("double", "long"):
        uri = registry.register(model, signature=columns(f"x:{kind}"))
        score = predict_udf(spark, uri, tracking_uri=registry.uri)
        frame = spark.createDataFrame([(0, 5), (1, None)], "place int, y long").coalesce(1)

        for scored in (score("y"), score(col("y") + 0), score(struct(col("y").alias("x")))):
            found = scores(frame, scored)
            assert found[1] is None  # which linear regression takes in no column
            np.testing.assert_allclose(found[0], 10.0)


def _of_last_digits() -> Any:
    """Return a model of the last digit of its first column, which a double would round."""

    def last_digit(frame: Any) -> Any:
        values = frame["key"]
        digits = values.abs() % 10 * np.sign(values) if values.dtype.kind == "i" else values * 0
        return pd.DataFrame({"digit": digits.fillna(0).astype(float)})

    made = make_pipeline(FunctionTransformer(last_digit), LinearRegression(fit_intercept=False))
    return made.fit(pd.DataFrame({"key": [1, 2, 3], "x": [0.0] * 3}), [1.0, 2.0, 3.0])


NUMBERS = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.5], [7.0, 8.5, 9.0], [0.0, 1.0, 1.0]])
NAMELESS = LinearRegression().fit(NUMBERS, [1.0, 2.0, 5.0, 3.0])


@pytest.mark.parametrize("kind", ["tensor", "columns"])
def test_inputs_without_names_are_columns_in_order_or_one_of_arrays(
    spark: SparkSession, registry: Registry, kind: str
) -> None:
    inputs: list[Any] = [TensorSpec(np.dtype("float64"), (-1, 3))] if kind == "tensor" else [ColSpec("double")] * 3
    uri = registry.register(NAMELESS, signature=ModelSignature(inputs=Schema(inputs)))
    score = predict_udf(spark, uri, tracking_uri=registry.uri)
    rows = [(place, *map(float, row)) for place, row in enumerate(NUMBERS)]
    frame = spark.createDataFrame(rows, "place int, c double, b double, a double").coalesce(1)
    frame = frame.withColumn("features", array("c", "b", "a"))
    spark.udf.register("score_nameless", score)
    frame.createOrReplaceTempView("nameless")
    called = frame.sparkSession.sql("SELECT score_nameless(c, b, a) AS score FROM nameless ORDER BY place").collect()

    wanted = NAMELESS.predict(NUMBERS)
    for scored in (score("c", "b", "a"), score("features"), score(struct("c", "b", "a")), score(array("c", "b", "a"))):
        np.testing.assert_allclose(scores(frame, scored), wanted, rtol=1e-9)
    np.testing.assert_allclose([row["score"] for row in called], wanted, rtol=1e-9)
    with pytest.raises(ConfigError, match="or one of arrays, since the model's inputs have no names, got none"):
        score()
    with pytest.raises(PythonException, match="or one of arrays of as many, got an array of 2"):
        frame.select(score(array("c", "b"))).collect()
    for given in (["c", "b"], ["c", "b", "a", "place"]):
        with pytest.raises(ConfigError, match=f"or 3 columns in that order, got {', '.join(given)};"):
            score(*given)
    with pytest.raises(PythonException, match="got one column of other values"):
        frame.select(score("c")).collect()


def test_a_record_that_an_array_of_whole_numbers_cannot_hold_gets_null(spark: SparkSession, registry: Registry) -> None:
    signature = ModelSignature(inputs=Schema([TensorSpec(np.dtype("int64"), (-1, 3))]))
    score = predict_udf(spark, registry.register(NAMELESS, signature=signature), tracking_uri=registry.uri)
    rows = [(0, [1, 2, 3]), (1, [4, None, 6]), (2, None), (3, [7, 8, 9])]
    frame = spark.createDataFrame(rows, "place int, features array<long>").coalesce(1)

    found = scores(frame, score("features"))

    assert (found[1], found[2]) == (None, None)
    np.testing.assert_allclose([found[0], found[3]], NAMELESS.predict([[1, 2, 3], [7, 8, 9]]), rtol=1e-9)


def test_a_model_without_a_signature_takes_the_columns_that_it_is_told(
    spark: SparkSession, people: Any, registry: Registry
) -> None:
    uri = registry.register(MODEL)
    narrow = people.selectExpr("place", "age", "job", "CAST(visits AS int) AS visits")
    named = predict_udf(spark, uri, tracking_uri=registry.uri, columns=["age", "job", "visits"])
    kinds: Any = {"job": "string", "visits": "long", "age": "double"}
    typed = predict_udf(spark, uri, tracking_uri=registry.uri, columns=kinds)

    for frame in (people, narrow):
        for score in (named, typed):
            for scored in (score("age", "job", "visits"), score(), score(struct("*"))):
                np.testing.assert_allclose(scores(frame, scored), expected(PEOPLE), rtol=1e-9)
    gaps = people.selectExpr("place", "age", "IF(place = 1, NULL, job) AS job", "IF(place = 0, NULL, visits) AS visits")
    lacking = PEOPLE.assign(job=["admin", np.nan, "retired"], visits=[np.nan, 4.0, 2.0])
    np.testing.assert_allclose(scores(gaps, named()), expected(lacking), rtol=1e-9)
    with pytest.raises(PythonException, match="input visits: expected values that can be long, got a column of string"):
        people.select("age", "job", col("job").alias("visits")).select(typed()).collect()


@pytest.mark.parametrize(
    ("told", "expected_words"),
    [
        ("age", "expected a list of names, or types by name, got something else"),
        ([], "expected a list of names, or types by name, got something else"),
        ([1], "expected a list of names, or types by name, got something else"),
        (["age", "age"], "expected different names, got one twice"),
        ({"age": "bigint"}, "argument columns: age: expected one of double, float, long, integer, boolean, string"),
    ],
)
def test_columns_that_are_none_are_refused(
    spark: SparkSession, registry: Registry, told: Any, expected_words: str
) -> None:
    uri = registry.register(MODEL)
    with pytest.raises(ConfigError, match=expected_words):
        predict_udf(spark, uri, tracking_uri=registry.uri, columns=told)


def test_columns_are_refused_where_a_signature_has_them(spark: SparkSession, registry: Registry, uri: str) -> None:
    with pytest.raises(ConfigError, match="has a signature, got some"):
        predict_udf(spark, uri, tracking_uri=registry.uri, columns=["age"])
    with pytest.raises(ModelError, match=r"expected a signature or the argument columns, got neither; name its inputs"):
        predict_udf(spark, registry.register(MODEL), tracking_uri=registry.uri)
