"""What jobs change of the process that they run in, and how it is put back: the one place for both.

Environment variables, MLflow's addresses and boto3's default session belong to a whole process, which may be somebody
else's: a notebook, a service, a scheduler.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import cast

from batchscore.config.job_config import JobConfig

QUIET_MLFLOW = {
    # No word to anyone but the configured registry.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
    # A registry that does not answer fails a job after seconds (MLflow's own defaults: many minutes).
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
# What is set for a job, by this module and by Spark and MLflow themselves. Other variables are not ours to put back:
# a host may renew its credentials there while a job runs.
_FAMILIES = ("MLFLOW_", "_MLFLOW_", "SPARK_", "PYSPARK_", "GIT_PYTHON_REFRESH")
_ADDRESSES = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")

_one_at_a_time = threading.RLock()
"""Held while variables of one job are set: neither another job's model nor a JVM may see them."""


def set_defaults(variables: Mapping[str, str]) -> None:
    """Set the environment variables that are not set."""
    for name, value in variables.items():
        os.environ.setdefault(name, value)


class _JobsUnderWay:
    """Jobs of several threads overlap in any way: the first one finds the state, the last one puts it back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._before = ExitStack()

    def enter(self) -> None:
        with self._lock:
            if self._count == 0:
                self._before = _kept()
            self._count += 1

    def at_end(self, callback: Callable[[Path], None], folder: Path) -> None:
        with self._lock:
            if self._count:
                self._before.callback(callback, folder)

    def leave(self) -> None:
        with self._lock:
            self._count -= 1
            if self._count == 0:
                self._before.close()


_jobs = _JobsUnderWay()


@contextmanager
def process_kept() -> Iterator[None]:
    """Put back what the block changes of its process, as soon as no such block of another thread is under way."""
    _jobs.enter()
    try:
        set_defaults(QUIET_MLFLOW)
        yield
    finally:
        _jobs.leave()


def forget_code_at_end(folder: Path) -> None:
    """Let the code that a model brings below its folder go when the state of the process is put back."""
    _jobs.at_end(forget_code, folder)


def forget_code(folder: Path) -> None:
    """Forget the modules below a model's folder: another model may bring others of the same names."""
    inside = f"{folder}{os.sep}"
    sys.path[:] = [entry for entry in sys.path if not entry.startswith(inside)]
    for name, module in list(sys.modules.items()):
        known = getattr(module, "__dict__", {})  # asked for an attribute, a lazy module would be imported
        places = [known.get("__file__"), *(known.get("__path__") or ())]
        if any(str(place).startswith(inside) for place in places):
            del sys.modules[name]


def _kept() -> ExitStack:
    """Return what puts the present state back."""
    stack = ExitStack()
    stack.callback(_put_variables_back, _FAMILIES, _variables(_FAMILIES))
    stack.callback(_forget_lost_folders, sys.path[:])
    stack.callback(_put_default_session_back, getattr(sys.modules.get("boto3"), "DEFAULT_SESSION", None))
    stack.callback(_keep_logging(logging.getLogger("batchscore")))
    stack.enter_context(warnings.catch_warnings())
    return stack


def _variables(beginnings: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(beginnings)}


def _put_variables_back(beginnings: tuple[str, ...], before: Mapping[str, str]) -> None:
    for name in _variables(beginnings).keys() - before.keys():
        os.environ.pop(name, None)
    os.environ.update(before)


def _forget_lost_folders(before: list[str]) -> None:
    """Take off sys.path what a Spark session put there for its files: whoever makes one anew gives us code."""
    sys.path[:] = [entry for entry in sys.path if entry in before or Path(entry).exists()]


def _put_default_session_back(before: object) -> None:
    if "boto3" in sys.modules:
        sys.modules["boto3"].DEFAULT_SESSION = before  # type: ignore[attr-defined] # of the module


def _keep_logging(logger: logging.Logger) -> Callable[[], None]:
    level, propagate, handlers = logger.level, logger.propagate, logger.handlers[:]

    def put_back() -> None:
        logger.setLevel(level)
        logger.propagate, logger.handlers[:] = propagate, handlers

    return put_back


@contextmanager
def variables_set(variables: Mapping[str, str]) -> Iterator[None]:
    """Set the environment variables that are not set, for the block and for one block at a time."""
    with _one_at_a_time:
        missing = {name: value for name, value in variables.items() if name not in os.environ}
        os.environ.update(missing)
        try:
            yield
        finally:
            for name in missing:
                os.environ.pop(name, None)


@contextmanager
def registry_of(config: JobConfig) -> Iterator[None]:
    """Let MLflow ask the registry of a job and read its store, inside of the block alone and for one job at a time.

    A job without ``tracking_uri`` and ``registry_uri`` goes by what the process has, as any MLflow program.
    """
    set_defaults(QUIET_MLFLOW)
    import mlflow  # outside of the lock, since it takes a second
    import mlflow.store.artifact.s3_artifact_repo as s3
    from mlflow.tracking._model_registry import utils as registry
    from mlflow.tracking._tracking_service import utils as tracking

    with variables_set(_mlflow_variables(config)), ExitStack() as stack:
        # MLflow keeps S3 clients for minutes by their endpoint: not by region, credentials, and who pays.
        s3._cached_get_s3_client.cache_clear()
        stack.callback(s3._cached_get_s3_client.cache_clear)
        stack.callback(_put_variables_back, _ADDRESSES, _variables(_ADDRESSES))  # MLflow sets them too
        stack.callback(mlflow.set_registry_uri, cast("str", registry._registry_uri))  # or None, as the next one
        stack.callback(mlflow.set_tracking_uri, cast("str", tracking._tracking_uri))
        if config.tracking_uri:
            mlflow.set_tracking_uri(config.tracking_uri)
        if config.registry_uri or config.tracking_uri:
            mlflow.set_registry_uri(config.registry_uri or config.tracking_uri or "")
        yield


def _mlflow_variables(config: JobConfig) -> dict[str, str]:
    wanted = {
        "MLFLOW_S3_ENDPOINT_URL": config.s3.endpoint,
        "AWS_DEFAULT_REGION": config.s3.region,
        "MLFLOW_S3_EXPECTED_BUCKET_OWNER": config.s3.expected_bucket_owner,
    }
    return {name: value for name, value in wanted.items() if value}
