"""Whatever has scikit-learn's interface -> probabilities or values, of whichever library it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from batchscore.errors import ModelError
from batchscore.model.categories import ModelInput
from batchscore.model.flavors.answering import answering, has_several_targets
from batchscore.model.flavors.protocol import RawModel

Prepare = Callable[[ModelInput], ModelInput]

_RANKERS = {"LGBMRanker", "XGBRanker", "CatBoostRanker"}
OF_RANKERS = "predict of {}: higher is better, among the records of one query"
AS_PYFUNC = "log it as a pyfunc model, a mlflow.pyfunc.PythonModel whose predict answers with numbers"


def as_it_is(frame: ModelInput) -> ModelInput:
    """Return the records: most estimators take them as they are."""
    return frame


def adapt_estimator(estimator: Any, prepare: Prepare = as_it_is) -> RawModel:
    """Return an estimator as a model; ``prepare`` makes of records what it takes. Raises ModelError."""
    from sklearn.base import is_outlier_detector, is_regressor

    if _says(is_outlier_detector, estimator) and hasattr(estimator, "decision_function"):
        return _adapt_detector(estimator, prepare)
    if _says(is_regressor, estimator) or is_ranker(estimator):
        return adapt_values(estimator, prepare)
    if hasattr(estimator, "predict_proba") and hasattr(estimator, "classes_"):
        return adapt_classifier(estimator, prepare)
    raise ModelError(
        "expected an outlier detector with decision_function, a ranker, a classifier with predict_proba or a "
        f"regressor, got {name_of(estimator)}; {_way_out(estimator)}"
    )


def adapt_values(estimator: Any, prepare: Prepare = as_it_is) -> RawModel:
    """Return a regressor or a ranker as a model."""
    meaning = OF_RANKERS.format(name_of(estimator)) if is_ranker(estimator) else None
    return RawModel(
        "regression",
        (),
        lambda frame: one_column(estimator.predict(prepare(frame))),
        loaded=estimator,
        meaning=meaning,
    )


def adapt_classifier(estimator: Any, prepare: Prepare = as_it_is) -> RawModel:
    """Return a classifier as a model; raises ModelError for one of several targets or of one class."""
    name = name_of(estimator)
    if has_several_targets(estimator):
        raise several_targets(name)
    classes = np.asarray(estimator.classes_)
    if classes.ndim != 1 or len(classes) < 2:
        raise ModelError(f"expected a classifier of two classes or more, got {name} of {classes.size}")
    return RawModel(
        "binary" if len(classes) == 2 else "multiclass",
        class_names(classes.tolist()),
        lambda frame: estimator.predict_proba(prepare(frame)),
        loaded=estimator,
    )


def _says(is_kind: Callable[[Any], bool], estimator: Any) -> bool:
    """Tell what scikit-learn says of an estimator; of one that inherits nothing from it, it says nothing."""
    try:
        return bool(is_kind(estimator))
    except AttributeError:  # since 1.7; before it was False
        return False


def is_ranker(estimator: Any) -> bool:
    """Tell whether an estimator ranks the records of a query; scikit-learn has no word for it."""
    return any(base.__name__ in _RANKERS for base in type(next(answering(estimator))).__mro__)


def name_of(estimator: Any) -> str:
    """Return the name of an estimator, or of the one in it that answers."""
    parts, name = list(answering(estimator)), type(estimator).__name__
    return name if len(parts) > 1 or parts[0] is estimator else f"{type(parts[0]).__name__} in {name}"


def several_targets(name: str) -> ModelError:
    """Return what is raised of a classifier that answers for several targets, of which a record may have any."""
    return ModelError(
        f"expected a classifier of one target, got {name} of several; register a model for each target, or "
        f"{AS_PYFUNC}, with model_type: regression"
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


def _adapt_detector(estimator: Any, prepare: Prepare) -> RawModel:
    return RawModel(
        "regression",
        (),
        lambda frame: one_column(estimator.decision_function(prepare(frame))),
        loaded=estimator,
        meaning=f"decision_function of {name_of(estimator)}: 0 is the model's own border, lower is stranger",
    )


def _way_out(estimator: Any) -> str:
    """Return what would make a model of an estimator that is none, as far as its kind tells."""
    from sklearn.base import is_classifier

    inner = next(answering(estimator))
    if type(inner).__name__ == "LocalOutlierFactor":
        return "train it with novelty=True"
    if getattr(estimator, "voting", None) == "hard":
        return "train it with voting='soft'"
    if _says(is_classifier, estimator) and hasattr(estimator, "decision_function"):
        return "wrap it in sklearn.calibration.CalibratedClassifierCV"
    return AS_PYFUNC
