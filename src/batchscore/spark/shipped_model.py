"""A model's files on their way to the workers of a query: a broadcast, or an artifact of a Spark Connect session."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from batchscore.errors import ScoringError
from batchscore.spark.session import is_connect

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def ship_model(spark: SparkSession, archive: bytes) -> Callable[[], bytes]:
    """Send an archive of ``pack_model`` to a session's workers and return what reads it there.

    In the closure of a UDF it would be a part of every plan, of which Spark Connect takes 128 MiB.
    """
    if is_connect(spark):
        return _artifact(spark, archive)
    broadcast = spark.sparkContext.broadcast(archive)
    return lambda: broadcast.value


def _artifact(spark: SparkSession, archive: bytes) -> Callable[[], bytes]:
    # The digest in its name, since an artifact cannot be replaced; no ending that Spark would unpack, such as .tar.
    name = f"batchscore-model-{hashlib.sha256(archive).hexdigest()[:32]}"
    with tempfile.TemporaryDirectory(prefix="batchscore-") as folder:
        path = Path(folder) / name
        path.write_bytes(archive)
        try:
            spark.addArtifacts(str(path), file=True)
        except Exception as error:
            raise ScoringError(
                f"Spark Connect: expected it to take a model of {len(archive)} bytes, got {type(error).__name__}"
            ) from error

    def read() -> bytes:
        from pyspark import SparkFiles

        return Path(SparkFiles.get(name)).read_bytes()

    return read
