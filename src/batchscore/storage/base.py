"""Objects as listings show them, and what is asked of every store (pure: values and a protocol)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Protocol

from batchscore.config.globs import Glob
from batchscore.errors import ObjectMissingError

NAMES_TOLD = 1000
"""The names of a folder that are asked for at the most, for a message."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as a listing shows it; ``etag`` changes whenever the content is replaced.

    ``modified_epoch_seconds`` is when it was written, by the store's clock; 0 where nobody asked the store.
    """

    uri: str
    size_in_bytes: int
    etag: str
    modified_epoch_seconds: float = field(default=0.0, compare=False)


class Storage(Protocol):
    """What the job needs of a store; URIs are canonical (see config.uris.canonical_uri).

    Reads raise InputError (ObjectMissingError, ObjectChangedError, TransientReadError), writes CommitError
    (ObjectExistsError).
    """

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield every object whose URI begins with ``prefix`` (ending in ``/``), in key order."""

    def list_folder(self, prefix: str) -> Iterator[StoredObject]:
        """Yield every object directly below ``prefix`` (ending in ``/``), in key order, none of its folders'."""

    def list_glob(self, glob: Glob) -> Iterator[StoredObject]:
        """Yield every object that a glob matches, in key order, from one listing."""

    def names_in_folder(self, prefix: str) -> Sequence[str]:
        """Return some names directly below ``prefix`` (ending in ``/``), for a message; those of folders with ``/``.

        All of them where they are fewer than NAMES_TOLD.
        """

    def stat(self, uri: str) -> StoredObject:
        """Return size and etag of one object."""

    def read(self, uri: str) -> bytes:
        """Return a whole small object."""

    def read_range(self, source: StoredObject, start: int, stop: int) -> bytes:
        """Return bytes [start, stop) of ``source`` as it was when it was listed."""

    def put(self, uri: str, content: IO[bytes], content_type: str | None = None) -> str:
        """Write an object at once, replacing what was there; return its etag.

        ``content_type`` is what a store that keeps one tells browsers of it.
        """

    def put_new(self, uri: str, content: IO[bytes]) -> str:
        """Write an object, from the start of the file, only if there is none; return its etag."""

    def is_create_only_known(self) -> bool:
        """Tell whether ``put_new`` is known to have one winner; where it is not, that is to be tried."""

    def check_writable(self, uri: str) -> None:
        """Raise CommitError if an object could not be written; none is, so that none needs to be removed."""

    def delete(self, *uris: str) -> None:
        """Remove the objects that are there, all of one bucket."""


def is_present(storage: Storage, uri: str) -> bool:
    """Tell whether there is an object, without reading it."""
    try:
        storage.stat(uri)
    except ObjectMissingError:
        return False
    return True


def read_if_present(storage: Storage, uri: str) -> bytes | None:
    """Return an object's bytes, or None where there is none."""
    try:
        return storage.read(uri)
    except ObjectMissingError:
        return None
