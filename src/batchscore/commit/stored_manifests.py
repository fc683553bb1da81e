"""Extended manifests read from a store without their lists of skipped files, which may name more than all the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from batchscore.commit.reading_back import read_by_ranges
from batchscore.errors import InputError
from batchscore.storage.base import Storage, StoredObject

Told = TypeVar("Told")

_RANGE_BYTES = 1024 * 1024
# As json.dumps indents a key of the outermost object; within a text of JSON there is no line end.
_SKIPPED = b'\n "skipped": ['


def read_stored(storage: Storage, manifest: StoredObject, parse: Callable[[bytes, str], Told]) -> Told:
    """Return what ``parse`` makes of a manifest's content and URI; it must not need what was skipped.

    One that cannot be read so, such as one that another program has written anew, is read whole. Raises InputError.
    """
    try:
        return parse(_without_skipped(storage, manifest), manifest.uri)
    except InputError:
        return parse(storage.read(manifest.uri), manifest.uri)


def _without_skipped(storage: Storage, manifest: StoredObject) -> bytes:
    """Return a manifest up to its key ``skipped``, closed there: JSON only if that is a key of its outermost object."""
    content = bytearray()
    for piece in read_by_ranges(storage, manifest, _RANGE_BYTES):
        searched_from = max(len(content) - len(_SKIPPED), 0)
        content += piece
        end = content.find(_SKIPPED, searched_from)
        if end >= 0:
            return bytes(content[:end]).removesuffix(b",") + b"\n}"
    return bytes(content)
