"""What follows a job on S3: proving it, cleaning up, and the next run over what is new."""

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from batchscore.commands.check import check_job
from batchscore.commands.clean import find_orphan_files, remove_orphan_files
from batchscore.commands.run import run_job
from batchscore.config.job_config import OutputConfig
from batchscore.errors import CommitError, InputError, ScoringError
from batchscore.storage.s3 import S3Storage
from tests.s3.loans import SCHEMA, Loans, json_of, keys_below, put_people
from tests.s3.proxy import Proxy, Script, after, refuse
from tests.s3.server import LISTING_PAGE_OBJECTS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from pyspark.sql import SparkSession

DAY = 24 * 3600
OWNER = "123456789012"


def output_config(bucket: str, proxy: Proxy, **s3: Any) -> OutputConfig:
    return OutputConfig.model_validate({"output": f"s3://{bucket}/out", "s3": {"endpoint": proxy.endpoint, **s3}})


def settings(loans: Loans, s3: "S3Client", bucket: str, proxy: Proxy, **keys: Any) -> dict[str, Any]:
    """Write a folder of one file; return the settings of its job ``bp-1``, through the proxy."""
    put_people(s3, bucket, "in/people.csv", 100, seed=6)
    s3.put_object(Bucket=bucket, Key="in/.schema", Body=SCHEMA)
    where = {"input": f"s3://{bucket}/in/", "output": f"s3://{bucket}/out", "split_bytes": 1000}
    return loans.settings(**({"id": "bp-1", **where, "s3": {"endpoint": proxy.endpoint}} | keys))


def test_a_folder_is_listed_without_what_lies_deeper(storage: S3Storage, s3: "S3Client", bucket: str) -> None:
    names = [f"{number}.json" for number in range(LISTING_PAGE_OBJECTS * 2)]
    for name in [*names, "deep/x.json", "deeper/down/y.json"]:
        s3.put_object(Bucket=bucket, Key=f"out/{name}", Body=b"12")
    s3.put_object(Bucket=bucket, Key="out-beside/z.json", Body=b"")

    listed = list(storage.list_folder(f"s3://{bucket}/out/"))

    assert [item.uri for item in listed] == [f"s3://{bucket}/out/{name}" for name in names]
    assert {item.size_in_bytes for item in listed} == {2}
    assert all(abs(item.modified_epoch_seconds - time.time()) < DAY for item in listed)
    assert listed[0] == storage.stat(listed[0].uri)
    assert list(storage.list_folder(f"s3://{bucket}/none/")) == []


@pytest.mark.parametrize("layout", ["parts", "amazon"])
def test_a_job_on_s3_is_proven_with_pinned_reads_that_carry_owner_and_payer(
    layout: str, loans: Loans, spark: "SparkSession", s3: "S3Client", bucket: str, proxy: Proxy
) -> None:
    run_job(loans.config(**settings(loans, s3, bucket, proxy, layout=layout)), spark)
    proxy.requests.clear()

    report = check_job(
        "bp-1", output_config(bucket, proxy, expected_bucket_owner=OWNER, requester_pays=True, region="us-east-1")
    )

    assert report.findings == []
    assert (report.records_read, report.tried["tags"]) == (100, 100)
    assert {request.method for request in proxy.requests} == {"GET", "HEAD"}
    for request in proxy.requests:
        assert request.headers.get("x-amz-expected-bucket-owner") == OWNER
        assert request.headers.get("x-amz-request-payer") == "requester"
    ranges = [request for request in proxy.seen("GET") if "range" in request.headers]
    assert any("/in/people.csv" in request.path for request in ranges)
    assert all("if-match" in request.headers for request in ranges)


def test_an_input_that_is_replaced_before_or_during_a_check_is_found(
    loans: Loans, spark: "SparkSession", s3: "S3Client", bucket: str, proxy: Proxy
) -> None:
    run_job(loans.config(**settings(loans, s3, bucket, proxy)), spark)

    def replace() -> None:
        put_people(s3, bucket, "in/people.csv", 100, seed=7)

    proxy.play("GET", "in/people.csv", after(replace), times=1)
    during = check_job("bp-1", output_config(bucket, proxy))
    afterwards = check_job("bp-1", output_config(bucket, proxy))

    assert {finding.proof for finding in during.findings} == {"records"}
    assert all("expected the object as planned" in finding.what for finding in during.findings)
    assert {finding.proof for finding in afterwards.findings} == {"inputs"}


@pytest.mark.parametrize(("method", "part"), [("GET", "/result/"), ("HEAD", "/in/")])
@pytest.mark.parametrize("script", [refuse(403, "AccessDenied"), refuse(400, "ExpiredToken")])
def test_a_check_that_may_not_read_does_not_say_that_the_result_is_wrong(
    method: str,
    part: str,
    script: Script,
    loans: Loans,
    spark: "SparkSession",
    s3: "S3Client",
    bucket: str,
    proxy: Proxy,
) -> None:
    run_job(loans.config(**settings(loans, s3, bucket, proxy)), spark)
    proxy.play(method, part, script)
    with pytest.raises(InputError) as raised:
        check_job("bp-1", output_config(bucket, proxy))
    assert raised.value.exit_code == 3


def test_new_inputs_asks_for_the_manifests_alone(
    loans: Loans, spark: "SparkSession", s3: "S3Client", bucket: str, proxy: Proxy
) -> None:
    keys = settings(loans, s3, bucket, proxy, mode="new_inputs")
    run_job(loans.config(**keys), spark)
    put_people(s3, bucket, "in/more.csv", 20, seed=8)
    proxy.requests.clear()

    summary = run_job(loans.config(**keys | {"id": "bp-2"}), spark)

    assert summary["TotalRecordCount"] == 20
    [item] = json_of(s3, f"s3://{bucket}/out/batch-prediction/bp-2.manifest.json")["inputs"]
    assert item["uri"] == f"s3://{bucket}/in/more.csv"
    assert proxy.seen("GET", "/result/") == []
    listings = [request for request in proxy.seen("GET", "list-type=2") if "result" in request.query]
    assert listings == []
    assert keys_below(s3, bucket, "out/batch-prediction/in-progress/") == []


def leave_unfinished(loans: Loans, spark: "SparkSession", proxy: Proxy, keys: dict[str, Any]) -> None:
    proxy.play("PUT", "bp-1.manifest.json", refuse(403, "AccessDenied"), times=1)
    with pytest.raises(CommitError):
        run_job(loans.config(**keys), spark)


def test_what_an_abandoned_job_left_is_removed_and_its_id_begins_anew(
    loans: Loans, spark: "SparkSession", s3: "S3Client", bucket: str, proxy: Proxy
) -> None:
    keys = settings(loans, s3, bucket, proxy)
    leave_unfinished(loans, spark, proxy, keys)
    config = output_config(bucket, proxy)
    left = [key for key in keys_below(s3, bucket, "out/batch-prediction/") if key.count("/") > 2]

    assert find_orphan_files(config, 7 * DAY, time.time() + 6 * DAY).objects == ()
    found = find_orphan_files(config, 7 * DAY, time.time() + 8 * DAY)
    assert sorted(item.uri.removeprefix(f"s3://{bucket}/") for item in found.objects) == left
    assert len(remove_orphan_files(config, found)) == len(left) > 2

    assert keys_below(s3, bucket, "out/batch-prediction/") == [
        f"out/batch-prediction/bp-1.{ending}" for ending in ("json", "log", "report.html")
    ]
    summary = run_job(loans.config(**keys), spark)
    assert (summary["Status"], summary["reused_part_count"]) == ("COMPLETED", 0)
    assert find_orphan_files(config, 7 * DAY, time.time() + 8 * DAY).objects == ()
    assert check_job("bp-1", config).findings == []


def test_a_job_that_goes_on_while_its_parts_are_removed_does_not_commit_without_them(
    loans: Loans, spark: "SparkSession", s3: "S3Client", bucket: str, proxy: Proxy
) -> None:
    keys = settings(loans, s3, bucket, proxy, split_bytes=200)
    leave_unfinished(loans, spark, proxy, keys)
    [part, *_] = keys_below(s3, bucket, "out/batch-prediction/result/")
    # The last receipt is read: by then the first part has been seen to be there.
    receipts = len(keys_below(s3, bucket, "out/batch-prediction/in-progress/"))
    proxy.play("GET", "/task-", after(lambda: s3.delete_object(Bucket=bucket, Key=part)), skip=receipts - 1, times=1)

    with pytest.raises(ScoringError, match=r"part .*: expected 1 parts to be there still, got none; run it again"):
        run_job(loans.config(**keys), spark)
    assert json_of(s3, f"s3://{bucket}/out/batch-prediction/bp-1.json")["Status"] == "FAILED"

    run_job(loans.config(**keys), spark)
    assert check_job("bp-1", output_config(bucket, proxy)).findings == []


def test_the_commands_work_on_s3(
    loans: Loans,
    spark: "SparkSession",
    s3: "S3Client",
    bucket: str,
    proxy: Proxy,
    run_cli: Callable[..., tuple[int, str]],
) -> None:
    run_job(loans.config(**settings(loans, s3, bucket, proxy)), spark)
    output = f"output=s3://{bucket}/out"
    code, text = run_cli("check", "bp-1", "--json", output)
    assert (code, json.loads(text)["ok"]) == (0, True)
    code, text = run_cli("clean", "--yes", output)
    assert (code, text) == (0, "nothing to clean\n")
    assert run_cli("check", "bp-2", output)[0] == 3
