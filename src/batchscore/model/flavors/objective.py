"""What a booster predicts: its objective says so (pure)."""

from __future__ import annotations

from collections.abc import Container

from batchscore.config.job_config import ModelType
from batchscore.errors import ModelError

_WAYS_OUT = {
    "multiclassova": "multiclass",
    "MultiClassOneVsAll": "MultiClass",
    "multi:softmax": "multi:softprob",
    "binary:hinge": "binary:logistic",
    "binary:logitraw": "binary:logistic",
}


def classes_of_objective(
    objective: str, count: int, *, binary: Container[str], multiclass: Container[str], refused: Container[str]
) -> tuple[ModelType, tuple[str, ...]]:
    """Return the type and the classes, which are numbered; ``count`` is how many, if any.

    An objective of none of its library's lists is a regression. Raises ModelError for a refused one: it gives labels or
    margins, or probabilities that are not those of one class out of several.
    """
    if objective in refused:
        raise no_probabilities(objective)
    if objective in binary:
        return "binary", ("0", "1")
    if objective in multiclass:
        return "multiclass", tuple(str(number) for number in range(count))
    return "regression", ()


def no_probabilities(objective: str) -> ModelError:
    """Return what is raised of an objective whose answers are no probabilities that sum to 1."""
    other = _WAYS_OUT.get(objective)
    return ModelError(
        f"expected an objective with probabilities, got {objective}; train it with {other or 'another'}, or log a "
        "pyfunc model that makes probabilities which sum to 1 of its answers"
    )
