"""The configuration of a command or a call: its file, local or on S3, with the keys of whoever asks laid over it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from batchscore.config import uris
from batchscore.config.job_config import (
    JobConfig,
    OutputConfig,
    Overrides,
    load_config,
    load_output_config,
    make_config,
    s3_settings,
)
from batchscore.config.settings import given, laid_over
from batchscore.errors import ConfigError, InputError, ObjectMissingError
from batchscore.storage.factory import storage_for

_NO_FILES = (IsADirectoryError, NotADirectoryError)

Configuration = JobConfig | Mapping[str, Any] | str | os.PathLike[str]
"""What a program gives as the configuration of a job: one, its keys, or the path or URI of a YAML file."""


def config_of(told: Configuration | None, keys: Mapping[str, Any]) -> JobConfig:
    """Return the configuration of a call, ``keys`` laid over it; raises ConfigError with every fault at once."""
    others = _with_texts_of_paths(keys)
    if isinstance(told, str | os.PathLike):
        return load_config(_text(os.fspath(told), others, "correct the path"), others, os.fspath(told))
    if isinstance(told, JobConfig):
        return make_config(laid_over(_settings(told), others)) if keys else told
    if told is None or isinstance(told, Mapping):
        return make_config(given(laid_over(_with_texts_of_paths(told or {}), others)))
    raise ConfigError(
        f"configuration: expected a JobConfig, keys with values or the path of a YAML file, got {type(told).__name__}"
    )


def _settings(config: JobConfig) -> dict[str, Any]:
    return given(config.model_dump(by_alias=True, exclude_unset=True))


def _with_texts_of_paths(keys: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: [*map(_text_of, value)] if isinstance(value, list | tuple) else _text_of(value)
        for key, value in keys.items()
    }


def _text_of(value: Any) -> Any:
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def job_config(path: str | None, overrides: Sequence[str]) -> JobConfig:
    """Return the configuration of a job; raises ConfigError."""
    return load_config(_text(path, overrides), overrides, path or "")


def output_config(path: str | None, overrides: Sequence[str]) -> OutputConfig:
    """Return where the results of a configuration lie; raises ConfigError."""
    return load_output_config(_text(path, overrides), overrides, path or "")


def _text(path: str | None, overrides: Overrides, remedy: str = "correct the path after --config") -> str:
    """Return the file's text; one on S3 is read with the usual AWS settings and what is laid over those of ``s3``."""
    if path is None:
        return ""
    settings = s3_settings(overrides)
    try:
        uri = uris.canonical_uri(path)
    except ValueError as error:  # a URI that is refused is not repeated
        raise ConfigError(f"configuration: {error}") from error
    try:
        return storage_for(uri, settings).read(uri).decode()
    except InputError as error:
        mistyped = isinstance(error, ObjectMissingError) or isinstance(error.__cause__, _NO_FILES)
        hint = f"; {remedy}" if mistyped else ""
        raise ConfigError(f"configuration {path}: {error}{hint}") from error
    except UnicodeDecodeError:
        raise ConfigError(f"configuration {path}: expected YAML in UTF-8, got other bytes; convert it") from None
