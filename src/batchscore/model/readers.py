"""Who within a fitted estimator reads the records, and after which steps (pure, on scikit-learn's interface)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# Where estimators that hold others keep the fitted ones; the last is what encodes the categories of histogram boosting.
_FITTED = ("best_estimator_", "estimators_", "calibrated_classifiers_", "regressor_", "_preprocessor")
# Where some have the only one, and others the pattern of what they have fitted.
_ONE_OR_PATTERN = ("estimator_", "estimator")


def readers(estimator: Any, earlier: tuple[Any, ...] = ()) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Yield the estimators within one, each with the steps that have changed the records before it: none at first."""
    if hasattr(estimator, "steps"):
        for _, step in estimator.steps:
            yield from _of_step(step, earlier)
            if hasattr(step, "transform"):  # neither passthrough nor a sampler, which is for training alone
                earlier = (*earlier, step)
    elif hasattr(estimator, "transformers_"):  # each gets some of the columns
        for _, transformer, _ in estimator.transformers_:
            yield from _of_step(transformer, (*earlier, estimator))
    elif hasattr(estimator, "transformer_list"):
        for _, transformer in estimator.transformer_list:
            yield from _of_step(transformer, earlier)
    else:
        yield estimator, earlier
        for inner in inner_estimators(estimator):
            yield from readers(inner, earlier)
        if hasattr(estimator, "final_estimator_"):  # which gets what the others predict
            yield from readers(estimator.final_estimator_, (*earlier, estimator))


def _of_step(step: Any, earlier: tuple[Any, ...]) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    if step is not None and not isinstance(step, str):
        yield from readers(step, earlier)


def inner_estimators(estimator: Any) -> Iterator[Any]:
    """Yield the fitted estimators that one holds and gives the records as they come."""
    places = [place for place in _FITTED if hasattr(estimator, place)]
    for place in places or [place for place in _ONE_OR_PATTERN if hasattr(estimator, place)][:1]:
        held = getattr(estimator, place)
        for inner in held if isinstance(held, list) else [held]:
            if hasattr(inner, "get_params") or hasattr(inner, "estimator"):  # a calibrated classifier has only that
                yield inner
