"""The Spark session of a job."""

from __future__ import annotations

import importlib.util
import logging
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from batchscore.config.job_config import JobConfig
from batchscore.environment import set_defaults, variables_set
from batchscore.errors import BatchScoreError, ConfigError, ScoringError
from batchscore.spark.home import java_command
from batchscore.spark.jvm import jvm_is_there, stop_jvm
from batchscore.spark.local_session import launcher_variables, local_settings, make_without_extensions
from batchscore.spark.settings import (
    CONNECT_REMEDY,
    DEFAULT_MASTER,
    check_session_settings,
    check_settings,
    is_local,
    is_submitted,
)
from batchscore.spark.worker_environment import WORKER_VARIABLES

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    from batchscore.plan import Plan
    from batchscore.preflight.planner import LoadedModel

log = logging.getLogger(__name__)

_SETTINGS = {
    "spark.ui.showConsoleProgress": "false",  # it garbles our own progress
    "spark.sql.execution.arrow.maxRecordsPerBatch": "1",
} | {f"spark.executorEnv.{name}": value for name, value in WORKER_VARIABLES.items()}


def check_spark() -> None:
    """Raise ConfigError if what Spark needs is not there."""
    if importlib.util.find_spec("pyspark") is None:
        raise ConfigError(
            "pyspark: expected it to be installed, got none; pip install batchscore[local], or use spark-submit"
        )
    if not is_submitted() and java_command() is None:
        raise ConfigError("Java: expected version 17 or later, got none; install it, for example openjdk-17-jre")


def is_connect(spark: SparkSession) -> bool:
    """Tell whether a session is one of Spark Connect, which has no SparkContext."""
    return type(spark).__module__.startswith("pyspark.sql.connect")


def check_session(spark: SparkSession) -> None:
    """Raise ConfigError if no job can run on a session: one of Spark Connect, or without cores for a task."""
    if is_connect(spark):
        raise ConfigError(
            f"Spark session: expected one with a SparkContext, got one of Spark Connect; {CONNECT_REMEDY}"
        )
    if not hasattr(spark, "sparkContext"):
        raise ConfigError(f"Spark session: expected a SparkSession, got {type(spark).__name__}")
    check_session_settings(dict(spark.sparkContext.getConf().getAll()))


def start_spark(config: JobConfig, job_id: str) -> SparkSession:
    """Start Spark, or join the one that spark-submit started.

    spark-submit's own master always holds; its other settings give way to the configuration's.
    """
    return _make_session(start_context(config, job_id))


def start_context(config: JobConfig, job_id: str) -> SparkContext:
    """Start what runs the tasks of a session, as start_spark does."""
    from pyspark import SparkConf, SparkContext

    if not is_submitted():
        set_defaults({"PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable})
    settings = _settings(config, job_id)
    check_session_settings(_launch_jvm(settings) | settings)
    context: SparkContext = SparkContext.getOrCreate(SparkConf().setAll(list(settings.items())))
    context.setLogLevel(config.spark.get("spark.log.level", "ERROR"))
    return context


def _make_session(context: SparkContext) -> SparkSession:
    from pyspark.sql import SparkSession

    if not is_submitted():
        make_without_extensions(context)
    session: SparkSession = SparkSession.builder.getOrCreate()
    return session


def _settings(config: JobConfig, job_id: str) -> dict[str, str]:
    settings = {"spark.app.name": f"batchscore {job_id}", "spark.master": DEFAULT_MASTER} | _SETTINGS | config.spark
    if not is_submitted():
        return local_settings(settings)
    del settings["spark.master"]
    return settings


def _launch_jvm(settings: Mapping[str, str]) -> dict[str, str]:
    """Start the JVM, unless it is there, and return what it knows of settings: spark-submit's and spark-defaults.conf.

    Its workers have its environment, so it is started without the variables of any one job, whose model may be fetched
    meanwhile.
    """
    from pyspark import SparkConf, SparkContext

    with variables_set(launcher_variables(settings)):
        conf = SparkConf(loadDefaults=False).setAll(list(settings.items()))
        SparkContext._ensure_initialized(conf=conf)
    return dict(SparkConf().getAll())


def stop_session(spark: SparkSession) -> None:
    """Stop a session without waiting for the thread that adds up accumulators: it looks for its end once a second."""
    context: Any = spark.sparkContext
    server, context._accumulatorServer = context._accumulatorServer, None
    server.handle_error = lambda *_: None  # whose connection ends with the JVM
    spark.stop()
    threading.Thread(target=_shut_down, args=[server], name="accumulators-end", daemon=True).start()


def _shut_down(server: Any) -> None:
    with suppress(FileNotFoundError):  # its socket: the folder goes when the process ends
        server.shutdown()


_one_session = threading.Lock()
"""Held while a session that a job started is there: a process can have one, so a second job waits for its end."""


class BackgroundSpark:
    """A session that starts while the driver imports its libraries and reads the registry."""

    def __init__(self, config: JobConfig, given: SparkSession | None) -> None:
        self._config = config
        self._given = given
        self._pool = ThreadPoolExecutor(3, thread_name_prefix="spark-session")
        self._context: Future[SparkContext] | None = None
        self._session: Future[SparkSession] | None = None
        self._loading: Future[None] | None = None
        self._holds_lock = self._has_jvm = False

    def check(self) -> None:
        """Raise ConfigError if the job cannot run on the session that is given or that would be started."""
        if self._given is not None:
            check_session(self._given)
        else:
            check_settings(self._config.spark)

    def start(self) -> None:
        """Begin to start, if that has not been done and no session runs already."""
        if self._context is not None or self._given is not None:
            return
        check_spark()
        _wait_for_its_end(_one_session)
        self._holds_lock = True
        self._given = running_session()
        if self._given is not None:
            log.warning("Spark: a session runs in this process: it is used as it is, without the settings of spark")
            check_session(self._given)
            return
        self._has_jvm = not is_submitted() and not jvm_is_there()
        log.info("starting Spark")
        self._context = self._pool.submit(start_context, self._config, str(self._config.id))
        self._session = self._pool.submit(_ready_session, self._context)

    def load_in_workers(self, plan: Plan, model: LoadedModel) -> None:
        """Begin to have workers on this machine load the model, as many as the job is going to use."""
        if self._context is not None:
            self._loading = self._pool.submit(_load_in_workers, self._context, plan, model)

    def session(self) -> SparkSession:
        """Return the session, when it has started; raises ConfigError, or ScoringError if Spark does not start."""
        self.start()
        if self._given is not None:
            return self._given
        assert self._session is not None
        try:
            session = self._session.result()
        except BatchScoreError:
            raise
        except Exception as error:
            raise not_started(error) from error
        if self._loading is not None:
            self._loading.result()
        return session

    def __enter__(self) -> BackgroundSpark:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Stop what was started; a session that was given stays."""
        if kind is None and self._context is None and self._given is None and _is_awaited():
            self.start()
        try:
            if self._session is not None and self._session.exception() is None:
                _attempt(partial(stop_session, self._session.result()))
            self._pool.shutdown()
            if self._has_jvm and jvm_is_there():
                _attempt(stop_jvm)
        finally:
            if self._holds_lock:
                _one_session.release()


def _is_awaited() -> bool:
    """Tell whether who started this process fails it for ending without a session: YARN, of a driver on the cluster.

    A job that is reported again, or that has nothing to score, would need none.
    """
    if not is_submitted():
        return False
    from pyspark import SparkConf, SparkContext

    SparkContext._ensure_initialized()
    conf = SparkConf()
    return str(conf.get("spark.master")) == "yarn" and conf.get("spark.submit.deployMode") == "cluster"


def _ready_session(context: Future[SparkContext]) -> SparkSession:
    session = _make_session(context.result())
    if is_local(str(session.sparkContext.master)):
        with suppress(Exception):  # the job's own query meets it again
            from batchscore.spark.rehearsal import plan_ahead

            plan_ahead(session)
    return session


def _load_in_workers(context: Future[SparkContext], plan: Plan, model: LoadedModel) -> None:
    if context.exception() is None and is_local(str(context.result().master)):
        with suppress(Exception):  # likewise
            from batchscore.spark.rehearsal import load_in_workers

            load_in_workers(context.result(), plan, model.archive)


def not_started(error: Exception) -> ScoringError:
    """Return the error of a Spark that did not start."""
    return ScoringError(
        f"Spark: expected it to start, got {type(error).__name__}; see what it says on stderr, "
        "and correct the settings of spark or of spark-submit that it names"
    )


def _attempt(stop: Callable[[], object]) -> None:
    try:
        stop()
    except Exception as error:  # it may have died: the job's own error says more
        log.warning("Spark: expected to stop it, got %s", type(error).__name__)


def _wait_for_its_end(lock: threading.Lock) -> None:
    if not lock.acquire(blocking=False):
        log.info("another job of this process has started Spark: waiting for its end")
        lock.acquire()


def running_session() -> SparkSession | None:
    """Return the session that runs in this process, or None."""
    if "pyspark" not in sys.modules:  # an import that the start of Spark is to do beside others
        return None
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    if SparkContext._active_spark_context is None:
        return None
    session: SparkSession = SparkSession.builder.getOrCreate()
    return session
