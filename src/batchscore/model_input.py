"""Typed columns -> what a model takes: a frame of the signature's types, or an array (pure)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from batchscore.categories import ModelInput
from batchscore.schema import Column, Columns, ColumnType
from batchscore.typed_values import INTEGER_TYPES
from batchscore.values import shared_float_type

_ARRAY_TYPES: dict[str, ColumnType] = {"bool": "boolean", "int32": "integer", "int64": "long", "float32": "float"}


def fitting_array(columns: Columns, tensor_dtype: str | None) -> Columns:
    """Return columns in which a value is invalid that the array which the model takes cannot hold.

    An array of whole numbers holds no missing value either. ``tensor_dtype`` is None for a model of named columns.
    """
    if tensor_dtype not in _ARRAY_TYPES:
        return columns
    kind, whole = _ARRAY_TYPES[tensor_dtype], tensor_dtype != "float32"
    inputs = (replace(column, type=kind, required=column.required or whole) for column in columns.inputs)
    return replace(columns, inputs=tuple(inputs))


def to_model_input(
    inputs: pa.Table | npt.NDArray[np.float64],
    columns: Sequence[Column],
    tensor_dtype: str | None,
    categorical: Collection[str] = (),
) -> ModelInput:
    """Return the records as the model wants them: a frame of the signature's types, or an array.

    Types depend on the columns alone, never on the values: an optional integer column is always float64, as pandas
    would hold it with missing values in it. A missing value is NaN, in text columns too, as pandas reads CSV. The text
    columns named ``categorical`` are pandas categoricals, the others hold Python strings. A frame of floats alone holds
    one array, row by row.
    """
    if isinstance(inputs, np.ndarray):
        return _from_matrix(_of_type(inputs, columns[0]), columns, tensor_dtype)
    arrays: dict[str, Any] = {}
    for place, column in enumerate(columns):
        values = inputs.column(place)
        array = values.chunk(0) if values.num_chunks == 1 else values.combine_chunks()
        if column.type != "string":
            arrays[column.name] = _to_numpy(array, column)
        elif column.name in categorical and tensor_dtype is None:
            arrays[column.name] = _to_categorical(array)
        else:
            arrays[column.name] = _to_objects(array)
    if tensor_dtype is not None or shared_float_type(columns):  # floats: as number_lines.py reads them if all are plain
        return _from_matrix(np.column_stack(list(arrays.values())), columns, tensor_dtype)
    return pd.DataFrame(arrays, copy=False)


def _from_matrix(numbers: npt.NDArray[Any], columns: Sequence[Column], tensor_dtype: str | None) -> ModelInput:
    if tensor_dtype is not None:
        return numbers.astype(tensor_dtype, copy=False)
    return pd.DataFrame(numbers, columns=[column.name for column in columns], copy=False)


def _of_type(numbers: npt.NDArray[np.float64], column: Column) -> npt.NDArray[Any]:
    return numbers.astype(np.float32) if column.type == "float" else numbers


def _to_categorical(array: pa.DictionaryArray) -> pd.Categorical:
    return pd.Categorical.from_codes(array.indices.fill_null(-1).to_numpy(), array.dictionary.to_pylist())


def _to_objects(array: pa.DictionaryArray) -> npt.NDArray[Any]:
    # One Python string for each distinct text, not for each record.
    texts = np.array([*array.dictionary.to_pylist(), np.nan], dtype=object)
    return cast("npt.NDArray[Any]", texts[array.indices.fill_null(len(texts) - 1).to_numpy()])


def _to_numpy(array: pa.Array, column: Column) -> npt.NDArray[Any]:
    if column.type == "boolean":
        return _booleans(array, column)
    numbers = array.to_numpy(zero_copy_only=False)
    if column.type == "float":
        return _of_type(numbers, column)
    if column.type in INTEGER_TYPES and not column.required:
        return cast("npt.NDArray[Any]", numbers.astype(np.float64, copy=False))
    if column.type == "integer":
        return cast("npt.NDArray[Any]", numbers.astype(np.int32))
    return cast("npt.NDArray[Any]", numbers)


def _booleans(array: pa.BooleanArray, column: Column) -> npt.NDArray[Any]:
    if column.required:
        return cast("npt.NDArray[Any]", array.to_numpy(zero_copy_only=False))
    return cast("npt.NDArray[Any]", array.cast(pa.uint8()).cast(pa.float64()).to_numpy(zero_copy_only=False))
