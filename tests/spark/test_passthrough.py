"""What a result row carries beside its predictions, in real jobs: passed columns, labels and statuses."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, Schema
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from batchscore.commands.check import check_job
from batchscore.commands.report_text import describe_plan
from batchscore.commands.verify import review_job
from batchscore.config.job_config import OutputConfig
from batchscore.errors import ConfigError, IdempotentParameterMismatchError, InputError
from batchscore.spark import tasks
from tests.registry import Registry, columns
from tests.spark.conftest import Runner
from tests.spark.results import Job, local_path

CLASSES = ("=low", "mid, or so", "high")
READ: dict[str, Any] = {"dtype": str, "keep_default_na": False, "skip_blank_lines": False}


def three_classes() -> Any:
    """Return a model of known coefficients that takes age and visits."""
    model = LogisticRegression()
    model.classes_, model.n_features_in_ = np.array(CLASSES), 2
    model.feature_names_in_ = np.array(["age", "visits"], object)
    model.coef_, model.intercept_ = np.array([[-0.05, 0.3], [0.0, 0.1], [0.06, -0.4]]), np.array([1.0, 0.0, -1.0])
    return model


@pytest.fixture(scope="module")
def model_uri(registry: Registry) -> str:
    return registry.register(three_classes(), signature=columns("age:double", "visits:long?"))


def write_people(folder: Path) -> dict[str, pd.DataFrame]:
    """Write inputs with columns in other orders, one compressed and one empty; return what pandas reads of each."""
    folder.mkdir()
    first = ["id,age,plan,visits,name,name,label"]
    first += [f'C{n},0{n % 90}.50,"p,{n % 3}", {n % 5},"say ""{n}""",=n{n},{n % 2}' for n in range(120)]
    first[50:50] = ["", "C1,2", "bad,word,kept,1,a,b,0"]
    second = ["name,more,label,plan,id,visits,age,name", *(f"é{n},x,1,-{n},D{n},{n % 5},{n},y" for n in range(30))]
    (folder / "a.csv").write_bytes(b"")
    (folder / "b.csv").write_text("\n".join([*first, ""]))
    (folder / "c.csv.gz").write_bytes(gzip.compress("\r\n".join(second).encode()))
    frames = {
        "b.csv": pd.read_csv(folder / "b.csv", **READ).fillna(""),
        "c.csv.gz": pd.read_csv(folder / "c.csv.gz", **READ),
    }
    frames["b.csv"].loc[50:50, :] = ""  # of a record with too few values nothing is told
    return frames


def result_of(job: Job, name: str) -> pd.DataFrame:
    frame: pd.DataFrame = pd.concat(
        [pd.read_csv(local_path(part["uri"]), **READ) for part in job.parts(name)], ignore_index=True
    )
    return frame


@pytest.mark.parametrize("layout", ["parts", "amazon"])
def test_a_job_passes_columns_through_and_names_labels_and_statuses(
    layout: str, run: Runner, model_uri: str, tmp_path: Path
) -> None:
    frames = write_people(tmp_path / "in")
    keys: dict[str, Any] = {"input": f"{tmp_path}/in/", "row_id": "id", "target": "label", "layout": layout}
    keys |= {"passthrough": "all", "rename": {"plan": "score of plan", "name.1": "nick"}, "split_bytes": 1000}
    keys |= {"multiclass_output": "label", "status_column": True, "precision": "full"}

    with pytest.MonkeyPatch.context() as patched:  # the driver dies when all is scored, and the job goes on
        patched.setattr(tasks, "answered_parts", lambda _: (_ for _ in ()).throw(InputError("dies")))
        with pytest.raises(InputError, match="dies"):
            run(model_uri, **keys)
    summary = run.summary(model_uri, **keys)
    job = run.job()

    assert summary["reused_part_count"] == summary["part_count"] > 3
    predicted = ["predictedLabel", "score", "status"]
    assert job.manifest["columns"] == ["tag", "trueLabel", "age", "score of plan", "visits", "name", "nick", *predicted]
    assert [item["extra_columns"] for item in job.manifest["inputs"]] == [[], [], ["more"]]
    for name, frame in frames.items():
        result = result_of(job, name).rename(columns={"score of plan": "plan", "nick": "name.1"})
        passed = ["age", "plan", "visits", "name", "name.1"]
        assert result[passed].to_numpy().tolist() == frame[passed].to_numpy().tolist()
        scored = result["status"] == "ok"
        assert result["status"][~scored].tolist() == (
            ["blank", "column_count", "invalid_value"] if name == "b.csv" else []
        )
        probabilities = three_classes().predict_proba(frame[scored][["age", "visits"]].astype(float))
        best = [CLASSES[place] for place in probabilities.argmax(axis=1)]
        assert (result[scored]["predictedLabel"].tolist(), len(set(best)) > 1) == (best, True)
        assert np.allclose(result[scored]["score"].astype(float), probabilities.max(axis=1), rtol=1e-9)
    assert check_job("job", OutputConfig(output=f"{tmp_path}/output")).findings == []
    with pytest.raises(IdempotentParameterMismatchError, match="configuration"):
        run(model_uri, **keys | {"rename": {"plan": "other"}})
    assert run.summary(model_uri, **keys)["reported_again"]


def test_verify_tells_what_results_will_carry_and_what_cannot_be(
    registry: Registry, model_uri: str, tmp_path: Path
) -> None:
    write_people(tmp_path / "in")
    keys: dict[str, Any] = {"input": f"{tmp_path}/in/", "output": f"{tmp_path}/out", "row_id": "id"}
    keys |= {"passthrough": "all", "status_column": True, "max_invalid_fraction": 1}
    told = describe_plan(review_job(registry.config(model_uri, **keys), tmp_path / "model"))
    names = ["age", "plan", "visits", "name", "name.1", "label"]
    assert [fault for fault in told["faults"] if fault["fatal"]] == []
    assert told["result_columns"] == ["tag", *names, "=low", "mid, or so", "high", "status"]
    assert [row["name"] for row in told["columns"] if row["type"] == "passed through"] == names
    assert [sample["extra_columns"] for sample in told["inputs"]] == [[], [], ["more"]]
    keys |= {"rename": {"plan": "high", "nothing": "x"}}
    review = review_job(registry.config(model_uri, **keys), tmp_path / "model")
    assert (review.exit_code, [fault.where for fault in review.faults if fault.fatal]) == (2, ["header"])
    (tmp_path / "in" / "d.csv").write_text("id,age,visits,name,name,label\n1,2,3,a,b,0\n")
    del keys["rename"]
    review = review_job(registry.config(model_uri, **keys), tmp_path / "model")
    [fault] = [fault for fault in review.faults if fault.fatal]
    assert (fault.where, fault.exit_code) == ("header", 3)
    assert "d.csv: expected columns that are not there: plan" in fault.what
    assert 'exclude: ["d.csv"] scores the others' in fault.what


def test_a_collision_ends_a_job_before_anything_is_written(run: Runner, model_uri: str, tmp_path: Path) -> None:
    write_people(tmp_path / "in")
    with pytest.raises(ConfigError, match=r"got plan as score \(a name of the results' own\); the key rename gives"):
        run(model_uri, input=f"{tmp_path}/in/", passthrough=["plan"], rename={"plan": "score"})
    assert not (tmp_path / "output").exists()


def test_a_model_without_names_gets_the_same_columns_and_its_example_is_compared(
    run: Runner, registry: Registry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    values = np.random.default_rng(1).normal(size=(60, 3))
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(values, values[:, 0] > 0)
    signature = ModelSignature(inputs=Schema([ColSpec("double")] * 3))
    uri = registry.register(model, signature=signature, input_example=pd.DataFrame(values[:5]))
    frame = pd.DataFrame(values, columns=["x", "y", "z"])
    frame.insert(1, "id", range(60))
    frame.to_csv(tmp_path / "in.csv", index=False)

    plain = run(uri, output="plain", input=f"{tmp_path}/in.csv", row_id="id", precision="full")
    caplog.set_level("INFO", "batchscore")
    passed = run(uri, output="all", input=f"{tmp_path}/in.csv", row_id="id", precision="full", passthrough="all")

    assert passed.manifest["columns"] == ["tag", "x", "y", "z", "bestAnswer", "score"]
    assert result_of(passed, "in.csv")[["tag", "bestAnswer", "score"]].equals(result_of(plain, "in.csv"))
    expected = pd.read_csv(tmp_path / "in.csv", **READ)
    assert result_of(passed, "in.csv")[["x", "y", "z"]].equals(expected[["x", "y", "z"]])
    assert "parity: the job reads 5 rows of the model's example well" in caplog.messages
    assert "echoed" not in plain.manifest["input_format"]
