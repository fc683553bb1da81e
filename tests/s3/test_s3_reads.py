"""Bodies that are not what was asked for, of stores and machines between that pass over what they are told."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from batchscore.errors import InputError, ObjectChangedError, TransientReadError
from batchscore.storage.s3 import S3Storage
from tests.s3.proxy import Answer, Forward, Proxy, Script, cut_body, strip

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONTENT = b"0123456789"


@pytest.fixture
def uri(s3: "S3Client", bucket: str) -> str:
    s3.put_object(Bucket=bucket, Key="a.csv", Body=CONTENT)
    return f"s3://{bucket}/a.csv"


def changed(change: Callable[[Answer], Answer]) -> Script:
    return lambda forward: change(forward())


def with_headers(answer: Answer, **headers: str | None) -> Answer:
    lower = {name.lower(): value for name, value in answer.headers.items()}
    new = lower | {name.replace("_", "-"): value for name, value in headers.items()}
    return replace(answer, headers={name: value for name, value in new.items() if value is not None})


def whole_object(answer: Answer) -> Answer:
    return replace(with_headers(answer, content_range=None), status=200, body=CONTENT)


def of_range(text: str | None) -> Script:
    return changed(lambda answer: with_headers(answer, content_range=text))


WRONG: dict[str, Script] = {
    "short": changed(lambda answer: replace(answer, body=answer.body[:-1])),
    "empty": changed(lambda answer: replace(answer, body=b"")),
    "long": changed(lambda answer: replace(answer, body=answer.body + b"x")),
    "cut": cut_body(1),
    "the whole object": changed(whole_object),
    "whole, as the store passes over Range": strip("range"),
    "another range": of_range("bytes 3-5/10"),
    "another total": of_range("bytes 2-4/11"),
    "no range": of_range(None),
    "no ETag": changed(lambda answer: with_headers(answer, etag=None)),
}


@pytest.mark.parametrize("script", WRONG.values(), ids=list(WRONG))
def test_a_range_that_is_not_what_was_asked_for_is_read_again(
    script: Script, storage: S3Storage, proxy: Proxy, uri: str
) -> None:
    source = storage.stat(uri)
    proxy.play("GET", "a.csv", script, times=4)

    assert storage.read_range(source, 2, 5) == b"234"
    assert proxy.unplayed() == []


@pytest.mark.parametrize("script", WRONG.values(), ids=list(WRONG))
def test_a_range_that_is_never_what_was_asked_for_is_a_transient_error(
    script: Script, storage: S3Storage, proxy: Proxy, uri: str
) -> None:
    source = storage.stat(uri)
    proxy.play("GET", "a.csv", script)

    with pytest.raises(TransientReadError, match=f"object {uri}: expected a whole body, got .* 5 times"):
        storage.read_range(source, 2, 5)
    with pytest.raises(TransientReadError):  # the end of the file is no excuse
        storage.read_range(source, 8, 10)


@pytest.mark.parametrize("content", [b"9876543210", b"98765432109876543210", b"987", b""])
@pytest.mark.parametrize("headers", [["if-match"], ["if-match", "range"]])
def test_an_object_that_was_replaced_is_noticed_where_the_store_passes_over_if_match(
    content: bytes, headers: list[str], storage: S3Storage, proxy: Proxy, s3: "S3Client", bucket: str, uri: str
) -> None:
    source = storage.stat(uri)
    s3.put_object(Bucket=bucket, Key="a.csv", Body=content)
    proxy.play("GET", "a.csv", strip(*headers))

    with pytest.raises(ObjectChangedError, match=f"input {uri}: expected the object as planned, got another version"):
        storage.read_range(source, 5, 8)


def test_a_weak_etag_of_the_same_object_is_the_same(storage: S3Storage, proxy: Proxy, uri: str) -> None:
    source = storage.stat(uri)
    proxy.play("GET", "a.csv", changed(lambda answer: with_headers(answer, etag=f'W/"{source.etag}"')))

    assert storage.read_range(source, 2, 5) == b"234"


def part_of_it(forward: Forward) -> Answer:
    answer = with_headers(forward(), x_amz_checksum_crc32=None, content_range="bytes 0-4/10")
    return replace(answer, status=206, body=answer.body[:5])


@pytest.mark.parametrize("script", [cut_body(4), part_of_it], ids=["cut", "a part"])
def test_a_whole_object_of_which_a_part_comes_is_read_again(
    script: Script, storage: S3Storage, proxy: Proxy, uri: str
) -> None:
    proxy.play("GET", "a.csv", script, times=4)
    assert storage.read(uri) == CONTENT

    proxy.play("GET", "a.csv", script)
    with pytest.raises(TransientReadError, match=uri):
        storage.read(uri)


def test_a_page_of_a_listing_that_is_cut_off_is_not_taken_for_the_last(
    storage: S3Storage, proxy: Proxy, s3: "S3Client", bucket: str
) -> None:
    for number in range(9):
        s3.put_object(Bucket=bucket, Key=f"in/{number}.csv", Body=b"")

    def without_token(answer: Answer) -> Answer:
        before, _, rest = answer.body.partition(b"<NextContinuationToken>")
        return replace(answer, body=before + rest.partition(b"</NextContinuationToken>")[2])

    def empty(answer: Answer) -> Answer:
        return replace(answer, body=b"<ListBucketResult></ListBucketResult>")

    for change in (without_token, empty):
        proxy.play("GET", "list-type=2", changed(change), skip=1, times=1)
        with pytest.raises(TransientReadError, match=f"listing s3://{bucket}/in/: expected a whole page"):
            list(storage.list(f"s3://{bucket}/in/"))


def test_an_object_without_an_etag_cannot_be_pinned_and_is_refused(storage: S3Storage, proxy: Proxy, uri: str) -> None:
    proxy.play("HEAD", "a.csv", changed(lambda answer: with_headers(answer, etag=None)))

    with pytest.raises(InputError, match=f"object {uri}: expected a size and an ETag"):
        storage.stat(uri)
