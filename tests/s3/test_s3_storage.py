import io
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import IO, TYPE_CHECKING, Any, cast

import pytest

from batchscore.commit.commit_manifest import commit_manifest
from batchscore.config.job_config import S3Settings
from batchscore.errors import (
    AlreadyCommittedError,
    CommitError,
    CredentialsError,
    InputError,
    ObjectChangedError,
    ObjectExistsError,
    ObjectMissingError,
    TransientReadError,
)
from batchscore.storage import s3 as s3_module
from batchscore.storage.base import StoredObject
from batchscore.storage.s3 import S3Storage
from tests.broken import BreaksAtRead
from tests.s3.proxy import Answer, Forward, Proxy, cut_body, land_and_drop, lose_answer, refuse
from tests.s3.server import LISTING_PAGE_OBJECTS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MIB = 1024 * 1024
ODD_NAMES = ["a b.csv", "50%.csv", "a+b.csv", "#1.csv", "what?.csv", "Grüße/日本.csv", "x=1&y=2.csv", "a%20b.csv"]


class _Stream(io.RawIOBase):
    """Bytes that can only be read on, as the joined parts; it may break after its last chunk."""

    def __init__(self, chunks: list[bytes], broken_by: Exception | None = None) -> None:
        self._chunks = chunks
        self._broken_by = broken_by

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._chunks:
            if self._broken_by:
                raise self._broken_by
            return 0
        chunk = self._chunks.pop(0)
        taken, rest = chunk[: len(buffer)], chunk[len(buffer) :]
        buffer[: len(taken)] = taken
        self._chunks[:0] = [rest] if rest else []
        return len(taken)


def stream(chunks: list[bytes], broken_by: Exception | None = None) -> IO[bytes]:
    return cast("IO[bytes]", io.BufferedReader(_Stream(chunks, broken_by)))


def content_of(s3: "S3Client", bucket: str, key: str) -> bytes:
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Multipart uploads from 5 MiB, the smallest part that S3 takes."""
    monkeypatch.setattr(s3_module, "_SINGLE_PUT_BYTES", 5 * MIB)
    monkeypatch.setattr(s3_module, "_UPLOAD_PART_BYTES", 5 * MIB)


# Listing, stat


def test_a_listing_of_several_pages_is_whole_and_in_key_order(
    storage: S3Storage, proxy: Proxy, s3: "S3Client", bucket: str
) -> None:
    numbers = [7, 2, 10, 0, 5, 9, 1, 3, 8, 4, 6]
    for number in numbers:
        s3.put_object(Bucket=bucket, Key=f"in/{number}.csv", Body=b"x" * number)
    s3.put_object(Bucket=bucket, Key="in-beside/0.csv", Body=b"")

    found = list(storage.list(f"s3://{bucket}/in/"))

    assert [item.uri for item in found] == sorted(f"s3://{bucket}/in/{number}.csv" for number in numbers)
    assert [item.size_in_bytes for item in found] == [0, 1, 10, 2, 3, 4, 5, 6, 7, 8, 9]
    pages = -(-len(numbers) // LISTING_PAGE_OBJECTS)
    assert len(proxy.seen("GET", bucket)) == pages
    assert pages > 1


def test_a_prefix_without_objects_lists_nothing(storage: S3Storage, bucket: str) -> None:
    assert list(storage.list(f"s3://{bucket}/none/")) == []


def test_a_listing_and_stat_tell_the_same_of_an_object(storage: S3Storage, bucket: str) -> None:
    etag = storage.put(f"s3://{bucket}/in/a.csv", io.BytesIO(b"content"))

    stored = storage.stat(f"s3://{bucket}/in/a.csv")

    assert stored == StoredObject(f"s3://{bucket}/in/a.csv", 7, etag)
    assert list(storage.list(f"s3://{bucket}/")) == [stored]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_an_odd_name_is_written_listed_read_and_removed_as_it_is(storage: S3Storage, bucket: str, name: str) -> None:
    uri = f"s3://{bucket}/in/{name}"
    storage.put(uri, io.BytesIO(name.encode()))

    (stored,) = storage.list(f"s3://{bucket}/in/")

    assert stored.uri == uri
    assert storage.stat(uri) == stored
    assert storage.read(uri) == name.encode()
    assert storage.read_range(stored, 0, 3) == name.encode()[:3]
    storage.delete(uri)
    assert list(storage.list(f"s3://{bucket}/in/")) == []


# Reading


def test_a_range_is_read_of_the_version_that_was_listed(
    storage: S3Storage, proxy: Proxy, s3: "S3Client", bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="a.csv", Body=b"0123456789")
    source = storage.stat(f"s3://{bucket}/a.csv")

    assert storage.read_range(source, 2, 5) == b"234"
    assert storage.read_range(source, 8, 10) == b"89"
    assert [request.headers["range"] for request in proxy.seen("GET")] == ["bytes=2-4", "bytes=8-9"]
    assert {request.headers["if-match"] for request in proxy.seen("GET")} == {f'"{source.etag}"'}


def test_an_empty_range_needs_no_request(storage: S3Storage, proxy: Proxy, bucket: str) -> None:
    assert storage.read_range(StoredObject(f"s3://{bucket}/a.csv", 0, "any"), 0, 0) == b""
    assert proxy.requests == []


@pytest.mark.parametrize("replacement", [b"9876543210", b"longer than it was", b"short"])
def test_a_range_of_an_object_that_was_replaced_is_an_error_that_names_it(
    storage: S3Storage, s3: "S3Client", bucket: str, replacement: bytes
) -> None:
    s3.put_object(Bucket=bucket, Key="a.csv", Body=b"0123456789")
    source = storage.stat(f"s3://{bucket}/a.csv")
    s3.put_object(Bucket=bucket, Key="a.csv", Body=replacement)

    with pytest.raises(ObjectChangedError, match=f"s3://{bucket}/a.csv"):
        storage.read_range(source, 2, 5)


def test_what_is_missing_is_named(storage: S3Storage, s3: "S3Client", bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="gone.csv", Body=b"0123456789")
    gone = storage.stat(f"s3://{bucket}/gone.csv")
    s3.delete_object(Bucket=bucket, Key="gone.csv")
    no_bucket = f"s3://{bucket}-none/a.csv"
    reads: list[tuple[str, Callable[[], object]]] = [
        (gone.uri, lambda: storage.read(gone.uri)),
        (gone.uri, lambda: storage.stat(gone.uri)),
        (gone.uri, lambda: storage.read_range(gone, 2, 5)),
        (no_bucket, lambda: storage.read(no_bucket)),
        (no_bucket, lambda: storage.stat(no_bucket)),
        (f"s3://{bucket}-none/", lambda: list(storage.list(f"s3://{bucket}-none/"))),
    ]
    for uri, read in reads:
        with pytest.raises(ObjectMissingError, match=uri):
            read()


def test_a_body_that_is_cut_is_read_again(storage: S3Storage, proxy: Proxy, s3: "S3Client", bucket: str) -> None:
    content = bytes(range(256)) * 4096
    s3.put_object(Bucket=bucket, Key="a.csv", Body=content)
    source = storage.stat(f"s3://{bucket}/a.csv")
    proxy.play("GET", "a.csv", cut_body(100_000), times=2)

    assert storage.read_range(source, 1000, 900_000) == content[1000:900_000]
    assert len(proxy.seen("GET")) == 3
    assert {request.headers["if-match"] for request in proxy.seen("GET")} == {f'"{source.etag}"'}


def test_a_body_that_is_cut_every_time_is_a_transient_error(
    storage: S3Storage, proxy: Proxy, s3: "S3Client", bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="a.csv", Body=b"0123456789" * 1000)
    source = storage.stat(f"s3://{bucket}/a.csv")
    proxy.play("GET", "a.csv", cut_body(5000))

    with pytest.raises(TransientReadError, match=source.uri):
        storage.read_range(source, 0, 10_000)


def test_an_object_replaced_between_a_cut_body_and_the_next_try_is_noticed(
    storage: S3Storage, proxy: Proxy, s3: "S3Client", bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="a.csv", Body=b"0123456789" * 1000)
    source = storage.stat(f"s3://{bucket}/a.csv")

    def cut_and_replace(forward: Forward) -> Answer:
        answer = cut_body(5000)(forward)
        s3.put_object(Bucket=bucket, Key="a.csv", Body=b"9876543210" * 1000)
        return answer

    proxy.play("GET", "a.csv", cut_and_replace, times=1)

    with pytest.raises(ObjectChangedError):
        storage.read_range(source, 0, 10_000)


def test_a_body_that_does_not_match_its_checksum_is_read_again(
    storage: S3Storage, proxy: Proxy, s3: "S3Client", bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="a.csv", Body=b"0123456789", ChecksumAlgorithm="SHA256")

    def damage(forward: Forward) -> Answer:
        answer = forward()
        assert any(name.lower() == "x-amz-checksum-sha256" for name in answer.headers)
        return Answer(answer.status, answer.headers, b"01234X6789")

    proxy.play("GET", "a.csv", damage, times=1)

    assert storage.read(f"s3://{bucket}/a.csv") == b"0123456789"


def test_throttling_is_retried(storage: S3Storage, proxy: Proxy, s3: "S3Client", bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a.csv", Body=b"0123456789")
    proxy.play("GET", "a.csv", refuse(503, "SlowDown"), times=1)

    assert storage.read(f"s3://{bucket}/a.csv") == b"0123456789"


# Writing


def test_a_small_file_is_one_put_that_replaces_what_was_there(
    storage: S3Storage, proxy: Proxy, s3: "S3Client", bucket: str
) -> None:
    uri = f"s3://{bucket}/out/a.gz"
    storage.put(uri, io.BytesIO(b"before"))
    file = io.BytesIO(b"content")
    file.seek(3)

    etag = storage.put(uri, file)

    assert content_of(s3, bucket, "out/a.gz") == b"content"
    assert storage.stat(uri).etag == etag
    assert [request.method for request in proxy.requests[:2]] == ["PUT", "PUT"]


@pytest.mark.usefixtures("small_parts")
def test_a_large_file_is_a_multipart_upload(storage: S3Storage, proxy: Proxy, s3: "S3Client", bucket: str) -> None:
    content = bytes(range(256)) * (11 * 4096)

    etag = storage.put(f"s3://{bucket}/out/a.gz", io.BytesIO(content))

    assert content_of(s3, bucket, "out/a.gz") == content
    assert len(proxy.seen("PUT")) == 3
    assert len(proxy.seen("POST")) == 2
    assert storage.stat(f"s3://{bucket}/out/a.gz").etag == etag


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize(("chunks", "puts"), [(0, 1), (3, 1), (11, 3)])
def test_a_stream_that_cannot_seek_is_written_whole(
    storage: S3Storage, proxy: Proxy, s3: "S3Client", bucket: str, chunks: int, puts: int
) -> None:
    content = [bytes([number]) * MIB for number in range(chunks)]

    etag = storage.put(f"s3://{bucket}/out/a.gz", stream(list(content)))

    assert content_of(s3, bucket, "out/a.gz") == b"".join(content)
    assert len(proxy.seen("PUT")) == puts
    assert storage.stat(f"s3://{bucket}/out/a.gz").etag == etag


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("chunks", [1, 8])
def test_a_stream_that_breaks_leaves_nothing_and_keeps_its_error(
    storage: S3Storage, s3: "S3Client", bucket: str, chunks: int
) -> None:
    broken = ObjectChangedError("part replaced")

    with pytest.raises(ObjectChangedError, match="part replaced"):
        storage.put(f"s3://{bucket}/out/a.gz", stream([b"x" * MIB] * chunks, broken))

    assert list(storage.list(f"s3://{bucket}/")) == []
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_many_objects_are_removed_by_few_requests(
    storage: S3Storage, proxy: Proxy, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_module, "_DELETE_COUNT", 3)
    uris = [f"s3://{bucket}/work/{number}" for number in range(7)]
    for uri in [*uris, f"s3://{bucket}/kept"]:
        storage.put(uri, io.BytesIO(b""))

    storage.delete(*uris)

    assert [item.uri for item in storage.list(f"s3://{bucket}/")] == [f"s3://{bucket}/kept"]
    assert len(proxy.seen("POST", "?delete")) == 3


def test_an_object_that_may_not_be_removed_among_others_is_named(storage: S3Storage, proxy: Proxy, bucket: str) -> None:
    refused = b"<DeleteResult><Error><Key>work/1</Key><Code>AccessDenied</Code></Error></DeleteResult>"
    proxy.play("POST", "?delete", lambda _: Answer(200, {"Content-Type": "application/xml"}, refused))

    with pytest.raises(CommitError, match=f"s3://{bucket}/work/1: expected permission to delete, got AccessDenied"):
        storage.delete(f"s3://{bucket}/work/0", f"s3://{bucket}/work/1")


def test_nothing_to_remove_needs_no_request(storage: S3Storage, proxy: Proxy) -> None:
    storage.delete()
    assert proxy.requests == []


def test_removing_what_is_not_there_is_no_error(storage: S3Storage, bucket: str) -> None:
    storage.delete(f"s3://{bucket}/none")


# Create-only writes


def test_a_second_create_only_write_finds_the_first(storage: S3Storage, s3: "S3Client", bucket: str) -> None:
    uri = f"s3://{bucket}/bp-1.manifest.json"
    etag = storage.put_new(uri, io.BytesIO(b"first"))

    with pytest.raises(ObjectExistsError, match=uri):
        storage.put_new(uri, io.BytesIO(b"second"))

    assert content_of(s3, bucket, "bp-1.manifest.json") == b"first"
    assert storage.stat(uri).etag == etag


def test_of_many_create_only_writers_one_wins(storage: S3Storage, s3: "S3Client", bucket: str) -> None:
    writers = 12
    start = threading.Barrier(writers)
    list(storage.list(f"s3://{bucket}/"))  # makes the client that the writers share

    def write(number: int) -> int | None:
        start.wait(timeout=30)
        try:
            storage.put_new(f"s3://{bucket}/bp-1.manifest.json", io.BytesIO(f"writer {number}".encode()))
        except ObjectExistsError:
            return None
        return number

    with ThreadPoolExecutor(writers) as pool:
        winners = [number for number in pool.map(write, range(writers)) if number is not None]

    assert len(winners) == 1
    assert content_of(s3, bucket, "bp-1.manifest.json") == f"writer {winners[0]}".encode()


def test_a_conflict_with_another_writer_is_tried_again(
    storage: S3Storage, proxy: Proxy, s3: "S3Client", bucket: str
) -> None:
    proxy.play("PUT", "bp-1", refuse(409, "ConditionalRequestConflict"), times=2)

    storage.put_new(f"s3://{bucket}/bp-1.manifest.json", io.BytesIO(b"mine"))

    assert content_of(s3, bucket, "bp-1.manifest.json") == b"mine"
    assert {request.headers["if-none-match"] for request in proxy.seen("PUT")} == {"*"}


def test_a_create_only_write_from_a_file_sends_it_whole_at_each_attempt(
    storage: S3Storage, proxy: Proxy, s3: "S3Client", bucket: str
) -> None:
    proxy.play("PUT", "bp-1", refuse(409, "ConditionalRequestConflict"), times=1)
    lines = (b"%07d\n" % number for number in range(2**17))

    with tempfile.TemporaryFile() as file:
        file.writelines(lines)
        storage.put_new(f"s3://{bucket}/bp-1.manifest.json", file)

    content = content_of(s3, bucket, "bp-1.manifest.json")
    assert (len(content), content[:8], content[-8:]) == (2**20, b"0000000\n", b"%07d\n" % (2**17 - 1))
    assert {request.headers["if-none-match"] for request in proxy.seen("PUT")} == {"*"}


def test_a_create_only_write_whose_file_breaks_leaves_nothing(storage: S3Storage, s3: "S3Client", bucket: str) -> None:
    with pytest.raises(OSError, match="broken"):
        storage.put_new(f"s3://{bucket}/bp-1.manifest.json", BreaksAtRead(bytes(10_000_000), 3))

    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_a_conflict_that_does_not_end_is_a_commit_error(storage: S3Storage, proxy: Proxy, bucket: str) -> None:
    proxy.play("PUT", "bp-1", refuse(409, "ConditionalRequestConflict"))

    with pytest.raises(CommitError, match="ConditionalRequestConflict") as raised:
        storage.put_new(f"s3://{bucket}/bp-1.manifest.json", io.BytesIO(b"mine"))

    assert raised.value.exit_code == 6


def test_a_commit_whose_answer_was_lost_has_succeeded(
    storage: S3Storage, proxy: Proxy, s3: "S3Client", bucket: str
) -> None:
    proxy.play("PUT", "bp-1", lose_answer, times=1)

    commit_manifest(storage, f"s3://{bucket}/bp-1.manifest.json", io.BytesIO(b"mine"))

    assert content_of(s3, bucket, "bp-1.manifest.json") == b"mine"
    assert len(proxy.seen("PUT")) == 2


def test_a_commit_after_anothers_is_already_committed(storage: S3Storage, s3: "S3Client", bucket: str) -> None:
    uri = f"s3://{bucket}/bp-1.manifest.json"
    commit_manifest(storage, uri, io.BytesIO(b"another's"))

    with pytest.raises(AlreadyCommittedError, match=uri) as raised:
        commit_manifest(storage, uri, io.BytesIO(b"mine"))

    assert raised.value.exit_code == 7
    assert content_of(s3, bucket, "bp-1.manifest.json") == b"another's"


# Rights


Operation = Callable[[S3Storage, str], object]
READS: dict[str, Operation] = {
    "list": lambda storage, uri: list(storage.list(uri + "/")),
    "stat": lambda storage, uri: storage.stat(uri),
    "read": lambda storage, uri: storage.read(uri),
    "read_range": lambda storage, uri: storage.read_range(StoredObject(uri, 9, "etag"), 0, 9),
}
WRITES: dict[str, Operation] = {
    "put": lambda storage, uri: storage.put(uri, io.BytesIO(b"content")),
    "put large": lambda storage, uri: storage.put(uri, io.BytesIO(b"x" * 6 * MIB)),
    "put stream": lambda storage, uri: storage.put(uri, stream([b"x" * MIB] * 6)),
    "put_new": lambda storage, uri: storage.put_new(uri, io.BytesIO(b"content")),
    "delete": lambda storage, uri: storage.delete(uri),
}


@pytest.mark.parametrize("operation", READS.values(), ids=list(READS))
def test_a_connection_that_breaks_at_every_try_is_a_transient_error(
    storage: S3Storage, proxy: Proxy, bucket: str, operation: Operation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))  # between its tries
    for method in ("GET", "HEAD"):
        proxy.play(method, "", land_and_drop)

    with pytest.raises(TransientReadError, match=r"expected an answer, got \w+Error"):
        operation(storage, f"s3://{bucket}/a.csv")


def refuse_all(proxy: Proxy, status: int, code: str) -> None:
    for method in ("GET", "HEAD", "PUT", "POST"):
        proxy.play(method, "", refuse(status, code))


@pytest.mark.parametrize("operation", READS.values(), ids=list(READS))
@pytest.mark.parametrize("code", ["AccessDenied", "InvalidObjectState"])
def test_a_refused_read_is_an_input_error_that_another_try_would_not_mend(
    storage: S3Storage, proxy: Proxy, bucket: str, operation: Operation, code: str
) -> None:
    refuse_all(proxy, 403, code)

    with pytest.raises(InputError, match=f"object s3://{bucket}/a.csv/?: expected permission to read, got") as raised:
        operation(storage, f"s3://{bucket}/a.csv")

    assert raised.value.exit_code == 3
    assert not isinstance(raised.value, TransientReadError)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("operation", WRITES.values(), ids=list(WRITES))
def test_a_refused_write_is_a_commit_error(storage: S3Storage, proxy: Proxy, bucket: str, operation: Operation) -> None:
    refuse_all(proxy, 403, "AccessDenied")

    with pytest.raises(
        CommitError, match=f"output s3://{bucket}/a.gz: expected permission to write, got AccessDenied"
    ) as raised:
        operation(storage, f"s3://{bucket}/a.gz")

    assert raised.value.exit_code == 6
    assert not isinstance(raised.value, ObjectExistsError)


def test_a_write_to_a_missing_bucket_is_a_commit_error_that_says_so(storage: S3Storage, bucket: str) -> None:
    with pytest.raises(CommitError, match=f"s3://{bucket}-none/a.gz.*NoSuchBucket"):
        storage.put(f"s3://{bucket}-none/a.gz", io.BytesIO(b"content"))


def test_without_credentials_the_errors_say_so(
    storage: S3Storage, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    found_none = "credentials of profile default: expected to find some, got none"
    with pytest.raises(CredentialsError, match=found_none):
        storage.read(f"s3://{bucket}/a.csv")
    with pytest.raises(CredentialsError, match=found_none):
        storage.put(f"s3://{bucket}/a.csv", io.BytesIO(b"content"))


# Headers


@pytest.fixture
def all_operations(proxy: Proxy, s3: "S3Client", bucket: str, small_parts: None) -> Callable[[S3Settings], None]:  # noqa: ARG001
    """Do everything once that a storage can do."""

    def run(settings: S3Settings) -> None:
        storage = S3Storage(settings.model_copy(update={"endpoint": proxy.endpoint}))
        for number in range(LISTING_PAGE_OBJECTS + 1):
            s3.put_object(Bucket=bucket, Key=f"in/{number}.csv", Body=b"0123456789")
        source = next(iter(list(storage.list(f"s3://{bucket}/in/"))))
        storage.stat(source.uri)
        storage.read(source.uri)
        storage.read_range(source, 0, 5)
        storage.put(f"s3://{bucket}/out/small", io.BytesIO(b"content"))
        storage.put(f"s3://{bucket}/out/large", io.BytesIO(b"x" * 6 * MIB))
        storage.put(f"s3://{bucket}/out/stream", stream([b"x" * MIB] * 6))
        storage.put_new(f"s3://{bucket}/out/new", io.BytesIO(b"content"))
        storage.delete(f"s3://{bucket}/out/new")

    return run


def test_every_request_carries_the_expected_bucket_owner(
    proxy: Proxy, all_operations: Callable[[S3Settings], None]
) -> None:
    all_operations(S3Settings(expected_bucket_owner="123456789012"))

    without = [request for request in proxy.requests if "x-amz-expected-bucket-owner" not in request.headers]
    assert without == []
    assert {request.headers["x-amz-expected-bucket-owner"] for request in proxy.requests} == {"123456789012"}
    assert {request.method for request in proxy.requests} == {"GET", "HEAD", "PUT", "POST"}


def test_everything_that_is_written_is_encrypted_with_the_key(
    proxy: Proxy, s3: "S3Client", bucket: str, all_operations: Callable[[S3Settings], None]
) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-0000-4000-8000-000000000000"

    all_operations(S3Settings(kms_key_id=key))

    creations = [request for request in proxy.seen("PUT") if "partNumber" not in request.query]
    creations += [request for request in proxy.seen("POST") if "uploads" in request.query]
    assert len(creations) == 4
    for request in creations:
        assert request.headers["x-amz-server-side-encryption"] == "aws:kms", request
        assert request.headers["x-amz-server-side-encryption-aws-kms-key-id"] == key, request
    assert s3.head_object(Bucket=bucket, Key="out/large")["SSEKMSKeyId"] == key


def test_every_read_pays_for_itself_if_asked_to(proxy: Proxy, all_operations: Callable[[S3Settings], None]) -> None:
    all_operations(S3Settings(requester_pays=True))

    reads = proxy.seen("GET") + proxy.seen("HEAD")
    assert [request for request in reads if request.headers.get("x-amz-request-payer") != "requester"] == []
    assert len(reads) >= 7


def test_without_settings_no_such_header_is_sent(proxy: Proxy, all_operations: Callable[[S3Settings], None]) -> None:
    all_operations(S3Settings())

    names: Iterator[str] = (name for request in proxy.requests for name in request.headers)
    assert {"x-amz-expected-bucket-owner", "x-amz-request-payer", "x-amz-server-side-encryption"}.isdisjoint(names)
