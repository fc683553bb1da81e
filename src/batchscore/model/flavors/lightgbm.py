"""LightGBM: boosters, and estimators around one, with the pandas categories that they were trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from batchscore.config.job_config import ModelType
from batchscore.errors import ModelError
from batchscore.model.categories import TrainedCategories
from batchscore.model.facts import booster_facts
from batchscore.model.flavors.estimator import OF_RANKERS, adapt_estimator
from batchscore.model.flavors.objective import classes_of_objective, no_probabilities
from batchscore.model.flavors.protocol import Flavor, PredictorSettings, RawModel
from batchscore.model.flavors.values import with_value_names
from batchscore.model.version import ModelVersion

_BINARY, _MULTICLASS = {"binary", "cross_entropy"}, {"multiclass"}
_RANKING = {"lambdarank", "rank_xendcg"}
# How the header of a model names an objective that is a function of the notebook: by no word, or one of these.
_OWN = {"none", "custom"}
_FUNCTION = "a function of its own"


class LightGBM(Flavor):
    """The flavor of ``mlflow.lightgbm``."""

    name = "lightgbm"
    module = "lightgbm"
    version_key = "lgb_version"
    distributions = ("lightgbm",)
    # Minor versions are not warned of: a booster is text with a format version of its own, inside of a pickled
    # estimator too, and predicting from it adds up leaves that are written there.
    thread_places = ("_other_params", "params")

    def load(self, folder: Path, model: ModelVersion, settings: PredictorSettings, /) -> RawModel:
        """Load a booster or an estimator; raises ModelError."""
        import mlflow.lightgbm

        loaded: Any = mlflow.lightgbm.load_model(str(folder))
        categories = categories_of(loaded)
        if type(loaded).__name__ == "Booster":
            raw = _adapt_booster(loaded, categories, settings.model_type)
        else:
            if hasattr(loaded, "predict_proba"):
                check_classifier(loaded)
            raw = adapt_estimator(loaded, categories.give)
        raw = replace(raw, facts=booster_facts(categories, model.inputs))
        return with_value_names(raw, value_count(loaded), model, settings)


FLAVOR: Flavor = LightGBM()


def check_classifier(estimator: Any) -> None:
    """Refuse a classifier whose booster gives no probabilities that sum to 1; raises ModelError."""
    objective = _objective(estimator.booster_)
    if objective not in _BINARY | _MULTICLASS:
        raise no_probabilities(_FUNCTION if objective in _OWN else objective)


def value_count(model: Any) -> int:
    """Return how many values a booster, or the one of an estimator, predicts for a record."""
    return int(getattr(model, "booster_", model).num_model_per_iteration())


def _adapt_booster(booster: Any, categories: TrainedCategories, told: ModelType | None) -> RawModel:
    objective = _objective(booster)
    if objective in _OWN and told != "regression":
        raise ModelError(
            f"expected an objective that tells what the model predicts, got {_FUNCTION}; model_type: regression takes "
            "its answers for values, a pyfunc model can make probabilities of them"
        )
    model_type, classes = classes_of_objective(
        objective, value_count(booster), binary=_BINARY, multiclass=_MULTICLASS, refused={"multiclassova"}
    )

    def predict(frame: Any) -> Any:
        return booster.predict(categories.give(frame), num_threads=1)

    meaning = OF_RANKERS.format("a Booster") if objective in _RANKING else None
    return RawModel(model_type, classes, predict, loaded=booster, meaning=meaning)


def categories_of(model: Any) -> TrainedCategories:
    """Return the pandas categories that a booster, or the one of an estimator, was trained on."""
    booster = getattr(model, "booster_", model)
    trained = getattr(booster, "pandas_categorical", None)
    if not trained:
        return TrainedCategories()
    # A feature's bins: "[low:high]" of numbers, "a:b:c" of categories, "none" where it never varied.
    bins = _header_words(booster, "feature_infos")
    places = [place for place, info in enumerate(bins) if info != "none" and not info.startswith("[")]
    return TrainedCategories(trained, places if len(places) == len(trained) else None)


def _objective(booster: Any) -> str:
    words = _header_words(booster, "objective")
    return words[0] if words else "none"


def _header_words(booster: Any, key: str) -> list[str]:
    """Return the words after ``key=`` in the text of a model, before its trees."""
    header = booster.model_to_string(num_iteration=1).partition("\nTree=")[0]
    words: list[str] = header.partition(f"\n{key}=")[2].partition("\n")[0].split()
    return words
