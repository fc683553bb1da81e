"""Objects of S3, or of a server that speaks its protocol; with the other s3 modules alone it knows boto3.

Every request carries the expected bucket owner, every read the requester-pays flag, and every write the encryption
asked for. botocore retries whole requests; only the body of a read is retried here, as in s3transfer, since botocore
does not.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from batchscore.config.globs import Glob
from batchscore.config.job_config import S3Settings
from batchscore.config.uris import split_s3_uri
from batchscore.errors import CommitError, InputError, ObjectExistsError, TransientReadError
from batchscore.storage.base import StoredObject
from batchscore.storage.s3_bodies import WrongBodyError, checked_body, etag_of, length_of_range, whole_length
from batchscore.storage.s3_client import Answer, ask, client_for, forgotten_if_refused, is_of_aws
from batchscore.storage.s3_errors import (
    is_conflict,
    is_missing,
    is_precondition_failed,
    knows_no_bulk_delete,
    read_errors,
    write_errors,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_BODY_ATTEMPTS = 5
_CONFLICT_ATTEMPTS = 5
_DELETE_COUNT = 1000
_DELETE_THREADS = 8
_SINGLE_PUT_BYTES = 64 * 1024 * 1024
_UPLOAD_PART_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class S3Storage:
    """Objects of S3 or of a server that speaks its protocol."""

    settings: S3Settings

    def _ask(self, operation: Callable[[S3Client], Answer], *, repeatable: bool = True) -> Answer:
        return ask(self.settings, operation, repeatable=repeatable)

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

    def list_glob(self, glob: Glob) -> Iterator[StoredObject]:
        """See Storage.list_glob: what begins as the glob does, without what lies deeper where it cannot match there."""
        listed = self._list(glob.prefix, **({"Delimiter": "/"} if glob.is_flat else {}))
        return (item for item in listed if glob.matches(item.uri))

    def names_in_folder(self, prefix: str) -> Sequence[str]:
        """See Storage.names_in_folder: those of one page, as many as a page has."""
        bucket, key = split_s3_uri(prefix)
        with read_errors(prefix):
            page = self._ask(
                lambda s3: s3.list_objects_v2(Bucket=bucket, Prefix=key, Delimiter="/", **self._for_reading())
            )
        keys = [item["Key"] for item in page.get("Contents", [])]
        keys += [item["Prefix"] for item in page.get("CommonPrefixes", [])]
        return sorted(name for item in keys if (name := item.removeprefix(key)))

    def _list(self, prefix: str, **arguments: Any) -> Iterator[StoredObject]:
        bucket, key = split_s3_uri(prefix)
        client = client_for(self.settings)
        with read_errors(prefix), forgotten_if_refused(client):
            asked = client.get_paginator("list_objects_v2")
            pages = asked.paginate(Bucket=bucket, Prefix=key, **arguments, **self._for_reading())
            for page in pages:
                if "IsTruncated" not in page or (page["IsTruncated"] and not page.get("NextContinuationToken")):
                    raise TransientReadError(f"listing {prefix}: expected a whole page, got a part of one")
                for item in page.get("Contents", []):
                    yield _stored(f"s3://{bucket}/{item['Key']}", item.get("Size"), item)

    def stat(self, uri: str) -> StoredObject:
        """See Storage.stat."""
        bucket, key = split_s3_uri(uri)
        with read_errors(uri):
            head = self._ask(lambda s3: s3.head_object(Bucket=bucket, Key=key, **self._for_reading()))
        return _stored(uri, head.get("ContentLength"), head)

    def read(self, uri: str) -> bytes:
        """See Storage.read."""
        return self._read(uri, whole_length)

    def read_range(self, source: StoredObject, start: int, stop: int) -> bytes:
        """See Storage.read_range: pinned by If-Match, and by the answer's ETag, since not every store heeds that."""
        if stop <= start:
            return b""

        def length(answer: Mapping[str, Any]) -> int:
            return length_of_range(answer, source, start, stop)

        return self._read(source.uri, length, Range=f"bytes={start}-{stop - 1}", IfMatch=f'"{source.etag}"')

    def _read(self, uri: str, length: Callable[[Mapping[str, Any]], int | None], **arguments: Any) -> bytes:
        """Return the body of an answer, of the length that ``length`` finds it must have; None is any."""
        from botocore.exceptions import ConnectionError as BotoConnectionError
        from botocore.exceptions import FlexibleChecksumError, HTTPClientError, IncompleteReadError

        bucket, key = split_s3_uri(uri)
        broken = (HTTPClientError, BotoConnectionError, IncompleteReadError, FlexibleChecksumError, OSError)
        for attempt in range(1, _BODY_ATTEMPTS + 1):
            try:
                with read_errors(uri):
                    answer = self._ask(
                        lambda s3: s3.get_object(Bucket=bucket, Key=key, **arguments, **self._for_reading())
                    )
                return checked_body(answer, length)
            except (*broken, WrongBodyError) as error:
                got = str(error) if isinstance(error, WrongBodyError) else type(error).__name__
                if attempt == _BODY_ATTEMPTS:
                    raise TransientReadError(
                        f"object {uri}: expected a whole body, got {got} {attempt} times"
                    ) from error
        raise AssertionError("unreachable")

    def put(self, uri: str, content: IO[bytes], content_type: str | None = None) -> str:
        """See Storage.put: one PUT, or a multipart upload of a few parts at once for what is large or a stream."""
        bucket, key = split_s3_uri(uri)
        size = content.seek(0, os.SEEK_END) if content.seekable() else None
        told = self._for_writing() | ({"ContentType": content_type} if content_type else {})

        def write(s3: S3Client) -> str:
            if size is not None:
                content.seek(0)
                if size <= _SINGLE_PUT_BYTES:
                    answer = s3.put_object(Bucket=bucket, Key=key, Body=content, **told)
                    return etag_of(answer.get("ETag"))
            _upload(s3, content, bucket, key, told)
            head = s3.head_object(Bucket=bucket, Key=key, **self._for_reading())
            return etag_of(head.get("ETag"))

        with write_errors(uri):
            return self._ask(write, repeatable=size is not None)

    def put_new(self, uri: str, content: IO[bytes]) -> str:
        """See Storage.put_new: If-None-Match; 409 means that another writer is at it, so ask again."""
        bucket, key = split_s3_uri(uri)

        def write(s3: S3Client) -> str:
            content.seek(0)
            answer = s3.put_object(Bucket=bucket, Key=key, Body=content, IfNoneMatch="*", **self._for_writing())
            return etag_of(answer.get("ETag"))

        for attempt in range(1, _CONFLICT_ATTEMPTS + 1):
            try:
                with write_errors(uri):
                    return self._ask(write)
            except CommitError as error:
                if is_precondition_failed(error.__cause__):
                    raise ObjectExistsError(f"output {uri}: expected no object, got one") from error
                if not is_conflict(error.__cause__) or attempt == _CONFLICT_ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    def is_create_only_known(self) -> bool:
        """See Storage.is_create_only_known: AWS itself honours If-None-Match."""
        return is_of_aws(self.settings)

    def check_writable(self, uri: str) -> None:
        """See Storage.check_writable: an upload that is begun needs the same right, and is given up without a trace."""
        bucket, key = split_s3_uri(uri)

        def begin_and_give_up(s3: S3Client) -> None:
            upload = s3.create_multipart_upload(Bucket=bucket, Key=key, **self._for_writing())
            s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload["UploadId"], **self._owner())

        with write_errors(uri):
            self._ask(begin_and_give_up)

    def delete(self, *uris: str) -> None:
        """See Storage.delete: a request for each thousand, or for each where a store knows no other."""
        from botocore.exceptions import ClientError

        client = client_for(self.settings)
        for start in range(0, len(uris), _DELETE_COUNT):
            some = uris[start : start + _DELETE_COUNT]
            with write_errors(some[0]), forgotten_if_refused(client):
                try:
                    self._delete_together(client, some)
                except ClientError as error:
                    if not knows_no_bulk_delete(error):
                        raise
                    self._delete_singly(client, some)

    def _delete_together(self, client: S3Client, uris: Sequence[str]) -> None:
        bucket = split_s3_uri(uris[0])[0]
        keys = [{"Key": split_s3_uri(uri)[1]} for uri in uris]
        answer = client.delete_objects(
            Bucket=bucket,
            Delete={"Objects": keys, "Quiet": True},  # type: ignore[typeddict-item] # plain dicts do
            **self._owner(),
        )
        for fault in answer.get("Errors", []):
            key, code = fault.get("Key"), fault.get("Code")
            raise CommitError(f"output s3://{bucket}/{key}: expected permission to delete, got {code}")

    def _delete_singly(self, client: S3Client, uris: Sequence[str]) -> None:
        from botocore.exceptions import ClientError

        def delete(uri: str) -> None:
            bucket, key = split_s3_uri(uri)
            try:
                client.delete_object(Bucket=bucket, Key=key, **self._owner())
            except ClientError as error:
                if not is_missing(error):  # S3 itself does not tell, others do
                    raise

        with ThreadPoolExecutor(_DELETE_THREADS, thread_name_prefix="delete") as pool:
            list(pool.map(delete, uris))


def _upload(s3: S3Client, content: IO[bytes], bucket: str, key: str, arguments: dict[str, Any]) -> None:
    from boto3.s3.transfer import TransferConfig

    config = TransferConfig(
        multipart_threshold=_UPLOAD_PART_BYTES, multipart_chunksize=_UPLOAD_PART_BYTES, max_concurrency=2
    )
    s3.upload_fileobj(content, bucket, key, ExtraArgs=arguments, Config=config)


def _stored(uri: str, size: int | None, answer: Mapping[str, Any]) -> StoredObject:
    etag, modified = etag_of(answer.get("ETag")), answer.get("LastModified")
    if size is None or not etag:
        raise InputError(f"object {uri}: expected a size and an ETag to know it by, got none")
    return StoredObject(uri, size, etag, modified.timestamp() if modified else 0.0)
