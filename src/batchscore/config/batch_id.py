"""The id of a batch prediction, as a key of a configuration and as an argument (pure)."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, TypeAdapter, ValidationError

from batchscore.config.faults import faults_of, joined
from batchscore.config.values import checked_id
from batchscore.errors import ConfigError

BatchId = Annotated[str, AfterValidator(checked_id)]


def check_id(text: str) -> str:
    """Return an id as it is, if it is one: it becomes part of keys and paths. Raises ConfigError."""
    try:
        return TypeAdapter(BatchId).validate_python(text)
    except ValidationError as error:
        raise ConfigError(f"id: {joined(faults_of(error, [])).removeprefix('key : ')}") from None
