"""What a model's signature says of its inputs and outputs (pure, on MLflow's own objects)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from batchscore.errors import ModelError
from batchscore.input.columns import Column, ColumnType, InputsInOrder
from batchscore.model.version import Output

if TYPE_CHECKING:
    from mlflow.models import Model
    from mlflow.models.signature import ModelSignature
    from mlflow.types.schema import ColSpec, Schema, TensorSpec

# Those that every number of a file either fits or is invalid for; narrower ones would wrap.
_TENSOR_TYPES: dict[str, ColumnType] = {
    "float64": "double",
    "float32": "float",
    "int64": "long",
    "int32": "integer",
    "bool": "boolean",
}
_ARRAY_TYPES = {kind: dtype for dtype, kind in _TENSOR_TYPES.items()} | {"string": "object"}
_NUMBERS = set(_TENSOR_TYPES.values())
_COLUMN_TYPES = {*_ARRAY_TYPES, "datetime"}


Example = Callable[[], Any]


def signature_facts(model: Model, uri: str, example: Example = lambda: None) -> dict[str, Any]:
    """Return the fields of a ModelVersion that tell of its signature; raises ModelError for one that cannot be read.

    ``example`` returns the input example that was logged with the model: a type hint of dictionaries has no other
    names.
    """
    signature: ModelSignature | None = model.signature
    if signature is None or signature.inputs is None:
        return {"signature": None, "outputs": _outputs(signature.outputs) if signature else ()}
    return {**_inputs(signature.inputs, uri, example), "outputs": _outputs(signature.outputs)}


def _inputs(schema: Schema, uri: str, example: Example) -> dict[str, Any]:
    if schema.is_tensor_spec():
        return _tensors(cast("list[TensorSpec]", schema.inputs), uri)
    columns = cast("list[ColSpec]", schema.inputs)
    if not schema.has_input_names() and len(columns) == 1:
        fields = _fields(columns[0], uri, example)
        if fields:
            return {"signature": fields, "inputs_in_order": False}
    if not schema.has_input_names():
        return _unnamed(_types_of({f"column {place + 1}": item.type for place, item in enumerate(columns)}, uri))
    return {"signature": _named([(str(item.name), item.type, item.required) for item in columns], uri)}


def _unnamed(types: list[ColumnType]) -> dict[str, Any]:
    """Return inputs that are bound in order: those of one type are an array, all others a frame of their types."""
    if len(set(types)) == 1 and types[0] in _ARRAY_TYPES:
        return {"signature": len(types), "tensor_dtype": _ARRAY_TYPES[types[0]]}
    return {"signature": InputsInOrder(Column(f"column {place + 1}", kind, True) for place, kind in enumerate(types))}


def _tensors(tensors: list[TensorSpec], uri: str) -> dict[str, Any]:
    """Return the columns of one array, or of several that are one column each and have names."""
    first = tensors[0]
    if len(tensors) == 1 and _column_count(first) and (str(first.type) in _TENSOR_TYPES or _is_text(first)):
        return {"signature": _column_count(first), "tensor_dtype": "object" if _is_text(first) else str(first.type)}
    if not all(_column_count(item) == 1 and (str(item.type) in _TENSOR_TYPES or _is_text(item)) for item in tensors):
        raise ModelError(
            f"signature of {uri}: expected columns, one array of (-1, n) {', '.join(_TENSOR_TYPES)} or text, or named "
            "arrays of one column each, got another; register it with a PythonModel around it that takes columns"
        )
    types: list[ColumnType] = ["string" if _is_text(item) else _TENSOR_TYPES[str(item.type)] for item in tensors]
    named = zip(tensors, types, strict=True)
    return {"signature": tuple(Column(str(item.name), kind, required=True) for item, kind in named)}


def _is_text(tensor: TensorSpec) -> bool:
    """Tell whether an array holds texts: objects of one column, as those of a text vectoriser, are taken for such."""
    kind = np.dtype(tensor.type).kind
    return kind == "U" or (kind == "O" and _column_count(tensor) == 1)


def _column_count(tensor: TensorSpec) -> int:
    """Return how many columns of a file an array holds; 0 where that is not told, or it has further dimensions."""
    shape = tuple(tensor.shape)
    if len(shape) > 2 or shape[0] != -1:
        return 0
    return max(int(shape[1]), 0) if len(shape) == 2 else 1


def _named(inputs: Sequence[tuple[str, Any, bool]], uri: str) -> tuple[Column, ...]:
    """Return named inputs, each with its type and whether it is required."""
    types = _types_of({name: kind for name, kind, _ in inputs}, uri)
    return tuple(
        Column(name, kind, required=required, may_be_absent=not required)
        for (name, _, required), kind in zip(inputs, types, strict=True)
    )


def _types_of(kinds: Mapping[str, Any], uri: str) -> list[ColumnType]:
    found = {name: getattr(kind, "name", str(kind)) for name, kind in kinds.items()}
    wrong = [f"{name} is {kind}" for name, kind in found.items() if kind not in _COLUMN_TYPES]
    if wrong:
        raise ModelError(
            f"signature of {uri}: expected types of {', '.join(sorted(_COLUMN_TYPES))}, got: {'; '.join(wrong)}"
        )
    return [cast("ColumnType", kind) for kind in found.values()]


# ---------------------------------------------------------------- a type hint of dictionaries or pydantic models


def _fields(column: ColSpec, uri: str, example: Example) -> tuple[Column, ...]:
    """Return the fields of the records that a type hint asks for, none where it asks for plain values."""
    from mlflow.types.schema import Map, Object

    if isinstance(column.type, Object):
        return _named([(item.name, item.dtype, item.required) for item in column.type.properties], uri)
    if not isinstance(column.type, Map):
        return ()
    logged = example()
    records = [record for record in (logged if isinstance(logged, list) else [logged]) if isinstance(record, dict)]
    names = list(dict.fromkeys(name for record in records for name in record))
    if not names:
        raise ModelError(
            f"signature of {uri}: expected the names of its inputs, got a type hint of dictionaries; log the model "
            "with an input_example that has all keys, or with a pydantic model for a hint"
        )
    kinds = {name: _kind_of_values(column.type.value_type, name, records) for name in names}
    return _named([(name, kinds[name], all(name in record for record in records)) for name in names], uri)


_EXAMPLE_TYPES = {bool: "boolean", int: "long", float: "double", str: "string"}


def _kind_of_values(kind: Any, name: str, records: list[dict[str, Any]]) -> Any:
    """Return the type of a dictionary's values: of any type, those of the example."""
    if type(kind).__name__ != "AnyType":
        return kind
    kinds = {_EXAMPLE_TYPES.get(type(record[name]), "Any") for record in records if record.get(name) is not None}
    return "double" if kinds == {"long", "double"} else kinds.pop() if len(kinds) == 1 else "Any"


# ---------------------------------------------------------------- outputs


def _outputs(schema: Schema | None) -> tuple[Output, ...]:
    if schema is None:
        return ()
    if schema.is_tensor_spec():
        tensors = cast("list[TensorSpec]", schema.inputs)
        return tuple(Output(item.name, np.dtype(item.type).kind in "fiub", _width(item)) for item in tensors)
    columns = cast("list[ColSpec]", schema.inputs)
    fields = [(item.name, item.type) for item in columns]
    if len(columns) == 1 and hasattr(columns[0].type, "properties"):  # records, as a type hint has them
        fields = [(item.name, item.dtype) for item in columns[0].type.properties]
    told = tuple(_output(name, kind) for name, kind in fields)
    return () if None in told else cast("tuple[Output, ...]", told)


def _output(name: str | None, kind: Any) -> Output | None:
    """Return an output of a type; None where the type tells nothing, as that of an answer to an example may."""
    found = type(kind).__name__
    if found in {"AnyType", "Map"}:
        return None
    if found == "Array":
        return Output(name, getattr(kind.dtype, "name", "") in _NUMBERS, None)
    return Output(name, getattr(kind, "name", "") in _NUMBERS, 1)


def _width(tensor: TensorSpec) -> int | None:
    shape = tuple(tensor.shape)
    if len(shape) == 1:
        return 1
    return int(shape[1]) if len(shape) == 2 and shape[1] > 0 else None
