"""LightGBM: boosters, and estimators around one, with the pandas categories that they were trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from batchscore.model.categories import TrainedCategories
from batchscore.model.facts import booster_facts
from batchscore.model.flavors.estimator import adapt_estimator
from batchscore.model.flavors.objective import classes_of_objective
from batchscore.model.flavors.protocol import Flavor, PredictorSettings, RawModel
from batchscore.model.version import ModelVersion


class LightGBM(Flavor):
    """The flavor of ``mlflow.lightgbm``."""

    name = "lightgbm"
    module = "lightgbm"
    version_key = "lgb_version"
    distributions = ("lightgbm",)
    # Minor versions are not warned of: a booster is text with a format version of its own, inside of a pickled
    # estimator too, and predicting from it adds up leaves that are written there.
    thread_places = ("_other_params", "params")

    def load(self, folder: Path, model: ModelVersion, _settings: PredictorSettings, /) -> RawModel:
        """Load a booster or an estimator; raises ModelError."""
        import mlflow.lightgbm

        loaded: Any = mlflow.lightgbm.load_model(str(folder))
        categories = _categories(getattr(loaded, "booster_", loaded))
        is_booster = type(loaded).__name__ == "Booster"
        raw = _adapt_booster(loaded, categories) if is_booster else adapt_estimator(loaded, categories.give)
        return replace(raw, facts=booster_facts(categories, model.inputs))


FLAVOR: Flavor = LightGBM()


def _adapt_booster(booster: Any, categories: TrainedCategories) -> RawModel:
    objective = _header_words(booster, "objective")
    model_type, classes = classes_of_objective(
        objective[0] if objective else "none",
        booster.num_model_per_iteration(),
        binary={"binary", "cross_entropy"},
        multiclass={"multiclass"},
        refused={"multiclassova"},
    )

    def predict(frame: Any) -> Any:
        return booster.predict(categories.give(frame), num_threads=1)

    return RawModel(model_type, classes, predict, loaded=booster)


def _categories(booster: Any) -> TrainedCategories:
    trained = getattr(booster, "pandas_categorical", None)
    if not trained:
        return TrainedCategories()
    # A feature's bins: "[low:high]" of numbers, "a:b:c" of categories, "none" where it never varied.
    bins = _header_words(booster, "feature_infos")
    places = [place for place, info in enumerate(bins) if info != "none" and not info.startswith("[")]
    return TrainedCategories(trained, places if len(places) == len(trained) else None)


def _header_words(booster: Any, key: str) -> list[str]:
    """Return the words after ``key=`` in the text of a model, before its trees."""
    header = booster.model_to_string(num_iteration=1).partition("\nTree=")[0]
    words: list[str] = header.partition(f"\n{key}=")[2].partition("\n")[0].split()
    return words
