"""Pipelines over one column of texts: their first step reads texts, and of a frame the names of its columns."""

from __future__ import annotations

from typing import Any

import pandas as pd

from batchscore.errors import ModelError
from batchscore.model.categories import ModelInput
from batchscore.model.flavors.estimator import Prepare
from batchscore.model.readers import readers
from batchscore.model.version import ModelVersion

_VECTORIZERS = {"CountVectorizer", "HashingVectorizer"}  # and those that inherit from them, as TfidfVectorizer does


def as_texts(frame: ModelInput) -> Any:
    """Return the only column of records: a Series of a frame, a flat array of an array."""
    if frame.shape[1] != 1:
        raise ModelError(f"expected one column of texts, got {frame.shape[1]}")
    return frame.iloc[:, 0] if isinstance(frame, pd.DataFrame) else frame[:, 0]


def text_column(estimator: Any, model: ModelVersion) -> Prepare | None:
    """Return what makes texts of records for a pipeline that takes no table; None for others.

    Raises ModelError where the signature is not that of one column of texts.
    """
    is_one = _is_one_text(model)
    first = [part for part, earlier in readers(estimator) if not earlier]
    found = [part for part in first if _is_vectorizer(part) or (is_one and _takes_no_table(part))]
    if not found:
        return None
    if not is_one and model.signature is not None:
        names = ", ".join(f"{column.name} ({column.type})" for column in model.inputs)
        raise ModelError(
            f"expected a signature of one text column, which {type(found[0]).__name__} takes, got "
            f"{names or f'{model.signature} columns without names'}; choose the column in a ColumnTransformer, or "
            "infer the signature from the texts alone"
        )
    return as_texts


def _is_one_text(model: ModelVersion) -> bool:
    if model.tensor_dtype is not None:
        return (model.signature, model.tensor_dtype) == (1, "object")
    return [column.type for column in model.inputs] == ["string"]


def _is_vectorizer(part: Any) -> bool:
    return any(base.__name__ in _VECTORIZERS for base in type(part).__mro__)


def _takes_no_table(part: Any) -> bool:
    """Tell of a function that it was fitted to texts: it counts the columns of a table."""
    return type(part).__name__ == "FunctionTransformer" and not hasattr(part, "n_features_in_")
