"""A registered model as a pandas UDF gives what the model gives when it is called directly."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.errors import PythonException
from pyspark.sql import SparkSession
from pyspark.sql.functions import col, struct
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from batchscore.errors import ConfigError, ModelError
from batchscore.udf import predict_udf
from tests.registry import Registry, columns

PEOPLE = pd.DataFrame(
    {
        "age": [21.0, 35.5, 62.0, 48.0, 30.0, 77.0],
        "visits": [1.0, 4.0, 2.0, 8.0, 3.0, 5.0],
        "job": ["admin", "student", "admin", "retired", "student", "retired"],
    }
)
ENCODER = make_column_transformer(
    (SimpleImputer(), ["age", "visits"]), (OneHotEncoder(handle_unknown="ignore"), ["job"])
)
SIGNATURE = columns("age:double", "visits:long?", "job:string")


@pytest.fixture(scope="module", autouse=True)
def _batches_of_spark_s_own_size(spark: SparkSession) -> Iterator[None]:
    key = "spark.sql.execution.arrow.maxRecordsPerBatch"
    before = str(spark.conf.get(key))
    spark.conf.set(key, "10000")  # a job's own session has one task a batch
    yield
    spark.conf.set(key, before)


@pytest.fixture(scope="module")
def people(spark: SparkSession) -> Any:
    """The people as a DataFrame with integer visits, two partitions, a key, and a column the model does not know."""
    rows = [(place, float(age), int(visits), job, "x") for place, (age, visits, job) in enumerate(PEOPLE.to_numpy())]
    schema = "place int, age double, visits long, job string, other string"
    return spark.createDataFrame(rows, schema).repartition(2)


def _scores(frame: Any) -> list[Any]:
    return [row["score"] for row in frame.orderBy("place").select("score").collect()]


def test_a_binary_model_gives_the_probability_of_its_label_in_select_and_in_sql(
    spark: SparkSession, people: Any, registry: Registry
) -> None:
    model = make_pipeline(ENCODER, LogisticRegression()).fit(PEOPLE, ["no", "yes", "no", "yes", "no", "yes"])
    uri = registry.register(model, signature=SIGNATURE)
    expected = model.predict_proba(PEOPLE)

    score = predict_udf(spark, uri, tracking_uri=registry.uri)
    no = predict_udf(spark, uri, tracking_uri=registry.uri, positive_label="no")
    selected = people.select("place", score(struct("age", "visits", "job")).alias("score"))
    spark.udf.register("score", score)
    people.createOrReplaceTempView("people")
    queried = spark.sql("SELECT place, score(struct(*)) AS score FROM people WHERE age > 25")

    assert dict(selected.dtypes)["score"] == "double"
    np.testing.assert_allclose(_scores(selected), expected[:, 1], rtol=1e-12)
    np.testing.assert_allclose(_scores(queried), expected[1:, 1], rtol=1e-12)
    swapped = people.select("place", no(struct("job", "other", "age", "visits")).alias("score"))
    np.testing.assert_allclose(_scores(swapped), expected[:, 0], rtol=1e-12)


def test_a_regression_model_gives_its_value(spark: SparkSession, people: Any, registry: Registry) -> None:
    model = make_pipeline(ENCODER, LinearRegression()).fit(PEOPLE, [-1.0, 2.0, 3.5, 4.0, 0.0, 9.0])
    score = predict_udf(spark, registry.register(model, signature=SIGNATURE), tracking_uri=registry.uri)

    scored = people.select("place", score(struct("age", "visits", "job")).alias("score"))

    np.testing.assert_allclose(_scores(scored), model.predict(PEOPLE), rtol=1e-9, atol=1e-9)


def test_a_multiclass_model_gives_a_struct_of_its_classes(spark: SparkSession, people: Any, registry: Registry) -> None:
    model = make_pipeline(ENCODER, LogisticRegression(max_iter=5000)).fit(
        PEOPLE, ["low", "mid", "high", "mid", "low", "high"]
    )
    score = predict_udf(spark, registry.register(model, signature=SIGNATURE), tracking_uri=registry.uri)

    scored = people.select("place", score(struct("age", "visits", "job")).alias("score"))

    assert scored.select("score.*").columns == ["high", "low", "mid"]
    np.testing.assert_allclose([list(row) for row in _scores(scored)], model.predict_proba(PEOPLE), rtol=1e-12)


GAPS = [(0, 30.0, 2, "admin"), (1, None, 2, "admin"), (2, 30.0, None, "admin"), (3, 30.0, 2, None), (4, 30.0, 2, "")]


def test_a_missing_value_reaches_the_model_whether_the_signature_requires_it_or_not(
    spark: SparkSession, registry: Registry
) -> None:
    model = make_pipeline(ENCODER, LogisticRegression()).fit(PEOPLE, [0, 1, 0, 1, 0, 1])
    score = predict_udf(spark, registry.register(model, signature=SIGNATURE), tracking_uri=registry.uri)
    frame = spark.createDataFrame(GAPS, "place int, age double, visits long, job string").coalesce(1)

    scored = _scores(frame.select("place", score(struct("age", "visits", "job")).alias("score")))

    people = pd.DataFrame([row[1:] for row in GAPS], columns=["age", "visits", "job"]).fillna({"job": np.nan})
    np.testing.assert_allclose(scored, model.predict_proba(people)[:, 1], rtol=1e-12)


def test_rejected_missing_values_give_null_and_a_missing_text_is_what_it_is_said_to_be(
    spark: SparkSession, registry: Registry
) -> None:
    model = make_pipeline(ENCODER, LogisticRegression()).fit(PEOPLE, [0, 1, 0, 1, 0, 1])
    uri = registry.register(model, signature=SIGNATURE)
    score = predict_udf(spark, uri, tracking_uri=registry.uri, missing_values="reject", missing_text="empty")
    frame = spark.createDataFrame(GAPS, "place int, age double, visits long, job string").coalesce(1)

    scored = _scores(frame.select("place", score(struct("age", "visits", "job")).alias("score")))

    assert scored[1] is None
    people = pd.DataFrame({"age": [30.0] * 4, "visits": [2, np.nan, 2, 2], "job": ["admin", "admin", "", ""]})
    expected = model.predict_proba(people)[:, 1]
    np.testing.assert_allclose([scored[0], *scored[2:]], expected, rtol=1e-12)


def test_a_model_that_refuses_missing_values_gives_null_for_such_records_alone(
    spark: SparkSession, registry: Registry
) -> None:
    numbers = PEOPLE[["age", "visits"]]
    model = LogisticRegression(max_iter=5000).fit(numbers, ["low", "mid", "high", "mid", "low", "high"])
    uri = registry.register(model, signature=columns("age:double", "visits:double"))
    score = predict_udf(spark, uri, tracking_uri=registry.uri)
    frame = spark.createDataFrame([row[:3] for row in GAPS], "place int, age double, visits long").coalesce(1)

    scored = [list(row) for row in _scores(frame.select("place", score(struct("age", "visits")).alias("score")))]

    assert (scored[1], scored[2]) == ([None] * 3, [None] * 3)
    [expected] = model.predict_proba(pd.DataFrame({"age": [30.0], "visits": [2.0]}))
    np.testing.assert_allclose([scored[0], scored[3], scored[4]], [expected] * 3, rtol=1e-12)


def test_words_for_missing_are_of_files_alone(spark: SparkSession) -> None:
    with pytest.raises(ConfigError, match="key null_values: expected for files alone"):
        predict_udf(spark, "models:/any/1", null_values=["?"])


def test_narrower_types_are_cast_to_the_signature_s(spark: SparkSession, people: Any, registry: Registry) -> None:
    model = make_pipeline(ENCODER, LogisticRegression()).fit(PEOPLE, [0, 1, 0, 1, 0, 1])
    score = predict_udf(spark, registry.register(model, signature=SIGNATURE), tracking_uri=registry.uri)
    narrow = people.select("place", col("age").cast("float"), col("visits").cast("smallint"), "job")

    scored = _scores(narrow.select("place", score(struct("age", "visits", "job")).alias("score")))

    np.testing.assert_allclose(scored, model.predict_proba(PEOPLE)[:, 1], rtol=1e-12)


def _sums(*kinds: str) -> tuple[Any, Any, list[str]]:
    """Return a model that adds its columns up, its signature of those types, and the columns' names."""
    names = [f"c{place}" for place in range(len(kinds))]
    model = LinearRegression(fit_intercept=False).fit(np.eye(len(kinds)), np.ones(len(kinds)))
    model.feature_names_in_ = np.array(names, object)
    return model, columns(*map(":".join, zip(names, kinds, strict=True))), names


@pytest.mark.parametrize(
    ("kind", "arriving", "values", "expected"),
    [
        ("integer", "long", [5, 3_000_000_000, 2**40, -(2**31) - 1], [5.0, None, None, None]),
        ("integer?", "long", [5, 3_000_000_000, 2**31 - 1, -7], [5.0, None, 2.0**31 - 1, -7.0]),
        ("long", "double", [5.0, 5.5, 1e19, float("inf")], [5.0, None, None, None]),
        ("long?", "double", [5.0, 5.5, -(2.0**53), 2.0**53 - 1], [5.0, None, None, 2.0**53 - 1]),
        ("long", "long", [2**53 + 1, None, 7, 8], [None, None, 7.0, 8.0]),  # the null makes doubles of them all
        ("long", "long", [2**53 + 2, 1, 7, 8], [2.0**53 + 2, 1.0, 7.0, 8.0]),
        ("float", "double", [0.5, 1e39, -1e39, float("-inf")], [0.5, None, None, None]),
        ("double?", "double", [0.5, float("inf"), 1e39, -1.0], [0.5, None, 1e39, -1.0]),
        ("double", "decimal(10,2)", ["0.50", "2.00", "-1.25", "3.00"], [0.5, 2.0, -1.25, 3.0]),
        ("long", "decimal(20,1)", ["5.0", "5.5", "9223372036854775808.0", "1.0"], [5.0, None, None, 1.0]),
        ("boolean", "long", [1, 2, 0, -1], [1.0, None, 0.0, None]),
        ("boolean", "double", [1.0, 0.5, 0.0, 2.0], [1.0, None, 0.0, None]),
        ("double", "boolean", [True, False, True, False], [1.0, 0.0, 1.0, 0.0]),
    ],
)
def test_a_value_that_does_not_fit_its_input_gives_null_and_its_neighbours_their_predictions(
    spark: SparkSession, registry: Registry, kind: str, arriving: str, values: list[Any], expected: list[float | None]
) -> None:
    model, signature, _ = _sums(kind)
    score = predict_udf(spark, registry.register(model, signature=signature), tracking_uri=registry.uri)
    given = spark.createDataFrame(
        [(place, None if v is None else str(v)) for place, v in enumerate(values)], "place int, v string"
    )
    frame = given.select("place", col("v").cast(arriving).alias("c0")).coalesce(1)

    assert _scores(frame.select("place", score(struct("c0")).alias("score"))) == expected


@pytest.mark.parametrize("arriving", ["long", "smallint"])
def test_whole_numbers_for_a_text_input_become_their_text(
    spark: SparkSession, registry: Registry, arriving: str
) -> None:
    codes = pd.DataFrame({"code": ["501", "7", "501", "-3"]})
    model = make_pipeline(OneHotEncoder(), LinearRegression()).fit(codes, [10.0, 20.0, 10.0, 30.0])
    uri = registry.register(model, signature=columns("code:string"))
    score = predict_udf(spark, uri, tracking_uri=registry.uri)
    frame = spark.createDataFrame([(0, 501), (1, 7), (2, -3)], "place int, code long")

    scored = frame.select("place", score(struct(col("code").cast(arriving).alias("code"))).alias("score"))

    np.testing.assert_allclose(_scores(scored), model.predict(pd.DataFrame({"code": ["501", "7", "-3"]})), rtol=1e-9)


@pytest.mark.parametrize(
    ("kind", "expression", "named"),
    [
        ("double", "'1.5'", "string"),
        ("boolean", "'false'", "string"),
        ("string", "5.0D", "double"),
        ("string", "IF(id = 1, NULL, id)", "double"),  # whole numbers with a null, as pyspark hands them on
        ("string", "CAST(5 AS decimal(5,1))", "decimal"),
        ("string", "true", "bool"),
        ("string", "DATE'2026-01-31'", "date"),
        ("long", "DATE'2026-01-31'", "date"),
        ("string", "TIMESTAMP'2026-01-31 00:00:00'", "timestamp"),
        ("double", "array(1.0D)", "list"),
        ("string", "X'00'", "binary"),
    ],
)
def test_a_column_of_a_type_that_cannot_fit_is_refused_before_the_model_is_called(
    spark: SparkSession, registry: Registry, kind: str, expression: str, named: str
) -> None:
    model, signature, _ = _sums("double", kind)  # which raises on text
    score = predict_udf(spark, registry.register(model, signature=signature), tracking_uri=registry.uri)
    frame = spark.range(0, 3, 1, 1).selectExpr("CAST(id AS double) AS c0", f"{expression} AS c1")

    with pytest.raises(
        PythonException, match=f"input c1: expected values that can be {kind}, got a column of {named};"
    ):
        frame.select(score(struct("c0", "c1"))).collect()


def test_a_struct_without_one_of_the_inputs_is_refused(spark: SparkSession, people: Any, registry: Registry) -> None:
    model = make_pipeline(ENCODER, LogisticRegression()).fit(PEOPLE, [0, 1, 0, 1, 0, 1])
    score = predict_udf(spark, registry.register(model, signature=SIGNATURE), tracking_uri=registry.uri)

    with pytest.raises(PythonException, match="expected a struct with job"):
        people.select(score(struct("age", "visits"))).collect()


def test_a_model_that_raises_fails_the_query_without_showing_the_records(
    spark: SparkSession, people: Any, registry: Registry
) -> None:
    strict = make_column_transformer((SimpleImputer(), ["age", "visits"]), (OneHotEncoder(), ["job"]))
    model = make_pipeline(strict, LogisticRegression()).fit(PEOPLE[:3], [0, 1, 0])  # knows no one who is retired
    score = predict_udf(spark, registry.register(model, signature=SIGNATURE), tracking_uri=registry.uri)

    with pytest.raises(PythonException, match=r"expected predictions, got ValueError in _transform") as caught:
        people.select(score(struct("age", "visits", "job"))).collect()

    assert "retired" not in str(caught.value)


def test_a_model_whose_inputs_nothing_names_and_an_unknown_setting_are_refused(
    spark: SparkSession, registry: Registry
) -> None:
    model = LinearRegression().fit([[1.0], [2.0]], [1.0, 2.0])

    with pytest.raises(ModelError, match="expected a signature or the argument columns, got neither; name its inputs"):
        predict_udf(spark, registry.register(model), tracking_uri=registry.uri)
    with pytest.raises(ConfigError, match="tracking_url"):
        predict_udf(spark, "models:/any/1", tracking_url=registry.uri)


def test_timestamps_and_dates_are_datetimes_to_the_model(spark: SparkSession, registry: Registry) -> None:
    times = ["2024-02-29 13:05:07.123456", None, "2024-01-01", "2262-04-11"]
    records = [(n, time, "1600-01-01" if n == 2 else time) for n, time in enumerate(times)]
    frame = spark.createDataFrame(records, "place int, at string, on string").coalesce(1)
    days = FunctionTransformer(lambda data: data.apply(lambda column: (column - pd.Timestamp(2020, 1, 1)).dt.days))
    taught = pd.DataFrame({name: pd.to_datetime(["2020-01-01", "2021-06-01", "2024-01-01"]) for name in ("at", "on")})
    model = make_pipeline(days, SimpleImputer(), LinearRegression()).fit(taught, [1.0, 2.0, 3.0])
    uri = registry.register(model, signature=columns("at:datetime", "on:datetime"))
    score = predict_udf(spark, uri, tracking_uri=registry.uri)
    known = [pd.Timestamp("2024-02-29 13:05:07.123456"), pd.NaT, pd.Timestamp("2262-04-11")]
    expected = model.predict(pd.DataFrame({"at": known, "on": pd.Series(known).dt.normalize()}))

    for kind in ("timestamp", "timestamp_ntz"):
        typed = frame.select("place", frame.at.cast(kind).alias("at"), frame.on.cast("date").alias("on"))
        found = _scores(typed.select("place", score(struct("at", "on")).alias("score")))
        assert found[2] is None
        np.testing.assert_allclose([found[0], found[1], found[3]], expected, rtol=1e-9)
    refused = frame.select("place", score(struct("at", "on")).alias("score"))
    with pytest.raises(PythonException, match="input at: expected values that can be datetime, got a column of string"):
        refused.collect()
