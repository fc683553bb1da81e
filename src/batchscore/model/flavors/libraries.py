"""Estimators of other libraries within those of scikit-learn: what of them only their library can tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from batchscore.errors import ModelError
from batchscore.model.categories import TrainedCategories, merged
from batchscore.model.flavors import catboost, lightgbm, xgboost
from batchscore.model.flavors.answering import answering, target_count
from batchscore.model.readers import readers

Function = TypeVar("Function")

_CLASSIFIERS: dict[str, Callable[[Any], None]] = {
    "LGBMClassifier": lightgbm.check_classifier,
    "XGBClassifier": xgboost.check_classifier,
    "CatBoostClassifier": catboost.check_classifier,
}
_COUNTS: dict[str, Callable[[Any], int]] = {
    "LGBMModel": lightgbm.value_count,
    "XGBModel": xgboost.value_count,
    "CatBoost": catboost.value_count,
}


def check_classifiers(estimator: Any) -> None:
    """Refuse a classifier that answers with another library's which has no probabilities; raises ModelError."""
    for part in answering(estimator):
        check = _of_kind(part, _CLASSIFIERS)
        if check is not None:
            check(part)


def value_count(estimator: Any) -> int | None:
    """Return how many values an estimator predicts for a record; None if it cannot tell."""
    part = next(answering(estimator))
    count = _of_kind(part, _COUNTS)
    return count(part) if count is not None else target_count(part)


def trained_categories(estimator: Any) -> TrainedCategories:
    """Return the pandas categories that boosters within an estimator were trained on.

    They get them where they read the records as they come. Raises ModelError where a step before one has changed them:
    what that step makes of categories is not what it makes of their texts.
    """
    return merged(list(_categories(estimator)))


def _categories(estimator: Any) -> Iterator[TrainedCategories]:
    for part, earlier in readers(estimator):
        held = _held_categories(part)
        if held is not None and not held.values:
            continue
        if held is None and earlier and xgboost.takes_codes(part):
            continue
        if held is None or not earlier:
            yield held or xgboost.categories_of(part)
        elif not any(_may_make_categories(step) for step in earlier):
            raise ModelError(
                f"expected {type(part).__name__} to get the columns of pandas categories as they come, got "
                f"{type(earlier[-1]).__name__} before it; encode them within the pipeline, as OrdinalEncoder does"
            )


def _held_categories(part: Any) -> TrainedCategories | None:
    """Return the categories of a fitted booster; None where it was trained on some, or on codes, and holds none."""
    if _of_kind(part, {"LGBMModel": True}) and hasattr(part, "booster_"):
        return lightgbm.categories_of(part)
    if _of_kind(part, {"XGBModel": True}) and part.__sklearn_is_fitted__():
        return xgboost.held_categories(part)
    return TrainedCategories()


def _may_make_categories(step: Any) -> bool:
    """Tell whether a step may make categories of texts itself: no one of scikit-learn does but for a function."""
    inner = step.get_params().values() if hasattr(step, "get_params") else ()
    parts = [step, *(part for part in inner if hasattr(part, "get_params"))]
    names = {(type(part).__module__.partition(".")[0], type(part).__name__) for part in parts}
    return any(library != "sklearn" or name == "FunctionTransformer" for library, name in names)


def _of_kind(part: Any, functions: Mapping[str, Function]) -> Function | None:
    return next((functions[base.__name__] for base in type(part).__mro__ if base.__name__ in functions), None)
