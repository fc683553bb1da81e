"""Scoring from S3 to S3, the way people do it and the way batchscore does, and what each asks the store for.

Spark reads and writes by Hadoop's S3A, in the version of its Hadoop, which Maven fetches; Ray by pyarrow's client.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyspark
from tests.yarn.jars import fetch, hadoop_version

from bench.cases import MODELS
from bench.compare import Predictions, check_same, read_predictions
from bench.data import DATA_SETS, data_folder, make_data
from bench.measure import Measurement, in_turn, measure
from bench.object_server import CREDENTIALS, running_object_server
from bench.ways.job import Job, way_command, way_environment

BANK = DATA_SETS["bank"]
WAYS = {"batchscore": "s3", "plain_spark": "s3a", "tuned_spark": "s3a", "ray_data": "s3"}
"""What is compared, and the scheme that each knows S3 by."""
DATA_BYTES, RESULT_BYTES = 131, 70
"""What a record of the bank set takes of the disk: as CSV, and as predictions, which Spark's commit copies."""
_POM = Path(__file__).parents[1] / "tests" / "yarn" / "s3a.xml"


@dataclass(frozen=True)
class CostOnS3:
    """What a way took, and what it asked the store for: requests, and bytes that it read and wrote."""

    way: str
    record_count: int
    measured: Measurement
    request_count: int
    bytes_read: int
    bytes_written: int


def sizes_with_room(sizes: Sequence[int], work: Path) -> Iterator[int]:
    """Make the data of those record counts that the disk has room for and yield them; the others are said."""
    work.mkdir(parents=True, exist_ok=True)
    for size in sizes:
        is_made = data_folder(BANK, size, work).exists()
        needed_bytes = size * (RESULT_BYTES if is_made else RESULT_BYTES + DATA_BYTES)
        free_bytes = shutil.disk_usage(work).free
        if needed_bytes > free_bytes:
            print(f"{size:,} records: skipped, expected {needed_bytes:,} bytes free in {work}, found {free_bytes:,}")
            continue
        make_data(BANK, size, work)
        yield size


def costs_on_s3(work: Path, sizes: list[int], rounds: int, delay_seconds: float, cores: int) -> Iterator[CostOnS3]:
    """Score the bank set by each way in turns and yield what it took, its predictions held to those of the others.

    Raises tests.yarn.jars.UnreachableError where Maven cannot fetch S3A.
    """
    home = Path(pyspark.__file__).parent
    fetched = work / f"s3a-{hadoop_version(home)}"
    fetch(_POM, hadoop_version(home), fetched)
    brought = {_artifact(jar) for jar in (home / "jars").iterdir()}  # in versions that Spark's other jars need
    jars = [jar for jar in sorted(fetched.iterdir()) if _artifact(jar) not in brought]
    expected: dict[int, Predictions] = {}
    for number in range(rounds):
        for size in sizes:
            for way in in_turn(list(WAYS), number):
                cost, predictions = _run(way, size, work, jars, delay_seconds, cores)
                check_same(expected.setdefault(size, predictions), predictions, f"{way} on S3")
                yield cost


def _artifact(jar: Path) -> str:
    return re.sub(r"-\d.*", "", jar.stem)


def _run(
    way: str, size: int, work: Path, jars: Sequence[Path], delay_seconds: float, cores: int
) -> tuple[CostOnS3, Predictions]:
    case = MODELS["bank-logistic"]
    data, root = make_data(BANK, size, work), work / "buckets"
    shutil.rmtree(root, ignore_errors=True)
    for bucket in ("data", "out"):
        (root / bucket).mkdir(parents=True)
    for path in sorted(data.glob("*.csv")):  # links, as a copy of ten million records takes the disk's time
        (root / "data" / path.name).hardlink_to(path)
    with tempfile.TemporaryDirectory() as folder, running_object_server(root, delay_seconds) as server:
        uri = f"sqlite:///{work}/mlflow.db"
        scheme = WAYS[way]
        places = (f"{scheme}://data", f"{scheme}://out/{way}", str(data / ".schema"))
        job = Job(places[0], places[1], case.model_uri, case.model_type, uri, cores, places[2])
        environment = _environment(Path(folder), server.endpoint, jars if scheme == "s3a" else (), cores)
        log = work / "logs" / f"s3-{size}-{way}.log"
        measured = measure(way_command(way, job), environment, log)
    asked = server.asked
    cost = CostOnS3(way, size, measured, asked.requests.total(), asked.bytes_given, asked.bytes_taken)
    return cost, read_predictions(root / "out" / way, size)


def _environment(folder: Path, endpoint: str, jars: Sequence[Path], cores: int) -> Mapping[str, str]:
    """Return the environment of a way: where S3 is, for boto3, pyarrow, and S3A in a file of settings."""
    environment = way_environment(cores) | CREDENTIALS | {"AWS_ENDPOINT_URL": endpoint, "AWS_ENDPOINT_URL_S3": endpoint}
    if not jars:
        return environment
    settings = {
        "spark.driver.extraClassPath": ":".join(map(str, jars)),
        "spark.hadoop.fs.s3a.endpoint": endpoint,
        "spark.hadoop.fs.s3a.endpoint.region": "us-east-1",
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.access.key": "none",
        "spark.hadoop.fs.s3a.secret.key": "none",
    }
    (folder / "spark-defaults.conf").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    return environment | {"SPARK_CONF_DIR": str(folder)}
