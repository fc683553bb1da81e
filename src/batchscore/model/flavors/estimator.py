"""Whatever has scikit-learn's interface -> probabilities or values, of whichever library it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from batchscore.errors import ModelError
from batchscore.model.categories import ModelInput
from batchscore.model.flavors.protocol import RawModel


def is_sklearn_regressor(estimator: Any) -> bool:
    """Tell what scikit-learn says of an estimator."""
    from sklearn.base import is_regressor

    return bool(is_regressor(estimator))


def _as_it_is(frame: ModelInput) -> ModelInput:
    return frame


def adapt_estimator(
    estimator: Any,
    prepare: Callable[[ModelInput], ModelInput] = _as_it_is,
    is_regressor: Callable[[Any], bool] = is_sklearn_regressor,
) -> RawModel:
    """Return a classifier or regressor as a model; ``prepare`` makes of records what it takes. Raises ModelError."""
    name = type(estimator).__name__
    if is_regressor(estimator):
        return RawModel("regression", (), lambda frame: one_column(estimator.predict(prepare(frame))), loaded=estimator)
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
        class_names(classes.tolist()),
        lambda frame: estimator.predict_proba(prepare(frame)),
        loaded=estimator,
    )


def class_names(labels: Sequence[Any]) -> tuple[str, ...]:
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


def one_column(values: Any) -> npt.NDArray[Any]:
    """Return (n,) for (n, 1): what a model fitted to a table of one target gives."""
    array = np.asarray(values)
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
