"""The columns of a job: schema x model signature x header (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from batchscore.config.missing_values import AS_PANDAS, MissingRule
from batchscore.errors import InputError, ModelError
from batchscore.input.attributes import AttributeType, named_twice, numeric_names
from batchscore.input.echo_columns import EchoColumn, Role, echo_columns, place_of
from batchscore.input.header_names import are_numbers, near_names, pandas_names
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


@dataclass(frozen=True)
class Columns:
    """What a job reads from each record, before the columns' places in a file are known.

    ``inputs`` go to the model, ``echoed`` to the results; a column may be both. ``names`` are all columns of a file in
    order, None where its header tells them, or where it has none and they are the inputs: with a header they stand in
    its place. ``by_position`` binds inputs without names to the columns in order. ``header_is_told``: somebody said
    that there is one, whatever it looks like.
    """

    inputs: tuple[Column, ...]
    echoed: tuple[EchoColumn, ...]
    names: tuple[str, ...] | None
    has_header: bool
    by_position: bool = False
    header_is_told: bool = False

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


@dataclass(frozen=True)
class Binding:
    """The place of each column in the records of one file, counted from 0.

    ``positions`` are those of the model's inputs, ``echo_positions`` those of the echoed columns, each in its list's
    order; None where the file lacks a column that it may lack.
    """

    column_count: int
    positions: tuple[int | None, ...]
    echo_positions: tuple[int | None, ...]

    @property
    def input_places(self) -> tuple[int, ...]:
        """The places of those of the model's inputs that the file has, in the order of the inputs."""
        return tuple(place for place in self.positions if place is not None)

    @property
    def text_positions(self) -> list[int]:
        """The places that are read as text, since they are echoed, each once."""
        return list(dict.fromkeys(place for place in self.echo_positions if place is not None))


def resolve_columns(
    model_uri: str,
    signature: Sequence[Column] | int | None,
    schema: Schema | None,
    has_header: bool | None,
    keys: Roles = NO_ROLES,
    names: tuple[str, ...] | None = None,
) -> Columns:
    """Return the columns of a job from the model's signature and the schema file, if there is one.

    ``signature`` is the named inputs, or only their number where they have no names, or None without a signature.
    ``has_header``, ``keys`` and ``names`` are the configuration's word; the first goes before the schema's. Raises
    ConfigError, ModelError or InputError with every difference at once.
    """
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
    return Columns(inputs, echo_columns(roles, numeric_names(schema.attributes)), names, header, header_is_told=True)


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


def bind(columns: Columns, header: Sequence[str] | None, uri: str) -> Binding:
    """Return where the columns stand in the records of one file.

    ``header`` is the file's header record, None for a file without one. Raises InputError with every difference.
    """
    names: Sequence[str] | None = columns.names
    if header is not None:
        names = named_as_wanted(columns, header, uri)
        _check_is_header(columns, header, names, uri)
    named = [column.name for column in columns.inputs]
    if names is None:
        names = named
    elif columns.by_position:
        named = _in_order(columns, names, uri)
    return _bind_names(columns, named, names, uri)


def named_as_wanted(columns: Columns, header: Sequence[str], uri: str = "") -> list[str]:
    """Return the names that pandas gives a header; one that differs from the job's by spaces around it is the job's.

    Raises InputError where two could be meant.
    """
    names = pandas_names(header)
    wanted = [column.name for column in columns.inputs if not columns.by_position] + sorted(columns.sources)
    absent = {name.strip(): name for name in wanted if name not in names}
    found = [name if name in wanted else absent.get(name.strip(), name) for name in names]
    if twice := named_twice(found):
        raise InputError(
            f"header of {uri}: expected each column once, got two that differ by spaces around their names, neither of "
            f"them the exact name: {', '.join(twice)}"
        )
    return found


def _check_is_header(columns: Columns, header: Sequence[str], names: Sequence[str], uri: str) -> None:
    """Refuse a record in place of a header where the columns' order alone binds and nobody said that there is one."""
    if not columns.by_position or columns.header_is_told:
        return
    if are_numbers(header, may_have_gaps=columns.sources.isdisjoint(names)):
        raise InputError(
            f"header of {uri}: expected names, got numbers; has_header: false reads them as a record, has_header: true "
            "as names"
        )


def _in_order(columns: Columns, names: Sequence[str], uri: str) -> list[str]:
    """Return the names of the columns that inputs without names take; raises InputError if they are too many or few.

    What else is echoed is no reason to leave a column out: echoing never changes what reaches the model.
    """
    named = [name for name in names if name not in {columns.row_id, columns.target}]
    if len(named) != len(columns.inputs) and set(columns.required_sources) <= set(names):
        beside = " beside row_id and target" if columns.row_id or columns.target else ""
        raise InputError(f"header of {uri}: expected {len(columns.inputs)} columns{beside}, got {len(named)}")
    return named


def _bind_names(columns: Columns, inputs: Sequence[str], names: Sequence[str], uri: str) -> Binding:
    places = {name: place for place, name in enumerate(names)}
    needed = [name for name, column in zip(inputs, columns.inputs, strict=False) if not column.may_be_absent]
    missing = [name for name in dict.fromkeys([*needed, *columns.required_sources]) if name not in places]
    if missing:
        near = near_names(missing, names)
        raise InputError(f"header of {uri}: expected columns that are not there: {', '.join(missing)}{near}")
    positions = tuple(places.get(name) for name in inputs)
    if positions and not any(place is not None for place in positions):
        raise InputError(
            f"header of {uri}: expected some of the model's inputs, got none of {', '.join(inputs)}"
            f"{near_names(inputs, names)}"
        )
    return Binding(
        column_count=len(names),
        positions=positions,
        echo_positions=tuple(places.get(column.source) for column in columns.echoed),
    )


def extra_columns(columns: Columns, header: Sequence[str]) -> list[str]:
    """Return the columns of a header that the job does not read."""
    if columns.by_position:
        return []
    used = {column.name for column in columns.inputs} | columns.sources
    named = zip(pandas_names(header), named_as_wanted(columns, header), strict=True)
    return [name for name, meant in named if meant not in used]
