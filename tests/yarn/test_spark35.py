"""A plain job on PySpark 3.5, whose Hadoop client is another one: on servers of that version."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.s3.proxy import Proxy
from tests.yarn.cluster import HOSTS, Yarn, running_yarn
from tests.yarn.jars import REPOSITORY, hadoop_version, jars, spark_home
from tests.yarn.jobs import Jobs

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PYTHON = str(REPOSITORY / ".venv-spark35/bin/python")


@pytest.fixture(scope="module")
def yarn35(nodes_have: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yarn]:
    home = spark_home(".venv-spark35")
    if home is None:
        pytest.skip("Spark 3.5 is not here: it takes Python 3.11")
    servers = jars("servers", hadoop_version(home))
    with running_yarn(Yarn(tmp_path_factory.mktemp("yarn35"), home, servers, nodes_have)) as yarn:
        yield yarn


def test_a_job_on_spark_35_scores_as_the_model_called_directly(
    yarn35: Yarn, gate: Proxy, s3: "S3Client", bucket: str, demo: Path, registry_server: str
) -> None:
    jobs = Jobs(yarn35, gate, s3, bucket, demo, registry_server)
    jobs.put_inputs()
    yarn35.wait_for_nodes(*HOSTS)

    submission = jobs.submit("job", spark__pyspark__python=PYTHON, spark__yarn__appMasterEnv__PYSPARK_PYTHON=PYTHON)

    jobs.complete(submission)
    jobs.prove("job")
    software = jobs.manifest("job")["software"]
    assert software["pyspark"].startswith("3.5.")
