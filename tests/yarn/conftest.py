"""A YARN for the tests of this folder that a process runs, with a registry, and S3 behind a proxy that plays faults."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.demo import make_bare_python, register_demo, serve_registry
from tests.s3.proxy import Proxy, running_proxy
from tests.s3.server import aws_variables as aws_variables
from tests.s3.server import bucket as bucket
from tests.s3.server import new_bucket as new_bucket
from tests.s3.server import s3 as s3
from tests.s3.server import server as server
from tests.yarn.cluster import HOSTS, Yarn, running_yarn
from tests.yarn.jars import COMPLETE, hadoop_version, jars, spark_home
from tests.yarn.jobs import RECORDS, Jobs

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

TEST_SECONDS = 2400


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what `make yarn` has not fetched the servers for; a container may wait long for a core of a busy machine."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(TEST_SECONDS))
            if not COMPLETE.exists():
                item.add_marker(pytest.mark.skip(reason="YARN's servers are not here: make yarn fetches them"))


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    register_demo(folder, RECORDS)
    return folder


@pytest.fixture(scope="package")
def registry_server(demo: Path) -> Iterator[str]:
    with serve_registry(demo) as uri:
        yield uri


@pytest.fixture(scope="package")
def gate(server: str) -> Iterator[Proxy]:
    """The proxy that all containers go through."""
    with running_proxy(server) as proxy:
        yield proxy


@pytest.fixture(scope="package")
def nodes_have(aws_variables: dict[str, str], gate: Proxy, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What nodes give their containers: the rights of a role, and an interpreter without batchscore."""
    bare_python = Path(make_bare_python(tmp_path_factory.mktemp("bare")))
    path = f"{bare_python.parent}:{os.environ['PATH']}"
    return aws_variables | {"AWS_ENDPOINT_URL_S3": gate.endpoint, "PATH": path}


@pytest.fixture(scope="package")
def yarn(nodes_have: dict[str, str], gate: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yarn]:
    """A cluster for the newest PySpark; what spark-submit itself reads of S3 it reads with hadoop-aws."""
    home = spark_home(".venv")
    assert home
    version = hadoop_version(home)
    defaults = {"spark.hadoop.fs.s3a.endpoint": gate.upstream}  # an archive need not go through the proxy
    folder, classes = tmp_path_factory.mktemp("yarn"), f"{jars('s3a', version)}/*"
    with running_yarn(Yarn(folder, home, jars("servers", version), nodes_have, defaults, classes)) as yarn:
        yield yarn


@pytest.fixture
def jobs(yarn: Yarn, gate: Proxy, s3: "S3Client", bucket: str, demo: Path, registry_server: str) -> Iterator[Jobs]:
    """Jobs over the demo's customers on S3; the cluster starts while the model is registered."""
    jobs = Jobs(yarn, gate, s3, bucket, demo, registry_server)
    jobs.put_inputs()
    yarn.wait_for_nodes(*HOSTS)
    yield jobs
    gate.stop()
    gate.requests.clear()
    for host in yarn.lost_nodes():
        yarn.start_node(host)
