"""The leading steps of a scikit-learn pipeline that work row by row, given the records of many small inputs at once.

A call of a pipeline costs some milliseconds, however few records it is given, and most of that is what its steps
prepare. What a scaler or an encoder makes of a record depends on that record alone, to the last bit. What the last step
answers does not: a product of matrices is summed in another order where there are more rows. So the first are called
once for many inputs, and the last for each input with its own rows, as the pipeline would have called it. Only steps
that are known, by their very class, are taken for such; see docs/adr/0037.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from batchscore.model.categories import ModelInput
from batchscore.model.encoders import DistinctValues
from batchscore.model.frames import ModelRecords, joined

# Of these each number of a row is looked up, or made of one number by additions, multiplications and divisions.
_ROW_BY_ROW = {
    *("OneHotEncoder", "OrdinalEncoder", "SimpleImputer"),
    *("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler"),
}
# These look at each number of a row for itself: where it stands in memory is nothing to them.
_OF_TREES = {
    *("DecisionTree", "ExtraTree", "RandomForest", "ExtraTrees", "GradientBoosting", "HistGradientBoosting"),
    *("LGBM", "XGB"),
}
_LIBRARIES = {"sklearn", "lightgbm", "xgboost"}


@dataclass(frozen=True)
class TransformedRows:
    """Records as the leading steps of a pipeline have made them: ``values`` has a row for each, sparse or not."""

    values: Any

    def __len__(self) -> int:
        return int(self.values.shape[0])

    def rows(self, start: int, stop: int) -> TransformedRows:
        """Return some of them as they were had they been transformed alone, in memory too: BLAS goes by how rows lie.

        numpy stacks columns of blocks row by row, unless all blocks lie column by column and have several rows.
        """
        values = self.values[start:stop]
        if isinstance(values, np.ndarray):
            values = values.copy("C" if self.values.flags.c_contiguous or len(values) == 1 else "F")
        return TransformedRows(values)


Transform = Callable[[ModelInput], TransformedRows]


def split_pipeline(estimator: Any) -> tuple[Transform, Any] | None:
    """Return the leading steps of a fitted pipeline that work row by row, and the estimator that the others make.

    None where there are none, or where the others might tell rows among others from rows alone.
    """
    from sklearn import get_config
    from sklearn.pipeline import Pipeline

    if type(estimator) is not Pipeline or get_config()["transform_output"] != "default":
        return None
    count = 0
    while count < len(estimator.steps) - 1 and _is_row_by_row(estimator.steps[count][1]):
        count += 1
    if not count:
        return None
    leading = estimator[:count]
    rest = estimator.steps[-1][1] if count == len(estimator.steps) - 1 else estimator[count:]

    def transform(records: ModelInput) -> TransformedRows:
        return TransformedRows(leading.transform(records))

    return (transform, rest) if _lies_alike(leading) or _is_of_trees(rest) else None


def transform_together(transform: Transform, inputs: Sequence[ModelRecords]) -> list[TransformedRows | None]:
    """Transform the records of several inputs, those of the same types at once.

    None for an input that has no records, or not the same types throughout, and for all where the transform raises: the
    records to blame are found in each alone.
    """
    transformed: list[TransformedRows | None] = [None] * len(inputs)
    for is_matrix in (True, False):
        places = [
            place
            for place, records in enumerate(inputs)
            if isinstance(records.inputs, np.ndarray) is is_matrix and len(records) and records.have_one_type
        ]
        if not places:
            continue
        try:
            rows = transform(joined([inputs[place] for place in places]).as_input())
        except MemoryError:
            raise
        except Exception:
            return [None] * len(inputs)
        # Input k has the rows from ends[k - 1] to ends[k].
        ends = np.cumsum([0, *(len(inputs[place]) for place in places)]).tolist()
        for place, (start, stop) in zip(places, pairwise(ends), strict=True):
            transformed[place] = rows.rows(start, stop)
    return transformed


def _is_row_by_row(step: Any) -> bool:
    """Tell whether what a step makes of a row is known to depend on that row alone, to the last bit."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    if isinstance(step, str):
        return step in {"passthrough", "drop"}
    if getattr(step, "_sklearn_output_config", {}).get("transform", "default") != "default":
        return False
    if type(step) is DistinctValues:
        return True
    if type(step) is Pipeline:
        return all(_is_row_by_row(inner) for _, inner in step.steps)
    if type(step) is ColumnTransformer:
        return all(_is_row_by_row(inner) for _, inner, columns in step.transformers_)
    if _name_in_sklearn(step) == "FunctionTransformer":  # which stands for "passthrough" in a ColumnTransformer
        return step.func is None and not step.validate
    return _name_in_sklearn(step) in _ROW_BY_ROW


def _name_in_sklearn(step: Any) -> str | None:
    kind = type(step)
    return kind.__name__ if kind.__module__.partition(".")[0] == "sklearn" else None


def _lies_alike(leading: Any) -> bool:
    """Tell whether it is known how the rows that steps make lie in memory, however many there are.

    Those of a ColumnTransformer are stacked by numpy, or compressed sparse rows, each of which has its own order.
    """
    from sklearn.compose import ColumnTransformer

    last = leading.steps[-1][1]
    return type(last) is ColumnTransformer or (_name_in_sklearn(last) == "OneHotEncoder" and last.sparse_output)


def _is_of_trees(estimator: Any) -> bool:
    kind = type(estimator)
    name = kind.__name__
    for ending in ("Classifier", "Regressor", "Ranker"):
        name = name.removesuffix(ending)
    # Gradient boosting may begin with the answer of another estimator.
    begins_alone = not hasattr(getattr(estimator, "init", None), "fit")
    return begins_alone and name in _OF_TREES and kind.__module__.partition(".")[0] in _LIBRARIES
