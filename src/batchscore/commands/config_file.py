"""The configuration of a command: its file, local or on S3, with the arguments laid over it."""

from __future__ import annotations

from collections.abc import Sequence

from batchscore.config import uris
from batchscore.config.job_config import JobConfig, OutputConfig, load_config, load_output_config, s3_settings
from batchscore.errors import ConfigError, InputError, ObjectMissingError
from batchscore.storage.factory import storage_for

_NO_FILES = (IsADirectoryError, NotADirectoryError)


def job_config(path: str | None, overrides: Sequence[str]) -> JobConfig:
    """Return the configuration of a job; raises ConfigError."""
    return load_config(_text(path, overrides), overrides, path or "")


def output_config(path: str | None, overrides: Sequence[str]) -> OutputConfig:
    """Return where the results of a configuration lie; raises ConfigError."""
    return load_output_config(_text(path, overrides), overrides, path or "")


def _text(path: str | None, overrides: Sequence[str]) -> str:
    """Return the file's text; one on S3 is read with the usual AWS settings and the arguments of ``s3``."""
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
        hint = "; correct the path after --config" if mistyped else ""
        raise ConfigError(f"configuration {path}: {error}{hint}") from error
    except UnicodeDecodeError:
        raise ConfigError(f"configuration {path}: expected YAML in UTF-8, got other bytes; convert it") from None
