"""What a booster without scikit-learn's interface predicts: its objective says so (pure)."""

from __future__ import annotations

from collections.abc import Container

from batchscore.config.job_config import ModelType
from batchscore.errors import ModelError


def classes_of_objective(
    objective: str, count: int, *, binary: Container[str], multiclass: Container[str], refused: Container[str]
) -> tuple[ModelType, tuple[str, ...]]:
    """Return the type and the classes, which are numbered; ``count`` is how many, if any.

    An objective of none of its library's lists is a regression. Raises ModelError for a refused one: it gives labels or
    margins.
    """
    if objective in refused:
        raise ModelError(f"expected an objective with probabilities, got {objective}")
    if objective in binary:
        return "binary", ("0", "1")
    if objective in multiclass:
        return "multiclass", tuple(str(number) for number in range(count))
    return "regression", ()
