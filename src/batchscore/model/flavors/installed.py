"""The library that is installed, held to the version that a model was trained with."""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence

from batchscore.errors import ModelError
from batchscore.model.flavors import flavor_of
from batchscore.model.flavors.protocol import Flavor
from batchscore.model.version import ModelVersion


def check_version(model: ModelVersion, allowed: Sequence[str]) -> None:
    """Hold the installed library's major version to the one of training; raises ModelError."""
    flavor = flavor_of(model.flavors)
    if flavor.version_key is None:
        return
    trained, installed = _trained_version(flavor, model), installed_version(flavor.module)
    if installed is None:
        raise ModelError(f"model {model.pinned_uri}: expected {flavor.module} {trained} to be installed, got none")
    if trained and trained.split(".")[0] != installed.split(".")[0] and flavor.name not in allowed:
        raise ModelError(
            f"model {model.pinned_uri}: expected {flavor.module} {trained} as in training, got {installed}; "
            f"allow_version_mismatch: [{flavor.name}] allows it"
        )


def version_warnings(model: ModelVersion, allowed: Sequence[str]) -> list[str]:
    """Return what to say of another minor version of the library than in training, where that matters to it.

    For the driver, once: nothing of it stops a model from being loaded.
    """
    flavor = flavor_of(model.flavors)
    if not flavor.minor_matters or flavor.name in allowed:
        return []
    trained, installed = _trained_version(flavor, model), installed_version(flavor.module) or ""
    minors = _minor(trained), _minor(installed)
    if None in minors or minors[0] == minors[1]:
        return []
    return [
        f"model {model.pinned_uri}: expected {flavor.module} {trained} as in training, got {installed}, which may "
        f"predict otherwise; install that version, or allow_version_mismatch: [{flavor.name}] silences this"
    ]


def installed_version(module: str) -> str | None:
    """Return the version of an importable library, None where it is not installed."""
    try:
        return str(importlib.import_module(module).__version__)
    except ImportError:
        return None


def _trained_version(flavor: Flavor, model: ModelVersion) -> str:
    return str(model.flavors.get(flavor.name, {}).get(str(flavor.version_key), ""))


def _minor(version: str) -> str | None:
    """Return ``1.4`` of ``1.4.2`` or ``1.4rc1``; None for a text without a minor version."""
    found = re.match(r"\d+\.\d+", version)
    return found[0] if found else None
