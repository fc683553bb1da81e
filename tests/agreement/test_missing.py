"""Files with gaps, spelt in every way that pandas knows, and models trained and logged as notebooks do."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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

from tests.agreement.oracle import predict_by_pattern, read_as_pandas, score_file, types_of
from tests.registry import Registry

NUMBERS = ["Pclass", "Age", "SibSp", "Fare"]
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


def as_csv(people: pd.DataFrame, words: list[str], seed: int = 0) -> str:
    """Write each missing cell as one of the words, every other one quoted."""
    rng = np.random.default_rng(seed)
    lines = [",".join(people.columns)]
    for row in people.itertuples(index=False):
        cells = []
        for value in row:
            text = str(rng.choice(words)) if pd.isna(value) else str(value)
            quoted = "," in text or '"' in text or rng.random() < 0.2
            cells.append('"' + text.replace('"', '""') + '"' if quoted and text else text)
        lines.append(",".join(cells))
    return "\n".join(lines) + "\n"


TRAIN = read_as_pandas(as_csv(passengers(300, seed=1), [""]), dict.fromkeys(TEXTS, "string"))


@dataclass(frozen=True)
class Trained:
    """A fitted model, the flavour by which it is logged, and what it answers: P(1)."""

    flavor: str
    model: Any
    columns: list[str]

    def predict(self, frame: pd.DataFrame) -> Any:
        return self.model.predict_proba(frame)[:, 1]


def _pipeline() -> Trained:
    steps = make_column_transformer(
        (SimpleImputer(strategy="median"), NUMBERS),
        (make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")), TEXTS),
    )
    model = make_pipeline(steps, LogisticRegression(max_iter=2000))
    return Trained("sklearn", model.fit(TRAIN[NUMBERS + TEXTS], survived(TRAIN)), NUMBERS + TEXTS)


def _encoders_of_missing() -> Trained:
    unknown = {"handle_unknown": "use_encoded_value", "unknown_value": -1}
    steps = make_column_transformer(
        (SimpleImputer(add_indicator=True), NUMBERS), (OrdinalEncoder(**unknown), TEXTS), remainder="drop"
    )
    model = make_pipeline(steps, SimpleImputer(), LogisticRegression(max_iter=5000))
    return Trained("sklearn", model.fit(TRAIN[NUMBERS + TEXTS], survived(TRAIN)), NUMBERS + TEXTS)


def _refusing() -> Trained:
    complete = TRAIN[TRAIN["Age"].notna()]
    return Trained("sklearn", LogisticRegression(max_iter=2000).fit(complete[NUMBERS], survived(complete)), NUMBERS)


def _lightgbm() -> Trained:
    frame = TRAIN[NUMBERS + TEXTS].astype(dict.fromkeys(TEXTS, "category"))
    model = LGBMClassifier(n_estimators=20, min_child_samples=5, verbose=-1).fit(frame, survived(TRAIN))
    return _Categorical("lightgbm", model, NUMBERS + TEXTS)


class _Categorical(Trained):
    def predict(self, frame: pd.DataFrame) -> Any:
        known = {name: pd.CategoricalDtype(sorted(TRAIN[name].dropna().unique())) for name in TEXTS}
        return self.model.predict_proba(frame.astype(known))[:, 1]


def _xgboost() -> Trained:
    model = XGBClassifier(n_estimators=20, max_depth=3).fit(TRAIN[NUMBERS], survived(TRAIN))
    return Trained("xgboost", model, NUMBERS)


def _catboost() -> Trained:
    model = CatBoostClassifier(iterations=20, depth=3, verbose=False, allow_writing_files=False)
    return Trained("catboost", model.fit(TRAIN[NUMBERS], survived(TRAIN)), NUMBERS)


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


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("signature", ["of five rows", "of all rows", "optional"])
@pytest.mark.parametrize("name", MODELS)
def test_predictions_are_the_library_s_on_pandas_reading(
    name: str, signature: str, registry: Registry, tmp_path: Path
) -> None:
    trained = MODELS[name]()
    logged = _signature(signature, TRAIN[trained.columns])
    uri = registry.register(trained.model, trained.flavor, signature=logged)
    text = as_csv(passengers(250, seed=2), WORDS)
    (tmp_path / "people.csv").write_text(text)

    for split_bytes in (1_000_000, 1_500):
        places = {"input": str(tmp_path / "people.csv"), "output": str(tmp_path / f"out-{split_bytes}")}
        config = registry.config(uri, precision="full", split_bytes=split_bytes, **places)
        scores, reasons = score_file(config, tmp_path / f"files-{split_bytes}")

        types = types_of(logged)
        expected, raised = predict_by_pattern(read_as_pandas(text, types), types, trained.predict)
        np.testing.assert_allclose(scores, expected, rtol=1e-9 if trained.flavor == "sklearn" else 1e-6)
        assert reasons == ["model_error"] * int(raised.sum())
    assert np.isfinite(expected).sum() > 150
