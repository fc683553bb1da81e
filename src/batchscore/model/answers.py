"""What a model answers, in any of the forms that MLflow lets it have -> numbers, one row for each record (pure).

What does not fit is nobody's record: it is told by its kind, never by its content.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

FloatArray = npt.NDArray[np.float64]

SUM_TOLERANCE = 1e-3
"""So far from 1 the probabilities of a record may add up."""

_ACCEPTED = (
    "accepted are numbers, one or more for each record in the records' order, as an array of (n,) or (n, k), a Series, "
    "a list, a list of records, a dict of arrays or a DataFrame"
)


class WrongOutputError(Exception):
    """The model answered with something else than numbers of the right shape: no record is to blame."""


@dataclass(frozen=True)
class Expected:
    """What a model is to answer: the output ``column`` of several, or outputs of such ``names``, ``width`` numbers.

    No name or no width: the signature does not tell.
    """

    column: str | None = None
    names: tuple[str, ...] = ()
    width: int | None = None


class _Part(NamedTuple):
    """An output of an answer: its name if it has one, and its values, one or several for each record."""

    name: str | None
    values: Any


def as_numbers(answer: Any, count: int, expected: Expected) -> FloatArray:
    """Return an answer to ``count`` records as an array of (n,) or (n, k); None and NA are NaN.

    Raises WrongOutputError if it is not what is expected.
    """
    parts = _chosen(_parts(answer, count), expected)
    if not parts:
        raise WrongOutputError(f"expected predictions, got an answer without any; {_ACCEPTED}")
    arrays = [_floats(part, count) for part in parts]
    table = np.column_stack(arrays) if len(arrays) > 1 else arrays[0]
    width = 1 if table.ndim == 1 else table.shape[1]
    if expected.width is not None and width != expected.width:
        raise WrongOutputError(
            f"expected {_numbers(expected.width)} for each record, got {_told(parts, width)}; prediction_column takes "
            "one of several outputs, a signature with as many outputs all of them"
        )
    return table[:, 0] if table.ndim == 2 and width == 1 else table


def _numbers(count: int) -> str:
    return "one number" if count == 1 else f"{count} numbers"


def _told(parts: Sequence[_Part], width: int) -> str:
    names = [part.name for part in parts if part.name is not None]
    return f"{width}: {', '.join(names)}" if len(names) == width else str(width)


def _parts(answer: Any, count: int) -> list[_Part]:
    """Return the outputs of an answer: by name where they have names."""
    if isinstance(answer, pd.DataFrame):
        _check_order(answer.index, count)
        unnamed = answer.columns.equals(pd.RangeIndex(answer.shape[1]))
        return [_Part(None if unnamed else str(name), answer.iloc[:, at]) for at, name in enumerate(answer.columns)]
    if isinstance(answer, pd.Series):
        _check_order(answer.index, count)
        return [_Part(None if answer.name is None else str(answer.name), answer)]
    if isinstance(answer, Mapping):
        return [_Part(str(name), values) for name, values in answer.items()]
    if isinstance(answer, list | tuple):
        records = [item.model_dump() if hasattr(item, "model_dump") else item for item in answer]
        if any(isinstance(item, Mapping) for item in records):
            return _parts_of_records(records)
        return [_Part(None, records)]
    if isinstance(answer, np.ndarray) or hasattr(answer, "__array__"):
        return [_Part(None, np.asarray(answer))]
    raise WrongOutputError(f"expected predictions, got {type(answer).__name__}; {_ACCEPTED}")


def _check_order(index: pd.Index[Any], count: int) -> None:
    """Refuse rows that tell by their labels that they are in another order than the records."""
    if len(index) == count and not index.equals(pd.RangeIndex(count)):
        raise WrongOutputError(
            f"expected predictions in the records' order, got other labels in their index than 0 to {count - 1}: do "
            "not sort, drop or name the records, or answer with .to_numpy() if their order is kept"
        )


def _parts_of_records(records: Sequence[Any]) -> list[_Part]:
    """Return the outputs of a list of dictionaries, which have the same keys; None stands for a record without any."""
    known = [record for record in records if isinstance(record, Mapping)]
    names = list(known[0])
    if len(known) + sum(record is None for record in records) < len(records) or any(
        set(record) != set(names) for record in known
    ):
        raise WrongOutputError(f"expected the same keys in each record of the answer, got others; {_ACCEPTED}")
    return [_Part(str(name), [None if record is None else record[name] for record in records]) for name in names]


def _chosen(parts: list[_Part], expected: Expected) -> list[_Part]:
    """Return the outputs that are meant, in the order of the signature's."""
    names = [part.name for part in parts]
    if expected.column is not None:
        return [_column(parts, expected)]
    if len(parts) < 2 or not expected.names or None in names:
        return parts
    if set(names) != set(expected.names) or len(names) != len(expected.names):
        raise WrongOutputError(
            f"expected the outputs of the signature, {', '.join(expected.names)}, got {', '.join(map(str, names))}; "
            "prediction_column takes one of them"
        )
    return [parts[names.index(name)] for name in expected.names]


def _column(parts: list[_Part], expected: Expected) -> _Part:
    """Return the one output that prediction_column names: by the signature's names where the answer has none."""
    name = str(expected.column)
    found = [part for part in parts if part.name == name]
    if len(found) == 1:
        return found[0]
    if len(parts) == 1 and expected.names == (name,):
        return parts[0]
    if name in expected.names and all(part.name is None for part in parts):
        columns = _columns(parts)
        if len(columns) == len(expected.names):
            return columns[expected.names.index(name)]
    got = ", ".join(str(part.name) for part in parts if part.name is not None) or "outputs without names"
    raise WrongOutputError(f"expected an output {name} as prediction_column says, got {got}")


def _columns(parts: Sequence[_Part]) -> Sequence[_Part]:
    """Return the columns of the one array that outputs without names may be."""
    values = _plain(parts[0].values) if len(parts) == 1 else None
    return parts if values is None or values.ndim != 2 else [_Part(None, column) for column in values.T]


def _floats(part: _Part, count: int) -> FloatArray:
    """Return the numbers of an output as (n,) or (n, k)."""
    array = _plain(part.values)
    if array.dtype == object:
        array = _from_objects(array, part)
    if array.dtype.kind not in "fiub":
        raise _no_number(str(array.dtype), part)
    if array.ndim == 0 and count == 1:  # what squeezing leaves of one record
        array = array.reshape(1)
    if array.ndim not in (1, 2):
        raise WrongOutputError(f"expected one or more numbers for each record, got shape {array.shape}; {_ACCEPTED}")
    if len(array) != count:
        raise WrongOutputError(f"expected {count} predictions for {count} records, got {len(array)}; {_ACCEPTED}")
    return array.astype(np.float64, copy=False)


def _no_number(kind: str, part: _Part) -> WrongOutputError:
    output = "" if part.name is None else f" in output {part.name}"
    return WrongOutputError(
        f"expected numbers{output}, got {kind}; labels and texts are no predictions here: let the model answer with "
        f"probabilities or values, or take another output with prediction_column; {_ACCEPTED}"
    )


def _plain(values: Any) -> npt.NDArray[Any]:
    """Return an array of numbers, or of objects where that is what was given."""
    if isinstance(values, pd.Series | pd.Index | pd.api.extensions.ExtensionArray):
        dtype = values.dtype
        is_number = pd.api.types.is_numeric_dtype(dtype) and not isinstance(dtype, np.dtype)
        if is_number and not pd.api.types.is_complex_dtype(dtype):
            return pd.Series(values).to_numpy(np.float64, na_value=np.nan)
        return np.asarray(values, None if isinstance(dtype, np.dtype) else object)
    try:
        return np.asarray(values)
    except ValueError:  # rows of several lengths, or numbers beside rows
        return _objects(values)


def _objects(values: Any) -> npt.NDArray[Any]:
    found = np.empty(len(values), object)
    found[:] = list(values)
    return found


def _from_objects(array: npt.NDArray[Any], part: _Part) -> npt.NDArray[Any]:
    """Return the numbers of an array of objects: of single ones, or of one row for each record."""
    rows = [item for item in array if isinstance(item, list | tuple | np.ndarray)]
    if array.ndim == 1 and rows and {len(row) for row in rows} == {len(rows[0])}:
        lacking = [None] * len(rows[0])
        array = np.array([lacking if _is_missing(item) else list(item) for item in array], object)
    flat = [_number(item, part) for item in array.reshape(-1)]
    return np.array(flat, np.float64).reshape(array.shape)


def _is_missing(item: Any) -> bool:
    return item is None or item is pd.NA or (isinstance(item, float) and item != item)


def _number(item: Any, part: _Part) -> float:
    if _is_missing(item):
        return np.nan
    if isinstance(item, bool | int | float | np.bool_ | np.integer | np.floating | Decimal):
        return float(item)
    if isinstance(item, np.ndarray) and item.size == 1 and item.dtype.kind in "fiub":
        return float(item.reshape(-1)[0])
    is_row = isinstance(item, list | tuple | np.ndarray)
    raise _no_number("rows of several lengths" if is_row else type(item).__name__, part)
