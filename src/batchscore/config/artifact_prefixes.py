"""Where the files of a model lie, and whether they may lie there (pure but for the links of local folders)."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from urllib.parse import unquote

_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?://([^/]*))?(.*)", re.DOTALL)
# Queries, fragments, control characters and outer spaces are cut off, backslashes turned, by some clients.
_AMBIGUOUS = re.compile(r"[?#\\\x00-\x1f\x7f]|^ | $")
_NOT_A_PLACE = {"models", "runs"}

Place = tuple[str, str, tuple[str, ...]]


def place_of(uri: str) -> Place:
    """Return scheme, authority and names of an artifact URI or local path, in one spelling.

    Raises ValueError for what could mean another place than it shows: ``..``, also percent-encoded, queries, fragments
    and control characters; and for ``models:/`` and ``runs:/``, which are no places.
    """
    match = _URI.fullmatch(uri)
    scheme, authority, path = (match[1].lower(), match[2] or "", match[3]) if match else ("file", "", uri)
    if scheme in _NOT_A_PLACE or _AMBIGUOUS.search(uri) or not (authority or path):
        raise ValueError("expected a URI such as s3://bucket/models or a folder, without ? and #")
    if any(_decoded(name) in {".", ".."} or "/" in _decoded(name) for name in path.split("/")):
        raise ValueError("expected a URI without . and .. among its names")
    if scheme == "file":
        authority = "" if authority == "localhost" else authority
        path = os.path.realpath(unquote(path) if match else path)
    names = tuple(path.strip("/").split("/")) if path.strip("/") else ()
    return {"s3a": "s3", "s3n": "s3"}.get(scheme, scheme), authority, names


def check_prefix(uri: str) -> str:
    """Return a configured prefix as it is; raises ValueError."""
    place_of(uri)
    return uri


def _decoded(name: str) -> str:
    while (decoded := unquote(name)) != name:
        name = decoded
    return name


def is_below_one(uri: str, prefixes: Sequence[str]) -> bool:
    """Tell whether an artifact URI lies in one of the folders that ``prefixes`` name, or is one of them."""
    try:
        scheme, authority, names = place_of(uri)
    except ValueError:
        return False
    return any(
        (scheme, authority) == allowed[:2] and names[: len(allowed[2])] == allowed[2]
        for allowed in map(place_of, prefixes)
    )
