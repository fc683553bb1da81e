"""Typed columns -> what a model takes: a frame of the signature's types, or an array (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from batchscore.categories import ModelInput
from batchscore.schema import Column


def to_model_input(inputs: pa.Table, columns: Sequence[Column], tensor_dtype: str | None) -> ModelInput:
    """Return the records as the model wants them: a frame of the signature's types, or an array.

    Types depend on the columns alone, never on the values: an optional integer column is always float64, as pandas
    would hold it with missing values in it. A missing value is NaN, in text columns too, as pandas reads CSV.
    """
    arrays = {column.name: _to_numpy(inputs.column(place), column) for place, column in enumerate(columns)}
    if tensor_dtype is not None:
        return np.column_stack(list(arrays.values())).astype(tensor_dtype, copy=False)
    return pd.DataFrame(arrays, copy=False)


def _to_numpy(values: pa.ChunkedArray, column: Column) -> npt.NDArray[Any]:
    array = values.chunk(0) if values.num_chunks == 1 else values.combine_chunks()
    if column.type == "string":
        # One Python string for each distinct text, not for each record.
        texts = np.array([*array.dictionary.to_pylist(), None], dtype=object)[:-1]
        if column.empty_is_missing:
            texts[texts == ""] = np.nan
        return cast("npt.NDArray[Any]", texts[array.indices.to_numpy()])
    if column.type == "boolean":
        return _booleans(array, column)
    numbers = array.to_numpy(zero_copy_only=False)
    if column.type == "float":
        return cast("npt.NDArray[Any]", numbers.astype(np.float32))
    if column.type == "integer" and column.required:
        return cast("npt.NDArray[Any]", numbers.astype(np.int32))
    return cast("npt.NDArray[Any]", numbers)


def _booleans(array: pa.BooleanArray, column: Column) -> npt.NDArray[Any]:
    if column.required:
        return cast("npt.NDArray[Any]", array.to_numpy(zero_copy_only=False))
    return cast("npt.NDArray[Any]", array.cast(pa.uint8()).cast(pa.float64()).to_numpy(zero_copy_only=False))
