"""Bodies of S3's answers, held to what was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from batchscore.storage.base import StoredObject
from batchscore.storage.s3_errors import replaced


class WrongBodyError(Exception):
    """An answer that is not what was asked for; the message says what it is."""


def etag_of(text: str | None) -> str:
    """Return an ETag as it is kept; a weak one names the same content."""
    return (text or "").removeprefix("W/").strip('"')


def checked_body(answer: Mapping[str, Any], length: Callable[[Mapping[str, Any]], int | None]) -> bytes:
    """Return a body of the right length; raises WrongBodyError before it reads one that is to be of another."""
    body = answer["Body"]
    try:
        wanted = length(answer)
        _check_length(answer.get("ContentLength", wanted), wanted)
    except Exception:
        body.close()  # and its connection, on which the rest would come
        raise
    content: bytes = body.read()
    _check_length(len(content), wanted)
    return content


def _check_length(found: int | None, wanted: int | None) -> None:
    if wanted is not None and found != wanted:
        raise WrongBodyError(f"{found} of {wanted} bytes")


def whole_length(answer: Mapping[str, Any]) -> int | None:
    """Return how long a whole object is; None where its end is marked in the body itself."""
    if "ContentRange" in answer:
        raise WrongBodyError("a part of it")
    length: int | None = answer.get("ContentLength")
    if length is None and "transfer-encoding" not in answer["ResponseMetadata"]["HTTPHeaders"]:
        raise WrongBodyError("one without a length")
    return length


def length_of_range(answer: Mapping[str, Any], source: StoredObject, start: int, stop: int) -> int:
    """Return how long a range is; raises ObjectChangedError for another version, WrongBodyError for another range."""
    etag, found = etag_of(answer.get("ETag")), answer.get("ContentRange")
    if not etag:
        raise WrongBodyError("one without an ETag")
    if etag != source.etag:
        raise replaced(source.uri)
    wanted = f"bytes {start}-{stop - 1}/{source.size_in_bytes}"
    if found != wanted:
        raise WrongBodyError(f"{found or 'the whole object'} for {wanted}")
    return stop - start
