"""Whoever reads a result by position, with the defaults of pandas and Spark, gets each record's own prediction."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression, LogisticRegression

from batchscore.commands.check import check_job
from batchscore.commands.report_text import describe_plan
from batchscore.commands.verify import review_job
from batchscore.config.job_config import OutputConfig
from batchscore.errors import ConfigError, InputError
from tests.registry import Registry, columns
from tests.spark.conftest import Runner
from tests.spark.results import Job, local_path

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NOTHING = None
# The lines of a file with columns id, a, b and y, and what the model is given of each.
RECORDS: list[tuple[str, tuple[float, float] | None]] = [
    ("p0,0,1,1", (0, 1)),
    ("p1,word,1,0", NOTHING),
    ("p2,2,3,1", (2, 3)),
    ("", NOTHING),
    ('p4,"4,3,1', NOTHING),
    ("p5,5,9,1", (5, 9)),
    ("p6,6,9", NOTHING),
    ("p7,,9,0", NOTHING),
    ("p8,8,2,", (8, 2)),
    ("", NOTHING),
    ("p10,1,1,0", (1, 1)),
]
TEXT = "\n".join(["id,a,b,y", *(line for line, _ in RECORDS)]) + "\n\n"
TRAINING = pd.DataFrame({"a": [0.0, 2, 4, 5, 8, 1], "b": [1.0, 3, 1, 9, 2, 7]})
MODELS: dict[str, tuple[Any, list[float], str]] = {
    "binary": (LogisticRegression(), [0, 1, 0, 1, 1, 0], "score"),
    "regression": (LinearRegression(), [0.5, 1, 2, 2.5, 8, 3], "score"),
    "multiclass": (LogisticRegression(), [0, 1, 2, 2, 1, 0], "2"),
}
BOTH = {"row_id": "id", "target": "y"}


def expected_scores(model: Any) -> list[float]:
    """Ask the model itself, record by record."""
    ask = model.predict if isinstance(model, LinearRegression) else lambda frame: model.predict_proba(frame)[:, -1]
    frames = [None if given is None else pd.DataFrame([given], columns=["a", "b"]) for _, given in RECORDS]
    return [np.nan if frame is None else float(ask(frame)[0]) for frame in frames]


def findings(job: Job) -> list[Any]:
    return check_job(job.id, OutputConfig(output=f"file://{job.output}")).findings


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        *((kind, keys) for kind in MODELS for keys in ({}, BOTH)),
        *(("regression", {key: BOTH[key]}) for key in BOTH),
    ],
)
def test_row_i_of_a_result_is_of_record_i_to_pandas_and_to_spark(
    kind: str, keys: dict[str, str], registry: Registry, spark: "SparkSession", run: Runner, tmp_path: Path
) -> None:
    model, target, score = MODELS[kind]
    model.fit(TRAINING, target)
    uri = registry.register(model, signature=columns("a:double", "b:double"))
    (tmp_path / "people.csv").write_text(TEXT)

    job = run(uri, input=f"{tmp_path}/people.csv", split_bytes=40, **keys)

    paths = [str(local_path(part["uri"])) for part in job.parts("people.csv")]
    assert len(paths) > 2
    frame = pd.concat([pd.read_csv(path) for path in paths], ignore_index=True)
    rows = [row for path in paths for row in spark.read.csv(path, header=True).collect()]
    expected = expected_scores(model)
    np.testing.assert_allclose(frame[score].astype(float), expected, rtol=1e-6)
    np.testing.assert_allclose([float(row[score] or "nan") for row in rows], expected, rtol=1e-6)
    if "row_id" in keys:
        scored = [place for place, (_, given) in enumerate(RECORDS) if given]
        assert (
            frame["tag"][scored].tolist() == [rows[place]["tag"] for place in scored] == ["p0", "p2", "p5", "p8", "p10"]
        )
    assert findings(job) == []


def test_a_row_id_that_the_model_takes_is_echoed_as_written_and_read_as_its_type(
    registry: Registry, run: Runner, tmp_path: Path
) -> None:
    frame = pd.DataFrame({"id": [7, 11, 1000], "a": [1.0, 3, 2], "y": ["0", "1", "0"]})
    model = LinearRegression().fit(frame[["id", "a"]], [1.0, 5, 2])
    uri = registry.register(model, signature=columns("id:long", "a:double"))
    (tmp_path / "people.csv").write_text("y,id,a\n0,007,1\n1,11.0,3\n0,1e3,2\n,x,2\n")
    config = registry.config(uri, id="job", input=f"{tmp_path}/people.csv", output=f"{tmp_path}/output", **BOTH)

    review = review_job(config, tmp_path / "review")
    job = run(uri, input=f"{tmp_path}/people.csv", **BOTH)

    assert [(row["name"], row["type"], row["from"], row["found_by"]) for row in describe_plan(review)["columns"]] == [
        ("id", "long", "signature", "header"),
        ("a", "double", "signature", "header"),
        ("id", "rowId", "configuration", "header"),
        ("y", "target", "configuration", "header"),
    ]
    header, *lines = job.lines("people.csv")
    assert header == "tag,trueLabel,score"
    assert [line.split(",")[:2] for line in lines] == [["007", "0"], ["11.0", "1"], ["1e3", "0"], ["x", ""]]
    scores = [float(line.split(",")[2]) for line in lines[:3]]
    np.testing.assert_allclose(scores, model.predict(frame[["id", "a"]]), rtol=1e-6)
    assert (job.manifest["input_format"]["row_id"], job.manifest["input_format"]["target"]) == ("id", "y")
    assert findings(job) == []


def test_columns_without_names_are_those_beside_row_id_and_target(
    registry: Registry, run: Runner, tmp_path: Path
) -> None:
    array = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 1.0]])
    model = LinearRegression().fit(array, [0.0, 1.0, 7.0])
    uri = registry.register(model, signature=infer_signature(array))
    (tmp_path / "numbers.csv").write_text("p,id,q,y\n0,first,1,-1\n4,second,1,7\n")

    job = run(uri, input=f"{tmp_path}/numbers.csv", **BOTH)

    cells = [line.split(",") for line in job.lines("numbers.csv")]
    assert [record[:2] for record in cells] == [["tag", "trueLabel"], ["first", "-1"], ["second", "7"]]
    np.testing.assert_allclose([float(record[2]) for record in cells[1:]], model.predict(array[[0, 2]]), atol=1e-6)
    assert findings(job) == []


def test_a_row_id_that_a_file_lacks_ends_the_job_and_a_target_that_it_lacks_leaves_labels_empty(
    registry: Registry, run: Runner, tmp_path: Path
) -> None:
    model = LinearRegression().fit(TRAINING, MODELS["regression"][1])
    uri = registry.register(model, signature=columns("a:double", "b:double"))
    (tmp_path / "people.csv").write_text("id,a,b\np0,0,1\n")

    with pytest.raises(InputError, match=r"header of .*people\.csv: expected columns that are not there: customerId"):
        run(uri, input=f"{tmp_path}/people.csv", row_id="customerId")
    with pytest.raises(
        ConfigError, match="key target: expected a column that the model does not take, got its input b"
    ):
        run(uri, input=f"{tmp_path}/people.csv", target="b")
    job = run(uri, input=f"{tmp_path}/people.csv", output="labels", **BOTH)

    assert job.lines("people.csv")[1].startswith("p0,,")
    assert findings(job) == []
