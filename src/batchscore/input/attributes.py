"""The attributes of a schema file: the columns of the data with Amazon ML's types (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Literal

from batchscore.storage.stored_json import is_text

AttributeType = Literal["BINARY", "CATEGORICAL", "NUMERIC", "TEXT"]

ATTRIBUTE_TYPES = ("BINARY", "CATEGORICAL", "NUMERIC", "TEXT")
MAX_NAME_CHARACTERS = 64
# The spelling of the API documentation -> the one of the Developer Guide.
_OLDER_ATTRIBUTE_KEYS = {"fieldName": "attributeName", "fieldType": "attributeType"}


def parse_attributes(raw: Any) -> tuple[list[tuple[str, AttributeType]], list[str]]:
    """Return names and types in the order of the columns, and every fault of the list."""
    if not isinstance(raw, list) or not raw:
        return [], ["attributes: expected a list of attributes"]
    attributes: list[tuple[str, AttributeType]] = []
    faults = []
    for number, item in enumerate(raw, 1):
        if not isinstance(item, dict):
            faults.append(f"attribute {number}: expected an object with attributeName and attributeType")
            continue
        fields = {_OLDER_ATTRIBUTE_KEYS.get(key, key): value for key, value in item.items()}
        name, kind = fields.get("attributeName"), str(fields.get("attributeType")).upper()
        if not is_text(name) or not name:
            faults.append(f"attribute {number}: expected an attributeName")
        elif len(name) > MAX_NAME_CHARACTERS:
            faults.append(f"attribute {number}: expected a name of at most {MAX_NAME_CHARACTERS} characters")
        elif kind not in ATTRIBUTE_TYPES:
            faults.append(f"attribute {name}: expected a type of {', '.join(ATTRIBUTE_TYPES)}, got {kind}")
        else:
            attributes.append((name, kind))  # type: ignore[arg-type] # checked against ATTRIBUTE_TYPES above
    faults += [f"attribute {name}: expected once, got twice" for name in named_twice(name for name, _ in attributes)]
    return attributes, faults


def numeric_names(attributes: Iterable[tuple[str, AttributeType]]) -> frozenset[str]:
    """Return the names of the NUMERIC ones."""
    return frozenset(name for name, kind in attributes if kind == "NUMERIC")


def named_twice(names: Iterable[str]) -> list[str]:
    """Return the names that are there more than once."""
    return [name for name, count in Counter(names).items() if count > 1]
