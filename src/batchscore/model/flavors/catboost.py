"""CatBoost: classifiers and regressors, whose every method takes all cores unless its caller says otherwise."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from batchscore.config.missing_values import ModelFacts
from batchscore.errors import ModelError
from batchscore.model.flavors.estimator import Prepare, adapt_classifier, adapt_values, as_it_is, several_targets
from batchscore.model.flavors.objective import no_probabilities
from batchscore.model.flavors.protocol import Flavor, PredictorSettings, RawModel
from batchscore.model.flavors.values import with_value_names
from batchscore.model.version import ModelVersion

_SEVERAL_TARGETS = {"MultiLogloss", "MultiCrossEntropy"}
_OWN = "PythonUserDefined"  # how the name of a loss begins that is a class of the notebook


class CatBoost(Flavor):
    """The flavor of ``mlflow.catboost``."""

    name = "catboost"
    module = "catboost"
    version_key = "cb_version"
    distributions = ("catboost",)
    # Minor versions are not warned of: MLflow keeps the library's own cbm or JSON, which later versions read, and
    # predicting from it adds up leaves that are written there.
    thread_places = ("_init_params",)

    def load(self, folder: Path, model: ModelVersion, settings: PredictorSettings, /) -> RawModel:
        """Load an estimator, which does not tell the texts it knows; raises ModelError."""
        import mlflow.catboost

        loaded = mlflow.catboost.load_model(str(folder))
        raw = replace(adapt_catboost(loaded), facts=ModelFacts(known=None))
        return with_value_names(raw, value_count(loaded), model, settings)

    def limit_threads(self, estimator: Any, /) -> None:
        """Let the methods of an estimator use one thread."""
        for name, function in inspect.getmembers(type(estimator), inspect.isfunction):
            signature = inspect.signature(function)
            if not name.startswith("_") and "thread_count" in signature.parameters:
                vars(estimator)[name] = _on_one_thread(function, signature, estimator)


FLAVOR: Flavor = CatBoost()


def is_catboost(estimator: Any) -> bool:
    """Tell whether an estimator is CatBoost's own, which ``mlflow.sklearn`` keeps too."""
    return type(estimator).__name__.startswith("CatBoost")


def adapt_catboost(estimator: Any, prepare: Prepare = as_it_is) -> RawModel:
    """Return an estimator of CatBoost as a model, without scikit-learn, which it does not need; raises ModelError."""
    if type(estimator).__name__ == "CatBoost":
        raise ModelError("expected CatBoostClassifier, CatBoostRegressor or CatBoostRanker, got their base CatBoost")
    if not hasattr(estimator, "predict_proba"):
        return adapt_values(estimator, prepare)
    check_classifier(estimator)
    return adapt_classifier(estimator, prepare)


def check_classifier(estimator: Any) -> None:
    """Refuse a classifier whose probabilities are not those of one class out of several; raises ModelError."""
    loss = str(estimator.get_all_params().get("loss_function", ""))
    if loss.partition(":")[0] in _SEVERAL_TARGETS:
        raise several_targets(f"{type(estimator).__name__} with {loss}")
    if loss == "MultiClassOneVsAll":
        raise no_probabilities(loss)
    if loss.startswith(_OWN):
        raise no_probabilities("a function of its own")


def value_count(estimator: Any) -> int:
    """Return how many values a model predicts for a record: it has a bias for each."""
    return int(np.size(estimator.get_scale_and_bias()[1]))


def _on_one_thread(function: Callable[..., Any], signature: inspect.Signature, estimator: Any) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        bound = signature.bind(estimator, *arguments, **options)
        bound.arguments["thread_count"] = 1
        return function(*bound.args, **bound.kwargs)

    return call
