"""JSON that was stored, read back into typed values (pure): an error for all else, whatever it holds."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeGuard, TypeVar, cast

from pydantic import TypeAdapter

from batchscore.errors import InputError

_SURROGATE = re.compile("[\ud800-\udfff]")
Kind = TypeVar("Kind")


def read_json(content: bytes) -> Any:
    """Return the value of a JSON text; raises ValueError, also where it is nested too deep to be read."""
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("expected JSON of few levels, got too many") from None


def is_text(value: object) -> TypeGuard[str]:
    """Tell whether a value is text that can be written: JSON can spell halves of characters, which cannot."""
    return isinstance(value, str) and not _SURROGATE.search(value)


@dataclass(frozen=True)
class _Versioned:
    format_version: int


def read_versioned(kind: type[Kind], content: bytes, version: int, where: str, what: str) -> Kind:
    """Return what ``kind`` holds of JSON of a format version; ``where`` names it and ``what`` says what it should be.

    Raises InputError.
    """
    try:
        raw = read_json(content)
        found = typed(_Versioned, raw).format_version
        if found == version:
            return typed(kind, raw)
    except ValueError as error:
        raise InputError(f"{where}: expected {what}, got something else") from error
    raise InputError(f"{where}: expected format {version}, got {found}")


def typed(kind: type[Kind], raw: Any) -> Kind:
    """Return a value of JSON as one of ``kind``, a dataclass or model, each field of its type; raises ValueError."""
    value: Kind = _adapter(cast("Hashable", kind)).validate_python(raw)
    return value


@lru_cache
def _adapter(kind: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast("Any", kind))
