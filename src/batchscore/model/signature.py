"""What a model's signature says of its inputs and outputs (pure, on MLflow's own objects)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from batchscore.errors import ModelError
from batchscore.input.columns import Column, ColumnType

if TYPE_CHECKING:
    from mlflow.models import Model
    from mlflow.models.signature import ModelSignature
    from mlflow.types.schema import Schema as SignatureSchema
    from mlflow.types.schema import TensorSpec

# Those that every number of a file either fits or is invalid for; narrower ones would wrap.
_TENSOR_TYPES = ("float64", "float32", "int64", "int32", "bool")
_NUMBER_TYPES = {"double": "float64", "float": "float32", "long": "int64", "integer": "int32"}
_COLUMN_TYPES = {*_NUMBER_TYPES, "boolean", "string", "datetime"}


def signature_facts(model: Model, uri: str) -> dict[str, Any]:
    """Return the fields of a ModelVersion that tell of its signature; raises ModelError for one that cannot be read."""
    signature: ModelSignature | None = model.signature
    if signature is None or signature.inputs is None:
        return {"signature": None}
    inputs, dtype = _input_columns(signature.inputs, uri)
    names, width = _output_names(signature.outputs)
    return {"signature": inputs, "tensor_dtype": dtype, "output_names": names, "output_width": width}


def _input_columns(schema: SignatureSchema, uri: str) -> tuple[tuple[Column, ...] | int, str | None]:
    if schema.is_tensor_spec():
        tensors = cast("list[TensorSpec]", schema.inputs)
        shape = tensors[0].shape
        if len(tensors) == 1 and tensors[0].type.kind in "OU" and shape in ((-1,), (-1, 1)):
            return 1, "object"
        if len(tensors) != 1 or len(shape) != 2 or shape[1] < 1 or str(tensors[0].type) not in _TENSOR_TYPES:
            raise ModelError(
                f"signature of {uri}: expected columns or one array of (-1, n) {', '.join(_TENSOR_TYPES)}, or of one "
                "text, got another"
            )
        return int(shape[1]), str(tensors[0].type)
    types = {str(item.name): getattr(item.type, "name", str(item.type)) for item in schema.inputs}
    wrong = [f"{name} is {kind}" for name, kind in types.items() if kind not in _COLUMN_TYPES]
    if wrong:
        raise ModelError(
            f"signature of {uri}: expected types of {', '.join(sorted(_COLUMN_TYPES))}, got: {'; '.join(wrong)}"
        )
    if not schema.has_input_names():
        if len({item.type for item in schema.inputs}) > 1:
            raise ModelError(f"signature of {uri}: expected named columns, got columns of several types without names")
        kind = types["None"]
        if kind == "string" and len(schema.inputs) == 1:
            return 1, "object"
        if kind not in _NUMBER_TYPES:
            raise ModelError(f"signature of {uri}: expected named columns or numbers, got {kind} columns without names")
        return len(schema.inputs), _NUMBER_TYPES[kind]
    columns = tuple(
        Column(
            name=str(item.name),
            type=cast("ColumnType", types[str(item.name)]),
            required=item.required,
            may_be_absent=not item.required,
        )
        for item in schema.inputs
    )
    return columns, None


def _output_names(schema: SignatureSchema | None) -> tuple[tuple[str, ...], int | None]:
    if schema is None:
        return (), None
    if schema.is_tensor_spec():
        shape = cast("list[TensorSpec]", schema.inputs)[0].shape
        return (), 1 if len(shape) == 1 else int(shape[1]) if shape[1] > 0 else None
    names = tuple(str(item.name) for item in schema.inputs) if schema.has_input_names() else ()
    return names, len(schema.inputs)
