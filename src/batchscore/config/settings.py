"""Settings before they are checked: those of one source laid over another's (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def laid_over(settings: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with others in their place; of a section those keys alone that the others have."""
    merged = dict(settings)
    for key, value in others.items():
        nested = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = {**merged[key], **value} if nested else value
    return merged


def given(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that have a value: without one a key, also one of a section, has its default."""
    # No deeper than sections: what YAML's aliases make can hold itself.
    return {key: _given(item) if isinstance(item, dict) else item for key, item in _given(settings).items()}


def _given(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if value is not None}
