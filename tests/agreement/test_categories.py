"""Texts and numbers that a model knows as categories: values where it knows them, the same in whatever company."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMRegressor
from mlflow.models import infer_signature
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder
from xgboost import XGBRegressor

from tests.agreement.judge import agree
from tests.agreement.models import UNKNOWN, Trained
from tests.agreement.oracle import read_as_pandas

pytestmark = pytest.mark.filterwarnings("ignore")  # hints for those who train in earnest

RNG = np.random.default_rng(0)
# A file of house prices in which NA is no basement, read with keep_default_na=False in this column.
HOUSES = pd.DataFrame(
    {
        "basement": RNG.choice(["NA", "Gd", "TA", "None"], 300).astype(object),
        "frontage": RNG.normal(60, 9, 300).round(1),
    }
)
PRICES = 30 * (HOUSES["basement"] == "NA") + 9 * (HOUSES["basement"] == "Gd") + HOUSES["frontage"]
BASEMENTS = pd.CategoricalDtype(["Gd", "NA", "None", "TA"])
# The words that the model knows stay values in its column.
READ_AS = {"keep_default_na": False, "na_values": {"basement": ["", "n/a", "null"], "frontage": ["", "NA", "None"]}}


def _encoded(encoder: Any) -> Any:
    steps = make_column_transformer((encoder, ["basement"]), (SimpleImputer(), ["frontage"]), sparse_threshold=0)
    return make_pipeline(steps, LinearRegression()).fit(HOUSES, PRICES)


def _boosted(model: Any, flavor: str) -> Trained:
    model.fit(HOUSES.astype({"basement": BASEMENTS}), PRICES)
    columns = [*map(str, HOUSES)]
    return Trained(
        model, columns, flavor, lambda frame: model.predict(frame.astype({"basement": BASEMENTS})), tolerance=1e-5
    )


def _models() -> dict[str, Trained]:
    hist = HistGradientBoostingRegressor(max_iter=20, min_samples_leaf=5, categorical_features=["basement"])
    columns = [*map(str, HOUSES)]
    return {
        "one-hot": Trained(_encoded(OneHotEncoder(handle_unknown="ignore")), columns),
        "ordinal": Trained(_encoded(OrdinalEncoder(**UNKNOWN)), columns),
        "hist gradient boosting": Trained(hist.fit(HOUSES, PRICES), columns),
        "lightgbm": _boosted(LGBMRegressor(n_estimators=20, min_child_samples=5, verbose=-1, n_jobs=1), "lightgbm"),
        "xgboost": _boosted(XGBRegressor(n_estimators=20, n_jobs=1, enable_categorical=True), "xgboost"),
    }


TRAINED = _models()


def _houses(basements: Sequence[str]) -> str:
    frontages = [*RNG.normal(60, 9, len(basements)).round(1).astype(str)]
    frontages[1::5] = ["NA" if place % 2 else "" for place in range(len(frontages[1::5]))]
    pairs = zip(basements, frontages, strict=True)
    return "id,basement,frontage\n" + "".join(f'h{place},"{a}",{b}\n' for place, (a, b) in enumerate(pairs))


@pytest.mark.parametrize("name", TRAINED)
def test_a_default_word_that_the_model_knows_is_a_value(name: str, tmp_path: Path) -> None:
    text = _houses(["NA", "Gd", "None", "TA", "", "n/a", "null"] * 6)
    assert agree(text, TRAINED[name], infer_signature(HOUSES.head()), tmp_path, READ_AS) == 42


@pytest.mark.parametrize("name", TRAINED)
def test_a_word_that_the_user_lists_is_missing_though_the_model_knows_it(name: str, tmp_path: Path) -> None:
    text = _houses(["NA", "Gd", "None", "TA", ""] * 6)
    keys = {"null_values": ["NA", "None"]}
    options = {"keep_default_na": False, "na_values": ["", "NA", "None"]}
    assert agree(text, TRAINED[name], infer_signature(HOUSES.head()), tmp_path, options, **keys) == 30


@pytest.mark.parametrize("split_bytes", [10_000_000, 40])
@pytest.mark.parametrize("name", TRAINED)
def test_records_that_lack_a_category_are_scored_without_others_that_have_it(
    name: str, split_bytes: int, tmp_path: Path
) -> None:
    text = _houses([""] * 8)
    signature = infer_signature(HOUSES.head())
    assert agree(text, TRAINED[name], signature, tmp_path, READ_AS, split_bytes=split_bytes) == 8


NUMBERS = pd.DataFrame({"c": RNG.integers(0, 5, 300), "x": RNG.normal(size=300).round(3)})
CODES = pd.CategoricalDtype([0, 1, 2, 3, 4])


@pytest.mark.parametrize("kind", ["int64", "float64", "str"])
@pytest.mark.parametrize("flavor", ["lightgbm", "xgboost"])
def test_categories_of_whole_numbers_are_met_as_numbers_of_any_type_or_texts(
    flavor: str, kind: str, tmp_path: Path
) -> None:
    estimators: dict[str, Any] = {
        "lightgbm": LGBMRegressor(n_estimators=10, min_child_samples=5, verbose=-1, n_jobs=1),
        "xgboost": XGBRegressor(n_estimators=10, n_jobs=1, enable_categorical=True),
    }
    model = estimators[flavor].fit(NUMBERS.astype({"c": CODES}), NUMBERS["c"] % 3)

    def answer(frame: pd.DataFrame) -> Any:
        return model.predict(frame.assign(c=frame["c"].astype(float)).astype({"c": CODES}))

    columns = ["c", "x"]
    trained = Trained(model, columns, flavor, answer, tolerance=1e-5)
    text = "id,c,x\n" + "".join(f"n{n},{c},{n / 9}\n" for n, c in enumerate(["0", "1", "", "4", "3", "NA"] * 3))
    assert agree(text, trained, infer_signature(NUMBERS.astype({"c": kind}).head()), tmp_path, {}) == 18


def test_a_column_transformer_that_was_trained_on_an_array_is_loaded_and_knows_its_words(tmp_path: Path) -> None:
    steps = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), [0]), (SimpleImputer(), [1]), sparse_threshold=0
    )
    model = make_pipeline(steps, LinearRegression()).fit(HOUSES.to_numpy(), PRICES)
    columns = [*map(str, HOUSES)]
    text = _houses(["NA", "Gd", "None", "TA", "", "n/a"] * 3)
    assert agree(text, Trained(model, columns), infer_signature(HOUSES.head()), tmp_path, READ_AS) == 18


def test_a_file_of_markers_agrees_with_pandas_na_values(tmp_path: Path) -> None:
    text = "id,c,b,x,s\n" + "".join(
        f"n{n},{c},{b},{x},{s}\n"
        for n, (c, b, x, s) in enumerate(
            [
                ("1", "True", "0.5", "a"),
                ("-999", "False", "-999.0", "b"),
                ("?", "?", "1.5", "?"),
                ("2", "true", "?", "-999"),
            ]
            * 4
        )
    )
    options = {"na_values": ["-999", "?"]}
    training = read_as_pandas(text, {"s": "string"}, **options)[["c", "b", "x", "s"]]
    steps = make_column_transformer(
        (OrdinalEncoder(**UNKNOWN), ["s", "b"]), (SimpleImputer(), ["c", "x"]), sparse_threshold=0
    )
    model = make_pipeline(steps, SimpleImputer(), LinearRegression()).fit(training, range(16))
    columns = [*map(str, training)]
    signature = infer_signature(training.assign(b=True, c=1).head(1))
    keys = {"null_values": ["pandas", "-999", "?"]}
    assert agree(text, Trained(model, columns), signature, tmp_path, options, **keys) == 16
