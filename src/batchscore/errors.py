"""The errors that end a job: one class per exit code.

Messages read ``<what> <which>: expected <x>, got <y>`` and carry neither a record's content nor a secret.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class BatchScoreError(Exception):
    """Base of every error that a job ends with on purpose."""

    exit_code = 1
    record: dict[str, Any] | None = None
    """The FAILED record of the job, once there is one."""


class ConfigError(BatchScoreError):
    """The configuration is wrong. Correct the keys that the message names and run again."""

    exit_code = 2


class IdempotentParameterMismatchError(ConfigError):
    """The id already belongs to a job with other parameters. Choose another id; nothing was touched."""


class CredentialsError(ConfigError):
    """No credentials for S3 can be had. Mend what the message names and run the same id again."""


class InputError(BatchScoreError):
    """An input is missing, unreadable, changed or does not fit the model. Mend the named file and run again."""

    exit_code = 3


class ObjectMissingError(InputError):
    """The named object does not exist."""


class ObjectChangedError(InputError):
    """An input was replaced after it was planned. Run again with a new id."""


class InputsScoredError(InputError):
    """Another job has scored some of the inputs since this one chose them. Run again with a new id for the rest."""


class TransientReadError(InputError):
    """Reading failed in a way that may pass (throttling, a broken connection). Spark tries the task again."""


class ModelError(BatchScoreError):
    """The model cannot be resolved, loaded or used. Correct the model or its version in the registry."""

    exit_code = 4


class ScoringError(BatchScoreError):
    """Scoring did not finish. Read the log, mend the cause, and run again with the same id to go on."""

    exit_code = 5


class BatchTimeoutError(ScoringError):
    """The model did not answer in the time allowed for a batch. Spark tries the task again."""


class TooManyInvalidRecordsError(ScoringError):
    """More records are invalid than the limits allow. Read the rejected files, or raise the limit."""


class TooManyUnseenValuesError(ScoringError):
    """More values than ``max_unseen_fraction`` allows are not known to the model. Mend the files, or raise it."""


class CommitError(BatchScoreError):
    """The output cannot be written. Check the rights and the space there and run again with the same id."""

    exit_code = 6


class ObjectExistsError(CommitError):
    """A create-only write found the object in place."""


class AlreadyCommittedError(CommitError):
    """Another run of the same id committed first. Its result stands; there is nothing to do."""

    exit_code = 7


class CheckFailedError(BatchScoreError):
    """A result is not what its manifest and its input say. Do not use it; score the inputs again under a new id."""

    exit_code = 8


ERRORS_BY_NAME: dict[str, type[BatchScoreError]] = {
    error.__name__: error
    for error in (
        ConfigError,
        CredentialsError,
        IdempotentParameterMismatchError,
        InputError,
        ObjectMissingError,
        ObjectChangedError,
        InputsScoredError,
        TransientReadError,
        ModelError,
        ScoringError,
        BatchTimeoutError,
        TooManyInvalidRecordsError,
        TooManyUnseenValuesError,
        CommitError,
        AlreadyCommittedError,
    )
}


def no_room(folder: Path | str, wanted: str, error: OSError) -> CommitError:
    """Return what is raised where a temporary folder did not take a file."""
    return CommitError(f"temporary folder {folder}: expected room for {wanted}, got {error.strerror}")


# The words of Linux, Arrow and C++ for it; they carry no content.
_OUT_OF_MEMORY = re.compile(
    r"MemoryError|failed to map segment|[Cc]annot allocate memory|can't start new thread|bad_alloc|malloc of size"
)
WORKER_MEMORY = "spark.executor.pyspark.memory"


def tells_of_memory(text: str) -> bool:
    """Tell whether a foreign message says that there was not enough memory."""
    return bool(_OUT_OF_MEMORY.search(text))


def _memory_hint(error: BaseException) -> str:
    """Name Spark's limit on the memory of a worker process, if this is one and ran out of it."""
    limit = os.environ.get("PYSPARK_EXECUTOR_MEMORY_MB")  # Spark's own, in each worker that it limits
    if not limit or not (isinstance(error, MemoryError) or tells_of_memory(str(error))):
        return ""
    return f"; {WORKER_MEMORY} gives a worker {limit} MiB: raise it or leave it out"


def raised_from(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those that it was raised from or over, each once."""
    link: BaseException | None = error
    seen = set[int]()
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def told_without_content(error: BaseException) -> str:
    """Return what is told of an error: our own words, and of a foreign one no content."""
    return str(error) if isinstance(error, BatchScoreError) else describe_without_content(error)


def describe_without_content(error: BaseException) -> str:
    """Return the type of a foreign exception and where it was raised, but not its message.

    Messages of models, pandas and MLflow can print the rows they were given. A module that is not there is named.
    """
    kind = type(error).__name__
    if isinstance(error, ModuleNotFoundError) and error.name:
        kind = f"{kind} of {error.name}"
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    if frame is None:
        return kind + _memory_hint(error)
    code = frame.tb_frame.f_code
    place = f"{code.co_name} ({code.co_filename.rsplit('/', 1)[-1]}:{frame.tb_lineno})"
    return f"{kind} in {place}{_memory_hint(error)}"
