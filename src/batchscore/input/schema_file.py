"""Amazon ML's ``.schema`` file (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from batchscore.errors import InputError
from batchscore.input.attributes import AttributeType, numeric_names, parse_attributes
from batchscore.storage.stored_json import read_json

_KEYS = {
    *("version", "rowId", "rowWeight", "targetAttributeName", "dataFormat", "dataFileContainsHeader"),
    *("attributes", "excludedAttributeNames"),
}
# The spelling of the API documentation -> the one of the Developer Guide.
_OLDER_KEYS = {
    "recordAnnotationFieldName": "rowId",
    "recordWeightFieldName": "rowWeight",
    "targetFieldName": "targetAttributeName",
    "excludedVariableNames": "excludedAttributeNames",
}


@dataclass(frozen=True)
class Schema:
    """A schema file. Attributes are the columns of the data, in order."""

    attributes: tuple[tuple[str, AttributeType], ...]
    row_id: str | None
    row_weight: str | None
    target: str | None
    has_header: bool
    excluded: frozenset[str]

    @property
    def names(self) -> tuple[str, ...]:
        """The attributes' names, in the order of the columns."""
        return tuple(name for name, _ in self.attributes)

    @property
    def numeric(self) -> frozenset[str]:
        """The names of the NUMERIC attributes."""
        return numeric_names(self.attributes)


def parse_schema(content: bytes, uri: str) -> Schema:
    """Return the schema of a schema file; raises InputError with every fault at once."""
    try:
        raw = read_json(content)
    except ValueError:
        raise InputError(f"schema {uri}: expected JSON, got something else") from None
    if not isinstance(raw, dict):
        raise InputError(f"schema {uri}: expected a JSON object, got {type(raw).__name__}")
    fields = {_OLDER_KEYS.get(str(key), str(key)): value for key, value in raw.items()}
    attributes, attribute_faults = parse_attributes(fields.get("attributes"))
    faults = _key_faults(raw, fields) + attribute_faults
    faults += _reference_faults(fields, {name for name, _ in attributes}) + _value_faults(fields)
    if faults:
        raise InputError(f"schema {uri}: " + "; ".join(faults))
    return Schema(
        attributes=tuple(attributes),
        row_id=fields.get("rowId") or None,
        row_weight=fields.get("rowWeight") or None,
        target=fields.get("targetAttributeName") or None,
        has_header=fields.get("dataFileContainsHeader", False),
        excluded=frozenset(fields.get("excludedAttributeNames") or []),
    )


def _key_faults(raw: dict[str, Any], fields: dict[str, Any]) -> list[str]:
    twice = [(older, key) for older, key in _OLDER_KEYS.items() if {older, key} <= raw.keys()]
    faults = [f"key {key}: expected one spelling, got {older} too" for older, key in twice]
    return faults + [f"key {key}: expected a known key" for key in fields if key not in _KEYS]


def _reference_faults(fields: dict[str, Any], names: set[str]) -> list[str]:
    """Return what is wrong with the keys whose values are names of attributes."""
    told = [(key, fields.get(key)) for key in ("rowId", "rowWeight", "targetAttributeName")]
    excluded = fields.get("excludedAttributeNames") or []
    is_list = isinstance(excluded, list)
    told += [("excludedAttributeNames", name) for name in excluded] if is_list else []
    unknown = [(key, name) for key, name in told if not (name in (None, "") or _is_one_of(name, names))]
    faults = [
        f"{key}: expected the name of an attribute, got {name if isinstance(name, str) else 'something else'}"
        for key, name in unknown
    ]
    return faults + ([] if is_list else ["excludedAttributeNames: expected a list"])


def _is_one_of(name: Any, names: set[str]) -> bool:
    return isinstance(name, str) and name in names


def _value_faults(fields: dict[str, Any]) -> list[str]:
    only = [("version", "1.0"), ("dataFormat", "CSV")]
    faults = [f'{key}: expected "{value}"' for key, value in only if fields.get(key, value) != value]
    if not isinstance(fields.get("dataFileContainsHeader", False), bool):
        faults.append("dataFileContainsHeader: expected true or false")
    return faults
