"""A real S3 server process, a proxy before it, and fresh buckets: fixtures that conftest modules import."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import boto3
import pytest

from tests.s3.proxy import Proxy, running_proxy

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# So small that every listing of the tests has several pages.
LISTING_PAGE_OBJECTS = 4


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The endpoint of a moto server in a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"MOTO_S3_DEFAULT_MAX_KEYS": str(LISTING_PAGE_OBJECTS)}
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    endpoint = f"http://127.0.0.1:{port}"
    try:
        _wait_until_it_answers(endpoint, process)
        yield endpoint
    finally:
        process.kill()
        process.wait()


def _wait_until_it_answers(endpoint: str, process: subprocess.Popen[bytes]) -> None:
    without_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(300):
        assert process.poll() is None, "the moto server ended at its start"
        try:
            with without_proxy.open(f"{endpoint}/moto-api/", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise AssertionError("the moto server does not answer")


@pytest.fixture(scope="package")
def aws_variables(server: str) -> Iterator[dict[str, str]]:
    """The environment of a user of that server; Spark's workers and other processes are to have it too."""
    variables = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_ENDPOINT_URL_S3": server,
        "MLFLOW_S3_ENDPOINT_URL": server,
        "NO_PROXY": "127.0.0.1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_ENDPOINT_URL"):
            patch.delenv(name, raising=False)
        for name, value in variables.items():
            patch.setenv(name, value)
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        yield variables


@pytest.fixture(scope="package")
def s3(server: str, aws_variables: dict[str, str]) -> "S3Client":  # noqa: ARG001 - the client reads the environment
    """A client of the tests' own: what it does is not seen by the proxy."""
    return boto3.client("s3", endpoint_url=server)


@pytest.fixture
def new_bucket(s3: "S3Client") -> Callable[[], str]:
    """Make buckets that no other test knows."""

    def make() -> str:
        name = f"bucket-{uuid.uuid4().hex[:12]}"
        s3.create_bucket(Bucket=name)
        return name

    return make


@pytest.fixture
def bucket(new_bucket: Callable[[], str]) -> str:
    return new_bucket()


@pytest.fixture
def proxy(server: str) -> Iterator[Proxy]:
    with running_proxy(server) as proxy:
        yield proxy
