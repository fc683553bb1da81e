"""The commit of a job: its extended manifest, written create-only."""

from __future__ import annotations

from typing import IO

from batchscore.errors import AlreadyCommittedError, ObjectExistsError
from batchscore.storage.base import Storage


def commit_manifest(storage: Storage, uri: str, content: IO[bytes]) -> None:
    """Write the extended manifest create-only: before it nothing is there, after it everything.

    Our own bytes in place mean that a write which seemed to fail has landed. Raises AlreadyCommittedError if another
    driver's are there.
    """
    try:
        storage.put_new(uri, content)
    except ObjectExistsError as error:
        content.seek(0)
        if storage.read(uri) != content.read():
            raise AlreadyCommittedError(
                f"manifest {uri}: expected none, got that of another run with this id; its result stands"
            ) from error
