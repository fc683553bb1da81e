"""Each extra brings all that models of its library need, in each format that MLflow keeps them in."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import catboost
import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from mlflow.pyfunc.model import PythonModel
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from tests.models.conftest import Load
from tests.registry import Registry, columns

_RNG = np.random.default_rng(3)
NUMBERS = pd.DataFrame(_RNG.normal(size=(80, 3)), columns=list("abc"))
SHOPPERS = pd.DataFrame({"city": _RNG.choice(["Bern", "Genève"], 80), "spent": _RNG.gamma(2, 50, 80)})
BINARY = (NUMBERS["a"] > NUMBERS["b"]).astype(int)
THREE = pd.cut(NUMBERS["a"], 3, labels=False)

COLUMNS = {"numbers": columns("a:double", "b:double", "c:double"), "shoppers": columns("city:string", "spent:double")}
Case = tuple[Any, str, dict[str, Any]]  # a model, its flavor, and how it is logged


def sklearn_cases(_: Path) -> dict[str, Case]:
    encoder = make_column_transformer((OneHotEncoder(), ["city"]), remainder="passthrough")
    models = {
        "shoppers": make_pipeline(encoder, LogisticRegression()).fit(SHOPPERS, BINARY),
        "numbers, three classes": RandomForestClassifier(5, random_state=1).fit(NUMBERS, THREE),
        "numbers, a value": LinearRegression().fit(NUMBERS, NUMBERS["a"]),
    }
    formats: dict[str, dict[str, Any]] = {
        "cloudpickle": {},
        "pickle": {},
        "skops": {"skops_trusted_types": ["sklearn.tree._tree.Tree"]},
    }
    return {
        f"{name}, {form}": (model, "sklearn", {"serialization_format": form} | options)
        for name, model in models.items()
        for form, options in formats.items()
    }


def lightgbm_cases(_: Path) -> dict[str, Case]:
    options: dict[str, Any] = {"n_estimators": 4, "min_child_samples": 2, "verbose": -1}
    data = lightgbm.Dataset(NUMBERS, BINARY)
    models = {
        "numbers, two classes": lightgbm.LGBMClassifier(**options).fit(NUMBERS, BINARY),
        "numbers, a value": lightgbm.LGBMRegressor(**options).fit(NUMBERS, NUMBERS["a"]),
    }
    booster = lightgbm.train({"objective": "binary", "verbose": -1}, data, 4)
    return {"numbers, booster": (booster, "lightgbm", {})} | {
        f"{name}, {form}": (model, "lightgbm", {"serialization_format": form})
        for name, model in models.items()
        for form in ("cloudpickle", "pickle", "skops")
    }


def xgboost_cases(_: Path) -> dict[str, Case]:
    models = {
        "numbers, booster": xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(NUMBERS, BINARY), 4),
        "numbers, three classes": xgboost.XGBClassifier(n_estimators=4).fit(NUMBERS, THREE),
        "numbers, a value": xgboost.XGBRegressor(n_estimators=4).fit(NUMBERS, NUMBERS["a"]),
    }
    return {
        f"{name}, {form}": (model, "xgboost", {"model_format": form})
        for name, model in models.items()
        for form in ("ubj", "json")
    }


def catboost_cases(folder: Path) -> dict[str, Case]:
    options: dict[str, Any] = {"iterations": 4, "verbose": False, "train_dir": str(folder)}
    models = {
        "numbers, three classes": catboost.CatBoostClassifier(**options).fit(NUMBERS, THREE),
        "numbers, a value": catboost.CatBoostRegressor(**options).fit(NUMBERS, NUMBERS["a"]),
    }
    text = catboost.CatBoostClassifier(cat_features=["city"], **options).fit(SHOPPERS, BINARY)
    return {"shoppers": (text, "catboost", {})} | {
        f"{name}, {form}": (model, "catboost", {"format": form})
        for name, model in models.items()
        for form in ("cbm", "json")
    }


def pyfunc_cases(_: Path) -> dict[str, Case]:
    class Halves(PythonModel):  # in a function, so that its code is in the pickle
        def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:  # noqa: ARG002 - mlflow's interface
            return model_input["a"] / 2

    return {"numbers": (Halves(), "pyfunc", {"signature": columns("a:double", outputs=["half"])})}


def _expected(model: Any, frame: pd.DataFrame) -> Any:
    if isinstance(model, PythonModel):
        return frame["a"] / 2
    if isinstance(model, xgboost.Booster):
        return model.predict(xgboost.DMatrix(frame))
    if not hasattr(model, "predict_proba"):
        return model.predict(frame)
    table = np.asarray(model.predict_proba(frame))
    return table[:, 1] if table.shape[1] == 2 else table


def _alone(extra: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.models.alone", extra, *arguments]
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
    return subprocess.run(
        command, cwd=Path(__file__).parents[2], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("extra", "cases"),
    [
        *(("sklearn", sklearn_cases), ("lightgbm", lightgbm_cases), ("xgboost", xgboost_cases)),
        *(("catboost", catboost_cases), ("local", sklearn_cases), ("", pyfunc_cases)),
    ],
)
def test_an_extra_alone_brings_all_that_its_models_need(
    extra: str, cases: Any, registry: Registry, load: Load, tmp_path: Path
) -> None:
    given, expected = {}, {}
    for name, (model, flavor, options) in cases(tmp_path).items():
        data = name.partition(",")[0]
        frame = {"numbers": NUMBERS, "shoppers": SHOPPERS}[data]
        loaded = load(registry.register(model, flavor, **{"signature": COLUMNS[data]} | options))
        given[name] = (loaded.folder, loaded.version, frame)
        expected[name] = _expected(model, frame)
    (tmp_path / "models").write_bytes(pickle.dumps(given))

    done = _alone(extra, str(tmp_path / "models"))

    assert done.returncode == 0, done.stderr
    scores = json.loads(done.stdout)
    assert scores.keys() == expected.keys()
    for name, values in scores.items():
        # CatBoost's JSON keeps not every bit of a model.
        np.testing.assert_allclose(np.array(values), np.asarray(expected[name], np.float64), 1e-12, err_msg=name)


@pytest.mark.parametrize(
    ("extra", "there", "not_there"),
    [
        (
            "",
            ["mlflow", "pandas", "boto3"],
            ["sklearn", "skops", "lightgbm", "pyspark", "sqlalchemy", "moto", "pytest"],
        ),
        ("catboost", ["catboost", "matplotlib"], ["sklearn", "joblib", "threadpoolctl", "xgboost"]),
        ("sklearn", ["sklearn", "skops", "joblib"], ["lightgbm", "xgboost", "catboost"]),
        ("local", ["sklearn", "skops", "pyspark", "sqlalchemy"], ["lightgbm", "xgboost", "catboost", "moto"]),
    ],
)
def test_the_process_of_an_extra_has_nothing_else(extra: str, there: list[str], not_there: list[str]) -> None:
    done = _alone(extra, "--installed", *there, *not_there)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == dict.fromkeys(there, True) | dict.fromkeys(not_there, False)
