"""Entries of the key ``input``: an object, a folder or a glob, and where the names of its files count from (pure).

What an entry is, what lies there tells: an object of that name, else what lies below a folder of that name, else what
the glob matches.
"""

from __future__ import annotations

from collections.abc import Collection

from batchscore.config import uris
from batchscore.config.globs import Glob, folder_before_wildcards, has_wildcards


def as_folder(entry: str) -> str:
    """Return the folder that an entry may name, with its ``/``: ``in`` is never ``in-other/``."""
    return entry if entry.endswith("/") else f"{entry}/"


def parent_folder(entry: str) -> str:
    """Return the folder that an entry lies in, with its ``/``."""
    return entry.rpartition("/")[0] + "/"


def folder_of(entry: str, listed: Collection[str]) -> str:
    """Return the folder that the names of an entry's files count from, by the URIs that inputs list.

    Of an object it is the one it lies in, of a folder itself, of a glob the one before the first wildcard.
    """
    if not has_wildcards(entry) and entry.endswith("/"):
        return entry
    if not entry.endswith("/") and entry in listed:
        return parent_folder(entry)
    folder = as_folder(entry)
    return folder if any(uri.startswith(folder) for uri in listed) else folder_before_wildcards(entry)


def path_below(entry: str, uri: str) -> str | None:
    """Return the path of a URI below an entry that lists it, of an object its last name; None where it does not."""
    folder = as_folder(entry)
    if uri == entry:
        return uris.base_name(uri)
    if uri.startswith(folder):
        return uri.removeprefix(folder) or uris.base_name(uri)
    if not has_wildcards(entry):
        return None
    glob = Glob(entry)
    return uri.removeprefix(glob.folder) if glob.matches(uri) else None
