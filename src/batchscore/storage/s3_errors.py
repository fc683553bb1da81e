"""What S3's refusals and broken connections mean: errors of ours, without foreign messages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from batchscore.errors import CommitError, InputError, ObjectChangedError, ObjectMissingError, TransientReadError
from batchscore.storage.s3_credentials import of_profile

_MISSING = {"404", "NoSuchKey", "NoSuchBucket", "NotFound"}
# No rights, an unknown key, an archived object: nothing that passes by itself.
_DENIED_STATUSES = {401, 403}
_PRECONDITION = {"412", "PreconditionFailed"}
# A range of the object as planned that it does not have: a store that passes over If-Match says so of a shorter one.
_NO_SUCH_RANGE = {"416", "InvalidRange"}
_CONFLICT = {"409", "ConditionalRequestConflict"}
_ARCHIVED = "InvalidObjectState"
_CREDENTIALS = {
    *("ExpiredToken", "ExpiredTokenException", "InvalidToken", "TokenRefreshRequired"),
    *("InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed"),
}
_NO_BULK_DELETE_STATUSES = {400, 405, 501}
_NOT_IMPLEMENTED = 501
LACKING_STATUSES = {400, _NOT_IMPLEMENTED}
"""What stores answer to headers that they do not know."""


def _response(error: BaseException | None) -> dict[str, Any]:
    return getattr(error, "response", None) or {}  # None where the connection broke


def _code(error: BaseException | None) -> str:
    return str(_response(error).get("Error", {}).get("Code", type(error).__name__))


def _status(error: BaseException | None) -> int | None:
    status: int | None = _response(error).get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status


def is_missing(error: BaseException | None) -> bool:
    """Tell whether there is no such object or bucket."""
    return _code(error) in _MISSING


def is_precondition_failed(error: BaseException | None) -> bool:
    """Tell whether a conditional request was refused by its condition."""
    return _code(error) in _PRECONDITION


def is_conflict(error: BaseException | None) -> bool:
    """Tell whether another writer was at the object at the same moment."""
    return _code(error) in _CONFLICT


def knows_no_bulk_delete(error: BaseException | None) -> bool:
    """Tell whether a store may lack DeleteObjects, by its answer to it."""
    return _status(error) in _NO_BULK_DELETE_STATUSES and _code(error) not in _CREDENTIALS


def lacks_something(error: BaseException | None) -> bool:
    """Tell whether a store may lack something that a request asks of it, such as checksums."""
    return _status(error) in LACKING_STATUSES and _code(error) not in _CREDENTIALS


def is_of_credentials(error: BaseException | None) -> bool:
    """Tell whether a store refused a request for what it was signed with."""
    return _code(error) in _CREDENTIALS


@contextmanager
def read_errors(uri: str) -> Iterator[None]:
    """Raise what a failed read means: InputError and its kin."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (ClientError, BotoCoreError) as error:
        code = _code(error)
        if code in _MISSING:
            raise ObjectMissingError(f"object {uri}: expected an object, got none ({code})") from error
        if code in _CREDENTIALS or _status(error) in _DENIED_STATUSES:
            raise InputError(
                f"object {uri}: expected permission to read, got {code}{_read_hint(uri, error)}"
            ) from error
        if code in _PRECONDITION | _NO_SUCH_RANGE:
            raise replaced(uri) from error
        raise TransientReadError(f"object {uri}: expected an answer, got {code}") from error


def replaced(uri: str) -> ObjectChangedError:
    """Return what is raised where a store has another version of an input than was planned."""
    return ObjectChangedError(f"input {uri}: expected the object as planned, got another version")


def _read_hint(uri: str, error: Exception) -> str:
    code = _code(error)
    if code == _ARCHIVED:
        values = _response(error).get("Error", {})
        place = values.get("AccessTier") or values.get("StorageClass")
        return f": it is archived{f' ({place})' if place else ''}; restore it, exclude it, or copy it to another class"
    if code in _CREDENTIALS:
        return _credentials_hint()
    return "" if uri.endswith("/") else "; without s3:ListBucket, S3 says so of a missing object too"


def _credentials_hint() -> str:
    return f": the store does not take the credentials{of_profile()}; renew them"


@contextmanager
def write_errors(uri: str) -> Iterator[None]:
    """Raise what a failed write means: CommitError."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (ClientError, BotoCoreError, Boto3Error) as error:
        raise CommitError(
            f"output {uri}: expected permission to write, got {_code(error)}{_write_hint(error)}"
        ) from error


def _write_hint(error: Exception) -> str:
    if _code(error) in _CREDENTIALS:
        return _credentials_hint()
    if _status(error) == _NOT_IMPLEMENTED:
        return (
            "; the store lacks something that is asked of it: create-only writes (If-None-Match), encryption "
            "(s3.kms_key_id), or checksums (AWS_REQUEST_CHECKSUM_CALCULATION=when_required leaves them out)"
        )
    return ""
