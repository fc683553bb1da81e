"""What the tests of this folder share."""

import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from batchscore.config.job_config import S3Settings
from batchscore.storage.s3 import S3Storage
from tests.s3.proxy import Proxy
from tests.s3.server import aws_variables as aws_variables
from tests.s3.server import bucket as bucket
from tests.s3.server import new_bucket as new_bucket
from tests.s3.server import proxy as proxy
from tests.s3.server import s3 as s3
from tests.s3.server import server as server
from tests.worker_daemon import WORKERS_WITH_LIBRARIES

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from pyspark.sql import SparkSession

    from tests.s3.loans import Loans


@pytest.fixture
def storage(proxy: Proxy, aws_variables: dict[str, str]) -> S3Storage:  # noqa: ARG001 - the client reads the environment
    """The storage under test, through the proxy."""
    return S3Storage(S3Settings(endpoint=proxy.endpoint))


@pytest.fixture(scope="package")
def spark(aws_variables: dict[str, str]) -> "Iterator[SparkSession]":
    """Spark with two tasks at a time, whose workers are users of the server."""
    from batchscore.config.job_config import JobConfig
    from batchscore.spark.session import start_spark

    settings = {"spark.master": "local[2]", "spark.ui.enabled": "false", **WORKERS_WITH_LIBRARIES}
    config = JobConfig.model_validate({"model": "models:/none/1", "input": "none", "output": "none", "spark": settings})
    session = start_spark(config, "tests")
    # Workers have the environment of the JVM, which other tests may have started before the server.
    session.sparkContext.environment.update(aws_variables)
    yield session
    session.stop()


@pytest.fixture(scope="package")
def loans(s3: "S3Client", tmp_path_factory: pytest.TempPathFactory) -> "Loans":
    """A registered model whose files lie on S3."""
    from tests.s3.loans import register_loans

    s3.create_bucket(Bucket="models")
    return register_loans(tmp_path_factory.mktemp("registry"), "s3://models/artifacts")


@pytest.fixture
def run_cli(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., tuple[int, str]]]:
    """Run a command of the CLI in this process; gives exit code and output."""
    from batchscore.cli import main

    def run(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        code = main(arguments)
        return code, capsys.readouterr().out

    yield run
    logger = logging.getLogger("batchscore")
    logger.handlers.clear()  # the CLI's own writes to the stderr of this test
    logger.propagate = True
