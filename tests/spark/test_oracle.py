"""What the job writes equals the model called directly, in one process, on pandas' reading of the same records."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from batchscore.commands.check import check_job
from batchscore.config.job_config import OutputConfig
from tests.registry import Registry, columns
from tests.spark.conftest import Runner
from tests.spark.results import amazon_lines, full_numbers, read_plainly, write_schema

RECORDS = 30
WHOLE = 1 << 20


@dataclasses.dataclass(frozen=True)
class Case:
    """A model, its registered URI, a file of records, and what a result must hold of each."""

    uri: str
    model: Any
    file: Path
    texts: tuple[str, ...]
    inputs: tuple[str, ...]
    header: str
    echoed: tuple[str, ...] = ()

    def expected(self) -> tuple[list[str], np.ndarray[Any, Any]]:
        """Return the lines that a result must have, and the predictions in full, one row for each record."""
        frame = read_plainly(self.file, self.texts)
        echoed = [frame[name] for name in self.echoed]
        inputs = frame[list(self.inputs)]
        if not hasattr(self.model, "predict_proba"):
            values = self.model.predict(inputs).reshape(len(inputs), -1)
            return [self.header, *amazon_lines([*echoed, *values.T.tolist()])], values
        probabilities = self.model.predict_proba(inputs)
        if probabilities.shape[1] > 2:
            return [self.header, *amazon_lines([*echoed, *probabilities.T.tolist()])], probabilities
        scores = probabilities[:, 1]
        best = (scores >= 0.5).astype(int).tolist()
        return [self.header, *amazon_lines([*echoed, best, scores.tolist()])], scores.reshape(-1, 1)


def _doubles(names: list[str]) -> Any:
    return columns(*(f"{name}:double" for name in names))


def _sample(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sample(RECORDS, random_state=3).reset_index(drop=True)


def _breast_cancer(registry: Registry, folder: Path) -> Case:
    frame, target = load_breast_cancer(return_X_y=True, as_frame=True)
    frame.columns = [name.replace(" ", "_") for name in frame.columns]
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, target)
    records = _sample(frame)
    # Columns in another order than the model's, and a target that some records lack.
    records = records[list(reversed(records.columns))]
    records["diagnosis"] = ["1", "0", ""] * (RECORDS // 3)
    records.to_csv(folder / "tumours.csv", index=False)
    types = dict.fromkeys(records.columns, "NUMERIC") | {"diagnosis": "BINARY"}
    write_schema(folder / "tumours.csv.schema", types, target="diagnosis")
    uri = registry.register(model, signature=_doubles(list(frame.columns)))
    names = tuple(frame.columns)
    return Case(uri, model, folder / "tumours.csv", ("diagnosis",), names, "trueLabel,bestAnswer,score", ("diagnosis",))


def _iris(registry: Registry, folder: Path) -> Case:
    data = load_iris(as_frame=True)
    frame = data.data.set_axis(["sepal_length", "sepal_width", "petal_length", "petal_width"], axis=1)
    model = LogisticRegression(max_iter=500).fit(frame, data.target_names[data.target])
    _sample(frame).to_csv(folder / "iris.csv", index=False)
    uri = registry.register(model, signature=_doubles(list(frame.columns)))
    return Case(uri, model, folder / "iris.csv", (), tuple(frame.columns), "setosa,versicolor,virginica")


def _wine(registry: Registry, folder: Path) -> Case:
    frame, target = load_wine(return_X_y=True, as_frame=True)
    model = RandomForestClassifier(20, random_state=1, n_jobs=2).fit(frame, target)
    _sample(frame).to_csv(folder / "wine.csv", index=False, lineterminator="\r\n")
    uri = registry.register(model, signature=_doubles(list(frame.columns)))
    return Case(uri, model, folder / "wine.csv", (), tuple(frame.columns), "0,1,2")


def _diabetes(registry: Registry, folder: Path) -> Case:
    frame, target = load_diabetes(return_X_y=True, as_frame=True)
    model = LinearRegression().fit(frame, target - target.mean())
    records = _sample(frame)
    records.insert(3, "patient", [f"p-{number}" for number in range(RECORDS)])
    records.to_csv(folder / "patients.csv", index=False)
    types = dict.fromkeys(records.columns, "NUMERIC") | {"patient": "CATEGORICAL"}
    write_schema(folder / "patients.csv.schema", types, row_id="patient")
    uri = registry.register(model, signature=_doubles(list(frame.columns)))
    return Case(uri, model, folder / "patients.csv", ("patient",), tuple(frame.columns), "tag,score", ("patient",))


def _patients(registry: Registry, folder: Path) -> Case:
    frame, target = load_diabetes(return_X_y=True, as_frame=True)
    model = LinearRegression().fit(frame, np.column_stack([target, -(target**0.5)]))
    records = _sample(frame)
    records.insert(0, "patient", [f"p-{number}" for number in range(RECORDS)])
    records.to_csv(folder / "patients.csv", index=False)
    write_schema(
        folder / "patients.csv.schema",
        dict.fromkeys(records.columns, "NUMERIC") | {"patient": "CATEGORICAL"},
        row_id="patient",
    )
    signature = columns(*(f"{name}:double" for name in frame), outputs=["progress", "root"])
    uri = registry.register(model, signature=signature)
    header = "tag,score_progress,score_root"
    return Case(uri, model, folder / "patients.csv", ("patient",), tuple(frame.columns), header, ("patient",))


BANK_TEXTS = ("job", "marital", "education", "default", "housing", "loan", "contact", "month", "day", "outcome")
BANK_NUMBERS = ("age", "duration", "campaign")
WORDS = ["admin.", "blue, collar", "self-employed", 'so-called "retired"', "Müller & Söhne", "学生", "", " spaced "]


def _bank(registry: Registry, folder: Path) -> Case:
    def people(count: int, seed: int) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        numbers = {name: np.round(rng.normal(40, 12, count), 3) for name in BANK_NUMBERS}
        return pd.DataFrame(numbers | {name: rng.choice(WORDS, count) for name in BANK_TEXTS})

    frame = people(400, 1)
    took = (frame["duration"] + 10 * (frame["job"] == "学生") + 5 * (frame["month"] == "") > 42).astype(int)
    encoder = make_column_transformer(
        (StandardScaler(), list(BANK_NUMBERS)), (OneHotEncoder(handle_unknown="ignore"), list(BANK_TEXTS))
    )
    model = make_pipeline(encoder, LogisticRegression()).fit(frame, took)
    records = people(RECORDS, 2)
    records.loc[4, "job"] = "never seen in training"
    records["customerId"] = [f'id,"{number}"' for number in range(RECORDS)]
    records["row"] = [str(number) for number in range(RECORDS)]
    records.to_csv(folder / "people.csv", index=False)
    kinds = dict.fromkeys(BANK_NUMBERS, "NUMERIC") | dict.fromkeys(BANK_TEXTS, "CATEGORICAL")
    write_schema(folder / "people.csv.schema", kinds | {"customerId": "TEXT", "row": "CATEGORICAL"}, row_id="row")
    specs = [f"{name}:double" for name in BANK_NUMBERS] + [f"{name}:string" for name in BANK_TEXTS]
    uri = registry.register(model, signature=columns(*specs))
    texts = (*BANK_TEXTS, "customerId", "row")
    inputs = BANK_NUMBERS + BANK_TEXTS
    return Case(uri, model, folder / "people.csv", texts, inputs, "tag,bestAnswer,score", ("row",))


MAKERS: dict[str, Callable[[Registry, Path], Case]] = {
    "breast_cancer": _breast_cancer,
    "iris": _iris,
    "wine": _wine,
    "diabetes": _diabetes,
    "several values": _patients,
    "bank": _bank,
}


@pytest.fixture(scope="module")
def cases(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    return {name: make(registry, tmp_path_factory.mktemp(name)) for name, make in MAKERS.items()}


@pytest.mark.parametrize(
    ("name", "split_bytes"),
    [
        ("iris", 7),
        ("iris", 100),
        ("iris", WHOLE),
        ("wine", 150),
        ("wine", WHOLE),
        ("diabetes", 400),
        ("diabetes", WHOLE),
        ("several values", 400),
        ("breast_cancer", 500),
        ("breast_cancer", WHOLE),
        ("bank", 300),
        ("bank", WHOLE),
    ],
)
def test_every_result_is_that_of_the_model_called_directly_whatever_the_splits(
    name: str, split_bytes: int, cases: dict[str, Case], run: Runner
) -> None:
    case = cases[name]
    expected, _ = case.expected()

    job = run(case.uri, input=str(case.file), split_bytes=split_bytes, missing_text="empty")

    assert job.lines(case.file.name) == expected
    size = case.file.stat().st_size
    parts = job.parts(case.file.name)
    assert len(parts) == -(-size // split_bytes)
    assert [part["byte_range"] for part in parts] == [
        [start, min(start + split_bytes, size)] for start in range(0, size, split_bytes)
    ]
    assert sum(part["record_count"] for part in parts) == RECORDS
    assert (job.manifest["record_count"], job.manifest["invalid_record_count"]) == (RECORDS, 0)
    assert (job.record["TotalRecordCount"], job.record["InvalidRecordCount"]) == (RECORDS, 0)
    assert json.loads(job.path(".manifest").read_bytes()) == {
        f"file://{case.file}": f"file://{job.output}/batch-prediction/result/job-{case.file.name}/"
    }


@pytest.mark.parametrize("name", list(MAKERS))
def test_full_precision_reads_back_to_the_model_s_own_numbers(name: str, cases: dict[str, Case], run: Runner) -> None:
    case = cases[name]
    expected, predictions = case.expected()
    first = len(expected[1].split(",")) - predictions.shape[1]

    keys: dict[str, Any] = {"precision": "full", "split_bytes": case.file.stat().st_size // 2, "missing_text": "empty"}
    job = run(case.uri, input=str(case.file), **keys)

    written = full_numbers(job.lines(case.file.name)[1:], *range(first, first + predictions.shape[1]))
    np.testing.assert_allclose(written, predictions, rtol=1e-12, atol=0)


@pytest.mark.parametrize("invalid_records", ["blank", "keep_tag"])
def test_a_job_of_several_values_is_proven_and_its_manifest_names_them(
    invalid_records: str, cases: dict[str, Case], run: Runner, tmp_path: Path
) -> None:
    case = cases["several values"]
    lines = case.file.read_text().splitlines()
    lines[3] = lines[3].replace("p-2,", "p-2,word")
    (tmp_path / "patients.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "patients.csv.schema").write_bytes(case.file.with_suffix(".csv.schema").read_bytes())

    job = run(case.uri, input=str(tmp_path / "patients.csv"), invalid_records=invalid_records)

    assert check_job(job.id, OutputConfig(output=str(job.output)), None).findings == []
    assert job.manifest["columns"] == ["tag", "score_progress", "score_root"]
    told = {key: job.manifest["model"][key] for key in ("type", "classes", "values")}
    assert told == {"type": "regression", "classes": [], "values": ["progress", "root"]}
    assert job.lines("patients.csv")[3] == ("p-2,," if invalid_records == "keep_tag" else "")
