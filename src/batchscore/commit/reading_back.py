"""What was written, read back range by range: to be held to its digest, to be copied, or in part."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from batchscore.input import blocks
from batchscore.storage.base import Storage, StoredObject


def read_by_ranges(storage: Storage, stored: StoredObject, range_bytes: int | None = None) -> Iterator[bytes]:
    """Yield the bytes of an object as it was when it was looked at; raises ObjectChangedError.

    Each range is read when it is asked for; they are a chunk long unless told otherwise.
    """
    length = range_bytes or blocks.CHUNK_BYTES
    for start in range(0, stored.size_in_bytes, length):
        yield storage.read_range(stored, start, min(start + length, stored.size_in_bytes))


def sha256_of(chunks: Iterable[bytes]) -> str:
    """Return the digest of chunks, as manifests and receipts spell it."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()
