"""A part while it is being written: gzip in memory, or in a temporary file."""

from __future__ import annotations

import gzip
import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, cast

from batchscore.errors import no_room
from batchscore.output.parts import WrittenFile
from batchscore.storage.base import Storage

# Level 1 saves nearly as much as level 6 for a sixth of its time.
_GZIP_LEVEL = 1
_MEMORY_BYTES = 32 * 1024 * 1024


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise no_room(tempfile.gettempdir(), "a part", error) from error


class GzipPart:
    """A gzip file in memory, or on disk when it grows large; the same content gives the same bytes."""

    def __init__(self) -> None:
        self.file = tempfile.SpooledTemporaryFile(_MEMORY_BYTES)  # noqa: SIM115 - closed by close()
        self._gzip = gzip.GzipFile(filename="", mode="wb", compresslevel=_GZIP_LEVEL, fileobj=self.file, mtime=0)

    def write(self, content: bytes) -> None:
        """Add content; raises CommitError if there is no room for it."""
        with _room():
            self._gzip.write(content)

    def store(self, storage: Storage, uri: str) -> WrittenFile:
        """Finish the file and write it to its place; raises CommitError."""
        with _room():
            self._gzip.close()
            size = self.file.tell()
            self.file.seek(0)
        digest = hashlib.file_digest(self.file, "sha256")
        self.file.seek(0)
        etag = storage.put(uri, cast("IO[bytes]", self.file))
        return WrittenFile(uri, size, digest.hexdigest(), etag)

    def close(self) -> None:
        """Free the memory or disk."""
        # gzip first: it keeps what it was given last, and would write that when it is collected, into a closed file.
        for file in (self._gzip, self.file):
            with suppress(OSError):  # what there was no room for has been told
                file.close()
