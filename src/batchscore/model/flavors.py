"""One adapter for each library: a model's files -> probabilities or values.

A library's own interface is used where it has one, since MLflow's pyfunc returns labels.
"""

from __future__ import annotations

import importlib
import json
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from batchscore.config.job_config import JobConfig, ModelType
from batchscore.config.missing_values import NO_FACTS, ModelFacts
from batchscore.errors import ModelError
from batchscore.input.typed_values import INTEGER_TYPES
from batchscore.model.categories import (
    ModelInput,
    TrainedCategories,
    header_words,
    lightgbm_categories,
    xgboost_categories,
)
from batchscore.model.encoders import encode_distinct_values
from batchscore.model.facts import category_facts, estimator_facts
from batchscore.model.threads import set_one_thread
from batchscore.model.version import ModelVersion

# flavor -> (module, key of the version in MLmodel)
_LIBRARIES = {
    "sklearn": ("sklearn", "sklearn_version"),
    "lightgbm": ("lightgbm", "lgb_version"),
    "xgboost": ("xgboost", "xgb_version"),
    "catboost": ("catboost", "cb_version"),
}


@dataclass(frozen=True)
class PredictorSettings:
    """What a configuration says of the model."""

    model_type: ModelType | None = None
    positive_label: str | None = None
    prediction_column: str | None = None
    allow_version_mismatch: tuple[str, ...] = ()


def predictor_settings(config: JobConfig, model_type: ModelType | None) -> PredictorSettings:
    """Return what a configuration says of the model; ``model_type`` is what is known of it, None for nothing yet."""
    return PredictorSettings(model_type, config.positive_label, config.prediction_column, config.allow_version_mismatch)


@dataclass(frozen=True)
class RawModel:
    """What an adapter finds: (n,) or (n, classes) values, and the labels where the library knows them.

    ``categorical`` names the text columns that the model takes as pandas categoricals; ``facts`` are what it tells of
    how missing values and texts are known to it.
    """

    model_type: ModelType
    classes: tuple[str, ...]
    predict: Callable[[Any], Any]
    categorical: frozenset[str] = frozenset()
    facts: ModelFacts = NO_FACTS


def flavor_of(model: ModelVersion) -> str:
    """Return the MLflow flavor by which a model is used."""
    return next((flavor for flavor in _LIBRARIES if flavor in model.flavors), "python_function")


def check_version(flavor: str, model: ModelVersion, allowed: Sequence[str]) -> None:
    """Hold the installed library's major version to the one of training; raises ModelError."""
    module, key = _LIBRARIES[flavor]
    trained = str(model.flavors[flavor].get(key, ""))
    installed = library_version(module)
    if installed is None:
        raise ModelError(f"model {model.pinned_uri}: expected {module} {trained} to be installed, got none")
    if trained and trained.split(".")[0] != installed.split(".")[0] and flavor not in allowed:
        raise ModelError(
            f"model {model.pinned_uri}: expected {module} {trained} as in training, got {installed}; "
            f"allow_version_mismatch: [{flavor}] allows it"
        )


def library_version(module: str) -> str | None:
    """Return the version of an importable library, None where it is not installed."""
    try:
        return str(importlib.import_module(module).__version__)
    except ImportError:
        return None


def load_native(flavor: str, folder: Path, model: ModelVersion) -> RawModel:
    """Load a model by its library's own interface; raises ModelError."""
    loaded = _unpickled(folder, model) if flavor == "sklearn" else None
    if loaded is None:
        loaded = importlib.import_module(f"mlflow.{flavor}").load_model(str(folder))
    set_one_thread(loaded)
    facts = _facts(loaded, flavor, model)
    is_booster = type(loaded).__name__ == "Booster"
    if flavor == "lightgbm" and is_booster:
        raw = _lightgbm_booster(loaded)
    elif flavor == "xgboost" and is_booster:
        raw = _xgboost_booster(loaded, model.xgboost_missing)
    else:
        if model.xgboost_missing is not None:
            loaded.set_params(missing=model.xgboost_missing)  # which the model's own file does not hold
        raw = _estimator(loaded, flavor)
    return replace(raw, facts=facts)


def _facts(loaded: Any, flavor: str, model: ModelVersion) -> ModelFacts:
    """Return what a model tells of its texts, as it was loaded."""
    inputs = model.signature if isinstance(model.signature, tuple) else ()
    names = [column.name for column in inputs]
    if flavor == "sklearn":
        return estimator_facts(loaded, names)
    if flavor == "catboost" or not inputs:
        return ModelFacts(known=None)
    texts = [column.name for column in inputs if column.type == "string"]
    integers = [column.name for column in inputs if column.type in INTEGER_TYPES]
    return category_facts(_categories_of(loaded, flavor).by_name(names, texts), integers)


def _unpickled(folder: Path, model: ModelVersion) -> Any:
    """Load a pickled scikit-learn model as mlflow.sklearn does, without the seconds that importing mlflow takes.

    None for models that it loads in another way: of another format, or with code of their own.
    """
    conf = model.flavors["sklearn"]
    if conf.get("code") or conf.get("serialization_format") not in {"pickle", "cloudpickle"}:
        return None
    with (folder / str(conf["pickled_model"])).open("rb") as file:
        return pickle.load(file)  # cloudpickle writes what pickle reads


def _estimator(estimator: Any, flavor: str) -> RawModel:
    """Adapt anything with scikit-learn's interface."""
    prepare = _categories_of(estimator, flavor).give
    categorical = encode_distinct_values(estimator) if flavor == "sklearn" else frozenset[str]()
    name = type(estimator).__name__
    if name == "CatBoost":
        raise ModelError("expected CatBoostClassifier or CatBoostRegressor, got their base CatBoost")
    if _is_regressor(estimator):
        return RawModel("regression", (), lambda frame: _one_column(estimator.predict(prepare(frame))), categorical)
    if not hasattr(estimator, "predict_proba"):
        hint = (
            "; wrap it in sklearn.calibration.CalibratedClassifierCV" if hasattr(estimator, "decision_function") else ""
        )
        raise ModelError(f"expected a classifier with predict_proba or a regressor, got {name}{hint}")
    classes = np.asarray(estimator.classes_)
    if classes.ndim != 1 or len(classes) < 2:
        raise ModelError(f"expected a classifier of one target with two classes or more, got {name}")
    return RawModel(
        "binary" if len(classes) == 2 else "multiclass",
        _class_names(classes.tolist()),
        lambda frame: estimator.predict_proba(prepare(frame)),
        categorical,
    )


def _class_names(labels: Sequence[Any]) -> tuple[str, ...]:
    """Return the labels as texts; raises ModelError where two could not be told apart, or a column had no name."""
    names = tuple(str(label) for label in labels)
    if len(set(names)) < len(names) or len(set(labels)) < len(labels):
        raise ModelError(
            f"expected classes that differ as texts and as values, got {', '.join(names)}; train it with other labels"
        )
    if len(names) > 2 and not all(name.strip() for name in names):
        raise ModelError(
            f"expected a name for each of {len(names)} classes, got an empty one; train it with other labels"
        )
    return names


def _categories_of(loaded: Any, flavor: str) -> TrainedCategories:
    """Return the categories of a booster, or of the estimator around one."""
    if flavor == "lightgbm":
        return lightgbm_categories(getattr(loaded, "booster_", loaded))
    if flavor == "xgboost":
        return xgboost_categories(loaded.get_booster() if hasattr(loaded, "get_booster") else loaded)
    return TrainedCategories()


def _one_column(values: Any) -> npt.NDArray[Any]:
    """Return (n,) for (n, 1): what a model fitted to a table of one target gives."""
    array = np.asarray(values)
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def _is_regressor(estimator: Any) -> bool:
    if type(estimator).__name__.startswith("CatBoost"):  # which needs no scikit-learn
        return not hasattr(estimator, "predict_proba")
    from sklearn.base import is_regressor

    return bool(is_regressor(estimator))


def _lightgbm_booster(booster: Any) -> RawModel:
    objective = header_words(booster, "objective")
    prepare = lightgbm_categories(booster).give
    model_type, classes = _classes_of_objective(
        objective[0] if objective else "none", booster.num_model_per_iteration()
    )
    return RawModel(model_type, classes, lambda frame: booster.predict(prepare(frame), num_threads=1))


def _xgboost_booster(booster: Any, missing: float | None) -> RawModel:
    import xgboost

    learner = json.loads(booster.save_config())["learner"]
    count = max(int(learner["learner_model_param"]["num_class"]), 1)
    model_type, classes = _classes_of_objective(learner["objective"]["name"], count)
    prepare = xgboost_categories(booster).give
    options = {"nthread": 1, "enable_categorical": True, "missing": missing}

    def predict(frame: ModelInput) -> Any:
        names = None if isinstance(frame, pd.DataFrame) else booster.feature_names
        return booster.predict(xgboost.DMatrix(prepare(frame), feature_names=names, **options))

    return RawModel(model_type, classes, predict)


_BINARY_OBJECTIVES = {"binary", "cross_entropy", "binary:logistic"}
_MULTICLASS_OBJECTIVES = {"multiclass", "multi:softprob"}
_WITHOUT_PROBABILITIES = {"binary:logitraw", "binary:hinge", "multi:softmax", "multiclassova"}


def _classes_of_objective(objective: str, count: int) -> tuple[ModelType, tuple[str, ...]]:
    if objective in _WITHOUT_PROBABILITIES:
        raise ModelError(f"expected an objective with probabilities, got {objective}")
    if objective in _BINARY_OBJECTIVES:
        return "binary", ("0", "1")
    if objective in _MULTICLASS_OBJECTIVES:
        return "multiclass", tuple(str(number) for number in range(count))
    return "regression", ()


def _load_unenforced(folder: Path, model: ModelVersion) -> Any:
    """Load a pyfunc model that takes the frames of ``to_model_input`` as they are.

    They have the signature's types already; MLflow's own check would refuse an optional integer column, which is
    float64 for its missing values.
    """
    import mlflow.pyfunc
    from mlflow.models import ModelSignature

    loaded = mlflow.pyfunc.load_model(str(folder))
    signature = loaded.metadata.signature
    if isinstance(model.signature, tuple) and signature is not None:
        rest = {"outputs": signature.outputs, "params": signature.params}
        loaded.metadata.signature = ModelSignature(**rest) if any(rest.values()) else None
    return loaded


def load_pyfunc(folder: Path, model: ModelVersion, settings: PredictorSettings) -> RawModel:
    """Load any other model by what it answers; raises ModelError."""
    loaded = _load_unenforced(folder, model)
    set_one_thread(loaded)
    column = settings.prediction_column
    width = 1 if column else model.output_width
    if column and model.output_names and column not in model.output_names:
        raise ModelError(f"expected an output column {column}, got {', '.join(model.output_names)}")
    model_type = settings.model_type
    if model_type is None:
        if width is None:
            raise ModelError("expected a signature with outputs or a model_type in the configuration, got neither")
        model_type = "regression" if width == 1 else "multiclass"
    classes: tuple[str, ...] = ("0", "1") if model_type == "binary" else ()
    if model_type == "multiclass":
        if width is None or width < 2:
            raise ModelError("expected a signature with an output column for each class, got none")
        classes = _class_names(model.output_names or range(width))

    def predict(frame: ModelInput) -> Any:
        values = loaded.predict(frame)
        if column:
            values = values[column]
        return _one_column(values)

    facts = ModelFacts(known=None, integers_refuse_missing=isinstance(model.signature, tuple))
    return RawModel(model_type, classes, predict, facts=facts)
