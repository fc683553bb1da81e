"""``batchscore check`` on S3: what it asks for, and that fewer requests prove no less."""

import json
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from batchscore.commands import check as check_module
from batchscore.commands.check import check_job
from batchscore.commands.check_report import CheckReport
from tests.committed import FinishedJob
from tests.s3.proxy import Answer, Forward, Proxy

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedMultipartUploadTypeDef

pytestmark = pytest.mark.usefixtures("aws_variables")

HEADER = b"id,a,b,y\n"
PEOPLE = b"".join(b"C%d,%d,x,0\n" % (number, number) for number in range(20, 30))
MANIFEST = "out/batch-prediction/bp-1.manifest.json"
PART = "out/batch-prediction/result/bp-1-00.csv/part-00000.csv.gz"


def finished(folder: Path, bucket: str, proxy: Proxy, content: bytes = HEADER + PEOPLE, count: int = 16) -> FinishedJob:
    """Commit a job of so many inputs, and forget its requests."""
    s3 = {"endpoint": proxy.endpoint, "region": "us-east-1"}
    files = {f"{number:02}.csv": content for number in range(count)}
    where = {"input": f"s3://{bucket}/in/", "output": f"s3://{bucket}/out"}
    job = FinishedJob(folder, files, s3=s3, **where).commit()
    proxy.requests.clear()
    return job


def check(job: FinishedJob, sample: float | None = None) -> CheckReport:
    return check_job("bp-1", job.output, sample)


def whats(report: CheckReport) -> list[tuple[str, str]]:
    return [(finding.proof, finding.what) for finding in report.findings]


@pytest.mark.parametrize(("content", "most"), [(PEOPLE, 3), (PEOPLE + b"C31,word,x,0\n", 4)])
def test_a_small_input_takes_three_requests_with_its_result_and_one_more_with_its_rejected_file(
    content: bytes, most: int, tmp_path: Path, bucket: str, proxy: Proxy
) -> None:
    job = finished(tmp_path, bucket, proxy, HEADER + content)

    report = check(job)

    assert (report.findings, report.parts_read, report.tried["files"]) == ([], 16, 16 * (most - 2))
    assert len(proxy.requests) == 16 * most + 5  # and the manifests, the record, the profile and the page
    asked = Counter((request.method, request.path) for request in proxy.requests)
    assert set(asked.values()) == {1}
    pinned = [request for request in proxy.seen("GET") if ".csv" in request.path]
    assert all("if-match" in request.headers and "range" in request.headers for request in pinned)


def test_a_sample_asks_for_each_file_that_it_does_not_read_once(tmp_path: Path, bucket: str, proxy: Proxy) -> None:
    job = finished(tmp_path, bucket, proxy)
    assert check(job, 1).findings == []
    asked = Counter((request.method, "/result/" in request.path) for request in proxy.requests)
    assert asked == {("HEAD", False): 16, ("HEAD", True): 15, ("GET", True): 1, ("GET", False): 1 + 5}


class _Together:
    """Holds requests until so many are under way at once, and counts them."""

    def __init__(self, wanted: int, seconds: float) -> None:
        self.barrier, self.seconds = threading.Barrier(wanted), seconds
        self.lock, self.under_way, self.most = threading.Lock(), 0, 0

    def __call__(self, forward: Forward) -> Answer:
        with self.lock:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        with suppress(threading.BrokenBarrierError):
            self.barrier.wait(self.seconds)
        with self.lock:
            self.under_way -= 1
        return forward()


@pytest.mark.parametrize(("small_part_bytes", "wanted", "most"), [(1 << 20, 16, 16), (0, 5, 4)])
def test_small_parts_are_read_sixteen_at_a_time_and_large_ones_four(
    small_part_bytes: int,
    wanted: int,
    most: int,
    tmp_path: Path,
    bucket: str,
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(check_module, "_SMALL_PART_BYTES", small_part_bytes)
    job = finished(tmp_path, bucket, proxy)
    together = _Together(wanted, seconds=20 if most == wanted else 1)
    proxy.play("GET", "/result/", together)

    assert check(job).findings == []
    assert together.most == most


def test_a_part_of_another_etag_holds_by_its_size_and_digest(
    tmp_path: Path, bucket: str, proxy: Proxy, s3: "S3Client"
) -> None:
    job = finished(tmp_path, bucket, proxy)
    content = s3.get_object(Bucket=bucket, Key=PART)["Body"].read()
    upload = s3.create_multipart_upload(Bucket=bucket, Key=PART)["UploadId"]
    etag = s3.upload_part(Bucket=bucket, Key=PART, UploadId=upload, PartNumber=1, Body=content)["ETag"]
    parts: CompletedMultipartUploadTypeDef = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    s3.complete_multipart_upload(Bucket=bucket, Key=PART, UploadId=upload, MultipartUpload=parts)

    assert check(job).findings == []
    assert len(proxy.requests) == 16 * 3 + 5 + 2  # its ETag has to be asked for

    s3.put_object(Bucket=bucket, Key=PART, Body=content + b"x")
    assert whats(check(job)) == [("files", f"expected {len(content)} bytes, got {len(content) + 1}")]
    s3.put_object(Bucket=bucket, Key=PART, Body=content[:-1] + b"x")
    [(proof, what)] = whats(check(job))
    assert (proof, what[:15]) == ("files", "expected sha256")
    s3.delete_object(Bucket=bucket, Key=PART)
    assert whats(check(job)) == [("files", "expected a file, got none")]


def test_an_etag_or_a_size_that_the_manifest_tells_wrong_is_found(
    tmp_path: Path, bucket: str, proxy: Proxy, s3: "S3Client"
) -> None:
    job = finished(tmp_path, bucket, proxy)
    before = s3.get_object(Bucket=bucket, Key=MANIFEST)["Body"].read()
    size = s3.head_object(Bucket=bucket, Key=PART)["ContentLength"]

    def told(**changed: object) -> list[tuple[str, str]]:
        manifest = json.loads(before)
        manifest["inputs"][0]["parts"][0] |= changed
        s3.put_object(Bucket=bucket, Key=MANIFEST, Body=json.dumps(manifest).encode())
        return whats(check(job))

    for no_header in ("", "a\r\nb", "\ud800", "é"):
        assert told(etag=no_header) == []
    assert [proof for proof, _ in told(file_size_in_bytes=size - 1)] == ["files"]
    for wrong in (size + 1, 0, -1, 1 << 60):
        assert told(file_size_in_bytes=wrong) == [("files", f"expected {wrong} bytes, got {size}")]
    assert [proof for proof, _ in told(sha256="0" * 64)] == ["files"]


def test_a_part_that_is_replaced_while_it_is_checked_is_a_finding(
    tmp_path: Path, bucket: str, proxy: Proxy, s3: "S3Client"
) -> None:
    job = finished(tmp_path, bucket, proxy)
    content = s3.get_object(Bucket=bucket, Key=PART)["Body"].read()

    def replace(forward: Forward) -> Answer:
        answer = forward()
        s3.put_object(Bucket=bucket, Key=PART, Body=content[:-1] + b"x")
        return answer

    s3.put_object(Bucket=bucket, Key=PART, Body=content[:-2] + b"xx")
    proxy.play("HEAD", PART, replace, times=1)
    [finding] = check(job).findings
    assert (finding.proof, finding.where) == ("files", f"s3://{bucket}/{PART}")
    assert proxy.unplayed() == []
