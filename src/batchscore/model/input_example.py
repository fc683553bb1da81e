"""The example of its input that a model was logged with, as MLflow reads it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from batchscore.errors import describe_without_content

if TYPE_CHECKING:
    from mlflow.models import Model

MOST_ROWS = 100
_NESTED = (list, tuple, dict, set, bytes)
_KINDS = {"ndarray": "an array", "sparse_matrix_csc": "a sparse matrix", "sparse_matrix_csr": "a sparse matrix"}


class NoExampleError(Exception):
    """There is no example that a CSV file could hold; the text says what there is in its place."""


def read_example(folder: Path) -> pd.DataFrame:
    """Return the first rows of a model's example, with column names as text; raises NoExampleError."""
    from mlflow.models import Model

    model = Model.load(str(folder))
    kept = model.saved_input_example_info
    if kept is None:
        raise NoExampleError("the model has no input_example")
    if kept["type"] != "dataframe":
        raise NoExampleError(f"its example is {_KINDS.get(kept['type'], 'a dict or a list')}, not a table")
    example = _as_kept(model, folder)
    if not isinstance(example, pd.DataFrame) or not len(example):
        raise NoExampleError("its example has no rows")
    return _flat(example.head(MOST_ROWS))


def _as_kept(model: Model, folder: Path) -> Any:
    """Read the example, typed by the signature where MLflow can: it cannot where a whole number is missing."""
    try:
        return model.load_input_example(str(folder))
    except Exception:
        schema, model.signature = model.signature.inputs if model.signature else None, None
    try:
        example: Any = model.load_input_example(str(folder))
        dates = [item.name for item in schema.inputs if str(item.type) == "DataType.datetime"] if schema else []
        return example.assign(
            **{name: pd.to_datetime(example[name], format="ISO8601") for name in dates if name in example}
        )
    except Exception as error:
        raise NoExampleError(f"MLflow cannot read its example: {describe_without_content(error)}") from error


def _flat(example: pd.DataFrame) -> pd.DataFrame:
    example = example.reset_index(drop=True).rename(columns=str)
    if example.columns.has_duplicates:
        raise NoExampleError("its example has columns of the same name")
    nested = [name for name in example if example[name].map(lambda value: isinstance(value, _NESTED)).any()]
    if nested:
        raise NoExampleError(f"column {nested[0]} of its example holds lists or the like, which CSV has not")
    return example
