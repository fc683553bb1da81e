"""Two jobs of one process: each fetches its model from its own store, and the process is then as it was before."""

import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from batchscore.commands.verify import review_job
from batchscore.config.job_config import JobConfig
from tests.s3.loans import Loans, put_people
from tests.s3.proxy import Proxy, running_proxy

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FIRST: dict[str, Any] = {"region": "eu-west-1", "expected_bucket_owner": "111111111111", "requester_pays": True}
SECOND: dict[str, Any] = {"region": "us-west-2", "expected_bucket_owner": "222222222222"}


@pytest.fixture
def proxies(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Proxy]]:
    """Two stores, and no variable that would go before a job's own settings."""
    for name in ("MLFLOW_S3_ENDPOINT_URL", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with running_proxy(server) as first, running_proxy(server) as second:
        yield [first, second]


def job(loans: Loans, bucket: str, proxy: Proxy, settings: dict[str, Any]) -> JobConfig:
    where = {"input": f"s3://{bucket}/in/people.csv", "output": f"s3://{bucket}/out", "has_header": True}
    return loans.config(**where, s3={"endpoint": proxy.endpoint, **settings})


def model_requests(proxy: Proxy) -> set[tuple[str | None, str | None, str | None]]:
    """Return owner, region and payer of the requests for the model's files."""
    found = set()
    for request in [*proxy.seen("GET", "/models"), *proxy.seen("HEAD", "/models")]:
        region = re.search(r"Credential=[^/]+/\d+/([^/]+)/s3", request.headers["authorization"])
        assert region is not None
        headers = request.headers
        found.add((headers.get("x-amz-expected-bucket-owner"), region[1], headers.get("x-amz-request-payer")))
    return found


EXPECTED: list[set[tuple[str | None, str | None, str | None]]] = [
    {("111111111111", "eu-west-1", "requester")},
    {("222222222222", "us-west-2", None)},
]


def test_the_second_job_goes_to_its_own_store_with_its_own_region_owner_and_payer(
    loans: Loans, s3: "S3Client", bucket: str, proxies: list[Proxy], tmp_path: Path
) -> None:
    put_people(s3, bucket, "in/people.csv", 20, seed=2)
    before = dict(os.environ)

    for number, (proxy, settings) in enumerate(zip(proxies, (FIRST, SECOND), strict=True)):
        review = review_job(job(loans, bucket, proxy, settings), tmp_path / str(number))
        assert [fault.what for fault in review.faults] == []

    assert [model_requests(proxy) for proxy in proxies] == EXPECTED
    assert dict(os.environ) == before
    assert boto3.DEFAULT_SESSION is None


def test_jobs_of_one_store_take_the_region_and_payer_of_each(
    loans: Loans, s3: "S3Client", bucket: str, proxies: list[Proxy], tmp_path: Path
) -> None:
    put_people(s3, bucket, "in/people.csv", 20, seed=2)

    for number, settings in enumerate((FIRST, SECOND)):
        review_job(job(loans, bucket, proxies[0], settings), tmp_path / str(number))

    assert model_requests(proxies[0]) == EXPECTED[0] | EXPECTED[1]


def test_jobs_of_two_threads_go_each_to_its_own_store(
    loans: Loans, s3: "S3Client", bucket: str, proxies: list[Proxy], tmp_path: Path
) -> None:
    put_people(s3, bucket, "in/people.csv", 20, seed=2)
    before = dict(os.environ)
    configs = [job(loans, bucket, proxy, keys) for proxy, keys in zip(proxies, (FIRST, SECOND), strict=True)]

    with ThreadPoolExecutor(4) as pool:
        reviews = list(pool.map(review_job, configs * 2, [tmp_path / str(number) for number in range(4)]))

    assert [fault.what for review in reviews for fault in review.faults] == []
    assert [model_requests(proxy) for proxy in proxies] == EXPECTED
    assert dict(os.environ) == before
    assert boto3.DEFAULT_SESSION is None
