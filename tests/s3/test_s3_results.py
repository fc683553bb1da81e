"""Results on S3: what is asked for, parts that are held to what was committed, and files written there."""

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from batchscore.errors import InputError
from batchscore.results import files as files_module
from batchscore.results import parts as parts_module
from batchscore.results.predictions import read_predictions
from tests.committed import FinishedJob
from tests.s3.proxy import Answer, Forward, Proxy

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.usefixtures("aws_variables")

HEADER = b"id,a,b,y\n"
PEOPLE = b"".join(b"C%d,%d,x,0\n" % (number, number) for number in range(20, 30))
PART = "out/batch-prediction/result/bp-1-00.csv/part-00000.csv.gz"
TAGS = [f"C{number}" for number in range(20, 30)]


def finished(folder: Path, bucket: str, proxy: Proxy, count: int = 3) -> FinishedJob:
    """Commit a job of so many inputs, and forget its requests."""
    files = {f"{number:02}.csv": HEADER + PEOPLE for number in range(count)}
    where = {"input": f"s3://{bucket}/in/", "output": f"s3://{bucket}/out"}
    job = FinishedJob(folder, files, s3={"endpoint": proxy.endpoint, "region": "us-east-1"}, **where).commit()
    proxy.requests.clear()
    return job


def tags(job: FinishedJob, batch_id: str = "bp-1") -> list[str]:
    table = read_predictions(job.config.output, batch_id, "arrow", s3=job.config.s3)
    found: list[str] = table["tag"].to_pylist()
    return found


def test_an_id_is_read_without_a_listing_and_latest_with_one(tmp_path: Path, bucket: str, proxy: Proxy) -> None:
    job = finished(tmp_path, bucket, proxy)

    assert tags(job) == TAGS * 3
    asked = [(request.method, request.path.rpartition("/")[2].partition("?")[0]) for request in proxy.requests]
    part = "part-00000.csv.gz"
    assert sorted(asked) == sorted([("GET", "bp-1.manifest.json"), *[("HEAD", part), ("GET", part)] * 3])

    proxy.requests.clear()
    assert tags(job, "latest") == TAGS * 3
    assert len(proxy.seen("GET", "list-type=2")) == 1


@pytest.mark.parametrize("small_part_bytes", [0, 1 << 20])
def test_a_part_that_is_replaced_while_it_is_read_is_an_error(
    small_part_bytes: int, tmp_path: Path, bucket: str, proxy: Proxy, s3: "S3Client", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts_module, "_SMALL_PART_BYTES", small_part_bytes)
    job = finished(tmp_path, bucket, proxy)
    content = s3.get_object(Bucket=bucket, Key=PART)["Body"].read()

    def replace(forward: Forward) -> Answer:
        answer = forward()
        s3.put_object(Bucket=bucket, Key=PART, Body=content[:-1] + b"x")
        return answer

    proxy.play("HEAD", PART, replace, times=1)
    with pytest.raises(InputError, match=r"part-00000.csv.gz"):
        tags(job)
    with pytest.raises(InputError, match=r"part-00000.csv.gz"):
        tags(job)
    s3.put_object(Bucket=bucket, Key=PART, Body=content)
    assert tags(job) == TAGS * 3


def test_another_status_than_committed_is_told_with_what_to_do(
    tmp_path: Path, bucket: str, proxy: Proxy, s3: "S3Client"
) -> None:
    job = finished(tmp_path, bucket, proxy)
    s3.delete_object(Bucket=bucket, Key="out/batch-prediction/bp-1.manifest.json")
    with pytest.raises(InputError, match="expected a finished one, got no manifest"):
        tags(job)
    with pytest.raises(InputError, match="job latest: expected a finished job below"):
        tags(job, "latest")


@pytest.mark.parametrize("memory_bytes", [10, 1 << 20])
@pytest.mark.parametrize("name", ["x.csv.gz", "x.parquet", "x.jsonl"])
def test_a_file_is_written_to_s3_whole(
    name: str,
    memory_bytes: int,
    tmp_path: Path,
    bucket: str,
    proxy: Proxy,
    s3: "S3Client",
    run_cli: Callable[..., tuple[int, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(files_module, "_MEMORY_BYTES", memory_bytes)
    finished(tmp_path, bucket, proxy)
    places = [f"output=s3://{bucket}/out", f"s3.endpoint={proxy.endpoint}", "s3.region=us-east-1"]

    code, out = run_cli("results", *places, "--top", "4", "--to", f"s3://{bucket}/lists/{name}", "--json")

    assert (code, json.loads(out)) == (0, {"id": "bp-1", "record_count": 4, "uri": f"s3://{bucket}/lists/{name}"})
    content = s3.get_object(Bucket=bucket, Key=f"lists/{name}")["Body"].read()
    if name.endswith(".gz"):
        assert [line.split(",")[0] for line in gzip.decompress(content).decode().splitlines()] == [
            *("tag", "C29", "C29", "C29", "C28")
        ]
    elif name.endswith(".parquet"):
        assert pq.read_table(io.BytesIO(content))["tag"].to_pylist() == ["C29", "C29", "C29", "C28"]
    else:
        assert [json.loads(line)["tag"] for line in content.splitlines()] == ["C29", "C29", "C29", "C28"]


def test_a_bucket_that_is_not_there_is_told_and_a_damaged_part_leaves_what_was(
    tmp_path: Path,
    bucket: str,
    proxy: Proxy,
    s3: "S3Client",
    run_cli: Callable[..., tuple[int, str]],
) -> None:
    finished(tmp_path, bucket, proxy)
    places = [f"output=s3://{bucket}/out", f"s3.endpoint={proxy.endpoint}", "s3.region=us-east-1"]
    assert run_cli("results", *places, "--to", "s3://no-such-bucket-here/x.csv")[0] == 6
    s3.put_object(Bucket=bucket, Key="lists/x.csv", Body=b"before")
    s3.put_object(Bucket=bucket, Key=PART, Body=b"x")
    assert run_cli("results", *places, "--to", f"s3://{bucket}/lists/x.csv")[0] == 3
    assert s3.get_object(Bucket=bucket, Key="lists/x.csv")["Body"].read() == b"before"
    assert run_cli("results", *places, "--to", f"s3://{bucket}/out/batch-prediction/x.csv")[0] == 2
