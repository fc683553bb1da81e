"""Objects of S3, or of a server that speaks its protocol; the only module that knows boto3.

Every request carries the expected bucket owner, every read the requester-pays flag, and every write the encryption
asked for. botocore retries whole requests; only the body of a read is retried here, as in s3transfer, since botocore
does not.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import IO, TYPE_CHECKING, Any

from batchscore import locations
from batchscore.config import S3Settings
from batchscore.errors import (
    CommitError,
    InputError,
    ObjectChangedError,
    ObjectExistsError,
    ObjectMissingError,
    TransientReadError,
)
from batchscore.storage import StoredObject

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_CONNECT_TIMEOUT_SECONDS = 10
_READ_TIMEOUT_SECONDS = 60
_BODY_ATTEMPTS = 5
_CONFLICT_ATTEMPTS = 5
_DELETE_COUNT = 1000
_SINGLE_PUT_BYTES = 64 * 1024 * 1024
_UPLOAD_PART_BYTES = 16 * 1024 * 1024


@lru_cache(maxsize=4)
def _client(endpoint: str | None, region: str | None, owner: str | None) -> S3Client:
    """One client per process: making one costs 0.1 s, and clients are safe to share between threads."""
    import boto3
    from botocore.config import Config

    config = Config(
        retries={"mode": "standard", "total_max_attempts": 10},
        connect_timeout=_CONNECT_TIMEOUT_SECONDS,
        read_timeout=_READ_TIMEOUT_SECONDS,
        tcp_keepalive=True,
        max_pool_connections=16,
        user_agent_extra="batchscore",
    )
    client = boto3.client("s3", endpoint_url=endpoint, region_name=region, config=config)
    if owner:

        def add_owner(params: dict[str, Any], **_: Any) -> None:
            params.setdefault("ExpectedBucketOwner", owner)

        # s3transfer sends the owner with all requests of an upload but the one that gives it up.
        client.meta.events.register("before-parameter-build.s3.AbortMultipartUpload", add_owner)
    return client


def _error_code(error: Exception) -> str:
    return str(_response(error).get("Error", {}).get("Code", type(error).__name__))


def _status(error: Exception) -> int | None:
    status: int | None = _response(error).get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status


def _response(error: Exception) -> dict[str, Any]:
    return getattr(error, "response", None) or {}  # None where the connection broke


_MISSING = {"404", "NoSuchKey", "NoSuchBucket", "NotFound"}
_DENIED = {"ExpiredToken", "NoCredentialsError"}
# No rights, an unknown key, an archived object: nothing that passes by itself.
_DENIED_STATUSES = {401, 403}
_PRECONDITION = {"412", "PreconditionFailed"}


@contextmanager
def _read_errors(uri: str) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (ClientError, BotoCoreError) as error:
        code = _error_code(error)
        if code in _MISSING:
            raise ObjectMissingError(f"object {uri}: expected an object, got none ({code})") from error
        if code in _DENIED or _status(error) in _DENIED_STATUSES:
            hint = "" if uri.endswith("/") else "; without s3:ListBucket, S3 says so of a missing object too"
            raise InputError(f"object {uri}: expected permission to read, got {code}{hint}") from error
        if code in _PRECONDITION:
            raise ObjectChangedError(f"input {uri}: expected the object as planned, got another version") from error
        raise TransientReadError(f"object {uri}: expected an answer, got {code}") from error


@contextmanager
def paying_clients_of_libraries() -> Iterator[None]:
    """Let the S3 clients that a library makes inside, as MLflow does, send the requester-pays flag with every request.

    They come from boto3's default session, which is another one inside.
    """
    import boto3

    def add_payer(params: dict[str, Any], **_: Any) -> None:
        params["headers"]["x-amz-request-payer"] = "requester"

    before, paying = boto3.DEFAULT_SESSION, boto3.Session()
    paying.events.register("before-call.s3", add_payer)
    boto3.DEFAULT_SESSION = paying
    try:
        yield
    finally:
        boto3.DEFAULT_SESSION = before


@contextmanager
def _write_errors(uri: str) -> Iterator[None]:
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (ClientError, BotoCoreError, Boto3Error) as error:
        raise CommitError(f"output {uri}: expected permission to write, got {_error_code(error)}") from error


@dataclass(frozen=True)
class S3Storage:
    """Objects of S3 or of a server that speaks its protocol."""

    settings: S3Settings

    @property
    def _s3(self) -> S3Client:
        return _client(self.settings.endpoint, self.settings.region, self.settings.expected_bucket_owner)

    def _owner(self) -> dict[str, Any]:
        owner = self.settings.expected_bucket_owner
        return {"ExpectedBucketOwner": owner} if owner else {}

    def _for_reading(self) -> dict[str, Any]:
        return self._owner() | ({"RequestPayer": "requester"} if self.settings.requester_pays else {})

    def _for_writing(self) -> dict[str, Any]:
        key = self.settings.kms_key_id
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {}
        return self._owner() | encryption

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """See Storage.list."""
        return self._list(prefix)

    def list_folder(self, prefix: str) -> Iterator[StoredObject]:
        """See Storage.list_folder: S3 itself passes over what lies deeper."""
        return self._list(prefix, Delimiter="/")

    def _list(self, prefix: str, **arguments: Any) -> Iterator[StoredObject]:
        bucket, key = locations.split_s3_uri(prefix)
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=key, **arguments, **self._for_reading()
        )
        with _read_errors(prefix):
            for page in pages:
                for item in page.get("Contents", []):
                    uri, modified = f"s3://{bucket}/{item['Key']}", item["LastModified"].timestamp()
                    yield StoredObject(uri, item["Size"], item["ETag"].strip('"'), modified)

    def stat(self, uri: str) -> StoredObject:
        """See Storage.stat."""
        bucket, key = locations.split_s3_uri(uri)
        with _read_errors(uri):
            head = self._s3.head_object(Bucket=bucket, Key=key, **self._for_reading())
        return StoredObject(uri, head["ContentLength"], head["ETag"].strip('"'), head["LastModified"].timestamp())

    def read(self, uri: str) -> bytes:
        """See Storage.read."""
        return self._read(uri)

    def read_range(self, source: StoredObject, start: int, stop: int) -> bytes:
        """See Storage.read_range: pinned by If-Match."""
        if stop <= start:
            return b""
        return self._read(source.uri, Range=f"bytes={start}-{stop - 1}", IfMatch=f'"{source.etag}"')

    def _read(self, uri: str, **arguments: Any) -> bytes:
        from botocore.exceptions import (
            ConnectionError as BotoConnectionError,
        )
        from botocore.exceptions import (
            FlexibleChecksumError,
            HTTPClientError,
            IncompleteReadError,
        )

        bucket, key = locations.split_s3_uri(uri)
        for attempt in range(1, _BODY_ATTEMPTS + 1):
            try:
                with _read_errors(uri):
                    answer = self._s3.get_object(Bucket=bucket, Key=key, **arguments, **self._for_reading())
                return answer["Body"].read()
            except (HTTPClientError, BotoConnectionError, IncompleteReadError, FlexibleChecksumError, OSError) as error:
                if attempt == _BODY_ATTEMPTS:
                    raise TransientReadError(
                        f"object {uri}: expected a whole body, got {type(error).__name__} {attempt} times"
                    ) from error
        raise AssertionError("unreachable")

    def put(self, uri: str, content: IO[bytes]) -> str:
        """See Storage.put: one PUT, or a multipart upload of a few parts at once for what is large or a stream."""
        from boto3.s3.transfer import TransferConfig

        bucket, key = locations.split_s3_uri(uri)
        size = content.seek(0, os.SEEK_END) if content.seekable() else None
        if size is not None:
            content.seek(0)
        with _write_errors(uri):
            if size is not None and size <= _SINGLE_PUT_BYTES:
                answer = self._s3.put_object(Bucket=bucket, Key=key, Body=content, **self._for_writing())
                return answer["ETag"].strip('"')
            self._s3.upload_fileobj(
                content,
                bucket,
                key,
                ExtraArgs=self._for_writing(),
                Config=TransferConfig(
                    multipart_threshold=_UPLOAD_PART_BYTES,
                    multipart_chunksize=_UPLOAD_PART_BYTES,
                    max_concurrency=2,
                ),
            )
            head = self._s3.head_object(Bucket=bucket, Key=key, **self._for_reading())
            return head["ETag"].strip('"')

    def put_new(self, uri: str, content: IO[bytes]) -> str:
        """See Storage.put_new: If-None-Match; 409 means that another writer is at it, so ask again."""
        from botocore.exceptions import ClientError

        bucket, key = locations.split_s3_uri(uri)
        for attempt in range(1, _CONFLICT_ATTEMPTS + 1):
            content.seek(0)
            try:
                with _write_errors(uri):
                    answer = self._s3.put_object(
                        Bucket=bucket, Key=key, Body=content, IfNoneMatch="*", **self._for_writing()
                    )
                return answer["ETag"].strip('"')
            except CommitError as error:
                code = _error_code(error.__cause__) if isinstance(error.__cause__, ClientError) else ""
                if code in _PRECONDITION:
                    raise ObjectExistsError(f"output {uri}: expected no object, got one") from error
                if code not in {"409", "ConditionalRequestConflict"} or attempt == _CONFLICT_ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    def delete(self, *uris: str) -> None:
        """See Storage.delete: a request for each thousand."""
        for start in range(0, len(uris), _DELETE_COUNT):
            some = uris[start : start + _DELETE_COUNT]
            bucket = locations.split_s3_uri(some[0])[0]
            keys = [{"Key": locations.split_s3_uri(uri)[1]} for uri in some]
            with _write_errors(some[0]):
                answer = self._s3.delete_objects(
                    Bucket=bucket,
                    Delete={"Objects": keys, "Quiet": True},  # type: ignore[typeddict-item] # plain dicts do
                    **self._owner(),
                )
            for fault in answer.get("Errors", []):
                key, code = fault.get("Key"), fault.get("Code")
                raise CommitError(f"output s3://{bucket}/{key}: expected permission to delete, got {code}")
