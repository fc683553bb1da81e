"""A batch as Spark hands it to the function -> the values of each input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from batchscore.errors import ModelError
from batchscore.input.columns import Column, Columns

EXACT = "batchscore exact "
"""What begins the names of fields with the digits of whole numbers; the input's name follows."""


@dataclass(frozen=True)
class Batch:
    """Records before they have the model's types.

    ``values`` has no more than the inputs, optional ones may not be there. ``exact`` are digits of whole numbers that
    ``values`` may have as doubles.
    """

    values: Mapping[str, pd.Series[Any]]
    count: int
    exact: Mapping[str, pd.Series[Any]] = field(default_factory=dict)


def read_batch(given: Any, columns: Columns, model_uri: str) -> Batch:
    """Return the values of a batch by input; raises ModelError if one that is needed is not there.

    What arrives is one argument, a struct as a frame or a column, or several as a tuple. Those of SQL are taken by
    position; of those of the DataFrame API the last one is a struct with what is exact.
    """
    exact: dict[str, pd.Series[Any]] = {}
    if isinstance(given, tuple) and _is_exact(given[-1]):
        exact = {str(name).removeprefix(EXACT): given[-1][name] for name in given[-1].columns}
        if isinstance(given[0], pd.DataFrame) or _is_arrays(given[0]):
            given = given[0]
        else:
            given = {next(iter(exact)): given[0]}
    values = _by_input(given, columns, model_uri)
    return Batch(values, len(next(iter(values.values()))) if values else len(given), exact)


def _is_exact(given: Any) -> bool:
    return isinstance(given, pd.DataFrame) and all(str(name).startswith(EXACT) for name in given.columns)


def _by_input(given: Any, columns: Columns, model_uri: str) -> Mapping[str, pd.Series[Any]]:
    if isinstance(given, Mapping):
        return given
    if isinstance(given, pd.DataFrame):
        if not columns.by_position or set(given.columns) == {column.name for column in columns.inputs}:
            return _fields(given, columns.inputs, model_uri)
        given = tuple(given.iloc[:, place] for place in range(given.shape[1]))
    several = given if isinstance(given, tuple) else (given,)
    if columns.by_position and len(several) == 1 and (len(columns.inputs) > 1 or _is_arrays(several[0])):
        return _elements(several[0], columns.inputs, model_uri)
    rest = columns.inputs[len(several) :]
    if any(isinstance(item, pd.DataFrame) for item in several):
        raise ModelError(f"model {model_uri}: expected a struct alone, or columns, got a struct among others")
    if len(several) > len(columns.inputs) or not all(column.may_be_absent for column in rest):
        named = ", ".join(column.name for column in columns.inputs)
        raise ModelError(
            f"model {model_uri}: expected a struct, or {len(columns.inputs)} columns in the order {named}, "
            f"got {len(several)} without names"
        )
    return {column.name: values for column, values in zip(columns.inputs, several, strict=False)}


def _fields(frame: pd.DataFrame, inputs: Sequence[Column], model_uri: str) -> Mapping[str, pd.Series[Any]]:
    names = [str(name) for name in frame.columns]
    lacking = [column.name for column in inputs if column.name not in names and not column.may_be_absent]
    if lacking:
        raise ModelError(f"model {model_uri}: expected a struct with {', '.join(lacking)}, got none of it")
    twice = [column.name for column in inputs if names.count(column.name) > 1]
    if twice:
        raise ModelError(f"model {model_uri}: expected one field {twice[0]} of the struct, got several")
    return {column.name: frame[column.name] for column in inputs if column.name in names}


def _is_arrays(values: Any) -> bool:
    first = next((value for value in values if value is not None), None) if isinstance(values, pd.Series) else None
    return isinstance(first, np.ndarray | list)


def _elements(arrays: pd.Series[Any], inputs: Sequence[Column], model_uri: str) -> Mapping[str, pd.Series[Any]]:
    """Return the elements of arrays by place; an array that is null lacks them all."""
    rows = [np.full(len(inputs), np.nan) if array is None else np.asarray(array) for array in arrays]
    wrong = next((row for row in rows if row.shape != (len(inputs),)), None)
    if wrong is not None:
        got = f"an array of {len(wrong)}" if wrong.ndim == 1 else "one column of other values"
        raise ModelError(f"model {model_uri}: expected {len(inputs)} columns, or one of arrays of as many, got {got}")
    table = np.stack(rows) if rows else np.empty((0, len(inputs)))
    return {column.name: pd.Series(table[:, place]) for place, column in enumerate(inputs)}
