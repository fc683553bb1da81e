"""What is wrong with settings, in words (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from batchscore.config.foreign_keys import hint_for
from batchscore.config.yaml_text import MAX_KEY_CHARACTERS
from batchscore.errors import ConfigError

_URI_KEYS = {"input", "output", "schema", "tracking_uri", "registry_uri", "s3"}


def faults_of(error: ValidationError, known: Sequence[str], *section: str) -> list[str]:
    """Return what is wrong with settings, a line for each key; ``known`` are the keys that there are."""
    faults = []
    for fault in error.errors(include_url=False, include_input=True):
        key = ".".join([*section, *(str(part) for part in fault["loc"])])[:MAX_KEY_CHARACTERS]
        if fault["type"] == "extra_forbidden":
            faults.append(f"key {key}: expected a known key{hint_for(key, known)}")
        elif fault["type"] == "missing":
            faults.append(f"key {key}: expected a value, got none; give it in the configuration or as {key}=VALUE")
        else:
            message = fault["msg"].removeprefix("Value error, ")
            faults.append(f"key {key}: {message[0].lower()}{message[1:]}{_got(key, fault['input'])}")
    return faults


def _got(key: str, value: object) -> str:
    """Quote a wrong value unless it may hold credentials: URIs are not quoted."""
    if isinstance(value, str) and ("://" in value or key.partition(".")[0] in _URI_KEYS):
        return ""
    return f", got {value!r}" if isinstance(value, str | int | float | bool) else ""


def joined(faults: Sequence[str]) -> str:
    """Return faults as one text, with their number where there are several."""
    return faults[0] if len(faults) == 1 else "\n  ".join([f"{len(faults)} faults:", *faults])


def raise_faults(faults: Sequence[str]) -> None:
    """Raise ConfigError with all faults, if there are any."""
    if faults:
        raise ConfigError(joined(faults))
