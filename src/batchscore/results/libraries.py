"""Libraries that reading results needs for some of what it does: asked for where they are used."""

from __future__ import annotations

import importlib
from types import ModuleType

from batchscore.errors import ConfigError

_INSTALL = {"duckdb": "'batchscore[results]'"}


def imported(library: str, what: str) -> ModuleType:
    """Return a library; raises ConfigError where it is not installed."""
    try:
        return importlib.import_module(library)
    except ModuleNotFoundError as error:
        if error.name != library:
            raise
        install = _INSTALL.get(library, library)
        raise ConfigError(f"{what}: expected {library} to be installed, got none; pip install {install}") from error
