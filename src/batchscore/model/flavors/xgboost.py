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
from batchscore.model.flavors.estimator import adapt_estimator
from batchscore.model.flavors.objective import classes_of_objective
from batchscore.model.flavors.protocol import Flavor, PredictorSettings, RawModel
from batchscore.model.logged_parameters import logged_number
from batchscore.model.version import ModelVersion


class XGBoost(Flavor):
    """The flavor of ``mlflow.xgboost``."""

    name = "xgboost"
    module = "xgboost"
    version_key = "xgb_version"
    distributions = ("xgboost", "xgboost-cpu")
    # Minor versions are not warned of: MLflow keeps the library's own JSON or UBJSON, estimators too, which XGBoost
    # promises to read in later versions. https://xgboost.readthedocs.io/en/stable/tutorials/saving_model.html
    thread_places = ("kwargs",)

    def load(self, folder: Path, model: ModelVersion, _settings: PredictorSettings, /) -> RawModel:
        """Load a booster or an estimator; raises ModelError."""
        import mlflow.xgboost

        loaded: Any = mlflow.xgboost.load_model(str(folder))
        categories = _categories(loaded.get_booster() if hasattr(loaded, "get_booster") else loaded)
        if type(loaded).__name__ == "Booster":
            raw = _adapt_booster(loaded, categories, model.xgboost_missing)
        else:
            if model.xgboost_missing is not None:
                loaded.set_params(missing=model.xgboost_missing)  # which the model's own file does not hold
            raw = adapt_estimator(loaded, categories.give)
        return replace(raw, facts=booster_facts(categories, model.inputs))

    def limit_threads(self, estimator: Any, /) -> None:
        """Hold a booster to one thread: it was loaded with its own number of them."""
        if type(estimator).__name__ == "Booster":
            estimator.set_param({"nthread": 1})

    def missing_number(self, model_id: str | None, run_id: str | None, /) -> float | None:
        """Return the parameter ``missing`` of training."""
        return logged_number("missing", model_id, run_id)


FLAVOR: Flavor = XGBoost()


def _adapt_booster(booster: Any, categories: TrainedCategories, missing: float | None) -> RawModel:
    import xgboost

    learner = json.loads(booster.save_config())["learner"]
    model_type, classes = classes_of_objective(
        learner["objective"]["name"],
        max(int(learner["learner_model_param"]["num_class"]), 1),
        binary={"binary:logistic"},
        multiclass={"multi:softprob"},
        refused={"binary:logitraw", "binary:hinge", "multi:softmax"},
    )
    options = {"nthread": 1, "enable_categorical": True, "missing": missing}

    def predict(frame: ModelInput) -> Any:
        names = None if isinstance(frame, pd.DataFrame) else booster.feature_names
        return booster.predict(xgboost.DMatrix(categories.give(frame), feature_names=names, **options))

    return RawModel(model_type, classes, predict, loaded=booster)


def _categories(booster: Any) -> TrainedCategories:
    """Return the categories of training.

    Raises ModelError for a model that does not hold them (before XGBoost 3.1): the codes of a batch's own categories
    would be others than in training.
    """
    kinds = booster.feature_types or []
    places = [place for place, kind in enumerate(kinds) if kind == "c"]
    if not places:
        return TrainedCategories()
    trained = _held_categories(booster)
    if any(trained.get(place) is None for place in places):
        raise ModelError(
            "expected the categories of training in the model, as XGBoost 3.1 and later hold them, got none"
        )
    return TrainedCategories([trained[place] for place in places], places)


def _held_categories(booster: Any) -> dict[int, list[Any]]:
    if not hasattr(booster, "get_categories"):
        return {}
    held = booster.get_categories(export_to_arrow=True).to_arrow()
    return {place: values.to_pylist() for place, (_, values) in enumerate(held) if values is not None}
