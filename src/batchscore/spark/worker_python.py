"""The Python of Spark's workers: whether it has what a UDF of a model needs, and PYSPARK_PYTHON where it has not."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from batchscore.errors import ConfigError
from batchscore.spark.session import is_connect
from batchscore.spark.settings import is_local

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger(__name__)

_NEEDED = ("pandas", "pyarrow", "mlflow", "batchscore")
_SECONDS = 60
_OWN_VERSION = "Python {}.{}".format(*sys.version_info[:2])
_PROBE = (
    "import sys, importlib.util as u; "
    f"print(*[n for n in {_NEEDED} if u.find_spec(n) is None], *('Python %d.%d' % sys.version_info[:2],), sep=', ')"
)


def check_workers(spark: SparkSession) -> None:
    """Raise ConfigError if the workers' Python lacks what a UDF needs.

    On this machine a session that was not told of any Python gets that of this process.
    """
    if is_connect(spark):
        _check_by_task(spark)
        return
    context = spark.sparkContext
    told = str(context.pythonExec)
    if (shutil.which(told) or told) == sys.executable:
        return
    if not is_local(str(context.master)):
        _check_by_task(spark)
        return
    fault = _fault_here(told)
    if fault is None:
        return
    if os.environ.get("PYSPARK_PYTHON"):
        raise _wrong_python(told, fault)
    log.info("Spark's workers: %s %s: they run %s", told, fault, sys.executable)
    context.pythonExec = sys.executable


def _fault_here(python: str) -> str | None:
    command = [python, "-c", _PROBE]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return "does not run"
    return _fault(done.stdout.strip())


def _fault(told: str) -> str | None:
    """Return what is wrong with a Python of which a probe told modules that are not there, and the version."""
    *lacking, version = told.split(", ")
    if version != _OWN_VERSION:
        return f"is {version}"
    return f"lacks {', '.join(lacking)}" if lacking else None


def _check_by_task(spark: SparkSession) -> None:
    from pyspark.sql.functions import udf

    probe = udf(_probe(), "string", useArrow=False)  # which needs no pandas
    try:
        told = str(spark.range(1).select(probe("id")).collect()[0][0])
    except Exception as error:
        raise _wrong_python("the Python that Spark found", _told_by_spark(error)) from error
    python, _, rest = told.partition("\n")
    fault = _fault(rest)
    if fault:
        raise _wrong_python(python, fault)


def _probe() -> Callable[[int], str]:
    """Return a function that is pickled whole, with nothing of this package, which may be lacking."""
    needed = _NEEDED

    def probe(_: int) -> str:
        import importlib.util
        import sys

        lacking = [name for name in needed if importlib.util.find_spec(name) is None]
        version = "Python {}.{}".format(*sys.version_info[:2])
        return f"{sys.executable}\n{', '.join([*lacking, version])}"

    return probe


def _told_by_spark(error: Exception) -> str:
    text = str(error)
    if "PYTHON_VERSION_MISMATCH" in text:
        return "is of another version"
    return "does not run" if "Cannot run program" in text else f"ends with {type(error).__name__}"


def _wrong_python(python: str, fault: str) -> ConfigError:
    return ConfigError(
        f"Spark's workers: expected {_OWN_VERSION} with batchscore, pandas and pyarrow, got {python}, which {fault}; "
        f"start Spark with PYSPARK_PYTHON set to such a one, here {sys.executable}"
    )
