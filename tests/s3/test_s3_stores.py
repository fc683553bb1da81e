"""Stores as people have them: without some of what S3 does, with rights that lack, with objects in an archive."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from batchscore.commands.check import check_job
from batchscore.commands.run import run_job
from batchscore.config.job_config import OutputConfig, S3Settings
from batchscore.errors import CommitError, ConfigError, InputError
from batchscore.preflight.planner import load_model
from batchscore.storage import s3 as s3_module
from batchscore.storage import s3_client
from batchscore.storage.s3 import S3Storage
from tests.s3.loans import SCHEMA, Loans, keys_below, put_people
from tests.s3.proxy import Answer, Proxy, Request, Script, lose_answer, refuse, strip
from tests.s3.test_s3_storage import MIB, content_of, stream

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from pyspark.sql import SparkSession

Cli = Callable[..., tuple[int, str]]
DENIED = refuse(403, "AccessDenied")
UNHEEDED = strip("if-none-match")
TOLD = r"expected a create-only write \(If-None-Match\) to leave an object that is there, got it replaced"


# Removing


@pytest.mark.parametrize(
    ("status", "code"), [(400, "InvalidRequest"), (501, "NotImplemented"), (405, "MethodNotAllowed")]
)
def test_a_store_that_cannot_remove_many_at_once_removes_one_by_one(
    status: int, code: str, storage: S3Storage, proxy: Proxy, bucket: str
) -> None:
    uris = [f"s3://{bucket}/work/{number}" for number in range(20)]
    for uri in [*uris, f"s3://{bucket}/kept"]:
        storage.put(uri, io.BytesIO(b""))
    proxy.play("POST", "?delete", refuse(status, code))
    proxy.play("DELETE", "/work/7", refuse(404, "NoSuchKey"), skip=1)

    storage.delete(*uris)
    storage.delete(*uris)

    assert [item.uri for item in storage.list(f"s3://{bucket}/")] == [f"s3://{bucket}/kept"]


def test_what_may_not_be_removed_one_by_one_is_a_commit_error(storage: S3Storage, proxy: Proxy, bucket: str) -> None:
    proxy.play("POST", "?delete", refuse(501, "NotImplemented"))
    proxy.play("DELETE", "/work/1", DENIED)
    with pytest.raises(CommitError, match="AccessDenied"):
        storage.delete(f"s3://{bucket}/work/0", f"s3://{bucket}/work/1")


def test_a_removal_that_expired_credentials_refuse_is_not_asked_for_one_by_one(
    storage: S3Storage, proxy: Proxy, bucket: str
) -> None:
    proxy.play("POST", "?delete", refuse(400, "ExpiredToken"))
    with pytest.raises(CommitError, match="ExpiredToken"):
        storage.delete(f"s3://{bucket}/work/0")
    assert proxy.seen("DELETE") == []


# Checksums


def no_checksums(request: Request) -> Script | None:
    known = [name for name in request.headers if name.startswith(("x-amz-checksum-", "x-amz-sdk-checksum"))]
    return refuse(501, "NotImplemented") if known or "x-amz-trailer" in request.headers else None


@pytest.fixture
def simple_store(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Proxy:
    monkeypatch.setattr(s3_client, "_without_checksums", set())
    monkeypatch.setattr(s3_module, "_SINGLE_PUT_BYTES", 5 * MIB)
    monkeypatch.setattr(s3_module, "_UPLOAD_PART_BYTES", 5 * MIB)
    proxy.play_chosen(no_checksums)
    return proxy


def test_a_store_that_knows_no_checksums_is_asked_without_them(
    simple_store: Proxy, storage: S3Storage, s3: "S3Client", bucket: str
) -> None:
    uri, large = f"s3://{bucket}/a", bytes(6 * MIB)
    storage.put(uri, io.BytesIO(b"content"))
    storage.put_new(f"{uri}-new", io.BytesIO(b"new"))
    storage.put(f"{uri}-large", io.BytesIO(large))
    storage.put(f"{uri}-stream", stream([large]))
    source = storage.stat(uri)
    assert storage.read(uri) == storage.read_range(source, 0, 7) == b"content"
    assert content_of(s3, bucket, "a-new") == b"new"
    assert content_of(s3, bucket, "a-large") == content_of(s3, bucket, "a-stream") == large
    storage.delete(uri, f"{uri}-new")

    refused = [request for request in simple_store.requests if no_checksums(request)]
    assert [request.method for request in refused] == ["PUT", "POST"]  # the first write, and the removal of many
    assert keys_below(s3, bucket) == ["a-large", "a-stream"]


@pytest.mark.parametrize("first", ["read", "put_new", "put large"])
def test_whatever_a_store_without_checksums_is_asked_first_is_answered(
    first: str, simple_store: Proxy, storage: S3Storage, s3: "S3Client", bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=b"content")
    uri = f"s3://{bucket}/a"
    asks: dict[str, Callable[[], object]] = {
        "read": lambda: storage.read(uri),
        "put_new": lambda: storage.put_new(f"{uri}-new", io.BytesIO(b"new")),
        "put large": lambda: storage.put(f"{uri}-large", io.BytesIO(bytes(6 * MIB))),
    }
    assert asks[first]()
    assert simple_store.endpoint in s3_client._without_checksums


def test_a_store_that_answers_400_to_checksums_is_asked_without_them(
    storage: S3Storage, proxy: Proxy, s3: "S3Client", bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_client, "_without_checksums", set())
    proxy.play_chosen(lambda request: refuse(400, "InvalidArgument") if no_checksums(request) else None)
    storage.put_new(f"s3://{bucket}/a", io.BytesIO(b"content"))
    assert content_of(s3, bucket, "a") == storage.read(f"s3://{bucket}/a") == b"content"


def test_a_stream_that_a_store_without_checksums_refuses_can_be_written_the_next_time(
    simple_store: Proxy, storage: S3Storage, s3: "S3Client", bucket: str
) -> None:
    with pytest.raises(CommitError, match="AWS_REQUEST_CHECKSUM_CALCULATION=when_required"):
        storage.put(f"s3://{bucket}/a", stream([b"x" * MIB] * 8))
    storage.put(f"s3://{bucket}/a", stream([b"x" * MIB] * 8))
    assert content_of(s3, bucket, "a") == b"x" * MIB * 8
    assert simple_store.requests != []


def test_a_store_that_lacks_something_else_is_not_taken_for_one_without_checksums(
    proxy: Proxy, storage: S3Storage, bucket: str
) -> None:
    proxy.play("PUT", "/a", refuse(501, "NotImplemented"))
    with pytest.raises(
        CommitError, match=r"got NotImplemented; the store lacks something .*If-None-Match.*s3.kms_key_id"
    ):
        storage.put_new(f"s3://{bucket}/a", io.BytesIO(b"content"))
    storage.put(f"s3://{bucket}/b", io.BytesIO(b"content"))
    assert "x-amz-checksum-crc32" in proxy.seen("PUT", "/b")[0].headers


def test_a_model_is_fetched_from_a_store_without_checksums_whatever_was_asked_before(
    simple_store: Proxy, loans: Loans, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_S3_ENDPOINT_URL")
    config = loans.config(**job(loans, bucket, simple_store))
    assert load_model(config, tmp_path / "model").predictor.model_type == "binary"
    assert simple_store.seen("GET", "/models") != []


# Archived objects


def put_archived(s3: "S3Client", bucket: str, place: Any) -> None:
    put_people(s3, bucket, "in/a.csv", 10, seed=1)
    put_people(s3, bucket, "in/b.csv", 10, seed=2)
    s3.put_object(Bucket=bucket, Key="in/.schema", Body=SCHEMA)
    s3.copy_object(Bucket=bucket, Key="in/b.csv", CopySource=f"{bucket}/in/b.csv", StorageClass=place)


@pytest.mark.parametrize("place", ["GLACIER", "DEEP_ARCHIVE"])
def test_an_archived_input_is_told_with_the_ways_out_before_anything_is_written(
    place: str, loans: Loans, spark: "SparkSession", s3: "S3Client", bucket: str, proxy: Proxy, run_cli: Cli
) -> None:
    put_archived(s3, bucket, place)
    settings = job(loans, bucket, proxy)
    told = rf"{bucket}/in/b.csv: .*it is archived \({place}\); restore it, exclude it, or copy it to another"

    with pytest.raises(InputError, match=told) as raised:
        run_job(loans.config(**settings), spark)
    assert "s3:ListBucket" not in str(raised.value)
    code, text = verify(run_cli, s3, bucket, settings)

    assert (code, "it is archived" in text) == (3, True)
    assert keys_below(s3, bucket, "out/") == []
    s3.restore_object(Bucket=bucket, Key="in/b.csv", RestoreRequest={"Days": 1})
    assert run_job(loans.config(**settings), spark)["TotalRecordCount"] == 20


def test_an_object_in_a_tier_that_only_a_read_shows_is_archived_too(
    storage: S3Storage, proxy: Proxy, bucket: str
) -> None:
    body = (
        b"<Error><Code>InvalidObjectState</Code><Message>x</Message><StorageClass>INTELLIGENT_TIERING</StorageClass>"
        b"<AccessTier>ARCHIVE_ACCESS</AccessTier></Error>"
    )
    proxy.play("GET", "/a", lambda _: Answer(403, {"Content-Type": "application/xml"}, body))
    with pytest.raises(InputError, match=r"it is archived \(ARCHIVE_ACCESS\)"):
        storage.read(f"s3://{bucket}/a")


# Create-only writes, and rights


def job(loans: Loans, bucket: str, proxy: Proxy, **s3: Any) -> dict[str, Any]:
    where = {"input": f"s3://{bucket}/in/", "output": f"s3://{bucket}/out"}
    return loans.settings(id="bp-1", **where, s3={"endpoint": proxy.endpoint, **s3})


@pytest.fixture
def settings(loans: Loans, s3: "S3Client", bucket: str, proxy: Proxy) -> dict[str, Any]:
    put_people(s3, bucket, "in/a.csv", 10, seed=1)
    s3.put_object(Bucket=bucket, Key="in/.schema", Body=SCHEMA)
    return job(loans, bucket, proxy)


def verify(run_cli: Cli, s3: "S3Client", bucket: str, settings: dict[str, Any]) -> tuple[int, str]:
    s3.put_object(Bucket=bucket, Key="conf/job.yaml", Body=yaml.safe_dump(settings).encode())
    return run_cli("verify", "--json", "--config", f"s3://{bucket}/conf/job.yaml")


def probes(proxy: Proxy) -> int:
    return len(proxy.seen("PUT", ".writePermissionCheck-"))


def test_a_store_that_passes_over_create_only_writes_is_refused_and_nothing_is_left(
    settings: dict[str, Any],
    loans: Loans,
    spark: "SparkSession",
    s3: "S3Client",
    bucket: str,
    proxy: Proxy,
    run_cli: Cli,
) -> None:
    proxy.play("PUT", "", UNHEEDED)

    with pytest.raises(ConfigError, match=f"store of s3://{bucket}/out: {TOLD}.* set s3.create_only: assumed"):
        run_job(loans.config(**settings), spark)
    code, text = verify(run_cli, s3, bucket, settings)

    assert (code, "s3.create_only" in text) == (2, True)
    assert keys_below(s3, bucket, "out/") == []


def test_a_store_that_passes_over_create_only_writes_is_warned_of_where_that_is_assumed(
    settings: dict[str, Any],
    loans: Loans,
    spark: "SparkSession",
    s3: "S3Client",
    bucket: str,
    proxy: Proxy,
    run_cli: Cli,
) -> None:
    proxy.play("PUT", "", UNHEEDED)
    settings["s3"]["create_only"] = "assumed"

    code, text = verify(run_cli, s3, bucket, settings)
    [fault] = json.loads(text)["faults"]
    assert (code, fault["fatal"], "s3.create_only: assumed lets the job run" in fault["what"]) == (0, False, True)
    assert keys_below(s3, bucket, "out/") == []

    assert run_job(loans.config(**settings), spark)["Status"] == "COMPLETED"
    assert b"s3.create_only: assumed lets the job run" in content_of(s3, bucket, "out/batch-prediction/bp-1.log")


def test_a_store_is_tried_once_for_a_job_and_not_for_a_finished_one(
    settings: dict[str, Any], loans: Loans, spark: "SparkSession", s3: "S3Client", bucket: str, proxy: Proxy
) -> None:
    run_job(loans.config(**settings), spark)
    assert probes(proxy) == 2
    first_record = next(
        i for i, request in enumerate(proxy.requests) if "bp-1.json" in request.path and request.method == "PUT"
    )
    assert all(".writePermissionCheck-" not in request.path for request in proxy.requests[first_record:])
    assert keys_below(s3, bucket, "out/batch-prediction/in-progress/") == []

    assert run_job(loans.config(**settings), spark)["reported_again"] is True
    assert probes(proxy) == 2


def test_a_try_whose_answer_was_lost_is_no_fault_of_the_store(
    settings: dict[str, Any], loans: Loans, spark: "SparkSession", s3: "S3Client", bucket: str, proxy: Proxy
) -> None:
    proxy.play("PUT", ".writePermissionCheck-", lose_answer, times=1)
    assert run_job(loans.config(**settings), spark)["Status"] == "COMPLETED"
    assert keys_below(s3, bucket, "out/batch-prediction/in-progress/") == []


@pytest.mark.usefixtures("aws_variables")
@pytest.mark.parametrize(
    ("variable", "endpoint", "known"),
    [
        (None, None, True),
        (None, "https://s3.eu-west-1.amazonaws.com", True),
        (None, "https://bucket.vpce-1a2b3c4d.s3.eu-west-1.vpce.amazonaws.com", True),
        (None, "https://s3.dualstack.cn-north-1.amazonaws.com.cn", True),
        (None, "http://minio:9000", False),
        (None, "https://amazonaws.com.example.com", False),
        (None, "https://notamazonaws.com", False),
        ("AWS_ENDPOINT_URL", None, False),
        ("AWS_ENDPOINT_URL_S3", None, False),
        ("AWS_PROFILE", None, False),
    ],
)
def test_a_store_is_taken_for_aws_by_where_requests_go(
    variable: str | None, endpoint: str | None, known: bool, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
    (tmp_path / "config").write_text("[profile minio]\nendpoint_url = http://minio:9000\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", f"{tmp_path}/config")
    if variable:
        monkeypatch.setenv(variable, "minio" if variable == "AWS_PROFILE" else "http://minio:9000")
    storage = S3Storage(S3Settings(endpoint=endpoint, region="eu-west-1"))
    assert storage.is_create_only_known() is known


def may_not_remove(proxy: Proxy) -> None:
    proxy.play("POST", "?delete", DENIED)
    proxy.play("DELETE", "", DENIED)


def test_who_may_write_and_not_remove_is_told_so_runs_all_the_same_and_verify_leaves_nothing(
    settings: dict[str, Any],
    loans: Loans,
    spark: "SparkSession",
    s3: "S3Client",
    bucket: str,
    proxy: Proxy,
    run_cli: Cli,
) -> None:
    proxy.play("POST", "?delete", DENIED)

    code, text = verify(run_cli, s3, bucket, settings)

    faults = json.loads(text)["faults"]
    assert (code, [fault["fatal"] for fault in faults]) == (0, [False, False])
    assert "got AccessDenied; a job completes and leaves in-progress/" in faults[0]["what"]
    assert "a job tries them with its record" in faults[1]["what"]
    assert keys_below(s3, bucket, "out/") == []
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    may_not_remove(proxy)
    assert run_job(loans.config(**settings), spark)["Status"] == "COMPLETED"
    assert [key for key in keys_below(s3, bucket, "out/") if "writePermission" in key] == []
    assert check_job("bp-1", OutputConfig.model_validate(settings)).findings == []


def test_where_nothing_can_be_removed_the_record_shows_that_create_only_writes_are_passed_over(
    settings: dict[str, Any], loans: Loans, spark: "SparkSession", s3: "S3Client", bucket: str, proxy: Proxy
) -> None:
    may_not_remove(proxy)
    proxy.play("PUT", "", UNHEEDED)
    with pytest.raises(ConfigError, match=TOLD):
        run_job(loans.config(**settings), spark)
    assert keys_below(s3, bucket, "out/") == ["out/batch-prediction/bp-1.json"]


@pytest.mark.parametrize(
    ("method", "part", "code"),
    [
        ("HEAD", "/out/batch-prediction/", 3),
        ("PUT", "/out/batch-prediction/", 6),
        ("GET", "list-type=2&prefix=in", 3),
    ],
)
def test_verify_and_run_end_alike_without_a_right(
    method: str,
    part: str,
    code: int,
    settings: dict[str, Any],
    loans: Loans,
    spark: "SparkSession",
    s3: "S3Client",
    bucket: str,
    proxy: Proxy,
    run_cli: Cli,
) -> None:
    proxy.play(method, part, DENIED)
    with pytest.raises((InputError, CommitError)) as raised:
        run_job(loans.config(**settings), spark)
    assert raised.value.exit_code == code
    assert verify(run_cli, s3, bucket, settings)[0] == code
    assert keys_below(s3, bucket, "out/") == []


def test_who_may_neither_write_nor_remove_is_told_by_verify_as_by_run(
    settings: dict[str, Any],
    loans: Loans,
    spark: "SparkSession",
    s3: "S3Client",
    bucket: str,
    proxy: Proxy,
    run_cli: Cli,
) -> None:
    may_not_remove(proxy)
    for method in ("PUT", "POST"):
        proxy.play(method, "/out/", DENIED)
    assert verify(run_cli, s3, bucket, settings)[0] == 6
    with pytest.raises(CommitError):
        run_job(loans.config(**settings), spark)


def test_who_may_not_list_the_output_is_told_so_and_runs_all_the_same(
    settings: dict[str, Any],
    loans: Loans,
    spark: "SparkSession",
    s3: "S3Client",
    bucket: str,
    proxy: Proxy,
    run_cli: Cli,
) -> None:
    def listings_of_the_output(request: Request) -> Script | None:
        return DENIED if "list-type=2" in request.query and "prefix=out" in request.query else None

    proxy.play_chosen(listings_of_the_output)
    code, text = verify(run_cli, s3, bucket, settings)
    [fault] = json.loads(text)["faults"]
    assert (code, fault["fatal"]) == (0, False)
    assert run_job(loans.config(**settings), spark)["Status"] == "COMPLETED"
    output = ["--config", f"s3://{bucket}/conf/job.yaml"]
    assert run_cli("clean", *output)[0] == 3


def test_a_check_object_that_cannot_be_removed_at_last_is_told_by_name(
    settings: dict[str, Any], s3: "S3Client", bucket: str, proxy: Proxy, run_cli: Cli
) -> None:
    proxy.play("POST", "?delete", DENIED, skip=1)
    code, text = verify(run_cli, s3, bucket, settings)
    assert (code, "/in-progress/.writePermissionCheck-" in text) == (6, True)
