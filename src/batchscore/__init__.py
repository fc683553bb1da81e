"""Batch predictions at cluster size: score CSV on S3 with an MLflow model on Spark.

The names below are what programs and notebooks call; docs/api.md tells of them. Each is imported when it is asked for
(PEP 562): to import batchscore costs neither pandas nor Spark.
"""

import logging
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from batchscore.api import read_inputs, score, verify
    from batchscore.commands.job_result import JobResult
    from batchscore.config.job_config import JobConfig
    from batchscore.errors import BatchScoreError
    from batchscore.results.predictions import read_predictions
    from batchscore.udf import predict_udf

__version__ = version("batchscore")
__all__ = [
    "BatchScoreError",
    "JobConfig",
    "JobResult",
    "predict_udf",
    "read_inputs",
    "read_predictions",
    "score",
    "verify",
]

_PLACES = {
    "BatchScoreError": "batchscore.errors",
    "JobConfig": "batchscore.config.job_config",
    "JobResult": "batchscore.commands.job_result",
    "predict_udf": "batchscore.udf",
    "read_inputs": "batchscore.api",
    "read_predictions": "batchscore.results.predictions",
    "score": "batchscore.api",
    "verify": "batchscore.api",
}

# Whoever imports the package decides what of its log is shown, and where; without a handler Python prints warnings.
logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(place), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
