"""A batch of records -> predictions, null for records that the model refuses or whose values do not fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from batchscore.config.missing_values import MissingSettings, ModelFacts
from batchscore.errors import ModelError, describe_without_content
from batchscore.input.columns import Column, Columns, ColumnType
from batchscore.input.csv_lines import BoolArray
from batchscore.input.spelt_numbers import Typed
from batchscore.input.typed_values import WrongTypeError, fitted_values
from batchscore.model.frames import ModelRecords, fitting_array, with_missing_rules
from batchscore.model.missing_patterns import predict_complete
from batchscore.model.predictor import Predictor, WrongOutputError
from batchscore.model.version import ModelVersion
from batchscore.udf.batches import Batch, read_batch


@dataclass(frozen=True)
class Inputs:
    """What of a model's inputs is known before records come.

    ``types_of_records``: nothing tells the types of ``columns``: each has what its values have.
    """

    columns: Columns
    missing: MissingSettings
    has_signature: bool
    tensor_dtype: str | None = None
    types_of_records: bool = False

    def with_rules(self, facts: ModelFacts) -> Inputs:
        """Return the inputs with the rules by which their values are missing."""
        fitting = fitting_array(self.columns, self.tensor_dtype)
        ruled = with_missing_rules(fitting, self.missing, facts, self.has_signature, self.tensor_dtype)
        return replace(self, columns=ruled)

    def of_batch(self, batch: Batch, facts: ModelFacts) -> tuple[Column, ...]:
        """Return the columns in the types that a batch is to be read in."""
        if not self.types_of_records:
            return self.columns.inputs
        typed = tuple(replace(column, type=_kind_of(batch.values[column.name])) for column in self.columns.inputs)
        return replace(self, columns=replace(self.columns, inputs=typed)).with_rules(facts).columns.inputs


def predict_safely(given: Any, inputs: Inputs, version: ModelVersion, predictor: Predictor) -> Any:
    """Return a series, or for multiclass a frame; no foreign message, which could print records, reaches Spark's logs.

    ``given`` is what Spark hands to the function. Raises ModelError.
    """
    try:
        batch = read_batch(given, inputs.columns, version.pinned_uri)
        return _predict_batch(batch, inputs, version, predictor)
    except ModelError:
        raise
    except WrongOutputError as error:
        raise ModelError(f"model {version.pinned_uri}: {error}") from error
    except Exception as error:
        reason = describe_without_content(error)
    raise ModelError(f"model {version.pinned_uri}: expected predictions, got {reason}")


def _predict_batch(
    batch: Batch, inputs: Inputs, version: ModelVersion, predictor: Predictor
) -> pd.Series[float] | pd.DataFrame:
    columns = inputs.of_batch(batch, predictor.facts)
    table, valid = _typed_records(batch, columns, version)
    fields = predictor.number_names
    predictions = np.full((batch.count, len(fields) or 1), np.nan)
    if valid.any():
        records = ModelRecords(table.filter(pa.array(valid)), columns, inputs.tensor_dtype, predictor.categorical)
        predictions[valid] = predict_complete(predictor, records).reshape(-1, len(fields) or 1)
    # pyspark turns NaN into null.
    return pd.DataFrame(predictions, columns=list(fields)) if fields else pd.Series(predictions[:, 0])


def _typed_records(batch: Batch, columns: tuple[Column, ...], version: ModelVersion) -> tuple[pa.Table, BoolArray]:
    """Return the records in the signature's types, and which of them can be predicted."""
    valid = np.ones(batch.count, bool)
    typed: list[pa.Array] = []
    for column in columns:
        values, bad = _fitted(batch, column, version)
        typed.append(values)
        if bad is not None and not column.missing.invalid_is_missing:
            valid &= ~bad
        if column.missing.is_refused and values.null_count:
            valid &= values.is_valid().to_numpy(zero_copy_only=False)
    return pa.table(typed, names=[column.name for column in columns]), valid


def _fitted(batch: Batch, column: Column, version: ModelVersion) -> Typed:
    """Return a column in its type; an optional one that is not there is missing in all records."""
    if column.name not in batch.values:
        return fitted_values(pa.nulls(batch.count), column)
    values = batch.values[column.name]
    try:
        return _fitted_exactly(values, batch.exact, column)
    except (WrongTypeError, pa.ArrowException, TypeError, ValueError) as error:  # Arrow has no type for what is in it
        got = str(error) if isinstance(error, WrongTypeError) else "several types"
        raise ModelError(
            f"model {version.pinned_uri}: input {column.name}: expected values that can be {column.type}, got a column "
            f"of {got}; cast it in the query{_nulls_make_doubles(column, got)}"
        ) from None


def _fitted_exactly(values: pd.Series[Any], digits: Mapping[str, pd.Series[Any]], column: Column) -> Typed:
    """Return values as ``fitted_values`` does, and whole numbers that came as doubles for a null by their digits."""
    exact = digits.get(column.name)
    if exact is None or values.dtype.kind != "f" or not exact.notna().any():
        return fitted_values(pa.array(values, from_pandas=True), column)
    told = pa.array(exact.where(values.notna()), pa.string(), from_pandas=True)
    if column.type == "string":
        return fitted_values(told, column)
    numbers, bad = fitted_values(pa.array(values, from_pandas=True), column)
    whole = told.cast(pa.int64())
    # An expression that differs when it is computed twice, such as one of chance, tells nothing.
    agrees = pc.equal(whole.cast(pa.float64(), safe=False), pa.array(values, from_pandas=True)).fill_null(False)
    numbers = pc.if_else(agrees, whole, numbers)
    return numbers, None if bad is None else bad & ~agrees.to_numpy(zero_copy_only=False)


def _kind_of(values: pd.Series[Any]) -> ColumnType:
    """Return the type in which values come to a model that says none: numbers are doubles, as those of a file are."""
    kind = pa.array(values, from_pandas=True).type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return "datetime"
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return "string" if is_text or pa.types.is_null(kind) else "double"


def _nulls_make_doubles(column: Column, got: str) -> str:
    if (column.type, got) != ("string", "double"):
        return ""
    return " (a column of whole numbers arrives as double too where a batch of it holds a null)"
