"""Records -> what a pyfunc model takes: what MLflow would hand it, but for its check of types, which are right here.

That check would refuse an optional integer column, which is float64 for its missing values. All that is given is the
model's own: somebody's code may write into it, and a batch on which it raises is asked for again in parts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from batchscore.model.categories import ModelInput

Give = Callable[[ModelInput], Any]


def giver(loaded: Any) -> Give:
    """Return how the records of a loaded model are given to it, as its signature or its type hint says."""
    metadata = loaded.metadata
    schema = metadata.get_input_schema()
    if schema is None:
        return _copied
    if metadata._is_signature_from_type_hint():
        plain = hasattr(schema.inputs[0].type, "to_numpy")  # one of MLflow's types of single values
        return _values if plain else _records
    if schema.is_tensor_spec():
        return _arrays(schema.inputs)
    return _copied if schema.has_input_names() else _without_names


def leave_unchecked(loaded: Any) -> None:
    """Let a loaded model take what it is given as it is; parameters are still held to its signature."""
    vars(loaded.metadata)["get_input_schema"] = lambda: None


def _copied(records: ModelInput) -> Any:
    return records.reset_index(drop=True) if isinstance(records, pd.DataFrame) else records.copy()


def _without_names(records: ModelInput) -> pd.DataFrame:
    """Return a frame of columns that are called 0, 1 and so on, as MLflow makes it."""
    frame = pd.DataFrame(_copied(records))
    return frame.set_axis(range(frame.shape[1]), axis=1)


def _python(values: Any) -> list[Any]:
    """Return Python's own values, None for missing ones, as MLflow gives them to a type hint."""
    return [None if item is None or item != item else item for item in values.tolist()]


def _values(records: ModelInput) -> list[Any]:
    """Return the values of the one column that a type hint such as ``list[float]`` asks for."""
    return _python(records.iloc[:, 0] if isinstance(records, pd.DataFrame) else records[:, 0])


def _records(records: ModelInput) -> list[dict[str, Any]]:
    """Return a dictionary for each record; of them MLflow makes the pydantic model of the type hint."""
    frame = pd.DataFrame(records)
    columns = {str(name): _python(frame[name]) for name in frame.columns}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _arrays(tensors: list[Any]) -> Give:
    """Return how arrays are given: by name where they have names, in the shape and type of the signature."""

    def shaped(values: npt.NDArray[Any], tensor: Any) -> npt.NDArray[Any]:
        if values.dtype == object and np.dtype(tensor.type).kind == "b":
            raise ValueError("an array of booleans holds no missing value")
        typed = values.astype(tensor.type) if np.dtype(tensor.type).kind != "U" else values.astype(object)
        return typed.reshape(-1) if len(tensor.shape) == 1 else typed.reshape(len(values), -1)

    def give(records: ModelInput) -> Any:
        if len(tensors) == 1:
            array = shaped(np.asarray(records), tensors[0])
            return array if tensors[0].name is None else {tensors[0].name: array}
        frame = pd.DataFrame(records)
        return {tensor.name: shaped(frame[tensor.name].to_numpy(), tensor) for tensor in tensors}

    return give
