"""Whole jobs with inputs, schema, model files and outputs on S3."""

import gzip
import hashlib
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from batchscore.commands.check import check_job
from batchscore.commands.run import run_job
from batchscore.config.job_config import OutputConfig
from batchscore.errors import (
    AlreadyCommittedError,
    BatchScoreError,
    CommitError,
    ConfigError,
    ObjectChangedError,
)
from tests.processes import running_cli
from tests.s3.loans import SCHEMA, Loans, content_of, joined_text, json_of, keys_below, make_people, put_people
from tests.s3.proxy import Proxy, after, cut_body, lose_answer, refuse

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from pyspark.sql import SparkSession

Cli = Callable[..., tuple[int, str]]


# Layouts


def test_a_file_of_several_splits_gives_its_parts_in_input_order(
    loans: Loans, spark: "SparkSession", s3: "S3Client", bucket: str, run_cli: Cli
) -> None:
    people = put_people(s3, bucket, "in/people.csv", 400, seed=2)
    s3.put_object(Bucket=bucket, Key="in/people.csv.schema", Body=SCHEMA)
    source = s3.head_object(Bucket=bucket, Key="in/people.csv")
    config = loans.config(id="bp-1", input=f"s3://{bucket}/in/people.csv", output=f"s3://{bucket}", split_bytes=2000)

    summary = run_job(config, spark)

    folder = f"s3://{bucket}/batch-prediction"
    result = f"{folder}/result/bp-1-people.csv/"
    assert json_of(s3, f"{folder}/bp-1.manifest") == {f"s3://{bucket}/in/people.csv": result}
    (item,) = json_of(s3, f"{folder}/bp-1.manifest.json")["inputs"]
    parts = item["parts"]
    count = -(-source["ContentLength"] // 2000)
    assert count > 3
    assert [part["uri"] for part in parts] == [f"{result}part-{number:05d}.csv.gz" for number in range(count)]
    assert [part["byte_range"] for part in parts] == [
        [start, min(start + 2000, source["ContentLength"])] for start in range(0, source["ContentLength"], 2000)
    ]
    assert (item["uri"], item["file_size_in_bytes"]) == (f"s3://{bucket}/in/people.csv", source["ContentLength"])
    assert item["etag"] == source["ETag"].strip('"')
    assert sum(part["record_count"] for part in parts) == 400
    for part in parts:
        content = content_of(s3, part["uri"])
        assert (part["file_size_in_bytes"], part["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
        key = part["uri"].removeprefix(f"s3://{bucket}/")
        assert part["etag"] == s3.head_object(Bucket=bucket, Key=key)["ETag"].strip('"')
    loans.check(joined_text(s3, [part["uri"] for part in parts]), people)
    endings = (".json", ".log", ".manifest", ".manifest.json", ".profile.json", ".report.html")
    beside = [f"bp-1{ending}" for ending in endings]
    assert keys_below(s3, bucket, "batch-prediction/") == [
        *(f"batch-prediction/{name}" for name in beside),
        *(part["uri"].removeprefix(f"s3://{bucket}/") for part in parts),
    ]
    check_completed(s3, f"{folder}/bp-1.json", summary, total=400)
    check_reported(config.output, run_cli)
    again = run_job(config, spark)
    assert again["reported_again"]
    assert again["TotalRecordCount"] == 400


def check_completed(s3: "S3Client", record_uri: str, summary: dict[str, Any], total: int) -> None:
    record = json_of(s3, record_uri)
    assert (record["Status"], record["TotalRecordCount"], record["InvalidRecordCount"]) == ("COMPLETED", total, 0)
    assert record["MLModelId"] == "models:/loans/1"
    assert {name: summary[name] for name in ("Status", "FinishedAt", "OutputUri")}.items() <= record.items()
    assert b"completed" in content_of(s3, record["LogUri"])


def check_reported(output: str, run_cli: Cli) -> None:
    code, text = run_cli("describe", "bp-1", "--json", f"output={output}")
    assert (code, json.loads(text)["Status"]) == (0, "COMPLETED")
    code, text = run_cli("list", "--json", f"output={output}")
    assert (code, [record["BatchPredictionId"] for record in json.loads(text)]) == (0, ["bp-1"])
    assert run_cli("describe", "bp-2", f"output={output}")[0] == 3


def test_the_amazon_layout_joins_the_parts_of_each_input_under_one_header(
    loans: Loans, spark: "SparkSession", s3: "S3Client", new_bucket: Callable[[], str]
) -> None:
    source, target = new_bucket(), new_bucket()
    long = put_people(s3, source, "in/long.csv", 300, seed=3)
    short = put_people(s3, source, "in/short.csv", 50, seed=4)
    s3.put_object(Bucket=source, Key="schemas/people", Body=SCHEMA)
    settings = loans.settings(input=f"s3://{source}/in/", schema=f"s3://{source}/schemas/people", split_bytes=2500)
    output = f"s3://{target}/out/"

    summary = run_job(loans.config(**settings, id="bp-a", output=output, layout="amazon"), spark)
    run_job(loans.config(**settings, id="bp-p", output=output), spark)

    folder = f"s3://{target}/out/batch-prediction"
    assert json_of(s3, f"{folder}/bp-a.manifest") == {
        f"s3://{source}/in/long.csv": f"{folder}/result/bp-a-long.csv.gz",
        f"s3://{source}/in/short.csv": f"{folder}/result/bp-a-short.csv.gz",
    }
    joined = json_of(s3, f"{folder}/bp-a.manifest.json")["inputs"]
    in_parts = json_of(s3, f"{folder}/bp-p.manifest.json")["inputs"]
    assert len(in_parts[0]["parts"]) > 1
    for item, apart, people in zip(joined, in_parts, (long, short), strict=True):
        (part,) = item["parts"]
        content = content_of(s3, part["uri"])
        text = gzip.decompress(content).decode()
        assert text == joined_text(s3, [part["uri"] for part in apart["parts"]])
        loans.check(text, people)
        assert part["uri"] == item["result"]
        assert part["byte_range"] == [0, item["file_size_in_bytes"]]
        assert (part["record_count"], part["file_size_in_bytes"]) == (len(people), len(content))
        assert part["sha256"] == hashlib.sha256(content).hexdigest()
        key = part["uri"].removeprefix(f"s3://{target}/")
        assert part["etag"] == s3.head_object(Bucket=target, Key=key)["ETag"].strip('"')
    assert keys_below(s3, target, "out/batch-prediction/result/bp-a-") == [
        "out/batch-prediction/result/bp-a-long.csv.gz",
        "out/batch-prediction/result/bp-a-short.csv.gz",
    ]
    assert keys_below(s3, target, "out/batch-prediction/in-progress/") == []
    check_completed(s3, f"{folder}/bp-a.json", summary, total=350)


def test_every_object_below_a_prefix_is_scored_under_its_encoded_name_or_told_as_skipped(
    loans: Loans, spark: "SparkSession", s3: "S3Client", bucket: str
) -> None:
    names = {
        "#1.csv": "%231.csv",
        "50%.csv": "50%25.csv",
        "Grüße/日本.csv": "Gr%C3%BC%C3%9Fe/%E6%97%A5%E6%9C%AC.csv",
        "a b.csv": "a%20b.csv",
        "a%20b.csv": "a%2520b.csv",
        "a+b.csv": "a%2Bb.csv",
        "full/": "full%2F",
        "north/x.csv": "north/x.csv",
        "south/deep/x.csv": "south/deep/x.csv",
        "south/x.csv": "south/x.csv",
        "x=1&y=2?.csv": "x%3D1%26y%3D2%3F.csv",
    }
    people = {name: put_people(s3, bucket, f"in/{name}", 30, seed) for seed, name in enumerate(names)}
    skipped = {"": "folder marker", ".schema": "schema", "north/": "folder marker", "notes.txt": "excluded by *.txt"}
    for name, reason in skipped.items():
        s3.put_object(Bucket=bucket, Key=f"in/{name}", Body=SCHEMA if reason == "schema" else b"")
    config = loans.config(
        id="odd", input=f"s3a://{bucket}/in/", output=f"s3://{bucket}/out", layout="amazon", exclude="*.txt"
    )

    summary = run_job(config, spark)

    result = f"s3://{bucket}/out/batch-prediction/result/odd-"
    manifest = json_of(s3, f"s3://{bucket}/out/batch-prediction/odd.manifest")
    assert manifest == {f"s3://{bucket}/in/{name}": f"{result}{encoded}.gz" for name, encoded in names.items()}
    for name, encoded in names.items():
        loans.check(gzip.decompress(content_of(s3, f"{result}{encoded}.gz")).decode(), people[name])
    extended = json_of(s3, f"s3://{bucket}/out/batch-prediction/odd.manifest.json")
    assert [item["uri"] for item in extended["inputs"]] == [f"s3://{bucket}/in/{name}" for name in names]
    assert extended["skipped"] == [
        {"uri": f"s3://{bucket}/in/{name}", "reason": reason} for name, reason in skipped.items()
    ]
    assert summary["TotalRecordCount"] == 30 * len(names)


# Headers


def test_a_whole_job_sends_owner_key_and_payer_wherever_they_belong(
    loans: Loans, spark: "SparkSession", s3: "S3Client", bucket: str, proxy: Proxy
) -> None:
    people = put_people(s3, bucket, "in/people.csv", 300, seed=5)
    s3.put_object(Bucket=bucket, Key="in/.schema", Body=SCHEMA)
    key = "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-0000-4000-8000-000000000000"
    settings = {
        "endpoint": proxy.endpoint,
        "region": "us-east-1",
        "kms_key_id": key,
        "expected_bucket_owner": "123456789012",
        "requester_pays": True,
    }
    where = {"input": f"s3://{bucket}/in/", "output": f"s3://{bucket}/out"}

    run_job(loans.config(id="bp-1", **where, layout="amazon", split_bytes=2000, s3=settings), spark)

    assert {request.method for request in proxy.requests} == {"GET", "HEAD", "PUT", "POST"}
    without_owner = [
        request for request in proxy.requests if request.headers.get("x-amz-expected-bucket-owner") != "123456789012"
    ]
    assert without_owner == []
    writes = proxy.seen("PUT")
    assert [
        request for request in writes if request.headers.get("x-amz-server-side-encryption-aws-kms-key-id") != key
    ] == []
    reads = proxy.seen("GET") + proxy.seen("HEAD")
    assert [request for request in reads if request.headers.get("x-amz-request-payer") != "requester"] == []
    ranges = proxy.seen("GET", "in/people.csv")
    pinned = [request for request in ranges if "range" in request.headers]
    assert len(pinned) > 3
    assert all("if-match" in request.headers for request in pinned)
    result = f"s3://{bucket}/out/batch-prediction/result/bp-1-people.csv.gz"
    loans.check(gzip.decompress(content_of(s3, result)).decode(), people)


# Faults on the way


def one_file_job(loans: Loans, s3: "S3Client", bucket: str, proxy: Proxy, **keys: Any) -> dict[str, Any]:
    """Write one file of people; return the settings of its job ``bp-1``, through the proxy."""
    put_people(s3, bucket, "in/people.csv", 100, seed=6)
    s3.put_object(Bucket=bucket, Key="in/people.csv.schema", Body=SCHEMA)
    where = {"input": f"s3://{bucket}/in/people.csv", "output": f"s3://{bucket}/out"}
    return loans.settings(id="bp-1", **where, s3={"endpoint": proxy.endpoint}, **keys)


def check_failed(s3: "S3Client", bucket: str, message: str) -> None:
    record = json_of(s3, f"s3://{bucket}/out/batch-prediction/bp-1.json")
    assert record["Status"] == "FAILED"
    assert message in record["Message"]
    assert b"failed" in content_of(s3, record["LogUri"])
    assert [key for key in keys_below(s3, bucket, "out/") if ".manifest" in key] == []


@pytest.mark.parametrize("size", [100, 50])
def test_an_input_replaced_after_planning_fails_the_job_by_its_name(
    loans: Loans, spark: "SparkSession", s3: "S3Client", bucket: str, proxy: Proxy, size: int
) -> None:
    settings = one_file_job(loans, s3, bucket, proxy)

    def replace() -> None:
        put_people(s3, bucket, "in/people.csv", size, seed=7)

    proxy.play("PUT", "bp-1.json", after(replace), times=1)

    with pytest.raises(ObjectChangedError, match=f"s3://{bucket}/in/people.csv") as raised:
        run_job(loans.config(**settings), spark)

    assert raised.value.exit_code == 3
    check_failed(s3, bucket, f"input s3://{bucket}/in/people.csv: expected the object as planned")


def test_an_input_that_may_not_be_read_fails_the_job_by_its_name(
    loans: Loans, spark: "SparkSession", s3: "S3Client", bucket: str, proxy: Proxy
) -> None:
    settings = one_file_job(loans, s3, bucket, proxy)
    proxy.play("GET", "in/people.csv", refuse(403, "AccessDenied"), skip=2)  # for the schema, and the driver's look

    with pytest.raises(BatchScoreError, match=f"s3://{bucket}/in/people.csv: expected permission to read") as raised:
        run_job(loans.config(**settings), spark)

    assert raised.value.exit_code == 3
    check_failed(s3, bucket, "expected permission to read, got AccessDenied")


def test_a_job_that_could_not_commit_goes_on_from_its_parts(
    loans: Loans, spark: "SparkSession", s3: "S3Client", bucket: str, proxy: Proxy
) -> None:
    settings = one_file_job(loans, s3, bucket, proxy, split_bytes=1000)
    proxy.play("PUT", "bp-1.manifest.json", refuse(403, "AccessDenied"), times=1)

    with pytest.raises(CommitError, match=r"bp-1.manifest.json: expected permission to write") as raised:
        run_job(loans.config(**settings), spark)

    assert raised.value.exit_code == 6
    check_failed(s3, bucket, "expected permission to write, got AccessDenied")
    parts_written = len(proxy.seen("PUT", "/result/"))
    summary = run_job(loans.config(**settings), spark)
    assert summary["Status"] == "COMPLETED"
    assert summary["reused_part_count"] == summary["part_count"] == parts_written
    assert len(proxy.seen("PUT", "/result/")) == parts_written


def test_a_job_whose_writes_lose_their_answers_and_whose_reads_break_completes(
    loans: Loans, spark: "SparkSession", s3: "S3Client", bucket: str, proxy: Proxy
) -> None:
    settings = one_file_job(loans, s3, bucket, proxy)
    for name in ("bp-1.json", "bp-1.manifest.json", "bp-1-people.csv/part-00000.csv.gz"):
        proxy.play("PUT", name, lose_answer, times=1)
    proxy.play("GET", "in/people.csv", cut_body(700), times=2)

    summary = run_job(loans.config(**settings), spark)

    assert proxy.unplayed() == []
    assert summary["Status"] == "COMPLETED"
    part = f"s3://{bucket}/out/batch-prediction/result/bp-1-people.csv/part-00000.csv.gz"
    loans.check(joined_text(s3, [part]), make_people(100, seed=6))


def test_a_job_that_may_not_remove_its_work_files_completes_all_the_same(
    loans: Loans, spark: "SparkSession", s3: "S3Client", bucket: str, proxy: Proxy
) -> None:
    settings = one_file_job(loans, s3, bucket, proxy)
    proxy.play("POST", "?delete", refuse(403, "AccessDenied"))

    assert run_job(loans.config(**settings), spark)["Status"] == "COMPLETED"
    assert json_of(s3, f"s3://{bucket}/out/batch-prediction/bp-1.json")["Status"] == "COMPLETED"
    assert keys_below(s3, bucket, "out/batch-prediction/in-progress/") != []


# Two runs of one id


def test_of_two_processes_with_one_id_that_commit_at_once_one_wins_and_the_other_says_so(
    loans: Loans, spark: "SparkSession", s3: "S3Client", bucket: str, proxy: Proxy, tmp_path: Path
) -> None:
    people = put_people(s3, bucket, "in/people.csv", 200, seed=8)
    s3.put_object(Bucket=bucket, Key="in/people.csv.schema", Body=SCHEMA)
    where = {"input": f"s3://{bucket}/in/people.csv", "output": f"s3://{bucket}/out"}
    settings = loans.settings(id="race", **where, split_bytes=1500, s3={"endpoint": proxy.endpoint})
    other = settings | {"spark": {"spark.master": "local[1]", "spark.ui.enabled": False}}
    s3.put_object(Bucket=bucket, Key="conf/job.yaml", Body=yaml.safe_dump(other).encode())
    one_is_there, both_are_there = threading.Event(), threading.Barrier(2)

    def wait_for_the_other() -> None:
        one_is_there.set()
        both_are_there.wait(timeout=50)

    proxy.play("PUT", "race.manifest.json", after(wait_for_the_other), times=2)

    with running_cli("run", "--config", f"s3://{bucket}/conf/job.yaml", errors=tmp_path / "errors") as process:
        while not one_is_there.wait(timeout=0.1):
            assert process.poll() is None, (tmp_path / "errors").read_text()
        code = 0
        try:
            run_job(loans.config(**settings), spark)
        except AlreadyCommittedError as error:
            code = error.exit_code
        process.wait(timeout=60)

    shown = (tmp_path / "errors").read_text()
    assert sorted([code, process.returncode]) == [0, 7], shown
    assert ("AlreadyCommittedError" in shown) == (process.returncode == 7)
    folder = f"s3://{bucket}/out/batch-prediction"
    assert json_of(s3, f"{folder}/race.manifest") == {where["input"]: f"{folder}/result/race-people.csv/"}
    parts = json_of(s3, f"{folder}/race.manifest.json")["inputs"][0]["parts"]
    for part in parts:
        assert hashlib.sha256(content_of(s3, part["uri"])).hexdigest() == part["sha256"]
    loans.check(joined_text(s3, [part["uri"] for part in parts]), people)
    assert json_of(s3, f"{folder}/race.json")["Status"] == "COMPLETED"
    output = OutputConfig.model_validate({"output": where["output"], "s3": {"endpoint": proxy.upstream}})
    assert check_job("race", output).findings == []
    assert keys_below(s3, bucket, "out/batch-prediction/in-progress/") == []


def test_a_run_overtaken_by_another_before_it_joins_its_parts_is_already_committed(
    loans: Loans, spark: "SparkSession", s3: "S3Client", bucket: str, proxy: Proxy
) -> None:
    config = loans.config(**one_file_job(loans, s3, bucket, proxy, layout="amazon", split_bytes=1000))
    others: list[dict[str, Any]] = []
    proxy.play(
        "HEAD", "in-progress/bp-1/parts-people.csv/part-", after(lambda: others.append(run_job(config, spark))), times=1
    )

    with pytest.raises(AlreadyCommittedError) as raised:
        run_job(config, spark)

    assert raised.value.exit_code == 7
    assert [other["Status"] for other in others] == ["COMPLETED"]
    assert json_of(s3, f"s3://{bucket}/out/batch-prediction/bp-1.json")["Status"] == "COMPLETED"
    manifest = json_of(s3, f"s3://{bucket}/out/batch-prediction/bp-1.manifest.json")
    (part,) = manifest["inputs"][0]["parts"]
    assert hashlib.sha256(content_of(s3, part["uri"])).hexdigest() == part["sha256"]


def test_a_run_overtaken_while_it_scores_leaves_neither_work_files_nor_another_record(
    loans: Loans, spark: "SparkSession", s3: "S3Client", bucket: str, proxy: Proxy
) -> None:
    config = loans.config(**one_file_job(loans, s3, bucket, proxy))
    others: list[dict[str, Any]] = []
    proxy.play("PUT", "/result/", after(lambda: others.append(run_job(config, spark))), times=1)

    with pytest.raises(AlreadyCommittedError):
        run_job(config, spark)

    assert [other["Status"] for other in others] == ["COMPLETED"]
    assert json_of(s3, f"s3://{bucket}/out/batch-prediction/bp-1.json")["Status"] == "COMPLETED"
    assert keys_below(s3, bucket, "out/batch-prediction/in-progress/") == []


def test_a_run_that_starts_as_another_completes_leaves_the_record_completed(
    loans: Loans, spark: "SparkSession", s3: "S3Client", bucket: str, proxy: Proxy
) -> None:
    config = loans.config(**one_file_job(loans, s3, bucket, proxy))
    others: list[dict[str, Any]] = []
    # The first write creates the record, the second says INPROGRESS.
    proxy.play("PUT", "bp-1.json", after(lambda: others.append(run_job(config, spark))), skip=1, times=1)

    with pytest.raises(AlreadyCommittedError):
        run_job(config, spark)

    record = json_of(s3, f"s3://{bucket}/out/batch-prediction/bp-1.json")
    assert (record["Status"], record["TotalRecordCount"]) == ("COMPLETED", 100)
    assert [other["Status"] for other in others] == ["COMPLETED"]


# Before the job


def test_verify_finds_a_good_job_ready_and_leaves_nothing(
    loans: Loans, s3: "S3Client", bucket: str, proxy: Proxy, run_cli: Cli
) -> None:
    settings = one_file_job(loans, s3, bucket, proxy)
    s3.put_object(Bucket=bucket, Key="conf/job.yaml", Body=yaml.safe_dump(settings).encode())

    code, text = run_cli("verify", "--json", "--config", f"s3a://{bucket}/conf/job.yaml")

    review = json.loads(text)
    assert (code, review["ready"], review["faults"], review["estimated_records"]) == (0, True, [], 100)
    assert keys_below(s3, bucket, "out/") == []
    assert len(proxy.seen("PUT", ".writePermissionCheck-")) == 2


def test_a_configuration_that_is_not_there_is_a_configuration_error(bucket: str, run_cli: Cli) -> None:
    assert run_cli("verify", "--config", f"s3://{bucket}/none.yaml")[0] == 2
    assert run_cli("verify", "--config", f"s3://{bucket}-none/none.yaml")[0] == 2


def refuse_writes(proxy: Proxy) -> None:
    proxy.play("PUT", "", refuse(403, "AccessDenied"))


def refuse_ranges(proxy: Proxy) -> None:
    proxy.play("GET", "in/people.csv", refuse(403, "AccessDenied"), skip=1)  # the first reads the schema


def refuse_stat(proxy: Proxy) -> None:
    proxy.play("HEAD", "", refuse(403, "AccessDenied"))


@pytest.mark.parametrize(
    ("fault", "changed", "code", "found"),
    [
        (None, {"input": "s3://no-such-bucket/in/"}, 3, [("input", "s3://no-such-bucket/in/")]),
        (None, {"input": "s3://no-such-bucket/in/a.csv"}, 3, [("input", "s3://no-such-bucket/in/a.csv")]),
        (None, {"output": "s3://no-such-bucket/out"}, 6, [("output", "s3://no-such-bucket/out/")]),
        (
            None,
            {"input": "s3://no-such-bucket/in/", "output": "s3://no-such-bucket/out"},
            3,  # as run, which reads before it writes
            [("output", "s3://no-such-bucket/out/"), ("input", "s3://no-such-bucket/in/")],
        ),
        (None, {"schema": "s3://no-such-bucket/schema"}, 3, [("input", "s3://no-such-bucket/schema")]),
        (refuse_writes, {}, 6, [("output", "AccessDenied")]),
        (refuse_stat, {}, 3, [("output", "expected permission to read"), ("input", "expected permission to read")]),
        (refuse_ranges, {}, 3, [("header", "AccessDenied")]),
    ],
)
def test_verify_tells_what_would_stop_the_job(
    loans: Loans,
    s3: "S3Client",
    bucket: str,
    proxy: Proxy,
    run_cli: Cli,
    fault: Callable[[Proxy], None] | None,
    changed: dict[str, str],
    code: int,
    found: list[tuple[str, str]],
) -> None:
    settings = one_file_job(loans, s3, bucket, proxy) | changed
    if fault:
        fault(proxy)
    s3.put_object(Bucket=bucket, Key="conf/job.yaml", Body=yaml.safe_dump(settings).encode())

    answered, text = run_cli("verify", "--json", "--config", f"s3://{bucket}/conf/job.yaml")

    faults = json.loads(text)["faults"]
    assert answered == code
    assert [item["where"] for item in faults if item["fatal"]] == [where for where, _ in found]
    for item, (_, words) in zip(faults, found, strict=True):
        assert words in item["what"]


def test_a_name_that_leaves_no_room_for_its_result_stops_verify_and_a_job_before_anything_is_written(
    loans: Loans, spark: "SparkSession", s3: "S3Client", bucket: str, proxy: Proxy, run_cli: Cli
) -> None:
    name = "in/" + "表" * 134  # 402 bytes, and 1,206 percent-encoded
    settings = one_file_job(loans, s3, bucket, proxy) | {"input": f"s3://{bucket}/in/"}
    put_people(s3, bucket, name, 10, seed=3)
    s3.put_object(Bucket=bucket, Key="conf/job.yaml", Body=yaml.safe_dump(settings).encode())

    code, text = run_cli("verify", "--json", "--config", f"s3://{bucket}/conf/job.yaml")

    (fault,) = json.loads(text)["faults"]
    assert (code, fault["where"], fault["fatal"]) == (2, "output", True)
    assert f"input s3://{bucket}/{name}: for its results expected a key of at most 1024 bytes, got 12" in fault["what"]
    with pytest.raises(ConfigError, match="choose a shorter id or output, or rename or exclude these inputs"):
        run_job(loans.config(**settings), spark)
    assert keys_below(s3, bucket, "out/") == []
    assert run_job(loans.config(**settings, exclude="表*"), spark)["Status"] == "COMPLETED"


def test_results_among_the_inputs_stop_verify_and_the_first_job_before_anything_is_written(
    loans: Loans, spark: "SparkSession", s3: "S3Client", bucket: str, proxy: Proxy, run_cli: Cli
) -> None:
    settings = one_file_job(loans, s3, bucket, proxy) | {"input": f"s3a://{bucket}/", "output": f"s3://{bucket}/in/x"}
    proxy.requests.clear()

    assert (
        run_cli("verify", *(f"{key}={settings[key]}" for key in ("model", "input", "output", "tracking_uri")))[0] == 2
    )
    with pytest.raises(ConfigError, match="expected results outside of the inputs"):
        run_job(loans.config(**settings), spark)
    assert [request.method for request in proxy.requests if request.method not in {"GET", "HEAD"}] == []
    assert keys_below(s3, bucket, "in/x") == []


def test_verify_tells_that_the_files_of_the_model_may_not_be_read(
    loans: Loans, s3: "S3Client", bucket: str, proxy: Proxy, run_cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = one_file_job(loans, s3, bucket, proxy)
    s3.put_object(Bucket=bucket, Key="conf/job.yaml", Body=yaml.safe_dump(settings).encode())
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", proxy.endpoint)
    proxy.play("GET", "/models", refuse(403, "AccessDenied"))

    code, text = run_cli("verify", "--json", "--config", f"s3://{bucket}/conf/job.yaml")

    assert code == 4
    (item,) = json.loads(text)["faults"]
    assert item["where"] == "model"
    assert proxy.seen("GET", "/models") != []
