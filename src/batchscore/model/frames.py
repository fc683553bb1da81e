"""Typed columns -> what a model takes: a frame of the signature's types, or an array (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from batchscore.config.missing_values import (
    InputKind,
    MissingRule,
    MissingSettings,
    MissingText,
    ModelFacts,
    missing_rule,
)
from batchscore.input.columns import Column, Columns, ColumnType
from batchscore.input.csv_columns import shared_float_type
from batchscore.input.csv_lines import BoolArray, IntArray
from batchscore.model.categories import ModelInput

_ARRAY_TYPES: dict[str, ColumnType] = {
    "bool": "boolean",
    "int32": "integer",
    "int64": "long",
    "float32": "float",
    "object": "string",
}
_HOLD_MISSING = {"float32", "object"}
_CHANGING_TYPES = {"long", "integer", "boolean"}


def fitting_array(columns: Columns, tensor_dtype: str | None) -> Columns:
    """Return columns in which a value is invalid that the array which the model takes cannot hold.

    An array of whole numbers holds no missing value either. ``tensor_dtype`` is None for a model of named columns.
    """
    if tensor_dtype not in _ARRAY_TYPES:
        return columns
    kind, whole = _ARRAY_TYPES[tensor_dtype], tensor_dtype not in _HOLD_MISSING
    inputs = [replace(column, type=kind, required=column.required or whole) for column in columns.inputs]
    if kind == "string":  # a word is a text like any other
        inputs = [replace(column, binary_words=False) for column in inputs]
    return replace(columns, inputs=tuple(inputs))


def with_missing_rules(
    columns: Columns,
    settings: MissingSettings,
    facts: ModelFacts,
    has_signature: bool = True,
    tensor_dtype: str | None = None,
) -> Columns:
    """Return columns with the rules by which their values are missing, as configuration and model say."""
    holds_missing = tensor_dtype not in _ARRAY_TYPES or tensor_dtype in _HOLD_MISSING

    def rule(column: Column) -> MissingRule:
        kind = InputKind(column.name, column.type, column.required, has_signature, holds_missing)
        return missing_rule(settings, facts, kind)

    return replace(columns, inputs=tuple(replace(column, missing=rule(column)) for column in columns.inputs))


@dataclass(frozen=True)
class ModelRecords:
    """Records in the types of a model's columns, missing values as null or NaN, to be made the model's input.

    ``categorical`` names the text columns that the model takes as pandas categoricals.
    """

    inputs: pa.Table | npt.NDArray[np.float64]
    columns: Sequence[Column]
    tensor_dtype: str | None = None
    categorical: Collection[str] = ()

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, rows: IntArray) -> ModelInput:
        """Return some records, which lack the same whole numbers and booleans, as the model wants them."""
        matrix = isinstance(self.inputs, np.ndarray)
        return self._as_input(self.inputs[rows] if matrix else self.inputs.take(pa.array(rows)))

    def without(self, rows: IntArray, absent: BoolArray) -> ModelInput:
        """Return some complete records as if they lacked the columns that ``absent`` marks."""
        if isinstance(self.inputs, np.ndarray):  # one flag for each column, held against all rows
            return self._as_input(np.where(absent, np.nan, self.inputs[rows]))
        taken = self.inputs.take(pa.array(rows))
        for place in np.flatnonzero(absent).tolist():
            field = taken.schema.field(place)
            taken = taken.set_column(place, field, pa.nulls(len(rows), field.type))
        return self._as_input(taken)

    def absent(self) -> BoolArray:
        """Return which values are missing, of shape (records, columns)."""
        if isinstance(self.inputs, np.ndarray):
            return np.isnan(self.inputs)
        return np.column_stack([values.is_null().to_numpy() for values in self.inputs.columns])

    def groups(self) -> Iterator[tuple[IntArray, ModelInput]]:
        """Yield the rows of records that the model can get together, and those records: they have the same types.

        A record's types depend on what it lacks itself, never on its neighbours: see ``to_model_input``.
        """
        if len(self) == 0:
            return
        changing = self._columns_that_change_type()
        if not changing:
            yield np.arange(len(self)), self.as_input()
            return
        for rows in rows_alike(self.absent()[:, changing]):
            yield rows, self.take(rows)

    @property
    def have_one_type(self) -> bool:
        """Whether the model can get all of them together."""
        return not self._columns_that_change_type()

    def as_input(self) -> ModelInput:
        """Return all of them, which have the same types, as the model wants them.

        A model may write into what it is given (``copy=False``), and the records are needed again: where it raises, and
        where they are counted. Those of a table are copied as they are converted.
        """
        return self._as_input(self.inputs.copy() if isinstance(self.inputs, np.ndarray) else self.inputs)

    def _columns_that_change_type(self) -> list[int]:
        if isinstance(self.inputs, np.ndarray) or self.tensor_dtype is not None:
            return []
        columns = zip(self.columns, self.inputs.columns, strict=True)
        return [place for place, (column, values) in enumerate(columns) if _changes_type(column) and values.null_count]

    def _as_input(self, inputs: pa.Table | npt.NDArray[np.float64]) -> ModelInput:
        return to_model_input(inputs, self.columns, self.tensor_dtype, self.categorical)


def joined(inputs: Sequence[ModelRecords]) -> ModelRecords:
    """Return the records of inputs of the same job, tables or matrices, one input after the other."""
    tables = [records.inputs for records in inputs]
    if isinstance(tables[0], np.ndarray):
        return replace(inputs[0], inputs=np.concatenate(tables))
    return replace(inputs[0], inputs=pa.concat_tables(tables).unify_dictionaries())


def _changes_type(column: Column) -> bool:
    return column.type in _CHANGING_TYPES and column.missing.changes_type


def rows_alike(table: BoolArray) -> list[IntArray]:
    """Return the places of equal rows, each group in order; rows without a True come first."""
    # A row of flags becomes bytes, eight flags in each, and these one key without a type (void), which numpy sorts as
    # bytes. Sorted stably by key the rows of a group lie together, in order; a group ends where the key changes.
    packed = np.ascontiguousarray(np.packbits(table, axis=1))
    keys = packed.view(np.dtype((np.void, packed.shape[1]))).reshape(-1)
    _, groups = np.unique(keys, return_inverse=True)
    order = np.argsort(groups, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)


def to_model_input(
    inputs: pa.Table | npt.NDArray[np.float64],
    columns: Sequence[Column],
    tensor_dtype: str | None,
    categorical: Collection[str] = (),
) -> ModelInput:
    """Return records that lack the same whole numbers and booleans as the model wants them: a frame or an array.

    Types are the signature's. Where a column is missing, whole numbers are float64 NaN and booleans object NaN, as
    pandas has them; or, by the rule of the job, float64 always. A missing text is what the column's rule says. The text
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
            arrays[column.name] = _writable(_to_numpy(array, column))
        elif column.name in categorical and tensor_dtype is None and column.missing.text == "nan":
            arrays[column.name] = _to_categorical(array)
        else:
            arrays[column.name] = _to_objects(array, column)
    if tensor_dtype is not None or shared_float_type(columns):  # floats: as numeric_lines reads them if all are plain
        return _from_matrix(np.column_stack(list(arrays.values())), columns, tensor_dtype)
    return pd.DataFrame(arrays, copy=False)


def _writable(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return values that a model may write into: some of scikit-learn's compiled code takes no others."""
    return values if values.flags.writeable else values.copy()


def _from_matrix(numbers: npt.NDArray[Any], columns: Sequence[Column], tensor_dtype: str | None) -> ModelInput:
    if tensor_dtype is not None:
        return numbers.astype(tensor_dtype, copy=False)
    return pd.DataFrame(numbers, columns=[column.name for column in columns], copy=False)


def _of_type(numbers: npt.NDArray[np.float64], column: Column) -> npt.NDArray[Any]:
    return numbers.astype(np.float32) if column.type == "float" else numbers


def _to_categorical(array: pa.DictionaryArray) -> pd.Categorical:
    # Arrow's codes are pandas's, but for a missing value: null there, -1 here.
    return pd.Categorical.from_codes(array.indices.fill_null(-1).to_numpy(), array.dictionary.to_pylist())


_MISSING_TEXTS: dict[MissingText, Any] = {"nan": np.nan, "none": None, "empty": ""}


def _to_objects(array: pa.DictionaryArray, column: Column) -> npt.NDArray[Any]:
    # One Python string for each distinct text, not for each record; the code after the last one is a missing text's.
    texts = np.array([*array.dictionary.to_pylist(), _MISSING_TEXTS[column.missing.text]], dtype=object)
    return cast("npt.NDArray[Any]", texts[array.indices.fill_null(len(texts) - 1).to_numpy()])


def _to_numpy(array: pa.Array, column: Column) -> npt.NDArray[Any]:
    if column.type == "float":
        return _of_type(array.to_numpy(zero_copy_only=False), column)
    if column.type in {"double", "datetime"}:
        return cast("npt.NDArray[Any]", array.to_numpy(zero_copy_only=False))
    return _changing(array, column) if column.missing.changes_type else _always_floats(array, column)


def _changing(array: pa.Array, column: Column) -> npt.NDArray[Any]:
    """Return whole numbers or booleans of which none is missing, or all."""
    if array.null_count:
        return np.full(len(array), np.nan, object if column.type == "boolean" else np.float64)
    values = array.to_numpy(zero_copy_only=False)
    return cast("npt.NDArray[Any]", values.astype(np.int32) if column.type == "integer" else values)


def _always_floats(array: pa.Array, column: Column) -> npt.NDArray[Any]:
    numbers = array.cast(pa.uint8()) if column.type == "boolean" else array
    return cast("npt.NDArray[Any]", numbers.to_numpy(zero_copy_only=False).astype(np.float64, copy=False))
