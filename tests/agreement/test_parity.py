"""The model's own example: no alarm about models as people log them, in any dialect; what differs is told."""

import tempfile
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.models import ModelSignature, infer_signature
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from batchscore.config.job_config import JobConfig
from batchscore.errors import ModelError
from batchscore.preflight.parity import check_parity, compare
from batchscore.preflight.parity_report import Parity, parity_lines
from batchscore.preflight.planner import LoadedModel, make_plan
from tests.agreement.models import COMPLETE, GAPS, MODELS, Trained, fingerprint, load, signature_of, trained
from tests.registry import columns

pytestmark = pytest.mark.filterwarnings("ignore")  # hints for those who train in earnest

DIALECTS: dict[str, dict[str, Any]] = {
    "the default": {},
    "European": {"delimiter": ";", "decimal": ",", "thousands": "."},
    "decimal commas in quotes": {"decimal": ","},
    "trimmed tabs": {"delimiter": "\t", "trim": True},
    "escaped": {"escape": "\\"},
    "a word of one's own": {"null_values": ["?"]},
    "a number for missing": {"null_values": ["pandas", "-999"]},
    "several lines": {"multiline": True},
    "no header": {"has_header": False},
    "names": {"names": [*"tsbilfd", "more"], "row_id": "more"},
    "names in place of a header": {"names": [*"dflibst", "more"], "has_header": True},
    "tags": {"row_id": "id", "target": "y"},
    "another encoding": {"encoding": "cp1252"},
}


def compared(model: LoadedModel, folder: Path, **keys: Any) -> Parity:
    (folder / "in.csv").write_text("anything\n")
    places = {"model": "models:/m/1", "input": str(folder / "in.csv"), "output": str(folder / "out")}
    plan = make_plan(JobConfig.model_validate(places | keys), model)
    return compare(model.predictor, plan.spec, model.folder, with_example=True)


def texts_model(frame: pd.DataFrame) -> Trained:
    encoders = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["city"]), remainder="passthrough")
    return Trained(make_pipeline(encoders, LinearRegression()).fit(frame, np.arange(len(frame))), list(frame.columns))


def shown(parity: Parity) -> list[str]:
    return [f"{name}: {text}" for name, text in parity_lines(parity)]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("signature", ["five rows", "all rows", "optional"])
def test_no_model_is_alarmed_about(name: str, signature: str, tmp_path: Path) -> None:
    model = trained(name)
    # MLflow refuses to log a pyfunc with an example in which whole numbers are missing.
    is_refused = model.flavor == "pyfunc" and signature == "optional"
    table = COMPLETE if signature == "five rows" or is_refused else GAPS
    example = table[list(model.columns)].head(60)
    loaded = load(model, signature_of(signature, model.columns), tmp_path / "model", example)

    parity = compared(loaded, tmp_path, **model.keys)

    assert parity.not_compared is None
    assert parity.job_differs is None
    assert parity.compared_count > 40
    if signature == "five rows":
        assert (parity.left_out, parity.csv_differs) == ({}, None)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_example_is_written_in_the_dialect_of_the_job(dialect: str, tmp_path: Path) -> None:
    model = trained("fingerprint of values and types")
    loaded = load(model, signature_of("five rows", model.columns), tmp_path / "model", GAPS.head(60))

    parity = compared(loaded, tmp_path, **DIALECTS[dialect])

    assert (parity.job_differs, parity.not_compared, parity.left_out) == (None, None, {})
    assert parity.row_count == 60


def linear(frame: pd.DataFrame, weights: list[float]) -> Trained:
    return Trained(LinearRegression().fit(frame, frame @ np.array(weights)), list(frame.columns))


def test_answers_that_are_nearly_0_are_the_same_within_the_noise_of_what_they_are_made_of(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(0, 100, 60)
    frame = pd.DataFrame({"a": values, "b": values, "c": np.where(values > 50, np.nan, values)})
    steps = make_pipeline(SimpleImputer(), LinearRegression())
    other = frame.fillna(0.0).assign(b=frame["b"][::-1].to_numpy())
    model = Trained(steps.fit(other, other["a"] - other["b"]), list("abc"))
    parity = compared(load(model, infer_signature(frame), tmp_path / "model", frame), tmp_path)
    assert (parity.not_compared, parity.job_differs, parity.csv_differs) == (None, None, None)


class Exponent(mlflow.pyfunc.PythonModel):  # type: ignore[misc,name-defined] # mlflow has no types
    """Answers float64 that was float32 within."""

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:  # noqa: ARG002
        within = model_input.to_numpy(np.float32) @ np.ones(2, np.float32)
        return np.expm1(np.nan_to_num(within * np.float32(1 + 1e-7 * len(within))).astype(float))


def test_noise_of_float32_within_a_model_is_no_difference(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0, 4.0], "y": [1.0, np.nan, 2.0]})
    assert compared(pyfunc(Exponent(), frame, tmp_path / "model"), tmp_path).job_differs is None


@pytest.mark.parametrize("keys", [{"names": ["id", "p", "q"]}, {"names": ["p", "id", "q"], "has_header": True}, {}])
def test_inputs_without_names_are_compared_wherever_they_stand(keys: dict[str, Any], tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [1.5, 2.5, 4.5], "y": [3.0, -1.0, 2.0]})
    signature = infer_signature(frame.to_numpy(), np.array([1.0]))
    keys = keys | ({"row_id": "id"} if keys else {})
    parity = compared(load(linear(frame, [1.0, 2.0]), signature, tmp_path / "model", frame), tmp_path, **keys)
    assert (parity.not_compared, parity.job_differs, parity.csv_differs) == (None, None, None)


def test_a_text_that_the_encoding_lacks_is_a_difference_of_csv(tmp_path: Path) -> None:
    frame = pd.DataFrame({"city": ["Bonn", "Ulm", "Łódź"], "x": [1.5, 1.5, 1.5]})
    loaded = load(texts_model(frame), infer_signature(frame), tmp_path / "model", frame)
    parity = compared(loaded, tmp_path, encoding="cp1252")
    assert parity.job_differs is None
    assert "column city: CSV in this dialect and encoding has another value" in str(parity.csv_differs)


def test_an_optional_input_that_the_example_lacks_is_missing(tmp_path: Path) -> None:
    signature = columns("x:double", "y:double?")
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0], "y": [np.nan, 5.0, 6.0]})
    model = Trained(make_pipeline(SimpleImputer(), LinearRegression()).fit(frame, [1.0, 2.0, 3.0]), list("xy"))
    parity = compared(load(model, signature, tmp_path / "model", frame[["x"]]), tmp_path, names=["x", "y"])
    assert (parity.not_compared, parity.job_differs, parity.csv_differs) == (None, None, None)


def test_a_missing_boolean_of_the_rules_of_01_is_no_difference(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0], "b": [True, None, False]})
    model = Trained(make_pipeline(SimpleImputer(), LinearRegression()).fit(frame.astype(float), [1, 2, 3]), list("xb"))
    loaded = load(model, columns("x:double", "b:boolean?"), tmp_path / "model", frame)
    assert compared(loaded, tmp_path, missing_values="reject").job_differs is None


class Writer(mlflow.pyfunc.PythonModel):  # type: ignore[misc,name-defined] # mlflow has no types
    """Changes what it gets."""

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:  # noqa: ARG002
        model_input["x"] *= 2.0
        return model_input.pop("y") + model_input["x"]


def test_a_model_may_write_into_the_example(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0], "y": [1.0, 5.0, 2.0]})
    parity = compared(pyfunc(Writer(), frame, tmp_path / "model"), tmp_path)
    assert (parity.not_compared, parity.job_differs, parity.csv_differs) == (None, None, None)


def test_a_temporary_folder_of_any_name_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a b%20ü#"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    frame = pd.DataFrame({"x": [1.5, 2.5, 4.5], "y": [3.0, -1.0, 2.0]})
    loaded = load(linear(frame, [1.0, 2.0]), infer_signature(frame), tmp_path / "model", frame)
    assert compared(loaded, tmp_path).compared_count == 3


def test_texts_that_pandas_cannot_read_as_they_are_are_not_compared(tmp_path: Path) -> None:
    frame = pd.DataFrame({"city": ["Bonn", "a\0b", "Ulm"], "x": [1.5, 2.5, 3.5]})
    loaded = load(texts_model(frame), infer_signature(frame), tmp_path / "model", frame)
    assert "NUL" in str(compared(loaded, tmp_path).not_compared)


def test_no_more_than_a_hundred_rows_are_compared(tmp_path: Path) -> None:
    model = trained("lightgbm, regression")
    loaded = load(model, signature_of("five rows", model.columns), tmp_path / "model", COMPLETE[list("dlb")].head(150))
    assert compared(loaded, tmp_path).compared_count == 100


def test_rows_that_are_invalid_to_the_job_are_left_out_and_counted(tmp_path: Path) -> None:
    frame = pd.DataFrame({"city": ["Bonn", "Two\nlines", "Köln", "Ulm"], "x": [1.5, 2.5, np.inf, 3.5]})
    model = texts_model(frame.replace({np.inf: 9.0}))
    loaded = load(model, infer_signature(frame), tmp_path / "model", frame)

    parity = compared(loaded, tmp_path)

    assert shown(parity) == [
        "parity A: the model's example as the job reads it from CSV: 2 of 4 rows; left out, as invalid: "
        "1 invalid_value, 1 line_end_in_quotes",
        "parity B: as pandas reads that CSV: the same values, types and answers",
        "parity C: the model on the example itself: the same answers",
    ]
    assert compared(loaded, tmp_path, multiline=True).compared_count == 3


def test_a_text_that_means_missing_in_files_is_a_difference_of_csv_by_its_column(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0], "code": ["NA", "DE", "FR"]})
    model = Trained(make_pipeline(FunctionTransformer(fingerprint), LinearRegression()).fit(frame, [1, 2, 3]), "x")
    loaded = load(model, infer_signature(frame), tmp_path / "model", frame)

    parity = compared(loaded, tmp_path)

    assert parity.job_differs is None
    assert parity.csv_differs == (
        "the answers to 1 of 3 rows; column code: a value of the example means missing in the job's files (null_values)"
    )
    assert compared(loaded, tmp_path, null_values=["?"]).csv_differs is None


def test_a_type_that_the_signature_changes_is_a_difference_of_csv_by_its_column(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [1, 2, 3], "y": [0.5, 1.5, 2.5]})
    model = Trained(make_pipeline(FunctionTransformer(fingerprint), LinearRegression()).fit(frame, [1, 2, 3]), "xy")
    loaded = load(model, None, tmp_path / "model", frame)
    schema = tmp_path / "in.csv.schema"
    schema.write_text(
        '{"version": "1.0", "dataFormat": "CSV", "dataFileContainsHeader": true, "attributes": ['
        '{"attributeName": "x", "attributeType": "NUMERIC"}, {"attributeName": "y", "attributeType": "NUMERIC"}]}'
    )

    parity = compared(loaded, tmp_path, schema=str(schema))

    assert parity.job_differs is None
    assert parity.csv_differs is None or "column x: int64 in the example, float64 in the job" in parity.csv_differs


class InCompany(mlflow.pyfunc.PythonModel):  # type: ignore[misc,name-defined] # mlflow has no types
    """Answers by what else is there."""

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:  # noqa: ARG002
        return model_input["x"] - model_input["x"].mean()


class ByChance(mlflow.pyfunc.PythonModel):  # type: ignore[misc,name-defined] # mlflow has no types
    """Answers by chance."""

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:  # noqa: ARG002
        return np.random.default_rng().random(len(model_input))


def pyfunc(model: Any, frame: pd.DataFrame, folder: Path, signature: ModelSignature | None = None) -> LoadedModel:
    kept = Trained(model, list(frame.columns), "pyfunc", keys={"model_type": "regression"})
    return load(kept, signature or infer_signature(frame, np.array([1.0])), folder, frame)


def test_a_model_that_answers_by_its_company_is_refused(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0, 4.0], "y": [1.0, np.nan, 2.0]})
    parity = compared(pyfunc(InCompany(), frame, tmp_path / "model"), tmp_path)
    with pytest.raises(ModelError) as caught:
        check_parity(parity, "models:/m/1")
    assert str(caught.value) == (
        "model models:/m/1: expected its own input_example, written as the job's inputs are, to be read by the job as "
        "pandas reads it, got a difference in the answers to 3 of 3 rows, though all values are the same: the model "
        "seems to answer otherwise in other company; no record was scored. parity: false scores all the same"
    )


def test_a_model_that_answers_by_chance_is_not_compared(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0]})
    parity = compared(pyfunc(ByChance(), frame, tmp_path / "model"), tmp_path)
    assert shown(parity) == ["parity: not compared: the model does not answer the same twice"]


@pytest.mark.parametrize(
    ("example", "signature", "why"),
    [
        (None, columns("x:double"), "the model has no input_example"),
        (np.array([[1.0]]), columns("x:double"), "its example is an array, not a table"),
        (pd.DataFrame({"y": [1.0]}), columns("x:double"), "its example lacks x"),
        (
            pd.DataFrame({"x": [1.0], "y": [[1, 2]]}),
            columns("x:double"),
            "column y of its example holds lists or the like, which CSV has not",
        ),
    ],
    ids=["none", "array", "lacking", "nested"],
)
def test_what_cannot_be_compared_is_said(example: Any, signature: ModelSignature, why: str, tmp_path: Path) -> None:
    model = Trained(LinearRegression().fit(pd.DataFrame({"x": [1.0, 2.0]}), [1, 2]), "x")
    parity = compared(load(model, signature, tmp_path / "model", example), tmp_path)
    assert shown(parity) == [f"parity: not compared: {why}"]


def test_parity_can_be_turned_off(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0, 4.0], "y": [1.0, np.nan, 2.0]})
    parity = compared(pyfunc(InCompany(), frame, tmp_path / "model"), tmp_path, parity=False)
    assert shown(parity) == ["parity: not compared: parity is off"]
