"""CatBoost: classifiers and regressors, whose every method takes all cores unless its caller says otherwise."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from batchscore.config.missing_values import ModelFacts
from batchscore.errors import ModelError
from batchscore.model.flavors.estimator import adapt_estimator
from batchscore.model.flavors.protocol import Flavor, PredictorSettings, RawModel
from batchscore.model.version import ModelVersion


class CatBoost(Flavor):
    """The flavor of ``mlflow.catboost``."""

    name = "catboost"
    module = "catboost"
    version_key = "cb_version"
    distributions = ("catboost",)
    # Minor versions are not warned of: MLflow keeps the library's own cbm or JSON, which later versions read, and
    # predicting from it adds up leaves that are written there.
    thread_places = ("_init_params",)

    def load(self, folder: Path, _model: ModelVersion, _settings: PredictorSettings, /) -> RawModel:
        """Load a classifier or regressor, which does not tell the texts it knows; raises ModelError."""
        import mlflow.catboost

        return replace(adapt_catboost(mlflow.catboost.load_model(str(folder))), facts=ModelFacts(known=None))

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


def adapt_catboost(estimator: Any) -> RawModel:
    """Return an estimator of CatBoost as a model, without scikit-learn, which it does not need; raises ModelError."""
    if type(estimator).__name__ == "CatBoost":
        raise ModelError("expected CatBoostClassifier or CatBoostRegressor, got their base CatBoost")
    return adapt_estimator(estimator, is_regressor=lambda found: not hasattr(found, "predict_proba"))


def _on_one_thread(function: Callable[..., Any], signature: inspect.Signature, estimator: Any) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        bound = signature.bind(estimator, *arguments, **options)
        bound.arguments["thread_count"] = 1
        return function(*bound.args, **bound.kwargs)

    return call
