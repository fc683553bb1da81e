"""Models as notebooks train them, each saved once by its flavour: what they answer is asked of the library itself."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import numpy.typing as npt
import pandas as pd
from catboost import CatBoostClassifier, CatBoostRegressor
from lightgbm import LGBMClassifier, LGBMRegressor
from mlflow.models import Model, ModelSignature, infer_signature
from mlflow.types.schema import ColSpec, Schema
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, TargetEncoder
from xgboost import XGBClassifier, XGBRegressor

from batchscore.model.flavors import PredictorSettings
from batchscore.model.predictor import load_predictor
from batchscore.model.signature import signature_facts
from batchscore.model.version import ModelVersion
from batchscore.preflight.planner import LoadedModel
from tests.agreement.files import table, target
from tests.libraries import XGBOOST_HOLDS_CATEGORIES
from tests.registry import NAME_OF_MODEL

COMPLETE = table(300, seed=1)
GAPS = table(300, seed=1, missing=0.15)
_FLOATS = GAPS.astype({"b": float})
_NONES = GAPS.astype(object).replace({np.nan: None})
UNKNOWN = {"handle_unknown": "use_encoded_value", "unknown_value": -1}


@dataclass(frozen=True)
class Trained:
    """A fitted model, its flavour, the columns it takes, and the library's own answer to a frame of them."""

    model: Any
    columns: Sequence[str]
    flavor: str = "sklearn"
    answer: Callable[[pd.DataFrame], Any] | None = None
    keys: dict[str, Any] = field(default_factory=dict)
    missing_text: Any = np.nan
    xgboost_missing: float | None = None
    tolerance: float = 1e-9

    def predict(self, frame: pd.DataFrame) -> Any:
        """Return P(1), P of each class, or the value."""
        if self.answer is not None:
            return self.answer(frame)
        if not hasattr(self.model, "predict_proba"):
            return self.model.predict(frame)
        found = self.model.predict_proba(frame)
        return found[:, 1] if found.shape[1] == 2 else found


def _fitted(steps: Any, columns: str, data: pd.DataFrame = GAPS, classes: int = 2, **more: Any) -> Trained:
    model = make_pipeline(steps, SimpleImputer(), LogisticRegression(max_iter=300))
    return Trained(model.fit(data[list(columns)], target(GAPS, classes)), columns, **more)


def _imputers(classes: int = 2) -> Trained:
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    steps = make_column_transformer((SimpleImputer(strategy="median"), list("dfli")), (texts, list("st")))
    return _fitted(steps, "dflist", classes=classes)


def _one_hot(data: pd.DataFrame = GAPS, **options: Any) -> Trained:
    steps = make_column_transformer(
        (OneHotEncoder(**options), list("lib")), (SimpleImputer(add_indicator=True), list("df")), sparse_threshold=0
    )
    return _fitted(steps, "dflib", data)


def _ordinal() -> Trained:
    steps = make_column_transformer((OrdinalEncoder(**UNKNOWN), list("libst")), remainder="passthrough")
    return _fitted(steps, "dlibst")


def _target_encoder() -> Trained:
    model = make_pipeline(TargetEncoder(random_state=0), LinearRegression())
    return Trained(model.fit(GAPS[["s", "l", "i"]], target(GAPS, 2)), "sli")


def _imputer_of_none() -> Trained:
    imputer = SimpleImputer(missing_values=None, strategy="constant", fill_value="none")
    steps = make_column_transformer(
        (make_pipeline(imputer, OneHotEncoder(handle_unknown="ignore")), ["s", "t"]), (SimpleImputer(), ["d"])
    )
    return _fitted(steps, "dst", _NONES[list("dst")], missing_text=None)


def _categories_with_none() -> Trained:
    steps = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["s", "t"]), (SimpleImputer(), ["d"]))
    data = _NONES[list("dst")].astype({"d": float})
    return _fitted(steps, "dst", data, missing_text=None)


def _words() -> Trained:
    steps = make_column_transformer(
        (CountVectorizer(token_pattern=r"\w+"), "t"), (SimpleImputer(), ["d", "l"]), sparse_threshold=0
    )
    data = GAPS.fillna({"t": ""})
    return _fitted(steps, "dlt", data, keys={"missing_text": "empty"}, missing_text="")


def _words_of_nan() -> Trained:
    return replace(_words(), keys={}, missing_text=np.nan)


def _no_imputer() -> Trained:
    model = LogisticRegression(max_iter=300)
    return Trained(model.fit(COMPLETE[list("dfli")], target(COMPLETE, 2)), "dfli")


def fingerprint(frame: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return a number for each cell that tells any other value or type of it."""
    return np.array(
        [[zlib.crc32(f"{type(value).__name__} {value!r}".encode()) % 9973 for value in frame[name]] for name in frame],
        float,
    ).T


def _fingerprint() -> Trained:
    model = make_pipeline(FunctionTransformer(fingerprint), LinearRegression())
    return Trained(model.fit(COMPLETE, target(COMPLETE, 2)), "dflibst")


def _hist(**options: Any) -> Trained:
    model = HistGradientBoostingClassifier(max_iter=15, **options)
    return Trained(model.fit(_FLOATS[list("dflib")], target(GAPS, 2)), "dflib")


def _hist_of_texts() -> Trained:
    model = HistGradientBoostingRegressor(max_iter=15, categorical_features=["s", "l"])
    return Trained(model.fit(GAPS[list("dls")], target(GAPS, 5)), "dls")


_KINDS = {"s": pd.CategoricalDtype(["C", "Q", "S"]), "t": pd.CategoricalDtype(sorted(set(GAPS["t"].dropna())))}
_INTEGERS = {"i": pd.CategoricalDtype([0, 1, 2, 3])}


def _lightgbm(columns: str = "dfli", booster: bool = False, classes: int = 2) -> Trained:
    kinds = {name: kind for name, kind in (_KINDS | _INTEGERS).items() if name in columns and "s" in columns}
    model = LGBMClassifier(n_estimators=10, min_child_samples=5, verbose=-1, n_jobs=1)
    model.fit(_FLOATS[list(columns)].astype(kinds), target(GAPS, classes))

    def answer(frame: pd.DataFrame) -> Any:
        return model.booster_.predict(frame.astype(kinds), num_threads=1)

    return Trained(model.booster_ if booster else model, columns, "lightgbm", answer, tolerance=1e-6)


def _lightgbm_regression() -> Trained:
    model = LGBMRegressor(n_estimators=10, min_child_samples=5, verbose=-1, n_jobs=1)
    return Trained(model.fit(_FLOATS[list("dlb")], GAPS["f"].fillna(0)), "dlb", "lightgbm")


def _xgboost(columns: str = "dfli", booster: bool = False, classes: int = 2, missing: float | None = None) -> Trained:
    import xgboost

    kinds = {name: kind for name, kind in _KINDS.items() if name in columns}
    options: dict[str, Any] = {} if missing is None else {"missing": missing}
    model = XGBClassifier(n_estimators=10, max_depth=3, n_jobs=1, enable_categorical=True, **options)
    data = GAPS[list(columns)].astype(kinds)
    model.fit(data if missing is None else data.fillna(missing), target(GAPS, classes))

    def answer(frame: pd.DataFrame) -> Any:
        matrix = xgboost.DMatrix(frame.astype(kinds), enable_categorical=True, **options)
        return model.get_booster().predict(matrix)

    logged = model.get_booster() if booster else model
    return Trained(logged, columns, "xgboost", answer, tolerance=1e-5, xgboost_missing=missing)


def _xgboost_regression() -> Trained:
    model = XGBRegressor(n_estimators=10, max_depth=3, n_jobs=1)
    return Trained(model.fit(GAPS[list("dl")], GAPS["f"].fillna(0)), "dl", "xgboost", tolerance=1e-5)


def _catboost(columns: str = "dfli", classes: int = 2) -> Trained:
    texts = [name for name in columns if name in "st"]
    model = CatBoostClassifier(
        iterations=10, depth=3, verbose=False, allow_writing_files=False, cat_features=texts, thread_count=1
    )
    return Trained(model.fit(COMPLETE[list(columns)], target(COMPLETE, classes)), columns, "catboost")


def _catboost_regression() -> Trained:
    model = CatBoostRegressor(iterations=10, depth=3, verbose=False, allow_writing_files=False, thread_count=1)
    return Trained(model.fit(GAPS[list("dl")], GAPS["f"].fillna(0)), "dl", "catboost")


class Fingerprints(mlflow.pyfunc.PythonModel):  # type: ignore[misc,name-defined] # mlflow has no types
    """Answers a number for each record that tells any other value or type of it."""

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:  # noqa: ARG002
        return fingerprint(model_input) @ np.arange(1, model_input.shape[1] + 1)


def _pyfunc() -> Trained:
    return Trained(
        Fingerprints(),
        "dflibst",
        "pyfunc",
        lambda frame: Fingerprints().predict(None, frame),
        keys={"model_type": "regression"},
    )


MODELS: dict[str, Callable[[], Trained]] = {
    "imputers and encoders": _imputers,
    "imputers and encoders, multiclass": lambda: _imputers(3),
    "one-hot of integers and booleans": lambda: _one_hot(handle_unknown="ignore"),
    "one-hot of integers and booleans without gaps": lambda: _one_hot(COMPLETE, handle_unknown="ignore"),
    "one-hot that refuses what it does not know": lambda: _one_hot(COMPLETE),
    "ordinal encoder": _ordinal,
    "target encoder": _target_encoder,
    "imputer of None": _imputer_of_none,
    "categories that hold None": _categories_with_none,
    "words of text": _words,
    "words of text that may be NaN": _words_of_nan,
    "no imputer": _no_imputer,
    "fingerprint of values and types": _fingerprint,
    "hist gradient boosting": _hist,
    "hist gradient boosting with integer categories": lambda: _hist(categorical_features=["i"]),
    "hist gradient boosting with text categories": _hist_of_texts,
    "lightgbm": _lightgbm,
    "lightgbm of booleans": lambda: _lightgbm("dlb"),
    "lightgbm with categories": lambda: _lightgbm("dfist"),
    "lightgbm booster": lambda: _lightgbm(booster=True),
    "lightgbm booster with categories": lambda: _lightgbm("dfist", booster=True),
    "lightgbm, multiclass": lambda: _lightgbm("dfist", classes=3),
    "lightgbm, regression": _lightgbm_regression,
    "xgboost": _xgboost,
    "xgboost of booleans": lambda: _xgboost("dl"),
    "xgboost with categories": lambda: _xgboost("dfst"),
    "xgboost booster": lambda: _xgboost(booster=True),
    "xgboost booster with categories": lambda: _xgboost("dfst", booster=True),
    "xgboost with a number for missing": lambda: _xgboost(missing=-999.0),
    "xgboost booster with a number for missing": lambda: _xgboost(booster=True, missing=-999.0),
    "xgboost, multiclass": lambda: _xgboost(classes=3),
    "xgboost, regression": _xgboost_regression,
    "catboost": _catboost,
    "catboost with text categories": lambda: _catboost("dlst"),
    "catboost, multiclass": lambda: _catboost(classes=3),
    "catboost, regression": _catboost_regression,
    "pyfunc": _pyfunc,
}


if not XGBOOST_HOLDS_CATEGORIES:
    del MODELS["xgboost with categories"], MODELS["xgboost booster with categories"]


@cache
def trained(name: str) -> Trained:
    """Return a model, trained once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return MODELS[name]()


def signature_of(kind: str, columns: Sequence[str]) -> ModelSignature | None:
    """Return a signature as notebooks infer it: of five rows, of all, or of optional columns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        five = infer_signature(COMPLETE[list(columns)].head())
        if kind == "five rows":
            return five
        if kind == "all rows":
            return infer_signature(GAPS[list(columns)])
        if kind == "optional":
            specs = five.inputs.inputs
            return ModelSignature(Schema([ColSpec(spec.type, spec.name, required=False) for spec in specs]))
        return None


def load(
    model: Trained, signature: ModelSignature | None, folder: Path, example: pd.DataFrame | None = None
) -> LoadedModel:
    """Save a model by its flavour, with an example of its input if there is one, and load it as a job does."""
    name = NAME_OF_MODEL.get(model.flavor, "python_model")
    options: dict[str, Any] = {"serialization_format": "cloudpickle"} if model.flavor == "sklearn" else {}
    key = "path"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        save = getattr(mlflow, model.flavor).save_model
        kept = {key: str(folder), name: model.model, "signature": signature, "input_example": example}
        save(**kept, pip_requirements=["mlflow"], **options)
    found = Model.load(str(folder))
    version = ModelVersion(
        "models:/m/1",
        "m",
        "1",
        None,
        "0",
        {},
        found.flavors,
        xgboost_missing=model.xgboost_missing,
        **signature_facts(found, "models:/m/1"),
    )
    settings = PredictorSettings(model.keys.get("model_type"), prediction_column=model.keys.get("prediction_column"))
    predictor = load_predictor(folder, version, settings)
    return LoadedModel(version, folder, predictor, 0.5)
