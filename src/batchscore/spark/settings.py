"""Spark settings under which no job can run, found before one begins (pure but for the environment)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from batchscore.errors import ConfigError

DEFAULT_MASTER = "local[*,4]"
_LOCAL = re.compile(r"local(?:\[\s*(\d+|\*)\s*(?:,\s*\d+\s*)?\])?")
_LOCAL_CLUSTER = re.compile(r"local-cluster\[\s*\d+\s*,\s*(\d+)\s*,\s*\d+\s*\]")
# Spark's SparkMasterRegex and SparkContext.createTaskScheduler; a cluster manager of another kind brings its own URL.
_OTHER_MASTER = re.compile(r"yarn|[a-z][a-z0-9+.-]*://.+")
_SIZE = re.compile(r"\d+(?:[kmgtp]b?|b)?", re.IGNORECASE)  # JavaUtils.byteStringAs
_SIZES = (
    "spark.driver.memory",
    "spark.executor.memory",
    "spark.executor.memoryOverhead",
    "spark.executor.pyspark.memory",
)
CONNECT_REMEDY = "a job runs on a session with a SparkContext, its own or spark-submit's, not on Spark Connect"


def is_submitted() -> bool:
    """Tell whether spark-submit started this process, and Spark's JVM before it."""
    return "PYSPARK_GATEWAY_PORT" in os.environ


def check_settings(settings: Mapping[str, str]) -> None:
    """Raise ConfigError if no job can run with the settings of a configuration, as far as they tell.

    What spark-submit was told, its master too, is known when the session is there: see check_session_settings.
    """
    _check_no_connect(settings)
    if not is_submitted():
        _check_master(settings)
        _check_sizes(settings)
        _check_cores(settings)


def check_session_settings(settings: Mapping[str, str]) -> None:
    """Raise ConfigError if no job can run with the settings in force of a session."""
    _check_no_connect(settings)
    of_request = {"spark.executor.cores": "1"} if has_containers(settings.get("spark.master", "")) else {}
    _check_cores(of_request | dict(settings))


def is_local(master: str) -> bool:
    """Tell whether the tasks of a session run on this machine."""
    return master.startswith("local")


def has_containers(master: str) -> bool:
    """Tell whether a cluster gives an executor the cores and the memory that are asked for, and no more."""
    return master.startswith(("yarn", "k8s:"))


def _check_no_connect(settings: Mapping[str, str]) -> None:
    for name in ("SPARK_REMOTE", "SPARK_CONNECT_MODE_ENABLED"):
        if os.environ.get(name):
            raise ConfigError(f"variable {name}: expected it not to be set, got a value; {CONNECT_REMEDY}")
    if settings.get("spark.remote"):
        raise ConfigError(f"key spark.remote: expected none, got one; {CONNECT_REMEDY}")
    asked = settings.get("spark.api.mode") or os.environ.get("SPARK_API_MODE", "")
    if asked.lower() == "connect" or os.environ.get("SPARK_CONNECT_MODE") == "1":
        raise ConfigError(f"spark.api.mode: expected classic, got connect; {CONNECT_REMEDY}")


def _check_master(settings: Mapping[str, str]) -> None:
    """Raise ConfigError for what is no master: Spark would end with a trace of its own."""
    master = settings.get("spark.master", DEFAULT_MASTER)
    if not any(kind.fullmatch(master) for kind in (_LOCAL, _LOCAL_CLUSTER, _OTHER_MASTER)):
        raise ConfigError(
            f"key spark.master: expected local[*], local[N], spark://HOST:PORT, yarn or k8s://URL, got {master}"
        )


def _check_sizes(settings: Mapping[str, str]) -> None:
    for name in _SIZES:
        text = settings.get(name, "1g").strip()
        if not _SIZE.fullmatch(text):
            raise ConfigError(f"key {name}: expected a size such as 512m or 4g, got {text}")


def _check_cores(settings: Mapping[str, str]) -> None:
    """Raise ConfigError if no executor has the cores of one task: Spark would refuse to start, or wait for ever."""
    needed = _whole_number(settings, "spark.task.cpus", 1)
    limits = _cores_of_an_executor(settings)
    for name, available in limits.items():
        if needed > available:
            raise ConfigError(
                f"key spark.task.cpus: expected at most the {available} of {name}, got {needed}; "
                "a task uses one core: leave it out"
            )
    of_executor = limits.get("spark.executor.cores", 0)
    if of_executor > limits.get("spark.cores.max", of_executor):
        raise ConfigError(
            f"key spark.cores.max: expected at least the {of_executor} of spark.executor.cores, "
            f"got {limits['spark.cores.max']}"
        )


def _cores_of_an_executor(settings: Mapping[str, str]) -> dict[str, int]:
    """Return what bounds the cores of an executor by its setting; nothing where only the cluster knows."""
    master = settings.get("spark.master", DEFAULT_MASTER)
    if local := _LOCAL.fullmatch(master):
        return {f"spark.master {master}": (os.cpu_count() or 1) if local[1] == "*" else int(local[1] or 1)}
    limits = {}
    if worker := _LOCAL_CLUSTER.fullmatch(master):
        limits[f"spark.master {master}"] = int(worker[1])
    names = [name for name in ("spark.executor.cores", "spark.cores.max") if name in settings]
    return limits | {name: _whole_number(settings, name, 1) for name in names}


def _whole_number(settings: Mapping[str, str], name: str, default: int) -> int:
    text = settings.get(name, str(default)).strip()
    if not re.fullmatch(r"\d+", text) or int(text) < 1:
        raise ConfigError(f"key {name}: expected a whole number, 1 or more, got {text}")
    return int(text)
