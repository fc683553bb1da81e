"""read_inputs -> transformations -> predict_udf gives, record by record, what the job gives for the same inputs."""

import gzip
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.models import ModelSignature
from mlflow.types.schema import Schema, TensorSpec
from pyspark.sql import SparkSession
from pyspark.sql import functions as sql
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from batchscore import predict_udf, read_inputs, verify
from batchscore.config.job_config import JobConfig
from batchscore.errors import ConfigError, InputError, ObjectChangedError
from batchscore.preflight.first_look import first_look
from batchscore.spark import read_inputs as read_inputs_module
from tests.registry import Registry, columns
from tests.spark.conftest import Runner
from tests.spark.results import Job, write_schema

pytestmark = pytest.mark.usefixtures("batches_of_spark_s_own_size")

OURS = ["_invalid", "_input", "_row"]
RNG = np.random.default_rng(3)
PEOPLE = pd.DataFrame(
    {
        "age": RNG.normal(40, 10, 400).round(2),
        "visits": RNG.integers(0, 9, 400),
        "job": RNG.choice(["admin", "NA", "chef", "none"], 400),
    }
)
SIGNATURE = columns("age:double", "visits:long", "job:string")
ENCODED = (SimpleImputer(), ["age", "visits"]), (OneHotEncoder(handle_unknown="ignore"), ["job"])


def scored(spark: SparkSession, config: JobConfig) -> pd.DataFrame:
    """Return what the pipeline of docs/api.md gives."""
    people = read_inputs(spark, config)
    score = predict_udf(spark, config)
    inputs = [f"`{name}`" for name in people.columns if name not in {*OURS, "id"}]
    predicted = sql.when(sql.col("_invalid").isNull(), score(*inputs))
    frame: pd.DataFrame = people.withColumn("score", predicted).toPandas()
    return frame


def numbers(scores: Sequence[Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return scores as rows of numbers, NaN where there is none."""
    rows = [list(score.values()) if isinstance(score, dict) else [score] for score in scores]
    width = max(map(len, rows))
    return np.array([row if row[0] is not None else [None] * width for row in rows], np.float64)


def of_the_job(job: Job, names: Sequence[str], numbers_from: int) -> tuple[Any, list[str | None]]:
    """Return the predictions that a job wrote for its inputs, and the reasons for which it could not read a record."""
    found: list[list[float]] = []
    reasons: list[str | None] = []
    for name in names:
        lines = job.lines(name)[1:]
        width = len(job.manifest["columns"]) - numbers_from
        cells = [(line.split(",")[numbers_from:] if line else []) or [""] * width for line in lines]
        found += [[float(cell) if cell else np.nan for cell in row] for row in cells]
        places = np.cumsum([0, *(part["record_count"] for part in job.parts(name))])
        told: list[str | None] = [None] * len(lines)
        for row in job.rejected(name):
            place = int(places[int(row["part"])]) + int(row["line"]) - 1
            told[place] = row["reason"] if row["stage"] != "model" else None
        reasons += told
    return np.array(found), reasons


def agree(run: Runner, model_uri: str, names: Sequence[str], numbers_from: int = 2, **keys: Any) -> pd.DataFrame:
    """Hold the pipeline against the job over the same inputs; return what the pipeline gave."""
    inputs = [str(run.folder / name) for name in names]
    told: dict[str, Any] = {"input": inputs, "row_id": "id", "precision": "full", "max_invalid_fraction": 1, **keys}
    job = run(model_uri, **told)
    frame = scored(run.spark, run.registry.config(model_uri, output=str(run.folder / "none"), **told))

    expected, reasons = of_the_job(job, names, numbers_from)
    assert frame["_invalid"].tolist() == reasons
    np.testing.assert_allclose(numbers(frame["score"].tolist()), expected, rtol=1e-9)
    uris = [(run.folder / name).as_uri() for name in names]
    counts = [sum(part["record_count"] for part in job.parts(name)) for name in names]
    rows = [(uri, row) for uri, count in zip(uris, counts, strict=True) for row in range(1, count + 1)]
    assert list(zip(frame["_input"], frame["_row"], strict=True)) == rows
    return frame


def write_people(path: Path, count: int, seed: int) -> None:
    """Write records of which some lack values, some texts are words for missing, and some cannot be read."""
    rng = np.random.default_rng(seed)
    lines = ["id,note,age,visits,job"]
    for number in range(count):
        age = ["", "NA", f"{rng.normal(40, 10):.3f}"][rng.choice(3, p=[0.05, 0.05, 0.9])]
        visits = ["", str(rng.integers(0, 9))][rng.choice(2, p=[0.1, 0.9])]
        job = ["NA", "none", "", "chef", '"a,b"', "null"][rng.choice(6)]
        lines.append(f"C{number:04d},n{number},{age},{visits},{job}")
    for place, line in ((5, "C,x,old,1,chef"), (9, "C,x,1"), (12, 'C,x,1,2,"chef'), (15, ""), (25, "C,x,1,2.5,chef")):
        lines[place] = line
    lines[20] = "C,x,1,2,chef,more"
    path.write_bytes("\n".join(lines).encode() + b"\nC,x,1,2,\xff\n")


def test_a_binary_model_gives_the_job_s_predictions_across_splits_with_gaps_and_invalid_records_of_each_kind(
    run: Runner, registry: Registry, tmp_path: Path
) -> None:
    model = make_pipeline(make_column_transformer(*ENCODED), LogisticRegression())
    uri = registry.register(model.fit(PEOPLE, RNG.integers(0, 2, 400)), signature=SIGNATURE)
    write_people(tmp_path / "a.csv", 300, 1)
    write_people(tmp_path / "b.csv", 30, 2)

    frame = agree(run, uri, ["a.csv", "b.csv"], split_bytes=700)

    of_parsing = {"blank", "column_count", "encoding", "unbalanced_quote"}
    assert set(frame["_invalid"].dropna()) == {"invalid_value", *of_parsing}
    unread = frame["_invalid"].isin(of_parsing)
    assert frame.loc[unread, "id"].isna().all()
    assert frame.loc[frame["_invalid"] == "invalid_value", "id"].tolist().count("C") >= 3
    assert frame.loc[frame["_invalid"].notna(), ["age", "visits", "job"]].isna().all(axis=None)


def test_a_multiclass_model_rejecting_what_is_missing_gives_the_job_s_predictions_of_a_compressed_input(
    run: Runner, registry: Registry, tmp_path: Path
) -> None:
    model = make_pipeline(make_column_transformer(*ENCODED), LogisticRegression(max_iter=500))
    uri = registry.register(model.fit(PEOPLE, RNG.integers(0, 3, 400)), signature=SIGNATURE)
    write_people(tmp_path / "a.csv", 120, 3)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes()))

    frame = agree(run, uri, ["a.csv.gz"], numbers_from=1, missing_values="reject", missing_text="empty")

    assert "missing_value" in set(frame["_invalid"])


def test_a_regression_gives_the_job_s_predictions_of_decimal_commas_in_another_dialect(
    run: Runner, registry: Registry, tmp_path: Path
) -> None:
    model = HistGradientBoostingRegressor(max_iter=20).fit(PEOPLE[["age", "visits"]], PEOPLE["age"] * 3)
    uri = registry.register(model, signature=columns("age:double", "visits:long?"))
    lines = [f"C{number};1.2{number:02d},5;{['', '?', str(number)][number % 3]}" for number in range(60)]
    (tmp_path / "a.csv").write_bytes("\r\n".join(["id;age;visits", *lines]).encode("cp1252"))

    dialect = {"delimiter": ";", "decimal": ",", "thousands": ".", "encoding": "cp1252", "null_values": ["pandas", "?"]}
    frame = agree(run, uri, ["a.csv"], numbers_from=1, split_bytes=300, **dialect)

    assert frame["age"].tolist()[:2] == [1200.5, 1201.5]
    assert frame["visits"].isna().tolist()[:3] == [True, True, False]


def test_each_type_of_a_signature_is_that_of_spark_with_null_for_what_is_missing(
    spark: SparkSession, registry: Registry, tmp_path: Path
) -> None:
    signature = columns("d:double", "f:float", "l:long", "i:integer", "b:boolean", "s:string", "t:datetime")
    model = registry.register(LinearRegression().fit(np.eye(7), np.arange(7)), signature=signature)
    (tmp_path / "a.csv").write_text(
        "d,f,l,i,b,s,t,id,y\n"
        "0.1,0.1,9007199254740993,2147483647,yes,007,2026-03-29T02:30:00.000001,x,1\n"
        ",,,,,,,,\n"
        "1e300,1,2,3000000000,0,b,2026-01-01,y,2\n"
    )
    config = registry.config(model, input=str(tmp_path), output=str(tmp_path / "out"), row_id="id", target="y")

    frame = read_inputs(spark, config)

    assert dict(frame.dtypes) == {
        "d": "double",
        "f": "float",
        "l": "bigint",
        "i": "int",
        "b": "boolean",
        "s": "string",
        "t": "timestamp_ntz",
        "id": "string",
        "y": "string",
        "_invalid": "string",
        "_input": "string",
        "_row": "bigint",
    }
    uri = (tmp_path / "a.csv").as_uri()
    when = datetime(2026, 3, 29, 2, 30, 0, 1)
    assert [tuple(row) for row in frame.collect()] == [
        (0.1, float(np.float32(0.1)), 2**53 + 1, 2**31 - 1, True, "007", when, "x", "1", None, uri, 1),
        (None, None, None, None, None, None, None, "", "", None, uri, 2),
        (None, None, None, None, None, None, None, "y", "2", "invalid_value", uri, 3),
    ]


def test_inputs_of_a_model_without_names_are_called_as_the_first_file_calls_them(
    run: Runner, registry: Registry, tmp_path: Path
) -> None:
    model = LinearRegression().fit(np.eye(3), [1.0, 10.0, 100.0])
    signature = ModelSignature(inputs=Schema([TensorSpec(np.dtype("float32"), (-1, 3))]))
    uri = registry.register(model, signature=signature)
    (tmp_path / "a.csv").write_text("x,id,y z,a.b\n1,A,2,3\n4,B,,5\n")
    (tmp_path / "b.csv").write_text("p,id,q,r\n0.1,C,0.2,0.3\n")

    frame = agree(run, uri, ["a.csv", "b.csv"], numbers_from=1)

    assert frame.columns.tolist() == ["x", "y z", "a.b", "id", *OURS, "score"]
    assert str(frame["x"].dtype) == "float32"


def test_a_model_without_a_signature_has_the_columns_of_its_schema_file(
    run: Runner, registry: Registry, tmp_path: Path
) -> None:
    model = make_pipeline(make_column_transformer(*ENCODED), LogisticRegression()).fit(PEOPLE, RNG.integers(0, 2, 400))
    uri = registry.register(model)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("C1,40.5,3,chef\nC2,,2,admin\nC3,x,2,admin\nC4,20,1,\n")
    types = {"id": "CATEGORICAL", "age": "NUMERIC", "visits": "NUMERIC", "job": "CATEGORICAL"}
    write_schema(tmp_path / "in" / ".schema", types, row_id="id", header=False)
    keys: dict[str, Any] = {"input": str(tmp_path / "in"), "precision": "full", "max_invalid_fraction": 1}
    job = run(uri, **keys)

    people = read_inputs(run.spark, registry.config(uri, output=str(tmp_path / "none"), **keys))
    score = predict_udf(
        run.spark, uri, tracking_uri=registry.uri, columns={"age": "double", "visits": "double", "job": "string"}
    )
    frame = people.withColumn("score", sql.when(sql.col("_invalid").isNull(), score("age", "visits", "job"))).toPandas()

    expected, reasons = of_the_job(job, ["a.csv"], 2)
    assert frame.columns.tolist() == ["age", "visits", "job", "id", *OURS, "score"]
    assert frame["_invalid"].tolist() == reasons == [None, None, "invalid_value", None]
    np.testing.assert_allclose(numbers(frame["score"].tolist()), expected, rtol=1e-9)


def test_a_feature_that_is_joined_before_scoring_need_not_be_in_the_files(
    spark: SparkSession, registry: Registry, tmp_path: Path
) -> None:
    model = HistGradientBoostingClassifier(max_iter=5).fit(PEOPLE[["age", "visits"]], PEOPLE["visits"] > 4)
    uri = registry.register(model, signature=columns("age:double", "visits:long"))
    (tmp_path / "a.csv").write_text("id,age\nA,30\nB,x\nC,50\n")
    config = registry.config(uri, input=str(tmp_path / "a.csv"), output=str(tmp_path / "out"), row_id="id")
    visits = spark.createDataFrame([("A", 1), ("B", 8), ("C", 8)], "id string, visits long")

    with pytest.raises(InputError, match="expected columns that are not there: visits"):
        read_inputs(spark, config)
    people = read_inputs(spark, config, joined=["visits"]).join(visits, "id").orderBy("_row")
    score = predict_udf(spark, config)
    frame = people.withColumn("score", sql.when(sql.col("_invalid").isNull(), score("age", "visits"))).toPandas()

    expected = model.predict_proba(pd.DataFrame({"age": [30.0, 50.0], "visits": [1, 8]}))[:, 1]
    np.testing.assert_allclose(frame["score"], [expected[0], np.nan, expected[1]], rtol=1e-9)
    with pytest.raises(ConfigError, match=r"argument joined: expected names of inputs, .* has age, visits, got visit"):
        read_inputs(spark, config, joined=["visit"])


@pytest.fixture(scope="module")
def sums(registry: Registry) -> str:
    return registry.register(LinearRegression().fit(np.eye(2), [1.0, 2.0]), signature=columns("a:double", "b:double"))


def test_a_record_s_row_is_its_number_in_its_input_whatever_splits_it_is_cut_into(
    spark: SparkSession, registry: Registry, sums: str, tmp_path: Path
) -> None:
    texts = {"a.csv": "a,b\n" + "1,2\n\n3\n" * 30, "b.csv": "a,b\n1,2", "c.csv": "a,b\n1,2\n\r\n", "d.csv": "a,b\n"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text, newline="")
    expected = [(name, row + 1) for name, count in (("a.csv", 90), ("b.csv", 1), ("c.csv", 1)) for row in range(count)]

    for split_bytes in (1, 3, 7, 64, 64 * 2**20):
        config = registry.config(
            sums, input=str(tmp_path), output=str(tmp_path / "out"), split_bytes=split_bytes, exclude="out"
        )
        frame = read_inputs(spark, config)
        rows = frame.select("_input", "_row").collect()
        assert [(row["_input"].rpartition("/")[2], row["_row"]) for row in rows] == expected
        splits = sum(max(1, -(-len(text) // split_bytes)) for text in texts.values())
        assert frame.rdd.getNumPartitions() == (splits if split_bytes < 64 * 2**20 else 1)


def test_what_is_wrong_with_files_is_raised_as_verify_tells_it(
    spark: SparkSession, registry: Registry, sums: str, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("a,c\n1,2\n")
    (tmp_path / "in" / "b.csv").write_text("a,b\n" + "x,y\n" * 200)
    config = registry.config(sums, input=str(tmp_path / "in"), output=str(tmp_path / "out"))

    with pytest.raises(InputError) as caught:
        read_inputs(spark, config)

    first, second = (fault.what for fault in verify(config).errors)
    assert str(caught.value) == f"2 faults in the inputs:\n  {first}\n  {second}"
    assert "a.csv: expected columns that are not there: b" in first
    assert "b.csv" in second


@pytest.mark.parametrize(("header", "row_id", "twice"), [("a,b,_row", "_row", "_row, _row"), ("a,b,A", "A", "a, A")])
def test_two_columns_of_one_name_are_refused_by_name(
    header: str, row_id: str, twice: str, spark: SparkSession, registry: Registry, sums: str, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text(f"{header}\n1,2,x\n")
    config = registry.config(sums, input=str(tmp_path), output=str(tmp_path / "out"), row_id=row_id)

    with pytest.raises(ConfigError, match=f"columns of the inputs: expected different names.*, got {twice};"):
        read_inputs(spark, config)


def test_columns_that_differ_in_case_are_read_where_spark_tells_them_apart(
    spark: SparkSession, registry: Registry, sums: str, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("a,b,A\n1,2,x\n")
    config = registry.config(sums, input=str(tmp_path), output=str(tmp_path / "out"), row_id="A")
    spark.conf.set("spark.sql.caseSensitive", "true")
    try:
        assert read_inputs(spark, config).select("a", "b", "A").collect() == [(1.0, 2.0, "x")]
    finally:
        spark.conf.unset("spark.sql.caseSensitive")


def test_a_row_id_that_the_model_takes_is_there_once_and_a_target_that_a_file_lacks_is_null_there(
    spark: SparkSession, registry: Registry, sums: str, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("y,b,a\n1,02,1\n")
    (tmp_path / "b.csv").write_text("b,a\n3,1\n")
    config = registry.config(sums, input=str(tmp_path), output=str(tmp_path / "out"), row_id="b", target="y")

    frame = read_inputs(spark, config).drop("_input")

    assert frame.columns == ["a", "b", "y", "_invalid", "_row"]
    assert [tuple(row) for row in frame.collect()] == [(1.0, 2.0, "1", None, 1), (1.0, 3.0, None, None, 1)]


def test_new_inputs_that_are_none_are_a_frame_without_rows(run: Runner, sums: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("a,b\n1,2\n")
    keys = {"input": str(tmp_path / "in"), "mode": "new_inputs"}
    config = run.registry.config(sums, output=str(tmp_path / "output"), **keys)
    assert read_inputs(run.spark, config).count() == 1
    run(sums, **keys)
    frame = read_inputs(run.spark, config)
    assert (frame.columns, frame.collect()) == (["a", "b", *OURS], [])


def test_a_file_that_is_replaced_before_it_is_read_fails_the_query_by_name_and_shows_no_record(
    spark: SparkSession, registry: Registry, sums: str, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    frame = read_inputs(spark, registry.config(sums, input=str(tmp_path / "a.csv"), output=str(tmp_path / "out")))
    (tmp_path / "a.csv").write_text("a,b\n31415,2\n5,6\n")

    with pytest.raises(Exception, match=r"batchscore worker: ObjectChangedError: .*a\.csv") as caught:
        frame.collect()
    assert "31415" not in str(caught.value)


def test_a_file_that_is_replaced_while_rows_are_counted_is_an_error_of_our_own(
    spark: SparkSession, registry: Registry, sums: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_text("a,b\n" + "1,2\n" * 9)
    look = first_look

    def replaced(*arguments: Any) -> Any:
        looked = look(*arguments)
        (tmp_path / "a.csv").write_text("a,b\n" + "1,2\n" * 10)
        return looked

    monkeypatch.setattr(read_inputs_module, "first_look", replaced)
    config = registry.config(sums, input=str(tmp_path / "a.csv"), output=str(tmp_path / "out"), split_bytes=10)
    with pytest.raises(ObjectChangedError, match=r"a\.csv"):
        read_inputs(spark, config)
