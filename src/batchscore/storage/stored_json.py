"""JSON that was stored, read back into typed values (pure): ValueError for all else, whatever it holds."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from functools import lru_cache
from typing import Any, TypeGuard, TypeVar, cast

from pydantic import TypeAdapter

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


def typed(kind: type[Kind], raw: Any) -> Kind:
    """Return a value of JSON as one of ``kind``, a dataclass or model, each field of its type; raises ValueError."""
    value: Kind = _adapter(cast("Hashable", kind)).validate_python(raw)
    return value


@lru_cache
def _adapter(kind: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast("Any", kind))
