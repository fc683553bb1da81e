"""The server of the experiment on delay speaks as much of S3 as a job asks for."""

import io
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from bench.object_server import running_object_server

from batchscore.config.job_config import S3Settings
from batchscore.errors import ObjectExistsError, ObjectMissingError
from batchscore.storage.s3 import S3Storage


@pytest.fixture
def folder_storage(tmp_path: Path, aws_variables: dict[str, str]) -> Iterator[S3Storage]:  # noqa: ARG001 - read by the client
    """A storage whose buckets are the folders below the test's own."""
    with running_object_server(tmp_path, delay_seconds=0) as server:
        yield S3Storage(S3Settings(endpoint=server.endpoint))


def test_objects_are_listed_as_a_look_at_each_finds_them(tmp_path: Path, folder_storage: S3Storage) -> None:
    (tmp_path / "data" / "in").mkdir(parents=True)
    (tmp_path / "data" / "in" / "b & c.csv").write_bytes(b"id\n1\n")
    (tmp_path / "data" / "in" / "a.csv").write_bytes(b"id\n")
    (tmp_path / "data" / "other").write_bytes(b"")

    listed = list(folder_storage.list("s3://data/in/"))

    uris = ["s3://data/in/a.csv", "s3://data/in/b & c.csv"]
    assert [(item.uri, item.size_in_bytes) for item in listed] == [(uris[0], 3), (uris[1], 5)]
    assert listed == [folder_storage.stat(uri) for uri in uris]
    modified = [int((tmp_path / uri.removeprefix("s3://")).stat().st_mtime) for uri in uris]
    assert [item.modified_epoch_seconds for item in listed] == modified


def test_an_object_is_stored_once_where_none_may_be_in_place(tmp_path: Path, folder_storage: S3Storage) -> None:
    (tmp_path / "out").mkdir()

    folder_storage.put_new("s3://out/x", io.BytesIO(b"first"))
    with pytest.raises(ObjectExistsError):
        folder_storage.put_new("s3://out/x", io.BytesIO(b"second"))

    assert (tmp_path / "out" / "x").read_bytes() == b"first"
    assert folder_storage.read("s3://out/x") == b"first"


def test_an_object_that_is_not_there_is_missing(folder_storage: S3Storage) -> None:
    with pytest.raises(ObjectMissingError):
        folder_storage.stat("s3://out/none")


def test_what_hadoop_and_pyarrow_ask_for_is_answered(tmp_path: Path, aws_variables: dict[str, str]) -> None:  # noqa: ARG001
    (tmp_path / "out").mkdir()
    with running_object_server(tmp_path, delay_seconds=0) as server:
        client = boto3.client("s3", endpoint_url=server.endpoint)
        upload = client.create_multipart_upload(Bucket="out", Key="a/x")["UploadId"]
        for number in (2, 1):
            body = b"%d" % number
            client.upload_part(Bucket="out", Key="a/x", UploadId=upload, PartNumber=number, Body=body)
        client.complete_multipart_upload(Bucket="out", Key="a/x", UploadId=upload)
        client.copy_object(Bucket="out", Key="a/b/y", CopySource="out/a/x")
        client.put_object(Bucket="out", Key="a/empty/")
        folders = client.list_objects_v2(Bucket="out", Prefix="a/", Delimiter="/")
        first = client.list_objects_v2(Bucket="out", MaxKeys=2)
        rest = client.list_objects_v2(Bucket="out", ContinuationToken=first["NextContinuationToken"])
        client.delete_objects(Bucket="out", Delete={"Objects": [{"Key": "a/x"}, {"Key": "a/empty/"}]})

    assert (tmp_path / "out/a/b/y").read_bytes() == b"12"
    assert [item["Prefix"] for item in folders["CommonPrefixes"]] == ["a/b/", "a/empty/"]
    assert [item["Key"] for item in folders["Contents"]] == ["a/x"]
    pages = [[item["Key"] for item in page["Contents"]] for page in (first, rest)]
    assert pages == [["a/b/y", "a/empty/"], ["a/x"]]
    assert [path.name for path in (tmp_path / "out/a").iterdir()] == ["b"]
    assert server.asked.requests == {"POST": 3, "PUT": 4, "GET": 3}
