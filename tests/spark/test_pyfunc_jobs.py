"""pyfunc models in the tasks of a job, which get what they get on the driver; faults of theirs end the preflight."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, ParamSchema, ParamSpec, Schema

from batchscore.errors import ModelError
from tests.registry import Registry
from tests.spark.conftest import Runner
from tests.spark.results import read_plainly

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's hints for those who write models

HELPER = "def halved(values):\n    return [value / 2 for value in values]\n"
HINTED = """
import mlflow
import pydantic
from mlflow.pyfunc import PythonModel
from helper_of_the_model import halved

class Person(pydantic.BaseModel):
    name: str
    age: int
    points: int | None = None

class People(PythonModel):
    def predict(self, model_input: list[Person], params=None) -> list[float]:
        return halved([len(p.name) + 10 * p.age + (p.points or 0) for p in model_input])

mlflow.models.set_model(People())
"""
UNNAMED = """
import mlflow
from mlflow.pyfunc import PythonModel

class Lengths(PythonModel):
    def predict(self, context, model_input, params=None):
        length = model_input[0].str.len() * params["factor"] + model_input[1]
        return {"length": length, "label": ["a"] * len(model_input)}

mlflow.models.set_model(Lengths())
"""


def _signature_of_length() -> ModelSignature:
    inputs = Schema([ColSpec("string"), ColSpec("long")])
    outputs = Schema([ColSpec("double", "length"), ColSpec("string", "label")])
    return ModelSignature(inputs, outputs, ParamSchema([ParamSpec("factor", "double", 2.0)]))


def _register(code: str, registry: Registry, folder: Path, signature: ModelSignature | None = None, **more: Any) -> str:
    (folder / "model.py").write_text(code)
    return registry.register(str(folder / "model.py"), "pyfunc", signature, **more)


def test_a_model_from_code_with_a_pydantic_hint_and_code_of_its_own_scores_in_the_tasks(
    registry: Registry, run: Runner, tmp_path: Path
) -> None:
    (tmp_path / "helper_of_the_model.py").write_text(HELPER)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        uri = _register(HINTED, registry, tmp_path, code_paths=[str(tmp_path / "helper_of_the_model.py")])
    people = pd.DataFrame({"id": range(500), "age": [at % 90 for at in range(500)], "name": ["Bo", "Anna"] * 250})
    people.to_csv(tmp_path / "people.csv", index=False)

    job = run(uri, input=str(tmp_path / "people.csv"), row_id="id", split_bytes=2000, precision="full")

    found = pd.concat([read_plainly(path) for path in sorted((tmp_path / "output").rglob("part-*.csv.gz"))])
    assert job.record["Status"] == "COMPLETED"
    assert found["tag"].tolist() == people["id"].tolist()
    assert found["score"].tolist() == ((people["name"].str.len() + 10 * people["age"]) / 2).tolist()


def test_columns_without_names_parameters_and_one_of_several_outputs_reach_the_tasks(
    registry: Registry, run: Runner, tmp_path: Path
) -> None:
    (tmp_path / "people.csv").write_text("name,points\nBo,1\nAnna,2\n,3\n")

    run(
        _register(UNNAMED, registry, tmp_path, _signature_of_length()),
        input=str(tmp_path / "people.csv"),
        prediction_column="length",
        model_params={"factor": 10},
        has_header=True,
        missing_text="empty",
    )

    [path] = (tmp_path / "output").rglob("part-*.csv.gz")
    assert read_plainly(path)["score"].tolist() == [21.0, 42.0, 3.0]


def test_an_answer_that_does_not_fit_ends_the_job_before_anything_is_written(
    registry: Registry, run: Runner, tmp_path: Path
) -> None:
    (tmp_path / "people.csv").write_text("name,points\nBo,1\nAnna,2\n")
    uri = _register(UNNAMED.replace('"length":', '"other":'), registry, tmp_path, _signature_of_length())

    with pytest.raises(ModelError, match="expected an output length as prediction_column says, got other, label"):
        run(uri, input=str(tmp_path / "people.csv"), prediction_column="length", has_header=True)

    assert not list((tmp_path / "output").rglob("*"))
