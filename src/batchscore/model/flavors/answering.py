"""Whose answer is that of an estimator which holds others, and for how many targets (pure, on fitted estimators)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

# Estimators that answer with the mean of those that they hold: what these lack they lack too.
_MEANS = {"VotingClassifier", "VotingRegressor", "BaggingClassifier", "BaggingRegressor"}
# Those that hold one for each target.
_ONE_FOR_EACH_TARGET = {"MultiOutputRegressor", "RegressorChain"}
# Where others keep the one that answers for them.
_PLACES = ("best_estimator_", "final_estimator_", "regressor_")


def answering(estimator: Any) -> Iterator[Any]:
    """Yield the estimators whose answer is that of the whole: the last of a pipeline, the best of a search.

    A calibrated classifier is its own: it makes probabilities of whatever it holds.
    """
    held = list(_held(estimator))
    if not held:
        yield estimator
    for inner in held:
        yield from answering(inner)


def _held(estimator: Any) -> Iterator[Any]:
    kind = type(estimator).__name__
    if hasattr(estimator, "steps"):
        yield estimator.steps[-1][1]
    elif kind in _MEANS:
        yield from estimator.estimators_
    elif kind == "FrozenEstimator":
        yield estimator.estimator
    else:
        # Ensembles keep a pattern of what they hold as estimator_, which is not fitted.
        places = _PLACES if hasattr(estimator, "estimators_") else (*_PLACES, "estimator_")
        yield from [getattr(estimator, place) for place in places if hasattr(estimator, place)][:1]


def target_count(estimator: Any) -> int | None:
    """Return how many values an estimator of scikit-learn's interface predicts for a record; None if it cannot tell."""
    (part, *_) = answering(estimator)
    if type(part).__name__ in _ONE_FOR_EACH_TARGET:
        return len(part.estimators_)
    if hasattr(part, "n_outputs_"):
        return int(part.n_outputs_)
    shapes = [np.shape(getattr(part, place, 0)) for place in ("_y", "y_train_")]  # of neighbours, of processes
    widths = [shape[1] for shape in shapes if len(shape) == 2]
    if type(part).__name__ == "KernelRidge":
        widths += np.shape(part.dual_coef_)[1:]
    elif hasattr(part, "coef_") and np.ndim(part.coef_) == 2:
        widths.append(len(part.coef_))
    if widths:
        return int(widths[0])
    return 1 if type(part).__module__.partition(".")[0] == "sklearn" else None


def has_several_targets(estimator: Any) -> bool:
    """Tell whether a classifier answers for several targets at once, of which each record may have any."""
    classes = getattr(estimator, "classes_", ())
    if isinstance(classes, (list, tuple)) and any(np.ndim(item) for item in classes):
        return True
    return any(_is_multilabel(part) for part in answering(estimator))


def _is_multilabel(part: Any) -> bool:
    # A network's classes are then the numbers of its columns: two of them look like those of one target.
    binarizers = [getattr(part, place, None) for place in ("_label_binarizer", "label_binarizer_")]
    return any(str(getattr(binarizer, "y_type_", "")).startswith("multilabel") for binarizer in binarizers)
