"""A cluster of two executors with real processes, jobs to disturb on it, and the count of what came of it."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.bench import SOAK_SEEDS, Bench, put_inputs, register_orderly
from tests.processes import SHORT_LIVED_EXECUTORS
from tests.s3.proxy import Proxy
from tests.s3.server import aws_variables as aws_variables
from tests.s3.server import bucket as bucket
from tests.s3.server import new_bucket as new_bucket
from tests.s3.server import proxy as proxy
from tests.s3.server import s3 as s3
from tests.s3.server import server as server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from pyspark.sql import SparkSession

    from tests.registry import Registry

_OUTCOMES = "outcomes"


@pytest.fixture(scope="package")
def spark(aws_variables: dict[str, str]) -> "Iterator[SparkSession]":
    """Two executors, each a JVM with one core; on one host, where Spark gives no slow task a twin."""
    from batchscore.config.job_config import JobConfig
    from batchscore.spark.session import start_spark

    settings = {
        "spark.master": "local-cluster[2,1,1024]",
        "spark.ui.enabled": "false",
        # How long an executor asks one that is lost for a broadcast: 5 s in Spark's own words.
        "spark.shuffle.io.retryWait": "200ms",
        **SHORT_LIVED_EXECUTORS,
    } | {f"spark.executorEnv.{name}": value for name, value in aws_variables.items()}
    config = JobConfig.model_validate({"model": "models:/none/1", "input": "none", "output": "none", "spark": settings})
    session = start_spark(config, "faults")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("orders")


@pytest.fixture(scope="session")
def orderly(registry: "Registry", orders: Path) -> str:
    return register_orderly(registry, orders)


@pytest.fixture(scope="package")
def references() -> dict[str, Any]:
    return {}


@pytest.fixture
def bench(
    request: pytest.FixtureRequest,
    s3: "S3Client",
    spark: "SparkSession",
    proxy: Proxy,
    registry: "Registry",
    orderly: str,
    orders: Path,
    bucket: str,
    references: dict[str, Any],
    tmp_path: Path,
) -> Iterator[Bench]:
    put_inputs(s3, bucket)
    bench = Bench(s3, spark, proxy, registry.uri, orderly, orders, tmp_path, bucket, references)
    # The list itself, which fills while the test runs: pytest reports the call before this fixture ends.
    request.node.user_properties.append((_OUTCOMES, bench.outcomes))
    yield bench
    left = bench.orders_left()
    for name in left:
        (orders / name).unlink()
    assert left == []


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Repeat every case in a soak."""
    once = metafunc.definition.get_closest_marker("once")
    if SOAK_SEEDS and not once and "seed" not in metafunc.fixturenames:
        metafunc.fixturenames.append("repetition")
        metafunc.parametrize("repetition", range(SOAK_SEEDS))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count, after a soak, how often each case ran and what came of it."""
    if not SOAK_SEEDS:
        return
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for status in ("passed", "failed"):
        for report in terminalreporter.getreports(status):
            ended = dict(report.user_properties).get(_OUTCOMES)
            if "tests/faults" in report.nodeid and ended is not None:
                name = re.sub(r"\[\d+-?", "[", report.nodeid.split("::")[-1]).replace("[]", "")
                counts[name][f"{status}: {', then '.join(ended)}"] += 1
    terminalreporter.section("faults")
    for name, outcomes in sorted(counts.items()):
        terminalreporter.line(f"{name}: {outcomes.total()}")
        for ended, count in outcomes.most_common():
            terminalreporter.line(f"    {count} {ended}")
