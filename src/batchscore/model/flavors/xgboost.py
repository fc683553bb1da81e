"""XGBoost: boosters, and estimators around one, with their categories and their number for missing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from batchscore.errors import ModelError
from batchscore.model.categories import ModelInput, TrainedCategories
from batchscore.model.facts import booster_facts
from batchscore.model.flavors.estimator import OF_RANKERS, adapt_estimator, several_targets
from batchscore.model.flavors.objective import classes_of_objective, no_probabilities
from batchscore.model.flavors.protocol import Flavor, PredictorSettings, RawModel
from batchscore.model.flavors.values import with_value_names
from batchscore.model.logged_parameters import logged_number
from batchscore.model.version import ModelVersion

_BINARY, _MULTICLASS = {"binary:logistic"}, {"multi:softprob"}
_REFUSED = {"binary:logitraw", "binary:hinge", "multi:softmax"}
# With softmax the estimator makes probabilities itself, where the booster gives labels.
_OF_CLASSIFIERS = {*_BINARY, *_MULTICLASS, "multi:softmax", "reg:logistic"}


class XGBoost(Flavor):
    """The flavor of ``mlflow.xgboost``."""

    name = "xgboost"
    module = "xgboost"
    version_key = "xgb_version"
    distributions = ("xgboost", "xgboost-cpu")
    # Minor versions are not warned of: MLflow keeps the library's own JSON or UBJSON, estimators too, which XGBoost
    # promises to read in later versions. https://xgboost.readthedocs.io/en/stable/tutorials/saving_model.html
    thread_places = ("kwargs",)

    def load(self, folder: Path, model: ModelVersion, settings: PredictorSettings, /) -> RawModel:
        """Load a booster or an estimator; raises ModelError."""
        import mlflow.xgboost

        loaded: Any = mlflow.xgboost.load_model(str(folder))
        categories = categories_of(loaded)
        if type(loaded).__name__ == "Booster":
            raw = _adapt_booster(loaded, categories, model.xgboost_missing)
        else:
            if model.xgboost_missing is not None:
                loaded.set_params(missing=model.xgboost_missing)  # which the model's own file does not hold
            if hasattr(loaded, "predict_proba"):
                check_classifier(loaded)
            raw = adapt_estimator(loaded, categories.give)
        raw = replace(raw, facts=booster_facts(categories, model.inputs))
        return with_value_names(raw, value_count(loaded), model, settings)

    def limit_threads(self, estimator: Any, /) -> None:
        """Hold a booster to one thread: it was loaded with its own number of them."""
        if type(estimator).__name__ == "Booster":
            estimator.set_param({"nthread": 1})

    def missing_number(self, model_id: str | None, run_id: str | None, /) -> float | None:
        """Return the parameter ``missing`` of training."""
        return logged_number("missing", model_id, run_id)


FLAVOR: Flavor = XGBoost()


def check_classifier(estimator: Any) -> None:
    """Refuse a classifier that has no probabilities of one target that sum to 1; raises ModelError.

    An objective that is a function shows only in a pickle: XGBoost's own file names another in its place.
    """
    if callable(estimator.objective):
        raise no_probabilities("a function of its own")
    objective = _learner(estimator)["objective"]["name"]
    if objective not in _OF_CLASSIFIERS:
        raise no_probabilities(objective)
    _check_one_target(estimator, type(estimator).__name__)


def value_count(model: Any) -> int:
    """Return how many values a booster, or the one of an estimator, predicts for a record: targets or quantiles."""
    return max(int(_learner(model)["learner_model_param"].get("num_target", 1)), 1)


def _check_one_target(model: Any, name: str) -> None:
    if value_count(model) > 1:
        raise several_targets(name)


def _learner(model: Any) -> dict[str, Any]:
    learner: dict[str, Any] = json.loads(_booster(model).save_config())["learner"]
    return learner


def _booster(model: Any) -> Any:
    return model.get_booster() if hasattr(model, "get_booster") else model


def _adapt_booster(booster: Any, categories: TrainedCategories, missing: float | None) -> RawModel:
    import xgboost

    learner = _learner(booster)
    objective = learner["objective"]["name"]
    model_type, classes = classes_of_objective(
        objective,
        max(int(learner["learner_model_param"]["num_class"]), 1),
        binary=_BINARY,
        multiclass=_MULTICLASS,
        refused=_REFUSED,
    )
    if model_type != "regression":
        _check_one_target(booster, "a Booster")
    options = {"nthread": 1, "enable_categorical": True, "missing": missing}

    def predict(frame: ModelInput) -> Any:
        names = None if isinstance(frame, pd.DataFrame) else booster.feature_names
        return booster.predict(xgboost.DMatrix(categories.give(frame), feature_names=names, **options))

    meaning = OF_RANKERS.format("a Booster") if objective.startswith("rank:") else None
    return RawModel(model_type, classes, predict, loaded=booster, meaning=meaning)


def categories_of(model: Any) -> TrainedCategories:
    """Return the categories of training.

    Raises ModelError for a model that does not hold them (before XGBoost 3.1): the codes of a batch's own categories
    would be others than in training.
    """
    held = held_categories(model)
    if held is None:
        raise ModelError(
            "expected the categories of training in the model, as XGBoost 3.1 and later hold them, got none"
        )
    return held


def held_categories(model: Any) -> TrainedCategories | None:
    """Return the categories that a model holds; None where it was trained on some, or on their codes, and has none."""
    booster = _booster(model)
    places = [place for place, kind in enumerate(booster.feature_types or []) if kind == "c"]
    if not places:
        return TrainedCategories()
    trained = _held_categories(booster)
    if any(trained.get(place) is None for place in places):
        return None
    return TrainedCategories([trained[place] for place in places], places)


def takes_codes(estimator: Any) -> bool:
    """Tell whether an estimator was told which columns hold codes, or was trained on an array: on no categories."""
    return estimator.feature_types is not None or estimator.get_booster().feature_names is None


def _held_categories(booster: Any) -> dict[int, list[Any]]:
    if not hasattr(booster, "get_categories"):
        return {}
    held = booster.get_categories(export_to_arrow=True).to_arrow()
    return {place: values.to_pylist() for place, (_, values) in enumerate(held) if values is not None}
