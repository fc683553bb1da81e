"""Look-alikes of the Titanic files, and models trained, logged and registered as notebooks do."""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier
from lightgbm import LGBMClassifier
from mlflow.models import ModelSignature, infer_signature
from mlflow.types.schema import ColSpec, Schema
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder
from xgboost import XGBClassifier

from batchscore.preflight.planner import load_model
from tests.agreement.files import Spelt, spell
from tests.agreement.judge import check
from tests.agreement.models import Trained
from tests.agreement.oracle import read_as_pandas, score_file, types_of
from tests.registry import Registry

NUMBERS = ["PassengerId", "Pclass", "Age", "SibSp", "Fare"]
TEXTS = ["Sex", "Cabin", "Embarked"]
WORDS = ["", "NA", "NaN", "None", "null", "#N/A", "<NA>"]


def passengers(count: int, seed: int) -> pd.DataFrame:
    """Return people of a ship, none of the first five of whom lacks an age."""
    rng = np.random.default_rng(seed)
    absent = np.array([None], object)
    age = np.where(rng.random(count) < 0.2, np.nan, np.round(rng.uniform(1, 80, count), 1))
    age[:5] = [22.0, 38.0, 26.0, 35.0, 35.0]
    return pd.DataFrame(
        {
            "PassengerId": np.arange(1, count + 1),
            "Pclass": rng.integers(1, 4, count),
            "Name": [f'Doe, "J{place}" Mr.' for place in range(count)],
            "Sex": rng.choice(["male", "female"], count),
            "Age": age,
            "SibSp": rng.integers(0, 5, count),
            "Fare": np.round(rng.exponential(30, count), 4),
            "Cabin": np.where(rng.random(count) < 0.7, absent, rng.choice(["C85", "E46", "B28"], count)),
            "Embarked": np.where(rng.random(count) < 0.05, absent, rng.choice(["S", "C", "Q"], count)),
        }
    )


def survived(people: pd.DataFrame) -> Any:
    return ((people["Sex"] == "female") ^ (people["Fare"] % 7 < 1)).astype(int)


PEOPLE = spell(passengers(300, seed=1), 1, [""], faulty=0, added=())
TRAIN = read_as_pandas(PEOPLE.text, dict.fromkeys(TEXTS, "string"))


def _pipeline() -> Trained:
    steps = make_column_transformer(
        (SimpleImputer(strategy="median"), NUMBERS),
        (make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")), TEXTS),
    )
    model = make_pipeline(steps, LogisticRegression(max_iter=2000))
    return Trained(model.fit(TRAIN[NUMBERS + TEXTS], survived(TRAIN)), NUMBERS + TEXTS)


def _encoders_of_missing() -> Trained:
    unknown = {"handle_unknown": "use_encoded_value", "unknown_value": -1}
    steps = make_column_transformer(
        (SimpleImputer(add_indicator=True), NUMBERS), (OrdinalEncoder(**unknown), TEXTS), remainder="drop"
    )
    model = make_pipeline(steps, SimpleImputer(), LogisticRegression(max_iter=5000))
    return Trained(model.fit(TRAIN[NUMBERS + TEXTS], survived(TRAIN)), NUMBERS + TEXTS)


def _refusing() -> Trained:
    complete = TRAIN[TRAIN["Age"].notna()]
    return Trained(LogisticRegression(max_iter=2000).fit(complete[NUMBERS], survived(complete)), NUMBERS)


def _lightgbm() -> Trained:
    frame = TRAIN[NUMBERS + TEXTS].astype(dict.fromkeys(TEXTS, "category"))
    model: Any = LGBMClassifier(n_estimators=20, min_child_samples=5, verbose=-1).fit(frame, survived(TRAIN))
    known = {name: pd.CategoricalDtype(sorted(TRAIN[name].dropna().unique())) for name in TEXTS}
    return Trained(model, NUMBERS + TEXTS, "lightgbm", lambda frame: model.predict_proba(frame.astype(known))[:, 1])


def _xgboost() -> Trained:
    model = XGBClassifier(n_estimators=20, max_depth=3).fit(TRAIN[NUMBERS], survived(TRAIN))
    return Trained(model, NUMBERS, "xgboost", tolerance=1e-5)


def _catboost() -> Trained:
    model = CatBoostClassifier(iterations=20, depth=3, verbose=False, allow_writing_files=False)
    return Trained(model.fit(TRAIN[NUMBERS], survived(TRAIN)), NUMBERS, "catboost")


MODELS: dict[str, Callable[[], Trained]] = {
    "a pipeline of imputers and encoders": _pipeline,
    "encoders that know missing texts": _encoders_of_missing,
    "a model that refuses missing values": _refusing,
    "lightgbm with categories": _lightgbm,
    "xgboost": _xgboost,
    "catboost": _catboost,
}


def _signature(kind: str, inputs: pd.DataFrame) -> ModelSignature:
    if kind == "of five rows":
        return infer_signature(inputs.head())
    if kind == "of all rows":
        return infer_signature(inputs)
    specs = infer_signature(inputs.head()).inputs.inputs
    return ModelSignature(Schema([ColSpec(spec.type, spec.name, required=False) for spec in specs]))


@pytest.mark.filterwarnings("ignore")  # hints for those who train in earnest
@pytest.mark.parametrize("signature", ["of five rows", "of all rows", "optional"])
@pytest.mark.parametrize("name", MODELS)
def test_each_passenger_gets_what_the_library_answers_to_pandas_reading(
    name: str, signature: str, registry: Registry, tmp_path: Path
) -> None:
    """The id is the tag, and where the model was trained with it a model input too."""
    trained = MODELS[name]()
    logged = _signature(signature, TRAIN[trained.columns])
    uri = registry.register(trained.model, trained.flavor, signature=logged)
    file = spell(passengers(250, seed=2), 2, WORDS, added=())
    file = replace(file, tags=[_tag(line, file) for line in file.lines])
    (tmp_path / "people.csv").write_text(file.text)
    for split_bytes in (1_000_000, 1_500):
        places = {"input": str(tmp_path / "people.csv"), "output": str(tmp_path / f"out-{split_bytes}")}
        config = registry.config(uri, precision="full", split_bytes=split_bytes, row_id="PassengerId", **places)
        scored = score_file(config, load_model(config, tmp_path / f"files-{split_bytes}"))
        assert check(scored, file, trained, types_of(logged), {}) > 150


def _tag(line: str, file: Spelt) -> str:
    cells = next(csv.reader([line]), [])
    names = file.header.split(",")
    return cells[names.index("PassengerId")] if len(cells) == len(names) else ""


@pytest.mark.filterwarnings("ignore")  # hints for those who train in earnest
def test_a_model_that_autolog_logged_answers_alike(registry: Registry, tmp_path: Path) -> None:
    mlflow.set_tracking_uri(registry.uri)
    mlflow.sklearn.autolog(serialization_format="cloudpickle", silent=True)
    try:
        with mlflow.start_run() as run:
            trained = _pipeline()
    finally:
        mlflow.sklearn.autolog(disable=True)
    [logged] = mlflow.search_logged_models(
        experiment_ids=[run.info.experiment_id],
        filter_string=f"source_run_id='{run.info.run_id}'",
        output_format="list",
    )
    file = spell(passengers(250, seed=2), 2, WORDS, added=())
    file = replace(file, tags=[_tag(line, file) for line in file.lines])
    (tmp_path / "people.csv").write_text(file.text)
    places = {"input": str(tmp_path / "people.csv"), "output": str(tmp_path / "out")}
    config = registry.config(f"models:/{logged.model_id}", precision="full", row_id="PassengerId", **places)
    model = load_model(config, tmp_path / "files")
    signature = mlflow.models.get_model_info(logged.model_uri).signature
    assert check(score_file(config, model), file, trained, types_of(signature), {}) > 200
