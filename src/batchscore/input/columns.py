"""The columns of a job: schema x model signature x keys (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from batchscore.config.missing_values import AS_PANDAS, MissingRule
from batchscore.errors import InputError, ModelError
from batchscore.input.attributes import AttributeType
from batchscore.input.echo_columns import EchoColumn, Role, echo_columns, place_of
from batchscore.input.roles import NO_ROLES, Roles, roles_in_force
from batchscore.input.schema_file import Schema
from batchscore.input.told_names import check_count, check_names

ColumnType = Literal["double", "float", "long", "integer", "boolean", "string", "datetime"]

# Which types of a model's signature can be read from an attribute of a type.
_COMPATIBLE: dict[AttributeType, set[ColumnType]] = {
    "BINARY": {"boolean", "double", "float", "long", "integer", "string"},
    "CATEGORICAL": {"boolean", "double", "float", "long", "integer", "string", "datetime"},
    "NUMERIC": {"double", "float", "long", "integer", "datetime"},  # 20261125 is a date
    "TEXT": {"string", "datetime"},
}
# What a model without a signature is given.
_TYPE_OF_ATTRIBUTE: dict[AttributeType, ColumnType] = {
    "BINARY": "double",
    "CATEGORICAL": "string",
    "NUMERIC": "double",
    "TEXT": "string",
}


@dataclass(frozen=True)
class Column:
    """One input of the model.

    ``required`` is the signature's word. ``binary_words`` reads ``yes``/``no`` and their kin as 1 and 0, and nothing
    else unless ``numbers_too``. ``missing`` says what of a file is missing, and what becomes of it. ``may_be_absent``:
    a file may lack the column, since the signature calls it optional.
    """

    name: str
    type: ColumnType
    required: bool = False
    binary_words: bool = False
    missing: MissingRule = AS_PANDAS
    numbers_too: bool = False
    may_be_absent: bool = False

    @property
    def reads_words_alone(self) -> bool:
        """Whether a number other than 1 and 0 is invalid."""
        return self.type == "boolean" or (self.binary_words and not self.numbers_too)


class InputsInOrder(tuple[Column, ...]):
    """The inputs of a signature without names, of any types: they are bound to the columns of a file in order."""

    __slots__ = ()


@dataclass(frozen=True)
class Columns:
    """What a job reads from each record, before the columns' places in a file are known.

    ``inputs`` go to the model, ``echoed`` to the results; a column may be both. ``names`` are all columns of a file in
    order, None where its header tells them, or where it has none and they are the inputs: with a header they stand in
    its place. ``by_position`` binds inputs without names to the columns in order. ``header_is_told``: somebody said
    that there is one, whatever it looks like. ``numeric_names`` are the columns that a schema file calls NUMERIC.
    """

    inputs: tuple[Column, ...]
    echoed: tuple[EchoColumn, ...]
    names: tuple[str, ...] | None
    has_header: bool
    by_position: bool = False
    header_is_told: bool = False
    numeric_names: frozenset[str] = frozenset()

    @property
    def reads_header(self) -> bool:
        """Whether a file's header tells where its columns are."""
        return self.has_header and self.names is None

    @property
    def row_id(self) -> str | None:
        """The column that tells the records apart, None if there is none."""
        return self._source_of("row_id")

    @property
    def target(self) -> str | None:
        """The column of known labels, None if there is none."""
        return self._source_of("target")

    @property
    def sources(self) -> frozenset[str]:
        """The columns of the inputs that are echoed."""
        return frozenset(column.source for column in self.echoed)

    @property
    def required_sources(self) -> tuple[str, ...]:
        """Those of them without which a file is not read."""
        return tuple(column.source for column in self.echoed if column.is_required)

    def _source_of(self, role: Role) -> str | None:
        place = place_of(role, self.echoed)
        return None if place is None else self.echoed[place].source


def resolve_columns(
    model_uri: str,
    signature: Sequence[Column] | int | None,
    schema: Schema | None,
    has_header: bool | None,
    keys: Roles = NO_ROLES,
    names: tuple[str, ...] | None = None,
) -> Columns:
    """Return the columns of a job from the model's signature and the schema file, if there is one.

    ``signature`` is the named inputs, or those in order or only their number where they have no names, or None without
    a signature.
    ``has_header``, ``keys`` and ``names`` are the configuration's word; the first goes before the schema's. Raises
    ConfigError, ModelError or InputError with every difference at once.
    """
    if isinstance(signature, InputsInOrder):
        found = resolve_columns(model_uri, len(signature), schema, has_header, keys, names)
        return replace(found, inputs=tuple(map(_typed_by_position, found.inputs, signature)))
    header = has_header if has_header is not None else schema.has_header if schema else names is None
    if names is None and schema and not header:
        names = schema.names
    roles = _checked_roles(signature, schema, header, keys, names)
    if schema is None:
        columns = _columns_without_schema(model_uri, signature, roles, header)
        return replace(columns, names=names, header_is_told=has_header is not None)
    special = {roles.row_id, schema.row_weight, roles.target} | schema.excluded
    features = [(name, kind) for name, kind in schema.attributes if name not in special]
    if signature is None:
        inputs = tuple(Column(name, _TYPE_OF_ATTRIBUTE[kind], binary_words=kind == "BINARY") for name, kind in features)
    elif isinstance(signature, int):
        if len(features) != signature:
            raise InputError(
                f"schema of {model_uri}: expected {signature} attributes beside rowId, target and excluded ones, "
                f"got {len(features)}"
            )
        inputs = tuple(_with_words(Column(name, "double"), kind) for name, kind in features)
    else:
        inputs = _typed_inputs(model_uri, signature, schema)
    return Columns(inputs, echo_columns(roles, schema.numeric), names, header, False, True, schema.numeric)


def _typed_by_position(column: Column, told: Column) -> Column:
    words = column.binary_words and told.type != "string"
    return replace(column, type=told.type, required=True, binary_words=words, numbers_too=words and column.numbers_too)


def _checked_roles(
    signature: Sequence[Column] | int | None,
    schema: Schema | None,
    header: bool,
    keys: Roles,
    names: tuple[str, ...] | None,
) -> Roles:
    """Return the roles, and hold the files' names, where no header tells them, against what else tells of columns."""
    inputs = signature if isinstance(signature, Sequence) else ()
    named = [column.name for column in inputs]
    told = Roles(schema.row_id, schema.target) if schema else NO_ROLES
    if names is not None:
        needed = [column.name for column in inputs if not column.may_be_absent]
        check_names(names, needed, schema.names if schema else None)
    roles = roles_in_force(keys, told, named, None if header and names is None else names or named)
    if names is not None and schema is None and isinstance(signature, int):
        check_count(names, signature, roles)
    return roles


def _columns_without_schema(
    model_uri: str, signature: Sequence[Column] | int | None, roles: Roles, header: bool
) -> Columns:
    if signature is None:
        raise ModelError(
            f"model {model_uri}: expected a signature or a schema file, got neither; add a signature with "
            "mlflow.models.set_signature(model_uri, mlflow.models.infer_signature(X, y)) and register the model again"
        )
    if isinstance(signature, int):
        inputs = tuple(Column(f"column {number}", "double") for number in range(1, signature + 1))
        return Columns(inputs, echo_columns(roles), None, header, by_position=True)
    return Columns(tuple(signature), echo_columns(roles), None, header)


def _typed_inputs(model_uri: str, signature: Sequence[Column], schema: Schema) -> tuple[Column, ...]:
    kinds = dict(schema.attributes)
    roles = {schema.row_id: "the rowId", schema.target: "the target"}
    roles |= dict.fromkeys(schema.excluded, "an excluded attribute")
    faults, inputs = [], []
    for column in signature:
        kind = kinds.get(column.name)
        if kind is None and column.may_be_absent:
            inputs.append(column)
        elif kind is None:
            faults.append(f"input {column.name}: expected an attribute of the schema, got none")
        elif column.name in roles:
            faults.append(f"input {column.name}: expected a model input, got {roles[column.name]}")
        elif column.type not in _COMPATIBLE[kind]:
            faults.append(f"input {column.name}: expected {column.type}, got {kind}")
        else:
            inputs.append(_with_words(column, kind))
    if faults:
        raise InputError(f"schema against the signature of {model_uri}: " + "; ".join(faults))
    return tuple(inputs)


def _with_words(column: Column, kind: AttributeType) -> Column:
    """Return an input of a signature as a schema file has it: BINARY adds words to the numbers that it takes."""
    words = kind == "BINARY" and column.type != "string"
    return replace(column, binary_words=words, numbers_too=words and column.type != "boolean")
