"""What an output must allow, tried before a job relies on it: rights, and one winner among create-only writes."""

from __future__ import annotations

import io
import logging
import uuid
from collections.abc import Callable

from batchscore.config.job_config import JobConfig
from batchscore.errors import CommitError, ConfigError, InputError, ObjectExistsError
from batchscore.output.paths import Outputs, new_id
from batchscore.storage.base import Storage, is_present
from batchscore.storage.factory import storage_for

log = logging.getLogger(__name__)


def check_output(config: JobConfig) -> list[str]:
    """Ask of an output what a job will, and leave nothing there; return what a job completes without.

    Raises InputError if it cannot be read, CommitError if it cannot be written, ConfigError if a create-only write
    replaces what is there.
    """
    storage, outputs = storage_for(config.output, config.s3), Outputs(config.output, config.id or new_id(), "parts")
    is_present(storage, outputs.extended_manifest)
    uri = outputs.check_object(uuid.uuid4().hex)
    not_listed = _refusal(lambda: any(storage.list(outputs.work)))
    not_removed = _refusal(lambda: storage.delete(uri))
    told = [f"{refusal}; a job completes and leaves in-progress/" for refusal in (not_listed, not_removed) if refusal]
    if not_removed:  # so nothing is written either
        storage.check_writable(uri)
        return told if storage.is_create_only_known() else [*told, _not_tried(config)]
    if storage.is_create_only_known():
        _write_and_remove(storage, uri)
        return told
    fault = _fault(config, _has_one_winner(storage, uri))
    return [*told, fault] if fault else told


def check_create_only(config: JobConfig) -> bool:
    """Hold a store that is not AWS's to create-only writes, and leave nothing there; raises ConfigError.

    Returns whether it is known now: where nothing can be removed, only the job's own record can tell.
    """
    storage, outputs = storage_for(config.output, config.s3), Outputs(config.output, config.id or "", "parts")
    if storage.is_create_only_known():
        return True
    uri = outputs.check_object(uuid.uuid4().hex)
    if _refusal(lambda: storage.delete(uri)):
        return False
    _tell(_fault(config, _has_one_winner(storage, uri)))
    return True


def put_record(config: JobConfig, uri: str, content: bytes, known: bool) -> None:
    """Write the first record of a job create-only, and again if that is to show what the store makes of such writes.

    Raises ObjectExistsError if there is one, ConfigError if the second one replaces the first.
    """
    storage = storage_for(config.output, config.s3)
    storage.put_new(uri, io.BytesIO(content))
    if not known:
        _tell(_fault(config, _is_refused(storage, uri, content)))


def _write_and_remove(storage: Storage, uri: str) -> None:
    try:
        storage.put(uri, io.BytesIO(b""))
    finally:
        storage.delete(uri)


def _has_one_winner(storage: Storage, uri: str) -> bool:
    """Tell whether the second of two create-only writes is refused; the first may be, if its answer was lost."""
    try:
        return _is_refused(storage, uri, b"first") or _is_refused(storage, uri, b"second")
    finally:
        storage.delete(uri)


def _is_refused(storage: Storage, uri: str, content: bytes) -> bool:
    try:
        storage.put_new(uri, io.BytesIO(content))
    except ObjectExistsError:
        return True
    return False


def _refusal(attempt: Callable[[], object]) -> str | None:
    try:
        attempt()
    except (InputError, CommitError) as error:
        return str(error)
    return None


def _fault(config: JobConfig, has_one_winner: bool) -> str | None:
    """Say what a store lacks; raises ConfigError unless the configuration takes it upon itself."""
    if has_one_winner:
        return None
    text = (
        f"store of {config.output}: expected a create-only write (If-None-Match) to leave an object that is there, got "
        "it replaced; two runs of one id could mix their results"
    )
    if config.s3.create_only == "assumed":
        return f"{text}; s3.create_only: assumed lets the job run: see to it that no two do"
    raise ConfigError(f"{text}; use another store, or set s3.create_only: assumed and run one job of an id at a time")


def _tell(fault: str | None) -> None:
    if fault:
        log.warning("%s", fault)


def _not_tried(config: JobConfig) -> str:
    return (
        f"store of {config.output}: expected to try create-only writes, got no permission to remove what that writes; "
        "a job tries them with its record"
    )
