"""What every way is given: the arguments of its program. Imports nothing that a way might not need."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

# The threads of numerical libraries: each way runs as many processes, or threads of its own, as it has cores.
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ARROW_NUM_THREADS"), "1")
_OTHERS = ("SPARK_", "PYSPARK_", "MLFLOW_", "RAY_", "POLARS_", "DASK_")


@dataclass(frozen=True)
class Job:
    """A folder of CSV files, the model that scores them, where the results go, and the file that has their schema.

    ``input`` and ``output`` may be URIs of folders on S3, for those ways that know it; ``schema`` is a local path.
    """

    input: str
    output: str
    model: str
    model_type: str
    tracking_uri: str
    cores: int
    schema: str

    def arguments(self) -> list[str]:
        """Return the job as arguments of a program."""
        return [text for name, value in asdict(self).items() for text in (f"--{name}", str(value))]

    @property
    def files(self) -> list[Path]:
        """The CSV files, in order."""
        return sorted(Path(self.input).glob("*.csv"))

    @property
    def is_number(self) -> Mapping[str, bool]:
        """The columns of the files in order, and whether each is of numbers."""
        attributes: list[dict[str, Any]] = json.loads(Path(self.schema).read_text())["attributes"]
        return {item["attributeName"]: item["attributeType"] == "NUMERIC" for item in attributes}

    @property
    def features(self) -> list[str]:
        """The columns that the model takes."""
        return [name for name in self.is_number if name != "id"]


def parse_job() -> Job:
    """Return the job of this program's arguments."""
    parser = argparse.ArgumentParser()
    for field in fields(Job):
        parser.add_argument(f"--{field.name}", required=True, type=int if field.name == "cores" else str)
    return Job(**vars(parser.parse_args()))


def way_environment(cores: int) -> dict[str, str]:
    """Return the environment of a way: this process's without settings of the libraries that are compared."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OTHERS)}
    own = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "POLARS_MAX_THREADS": str(cores),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "PYTHONWARNINGS": "ignore",
        "RAY_USAGE_STATS_ENABLED": "0",
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    return kept | THREADS | own


def way_command(way: str, job: Job) -> list[str]:
    """Return the command that runs a way."""
    if way != "batchscore":
        return [sys.executable, "-m", f"bench.ways.{way}", *job.arguments()]
    keys = {
        "id": "bench",
        "model": job.model,
        "tracking_uri": job.tracking_uri,
        "input": f"{job.input}/",
        "schema": job.schema,
        "output": job.output,
        "spark.master": f"local[{job.cores}]",
        "spark.ui.enabled": "false",
    }
    return [sys.executable, "-m", "batchscore.cli", "run", *(f"{key}={value}" for key, value in keys.items())]
